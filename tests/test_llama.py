"""A GGUF file becomes a checkpoint: the same weights, the same logits, the same tokens."""

import json
import re
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from course_build.models import from_gguf
from course_utils import models
from course_utils.models import PREPARE_COMMAND, catalogue, checkpoint, models_folder

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"
HOSTILE = [
    "",
    " ",
    "\n\n\t x",
    "I have 1234 cats, it's   café 漢字 😀",
    "don't DON'T we'LL",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    "\x00\x01 control",
    "👩\u200d👩\u200d👧 and e\u0301",
    "a" * 2000,
    "trail  ",
    "3.14159 10,000 0x1F",
]
HEADS, KV_HEADS, WIDTH, WIDE, LAYERS = 4, 2, 128, 64, 2
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefgh", "ab", "Ġ"]


@pytest.fixture(scope="module")
def small() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=WIDTH,
        intermediate_size=WIDE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).eval()
    for parameter in model.parameters():
        # bf16 holds them exactly, and they are large enough for a wrong order of rows to show.
        parameter.data = torch.randn_like(parameter).mul(0.3).bfloat16().float()
    return model


def interleaved(weights: np.ndarray, heads: int) -> np.ndarray:
    """Put the rows of queries or keys as llama.cpp wants them: the two of a pair side by side."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(model: LlamaForCausalLM, folder: Path, quantize=None, **changes: str) -> None:
    folder.mkdir(parents=True)
    writer = gguf.GGUFWriter(folder / "small.gguf", changes.get("architecture", "llama"))
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(changes.get("pre", "smollm"))
    writer.add_token_list(TOKENS)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(TOKENS) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")
    ggufs_name = {theirs: ours for ours, theirs in from_gguf.NAMES.items()}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        module = name.removesuffix(".weight")
        block = ""
        if module.startswith("model.layers."):
            _, _, number, module = module.split(".", 3)
            block = f"blk.{number}."
        weights = tensor.numpy()
        if module in ("self_attn.q_proj", "self_attn.k_proj"):
            weights = interleaved(weights, HEADS if "q_proj" in module else KV_HEADS)
        ours = changes.get("name", f"{block}{ggufs_name[module]}.weight")
        if quantize and weights.ndim == 2 and weights.shape[1] % 32 == 0:
            writer.add_tensor(ours, gguf.quantize(np.ascontiguousarray(weights), quantize), raw_dtype=quantize)
        else:
            writer.add_tensor(ours, np.ascontiguousarray(weights))
        if "name" in changes:
            break
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def logits_of(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model(ids).logits


def test_a_small_llama_comes_back_with_the_same_weights_and_logits(small, tmp_path: Path) -> None:
    write_gguf(small, tmp_path / "gguf")
    from_gguf.write_llama(tmp_path / "gguf", tmp_path / "checkpoint")
    back = AutoModelForCausalLM.from_pretrained(tmp_path / "checkpoint", dtype=torch.float32).eval()
    expected, found = small.state_dict(), back.state_dict()
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    ids = torch.randint(0, len(TOKENS), (3, 20), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(logits_of(back, ids), logits_of(small, ids), rtol=0, atol=1e-5)
    assert back.config.rms_norm_eps == 1e-5
    assert (back.generation_config.eos_token_id, back.generation_config.pad_token_id) == (2, 2)


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0"])
def test_quantized_blocks_are_decoded_as_gguf_decodes_them(small, tmp_path: Path, kind: str) -> None:
    quantize = gguf.GGMLQuantizationType[kind]
    write_gguf(small, tmp_path / "gguf", quantize)
    from_gguf.write_llama(tmp_path / "gguf", tmp_path / "checkpoint")
    found = load_file(tmp_path / "checkpoint" / "model.safetensors")
    for part in ("o_proj", "v_proj"):
        name = f"model.layers.1.self_attn.{part}.weight"
        original = small.state_dict()[name].numpy()
        decoded = gguf.dequantize(gguf.quantize(original, quantize), quantize)
        assert np.array_equal(found[name].astype(np.float32), torch.from_numpy(decoded).bfloat16().float().numpy())


def test_the_same_file_gives_the_same_bytes(small, tmp_path: Path) -> None:
    write_gguf(small, tmp_path / "gguf", gguf.GGMLQuantizationType.Q8_0)
    for name in ("one", "two"):
        from_gguf.write_llama(tmp_path / "gguf", tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert "model.safetensors" in files
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architecture": "gpt2"}, "architecture gpt2, not llama"),
        ({"pre": "llama-bpe"}, "gpt2/llama-bpe, which can't be written"),
        ({"name": "blk.0.attn_sinks.weight"}, r"nothing is known of the tensor blk\.0\.attn_sinks\.weight"),
        ({"name": "rope_freqs.weight"}, "nothing is known of the tensor rope_freqs"),
    ],
)
def test_a_file_that_is_something_else_is_refused(small, tmp_path: Path, changes: dict, sentence: str) -> None:
    write_gguf(small, tmp_path / "gguf", **changes)
    with pytest.raises(ValueError, match=sentence):
        from_gguf.write_llama(tmp_path / "gguf", tmp_path / "checkpoint")


def test_there_has_to_be_one_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 0 GGUF files"):
        from_gguf.write_llama(tmp_path, tmp_path / "checkpoint")


# The prepared model


@pytest.fixture(scope="module")
def folder() -> Path:
    model = catalogue()[SMOL]
    problem = models.find_problem(models_folder() / model.folder, model.files)
    if problem:
        pytest.skip(f"{problem}: run {PREPARE_COMMAND}")
    return models_folder() / model.folder


LAYERS_KEPT = {0: 0, 29: 1}
"""The layers of the real file that `part` has, and their numbers there."""

TOKENS_KEPT = 6000


@pytest.fixture(scope="module")
def part(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a part of the real GGUF file: its first and its last layer, and the first of its tokens."""
    reader = gguf.GGUFReader(models.gguf_file(SMOL))
    facts = {name: field.contents() for name, field in reader.fields.items()}
    tokens = set(facts["tokenizer.ggml.tokens"][:TOKENS_KEPT])
    merges = [
        merge for merge in facts["tokenizer.ggml.merges"] if {*merge.split(" "), merge.replace(" ", "")} <= tokens
    ]
    changes = {
        "llama.block_count": len(LAYERS_KEPT),
        "llama.vocab_size": TOKENS_KEPT,
        "tokenizer.ggml.tokens": facts["tokenizer.ggml.tokens"][:TOKENS_KEPT],
        "tokenizer.ggml.token_type": facts["tokenizer.ggml.token_type"][:TOKENS_KEPT],
        "tokenizer.ggml.merges": merges,
    }
    target = tmp_path_factory.mktemp("part")
    writer = gguf.GGUFWriter(target / "part.gguf", "llama")
    for name, field in reader.fields.items():
        if name != "general.architecture" and not name.startswith("GGUF."):
            kinds = (field.types[0], field.types[-1] if len(field.types) > 1 else None)
            writer.add_key_value(name, changes.get(name, facts[name]), *kinds)
    for tensor in reader.tensors:
        block = re.match(r"blk\.(\d+)\.", tensor.name)
        if not block or int(block[1]) in LAYERS_KEPT:
            name = tensor.name.replace(block[0], f"blk.{LAYERS_KEPT[int(block[1])]}.") if block else tensor.name
            data = tensor.data[:TOKENS_KEPT] if name == "token_embd.weight" else tensor.data
            writer.add_tensor(name, data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def test_it_is_what_transformers_makes_of_the_gguf_file(folder: Path, part: Path, tmp_path: Path, monkeypatch) -> None:
    """Every weight, to the last bit, and so the logits; and the tokens of hostile texts.

    Of a part, for transformers takes long over the whole. The prepared model has the same weights there, and the
    manifest's hashes hold all of it to what our conversion makes of the whole file.
    """
    monkeypatch.setenv("COURSE_MODELS", "embedded")
    assert checkpoint(SMOL) == str(folder)
    from_gguf.write_llama(part, tmp_path)
    # Version 4 of transformers always decodes the blocks, version 5 has to be told.
    decode = getattr(transformers, "GgufConfig", None)
    options = {"quantization_config": decode(dequantize=True)} if decode else {}
    options["dtype"] = torch.float32
    theirs = AutoModelForCausalLM.from_pretrained(part, gguf_file="part.gguf", **options)
    mine = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    theirs.load_state_dict({name: tensor.bfloat16().float() for name, tensor in theirs.state_dict().items()})
    expected, found = theirs.state_dict(), mine.state_dict()
    assert len(found) == 9 * len(LAYERS_KEPT) + 3
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    numbers = {kept: number for number, kept in LAYERS_KEPT.items()}
    with safe_open(folder / "model.safetensors", "pt") as prepared:
        for name in found.keys() - {"lm_head.weight"}:
            whole = re.sub(r"layers\.(\d)", lambda layer: f"layers.{numbers[int(layer[1])]}", name)
            assert torch.equal(prepared.get_tensor(whole)[: len(found[name])].float(), found[name]), whole
    their_tokens, my_tokens = AutoTokenizer.from_pretrained(part, gguf_file="part.gguf"), tokenizer_of(tmp_path)
    for text in HOSTILE:
        assert my_tokens(text)["input_ids"] == their_tokens(text)["input_ids"], text
    ids = torch.tensor([my_tokens("The cat sat on the mat, and then it")["input_ids"]])
    torch.testing.assert_close(logits_of(mine, ids), logits_of(theirs, ids), rtol=0, atol=1e-4)


def tokenizer_of(folder: Path):
    return AutoTokenizer.from_pretrained(folder)


def test_its_facts_are_those_of_the_hub_s_model(folder: Path) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), tokenizer_of(folder)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert model.num_parameters() == 134_515_008
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.config.max_position_embeddings == tokenizer.model_max_length == 8192
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert (tokenizer.unk_token, tokenizer.pad_token) == ("<|endoftext|>", "<|im_end|>")
    chat = [{"role": "user", "content": "Hi"}]
    written = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert written.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["chat_template"]


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back_from_its_tokens(text: str) -> None:
    """Of the usual characters: a byte that the vocabulary lacks is dropped, by the Hub's tokenizer, too."""
    tokenizer = loaded()
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text
    assert all(0 <= id < 49152 for id in ids)


def test_each_digit_is_a_token_of_its_own(folder: Path) -> None:
    tokenizer = loaded()
    assert tokenizer.convert_ids_to_tokens(tokenizer("a 2026")["input_ids"]) == ["a", "Ġ", "2", "0", "2", "6"]


LOADED = []


def loaded():
    if not LOADED:
        model = catalogue()[SMOL]
        if models.find_problem(models_folder() / model.folder, model.files):
            pytest.skip(f"the model isn't prepared: run {PREPARE_COMMAND}")
        LOADED.append(tokenizer_of(models_folder() / model.folder))
    return LOADED[0]
