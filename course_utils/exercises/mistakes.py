"""Recognizing a mistake: a hint is given to an answer that does what the mistake does, for every input of the check."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVarTuple

from course_utils.exercises import WrongAnswerError

Arguments = TypeVarTuple("Arguments")


def refuse_known(
    found: Sequence[object],
    inputs: Sequence[tuple[*Arguments]],
    mistakes: Mapping[str, Callable[[*Arguments], object]],
    same: Callable[[Any, Any], bool] = operator.eq,
) -> None:
    """Give the hint of the first mistake that explains all of a wrong answer's results; without one, return.

    Args:
        found: what the learner's function gave for each of the inputs.
        inputs: the arguments of each call.
        mistakes: the hints, each with the function that somebody writes who makes the mistake. It leaves its arguments
            as they are. One that raises for an input explains no result.
        same: whether two results are the same.

    Raises:
        WrongAnswerError: a mistake is recognized.
    """
    for hint, mistake in mistakes.items():
        if all(_explains(mistake, arguments, result, same) for arguments, result in zip(inputs, found, strict=True)):
            raise WrongAnswerError(hint)


def _explains(
    mistake: Callable[[*Arguments], object],
    arguments: tuple[*Arguments],
    result: object,
    same: Callable[[Any, Any], bool],
) -> bool:
    try:
        return bool(same(result, mistake(*arguments)))
    except (ArithmeticError, ValueError, IndexError):
        return False


def about(found: float, value: float) -> bool:
    """Compare two numbers to one part in two million, as float32 does, or to 1e-9 where they are near 0."""
    return math.isclose(found, value, rel_tol=5e-7, abs_tol=1e-9)
