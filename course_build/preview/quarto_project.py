"""Read the sources of a Quarto project before a renderer sees them, and say in a sentence what it couldn't show.

smalldocs takes it that every value is of its kind and every file UTF-8, and falls over where one isn't, far from the
place that is wrong. Quarto checks against a schema of its own; what is refused here, Quarto refuses too, or shows
broken. A key without a value counts as one that isn't there.
"""

import datetime
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from nbformat import NotebookNode
from smalldocs.config import as_list, load
from smalldocs.site import Site, parse_date

from course_build import BuildError
from course_build.front_matter import Place, Yaml, parse_yaml, split_front_matter
from course_build.notebooks.read_notebook import read_notebook
from course_build.text_files import read_text

CONFIG = "_quarto.yml"


# --------------------------------------------------------------------------------------------------- kinds of values


@dataclass(frozen=True)
class Kind:
    """A kind of value: in words, and as a test. `inside` has the kinds of a mapping's values, by their keys."""

    words: str
    fits: Callable[[object], bool]
    inside: dict[str, "Kind"] = field(default_factory=dict)


def _is_text(value: object) -> bool:
    return isinstance(value, str | int | float | datetime.date) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return str(value).strip().isdecimal() and not isinstance(value, bool)


def _day(value: object) -> object:
    """Return a day as smalldocs reads it, or None."""
    if parse_date(value, 1.0) is not None:
        return value
    try:  # with a time zone, say, which smalldocs doesn't know
        return datetime.datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None


def _is_each(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return the test for one such value, or a list of them."""
    return lambda value: all(map(fits, value)) if isinstance(value, list) else fits(value)


def _is_link(value: object) -> bool:
    return isinstance(value, dict) and _is_text(value.get("href")) and _is_text(value.get("text", ""))


TEXT = Kind("a text", _is_text)
TEXTS = Kind("a text, or a list of texts", _is_each(_is_text))
STRING = Kind("a text", lambda value: isinstance(value, str))
STRINGS = Kind("a text, or a list of texts", _is_each(STRING.fits))
NUMBER = Kind("a whole number", _is_number)
SWITCH = Kind("true or false", lambda value: isinstance(value, bool))
DAY = Kind("a day such as 2026-01-10, or today, or last-modified", lambda value: _day(value) is not None)
LINKS = Kind(
    "a list of links, each with text and href", lambda value: isinstance(value, list) and all(map(_is_link, value))
)


def mapping(inside: dict[str, Kind]) -> Kind:
    """Return the kind of a mapping."""
    return Kind("keys and values", lambda value: isinstance(value, dict), inside)


def or_switch(kind: Kind) -> Kind:
    """Return the kind of what may also be switched on or off."""
    return Kind(
        f"{kind.words}, or true or false", lambda value: isinstance(value, bool) or kind.fits(value), kind.inside
    )


LISTING = {
    "id": STRING,
    "contents": Kind(
        "a folder, a pattern, or a list of them", _is_each(lambda value: _is_text(value) or isinstance(value, dict))
    ),
    "type": TEXT,
    "sort": or_switch(TEXTS),
    "fields": TEXTS,
    "date-format": STRING,
    "image-height": TEXT,
    "max-items": NUMBER,
    "page-size": NUMBER,
    "grid-columns": NUMBER,
    "max-description-length": NUMBER,
    "field-display-names": mapping({}),
}
CARD = or_switch(mapping({"image": TEXT, "title": TEXT, "description": TEXT}))
PAGE = {
    "title": TEXT,
    "subtitle": TEXT,
    "description": TEXT,
    "date": DAY,
    "date-modified": DAY,
    "date-format": STRING,
    "categories": TEXTS,
    "image": or_switch(TEXT),
    "image-alt": TEXT,
    "body-classes": STRING,
    "css": STRINGS,
    "lang": TEXT,
    "toc": SWITCH,
    "toc-depth": NUMBER,
    "toc-title": TEXT,
    "number-depth": NUMBER,
    "open-graph": CARD,
    "twitter-card": CARD,
    "other-links": LINKS,
    "code-links": LINKS,
    "listing": Kind(
        "keys and values, such as contents: posts",
        _is_each(lambda value: isinstance(value, (str, bool, dict))),
        LISTING,
    ),
}
"""The kinds of what a page says of itself, or a project of all its pages."""
HTML = Kind("keys and values, or default", lambda value: isinstance(value, (str, dict)), PAGE)
FORMAT = Kind("a format, such as html", lambda value: isinstance(value, (str, dict)), {"html": HTML})

SETTINGS = {
    "project": mapping({"type": STRING, "output-dir": STRING, "render": STRINGS, "resources": STRINGS}),
    "website": mapping(
        {
            "title": TEXT,
            "description": TEXT,
            "site-url": STRING,
            "favicon": STRING,
            "navbar": or_switch(mapping({"background": STRING})),
            "sidebar": Kind(
                "keys and values, or a list of such", _is_each(lambda value: not _is_text(value)), {"style": STRING}
            ),
        }
    ),
    "format": FORMAT,
    **PAGE,
}
"""The kinds of `_quarto.yml`."""
INCLUDES = ("css", "include-in-header", "include-before-body", "include-after-body")
"""Keys that name text files."""


def check(value: object, kinds: dict[str, Kind], lines: dict[Place, int], name: str, path: Place = ()) -> None:
    """Hold the values of a mapping, or of each mapping in a list, to their kinds.

    Raises:
        BuildError: a value is of another kind; the message says on which line of the file `name`.
    """
    if isinstance(value, list):
        for number, item in enumerate(value):
            check(item, kinds, lines, name, (*path, number))
    if not isinstance(value, dict):
        return
    for key, kind in kinds.items():
        if key not in value:
            continue
        here = (*path, key)
        if not kind.fits(value[key]):
            dotted = ".".join(part for part in here if isinstance(part, str))
            hint = " Put it in quotes." if isinstance(value[key], bool) and "text" in kind.words else ""
            raise BuildError(
                f"{name}, line {lines.get(here, '?')}: {dotted} has to be {kind.words}. It is {value[key]!r:.60}.{hint}"
            )
        check(value[key], kind.inside, lines, name, here)


def without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping without the keys that have no value, at any depth."""
    return {key: _filled(value) for key, value in values.items() if value is not None}


def _filled(value: object) -> object:
    if isinstance(value, dict):
        return without_empty(value)
    return [_filled(inner) for inner in value if inner is not None] if isinstance(value, list) else value


# -------------------------------------------------------------------------------------------------------- the project


@dataclass
class Page:
    """The source of a page. `text` is what stands below its front matter; in a notebook, in the first cell."""

    name: str
    front: dict[str, Any]
    lines: dict[Place, int]
    text: str
    notebook: NotebookNode | None = None

    @property
    def address(self) -> str:
        """The address of the page, from the site's root."""
        return PurePosixPath(self.name).with_suffix(".html").as_posix()


def read_config(folder: Path) -> Yaml[dict[str, Any]]:
    """Read `_quarto.yml`.

    Raises:
        BuildError: it isn't there, can't be read, or has a value of the wrong kind.
    """
    if not (folder / CONFIG).is_file():
        raise BuildError(f"{folder} has no {CONFIG}: it is no Quarto project.")
    return _settings(folder / CONFIG, CONFIG, SETTINGS)


def _settings(path: Path, name: str, kinds: dict[str, Kind]) -> Yaml[dict[str, Any]]:
    """Read a YAML file of settings, without the keys that have no value."""
    read = parse_yaml(read_text(path, name), name)
    if not isinstance(read.value, dict):
        raise BuildError(f"{name} has to hold keys and values, such as project: and website:.")
    values = without_empty(read.value)
    check(values, kinds, read.lines, name)
    return Yaml(values, read.lines)


def read_pages(folder: Path) -> list[Page]:
    """Read the sources of all pages of a project whose `_quarto.yml` has been read.

    Raises:
        BuildError: a source can't be read, has a value of the wrong kind, or names a picture that isn't there.
        smalldocs.config.ConfigError: smalldocs builds no such project.
    """
    project = load(folder)
    names = Site(project).discover()
    extra = [folder / str(name) for name in as_list(project.config.get("metadata-files"))]
    for path in [*folder.rglob("_metadata.yml"), *filter(Path.is_file, extra)]:
        _settings(path, path.relative_to(folder).as_posix(), PAGE)
    _check_includes(folder, project.html_options(), PurePosixPath())
    pages = [_read_page(folder, name) for name in names]
    for one, other in itertools.combinations(pages, 2):
        if one.address == other.address:
            raise BuildError(f"{one.name} and {other.name} would both become {one.address}. Rename one of them.")
    return pages


def _read_page(folder: Path, place: PurePosixPath) -> Page:
    name, notebook, first = place.as_posix(), None, ""
    if place.suffix == ".ipynb":
        notebook = read_notebook(folder / place, name)
        for number, cell in enumerate(notebook.cells, 1):
            if cell.cell_type == "code":
                _check_cell(cell.source, f"{name}, cell {number}")
        first = notebook.cells[0].source if notebook.cells and notebook.cells[0].cell_type != "code" else ""
        where = f"{name}, cell 1"
    else:
        first, where = read_text(folder / place, name), name
    front, text = split_front_matter(first, where)
    values = without_empty(front.value or {})
    check(values, {**PAGE, "format": FORMAT}, front.lines, where)
    _check_includes(folder, values, place.parent)
    image = values.get("image")
    if isinstance(image, str) and not urlsplit(image).scheme and not _file(folder, place.parent, image):
        raise BuildError(f"{where}, line {front.lines['image',]}: the picture {image} isn't there.")
    values |= {key: _day(values[key]) for key in ("date", "date-modified") if key in values}
    return Page(name, values, front.lines, text, notebook)


def _file(folder: Path, base: PurePosixPath, address: object) -> Path | None:
    """Return the file that an address names, from the project's root if it begins with a slash; None for none."""
    path = unquote(urlsplit(str(address)).path)
    found = folder / path.lstrip("/") if path.startswith("/") else folder / base / path
    return found if found.is_file() else None


def _check_includes(folder: Path, values: dict[str, Any], base: PurePosixPath) -> None:
    """Read each text file that a page, or all pages, take in."""
    for key in INCLUDES:
        for item in as_list(values.get(key)):
            address = item.get("file") if isinstance(item, dict) else item
            if isinstance(address, str) and "\n" not in address and (path := _file(folder, base, address)):
                read_text(path, path.relative_to(folder).as_posix())


def _check_cell(code: str, name: str) -> None:
    """Read the options at the top of a code cell."""
    lines = code.split("\n")
    options = [line[2:].removeprefix(" ") for line in itertools.takewhile(lambda line: line.startswith("#|"), lines)]
    parse_yaml("\n".join(options), name)


def line_of(path: Path, words: str) -> int | None:
    """Return the number of the first line of a text file in which words stand; None if none has them."""
    if path.suffix != ".ipynb":
        pattern = re.compile(rf"(?<![\w/-]){re.escape(words)}(?![\w/-])")
        for number, line in enumerate(read_text(path).split("\n"), 1):
            if pattern.search(line):
                return number
    return None
