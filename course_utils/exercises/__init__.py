"""Checks that a learner runs on an answer: right is confirmed, wrong gets the hint that fits the mistake.

There is one module a lesson, and one `check_...` function an exercise. A check never raises, whatever it is given, and
asks no network. `Feedback` is what it returns; `checker` makes a check of a function that says what is wrong. In a
learner's folder a right answer is remembered (`course_utils.classroom.progress_record`).
"""

from __future__ import annotations

import functools
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from course_utils.classroom.advice import missing_name
from course_utils.classroom.progress_record import remember

MARKS = {"right": "✔ Right.", "wrong": "✘ Not yet.", "open": "○ Not answered yet."}


@dataclass(frozen=True)
class Feedback:
    """The answer of a check. `status` is `right`, `wrong` or `open` (nothing was answered)."""

    status: str
    message: str

    def __repr__(self) -> str:
        """Show a mark and the message, as the last line of a cell shows it."""
        return f"{MARKS[self.status]} {self.message}"


class WrongAnswerError(Exception):
    """Raised inside a check: the answer is wrong, and the message is the hint that fits."""


class NotAnsweredError(Exception):
    """Raised inside a check: the stub is as it was."""


OPEN = "Replace the ... in the cell above, run it, then run this one again."


def checker(check: Callable[..., str]) -> Callable[..., Feedback]:
    """Make a check out of a function that returns what a right answer shows, and raises `WrongAnswerError` with a hint.

    The check that comes out of it never raises. Each function that it is given is wrapped, so that an exception in the
    learner's code, or a body that is still `...`, becomes feedback.
    """

    @functools.wraps(check)
    def run(*answers: Any) -> Feedback:
        try:
            if any(answer is ... for answer in answers):
                raise NotAnsweredError
            said = check(*[_guard(answer) for answer in answers])
        except NotAnsweredError:
            return Feedback("open", OPEN)
        except WrongAnswerError as hint:
            return Feedback("wrong", str(hint))
        except Exception as error:  # an answer of a kind that the check did not foresee
            return Feedback(
                "wrong", f"The check could not use that answer ({_describe(error)}). Read the task once more."
            )
        if lesson := re.search(r"\.lesson_(\d\d)$", check.__module__):
            remember(lesson[1], "exercise", check.__name__, right=True)
        return Feedback("right", said)

    return run


def _guard(answer: Any) -> Any:
    """Wrap a learner's function: what it raises becomes a hint, and a body of `...` means that nothing was answered."""
    if not callable(answer) or isinstance(answer, type):
        return answer

    @functools.wraps(answer, updated=())
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            result = answer(*arguments, **options)
        except (NotAnsweredError, WrongAnswerError):
            raise
        except Exception as error:
            shown = ", ".join(f"{argument!r:.60}" for argument in arguments)
            name = getattr(answer, "__name__", "your function")
            raise WrongAnswerError(f"{name}({shown}) raised {_describe(error)}.") from error
        if result is ...:
            raise NotAnsweredError
        return result

    return call


def _describe(error: Exception) -> str:
    """Name an exception, and the line that raised it, if that line is the learner's; of a missing name, where it is."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "ipykernel" in frame.filename or "ipython-input" in frame.filename]
    place = f' at the line "{own[-1].line}"' if own and own[-1].line else ""
    said = f"{type(error).__name__}: {error}{place}"
    if isinstance(error, NameError) and (to_do := missing_name(error)):
        said += f". {to_do.removesuffix('.')}"
    return said


def need_function(answer: object, name: str) -> None:
    """Ask for the function itself.

    Raises:
        WrongAnswerError: the answer can't be called; most often it is what the function returned.
    """
    if not callable(answer):
        raise WrongAnswerError(
            f"Hand over the function itself, without brackets: {name}, not {name}(...). This is {answer!r:.60}."
        )
