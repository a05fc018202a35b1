"""A learner's function, called: its results beside the right ones, and beside those of mistakes that people make."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, TypeVarTuple

from course_utils.exercises import WrongAnswerError

Arguments = TypeVarTuple("Arguments")
T = TypeVar("T")


def compare(
    function: Callable[[*Arguments], object],
    name: str,
    cases: Sequence[tuple[*Arguments]],
    *,
    solve: Callable[[*Arguments], T],
    read: Callable[[object, str], T],
    mistakes: Mapping[str, Callable[[*Arguments], object]],
    same: Callable[[Any, Any], bool] = operator.eq,
) -> None:
    """Compare what a learner's function returns with what it should return.

    A hint is given only where its mistake returns the same as the function in every case. Where none does, the message
    says for which arguments what should come, and what came.

    Args:
        function: the learner's.
        name: what it is called in a message.
        cases: the arguments of one call each. The function gets copies.
        solve: what should come.
        read: turns what came into plain Python, or refuses it; one of `answers`, say. Gets the call, too, as a text.
        mistakes: each hint, with what the mistake returns.
        same: whether a result is as good as another.

    Raises:
        WrongAnswerError: it returns something else, changes its arguments, or returns something else when called again.
    """
    calls = [f"{name}({', '.join(f'{argument!r:.120}' for argument in case)})" for case in cases]
    expected = [solve(*copy.deepcopy(case)) for case in cases]
    found = [_call(function, call, case, read) for call, case in zip(calls, cases, strict=True)]
    wrong = [place for place in range(len(cases)) if not same(found[place], expected[place])]
    if wrong:
        for hint, mistake in mistakes.items():
            if all(same(found[place], mistake(*copy.deepcopy(case))) for place, case in enumerate(cases)):
                raise WrongAnswerError(hint)
        place = wrong[0]
        raise WrongAnswerError(f"{calls[place]} should be {expected[place]!r}. Yours is {found[place]!r:.120}.")
    for place in reversed(range(len(cases))):
        again = _call(function, calls[place], cases[place], read)
        if not same(again, expected[place]):
            raise WrongAnswerError(
                f"{calls[place]} was right, and after other calls it is {again!r:.80}. "
                "What does it keep from one call to the next?"
            )


def _call(function: Callable[..., object], call: str, case: tuple[Any, ...], read: Callable[[object, str], T]) -> T:
    """Return what a call returns, as plain Python; refuse a function that changes what it is given."""
    given = copy.deepcopy(case)
    found = read(function(*given), call)
    if given != case:
        raise WrongAnswerError(
            f"{call} changes what it is given, to {', '.join(map(repr, given)):.80}. Work on a copy."
        )
    return found
