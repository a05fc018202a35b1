"""Batches of texts of similar length, and the share of the model's work that is padding.

A batch is a rectangle: as many rows as texts, as many columns as its longest text has tokens. What a shorter text
leaves empty is filled with padding, and the model computes that, too. Lengths here are in tokens, the special ones
included; a batch is a list of places in the list of lengths.
"""

from __future__ import annotations

from collections.abc import Sequence


def batch_by_length(lengths: Sequence[int], max_tokens: int = 1024) -> list[list[int]]:
    """Put n texts into batches in the order of their lengths, each within a budget of computed positions.

    Texts of about the same length get together, so there is little to pad; short texts share large batches and long
    texts small ones, so every batch takes about the same time and memory. A text that is longer than the budget gets a
    batch of its own.

    Args:
        lengths: how many tokens each of the n texts has, all above 0.
        max_tokens: the most positions of a batch: its number of texts times its longest length.

    Returns:
        The batches: lists of indices into `lengths`, the shortest texts first. Each index is in one of them. Texts of
        the same length keep their order.

    Raises:
        ValueError: a length or `max_tokens` is not a whole number above 0.
    """
    lengths = _checked(lengths)
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
        raise ValueError(f"max_tokens is a whole number from 1 up, not {max_tokens!r}")
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= max_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def padding_share(batches: Sequence[Sequence[int]], lengths: Sequence[int]) -> float:
    """Return which share of the positions that a model computes is padding, from 0 to nearly 1.

    Args:
        batches: lists of indices into `lengths`, none of them empty.
        lengths: how many tokens each text has.

    Raises:
        ValueError: there is no batch, one is empty, or a length is not a whole number above 0.
    """
    lengths = _checked(lengths)
    if not batches or not all(len(batch) for batch in batches):
        raise ValueError("padding_share needs at least one batch, and each needs at least one text")
    rows = [[lengths[index] for index in batch] for batch in batches]
    computed = sum(len(row) * max(row) for row in rows)
    return 1 - sum(map(sum, rows)) / computed


def _checked(lengths: Sequence[int]) -> list[int]:
    """Return the lengths as Python's own whole numbers (NumPy's and torch's are fine, too)."""
    found = lengths.tolist() if hasattr(lengths, "tolist") else list(lengths)
    for length in found:
        if not hasattr(length, "__index__") or isinstance(length, bool) or length < 1:
            raise ValueError(f"a text's length is a whole number of tokens from 1 up, not {length!r:.40}")
    return [int(length) for length in found]
