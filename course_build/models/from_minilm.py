"""Make sequence classifiers out of MiniLM's pretrained weights, with numpy and safetensors alone.

all-MiniLM-L6-v2 is a `BertModel`. DistilBERT's architecture is BERT's without the token type embeddings and without
the pooler, so MiniLM's weights fit it exactly: every token of a single text has type 0, hence the embedding of type 0
is a constant that can be added to every position's embedding once and for all.

Nothing here needs torch, and nothing here depends on the machine: the only arithmetic is element-wise addition and
multiplication of float32, which IEEE 754 fixes to the last bit. So the files that these functions write have the same
sha256 everywhere, and a manifest can hold them to it.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

from course_build.models.hashed_files import write_json

WEIGHTS = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")
SOURCE_FILES = ("config.json", WEIGHTS, *TOKENIZER_FILES)
"""What the functions below read from the folder of the pretrained model."""

LAYER_NORM_EPSILON = 1e-12
"""DistilBERT's, which its configuration can't change."""

HEAD = re.compile(r"(pre_classifier|classifier)\.(weight|bias)")
"""The tensors on top of the encoder, which only fine-tuning gives a meaning."""

DISTILBERT_NAMES = {
    "embeddings.LayerNorm": "embeddings.LayerNorm",
    "embeddings.word_embeddings": "embeddings.word_embeddings",
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
"""BERT's name of a module, and DistilBERT's for the same one. Inside a layer the name follows the layer's number."""


def write_distilbert(source: Path, target: Path, labels: list[str], seed: int = 0) -> None:
    """Write a `DistilBertForSequenceClassification` whose encoder is the `BertModel` in `source`.

    Its hidden states equal the `BertModel`'s for any single text. Its head is untrained: weights drawn from a normal
    distribution of standard deviation 0.02 by `seed`, biases zero. Without labels there is no head, and what is written
    is the encoder alone, a `DistilBertModel`.

    Args:
        source: folder with the `SOURCE_FILES` of a `BertModel`.
        target: folder to write config.json, model.safetensors and the tokenizer's files into; made if need be.
        labels: the names of the classes, in the order of the logits; none leaves out the head.
        seed: what the head's weights are drawn with.

    Raises:
        ValueError: when `source` isn't a BERT that DistilBERT's architecture can hold.
    """
    bert = _read_bert_config(source)
    if bert["layer_norm_eps"] != LAYER_NORM_EPSILON:
        raise ValueError(f"DistilBERT normalises with epsilon {LAYER_NORM_EPSILON}, not {bert['layer_norm_eps']}")
    width = bert["hidden_size"]
    tensors = load_file(source / WEIGHTS)
    token_type = tensors["embeddings.token_type_embeddings.weight"][0]
    encoder = {
        "embeddings.position_embeddings.weight": tensors["embeddings.position_embeddings.weight"] + token_type,
        **{_distilbert_name(name): tensors[name] for name in tensors if _is_shared(name)},
    }
    head = {
        **_new_linear("pre_classifier", width, width, seed),
        **_new_linear("classifier", len(labels), width, seed + 1),
    }
    config = {
        "architectures": ["DistilBertForSequenceClassification" if labels else "DistilBertModel"],
        "model_type": "distilbert",
        "activation": bert["hidden_act"],
        "attention_dropout": bert["attention_probs_dropout_prob"],
        "dim": width,
        "dropout": bert["hidden_dropout_prob"],
        "hidden_dim": bert["intermediate_size"],
        "initializer_range": bert["initializer_range"],
        "max_position_embeddings": bert["max_position_embeddings"],
        "n_heads": bert["num_attention_heads"],
        "n_layers": bert["num_hidden_layers"],
        "pad_token_id": bert["pad_token_id"],
        "seq_classif_dropout": 0.2,
        "sinusoidal_pos_embds": False,
        "vocab_size": bert["vocab_size"],
        **(_label_config(labels) if labels else {}),
    }
    weights = {**{f"distilbert.{name}": encoder[name] for name in encoder}, **head} if labels else encoder
    _write_checkpoint(target, config, weights)
    _write_tokenizer(source, target, "DistilBertTokenizer", bert["max_position_embeddings"])


def write_bert(source: Path, target: Path, labels: list[str], seed: int = 0) -> None:
    """Write a `BertForSequenceClassification` whose encoder and pooler are those of the `BertModel` in `source`.

    Arguments and errors are those of `write_distilbert`; the classifier on top is untrained in the same way.
    """
    bert = _read_bert_config(source)
    tensors = load_file(source / WEIGHTS)
    weights = {
        **{f"bert.{name}": tensors[name] for name in tensors if name != "embeddings.position_ids"},
        **_new_linear("classifier", len(labels), bert["hidden_size"], seed),
    }
    dropped = ("_name_or_path", "transformers_version", "position_embedding_type")
    config = {
        **{key: value for key, value in bert.items() if key not in dropped},
        "architectures": ["BertForSequenceClassification"],
        **_label_config(labels),
    }
    _write_checkpoint(target, config, weights)
    _write_tokenizer(source, target, "BertTokenizer", bert["max_position_embeddings"])


def merge_adapter(folder: Path, adapter: Path) -> None:
    """Merge a LoRA adapter into the checkpoint in `folder`, in place.

    Every adapted weight W becomes W + alpha/r * B A, in float32; the head is replaced by the adapter's own
    (peft's `modules_to_save`). B A is summed one rank at a time, in order, and not by a matrix product: BLAS
    libraries sum in orders of their own, and the last bit of the result would depend on the processor.

    Args:
        folder: what `write_distilbert` or `write_bert` wrote.
        adapter: folder with adapter_config.json and adapter_model.safetensors, as peft saves them.

    Raises:
        ValueError: when the adapter isn't plain LoRA, or doesn't fit this checkpoint, or brings no trained head.
    """
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    unsupported = ("use_dora", "use_rslora", "fan_in_fan_out", "rank_pattern", "alpha_pattern")
    for option in unsupported:
        if config.get(option):
            raise ValueError(f"{adapter.name}: only plain LoRA can be merged, and this adapter sets {option}")
    weights = load_file(folder / WEIGHTS)
    prefix = "base_model.model."
    saved = load_file(adapter / "adapter_model.safetensors")
    tensors = {name.removeprefix(prefix): tensor.astype(np.float32) for name, tensor in saved.items()}
    scale = np.float32(config["lora_alpha"] / config["r"])
    adapted = set()
    for name, tensor in tensors.items():
        if name.endswith(".lora_B.weight"):
            continue
        update, key = tensor, name
        if name.endswith(".lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            key = f"{module}.weight"
            update = _low_rank_product(tensors[f"{module}.lora_B.weight"], tensor) * scale
        elif not HEAD.fullmatch(name):
            raise ValueError(f"{adapter.name}: nothing is known of the tensor {name}")
        if key not in weights or weights[key].shape != update.shape:
            raise ValueError(f"{adapter.name}: {key}, of shape {update.shape}, doesn't fit the model")
        weights[key] = update if key == name else weights[key] + update
        adapted.add(key)
    untrained = sorted(name for name in weights if HEAD.fullmatch(name) and name not in adapted)
    if untrained:
        raise ValueError(f"{adapter.name}: the adapter has no {', '.join(untrained)}, so the head would be untrained")
    _save_weights(folder, weights)


def _low_rank_product(b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return B A for B of shape (rows, r) and A of shape (r, columns), the same on every machine."""
    total = np.zeros((b.shape[0], a.shape[1]), dtype=np.float32)
    for rank in range(a.shape[0]):
        total += b[:, rank, None] * a[rank]
    return total


def _read_bert_config(source: Path) -> dict[str, Any]:
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "bert" or config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(f"{source} isn't a BERT with absolute positions")
    return config


def _is_shared(name: str) -> bool:
    """Tell whether a tensor of BERT's is in DistilBERT too, under its own name."""
    return not name.startswith(("pooler.", "embeddings.position", "embeddings.token_type"))


def _distilbert_name(name: str) -> str:
    module, _, kind = name.rpartition(".")
    layer = re.fullmatch(r"encoder\.(layer\.\d+\.)(.+)", module)
    if layer:
        return f"transformer.{layer[1]}{DISTILBERT_NAMES[layer[2]]}.{kind}"
    return f"{DISTILBERT_NAMES[module]}.{kind}"


def _new_linear(name: str, rows: int, columns: int, seed: int) -> dict[str, np.ndarray]:
    weight = np.random.default_rng(seed).normal(0, 0.02, (rows, columns))
    return {f"{name}.weight": weight.astype(np.float32), f"{name}.bias": np.zeros(rows, dtype=np.float32)}


def _label_config(labels: list[str]) -> dict[str, dict[str, str] | dict[str, int]]:
    return {
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def _write_checkpoint(target: Path, config: dict[str, object], weights: dict[str, np.ndarray]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / "config.json", config)
    _save_weights(target, weights)


def _save_weights(folder: Path, weights: dict[str, np.ndarray]) -> None:
    # transformers refuses a file that doesn't say which framework's tensor layout it holds: {"format": "pt"}.
    contiguous = {name: np.ascontiguousarray(weights[name]) for name in sorted(weights)}
    # Not by save_file, which reports a full disk as an error of its own instead of an OSError.
    (folder / WEIGHTS).write_bytes(save(contiguous, metadata={"format": "pt"}))


def _write_tokenizer(source: Path, target: Path, tokenizer_class: str, max_length: int) -> None:
    """Write MiniLM's tokenizer under another class, without its padding to 128 tokens and its truncation there."""
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    write_json(target / "tokenizer.json", {**tokenizer, "truncation": None, "padding": None}, indent=None)
    shutil.copyfile(source / "vocab.txt", target / "vocab.txt")
    config = {
        "tokenizer_class": tokenizer_class,
        "model_max_length": max_length,
        "do_lower_case": True,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    write_json(target / "tokenizer_config.json", config)
