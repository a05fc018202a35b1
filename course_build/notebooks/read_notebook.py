"""Notebooks: read one of format 4, and say in a sentence what is wrong with it."""

import json
import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4.nbjson import JSONReader

from course_build import BuildError
from course_build.text_files import name_of, read_text

FORMAT = 4
"""The notebook format that Jupyter, Quarto and the course read."""

CONFLICT = re.compile(r"^(?:<{7}|>{7})(?: .*)?$", re.MULTILINE)
"""What git writes around the two versions of some lines that it could not merge."""


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


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return a notebook's code cells, in their order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def sections(notebook: NotebookNode) -> list[tuple[str, list[int]]]:
    """Return the sections that have code: each `##` heading with the numbers of its code cells, from 0 among those.

    The cells above the first heading come with an empty one.
    """
    found: list[tuple[str, list[int]]] = [("", [])]
    number = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found += [
                (heading, []) for heading in re.findall(r"^## +(.+?)\s*$", without_blocks(cell.source), re.MULTILINE)
            ]
        elif cell.cell_type == "code":
            found[-1][1].append(number)
            number += 1
    return [section for section in found if section[1]]


def without_blocks(text: str) -> str:
    """Return Markdown without its blocks of code and its divs, in which a line may look like a heading."""
    text = re.sub(r"^(`{3,}|~{3,}).*?^\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^:{3,}\s*\{.*?^:{3,}\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def _fill_in(notebook: dict[str, Any]) -> None:
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
