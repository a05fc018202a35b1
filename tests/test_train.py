"""Training the adapters: on a tiny random BERT, so that a run takes seconds; and what the shipped adapters promise."""

import argparse
import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file

from course_build import BuildError
from course_build.models import from_minilm
from course_build.paths import ADAPTERS, ROOT
from course_build.training import counterfactuals, customer_sentences, held_out_sentences, train
from course_utils import reviews
from course_utils.modeling import social_bias

REVIEWS, TWEETS = "distilbert-minilm-reviews", "bert-minilm-tweets"
FLOORS = {REVIEWS: {"accuracy": 0.905}, TWEETS: {"accuracy": 0.78, "macro_f1": 0.76}}
LARGEST = 1_700_000
"""An adapter's size in bytes: it travels in the repository."""


class StopError(Exception):
    """What a test stops a run with."""


@pytest.fixture(scope="module", autouse=True)
def fetched():
    """Two sentences of each site, for and against, as if they had been fetched."""
    table = pd.DataFrame(
        [
            {"source": site, "rating": rating, "label": label, "text": f"{text} {site}"}
            for site in ("amazon", "imdb", "yelp")
            for rating, label, text in [(-2.0, "NEGATIVE", "I hate"), (2.0, "POSITIVE", "I love")]
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(customer_sentences, "load", lambda split: table)
        yield table


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A BertModel of random weights, with a vocabulary of letters."""
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("pretrained")
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    words = tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt"))
    words.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    # Large weights, so that different texts get different logits.
    BertModel(BertConfig(vocab_size=len(vocab), initializer_range=0.5, **sizes)).save_pretrained(folder)
    return folder


def small(name, **changes):
    defaults = {"rank": 2, "alpha": 4, "cycles": (1, 1, 1), "joined_from": 1, "learning_rate": 1e-2}
    return dataclasses.replace(train.RECIPES[name], **{**defaults, **changes})


def make_run(name, pretrained, folder, report=lambda line: None, **changes):
    pytest.importorskip("peft")
    return train.Run(small(name, **changes), pretrained, folder, limit=24, report=report)


@pytest.fixture(scope="module")
def finished(pretrained, tmp_path_factory):
    """An uninterrupted run of the reviews' recipe, and the adapter that it wrote."""
    pytest.importorskip("vaderSentiment")
    folder = tmp_path_factory.mktemp("finished")
    run = make_run(REVIEWS, pretrained, folder)
    run.train()
    train.write_adapter(run, folder / "adapter")
    return run


def test_soft_targets_say_how_sure_a_label_is():
    targets = train.soft_targets(np.array([-3.0, 0.0, 0.3, 3.0]), (0.0,), 0.6)
    assert targets.shape == (4, 2)
    assert targets.sum(axis=1) == pytest.approx(1)
    assert targets[:, 1] == pytest.approx([0, 0.5, 0.6915, 1], abs=1e-4)
    three = train.soft_targets(np.array([-0.8, 0.0, 2.0]), (-0.8, 0.8), 0.4)
    assert three[0] == pytest.approx([0.5, 0.5, 0], abs=1e-4)
    assert three[1].argmax() == 1
    assert three[2] == pytest.approx([0, 0, 1], abs=2e-3)


def test_soft_targets_agree_with_the_labels():
    for name, recipe in train.RECIPES.items():
        table = recipe.load("validation")
        targets = train.soft_targets(table["rating"].to_numpy(), recipe.boundaries, recipe.blur)
        expected = table["label"].map(train.find(recipe.model).labels.index).to_numpy()
        on_a_boundary = np.isclose(table["rating"].abs(), reviews.THRESHOLD)
        assert (targets.argmax(axis=1) == expected)[~on_a_boundary].all(), name


def test_every_text_is_in_one_batch_of_similar_lengths():
    lengths = np.random.default_rng(0).integers(3, 100, 1000)
    found = train.batches(lengths, 16, seed=1)
    assert sorted(np.concatenate(found)) == list(range(1000))
    assert max(map(len, found)) == 16
    assert np.mean([np.ptp(lengths[rows]) for rows in found]) < 10
    again, other = train.batches(lengths, 16, seed=1), train.batches(lengths, 16, seed=2)
    assert all(map(np.array_equal, found, again))
    assert not all(map(np.array_equal, found, other))


def test_the_learning_rate_rises_then_falls_to_zero_in_every_cycle():
    rates = train.learning_rates([100, 50], peak=2.0, warm_up=0.1)
    assert len(rates) == 150
    for cycle in (rates[:100], rates[100:]):
        top = cycle.argmax()
        assert top in (round(0.1 * len(cycle)) - 1, round(0.1 * len(cycle)))
        assert cycle[top] == pytest.approx(2)
        assert (np.diff(cycle[: top + 1]) > 0).all()
        assert (np.diff(cycle[top + 1 :]) < 0).all()
        assert 0 < cycle[-1] < 0.05


def test_scores_count_each_class():
    expected = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 1, 0])
    # By hand: F1 of 4/6, 4/5 and 0.
    assert train.scores(predicted, expected, 3) == {
        "accuracy": round(4 / 6, 4),
        "macro_f1": round((2 / 3 + 0.8) / 3, 4),
        "size": 6,
    }


def test_a_seed_fixes_the_adapter(finished, pretrained, tmp_path):
    again = make_run(REVIEWS, pretrained, tmp_path)
    again.train()
    other = make_run(REVIEWS, pretrained, tmp_path / "other", seed=7)
    other.train()
    assert again.history == finished.history
    assert again.history != other.history
    for name, tensor in finished.average().items():
        assert torch.equal(tensor, again.average()[name]), name


@pytest.mark.parametrize("name", [REVIEWS, TWEETS])
def test_a_resumed_run_ends_like_one_that_was_never_stopped(name, pretrained, finished, tmp_path):
    changes = {"start": None} if name == TWEETS else {}
    whole = make_run(name, pretrained, tmp_path / "whole", **changes)
    whole.train()

    def stop_in_the_second_epoch(line):
        if line.startswith("epoch 2/"):
            raise StopError

    folder = tmp_path / "stopped"
    with pytest.raises(StopError):
        make_run(name, pretrained, folder, report=stop_in_the_second_epoch, **changes).train()
    lines = []
    resumed = make_run(name, pretrained, folder, report=lines.append, **changes)
    resumed.restore()
    resumed.train()
    assert lines[0].startswith("epoch 2/"), "the first epoch isn't run again"
    assert resumed.history == whole.history
    for key, tensor in whole.average().items():
        assert torch.equal(tensor, resumed.average()[key]), key


def test_training_learns(pretrained, tmp_path):
    """Even a tiny model fits a few texts, if gradients reach all that is trained."""
    run = make_run(REVIEWS, pretrained, tmp_path, cycles=(12, 1))
    before = train.trained_weights(run.model)
    run.train()
    assert run.history[11]["loss"] < 0.9 * run.history[0]["loss"]
    after = train.trained_weights(run.model)
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert all(torch.equal(after[name], tensor) for name, tensor in run.average().items()), "one cycle is its own mean"


def test_the_ends_of_the_cycles_are_averaged(finished):
    """Of epochs 2 and 3 here: `small` has three cycles of one epoch, and sentences join from the second on."""
    assert len(finished.history) == 3
    assert len(finished.ends) == 2
    last = train.trained_weights(finished.model)
    for name, tensor in finished.average().items():
        assert torch.equal(finished.ends[1][name], last[name])
        assert not torch.equal(finished.ends[0][name], last[name])
        assert torch.allclose(tensor, (finished.ends[0][name] + last[name]) / 2)


def test_sentences_join_from_their_cycle_on(finished, fetched):
    plan, rates = finished.plan()
    seen = [sorted(np.concatenate(epoch)) for epoch in plan]
    assert finished.snippets == 3 * 24
    assert seen[0] == list(range(finished.snippets))
    snippets = reviews.load("train", finished.recipe.sources).groupby("source", sort=False).head(24)
    swapped = len(counterfactuals.augment(pd.concat([snippets, fetched]), finished.recipe.seed))
    assert 0 < swapped < 24
    # Of our own sentences and of the frames there are as many as the limit says.
    assert seen[1] == seen[2] == list(range(finished.snippets + 2 * 24 + len(fetched) + swapped))
    assert len(finished.data[0]) == len(finished.data[1]) == len(seen[2])
    assert [len(epoch) for epoch in plan] == [len(epoch) for epoch in rates]
    assert [epoch.max() for epoch in rates] == pytest.approx([finished.recipe.learning_rate] * 3), "each is a cycle"


def test_resuming_nothing_or_another_recipe_is_refused(finished, pretrained, tmp_path):
    with pytest.raises(BuildError, match="nothing to resume"):
        make_run(REVIEWS, pretrained, tmp_path).restore()
    shutil.copy(finished.state_file, tmp_path)
    with pytest.raises(BuildError, match="recipe has changed"):
        make_run(REVIEWS, pretrained, tmp_path, learning_rate=0.5).restore()


def test_the_merged_adapter_is_the_trained_model(finished, tmp_path):
    """Set-up merges without peft; what comes out must answer as peft's model does, up to half precision."""
    from peft import set_peft_model_state_dict
    from transformers import AutoModelForSequenceClassification

    merged = tmp_path / "merged"
    shutil.copytree(finished.base, merged)
    from_minilm.merge_adapter(merged, finished.folder / "adapter")
    ids = finished.validation[0]
    set_peft_model_state_dict(finished.model, finished.average())
    expected = train.predict(finished.model, finished._batch, ids)
    logits = train.predict(AutoModelForSequenceClassification.from_pretrained(merged), finished._batch, ids)
    assert logits.shape == (len(ids), 2)
    assert np.abs(logits - expected).max() < 5e-3
    assert np.ptp(expected[:, 0]) > 0.02, "a model that answers the same to all proves nothing"


def test_peft_loads_the_adapter(finished):
    """Whoever prefers peft to our merging can have it."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    base = AutoModelForSequenceClassification.from_pretrained(finished.base)
    model = PeftModel.from_pretrained(base, finished.folder / "adapter")
    for name, tensor in train.trained_weights(model).items():
        assert torch.equal(tensor.half(), finished.average()[name].half()), name


def test_the_results_are_those_of_the_saved_files(finished):
    results = json.loads((finished.folder / "adapter" / "results.json").read_text())
    assert results["test"]["size"] == 3 * 24
    assert results["history"] == finished.history
    assert {"python", "torch", "transformers", "peft"} <= set(results["versions"])
    assert results["recipe"]["seed"] == 0
    for key in ("validation", "test", "vader", "majority"):
        assert 0 < results[key]["accuracy"] <= 1
    assert results["vader"]["accuracy"] > 0.6
    assert set(results["slices"]) == {*held_out_sentences.TITLES, "all"}
    assert results["slices"]["all"]["size"] == len(held_out_sentences.load())
    assert {name: found["size"] for name, found in results["sentences"].items()} == {
        **dict.fromkeys(("amazon", "imdb", "yelp"), 2),
        "all": 6,
    }
    assert results["tweets"] == {}, "a model of two classes knows no neutral text"
    assert set(results["bias"]) == {*social_bias.load_sentences()["group"], social_bias.EVERYTHING}
    assert 0 < results["bias"]["all"]["mean"] < results["bias"]["all"]["largest"] < 1
    assert results["train_size"] < len(finished.data[0]), "copies are counted once"
    weights = load_file(finished.folder / "adapter" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {np.dtype("float16")}


def test_tweets_go_on_from_the_reviews_adapter(finished, pretrained, tmp_path):
    """Every LoRA matrix of the one is found again in the other, at its place under BERT's name."""
    (tmp_path / REVIEWS).mkdir()
    for file in (finished.folder / "adapter").iterdir():
        shutil.copy(file, tmp_path / REVIEWS)
    run = train.Run(small(TWEETS), pretrained, tmp_path / "run", adapters=tmp_path, limit=4, report=print)
    ours = train.trained_weights(run.model)
    theirs = load_file(tmp_path / REVIEWS / "adapter_model.safetensors")
    encoder = "base_model.model.bert.encoder.layer.1"
    layer = "base_model.model.distilbert.transformer.layer.1"
    pairs = {"attention.self.key": "attention.k_lin", "attention.output.dense": "attention.out_lin"}
    pairs |= {"intermediate.dense": "ffn.lin1", "output.dense": "ffn.lin2"}
    for bert, distilbert in pairs.items():
        for matrix in ("lora_A", "lora_B"):
            expected = theirs[f"{layer}.{distilbert}.{matrix}.weight"].astype(np.float32)
            assert np.array_equal(ours[f"{encoder}.{bert}.{matrix}.weight"].numpy(), expected)
            assert np.abs(expected).max() > 0
    with pytest.raises(BuildError, match=f"{REVIEWS}.*train that one first"):
        train.Run(small(TWEETS), pretrained, tmp_path / "run", adapters=tmp_path / "nowhere", limit=4)


def arguments(*words):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return parser.parse_args(words)


def test_an_unknown_name_is_refused():
    with pytest.raises(BuildError, match=f"'bert-tweets'.*{REVIEWS}, {TWEETS}"):
        train.run(arguments("bert-tweets"))


def test_a_shipped_adapter_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "ADAPTERS", tmp_path)
    target = tmp_path / REVIEWS
    target.mkdir()
    save_file({"weight": np.zeros(1)}, target / "adapter_model.safetensors")
    for words in ([REVIEWS], [TWEETS, "--output", str(target)]):
        with pytest.raises(BuildError, match="--force"):
            train.run(arguments(*words))


def test_the_command_trains_and_writes(pretrained, tmp_path, monkeypatch, capsys):
    pytest.importorskip("peft")
    pytest.importorskip("vaderSentiment")
    recipe = small(REVIEWS, cycles=(1,), joined_from=0)
    monkeypatch.setattr(train, "RECIPES", {REVIEWS: recipe})
    monkeypatch.setattr(train, "BUILD", tmp_path)
    monkeypatch.setattr(train, "Run", lambda *words, **options: run_class(*words, **options, limit=8))
    output = tmp_path / "adapter"
    assert train.run(arguments(REVIEWS, "--pretrained", str(pretrained), "--output", str(output))) == 0
    assert {file.name for file in output.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "results.json",
    }
    shown = capsys.readouterr().out
    assert "epoch 1/1" in shown
    assert re.search(r"test +accuracy \d+\.\d%", shown)


run_class = train.Run


@pytest.fixture(params=[REVIEWS, TWEETS])
def shipped(request) -> Path:
    return ADAPTERS / request.param


def test_shipped_adapters_keep_their_promise(shipped):
    results = json.loads((shipped / "results.json").read_text())
    for key, floor in FLOORS[shipped.name].items():
        assert results["test"][key] >= floor
    assert results["test"]["accuracy"] > results["vader"]["accuracy"]
    assert results["test"]["size"] == len(train.RECIPES[shipped.name].load("test"))
    sentences = social_bias.load_sentences()
    pairs = sum(len(frame) * (len(frame) - 1) // 2 for _, frame in sentences.groupby(["group", "frame"]))
    assert results["bias"]["all"]["swaps"] == pairs, "the swapped words changed: measure it again"
    for label, found in results["tweets"].items():
        assert found["accuracy"] >= 0.7, label
    for kind, texts in held_out_sentences.load().groupby("kind"):
        assert results["slices"][kind]["size"] == len(texts), "the slices changed: measure it again"
    assert results["recipe"] == train.describe(train.RECIPES[shipped.name]), "the recipe changed: train it again"


def test_shipped_adapters_name_no_machine(shipped):
    assert (shipped / "adapter_model.safetensors").stat().st_size <= LARGEST
    config = json.loads((shipped / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    for name in ("adapter_config.json", "results.json"):
        text = (shipped / name).read_text()
        assert not re.search(r'"(?:/|[A-Za-z]:\\|~)', text)
        assert str(ROOT) not in text


def test_shipped_adapters_fill_the_whole_head(shipped):
    weights = load_file(shipped / "adapter_model.safetensors")
    assert all(np.isfinite(tensor).all() for tensor in weights.values())
    for layer in train.RECIPES[shipped.name].head:
        assert {f"base_model.model.{layer}.weight", f"base_model.model.{layer}.bias"} <= set(weights)
