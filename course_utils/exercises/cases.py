"""A learner's function on the cases of its check: right in each, or a mistake that is known, or else a difference.

A check lists its cases, says what is right and how an answer is read, and names the mistakes that people make. A
mistake is recognized by what it gives: who gives the same in every case gets its hint. All others are shown the first
case that differs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, TypeVarTuple

from course_utils.exercises import WrongAnswerError, need_function

Arguments = TypeVarTuple("Arguments")
Right = TypeVar("Right")
Found = TypeVar("Found")


def equal(one: object, other: object) -> bool:
    """Compare two answers."""
    return bool(one == other)


def run_cases(
    function: Callable[..., object],
    name: str,
    cases: Sequence[tuple[*Arguments]],
    right: Callable[[*Arguments], Right],
    *,
    read: Callable[[Any, str], Found],
    mistakes: Iterable[tuple[str, Callable[[*Arguments], Right]]] = (),
    signs: Iterable[tuple[str, Callable[[Found, Right], bool]]] = (),
    same: Callable[[Found, Right], bool] = equal,
    write: Callable[[Found | Right], str] = lambda found: shown(found, 160),
    write_call: Callable[[*Arguments], str] | None = None,
) -> None:
    """Hold a function to the right one, case by case.

    Each call gets copies, and what is right is computed before it. (The check's own functions get the cases themselves,
    and leave them as they are.) The first case is asked again at the end: a function that remembers its earlier calls
    gives another answer then.

    Args:
        function: the learner's.
        name: what the task calls it.
        cases: the arguments of each call; the ones that are the easiest to read come first.
        right: what is right, from the same arguments.
        read: makes of an answer what can be compared, or refuses its kind; it gets the call as text, to name it.
        mistakes: (hint, function): what the mistake gives, from the same arguments. It may raise.
        signs: (hint, function): whether an answer shows the mistake, from the answer and what is right.
        same: whether two of what `read` gives are the same.
        write: writes one of them.
        write_call: writes a call, from the arguments, where the arguments themselves are too long to read.

    Raises:
        WrongAnswerError: with the hint of the mistake that was made, or with the first case that differs.
    """
    need_function(function, name)
    asked: list[tuple[tuple[*Arguments], Right, str]] = []
    answers: list[Found] = []
    failure: WrongAnswerError | None = None
    for arguments in [*cases, *cases[:1]]:
        expected, given = right(*arguments), copy.deepcopy(arguments)
        call = write_call(*arguments) if write_call else f"{name}({', '.join(map(shown, arguments))})"
        try:
            found = read(function(*given), call)
        except WrongAnswerError as error:
            failure = error
            break
        for before, after in zip(arguments, given, strict=True):
            if not _unchanged(before, after):
                kind = {"dict": "dictionary"}.get(name_of := type(after).__name__.lower(), name_of)
                raise WrongAnswerError(f"Your function changed the {kind} that it was given. Build a new one.")
        asked.append((arguments, expected, call))
        answers.append(found)
    wrong = [not same(found, expected) for found, (_, expected, _) in zip(answers, asked, strict=True)]
    if any(wrong):
        for hint, sign in signs:
            if all(sign(found, expected) for found, (_, expected, _) in zip(answers, asked, strict=True)):
                raise WrongAnswerError(hint)
        for hint, mistake in mistakes:
            if all(_gives(mistake, a, found, same) for found, (a, _, _) in zip(answers, asked, strict=True)):
                raise WrongAnswerError(hint)
        place = wrong.index(True)
        _, expected, call = asked[place]
        if place == len(cases):
            raise WrongAnswerError(f"{call} gave something else the second time. Does it remember its earlier calls?")
        raise WrongAnswerError(f"{call} should give {write(expected)}. Yours gave {write(answers[place])}.")
    if failure:
        raise failure


def shown(value: object, length: int = 110) -> str:
    """Return a value as code, cut where it is long; of a large tensor, the shape."""
    if size := getattr(value, "shape", ()):
        numbers = getattr(value, "tolist", list)()
        if len(size) > 1 or len(numbers) > 8:
            return f"<{type(value).__name__.lower()} of shape {tuple(size)}>"
        value = [float(f"{number:.4g}") for number in numbers]
    code = repr(value)
    return code if len(code) <= length else f"{code[: length - 4]} ..."


def _gives(mistake: Callable[..., Any], arguments: tuple[Any, ...], found: object, same: Callable[..., bool]) -> bool:
    try:
        return same(found, mistake(*arguments))
    except Exception:  # where the mistake can't be made, the answer, which gave something, is another
        return False


def _unchanged(before: object, after: object) -> bool:
    if getattr(before, "shape", None) != getattr(after, "shape", None):
        return False
    same = before == after
    whole = getattr(same, "all", None)  # a tensor compares its numbers one by one
    return bool(whole() if whole else same)
