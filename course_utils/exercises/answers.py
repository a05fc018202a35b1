"""The kinds of answers, and the dresses in which people hand them in.

A number may come as Python's, NumPy's or torch's, a list as a tuple, an array, a tensor, a Series or a generator. Each
function here takes what is of its kind, in any dress, and gives it as plain Python; what isn't is refused with a
sentence that names the kind that is wanted, and what came.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Set
from decimal import Decimal
from fractions import Fraction
from typing import Any

from course_utils.exercises import WrongAnswerError

MOST = 100_000
"""Entries of a list that are read: an answer that never ends is refused, and not waited for."""


def number(answer: object, what: str, example: object = 1.5) -> float:
    """Return a number that isn't NaN. True and False are none, and a text isn't, whatever is in it.

    Args:
        answer: what the learner handed in.
        what: what it is called in the sentence, such as `megabytes(8, 8)`.
        example: a number that isn't the right one.

    Raises:
        WrongAnswerError: it is of another kind.
    """
    plain = _plain(answer)
    if isinstance(plain, bool) or not isinstance(plain, int | float | Fraction | Decimal):
        raise _refused(what, f"a number, such as {example}", answer)
    try:
        found = float(plain)
    except OverflowError:
        found = math.inf if plain > 0 else -math.inf
    if math.isnan(found):
        raise WrongAnswerError(f"{what} should be a number. It is NaN: not a number. Is there a division 0 / 0?")
    return found


def whole(answer: object, what: str, example: object = 4) -> int:
    """Return a whole number; 3.0 is one, and 3.5 isn't.

    Raises:
        WrongAnswerError: it is of another kind.
    """
    plain = _plain(answer)
    if isinstance(plain, int) and not isinstance(plain, bool):
        return plain
    found = number(answer, what, example)
    if not found.is_integer():
        raise WrongAnswerError(f"{what} should be a whole number, such as {example}. It is {found!r}.")
    return int(found)


def places(answer: object, what: str, kind: str = "a list of whole numbers, such as [1, 4]") -> list[int]:
    """Return a list of whole numbers that can stand between the brackets of a list: there 3.0 is none.

    Raises:
        WrongAnswerError: it is of another kind, or an entry is.
    """
    found = entries(answer, what, kind)
    for place, entry in enumerate(found):
        if isinstance(_plain(entry), float):
            raise WrongAnswerError(
                f"Entry {place} of {what} should be a whole number. It is {entry!r:.40}: not an int."
            )
    return wholes(found, what, kind)


def truth(answer: object, what: str) -> bool:
    """Return True or False, from Python, NumPy or torch; 0 and 1 are numbers.

    Raises:
        WrongAnswerError: it is of another kind.
    """
    plain = _plain(answer)
    while isinstance(plain, list) and len(plain) == 1:  # a tensor with one entry is as good as the entry
        plain = plain[0]
    if not isinstance(plain, bool):
        raise _refused(what, "True or False", answer)
    return plain


def text(answer: object, what: str, example: str = "such as 'abc'") -> str:
    """Return a text.

    Raises:
        WrongAnswerError: it is of another kind.
    """
    plain = _plain(answer)
    if not isinstance(plain, str):
        raise _refused(what, f"a text, {example}", answer)
    return str(plain)


def is_sentence(words: str) -> bool:
    """Tell whether a text can be a sentence: it has two words, or one and a full stop; Chinese needs no space."""
    letters = [letter for letter in words if letter.isalpha()]
    without_case = [letter for letter in letters if letter.lower() == letter.upper()]
    several = sum(any(map(str.isalpha, word)) for word in words.split()) >= 2 or len(without_case) >= 2
    return several or (bool(letters) and words.rstrip("\"' \n").endswith((".", "!", "?", "…")))


def entries(answer: object, what: str, kind: str = "a list") -> list[Any]:
    """Return the entries of anything that has them in an order: list, tuple, array, tensor, Series, generator.

    Raises:
        WrongAnswerError: it has none, or they have no order (a set, a dict), or there is no end of them.
    """
    plain = _plain(answer)
    without_order = isinstance(plain, (Mapping, Set)) and not isinstance(plain, (KeysView, ItemsView))
    if without_order or isinstance(plain, (str, bytes)) or not isinstance(plain, Iterable):
        raise _refused(what, kind, answer)
    found = list(itertools.islice(plain, MOST + 1))
    if len(found) > MOST:
        raise WrongAnswerError(f"{what} should be {kind}. It has more than {MOST:,} entries: does it come to an end?")
    return found


def numbers(answer: object, what: str, kind: str = "a list of numbers, such as [1.5, 2]") -> list[float]:
    """Return a list of numbers.

    Raises:
        WrongAnswerError: it is of another kind, or an entry is.
    """
    return [number(entry, f"entry {place} of {what}") for place, entry in enumerate(entries(answer, what, kind))]


def wholes(answer: object, what: str, kind: str = "a list of whole numbers, such as [1, 4]") -> list[int]:
    """Return a list of whole numbers.

    Raises:
        WrongAnswerError: it is of another kind, or an entry is.
    """
    return [whole(entry, f"entry {place} of {what}") for place, entry in enumerate(entries(answer, what, kind))]


def texts(answer: object, what: str, kind: str = "a list of texts, such as ['a', 'b']") -> list[str]:
    """Return a list of texts.

    Raises:
        WrongAnswerError: it is of another kind, or an entry is.
    """
    return [text(entry, f"entry {place} of {what}") for place, entry in enumerate(entries(answer, what, kind))]


def mapping(answer: object, what: str, kind: str = "a dictionary, such as {'a': 1}") -> dict[Any, Any]:
    """Return a dictionary; a Counter and a defaultdict are such.

    Raises:
        WrongAnswerError: it is of another kind.
    """
    if not isinstance(answer, Mapping):
        raise _refused(what, kind, answer)
    return dict(answer)


def shape(answer: object, what: str, example: tuple[int, ...] = (3, 4)) -> tuple[int, ...]:
    """Return the shape of a tensor, as a tuple, a list, torch.Size or an array of whole numbers has it.

    Raises:
        WrongAnswerError: it is of another kind. A tensor of other values is told apart from its shape.
    """
    kind = f"a shape, such as {example}"
    size = getattr(answer, "shape", None)
    if size is not None and len(size) != 1:
        raise WrongAnswerError(f"{what} should be {kind}. It is {said(answer)}. Is it the tensor, and not its shape?")
    return tuple(wholes(answer, what, kind))


def _plain(answer: object) -> object:
    """Return what NumPy, torch and pandas hold as Python holds it."""
    as_list = getattr(answer, "tolist", None)
    if isinstance(answer, type) or not callable(as_list):
        return answer
    try:
        return as_list()
    except Exception:  # a tensor without values, on the device `meta`
        return answer


def said(answer: object) -> str:
    """Return what a value is, in words, for the end of a sentence: `a tensor of shape (2, 3)`, `the text 'abc'`."""
    if answer is None:
        return "None. Is there a return in the function?"
    if isinstance(answer, str):
        return f"the text {answer!r:.60}"
    if isinstance(answer, bool | int | float | complex):
        return repr(answer)
    name = type(answer).__name__
    size = getattr(answer, "shape", None)
    if isinstance(size, tuple) and size and callable(getattr(answer, "tolist", None)):
        return f"{_article(name)} of shape {tuple(size)}"
    if isinstance(answer, type):
        return f"the class {answer.__name__}"
    if isinstance(answer, Iterator):
        return f"{_article(name)}, which gives its entries one by one"
    if callable(answer):
        return f"the function {getattr(answer, '__name__', name)}. Is it called, with brackets?"
    if isinstance(answer, (Mapping, Set, list, tuple, bytes)):
        return f"{_article(name)} of {len(answer)}: {_short(answer)}"
    return f"{_article(name)}, {_short(answer)}"


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _short(answer: object) -> str:
    try:
        return f"{answer!r:.60}"
    except Exception:
        return "which can't be shown"


def _refused(what: str, kind: str, answer: object) -> WrongAnswerError:
    end = said(answer)
    return WrongAnswerError(f"{what} should be {kind}. It is {end}{'' if end.endswith('?') else '.'}")
