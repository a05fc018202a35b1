"""Cells that take long: they say so before they compute, show that they go on, and say at the end how long it was."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING

from IPython.display import DisplayHandle

from course_utils.classroom.known_lessons import KnownLessons

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

EVERY = 1.0
"""Seconds between two signs of life."""


class LongCells:
    """The line above the output of a cell that takes long. A cell that the learner changed has none.

    Args:
        shell: the kernel's shell.
        lessons: what is known of the cells.
    """

    def __init__(self, shell: InteractiveShell, lessons: KnownLessons) -> None:
        """Watch for such cells."""
        self._lessons = lessons
        self._running: tuple[ExecutionInfo, SignOfLife] | None = None
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def _begin(self, info: ExecutionInfo) -> None:
        try:
            seconds = self._lessons.seconds(info.raw_cell or "")
            if seconds is not None and self._running is None:
                self._running = info, SignOfLife(seconds)
        except Exception:  # nothing here is worth a learner's cell
            self._running = None

    def _end(self, result: ExecutionResult | None) -> None:
        if self._running is None or (result is not None and result.info is not self._running[0]):
            return  # no long cell, or one that was run from inside it
        sign, self._running = self._running[1], None
        sign.end(success=result is not None and bool(result.success))


class SignOfLife:
    """A line in a cell's output that says how long the cell takes, and every second how long it has run.

    Args:
        seconds: about how long it takes.
    """

    def __init__(self, seconds: int) -> None:
        """Write the line, and keep it current from a thread."""
        self._start = time.monotonic()
        self._expected = f"This cell takes about {duration(seconds)}."
        self._handle = DisplayHandle()
        self._handle.display(_line(self._expected), raw=True)
        self._over = threading.Event()
        # What a kernel knows of the cell whose output this is goes with the context of the thread.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._go_on,), name="sign of life", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        while not self._over.wait(EVERY):
            self._say(f"{self._expected} {duration(self._seconds())} so far.")

    def end(self, success: bool) -> None:
        """Write the last line: how long the cell took, or after how long it stopped."""
        self._over.set()
        self._thread.join(5 * EVERY)
        self._say(f"{'Took' if success else 'Stopped after'} {duration(self._seconds())}.")

    def _seconds(self) -> int:
        return max(1, round(time.monotonic() - self._start))

    def _say(self, text: str) -> None:
        try:
            self._handle.update(_line(text), raw=True)
        except Exception:  # the front end is gone; the cell goes on
            self._over.set()


def _line(text: str) -> dict[str, str]:
    return {"text/plain": text, "text/html": f'<em style="opacity: 0.8">{text}</em>'}


def duration(seconds: int) -> str:
    """Return seconds in words: 20 s, 1 min 5 s."""
    minutes, rest = divmod(seconds, 60)
    return " ".join([*([f"{minutes} min"] if minutes else []), *([f"{rest} s"] if rest or not minutes else [])])
