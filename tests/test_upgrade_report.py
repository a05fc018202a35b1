"""The upgrade report: two real environments, and a notebook that the newer one of them breaks."""

import argparse
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from course_build import environment, upgrade_report
from course_build.errors import BuildError

OLD = """
def greet(name):
    return f"Hello {name}"

def shout(name):
    return name.upper()

def fail():
    raise ValueError("as it ever was")
"""
NEW = """
import warnings

def greet(name):
    warnings.warn("greet() will go away", FutureWarning, stacklevel=2)
    return f"Hi {name}"

def fail():
    return "mended"
"""
CELLS = {
    "import fancy": {},
    "print('the same')": {},
    "fancy.greet('you')": {},
    "fancy.shout('you')": {},
    "fancy.fail()": {"tags": ["raises-exception"]},
    "fancy.greet('me')": {"varies": "fancy"},
    "print(0.12349, object())": {},
}


def make_environment(folder: Path, version: str, code: str) -> Path:
    """An environment that has all that this one has, and one package more."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("**/site-packages")
    (site / "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (site / "fancy.py").write_text(code, encoding="utf-8")
    (site / f"fancy-{version}.dist-info").mkdir()
    metadata = f"Metadata-Version: 2.1\nName: fancy\nVersion: {version}\n"
    (site / f"fancy-{version}.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")
    return environment.python(folder)


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> upgrade_report.Lesson:
    folder = tmp_path_factory.mktemp("upgrade")
    cells = [nbformat.v4.new_code_cell(source, metadata=metadata) for source, metadata in CELLS.items()]
    path = folder / "01_fancy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    old, new = (make_environment(folder / v, v, code) for v, code in (("1.0", OLD), ("2.0", NEW)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upgrade_report, "FOLDER", folder)
        return upgrade_report.compare("01_fancy", *[upgrade_report.record_in(each, path) for each in (old, new)])


def test_each_way_to_break_is_found_and_what_stayed_is_left_alone(compared):
    assert [(finding.cell, finding.kind) for finding in compared.findings] == [
        (3, "other output"),
        (4, "raises"),
        (5, "no longer raises"),
        (6, upgrade_report.EXPECTED),
    ]
    assert compared.broken
    assert "AttributeError: module 'fancy' has no attribute 'shout'" in compared.findings[1].detail
    assert "-'Hello you'\n+'Hi you'" in compared.findings[0].detail


def test_a_new_warning_is_told_once(compared):
    assert compared.new_warnings == ["FutureWarning: greet() will go away"]
    assert compared.gone_warnings == []


def test_the_page_tells_all_of_it_and_escapes_what_cells_print(compared, tmp_path, monkeypatch):
    monkeypatch.setattr(upgrade_report, "FOLDER", tmp_path)
    compared.findings[1].source = "print('<script>')"
    page = upgrade_report.write_page([compared], ["fancy==2.0"]).read_text(encoding="utf-8")
    assert "1 of 1 lessons broke" in page
    assert "<tr><td>fancy</td><td>1.0</td><td>2.0</td></tr>" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "http" not in page


def test_a_run_that_ends_early_is_broken():
    cell = {"source": "1", "outputs": [], "seconds": 1.0, "varies": ""}
    run = {"cells": [cell, cell], "died": None, "packages": {}, "python": "3.11"}
    lesson = upgrade_report.compare("01_one", run, {**run, "cells": [cell], "died": "Kernel died"})
    assert [(finding.cell, finding.kind, finding.detail) for finding in lesson.findings] == [
        (2, "ends early", "Kernel died")
    ]
    assert not upgrade_report.compare("01_one", run, run).broken
    assert lesson.slower == 0.5


@pytest.mark.parametrize(("broken", "status"), [(True, 1), (False, 0)])
def test_the_exit_status_says_whether_a_lesson_broke(compared, tmp_path, monkeypatch, capsys, broken, status):
    same = upgrade_report.compare("01_fancy", compared.before, compared.before)
    monkeypatch.setattr(upgrade_report, "FOLDER", tmp_path)
    monkeypatch.setattr(upgrade_report, "make_environment", lambda requirements: Path(sys.executable))
    monkeypatch.setattr(upgrade_report, "record_in", lambda interpreter, path: compared.before)
    monkeypatch.setattr(upgrade_report, "compare", lambda *_: compared if broken else same)
    assert upgrade_report.run(argparse.Namespace(requirements=[], lesson=["01"])) == status
    assert ("BROKEN: 01_fancy" in capsys.readouterr().out) == broken


def test_bad_requests_are_answered_with_what_would_be_good():
    with pytest.raises(BuildError, match=r"One is transformers==4\.57\.6"):
        upgrade_report.parse("transformers=4")
    with pytest.raises(BuildError, match="There are: 01_one"):
        upgrade_report.choose([Path("01_one.ipynb")], ["77"])


def test_an_interpreter_that_cannot_run_a_notebook_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(upgrade_report, "FOLDER", tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    with pytest.raises(BuildError, match="No module named 'nbclient'"):
        upgrade_report.record_in(environment.python(tmp_path / "bare"), tmp_path / "01_one.ipynb")


def test_upper_bounds_are_lifted_and_exact_pins_are_not():
    assert any(line.startswith("transformers") for line in upgrade_report._dependencies())
    assert not any("==" in line for line in upgrade_report._dependencies())
