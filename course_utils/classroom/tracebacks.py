"""Tracebacks: the learner's own lines and the error, then what to do; what libraries did lies folded below."""

from __future__ import annotations

import html
import re
import sysconfig
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import course_utils
from course_utils.classroom.advice import advice
from course_utils.notebook import as_shown, in_html

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

FRAME = re.compile(r"\s*File (?P<path>.+?):\d+,? in ")
SIMILAR = re.compile(r"\s*\[\.\.\. skipping (similar|hidden) ")
HIDDEN = "    ... frames inside libraries ...\n"
"""The line that stands for them. `course_build.notebooks.run` has it in the saved outputs, too."""

REPEATED = "    ... the same {} times more ...\n"
"""The line that stands for a function that calls itself without an end."""

ROOMS = {"site-packages", "dist-packages"}
"""The folders that libraries are installed in."""

STANDARD_LIBRARY = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]

SEND = "_showtraceback"
"""The method of a kernel's shell that sends a traceback: every one comes by, `%tb`'s and those of figures, too."""


class Tracebacks:
    """The way in which a kernel shows an exception.

    Args:
        shell: the kernel's shell.
        folder: the learner's folder; a module that lies there is the learner's own, as cells are.
    """

    def __init__(self, shell: InteractiveShell, folder: Path) -> None:
        """Take the place of the method that sends a traceback."""
        self._shell, self._folder = shell, folder.resolve()
        self._send = getattr(shell, SEND)
        setattr(shell, SEND, self.show)

    def show(self, etype: type[BaseException], evalue: BaseException, stb: Sequence[str]) -> None:
        """Send an error with the learner's own frames, then advice and the whole traceback.

        Args:
            etype: the exception's class.
            evalue: the exception.
            stb: the parts of its traceback, as IPython formats it: headings, frames, messages.
        """
        try:
            short, libraries = fold(stb, self._folder)
            below = _below(advice(evalue), libraries, stb)
        except Exception:  # then as it is elsewhere
            short, below = list(stb), None
        try:
            str(evalue)
        except Exception as error:  # the kernel would show this one in the place of the learner's
            evalue = RuntimeError(f"the exception's text can't be had: its __str__ raised {type(error).__name__}")
        self._send(etype, evalue, short)
        if below is not None:
            self._shell.display_pub.publish(below)


def fold(parts: Sequence[str], folder: Path) -> tuple[list[str], list[str]]:
    """Return a traceback without the frames inside libraries, and for each of those the library's name.

    Args:
        parts: the traceback, as IPython formats it, with its colours.
        folder: where the learner's own modules lie.
    """
    short: list[str] = []
    libraries: list[str] = []
    inside = ""
    for part, count in _counted(parts):
        plain = as_shown(part)
        found = FRAME.match(plain)
        if found:
            inside = _library(found["path"], folder)
        elif not SIMILAR.match(plain):  # that belongs to the frame before it
            inside = ""
        if inside:
            libraries += [inside] * count
            if short[-1:] != [HIDDEN]:
                short.append(HIDDEN)
        else:
            short.append(part)
            if count > 1:
                short.append(REPEATED.format(count - 1))
    return short, libraries


def _counted(parts: Sequence[str]) -> Iterator[tuple[str, int]]:
    for part, same in groupby(parts):
        yield part, len(list(same))


def _library(path: str, folder: Path) -> str:
    """Name the library that a file belongs to; empty for the learner's own."""
    if path.startswith("<"):  # as <frozen importlib._bootstrap>
        return "Python"
    file = Path(path).expanduser().resolve()
    rooms = [place for place, part in enumerate(file.parts) if part in ROOMS]
    if rooms:
        return file.parts[rooms[-1] + 1].removesuffix(".py")
    if file.is_relative_to(folder):
        return ""
    if file.is_relative_to(Path(course_utils.__file__).parent.resolve()):
        return course_utils.__name__
    if any(file.is_relative_to(place) for place in STANDARD_LIBRARY):
        return "Python"
    return file.parent.name


def _below(advised: str, libraries: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    """Return what is shown below an error: advice, and the whole traceback, if anything of it isn't there already."""
    plain: list[str] = []
    marked: list[str] = []
    if advised:
        plain.append(advised)
        marked.append(f"<p><strong>What to do:</strong> {in_html(advised)}</p>")
    if libraries:
        whole = as_shown("\n".join(parts))
        names = list(dict.fromkeys(libraries))
        listed = names[:3] if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
        named = " and ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))
        title = f"{len(libraries)} {'frame' if len(libraries) == 1 else 'frames'} inside {named}"
        plain.append(f"{title}. The whole traceback:\n{whole}")
        marked.append(
            f'<details><summary style="cursor: pointer">{html.escape(title)}</summary>'
            f'<pre style="max-height: 30em; overflow: auto">{html.escape(whole, quote=False)}</pre></details>'
        )
    if not plain:
        return None
    return {"text/plain": "\n".join(plain), "text/html": f'<div style="margin: 0.5em 0">{"".join(marked)}</div>'}
