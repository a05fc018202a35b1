"""Evaluation of a classifier: its logits on many texts, and what lesson 6 reads from them.

Labels here are the places of the logits: whole numbers from 0 up. `predicted` and `expected` are sequences of n labels.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from course_utils.text.padding import batch_by_length

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase

    Labels = Sequence[int] | np.ndarray


def predict_logits(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, max_tokens: int = 2048
) -> np.ndarray:
    """Return a model's logits for n texts, of shape (n, number of labels), in the texts' order.

    Texts of about the same length share a batch, so that there is little padding. What a text has beyond the
    `model_max_length` of the tokenizer is cut off. The model is in evaluation mode afterwards.

    Args:
        model: a sequence classifier.
        tokenizer: its tokenizer.
        texts: any number of texts, at least one.
        max_tokens: the most positions of a batch, its padding included.

    Raises:
        TypeError: `texts` is one text, or holds something else than texts.
        ValueError: there is no text.
    """
    import numpy as np
    import torch

    if isinstance(texts, str | bytes) or not all(isinstance(text, str) for text in texts):
        raise TypeError("predict_logits takes a list of texts, each a str; put a single one into a list")
    if not len(texts):
        raise ValueError("there is no text to classify")
    ids = tokenizer(list(texts), truncation=True)["input_ids"]
    rows: dict[int, np.ndarray] = {}
    model.eval()
    with torch.inference_mode():
        for batch in batch_by_length([len(tokens) for tokens in ids], max_tokens):
            inputs = tokenizer.pad({"input_ids": [ids[index] for index in batch]}, return_tensors="pt")
            logits = model(**inputs.to(next(model.parameters()).device)).logits.float().cpu().numpy()
            for index, row in zip(batch, logits, strict=True):
                rows[index] = row
    return np.stack([rows[index] for index in range(len(ids))])


def accuracy(predicted: Labels, expected: Labels) -> float:
    """Return the share of predictions that are right, from 0 to 1.

    Raises:
        ValueError: there are none, or the numbers of the two differ.
    """
    _check(predicted, expected)
    return sum(int(one == other) for one, other in zip(predicted, expected, strict=True)) / len(expected)


def standard_error(accuracy: float, size: int) -> float:
    """Return how far an accuracy measured on `size` texts is from the true one, typically: that of a binomial share.

    Raises:
        ValueError: the accuracy is not between 0 and 1, or the size not above 0.
    """
    if not 0 <= accuracy <= 1 or size < 1:
        raise ValueError(f"an accuracy is from 0 to 1, of at least one text; these are {accuracy!r} and {size!r}")
    return math.sqrt(accuracy * (1 - accuracy) / size)


def accuracy_by(groups: Sequence[Hashable], predicted: Labels, expected: Labels) -> dict[Hashable, tuple[float, int]]:
    """Return the accuracy and the size of each group, in the order in which the groups first appear.

    Args:
        groups: the group of each of the n texts, such as its source.
        predicted: the labels that the model gave.
        expected: the labels that people gave.

    Raises:
        ValueError: there are none, or their numbers differ.
    """
    _check(predicted, expected, groups)
    right: dict[Hashable, list[bool]] = {}
    for group, one, other in zip(groups, predicted, expected, strict=True):
        right.setdefault(group, []).append(bool(one == other))
    return {group: (sum(hits) / len(hits), len(hits)) for group, hits in right.items()}


def confusion_matrix(predicted: Labels, expected: Labels, size: int) -> np.ndarray:
    """Count how often each label was taken for which: shape (size, size), a row for what people said.

    Raises:
        ValueError: there are none, their numbers differ, or a label is not from 0 to `size - 1`.
    """
    import numpy as np

    _check(predicted, expected)
    if not all(0 <= label < size for label in (*predicted, *expected)):
        raise ValueError(f"with {size} labels, each is from 0 to {size - 1}")
    matrix = np.zeros((size, size), dtype=int)
    np.add.at(matrix, (np.asarray(expected, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return matrix


class Bin(NamedTuple):
    """The texts whose score lies in one range: how many, their mean score, and the share that is right."""

    size: int
    score: float
    accuracy: float


def calibration(
    scores: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray, bins: int = 10, lowest: float = 0.0
) -> list[Bin]:
    """Put n answers into ranges of their score, equally wide from `lowest` to 1; empty ranges are left out.

    In a calibrated model the accuracy of each range is its mean score (after C. Guo and others, "On Calibration of
    Modern Neural Networks", ICML 2017).

    Raises:
        ValueError: there are none, the numbers of the two differ, or a score is not from `lowest` to 1.
    """
    _check(scores, right)
    if bins < 1 or not 0 <= lowest < 1 or not all(lowest <= score <= 1 for score in scores):
        raise ValueError(f"calibration needs at least one range, and scores from {lowest} to 1")
    groups: dict[int, list[tuple[float, bool]]] = {}
    for score, hit in zip(scores, right, strict=True):
        place = min(bins - 1, int((score - lowest) / (1 - lowest) * bins))
        groups.setdefault(place, []).append((float(score), bool(hit)))
    return [
        Bin(len(group), sum(score for score, _ in group) / len(group), sum(hit for _, hit in group) / len(group))
        for _, group in sorted(groups.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: how far accuracy and score are apart, averaged over all answers."""
    return sum(b.size * abs(b.accuracy - b.score) for b in bins) / sum(b.size for b in bins)


def _check(*columns: Sequence[object] | np.ndarray) -> None:
    sizes = {len(column) for column in columns}
    if len(sizes) > 1 or 0 in sizes:
        raise ValueError(f"each text needs one of each: these are {' and '.join(str(len(c)) for c in columns)}")
