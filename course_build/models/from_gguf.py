"""Make an ordinary checkpoint out of a Llama model's GGUF file, with gguf, numpy and safetensors alone.

A GGUF file holds everything: the facts of the config, the tokenizer, the chat template and the weights, most of them
quantized. Here the weights are decoded and written in bf16, under the names and in the order that transformers expects.
transformers can read a GGUF file, too, but takes long over it each time, and how it does that depends on its version.

Nothing here needs torch, and nothing depends on the machine: a weight is one multiplication and at most one addition of
float32, which IEEE 754 fixes to the last bit, and then rounded to the nearest bf16. So the files have the same sha256
everywhere, and a manifest can hold them to it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, TokenType, dequantize
from ml_dtypes import bfloat16
from safetensors.numpy import save

from course_build.models.hashed_files import write_json

Facts = dict[str, Any]
"""What a GGUF file says of its model, by GGUF's names: numbers, texts and lists of both."""

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""GGUF's name of a module, and transformers' for the same one. Inside a layer the name follows the layer's number."""

SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
"""transformers' names of the special tokens, and GGUF's."""

PRE_TOKENIZER = "smollm"
"""The only way of cutting texts before BPE that is written here: each digit alone, then GPT-2's rule."""


def write_llama(source: Path, target: Path) -> None:
    """Write the `LlamaForCausalLM` of the one GGUF file in `source`, in bf16, with its tokenizer and chat template.

    Args:
        source: folder with one GGUF file of the architecture `llama` and a byte-level BPE of the kind `PRE_TOKENIZER`.
        target: folder to write config.json, generation_config.json, model.safetensors and the tokenizer's files into;
            made if need be.

    Raises:
        ValueError: when `source` hasn't one such file, or the file has a tensor that nothing is known of.
    """
    files = list(source.glob("*.gguf"))
    if len(files) != 1:
        raise ValueError(f"{source} has {len(files)} GGUF files, and should have one")
    reader = GGUFReader(files[0])
    facts = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    if facts["general.architecture"] != "llama":
        raise ValueError(
            f"{files[0].name} holds a model of the architecture {facts['general.architecture']}, not llama"
        )
    kind = (facts["tokenizer.ggml.model"], facts["tokenizer.ggml.pre"])
    if kind != ("gpt2", PRE_TOKENIZER):
        raise ValueError(f"{files[0].name} has a tokenizer of the kind {'/'.join(kind)}, which can't be written")
    target.mkdir(parents=True, exist_ok=True)
    tensors = _read_tensors(reader, facts)
    (target / "model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    special = {f"{name}_token_id": _special_id(facts, name) for name in ("bos", "eos", "pad")}
    write_json(target / "config.json", {**_config(facts, tied="lm_head.weight" not in tensors), **special})
    write_json(target / "generation_config.json", special)
    _write_tokenizer(facts, target)


def _read_tensors(reader: GGUFReader, facts: Facts) -> dict[str, np.ndarray]:
    """Return all tensors in bf16, rounded to the nearest, under transformers' names."""
    heads = {"attn_q": facts["llama.attention.head_count"], "attn_k": facts["llama.attention.head_count_kv"]}
    tensors = {}
    for tensor in reader.tensors:
        *block, module, kind = tensor.name.split(".")
        if module not in NAMES or kind != "weight" or block[:1] not in ([], ["blk"]):
            raise ValueError(f"nothing is known of the tensor {tensor.name}")
        # gguf asks for the raw blocks of a quantized tensor, and hands a float32 one back as it is.
        weights = dequantize(tensor.data, GGMLQuantizationType(tensor.tensor_type)).astype(np.float32)
        if module in heads:
            weights = _in_halves(weights, heads[module])
        layer = f"model.layers.{block[1]}." if block else ""
        tensors[f"{layer}{NAMES[module]}.weight"] = np.ascontiguousarray(weights).astype(bfloat16)
    return tensors


def _in_halves(weights: np.ndarray, heads: int) -> np.ndarray:
    """Put the rows of a query or key matrix into the order of transformers.

    Rotary positions turn pairs of numbers. GGUF has the two of a pair side by side, transformers has the first of all
    pairs in the first half of a head and the second of all in its second half.
    """
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _config(facts: Facts, tied: bool) -> dict[str, object]:
    heads, width = facts["llama.attention.head_count"], facts["llama.embedding_length"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "dtype": "bfloat16",
        "head_dim": width // heads,
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": facts["llama.feed_forward_length"],
        "max_position_embeddings": facts["llama.context_length"],
        "mlp_bias": False,
        "num_attention_heads": heads,
        "num_hidden_layers": facts["llama.block_count"],
        "num_key_value_heads": facts["llama.attention.head_count_kv"],
        # A float32 in the file: its shortest decimal form is the number that was meant.
        "rms_norm_eps": float(str(np.float32(facts["llama.attention.layer_norm_rms_epsilon"]))),
        "rope_scaling": None,
        "rope_theta": facts["llama.rope.freq_base"],
        "tie_word_embeddings": tied,
        "vocab_size": facts["llama.vocab_size"],
    }


def _write_tokenizer(facts: Facts, target: Path) -> None:
    tokens = facts["tokenizer.ggml.tokens"]
    control = [id for id, kind in enumerate(facts["tokenizer.ggml.token_type"]) if kind == TokenType.CONTROL]
    # What the two flags say is the same everywhere: a text is not given a space in front.
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": id, "content": tokens[id], **flags} for id in control],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": facts["tokenizer.ggml.merges"],
        },
    }
    write_json(target / "tokenizer.json", tokenizer, indent=None)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": facts["llama.context_length"],
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": tokens[_special_id(facts, name)] for name in SPECIAL},
        "chat_template": facts["tokenizer.chat_template"],
    }
    write_json(target / "tokenizer_config.json", config)


def _special_id(facts: Facts, name: str) -> int:
    return facts[f"tokenizer.ggml.{SPECIAL[name]}_token_id"]
