"""Progress of long work: a bar with an estimate in a terminal, plain lines in a log, and never a silent minute.

Standard library only: the set-up uses it on the bare interpreter. Bars and notices go to stderr, so that what a command
prints stays what it was.
"""

import contextlib
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import IO

LOG_SECONDS = 20
"""How long a log may stay without a word."""

BEAT_SECONDS = 1
"""From one look at the clock to the next."""

BAR_WIDTH = 20
"""Of a bar, in characters."""

SAID_LINES = 200
"""How many of the last lines of a child are kept, for the sentence that says why it failed."""


class Bar:
    """Progress of work whose size is known. Use it as a context manager, and call `to` as the work goes on.

    In a terminal it is one line that is redrawn each second. In a log it is a line each 20 seconds, at the most, and
    one at the end. From any thread.

    Args:
        command: what the lines begin with, as "models".
        total: how much there is to do.
        unit: of `total`, as "models" or "MB".
        done: how much was done before; the estimate leaves it out.
    """

    def __init__(self, command: str, total: float, unit: str, done: float = 0) -> None:
        """Begin the clock; nothing is shown before the `with` block is entered."""
        self.command, self.total, self.unit = command, total, unit
        self._before = self._done = done
        self._note = ""
        self._step: float | None = None
        self._line = _Line()

    def __enter__(self) -> "Bar":
        """Show the bar, and keep it alive."""
        self._began = time.monotonic()
        self._beats = contextlib.ExitStack()
        self._beats.enter_context(_beats(self._show))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave one line that says how it ended."""
        self._beats.close()
        took = in_words(time.monotonic() - self._began)
        if kind is not None:
            self._line.end(f"{self.command}: stopped at {self._count()} after {took}")
        elif self.total:
            self._done = self._done if self._step is None else self._step + 1
            self._line.end(f"{self.command}: {self._count()} in {took}")

    def to(self, done: float, note: str = "") -> None:
        """Say how much is done by now, out of `total`, and what is being done, as "lesson 6, cell 4"."""
        self._done, self._note = done, note
        self._show()

    def step(self, note: str) -> None:
        """Begin the next of `total` steps, those before it being done, and print what it is."""
        self._step = self._before if self._step is None else self._step + 1
        self.say(f"{self.command}: {note}")
        self.to(self._step, note)

    def say(self, text: str) -> None:
        """Print a line to stdout, above the bar."""
        self._line.say(text)

    def _show(self) -> None:
        share = min(1.0, self._done / self.total) if self.total else 1.0
        facts = [self._count(), *self._left(), *([self._note] if self._note else [])]
        bar = f"[{'#' * int(BAR_WIDTH * share):{BAR_WIDTH}}] {share:4.0%}"
        self._line.show(f"{self.command}: {bar}  {', '.join(facts)}", f"{self.command}: {', '.join(facts)}")

    def _count(self) -> str:
        return f"{self._done:,.0f} of {self.total:,.0f} {self.unit}"

    def _left(self) -> list[str]:
        gone, left = self._done - self._before, self.total - self._done
        if gone <= 0 or left <= 0:
            return [f"{in_words(time.monotonic() - self._began)} so far"]
        return [f"about {in_words((time.monotonic() - self._began) * left / gone)} left"]


def run(
    command: Sequence[str | Path],
    purpose: str,
    *,
    shown: bool = True,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command that may take long, and never be silent for long.

    Args:
        command: the program and its arguments.
        purpose: what it is for, as "environment: installing the packages".
        shown: whether its own words are for the reader: in a terminal it then writes there itself, with its own bar.
            Where they aren't, a line counts the seconds in their place.
        cwd: the folder that it runs in; this one, if none is named.
        env: its variables; those of this process, if none are named.
        stderr: `subprocess.PIPE` keeps back the errors of a program whose bar goes to stdout.

    Returns:
        The exit status, and as `stdout` the last lines of what it said, of both streams, but for what it wrote to the
        terminal itself, which stands above.
    """
    command = [str(part) for part in command]
    if shown and in_terminal():
        done = subprocess.run(command, text=True, errors="replace", cwd=cwd, env=env, stderr=stderr)
        return subprocess.CompletedProcess(command, done.returncode, done.stderr or "")
    line, began = _Line(), time.monotonic()
    said: list[str] = []

    def beat() -> None:
        seconds = in_words(time.monotonic() - began)
        line.show(f"{purpose}, {seconds}", f"{purpose}: still at it after {seconds}")

    def listen(words: IO[str]) -> None:
        for text in words:
            said.append(text)
            del said[:-SAID_LINES]
            if shown:
                line.say(text.rstrip("\n"))

    child = subprocess.Popen(
        command,
        text=True,
        errors="replace",
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with _beats(beat), child:
        listener = threading.Thread(target=listen, args=(child.stdout,), daemon=True)
        listener.start()
        try:
            child.wait()
        except BaseException:
            child.kill()
            raise
        # What the child has left running may hold the pipe open for as long as it likes.
        listener.join(timeout=2)
    line.end()
    return subprocess.CompletedProcess(command, child.returncode, "".join(said))


def in_terminal() -> bool:
    """Tell whether a person looks on: both streams go to a terminal."""
    return sys.stdout.isatty() and sys.stderr.isatty()


@contextlib.contextmanager
def waiting(purpose: str) -> Generator[None]:
    """Say what is waited for while the block runs, and that it still is."""
    line, began = _Line(), time.monotonic()
    line.end(purpose)

    def beat() -> None:
        seconds = in_words(time.monotonic() - began)
        line.show(f"{purpose}, {seconds}", f"{purpose}: still, after {seconds}")

    with _beats(beat):
        yield
    line.end()


def last_sentence(said: str) -> str:
    """Return the last thing that a program says, in one line, without what marks it as an error.

    uv breaks its sentences to the width of the terminal, and indents what goes on.
    """
    found: list[str] = []
    for line in reversed(said.splitlines()):
        words = line.strip(" ×╰▶─>│├-")  # noqa: RUF001 - as uv draws them
        if words:
            found.insert(0, words)
        if found and (not line.startswith(" ") or re.match(r"\s*([×╰├]|\w+:\s)", line)):  # noqa: RUF001
            break
    return re.sub(r"^(error|cause):\s*", "", " ".join(found), flags=re.IGNORECASE)


def in_words(seconds: float) -> str:
    """Return a time as people say it: 40 s, 3 min 20 s, 1 h 5 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


class _Line:
    """The last line of stderr: redrawn in a terminal, else written anew when nothing was for a while."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._drawn = False
        self._spoke = time.monotonic()
        self._lock = threading.RLock()

    def show(self, drawn: str, logged: str) -> None:
        """Draw one text in a terminal; write the other into a log, if nothing was said for 20 seconds."""
        with self._lock:
            if self._terminal:
                width = shutil.get_terminal_size().columns - 1
                self._write(f"\r{drawn[:width]:{width}}")
                self._drawn = True
            elif time.monotonic() - self._spoke >= LOG_SECONDS:
                self._write(f"{logged}\n")

    def say(self, text: str) -> None:
        """Print a line to stdout, where the drawn one was."""
        with self._lock:
            self._clear()
            print(text, flush=True)
            self._spoke = time.monotonic()

    def end(self, text: str = "") -> None:
        """Take the drawn line away, and leave a last one, if there is something to say."""
        with self._lock:
            self._clear()
            if text:
                self._write(f"{text}\n")

    def _clear(self) -> None:
        if self._drawn:
            self._write(f"\r{' ' * (shutil.get_terminal_size().columns - 1)}\r")
            self._drawn = False

    def _write(self, text: str) -> None:
        # A name in a note may have letters that the terminal's encoding lacks.
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(text.encode(encoding, errors="replace").decode(encoding))
        sys.stderr.flush()
        self._spoke = time.monotonic()


@contextlib.contextmanager
def _beats(beat: Callable[[], None]) -> Generator[None]:
    """Call a function again and again while the block runs."""
    over = threading.Event()

    def beat_on() -> None:
        while not over.wait(BEAT_SECONDS):
            beat()

    thread = threading.Thread(target=beat_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
