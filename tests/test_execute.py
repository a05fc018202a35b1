"""Executing notebooks: what is reused, what is run again, and how a failure is told."""

import nbformat
import pytest

from course_build import execute
from course_build.errors import BuildError

FRONT = "---\ntitle: A small lesson\n---"


def write(site, name, *sources, prose="Some prose.", tags=()):
    cells = [nbformat.v4.new_raw_cell(FRONT), nbformat.v4.new_markdown_cell(prose)]
    cells += [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    path = site / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def outputs(path):
    return [cell.outputs for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "EXECUTED", tmp_path / "executed")
    return tmp_path / "site"


COUNT_RUNS = "from pathlib import Path\nwith Path({!r}).open('a') as runs: runs.write('x')\n1 + 1"


def test_an_unchanged_notebook_is_run_once(site, tmp_path, capsys):
    runs = tmp_path / "runs"
    path = write(site, "01_one", COUNT_RUNS.format(str(runs)))
    execute.execute(site)
    assert outputs(path)[0][0].data["text/plain"] == "2"
    write(site, "01_one", COUNT_RUNS.format(str(runs)), prose="Better prose.")
    execute.execute(site)
    assert "is unchanged" in capsys.readouterr().out
    assert runs.read_text() == "x"
    assert outputs(path)[0][0].data["text/plain"] == "2"
    assert nbformat.read(path, as_version=4).cells[1].source == "Better prose."
    execute.execute(site, force=True)
    assert runs.read_text() == "xx"


@pytest.mark.parametrize("change", ["code", "tags", "helper package"])
def test_a_change_that_could_change_an_output_runs_it_again(site, tmp_path, monkeypatch, change):
    runs = tmp_path / "runs"
    write(site, "01_one", COUNT_RUNS.format(str(runs)))
    execute.execute(site)
    code = COUNT_RUNS.format(str(runs)) + ("0" if change == "code" else "")
    write(site, "01_one", code, tags=["a-tag"] if change == "tags" else [])
    if change == "helper package":
        monkeypatch.setattr(execute, "_package_files", lambda lesson: [execute.LOCK])
    execute.execute(site)
    assert runs.read_text() == "xx"


def test_a_lesson_hangs_on_its_own_exercises_and_quiz_alone():
    files = {path.name for path in execute._package_files("03")}
    assert {"lesson_03.py", "quiz_03.toml", "plots.py", "models.toml"} <= files
    assert not {"lesson_02.py", "quiz_02.toml"} & files


def test_a_damaged_store_is_run_again(site, tmp_path):
    path = write(site, "01_one", "1 + 1")
    execute.execute(site)
    (tmp_path / "executed" / "01_one.json").write_text('{"fingerprint": ')
    execute.execute(site)
    assert outputs(path)[0][0].data["text/plain"] == "2"


def test_a_raising_cell_is_named_and_the_other_lessons_still_run(site, tmp_path):
    write(site, "01_bad", "x = 0", "1 / x")
    write(site, "02_good", "'fine'")
    with pytest.raises(BuildError, match=r"01_bad\.ipynb: a cell raised") as failure:
        execute.execute(site)
    assert "1 / x" in str(failure.value)
    assert "ZeroDivisionError" in str(failure.value)
    assert (tmp_path / "executed" / "02_good.json").exists()
    assert not (tmp_path / "executed" / "01_bad.json").exists()


def test_a_dead_kernel_is_told(site):
    write(site, "01_dies", "import os, signal\nos.kill(os.getpid(), 9)")
    with pytest.raises(BuildError, match=r"01_dies\.ipynb"):
        execute.execute(site)


def test_what_is_no_notebook_is_named(site):
    path = write(site, "01_one", "1")
    path.write_text(path.read_text()[:50])
    with pytest.raises(BuildError, match=r"01_one\.ipynb can't be read as a notebook"):
        execute.execute(site)


def test_an_unknown_lesson_is_answered_with_the_known_ones(site):
    write(site, "01_one", "1")
    with pytest.raises(BuildError, match=r"no lesson is called '07'\. There are: 01_one"):
        execute.execute(site, ["07"])


def test_an_expected_error_keeps_the_learners_frames_and_hides_the_libraries(site):
    source = "import numpy\n\nnumpy.linalg.inv(numpy.zeros((2, 3)))"
    path = write(site, "01_raises", source, tags=["raises-exception"])
    execute.execute(site)
    text = "\n".join(outputs(path)[0][0].traceback)
    assert "numpy.linalg.inv(numpy.zeros" in text
    assert "frames inside libraries" in text
    assert "must be square" in text
    assert "site-packages" not in text
    assert "\x1b" not in text


def test_executing_writes_no_time_of_day_and_no_versions(site):
    path = write(site, "01_one", "1 + 1")
    execute.execute(site)
    first = path.read_text()
    execute.execute(site, force=True)
    assert path.read_text() == first
    assert "execution" not in nbformat.read(path, as_version=4).cells[2].metadata
    assert "version" not in nbformat.read(path, as_version=4).metadata.language_info


def test_refreshing_the_saved_outputs_writes_only_what_changed(site, monkeypatch, capsys):
    from argparse import Namespace

    staged = write(site, "01_one", "1 + 1")
    sources = site.parent / "notebooks"
    sources.mkdir()
    (sources / "01_one.ipynb").write_text(staged.read_text(), encoding="utf-8")
    monkeypatch.setattr(execute, "NOTEBOOKS", sources)
    monkeypatch.setattr(execute, "ROOT", site.parent)
    monkeypatch.setattr(execute, "fingerprint", lambda notebook, lesson: lesson)
    monkeypatch.setattr(execute, "stage", lambda: site)
    execute.run(Namespace(names=[], force=False))
    assert outputs(sources / "01_one.ipynb")[0][0].data["text/plain"] == "2"
    assert "wrote the outputs" in capsys.readouterr().out
    execute.run(Namespace(names=[], force=False))
    assert "wrote the outputs" not in capsys.readouterr().out
    assert [path.name for path in sources.iterdir()] == ["01_one.ipynb"]
