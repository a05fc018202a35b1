"""The lessons of a checkout: which there are, and what each says of itself."""

import datetime
import functools
import re
import sys
from pathlib import Path
from typing import TypedDict, TypeGuard

from nbformat import NotebookNode

from course_build import BuildError
from course_build.front_matter import split_front_matter
from course_build.notebooks.read_notebook import read_notebook
from course_build.paths import NOTEBOOKS
from course_build.text_files import name_of

NAME = re.compile(r"\d\d_\w+")
"""What a lesson's notebook is called, without its suffix."""


class Objective(TypedDict):
    """An objective of a lesson: in a sentence, with the heading that serves it and the exercise that practises it."""

    text: str
    section: str
    practice: str


FrontMatter = TypedDict(
    "FrontMatter",
    {
        "title": str,
        "subtitle": str,
        "description": str,
        "date": datetime.date,
        "categories": list[str],
        "image": str,
        "image-alt": str,
        "open-graph": dict[str, str],
        "twitter-card": dict[str, str],
        "other-links": list[dict[str, str]],
        "lesson": int,
        "minutes": int,
        "objectives": list[Objective],
        "prerequisites": list[str],
    },
)
"""The front matter of a lesson."""

TEXT = "a text"
KINDS = {
    "title": TEXT,
    "subtitle": TEXT,
    "description": TEXT,
    "date": "a day, such as 2026-11-22",
    "categories": 'a list of texts, such as [tokenizers, "KV cache"]',
    "image": TEXT,
    "image-alt": TEXT,
    "open-graph": "image, with the address of the card",
    "twitter-card": "image, with the address of the card",
    "other-links": "a list of links, each with text and href",
    "lesson": "a whole number",
    "minutes": "a whole number of minutes, at least 1",
    "objectives": "a list, each with text, section and practice",
    "prerequisites": "a list of texts",
}
"""The keys of a lesson's front matter, and what each holds."""


def paths(folder: Path = NOTEBOOKS) -> list[Path]:
    """Return the notebooks of the lessons, in order. Of a notebook that isn't a lesson, a line on stderr says so.

    Raises:
        BuildError: two lessons have one number.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.ipynb")):
        if path.name.startswith("."):
            continue
        if not NAME.fullmatch(path.stem):
            _leave_out(path)
        elif other := found.get(path.name[:2]):
            raise BuildError(
                f"{other.name} and {path.name} are both lesson {int(path.name[:2])}. Give one of them another number,"
                f" or move it out of {folder.name}/."
            )
        else:
            found[path.name[:2]] = path
    return list(found.values())


@functools.cache
def _leave_out(path: Path) -> None:
    """Say, once, that a notebook is left out."""
    print(
        f"course_build: {name_of(path)} is left out, for a lesson's name is two digits, an underscore and words"
        " joined by underscores, such as 04_tokenizers.ipynb. Rename it, or move it elsewhere.",
        file=sys.stderr,
        flush=True,
    )


def chosen(names: list[str], folder: Path = NOTEBOOKS) -> list[Path]:
    """Return the lessons that names mean, such as `03`, `03_hug`, `huggingface_nlp` or a path; all if there is none.

    Raises:
        BuildError: a name fits no lesson; the message has those that there are.
    """
    there = paths(folder)
    wanted = set()
    for name in names:
        stem = Path(name).name.removesuffix(".ipynb")
        begins = stem.zfill(2) if stem.isdecimal() else stem or "?"
        fits = [path for path in there if path.stem.startswith(begins) or path.stem[3:] == stem]
        if not fits:
            raise BuildError(f"no lesson is called {name!r}. There are: {', '.join(path.stem for path in there)}")
        wanted |= set(fits)
    return [path for path in there if path in wanted or not names]


def read(path: Path) -> NotebookNode:
    """Read a lesson's notebook, of format 4.

    Raises:
        BuildError: it can't be read; the message says why, where, and how to get its content back.
    """
    # A staged copy is called as its source is, for that is the file to mend.
    return read_notebook(path, f"{path.absolute().parent.name}/{path.name}")


def front_matter(path: Path, notebook: NotebookNode | None = None) -> FrontMatter:
    """Return a lesson's front matter: the YAML in the raw cell that its notebook begins with.

    Args:
        path: the lesson's file.
        notebook: its content, where it has been read already.

    Raises:
        BuildError: there is none, it can't be read, a key is missing, or a value is of the wrong kind.
    """
    name = f"{path.absolute().parent.name}/{path.name}"
    cells = (notebook or read(path)).cells
    text = cells[0].source if cells and cells[0].cell_type == "raw" else ""
    above = text[: len(text) - len(text.lstrip())].count("\n")
    front, _ = split_front_matter(text.strip(), f"{name}, first cell", above + 1)
    if front.value is None:
        raise BuildError(
            f"{name}: the first cell has no front matter. It is a raw cell: YAML between two lines of ---."
        )
    if missing := [key for key in KINDS if key not in front.value]:
        raise BuildError(f"{name}: the front matter in the first cell lacks {', '.join(missing)}.")
    for key, kind in KINDS.items():
        if not _fits(key, front.value[key]):
            raise BuildError(
                f"{name}, first cell, line {front.lines[key,]}: {key} has to be {kind}. It is {front.value[key]!r:.60}."
            )
    if front.value["lesson"] != int(path.name[:2]):
        raise BuildError(
            f"{name}, first cell, line {front.lines['lesson',]}: lesson is {front.value['lesson']}, and the file's name"
            f" says {int(path.name[:2])}."
        )
    return FrontMatter(**front.value)


def _fits(key: str, value: object) -> bool:
    """Tell whether the value of a key of the front matter is of its kind."""
    match key:
        case "date":
            return isinstance(value, datetime.date)
        case "categories" | "prerequisites":
            return _list(value) and all(map(_text, value))
        case "open-graph" | "twitter-card":
            return isinstance(value, dict) and _text(value.get("image"))
        case "other-links":
            return _list(value) and all(_has(each, "text", "href") for each in value)
        case "objectives":
            return _list(value) and all(_has(each, "text", "section", "practice") for each in value)
        case "lesson" | "minutes":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return _text(value)


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list) and bool(value)


def _has(value: object, *keys: str) -> bool:
    return isinstance(value, dict) and all(_text(value.get(key)) for key in keys)
