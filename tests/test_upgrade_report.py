"""The upgrade report: two real environments, and a notebook that the newer one of them breaks."""

import argparse
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from course_build import BuildError
from course_build.notebooks import upgrade_report
from course_build.setup import environment

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
    monkeypatch.setitem(compared.before["packages"], "linter", "3.0")
    page = upgrade_report.write_page([compared], ["fancy==2.0"]).read_text(encoding="utf-8")
    assert "1 of 1 lesson broke</span> with\nfancy==2.0, compared" in page
    assert (
        """<span class="bad">-&#39;Hello you&#39;</span>\n<span class="good">+&#39;Hi you&#39;</span>\n</pre>""" in page
    )
    assert "<tr><td>fancy</td><td>1.0</td><td>2.0</td></tr>" in page
    assert "<td>linter</td>" not in page
    assert ": linter.</p>" in page
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


def run_of(count: int, died: str | None = None) -> dict:
    cells = [{"source": str(n), "outputs": [], "seconds": 1.0, "varies": ""} for n in range(count)]
    return {"cells": cells, "died": died, "packages": {}, "python": "3.11"}


@pytest.mark.parametrize(
    ("before", "after", "cell", "kind"),
    [
        (run_of(3), run_of(1, "dead"), 2, "ends early"),
        (run_of(3), run_of(3, "dead"), 4, "ends early"),
        (run_of(0, "dead"), run_of(2), 1, upgrade_report.NOT_COMPARED),
        (run_of(2, "dead"), run_of(2, "dead"), 3, upgrade_report.NOT_COMPARED),
        (run_of(2, "dead"), run_of(1, "dead"), 2, "ends early"),
    ],
)
def test_what_neither_run_reached_is_not_called_the_same(before, after, cell, kind):
    lesson = upgrade_report.compare("01_one", before, after)
    assert [(finding.cell, finding.kind, finding.detail) for finding in lesson.findings] == [(cell, kind, "dead")]
    assert lesson.broken


def test_a_kernel_that_dies_ends_the_record_with_its_last_words(tmp_path, monkeypatch):
    dying = "import os, sys\nprint('out of luck', file=sys.__stderr__, flush=True)\nos._exit(1)"
    cells = [nbformat.v4.new_code_cell(source) for source in ("1 + 1", dying, "2 + 2")]
    path = tmp_path / "01_one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setattr(upgrade_report, "FOLDER", tmp_path)
    found = upgrade_report.record_in(Path(sys.executable), path)
    assert [cell["source"] for cell in found["cells"]] == ["1 + 1"]
    assert found["died"].startswith("its kernel died")
    assert found["died"].endswith("out of luck")
    assert found["packages"]["lazy-loader"]


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


def test_an_interpreter_that_cannot_run_a_notebook_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(upgrade_report, "FOLDER", tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    with pytest.raises(BuildError, match=r"No module named '\w+'"):
        upgrade_report.record_in(environment.python(tmp_path / "bare"), tmp_path / "01_one.ipynb")


def wanted(*texts: str, every: bool = False) -> list[str]:
    return list(map(str, upgrade_report.loosened([upgrade_report.parse(text) for text in texts], every=every)))


def test_upper_bounds_are_lifted_and_exact_pins_are_not():
    assert "transformers" in wanted(every=True)
    assert "vaderSentiment==3.3.2" in wanted(every=True)
    assert not any("<" in line for line in wanted(every=True))
    assert "transformers" not in wanted()


def test_a_requirement_takes_the_place_of_the_project_s_own():
    lines = wanted("Transformers==4.57.6", "ray==2.50", "polars", "numpy>=2.1", "NumPy<2.2")
    assert "Transformers==4.57.6" in lines
    assert [line for line in lines if line.startswith("ray[data]==2.50;")]  # with its extra, where it can be had
    assert lines[-1] == "polars"
    assert sum("ump" in line.lower() and "2.1" in line and "<2.2" in line for line in lines) == 1
    names = [upgrade_report.Requirement(line).name.lower() for line in lines]
    assert len(names) == len(set(names)) == len(wanted()) + 1


@pytest.fixture
def indexes(monkeypatch, tmp_path):
    """uv, of which PyTorch's own index can't be reached, and that resolves to what the test says."""
    calls = []

    def uv(command, purpose, **options):
        calls.append(command)
        if "compile" in command:
            (tmp_path / "requirements.txt").write_text(indexes.resolved, encoding="utf-8")
        failed = "--torch-backend" in command
        return subprocess.CompletedProcess(command, int(failed), "no such index" if failed else "")

    def indexes(resolved):
        indexes.resolved = resolved
        return calls

    monkeypatch.setattr(upgrade_report, "FOLDER", tmp_path)
    monkeypatch.setattr(upgrade_report.progress, "run", uv)
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    monkeypatch.setattr(upgrade_report, "version", lambda name: "9.9+cpu")
    monkeypatch.delenv("COURSE_TORCH", raising=False)
    return indexes


def test_the_cuda_libraries_are_never_fetched_unasked(indexes, monkeypatch):
    calls = indexes("torch==1.2\nnvidia-cublas-cu99==1.0\n")
    with pytest.raises(
        BuildError, match=r"torch==1\.2: .* with CUDA only, .* \(nvidia-cublas-cu99==1\.0, .*COURSE_TORCH"
    ):
        upgrade_report.make_environment([upgrade_report.parse("torch==1.2")])
    assert not any("install" in call and "requirements.txt" in str(call) for call in calls)
    monkeypatch.setenv("COURSE_TORCH", "default")
    assert upgrade_report.make_environment([upgrade_report.parse("torch==1.2")])


def test_torch_stays_as_it_is_where_its_own_index_cannot_be_reached(indexes, tmp_path):
    indexes("torch==9.9+cpu\n")
    upgrade_report.make_environment([])
    assert "torch==9.9+cpu" in (tmp_path / "requirements.in").read_text(encoding="utf-8").splitlines()


def test_a_name_alone_asks_for_the_newest(indexes):
    calls = indexes("")
    upgrade_report.make_environment([upgrade_report.parse("tokenizers"), upgrade_report.parse("numpy==2.1")])
    (compiled,) = [call for call in calls if "compile" in call and "--torch-backend" not in call]
    assert compiled[compiled.index("-P") + 1] == "tokenizers"
    assert compiled.count("-P") == 1


def test_requirements_that_cannot_be_met_are_told_in_the_resolver_s_words(indexes, monkeypatch):
    monkeypatch.setattr(
        upgrade_report.progress,
        "run",
        lambda command, purpose, **_: subprocess.CompletedProcess(command, 1, "no version of numpy==99"),
    )
    with pytest.raises(BuildError, match=r"no environment could be made with numpy==99:\nno version of numpy==99"):
        upgrade_report.make_environment([upgrade_report.parse("numpy==99")])
