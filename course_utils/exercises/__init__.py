"""Checks that a learner runs on an answer: right is confirmed, wrong gets the hint that fits the mistake.

There is one module a lesson, and one `check_...` function an exercise. A check never raises, whatever it is given, and
asks no network. `Feedback` is what it returns; `checker` makes a check of a function that says what is wrong. In a
learner's folder a right answer is remembered (`course_utils.classroom.progress_record`).

Most checks are of a function, and are a call of `cases.run_cases`: the cases, what is right, and the mistakes that
people make, each with its hint. `answers` reads what comes, in any dress: Python's, NumPy's, torch's.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from course_utils.classroom import learners_folder
from course_utils.classroom.advice import missing_name
from course_utils.classroom.progress_record import remember
from course_utils.notebook import in_html

MARKS = {"right": "✔ Right.", "wrong": "✘ Not yet.", "open": "○ Not answered yet."}


@dataclass(frozen=True)
class Feedback:
    """The answer of a check. `status` is `right`, `wrong` or `open` (nothing was answered)."""

    status: str
    message: str

    def __repr__(self) -> str:
        """Show a mark and the message, as the last line of a cell shows it."""
        return f"{MARKS[self.status]} {self.message}"

    def _repr_html_(self) -> str | None:
        """Show code as code in a learner's folder; on a page the plain text is the output."""
        return f'<p style="white-space: pre-wrap">{in_html(repr(self))}</p>' if learners_folder.find() else None


class WrongAnswerError(Exception):
    """Raised inside a check: the answer is wrong, and the message is the hint that fits."""


class NotAnsweredError(Exception):
    """Raised inside a check: the stub is as it was."""


class EndlessError(BaseException):
    """Raised inside a learner's code that took `MOST_STEPS`. An `except Exception` in that code can't swallow it."""


MOST_STEPS = 2_000_000
"""How many steps of the interpreter a check gives to the learner's own code: a clock's would depend on the machine."""

OPEN = "Replace the ... in the cell above, run it, then run this one again."


def checker(check: Callable[..., str]) -> Callable[..., Feedback]:
    """Make a check out of a function that returns what a right answer shows, and raises `WrongAnswerError` with a hint.

    The check that comes out of it never raises, save what Ctrl+C raises, and it comes to an end. Each function that it
    is given is wrapped, so that an exception in the learner's code, or a body that is still `...`, becomes feedback.
    """

    @functools.wraps(check)
    def run(*answers: Any) -> Feedback:
        try:
            if any(answer is ... for answer in answers):
                raise NotAnsweredError
            with _steps_counted(answers):
                said = check(*[_guard(answer) for answer in answers])
        except NotAnsweredError:
            return Feedback("open", OPEN)
        except WrongAnswerError as hint:
            return Feedback("wrong", str(hint))
        except EndlessError:
            return Feedback("wrong", f"Your answer {NO_END}")
        except (Exception, SystemExit) as error:  # an answer of a kind that the check did not foresee
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
        except (Exception, SystemExit, EndlessError) as error:
            shown = ", ".join(f"{argument!r:.60}" for argument in arguments)
            called = f"{getattr(answer, '__name__', 'your function')}({shown})"
            if isinstance(error, EndlessError):
                raise WrongAnswerError(f"{called} {NO_END}") from error
            if isinstance(error, SystemExit):
                raise WrongAnswerError(
                    f"{called} ends the whole program, by exit() or quit(). Only the function should end: use return."
                ) from error
            said = _describe(error)
            raise WrongAnswerError(f"{called} raised {said}{'' if said.endswith('?') else '.'}") from error
        if result is ...:
            raise NotAnsweredError
        return result

    return call


NO_END = "took two million steps and came to no end. Does each loop come nearer to its end?"


@contextlib.contextmanager
def _steps_counted(answers: tuple[Any, ...]) -> Generator[None]:
    """Run a check that ends, whatever the answers do: their code is stopped after `MOST_STEPS`.

    Theirs is what finds its names in the notebook, or where an answer was defined; what that calls of a library isn't
    counted, and costs nothing. A tracer that was there, such as a debugger's, is back afterwards.

    Raises:
        EndlessError: too many steps.
    """
    theirs = {id(vars(sys.modules["__main__"])), *(id(getattr(answer, "__globals__", None)) for answer in answers)}
    steps = 0

    def count(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal steps
        if event == "call":
            if id(frame.f_globals) not in theirs:
                return None
            frame.f_trace_opcodes = True  # by lines alone, `while True: pass` would be one
        steps += 1
        if steps > MOST_STEPS:
            raise EndlessError
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def _describe(error: BaseException) -> str:
    """Name an exception, and the line that raised it, if that line is the learner's; of a missing name, where it is."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "ipykernel" in frame.filename or "ipython-input" in frame.filename]
    place = f' at the line "{own[-1].line}"' if own and own[-1].line else ""
    try:
        said = str(error)
    except Exception:  # an exception of the learner's own making
        said = "it can't be shown"
    said = f"{type(error).__name__}: {said}{place}"
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
