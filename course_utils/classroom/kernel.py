"""The kernel of a lesson in a learner's folder, set up to show what only a learner sees."""

from __future__ import annotations

import contextlib

from course_utils.classroom import learners_folder

MARK = "_course_classroom"
"""The attribute of a shell that was set up: a second time would show everything twice."""


def set_up() -> None:
    """Let this kernel show figures with their captions, errors with advice, and that a long cell runs.

    Where there is no learner's folder, or no kernel, it does nothing. What can't be set up is left out.
    """
    from IPython import get_ipython

    shell, folder = get_ipython(), learners_folder.find()
    if folder is None or not hasattr(shell, "kernel"):  # a terminal's shell has none
        return
    with contextlib.suppress(Exception):
        from course_utils.classroom.advice import other_python

        if line := other_python(folder):
            print(line)
    if hasattr(shell, MARK):
        return
    setattr(shell, MARK, True)
    with contextlib.suppress(Exception):
        from course_utils.classroom.tracebacks import Tracebacks

        Tracebacks(shell, folder)
    with contextlib.suppress(Exception):
        from course_utils.classroom.known_lessons import KnownLessons

        lessons = KnownLessons(folder, shell.user_ns)
        with contextlib.suppress(Exception):
            from course_utils.classroom.long_cells import LongCells

            LongCells(shell, lessons)
        with contextlib.suppress(Exception):
            from course_utils.classroom.figures import Figures

            Figures(shell, lessons)
