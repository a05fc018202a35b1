"""Fingerprint: what a lesson's outputs depend on, so that one that is unchanged need not be run.

`make execute` writes it into the notebook's metadata. It hashes the code of the cells, each module of the course that
they import, directly or by way of another, the data files that those modules name, the `learn` layer of the lock, and
the catalogue of models with the recipe of their exports. Comments, docstrings and blank lines don't count, nor does
what works in a learner's folder alone, and nothing of the machine does: the fingerprint is the same for everybody.

The imports are found by reading, not by running. A module that is started by its name (`python -m course_utils
classify`) counts as imported. What a lesson's code alone decides at run time, such as a module whose name it puts
together, isn't found; `make test`, which runs every cell, is where the proof is.
"""

import ast
import functools
import hashlib
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypedDict

from nbformat import NotebookNode

from course_build.notebooks.read_notebook import code_cells
from course_build.paths import ROOT
from course_build.setup import lock

PACKAGES = ("course_utils", "course_build")
KEY = "course"
"""The key in a notebook's metadata that holds the fingerprint."""

CATALOGUE = "course_utils/models/models.toml"
EXPORTS = "course_build/models/onnx_export.py"
"""How a model is exported to ONNX: of the exports no catalogue can hold a hash (`course_build.models.prepare`)."""

CLASSROOM = "course_utils/classroom"
"""The room that has nothing to say in a run, for a run is never in a learner's folder: it doesn't count."""

SHELL = re.compile(r"^\s*[!%].*-m (course_utils|course_build)[ .]([\w-]+)", re.MULTILINE)
"""A module that a cell starts in a line of a shell, and its command."""

MAGIC = re.compile(r"^([ \t]*)([%!]|\?+\S+[ \t]*$|\S+\?+[ \t]*$|\w+[ \t]*=[ \t]*[%!])", re.MULTILINE)
"""A line, in a cell, that only IPython reads: a magic, a shell's line, a question about a name."""

OF_ONE_LESSON = re.compile(r"quiz_(\d\d)\.toml")


class Fingerprint(TypedDict, total=False):
    """Short hashes of all that the outputs of a lesson depend on: `fingerprint` says more."""

    cells: str
    lock: str
    files: dict[str, str]
    models: str


def fingerprint(notebook: NotebookNode, lesson: str) -> Fingerprint:
    """Return short hashes of all that the outputs of a lesson depend on.

    Args:
        notebook: its content; prose, outputs and metadata don't matter.
        lesson: its two digits, for a lesson reads its own quiz alone.

    Returns:
        `cells`, `lock` and `models`: a hash each; `files`: a hash for each module and data file of the course, by its
        path in the checkout.
    """
    cells = code_cells(notebook)
    sources, tags = [cell.source for cell in cells], [cell.metadata.get("tags", []) for cell in cells]
    files = dependencies(sources, lesson)
    found: Fingerprint = {
        "cells": short(repr([(without_comments(source), each) for source, each in zip(sources, tags, strict=True)])),
        "lock": short("\n".join(lock.pins("learn"))),
        "files": {name: hash_source(ROOT / name) for name in files if name != CATALOGUE},
    }
    if CATALOGUE in files:
        found["models"] = short(hash_source(ROOT / CATALOGUE) + hash_source(ROOT / EXPORTS))
    return found


def saved_fingerprint(notebook: NotebookNode) -> Fingerprint:
    """Return what the saved outputs of a lesson were made of; empty where `make execute` saved none."""
    return notebook.metadata.get(KEY, {}).get("fingerprint", {})


def reason_to_run(notebook: NotebookNode, lesson: str) -> str:
    """Return in words what changed since the outputs of a lesson were saved, or an empty string if nothing did."""
    saved = saved_fingerprint(notebook)
    now = fingerprint(notebook, lesson)
    if saved == now:
        return ""
    if not saved:
        return "it has no outputs that `make execute` saved"
    words = {"cells": "its code", "lock": "the packages' versions", "models": "the catalogue of models"}
    changed = [text for name, text in words.items() if saved.get(name) != now.get(name)]
    before, after = saved.get("files", {}), now["files"]
    changed += sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"changed: {', '.join(changed[:3])}{more}"


def dependencies(sources: Iterable[str], lesson: str) -> list[str]:
    """Return the paths, relative to the checkout, of the course's modules and data files that cells depend on."""
    wanted = [file for source in sources for file in _named_in_cell(source)]
    found: set[Path] = set()
    while wanted:
        file = wanted.pop()
        of = OF_ONE_LESSON.fullmatch(file.name)
        if file in found or not file.is_file() or file.is_relative_to(ROOT / CLASSROOM) or (of and of[1] != lesson):
            continue
        found.add(file)
        if file.suffix == ".py":
            wanted += _named_in_module(file)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def _named_in_cell(source: str) -> Iterator[Path]:
    for package, command in SHELL.findall(source):
        yield from _started(package, command)
    if (read := _read(source)) is not None:
        yield from _imported(read[1], "")


def _named_in_module(path: Path) -> tuple[Path, ...]:
    return _named_in_text(path, path.read_text(encoding="utf-8"))


@functools.cache
def _named_in_text(path: Path, text: str) -> tuple[Path, ...]:
    """The modules that a module imports or starts, anywhere in it, and the files of its package that it names."""
    tree = ast.parse(text)
    package = path.parent.relative_to(ROOT).as_posix().replace("/", ".")
    return (*_imported(tree, package), *_data_files(tree, path.parent))


def _started(package: str, command: str = "") -> Iterator[Path]:
    for path in _module(main := f"{package}.__main__"):
        yield path
        if path.stem == "__main__":
            yield from _module(_commands(path).get(command, main))
    yield from _module(f"{package}.{command}")


def _commands(path: Path) -> dict[str, str]:
    """The commands of a package's `__main__`, each with the name of its module: the first thing that it says of it."""
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Dict)
            and ast.unparse(node.targets[0]) == "COMMANDS"
        ):
            for each in zip(node.value.keys, node.value.values, strict=True):
                match each:
                    case ast.Constant(value=str(command)), ast.Tuple(elts=[ast.Constant(value=str(module)), *_]):
                        found[command] = module
    return found


def _imported(tree: ast.AST, package: str) -> Iterator[Path]:
    """The modules that code imports, or starts by a list of arguments.

    Such a list is `[..., "-m", "course_utils", "serve"]`, or, within a package, the one in `main(["serve", ...])`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(alias.name)
                yield from _promised(alias.name)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            origin = ".".join([*parents, *filter(None, [node.module])])
            yield from _module(origin)
            for alias in node.names:
                yield from _attribute(origin, alias.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in PACKAGES:
            yield from _attribute(node.value.id, node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "import " in node.value:
            if (read := _read(node.value)) is not None:  # a program that the code writes to a file
                yield from _imported(read[1], "")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "main" and package:
            first = node.args[0].elts[:1] if node.args and isinstance(node.args[0], ast.List) else []
            yield from _started(
                package.split(".")[0], *(str(part.value) for part in first if isinstance(part, ast.Constant))
            )
        elif isinstance(node, ast.List | ast.Tuple):
            texts = [part.value if isinstance(part, ast.Constant) else "" for part in node.elts]
            if "-m" in texts[:-1]:
                package, _, command = f"{texts[texts.index('-m') + 1]}".partition(".")
                after = texts[texts.index("-m") + 2 :]
                yield from _started(package, command or f"{after[0] if after else ''}")


def _attribute(module: str, name: str) -> Iterator[Path]:
    """Yield what `from module import name` loads besides the module: a module of that name, or a lazy name's module."""
    yield from _module(f"{module}.{name}")
    yield from _promised(f"{module}.{name}")
    package = ROOT.joinpath(*module.split("."), "__init__.py")
    if package in _module(module) and (origin := _lazy_names(package).get(name)):
        yield from _module(f"{module}.{origin}")
        yield from _attribute(f"{module}.{origin}", name)


def _promised(module: str) -> Iterator[Path]:
    """Yield the modules of all lazy names of a room that is imported as a whole, for any of them may be used."""
    package = ROOT.joinpath(*module.split("."), "__init__.py")
    if "." in module and package in _module(module):
        for origin in sorted(set(_lazy_names(package).values())):
            yield from _module(f"{module}.{origin}")


def _lazy_names(path: Path) -> dict[str, str]:
    """The names that a package's `lazy_loader.attach` promises, each with the module that it lies in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "attach":
            options = {keyword.arg: keyword.value for keyword in node.keywords}
            promised = ast.literal_eval(options["submod_attrs"]) if "submod_attrs" in options else {}
            return {name: module for module, names in promised.items() for name in names}
    return {}


def _module(name: str) -> Iterator[Path]:
    """The file of a module of the course, and those of the packages that it lies in; nothing for a library's."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return
    for length in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:length])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path


def _data_files(tree: ast.AST, folder: Path) -> Iterator[Path]:
    """The files beside a module, or in `data/` there, and the folders beside it that it names by a text.

    `{...}` in a text stands for anything.
    """
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts.add("".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values))
    for text in texts:
        if re.fullmatch(r"[\w-][\w*-]*(\.\w+)+", text):
            yield from (path for path in folder.glob(text) if path.suffix != ".py" and path.is_file())
            yield from folder.glob(f"data/{text}")
        elif re.fullmatch(r"[\w-]+", text) and text != "data" and not (folder / text / "__init__.py").exists():
            yield from (path for path in (folder / text).rglob("*") if path.is_file() and not _is_litter(path))


def _is_litter(path: Path) -> bool:
    """Tell whether a program left a file there that is nobody's source."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts)


# ---------------------------------------------------------------------------------------------------------- the hashes


def short(text: str | bytes) -> str:
    """Return the first 12 hexadecimal digits of a SHA-256: enough to tell, and short in a notebook's diff."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:12]


def hash_source(path: Path) -> str:
    """Return the short hash of what counts in a file: of Python its code, of TOML its values, of others each byte."""
    return _hash_content(path.suffix, path.read_bytes())


@functools.cache
def _hash_content(suffix: str, content: bytes) -> str:
    if suffix == ".py":
        return short(without_comments(content.decode()))
    if suffix == ".toml":
        return short(repr(tomllib.loads(content.decode())))
    return short(content)


def without_comments(source: str) -> str:
    """Return Python code without comments, docstrings and blank lines, the same under each version of Python.

    A cell with magics or a shell's lines keeps those as they are. Code that can't be read stays whole.
    """
    if (read := _read(source)) is None:
        return source
    plain, tree = read
    lines, plain_lines = source.split("\n"), plain.split("\n")
    magic = {row for row, pair in enumerate(zip(lines, plain_lines, strict=True), 1) if pair[0] != pair[1]}
    cut = [span for span in (*_comments(plain), *_docstrings(tree, plain_lines)) if span[0][0] not in magic]
    for (row, column), (last_row, last_column) in sorted(cut, reverse=True):
        lines[row - 1 : last_row] = [lines[row - 1][:column] + lines[last_row - 1][last_column:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


Span = tuple[tuple[int, int], tuple[int, int]]
"""Where a piece of a source begins and ends: rows from 1, columns from 0, in characters."""


def _comments(source: str) -> Iterator[Span]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start, token.end


def _docstrings(tree: ast.AST, lines: list[str]) -> Iterator[Span]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                last, end = first.end_lineno, first.end_col_offset
                assert last is not None, "of what was parsed"
                assert end is not None, "the same"
                yield (
                    (first.lineno, _characters(lines[first.lineno - 1], first.col_offset)),
                    (last, _characters(lines[last - 1], end)),
                )


def _characters(line: str, count: int) -> int:
    """Return how many characters the first bytes of a line are: `ast` counts bytes, `tokenize` characters."""
    return len(line.encode()[:count].decode())


def _read(source: str) -> tuple[str, ast.Module] | None:
    """Return code with what only IPython reads turned into comments, row for row, and its tree; None if it is none."""
    for plain in (source, MAGIC.sub(r"\1# \2", source)):
        try:
            return plain, ast.parse(plain)
        except (SyntaxError, ValueError):
            continue
    return None
