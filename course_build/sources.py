"""Read what people write (text, YAML, front matter, notebooks), and say in a sentence what is wrong with it.

Each message names the file and, where it can be known, the line. What it advises never costs anybody their work.
"""

import json
import re
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4.nbjson import JSONReader

from course_build.errors import BuildError
from course_build.paths import ROOT

FORMAT = 4
"""The notebook format that Jupyter, Quarto and the course read."""

FRONT = re.compile(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
"""The YAML between two lines of dashes at the top of a page."""
OPENED = re.compile(r"---[ \t]*\n[ \t]*\S")
"""How front matter begins. A line of dashes with an empty one after it is a rule."""
CONFLICT = re.compile(r"^(?:<{7}|>{7})(?: .*)?$", re.MULTILINE)
"""What git writes around the two versions of some lines that it could not merge."""


def name_of(path: Path) -> str:
    """Return what a message calls a file: its address from the checkout's root, or its folder's name and its own."""
    path = path.absolute()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else f"{path.parent.name}/{path.name}"


# ---------------------------------------------------------------------------------------------------------------- text


def read_text(path: Path, name: str | None = None) -> str:
    r"""Read a file of UTF-8 text, with `\n` at the end of each line and without a byte order mark.

    Args:
        path: the file.
        name: what a message calls it.

    Raises:
        BuildError: it can't be read, or isn't UTF-8.
    """
    name = name or name_of(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuildError(f"{name} can't be read: {error.strerror or error}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            place, found = name, "it is UTF-16"
        else:
            line = content.count(b"\n", 0, error.start) + 1
            place = f"{name}, line {line}"
            found = f"the byte 0x{content[error.start]:02X} isn't UTF-8, so it may be Latin-1 or Windows-1252"
        raise BuildError(
            f"{place}: {found}. Open the file in an editor that shows its letters rightly, and save it as UTF-8."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


# ---------------------------------------------------------------------------------------------------------------- YAML


@dataclass
class Yaml:
    """What a piece of YAML says, and on which line of its file each part stands: `("website", "navbar", 0)`, say."""

    value: object
    lines: dict[tuple, int] = field(default_factory=dict)


class Loader(yaml.SafeLoader):
    """Reads YAML as both renderers do: a key stands once, and a date that isn't in the calendar has a line, too."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """Construct a value; what Python can't make of it is said of the line that it is on."""
        try:
            return super().construct_object(node, deep)
        except (TypeError, ValueError) as error:  # a key that is a list, a day that isn't in the calendar
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict:
        """Construct a mapping, and refuse a key that is there twice."""
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key has to be a text", key.start_mark)
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, name: str, first: int = 1) -> Yaml:
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
        line = mark.line
        # What was opened and never closed is noticed far from where it was opened.
        if error.context_mark and re.search("scanning a quoted|flow", error.context or ""):
            line = error.context_mark.line
        lines = text.split("\n")
        while line and not (line < len(lines) and lines[line].strip()):
            line -= 1  # the end of the text, which is where YAML noticed
        shown = lines[line]
        raise BuildError(f"{name}, line {line + first}: {_yaml_problem(error, shown)}") from error
    lines = {}
    for path, line in _lines(node, (), ()):
        if line is None:
            raise BuildError(f"{name}, line {lines[path]}: this alias holds itself. Write out what it stands for.")
        lines[path] = line + first
    return Yaml(value, lines)


def _lines(node: yaml.Node, path: tuple, around: tuple) -> Iterator[tuple[tuple, int | None]]:
    """Yield the line, from 0, of each key and each item inside a node; None for one that holds itself."""
    if any(node is outer for outer in around):
        yield path, None
        return
    inside = []
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


# -------------------------------------------------------------------------------------------------------- front matter


def split_front_matter(text: str, name: str, first: int = 1) -> tuple[Yaml, str]:
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
    if not isinstance(front.value, dict | None):
        raise BuildError(f'{name}, line {first + 1}: front matter is keys and values, such as title: "My page".')
    return front, text[found.end() :]


# ----------------------------------------------------------------------------------------------------------- notebooks


def read_notebook(path: Path, name: str | None = None) -> NotebookNode:
    """Read a notebook of format 4.

    Args:
        path: the file.
        name: what a message calls it.

    Raises:
        BuildError: it can't be read, is none, or is in another format.
    """
    name = name or name_of(path)
    text = read_text(path, name)
    if not text.strip():
        raise BuildError(f"{name} is empty. {_earlier(name)}")
    try:
        notebook = json.loads(text)
    except ValueError as error:
        raise BuildError(_json_problem(error, text, name)) from error
    if not isinstance(notebook, dict) or not isinstance(version := notebook.get("nbformat"), int):
        raise BuildError(f"{name} is JSON, but no notebook: it doesn't say which notebook format it has.")
    if version < FORMAT:
        raise BuildError(
            f"{name} is in notebook format {version}, which Jupyter left behind in 2015. Open it in JupyterLab and save"
            f" it: that writes format {FORMAT}."
        )
    if version > FORMAT:
        raise BuildError(
            f"{name} is in notebook format {version}, which is newer than what is installed here can read. Save it as"
            f" format {FORMAT} with the program that wrote it."
        )
    try:
        _fill_in(notebook)
        with warnings.catch_warnings(action="ignore"):  # of cells without an id, which get one
            nbformat.validate(notebook, relax_add_props=True)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:  # nbformat raises them all
        raise BuildError(f"{name} is not a valid notebook: {_invalid(error)}. {_earlier(name)}") from error
    return JSONReader().to_notebook(notebook)


def _fill_in(notebook: dict) -> None:
    """Give a notebook what the format wants and other programs leave out, because nothing depends on it."""
    notebook.setdefault("metadata", {})
    notebook.setdefault("nbformat_minor", 0)
    for cell in notebook["cells"]:
        cell.setdefault("metadata", {})
        if cell["cell_type"] == "code":
            cell.setdefault("execution_count", None)
            for output in cell.setdefault("outputs", []):
                if output["output_type"] in ("display_data", "execute_result"):
                    output.setdefault("metadata", {})
                if output["output_type"] == "execute_result":
                    output.setdefault("execution_count", None)


def _json_problem(error: ValueError, text: str, name: str) -> str:
    """Say why a notebook can't be read as JSON, and how to get its content back."""
    if marker := CONFLICT.search(text):
        line, path = text.count("\n", 0, marker.start()) + 1, shlex.quote(f"./{name}")
        return (
            f"{name}, line {line}: {marker[0]} was written by a merge that isn't settled. In a text editor, keep of the"
            " two versions between <<<<<<< and >>>>>>> the lines that you want, and delete the three lines of marks."
            f" While the merge is open, `git show :2:{path} > ours.ipynb` and `git show :3:{path} > theirs.ipynb`"
            " write each version into a file of its own, and change nothing else."
        )
    if not isinstance(error, json.JSONDecodeError):
        return f"{name} can't be read as a notebook: {error}."
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"{name}, line {error.lineno}: the file ends in the middle, so its end was lost. {_earlier(name)}"
    return f"{name}, line {error.lineno}: this isn't JSON, which a notebook is made of ({error.msg}). {_earlier(name)}"


def _earlier(name: str) -> str:
    """Say where an earlier version may be, with a command that writes over nothing."""
    path = shlex.quote(f"./{name}")
    return (
        f"An earlier version may be in .ipynb_checkpoints beside it, or in git: `git show HEAD:{path} > earlier.ipynb`"
        " writes it into a file of its own."
    )


def _invalid(error: Exception) -> str:
    """Say which cell of a notebook is invalid, and why."""
    place = list(getattr(error, "absolute_path", None) or [])
    where = f"cell {place[1] + 1}" if place[:1] == ["cells"] and len(place) > 1 else "the notebook"
    return f"{where}: {getattr(error, 'message', str(error)).splitlines()[0]:.200}"
