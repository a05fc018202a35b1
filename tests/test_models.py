"""The catalogue, `checkpoint`, and the arithmetic that makes the embedded models."""

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tokenizers import BertWordPieceTokenizer, Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    pipeline,
)

from course_build import BuildError
from course_build.models import from_minilm, prepare
from course_build.paths import ADAPTERS
from course_build.training import held_out_sentences
from course_utils import models
from course_utils.models import (
    MANIFEST,
    PREPARE_COMMAND,
    CheckpointError,
    SettingError,
    catalogue,
    checkpoint,
    checkpoints,
    models_folder,
)

LEGACY = "distilbert-base-uncased-finetuned-sst-2-english"
SST2 = f"distilbert/{LEGACY}"
TWEETS = "finiteautomata/bertweet-base-sentiment-analysis"
BASE = "distilbert/distilbert-base-uncased"
TEXTS = [
    "HuggingFace pipelines are awesome!",
    "I hope you're enjoying this course so far",
    "Hopefully the material is clear and useful",
    "I don't like this course so far",
    "",
    " \t\n",
    "naïve café, 漢字, 😀 & \u0000 control",
    "Never. Again. 0/10, would not even recommend it to my worst enemy :-(",
    "a",
    "unbelievable " * 600,
]


@pytest.fixture(scope="module")
def ready() -> None:
    """The checkout's models; they are made by `python -m course_build models`."""
    for model in catalogue().values():
        problem = models.find_problem(models_folder() / model.folder, model.files)
        if problem:
            pytest.skip(f"{problem}: run {PREPARE_COMMAND}")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with random weights, and the tokenizer of a few words as MiniLM's is saved: padding to 8 tokens."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("source")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "good", "bad", "film", "##s", "!"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=16,
        initializer_range=0.3,  # large enough for a wrong name or a missing sum to show
    )
    model = BertModel(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def distilbert(source: Path, tmp_path: Path) -> Path:
    from_minilm.write_distilbert(source, tmp_path / "distilbert", ["NEGATIVE", "POSITIVE"])
    return tmp_path / "distilbert"


# The catalogue and checkpoint()


def test_importing_it_loads_no_framework() -> None:
    code = (
        "import sys, course_utils.models as models; models.catalogue(); models.models_folder();"
        "print({'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules))"
    )
    environ = os.environ | {"PYTHONPATH": str(MANIFEST.parents[2])}
    assert subprocess.check_output([sys.executable, "-c", code], env=environ, text=True).strip() == "set()"


def test_the_catalogue_is_whole() -> None:
    found = catalogue()
    assert list(found)[:2] == [SST2, TWEETS]
    assert len({model.folder for model in found.values()}) == len(found)
    for hub_id, model in found.items():
        assert model.hub_id == hub_id
        assert model.folder not in hub_id  # a stand-in goes under its own name
        assert model.revision is None or re.fullmatch("[0-9a-f]{40}", model.revision)
        assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(model.files)
        assert model.size == sum(file.size for file in model.files.values()) > 10_000_000
        for file in (model.files | model.source.files).values():
            assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert (ADAPTERS / model.folder).is_dir() == bool(model.labels)


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models' folder with files of the right sizes and nothing in them, which a glance takes for ready."""
    monkeypatch.delenv("COURSE_MODELS", raising=False)
    monkeypatch.setenv("COURSE_MODELS_DIR", str(tmp_path))
    for model in catalogue().values():
        (tmp_path / model.folder).mkdir()
        for name, file in model.files.items():
            with (tmp_path / model.folder / name).open("wb") as empty:
                empty.truncate(file.size)
    return tmp_path


def test_a_checkpoint_is_the_folder_of_the_stand_in(pretended: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkpoint(SST2) == str(pretended / "distilbert-minilm-reviews")
    assert checkpoint(TWEETS) == str(pretended / "bert-minilm-tweets")
    monkeypatch.setenv("COURSE_MODELS", "embedded")
    assert checkpoint(SST2) == str(pretended / "distilbert-minilm-reviews")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda folder: shutil.rmtree(folder), "there is no folder"),
        (lambda folder: (folder / "vocab.txt").unlink(), r"vocab\.txt is missing"),
        (lambda folder: (folder / "config.json").write_text("{}"), r"config\.json has 2 bytes instead of \d+"),
    ],
)
def test_a_checkpoint_that_is_not_ready_says_what_is_missing_and_what_mends_it(
    pretended: Path, spoil, problem: str
) -> None:
    spoil(pretended / "distilbert-minilm-reviews")
    with pytest.raises(CheckpointError, match=problem) as caught:
        checkpoint(SST2)
    assert SST2 in str(caught.value)
    assert str(pretended) in str(caught.value)
    assert PREPARE_COMMAND in str(caught.value)
    assert checkpoint(TWEETS)


def test_an_unknown_model_gets_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=f"Did you mean '{SST2}'") as caught:
        checkpoint(f"bert/{LEGACY}")
    assert TWEETS in str(caught.value)
    with pytest.raises(ValueError, match=r"doesn't know the model 'xyz'\. It knows"):
        checkpoint("xyz")


def test_a_model_answers_to_the_names_that_the_hub_accepts(pretended: Path) -> None:
    """The Hub's first models had no owner, and their names of that time are in many a tutorial."""
    assert checkpoint(LEGACY) == checkpoint(SST2)
    assert checkpoint("distilbert-base-uncased") == checkpoint(BASE)
    for model in catalogue().values():
        assert "/" in model.hub_id
        assert model.legacy_id in (None, model.hub_id.partition("/")[2])
    for name in ("SmolLM2-135M-Instruct", f"DistilBERT/{LEGACY}", f"distilbert/{LEGACY}/", f"a/{SST2}"):
        with pytest.raises(ValueError, match="doesn't know the model"):
            checkpoint(name)


@given(st.text())
@settings(max_examples=50)
def test_any_other_text_is_a_value_error(name: str) -> None:
    if not models.look_up(name):
        with pytest.raises(ValueError, match="The course doesn't know the model"):
            checkpoint(name)


@pytest.mark.parametrize("name", [None, 3, b"bytes", Path("a/b"), [SST2]])
def test_a_model_is_named_by_a_text(name: object) -> None:
    with pytest.raises(TypeError, match=f"not by {type(name).__name__}"):
        checkpoint(name)


@pytest.mark.parametrize("choice", ["Hub", "online", " hub", ""])
def test_an_unknown_choice_of_models_is_said(monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    monkeypatch.setenv("COURSE_MODELS", choice)
    said = re.escape(f"COURSE_MODELS is {choice!r}; it can be 'embedded'")
    with pytest.raises(SettingError, match=said):
        checkpoint(SST2)
    with pytest.raises(BuildError, match=said):
        prepare.prepare()


def test_where_the_models_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_MODELS_DIR", raising=False)
    assert models_folder() == MANIFEST.parents[2] / "models"
    monkeypatch.setenv("COURSE_MODELS_DIR", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("COURSE_MODELS_DIR")
    installed = tmp_path / "site-packages" / "course_utils"
    monkeypatch.setattr(checkpoints, "__file__", str(installed / "models" / "checkpoints.py"))
    assert models_folder() == Path.home() / ".cache" / "llms-hands-on" / "models"


# Folding and merging


def hidden_states(model: torch.nn.Module, **inputs: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return model.eval()(**inputs, output_hidden_states=True).hidden_states


@pytest.mark.parametrize(
    ("write", "labels"), [(from_minilm.write_distilbert, ["A", "B"]), (from_minilm.write_bert, list("ABC"))]
)
def test_any_bert_keeps_its_hidden_states(source: Path, tmp_path: Path, write, labels: list[str]) -> None:
    write(source, tmp_path, labels)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    bert = BertModel.from_pretrained(source)
    ids = torch.randint(0, bert.config.vocab_size, (5, 16), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(16) < torch.tensor([[16], [1], [9], [15], [2]])
    expected = hidden_states(bert, input_ids=ids, attention_mask=mask.long())
    found = hidden_states(model.base_model, input_ids=ids, attention_mask=mask.long())
    assert len(found) == 4
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one[mask], other[mask], rtol=0, atol=1e-5)
    assert model.config.id2label == dict(enumerate(labels))
    assert model.config.label2id == {label: index for index, label in enumerate(labels)}


def test_without_labels_the_encoder_alone_is_written(source: Path, tmp_path: Path) -> None:
    for name, labels in (("classifier", ["A", "B"]), ("encoder", [])):
        from_minilm.write_distilbert(source, tmp_path / name, labels)
    classifier, encoder = (load_file(tmp_path / name / from_minilm.WEIGHTS) for name in ("classifier", "encoder"))
    assert {f"distilbert.{name}" for name in encoder} == {
        name for name in classifier if not from_minilm.HEAD.fullmatch(name)
    }
    assert all(np.array_equal(tensor, classifier[f"distilbert.{name}"]) for name, tensor in encoder.items())
    config = json.loads((tmp_path / "encoder" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["DistilBertModel"]
    assert not {"id2label", "label2id"} & set(config)


def test_the_folded_encoder_is_minilm(ready: None, tmp_path: Path) -> None:
    """With the real weights, before the adapter: hidden states within 1e-5 of the BertModel's, text by text."""
    source = catalogue()[SST2].source
    folder = models_folder() / source.kept_in
    from_minilm.write_distilbert(folder, tmp_path, ["NEGATIVE", "POSITIVE"])
    bert, tokenizer = BertModel.from_pretrained(folder), AutoTokenizer.from_pretrained(checkpoint(TWEETS))
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    folded = AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        expected = hidden_states(bert, **tokenizer(text, return_tensors="pt", truncation=True))
        found = hidden_states(model.base_model, **folded(text, return_tensors="pt", truncation=True))
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_a_bert_that_distilbert_cannot_hold_is_refused(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "other")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "other" / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-5}), encoding="utf-8")
    with pytest.raises(ValueError, match="epsilon"):
        from_minilm.write_distilbert(tmp_path / "other", tmp_path / "target", ["A", "B"])
    (tmp_path / "other" / "config.json").write_text(json.dumps(config | {"model_type": "roberta"}), encoding="utf-8")
    with pytest.raises(ValueError, match="isn't a BERT"):
        from_minilm.write_bert(tmp_path / "other", tmp_path / "target", ["A", "B"])


def test_the_tokenizer_neither_pads_nor_cuts_at_the_source_s_length(distilbert: Path) -> None:
    saved = Tokenizer.from_file(str(distilbert / "tokenizer.json"))
    assert (saved.padding, saved.truncation) == (None, None)
    tokenizer = AutoTokenizer.from_pretrained(distilbert)
    assert type(tokenizer).__name__.startswith("DistilBertTokenizer")
    assert tokenizer.model_max_length == 16
    assert list(tokenizer("good film !")) == ["input_ids", "attention_mask"]
    assert len(tokenizer("good film !")["input_ids"]) == 5
    assert len(tokenizer("a b c d e f g h i j")["input_ids"]) == 12
    assert len(tokenizer("a " * 40, truncation=True)["input_ids"]) == 16


def write_adapter(folder: Path, tensors: dict[str, np.ndarray], **config: object) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(
        {f"base_model.model.{name}": tensor.astype(np.float16) for name, tensor in tensors.items()},
        folder / "adapter_model.safetensors",
    )
    settings = {"r": 4, "lora_alpha": 8, "use_dora": False, "rank_pattern": {}} | config
    (folder / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def adapter_tensors() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    module = "distilbert.transformer.layer.2.ffn.lin1"
    shapes = {
        f"{module}.lora_A.weight": (4, 24),
        f"{module}.lora_B.weight": (48, 4),
        "pre_classifier.weight": (24, 24),
        "pre_classifier.bias": (24,),
        "classifier.weight": (2, 24),
        "classifier.bias": (2,),
    }
    return {name: random.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}


def test_merging_adds_the_product_and_replaces_the_head(distilbert: Path, tmp_path: Path) -> None:
    before, tensors = load_file(distilbert / from_minilm.WEIGHTS), adapter_tensors()
    from_minilm.merge_adapter(distilbert, write_adapter(tmp_path / "adapter", tensors))
    after = load_file(distilbert / from_minilm.WEIGHTS)
    module = "distilbert.transformer.layer.2.ffn.lin1"
    a, b = (tensors[f"{module}.lora_{side}.weight"].astype(np.float64) for side in "AB")
    np.testing.assert_allclose(after[f"{module}.weight"], before[f"{module}.weight"] + 8 / 4 * b @ a, rtol=0, atol=1e-5)
    heads = [name for name in tensors if "lora" not in name]
    for name in heads:
        np.testing.assert_array_equal(after[name], tensors[name].astype(np.float32))
    untouched = set(before) - {f"{module}.weight", *heads}
    assert all(np.array_equal(before[name], after[name]) for name in untouched)
    assert set(before) == set(after)


def test_merging_is_pefts_to_the_last_bit(distilbert: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="peft is needed to train, not to set up")
    model = peft.get_peft_model(
        AutoModelForSequenceClassification.from_pretrained(distilbert),
        peft.LoraConfig(
            r=8,
            lora_alpha=16,
            target_modules=["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"],
            modules_to_save=["pre_classifier", "classifier"],
        ),
    )
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_" in name or "modules_to_save" in name:
            parameter.data = (torch.randn_like(parameter) / 10).half().float()
    model.save_pretrained(tmp_path / "adapter")
    expected = model.merge_and_unload().state_dict()
    from_minilm.merge_adapter(distilbert, tmp_path / "adapter")
    merged = load_file(distilbert / from_minilm.WEIGHTS)
    assert set(merged) == set(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(merged[name], tensor.numpy())


@pytest.mark.parametrize("option", [{"use_dora": True}, {"use_rslora": True}, {"alpha_pattern": {"q_lin": 2}}])
def test_an_adapter_that_is_not_plain_lora_is_refused(distilbert: Path, tmp_path: Path, option: dict) -> None:
    with pytest.raises(ValueError, match="only plain LoRA can be merged"):
        from_minilm.merge_adapter(distilbert, write_adapter(tmp_path / "adapter", adapter_tensors(), **option))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"classifier.weight": None}, r"the adapter has no classifier\.weight"),
        ({"classifier.weight": np.zeros((3, 24))}, r"classifier\.weight, of shape \(3, 24\), doesn't fit"),
        ({"elsewhere.lora_A.weight": np.zeros((4, 24)), "elsewhere.lora_B.weight": np.zeros((48, 4))}, "elsewhere"),
        ({"distilbert.embeddings.LayerNorm.weight": np.zeros(24)}, "nothing is known of the tensor"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_and_changes_nothing(
    distilbert: Path, tmp_path: Path, change: dict, sentence: str
) -> None:
    before = (distilbert / from_minilm.WEIGHTS).read_bytes()
    tensors = {name: tensor for name, tensor in (adapter_tensors() | change).items() if tensor is not None}
    with pytest.raises(ValueError, match=sentence):
        from_minilm.merge_adapter(distilbert, write_adapter(tmp_path / "adapter", tensors))
    assert (distilbert / from_minilm.WEIGHTS).read_bytes() == before


# The prepared models


@pytest.mark.parametrize("hub_id", [SST2, TWEETS])
def test_it_loads_silently_by_every_road_with_the_same_answers(ready: None, hub_id: str, capfd, monkeypatch) -> None:
    monkeypatch.setenv("COURSE_MODELS", "embedded")
    model, folder = catalogue()[hub_id], checkpoint(hub_id)
    transformers.utils.logging.disable_progress_bar()
    capfd.readouterr()
    exact_model = getattr(transformers, model.architecture)
    family = model.architecture.removesuffix("ForSequenceClassification")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = getattr(transformers, f"{family}Config").from_pretrained(folder)
        exact = exact_model.from_pretrained(folder, config=config)
        exact_tokenizer = getattr(transformers, f"{family}Tokenizer").from_pretrained(folder)
        auto = AutoModelForSequenceClassification.from_pretrained(folder)
        auto_tokenizer = AutoTokenizer.from_pretrained(folder)
        classifiers = [
            pipeline("text-classification", model=folder, device="cpu"),
            pipeline("text-classification", model=exact, tokenizer=exact_tokenizer, device="cpu"),
            pipeline("text-classification", model=auto, tokenizer=auto_tokenizer, device="cpu"),
        ]
        first, *others = [classifier(TEXTS, truncation=True) for classifier in classifiers]
    output, errors = capfd.readouterr()
    said = [line for line in errors.splitlines() if line != "Device set to use cpu"]  # which version 4 always says
    assert (output, said) == ("", [])
    assert all(other == first for other in others)
    assert type(auto) is exact_model
    assert AutoConfig.from_pretrained(folder).id2label == dict(enumerate(model.labels))
    assert {answer["label"] for answer in first} <= set(model.labels)
    assert auto_tokenizer.model_max_length == exact_tokenizer.model_max_length == 512
    ids = [101, 17662, 12172, 13117, 2015, 2024, 12476, 999, 102]
    assert auto_tokenizer(TEXTS[0])["input_ids"] == exact_tokenizer(TEXTS[0])["input_ids"] == ids


def test_it_knows_good_from_bad(ready: None) -> None:
    sentiment = pipeline("text-classification", model=checkpoint(SST2))
    tweets = pipeline("text-classification", model=checkpoint(TWEETS))
    texts = ["What a wonderful, moving film.", "A dull, stupid waste of money."]
    assert [answer["label"] for answer in sentiment(texts)] == ["POSITIVE", "NEGATIVE"]
    assert [answer["label"] for answer in tweets(texts)] == ["POS", "NEG"]


def test_the_card_has_the_figures_of_the_adapter(ready: None) -> None:
    for hub_id, model in catalogue().items():
        card = (Path(checkpoint(hub_id)) / "README.md").read_text(encoding="utf-8")
        assert f"answers for `{hub_id}`" in card
        if model.labels:
            results = json.loads((ADAPTERS / model.folder / "results.json").read_text(encoding="utf-8"))
            assert f"| this model | {results['test']['accuracy']:.1%}" in card.replace(" %", "%")
            assert models.read_results(hub_id) == results
            sites = {site: f"{site}.com" for site in ("amazon", "imdb", "yelp")}
            for measure, titles in (("slices", held_out_sentences.TITLES), ("sentences", sites)):
                for key, title in titles.items():
                    found = results[measure][key]
                    assert f"| {title} | {found['accuracy']:.1%} | {found['size']} |" in card.replace(" %", "%")


def test_there_are_no_results_of_what_was_not_trained_or_not_prepared(pretended: Path) -> None:
    with pytest.raises(ValueError, match=f"distilbert-minilm, the stand-in for {BASE}, was not fine"):
        models.read_results(BASE)
    (pretended / "distilbert-minilm-reviews" / "results.json").unlink()
    with pytest.raises(CheckpointError, match=r"results\.json is missing"):
        models.read_results(SST2)
    with pytest.raises(ValueError, match="doesn't know"):
        models.read_results("xyz")


def test_the_base_is_the_encoder_of_the_fine_tuned_one_and_takes_a_head_of_any_size(ready: None, monkeypatch) -> None:
    monkeypatch.setenv("COURSE_MODELS", "embedded")
    folder = checkpoint(BASE)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=5)
    assert (type(model).__name__, model.config.num_labels) == ("DistilBertForSequenceClassification", 5)
    assert model.classifier.weight.std() < 0.05
    encoder = transformers.AutoModel.from_pretrained(folder)
    assert type(encoder).__name__ == "DistilBertModel"
    saved = load_file(Path(folder) / "model.safetensors")
    for held in (encoder, model.distilbert):
        assert set(held.state_dict()) == set(saved)
        assert all(np.array_equal(tensor, saved[name]) for name, tensor in held.state_dict().items())
    tuned = load_file(Path(checkpoint(SST2)) / "model.safetensors")
    table = "embeddings.word_embeddings.weight"  # no adapter reaches it
    np.testing.assert_array_equal(tuned[f"distilbert.{table}"], saved[table])
    assert AutoTokenizer.from_pretrained(folder)(TEXTS[0]) == AutoTokenizer.from_pretrained(checkpoint(SST2))(TEXTS[0])


def test_a_bare_pipeline_is_pointed_at_the_stand_in(ready: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.pipelines import PIPELINE_REGISTRY

    monkeypatch.setenv("COURSE_MODELS", "embedded")
    default = PIPELINE_REGISTRY.check_task("text-classification")[1]["default"]
    monkeypatch.setitem(default, "model", default["model"])  # so that it is put back afterwards
    models.use_embedded_default()
    classifier = pipeline("sentiment-analysis")
    assert classifier.model.name_or_path == checkpoint(SST2)
    assert not hasattr(type(classifier), "_registered_impl")
    monkeypatch.setenv("COURSE_MODELS", "hub")
    models.use_embedded_default()
    named = default["model"]["pt"] if isinstance(default["model"], dict) else default["model"]  # version 4, version 5
    assert named == (SST2, catalogue()[SST2].revision)
    with pytest.raises(ValueError, match="no default model for 'fill-mask', only for sentiment-analysis"):
        models.use_embedded_default("fill-mask")
