"""Batches: every text is in one, none is over its budget, and what is padding is counted."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import batch_by_length, padding_share

LENGTHS = st.lists(st.integers(1, 600), max_size=80)


@given(LENGTHS, st.integers(1, 2000))
def test_every_text_is_in_one_batch_and_no_batch_is_over_its_budget(lengths, max_tokens):
    batches = batch_by_length(lengths, max_tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    in_order = [lengths[index] for batch in batches for index in batch]
    assert in_order == sorted(lengths)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= max_tokens
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > max_tokens, "one more would have fitted"


@given(LENGTHS.filter(bool), st.integers(1, 2000))
def test_padding_is_what_a_rectangle_has_and_the_texts_have_not(lengths, max_tokens):
    batches = batch_by_length(lengths, max_tokens)
    masks = []
    for batch in batches:
        mask = np.zeros((len(batch), max(lengths[index] for index in batch)))
        for row, index in enumerate(batch):
            mask[row, : lengths[index]] = 1
        masks.append(mask)
    empty = sum((mask == 0).sum() for mask in masks) / sum(mask.size for mask in masks)
    assert padding_share(batches, lengths) == pytest.approx(empty)


def test_known_cases():
    assert batch_by_length([3, 30, 3], max_tokens=12) == [[0, 2], [1]]
    assert batch_by_length([]) == []
    assert padding_share([[0, 1, 2]], [3, 3, 30]) == pytest.approx(0.6)
    assert padding_share([[0], [1]], [3, 30]) == 0


def test_lengths_may_come_from_numpy_or_torch():
    import torch

    for lengths in (np.array([5, 2, 9]), torch.tensor([5, 2, 9]), (5, 2, 9)):
        assert batch_by_length(lengths, 10) == [[1, 0], [2]]
        assert padding_share([[0, 1]], lengths) == pytest.approx(0.3)


@pytest.mark.parametrize("lengths", [[0], [-1], [1.5], ["3"], [None], [True]])
def test_what_is_no_length_is_named(lengths):
    with pytest.raises(ValueError, match="whole number of tokens"):
        batch_by_length(lengths)


@pytest.mark.parametrize("max_tokens", [0, -3, 2.5, "9", None, True])
def test_what_is_no_budget_is_named(max_tokens):
    with pytest.raises(ValueError, match="max_tokens is"):
        batch_by_length([3], max_tokens)


@pytest.mark.parametrize("batches", [[], [[0], []]])
def test_a_batch_without_texts_is_named(batches):
    with pytest.raises(ValueError, match="at least one"):
        padding_share(batches, [3])
