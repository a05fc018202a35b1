"""The kernel of a lesson in a learner's folder, set up to show what only a learner sees.

Advice and a sign of life are there from the kernel's start, for the commonest mistake is to run a cell before those
above it: `make lab` has the environment's kernels load this module as an extension of IPython. `notebook.prepare()`
adds the figures' words, and the rest where a kernel was started otherwise.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.classroom import learners_folder

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

EXTENSION = __name__
"""The name by which IPython loads it."""

MARK = "_course_classroom"
"""The attribute of a shell that holds what was set up: a second time would show everything twice."""


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Let a kernel that starts in a learner's folder show errors with advice, and that a long cell runs."""
    if folder := _learners(shell):
        _set_up_once(shell, folder, "errors")
        _set_up_once(shell, folder, "long cells")


def set_up() -> None:
    """Let this kernel show figures with their captions, errors with advice, and that a long cell runs.

    Where there is no learner's folder, or no kernel, it does nothing. What can't be set up is left out.
    """
    from IPython import get_ipython

    shell = get_ipython()
    folder = _learners(shell)
    if shell is None or folder is None:
        return
    with contextlib.suppress(Exception):
        from course_utils.classroom.advice import other_python

        if line := other_python(folder):
            print(line)
    for part in ("errors", "long cells", "figures"):
        _set_up_once(shell, folder, part)


def _learners(shell: InteractiveShell | None) -> Path | None:
    """Return the learner's folder that a kernel works in; a terminal's shell is no kernel."""
    return learners_folder.find() if hasattr(shell, "kernel") else None


def _set_up_once(shell: InteractiveShell, folder: Path, part: str) -> None:
    """Set up a part, if it isn't there yet."""
    done = vars(shell).setdefault(MARK, set())
    if part in done:
        return
    done.add(part)
    with contextlib.suppress(Exception):
        from course_utils.classroom.known_lessons import KnownLessons

        if part == "errors":
            from course_utils.classroom.tracebacks import Tracebacks

            Tracebacks(shell, folder)
        elif part == "long cells":
            from course_utils.classroom.long_cells import LongCells

            LongCells(shell, KnownLessons(folder, shell.user_ns))
        else:
            from course_utils.classroom.figures import Figures

            Figures(shell, KnownLessons(folder, shell.user_ns))
