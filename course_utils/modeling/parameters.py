"""The number of a model's parameters, as a whole and part by part."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PARTS = {
    "word embeddings": r"word_embeddings|embed_tokens|wte",
    "position embeddings": r"position_embeddings|wpe",
    "token type embeddings": r"token_type_embeddings",
    "layer norms": r"norm|\bln_",
    "attention": r"attention|attn",
    "feed-forward": r"ffn|intermediate|output\.dense|mlp",
    "head": r"classifier|pooler|lm_head|score",
}
"""Which words in a parameter's name say what part it belongs to; the first pattern that is found decides."""


def count_parameters(model: torch.nn.Module, *, trainable_only: bool = True) -> int:
    """Count the numbers that a model has learned.

    Args:
        model: any torch module.
        trainable_only: leave out the frozen ones (those with `requires_grad=False`).

    Returns:
        How many there are. A parameter that two layers share counts once.

    Raises:
        TypeError: `model` is not a torch module (a pipeline, say, whose module is its attribute `model`).
    """
    if not callable(getattr(model, "parameters", None)):
        hint = " Its model is in its attribute `model`." if hasattr(model, "model") else ""
        raise TypeError(f"count_parameters takes a torch module, not a {type(model).__name__}.{hint}")
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def parameter_table(model: torch.nn.Module) -> dict[str, int]:
    """Count a transformer's parameters part by part, trainable or not.

    It knows the names that BERT, DistilBERT, RoBERTa, GPT-2, Llama and their like give to their weights. What it does
    not know goes under `other`.

    Args:
        model: any torch module.

    Returns:
        The number of parameters of each part that the model has, in the order of `PARTS`. Their sum is
        `count_parameters(model, trainable_only=False)`: weights that two layers share count once.

    Raises:
        TypeError: `model` is not a torch module.
    """
    total = count_parameters(model, trainable_only=False)
    table = dict.fromkeys([*PARTS, "other"], 0)
    for name, parameter in model.named_parameters():
        found = (part for part, words in PARTS.items() if re.search(words, name, re.IGNORECASE))
        table[next(found, "other")] += parameter.numel()
    assert sum(table.values()) == total
    return {part: count for part, count in table.items() if count}
