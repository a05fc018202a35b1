"""The wheel that is built of the checkout: whole, and enough for a learner who has the packages and no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from course_build.paths import NOTEBOOKS, ROOT
from course_utils import models

BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"

CELLS = """
import json, sys
target, packages, lesson = sys.argv[1:]
sys.path[:0] = [target, packages]
import course_utils
from IPython.core.interactiveshell import InteractiveShell
assert course_utils.__file__.startswith(target), course_utils.__file__
InteractiveShell.enable_gui = lambda self, gui=None: None  # there is no kernel
shell = InteractiveShell.instance()
for cell in json.load(open(lesson, encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        found = shell.run_cell("".join(cell["source"]))
        assert found.success != ("raises-exception" in cell["metadata"].get("tags", [])), cell["source"]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built of a copy, for the build leaves a folder where it works."""
    folder = tmp_path_factory.mktemp("wheel")
    litter = shutil.ignore_patterns("__pycache__", ".*.swp", ".ipynb_checkpoints")
    for package in ("course_utils", "course_build"):
        shutil.copytree(ROOT / package, folder / "source" / package, ignore=litter)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copyfile(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(command, cwd=folder / "source", check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_has_each_file_of_both_packages(wheel):
    sources = wheel.parent / "source"
    wanted = {
        path.relative_to(sources).as_posix()
        for package in ("course_utils", "course_build")
        for path in (sources / package).rglob("*")
        if path.is_file() and path.name != ".DS_Store" and not {".quarto", "_site"} & {*path.parts}
    }
    assert wanted - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_cells_of_lesson_3_run_with_the_wheel_and_no_checkout(wheel, tmp_path):
    """In a Python that sees the installed packages and, in the place of the checkout, the unpacked wheel."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    command = [sys.executable, "-S", "-c", CELLS, str(tmp_path / "installed"), sysconfig.get_path("purelib")]
    environ = {**os.environ, "COURSE_MODELS_DIR": str(models.models_folder()), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [*command, str(next(NOTEBOOKS.glob("03_*.ipynb")))], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_the_build_says_that_it_needs_a_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "course_build", "site"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"course_build: {tmp_path} is no checkout of the course")
