"""YAML and the front matter of pages and lessons: read it, and say in a sentence what is wrong with it."""

import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import yaml

from course_build import BuildError

FRONT = re.compile(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
"""The YAML between two lines of dashes at the top of a page."""
OPENED = re.compile(r"---[ \t]*\n[ \t]*\S")
"""How front matter begins. A line of dashes with an empty one after it is a rule."""


Place = tuple[str | int, ...]
"""The path of a part of some YAML: the keys and numbers that lead to it, such as `("website", "navbar", 0)`."""

Value = TypeVar("Value")


@dataclass
class Yaml(Generic[Value]):
    """A piece of YAML: its value, and the line of each part in its file."""

    value: Value
    lines: dict[Place, int] = field(default_factory=dict)


class Loader(yaml.SafeLoader):
    """Reads YAML as both renderers do: a key stands once, and a date that isn't in the calendar has a line, too."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """Construct a value; what Python can't make of it is said of the line that it is on."""
        try:
            return super().construct_object(node, deep)
        except (TypeError, ValueError) as error:  # a key that is a list, a day that isn't in the calendar
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Construct a mapping, and refuse a key that is there twice."""
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:  # `!!map` may stand before a list
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key has to be a text", key.start_mark)
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, name: str, first: int = 1) -> Yaml[object]:
    """Read YAML.

    Args:
        text: the YAML.
        name: what a message calls its file.
        first: the number of its first line in that file.

    Raises:
        BuildError: it can't be read; the message says on which line, and how to write it.
    """
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Yaml(None)
        value = loader.construct_document(node)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + first
        raise BuildError(
            f"{name}, line {line}: a character that YAML can't hold ({error.reason}). Delete it."
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        # What was opened and never closed is noticed far from where it was opened.
        if error.context_mark and re.search("scanning a quoted|flow", error.context or ""):
            line = error.context_mark.line
        texts = text.split("\n")
        while line and not (line < len(texts) and texts[line].strip()):
            line -= 1  # the end of the text, which is where YAML noticed
        shown = texts[line]
        raise BuildError(f"{name}, line {line + first}: {_yaml_problem(error, shown)}") from error
    lines: dict[Place, int] = {}
    for path, line in _lines(node, (), ()):
        if line is None:
            raise BuildError(f"{name}, line {lines[path]}: this alias holds itself. Write out what it stands for.")
        lines[path] = line + first
    return Yaml(value, lines)


def _lines(node: yaml.Node, path: Place, around: tuple[yaml.Node, ...]) -> Iterator[tuple[Place, int | None]]:
    """Yield the line, from 0, of each key and each item inside a node; None for one that holds itself."""
    if any(node is outer for outer in around):
        yield path, None
        return
    inside: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        inside = [(key.value, key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
    elif isinstance(node, yaml.SequenceNode):
        inside = [(number, value, value) for number, value in enumerate(node.value)]
    for key, place, value in inside:
        yield (*path, key), place.start_mark.line
        yield from _lines(value, (*path, key), (*around, node))


def _yaml_problem(error: yaml.MarkedYAMLError, line: str) -> str:
    """Say what is wrong with a line of YAML, and how to write it."""
    problem, context = error.problem or "", error.context or ""
    key, _, value = (part.strip() for part in line.partition(":"))
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in problem:
        return "a tab. YAML is indented with spaces."
    if "twice" in problem:
        return f"{problem}. Keep one of the two."
    if "out of range" in problem or "must be in" in problem:
        return f"there is no such day ({problem}): {line.strip()}"
    if "quoted" in context:
        return "a quotation mark is opened here and not closed."
    if "flow" in context:
        return f"a bracket is opened and not closed, or a comma is missing: {line.strip()}"
    if value and value[0] not in "\"'" and (": " in value or value.endswith(":") or value[0] in "@`%*&!|>?{}[],"):
        text = json.dumps(value, ensure_ascii=False)
        return f"what holds a colon or begins with a sign has to be in quotes. Write {key}: {text}"
    if value and "block end" in problem:
        return f"text goes on after a quotation mark that closes. Put all of it in one kind of quotes: {line.strip()}"
    return f"this can't be read as YAML ({problem or context}). Is it indented as it should be? {line.strip()}"


def split_front_matter(text: str, name: str, first: int = 1) -> tuple[Yaml[dict[str, Any] | None], str]:
    """Take the front matter off the top of a page. Returns it, with no value where there is none, and the rest.

    Args:
        text: the page.
        name: what a message calls its file.
        first: the number of its first line in that file.

    Raises:
        BuildError: its YAML can't be read, or is no keys and values, or isn't closed.
    """
    found = FRONT.match(text)
    if not found:
        if OPENED.match(text):
            raise BuildError(
                f"{name}, line {first}: the front matter isn't closed. Write --- on a line after its last."
            )
        return Yaml(None), text
    front = parse_yaml(found[1] or "", name, first + 1)
    if front.value is not None and not isinstance(front.value, dict):
        raise BuildError(f'{name}, line {first + 1}: front matter is keys and values, such as title: "My page".')
    return Yaml(front.value, front.lines), text[found.end() :]
