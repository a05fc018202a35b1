"""Right answers in every dress: each kind of answer takes what people hand in for it, and names what isn't of it."""

from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import torch

from course_utils.exercises import WrongAnswerError, answers

THREE = [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3), np.int32(3)]
THREE_POINT = [3.0, np.float32(3), np.float64(3), torch.tensor(3.0), torch.tensor(3.0, dtype=torch.bfloat16)]
NUMBERS = [*THREE, *THREE_POINT, Fraction(3), Decimal(3), torch.tensor(3.0, requires_grad=True)]
NO_NUMBERS = [
    True,
    np.True_,
    torch.tensor(True),
    "3",
    b"3",
    None,
    [3],
    (3,),
    {},
    ...,
    3j,
    torch.tensor([3.0]),
    float,
    len,
]
TRUTHS = [True, np.True_, np.array(True), torch.tensor(True), torch.tensor([True])]
NO_TRUTHS = [1, 0, 1.0, np.int64(1), "True", None, [], torch.tensor([True, True]), torch.tensor(1)]
LISTS = [
    [1, 2, 3],
    (1, 2, 3),
    range(1, 4),
    np.array([1, 2, 3]),
    torch.tensor([1, 2, 3]),
    torch.Size([1, 2, 3]),
    pd.Series([1, 2, 3]),
    pd.Index([1, 2, 3]),
    [np.int64(1), torch.tensor(2), 3.0],
    np.array([1.0, 2.0, 3.0]),
    {"a": 1, "b": 2, "c": 3}.values(),
    {1: "a", 2: "b", 3: "c"}.keys(),
]
NO_LISTS = ["123", b"123", {1, 2, 3}, {1: 2}, 3, None, ..., [[1, 2, 3]], [1, "2", 3], [1, None, 3], [1, True, 3], len]


def plain(value: object) -> str:
    return f"{type(value).__name__} {value!r:.30}"


@pytest.mark.parametrize("answer", NUMBERS, ids=plain)
def test_a_number_in_every_dress(answer):
    assert answers.number(answer, "it") == answers.whole(answer, "it") == 3
    assert type(answers.number(answer, "it")) is float
    assert type(answers.whole(answer, "it")) is int


@pytest.mark.parametrize("answer", NO_NUMBERS, ids=plain)
def test_what_is_no_number_is_named(answer):
    for kind in (answers.number, answers.whole):
        with pytest.raises(WrongAnswerError, match=r"^it should be a number, such as .+\. It is .+[.?]$"):
            kind(answer, "it")


@pytest.mark.parametrize("answer", [3.5, np.float32(3.5), torch.tensor(3.5), Fraction(7, 2), float("inf")], ids=plain)
def test_a_number_that_isnt_whole_is_named(answer):
    with pytest.raises(WrongAnswerError, match=r"^it should be a whole number, such as 4\. It is (3\.5|inf)\.$"):
        answers.whole(answer, "it")


def test_nan_is_no_number_and_a_huge_one_is_without_end():
    for nan in (float("nan"), np.float32("nan"), torch.tensor(float("nan"))):
        with pytest.raises(WrongAnswerError, match="NaN"):
            answers.number(nan, "it")
    assert answers.number(10**400, "it") == float("inf")
    assert answers.whole(10**400, "it") == 10**400


@pytest.mark.parametrize("answer", TRUTHS, ids=plain)
def test_a_truth_in_every_dress(answer):
    assert answers.truth(answer, "it") is True


@pytest.mark.parametrize("answer", NO_TRUTHS, ids=plain)
def test_what_is_no_truth_is_named(answer):
    with pytest.raises(WrongAnswerError, match=r"^it should be True or False\. It is .+[.?]$"):
        answers.truth(answer, "it")


@pytest.mark.parametrize("answer", LISTS, ids=plain)
def test_a_list_in_every_dress(answer):
    assert answers.numbers(answer, "it") == answers.wholes(answer, "it") == [1, 2, 3]
    assert answers.shape(answer, "it") == (1, 2, 3)


def test_a_generator_gives_its_entries_and_one_without_end_is_refused():
    assert answers.wholes((n for n in (1, 2)), "it") == [1, 2]
    assert answers.texts(map(str, (1, 2)), "it") == ["1", "2"]
    with pytest.raises(WrongAnswerError, match="does it come to an end"):
        answers.entries(iter(int, 1), "it")


@pytest.mark.parametrize("answer", NO_LISTS, ids=plain)
def test_what_is_no_list_of_numbers_is_named(answer):
    for kind in (answers.numbers, answers.wholes, answers.shape):
        with pytest.raises(WrongAnswerError, match=r"it should be .+, such as .+\. It is .+[.?]$"):
            kind(answer, "it")


def test_a_place_is_a_whole_number_without_a_point():
    for answer in ([0, 2], (np.int64(0), torch.tensor(2)), torch.tensor([0, 2]), np.argsort([3, 9, 4])[:2]):
        assert answers.places(answer, "it") == [0, 2]
    for answer in ([0, 2.0], np.array([0.0, 2.0]), [0, torch.tensor(2.0)]):
        with pytest.raises(
            WrongAnswerError, match=r"^Entry \d of it should be a whole number\. It is .*: not an int\.$"
        ):
            answers.places(answer, "it")
    for answer in ([0, True], "02", None, {0, 2}):
        with pytest.raises(WrongAnswerError, match=r"it should be"):
            answers.places(answer, "it")


@pytest.mark.parametrize(
    "answer", [{"a": 1}, Counter("a"), defaultdict(int, a=1), MappingProxyType({"a": 1})], ids=plain
)
def test_a_dictionary_in_every_dress(answer):
    assert answers.mapping(answer, "it") == {"a": 1}


@pytest.mark.parametrize("answer", [None, [("a", 1)], "a", 3, dict], ids=plain)
def test_what_is_no_dictionary_is_named(answer):
    with pytest.raises(WrongAnswerError, match=r"^it should be a dictionary, such as .+\. It is .+[.?]$"):
        answers.mapping(answer, "it")


def test_a_tensor_is_told_apart_from_its_shape():
    for tensor in (torch.ones(5, 2), np.ones((5, 2)), torch.tensor(3.0)):
        with pytest.raises(WrongAnswerError, match="Is it the tensor, and not its shape"):
            answers.shape(tensor, "it")


@pytest.mark.parametrize("answer", ["a", np.str_("a"), np.array("a")], ids=plain)
def test_a_text_in_every_dress(answer):
    assert answers.text(answer, "it") == "a"
    assert type(answers.text(answer, "it")) is str


@pytest.mark.parametrize("answer", [1, None, ["a"], b"a", ..., str], ids=plain)
def test_what_is_no_text_is_named(answer):
    with pytest.raises(WrongAnswerError, match=r"^it should be a text, such as 'abc'\. It is .+[.?]$"):
        answers.text(answer, "it")


def test_a_sentence_has_two_words_or_an_end_and_any_language():
    for sentence in ("Look twice", "Stop!", '"Stop."', "小心路径。", "小心", "Перевір шляхи", "Ça va", "Don't stop"):
        assert answers.is_sentence(sentence), sentence
    for other in ("", " \n", "path", "...", "!", "1 2 3.", "- -", "好"):
        assert not answers.is_sentence(other), other


def test_what_came_is_said_in_words():
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    assert answers.said(torch.ones(2, 3)) == "a Tensor of shape (2, 3)"
    assert answers.said(np.ones(2)) == "a ndarray of shape (2,)"
    assert answers.said("abc") == "the text 'abc'"
    assert answers.said({1}) == "a set of 1: {1}"
    assert answers.said(len) == "the function len. Is it called, with brackets?"
    assert answers.said(Odd()) == "an Odd, which can't be shown"
    assert answers.said(torch.ones(2, device="meta")) == "a Tensor of shape (2,)"
