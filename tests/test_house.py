"""The house: rooms that say what belongs in them, names that stand for one thing, and a way in that leads somewhere."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from course_build.paths import ROOT

PACKAGES = ("course_utils", "course_build")
ROOMS = sorted(path.parent for package in PACKAGES for path in ROOT.glob(f"{package}/**/__init__.py"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

MOST = 9
"""Modules in a room: what a person takes in at a glance, and two. Lessons' exercises are a file each."""


def modules(room: Path) -> list[Path]:
    return [path for path in room.glob("*.py") if not path.name.startswith("__")]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_a_room_says_in_a_sentence_what_belongs_there_and_is_small(room):
    first = (ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    assert re.fullmatch(r"[A-Z`].{20,}\.", first, re.DOTALL)
    assert room.name == "exercises" or len(modules(room)) <= MOST
    if room.parent != ROOT:
        assert f"| `{room.name}/` |" in CONTRIBUTING


def test_a_docstring_says_the_noun():
    """One that begins with "What ..." or "Whether ..." has to be decoded."""
    found = []
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                said = ast.get_docstring(node) or ""
                if re.match(r"(What|Whether|Which|How|Where|Who|Why)\b", said):
                    found.append(f"{path.name}: {said.splitlines()[0]}")
    assert found == []


def test_no_module_has_the_name_of_another():
    names = Counter(path.stem for room in ROOMS for path in modules(room))
    assert [name for name, count in names.items() if count > 1] == []


def test_each_file_that_the_way_in_names_is_there():
    table = CONTRIBUTING.partition("### You see this, open that")[2].partition("\nA command writes")[0]
    named = re.findall(r"`([\w.]+/[\w./]*|\w+\.toml)`", table)
    assert len(named) >= 30
    assert [name for name in named if not (ROOT / name).exists()] == []
