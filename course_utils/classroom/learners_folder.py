"""The learner's folder, into which `make lab` puts the lessons: where it is, and what it knows of each lesson."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import TypedDict

KEPT = ".course"
"""The folder inside the learner's in which `make lab` keeps what it has to know again. Jupyter doesn't show it."""

LESSONS = Path(KEPT, "lessons.json")
"""What is known of the lessons, relative to the learner's folder: for each number, such as `03`, a `Lesson`."""


class Figure(TypedDict):
    """A figure in words: below it for everybody, and in its place for who can't see it."""

    caption: str
    alt: str


class Lesson(TypedDict):
    """A lesson, as a learner's kernel has to know it. A cell is named by its `code_key`."""

    file: str
    title: str
    description: str
    minutes: int
    exercises: dict[str, str]
    """The heading of each exercise, by the name of its check, such as `check_verdict`."""
    questions: int
    """How many questions the quiz has."""
    figures: dict[str, Figure]
    """Caption and text alternative of the figure that a cell draws."""
    seconds: dict[str, int]
    """About how long a cell runs on two cores, of the cells that are long."""
    offered: str | None
    """The file that a newer version of the lesson lies in, beside the learner's copy, if there is one."""
    names: dict[str, str]
    """The heading of the section in which a name is first given a value, by that name."""


def find(start: Path | None = None) -> Path | None:
    """Return the learner's folder that a path lies in (by default where the kernel works), or None."""
    try:
        start = (start or Path.cwd()).resolve()
    except OSError:  # it was deleted
        return None
    return next((folder for folder in (start, *start.parents) if (folder / LESSONS).is_file()), None)


def lessons(folder: Path) -> dict[str, Lesson]:
    """Return what is known of each lesson, by its number; nothing, where the file can't be read."""
    try:
        known = json.loads((folder / LESSONS).read_text(encoding="utf-8"))
        return {number: lesson for number, lesson in known.items() if Lesson.__required_keys__ <= lesson.keys()}
    except (OSError, ValueError, AttributeError):  # not there, cut off, or of another version's form
        return {}


def code_key(source: str) -> str:
    """Return a name for what a cell computes: comments, blank lines and the way it is laid out don't count."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        meant = ast.dump(ast.parse(TransformerManager().transform_cell(source)))
    except SyntaxError:
        meant = source.strip()
    return hashlib.sha256(meant.encode()).hexdigest()[:16]
