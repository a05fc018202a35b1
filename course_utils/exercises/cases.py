"""A learner's function on the cases of its check: right in each, or a mistake that is known, or else a difference.

A check lists its cases, says what is right and how an answer is read, and names the mistakes that people make. A
mistake is recognized by what it gives: who gives the same in every case gets its hint. All others are shown the first
case that differs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, TypeVarTuple

from course_utils.exercises import WrongAnswerError, need_function

Arguments = TypeVarTuple("Arguments")
Right = TypeVar("Right")
Found = TypeVar("Found")


def equal(one: object, other: object) -> bool:
    """Compare two answers."""
    return bool(one == other)


def about(found: float, value: float) -> bool:
    """Compare two numbers to one part in two million, as float32 has them, or to 1e-9 where they are near 0."""
    return math.isclose(found, value, rel_tol=5e-7, abs_tol=1e-9)


def run_cases(
    function: Callable[..., object],
    name: str,
    cases: Sequence[tuple[*Arguments]],
    right: Callable[[*Arguments], Right],
    *,
    read: Callable[[Any, str], Found],
    mistakes: Mapping[str, Callable[[*Arguments], Any]] | None = None,
    signs: Mapping[str, Callable[[Found, Right], bool]] | None = None,
    same: Callable[[Found, Right], bool] = equal,
    write: Callable[[Found | Right], str] = lambda found: shown(found, 160),
    write_call: Callable[[*Arguments], str] | None = None,
    explain: Callable[[Found, Right, *Arguments], str] | None = None,
) -> None:
    """Hold a function to the right one, case by case.

    Each call gets copies, and what is right is computed before it. (The check's own functions get the cases themselves,
    and leave them as they are.) When all are right, they are asked again, from the last to the first: a function that
    remembers its earlier calls gives another answer then.

    Args:
        function: the learner's. Where a case is more than its positional arguments, a function that calls it.
        name: what the task calls it.
        cases: the arguments of each call; the ones that are the easiest to read come first.
        right: what is right, from the same arguments.
        read: makes of an answer what can be compared, or refuses its kind; it gets the call as text, to name it.
        mistakes: {hint: what the mistake gives, from the same arguments}. It may raise.
        signs: {hint: whether an answer shows the mistake, from the answer and what is right}.
        same: whether two of what `read` gives are the same.
        write: writes one of them.
        write_call: writes a call, from the arguments, where the arguments themselves are too long to read.
        explain: writes the sentence for the first case that differs, from the answer, what is right and the arguments,
            where "should give" and "gave" don't say enough.

    Raises:
        WrongAnswerError: with the hint of the mistake that was made, or with the first case that differs.
    """
    need_function(function, name)

    def ask(arguments: tuple[*Arguments], call: str) -> Found:
        given = copy.deepcopy(arguments)
        found = read(function(*given), call)
        for before, after in zip(arguments, given, strict=True):
            if not _unchanged(before, after):
                raise WrongAnswerError(f"Your function changed the {_kind(after)} that it was given. Work on a copy.")
        return found

    calls = [write_call(*case) if write_call else f"{name}({', '.join(map(shown, case))})" for case in cases]
    expected = [right(*case) for case in cases]
    answers: list[Found] = []
    failure: WrongAnswerError | None = None
    for case, call in zip(cases, calls, strict=True):
        try:
            answers.append(ask(case, call))
        except WrongAnswerError as error:
            failure = error
            break
    pairs = list(zip(answers, expected, strict=False))  # up to a failure
    wrong = [not same(*pair) for pair in pairs]
    if any(wrong):
        for hint, sign in (signs or {}).items():
            if all(sign(*pair) for pair in pairs):
                raise WrongAnswerError(hint)
        refuse_known(answers, cases, mistakes or {}, same)
        place = wrong.index(True)
        if explain:
            raise WrongAnswerError(explain(*pairs[place], *cases[place]))
        should, gave = write(expected[place]), write(answers[place])
        raise WrongAnswerError(f"{calls[place]} should give {should}. Yours gave {gave}.")
    if failure:
        raise failure
    for case, call, value in reversed(list(zip(cases, calls, expected, strict=True))):
        if not same(ask(case, call), value):
            raise WrongAnswerError(f"{call} gave something else the second time. Does it remember its earlier calls?")


def refuse_known(
    found: Sequence[Found],
    cases: Sequence[tuple[*Arguments]],
    mistakes: Mapping[str, Callable[[*Arguments], Any]],
    same: Callable[[Found, Any], bool] = equal,
) -> None:
    """Give the hint of the first mistake that explains all of a wrong answer's results; without one, return.

    Args:
        found: what the learner's function gave for each of the cases, or for the first of them.
        cases: the arguments of each call.
        mistakes: {hint: what the mistake gives, from the same arguments}. One that raises explains no result.
        same: whether two results are the same.

    Raises:
        WrongAnswerError: a mistake is recognized.
    """
    for hint, mistake in mistakes.items():
        if all(_gives(mistake, case, result, same) for case, result in zip(cases, found, strict=False)):
            raise WrongAnswerError(hint)


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
        return bool(same(found, mistake(*arguments)))
    except Exception:  # where the mistake can't be made, the answer, which gave something, is another
        return False


def _unchanged(before: Any, after: Any) -> bool:
    if hasattr(before, "state_dict"):  # two modules are never equal; their weights can be
        before, after = before.state_dict(), after.state_dict()
        return before.keys() == after.keys() and all(_unchanged(before[key], after[key]) for key in before)
    if getattr(before, "shape", None) != getattr(after, "shape", None):
        return False
    same = before == after
    whole = getattr(same, "all", None)  # a tensor compares its numbers one by one
    return bool(whole() if whole else same)


def _kind(value: object) -> str:
    if hasattr(value, "state_dict"):
        return "module"
    name = type(value).__name__.lower()
    return {"dict": "dictionary", "ndarray": "array"}.get(name, name)
