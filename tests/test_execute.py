"""Executing lessons: which are run, what is saved and when, and how a failure is told."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.notebooks import execute, fingerprint
from course_build.paths import ROOT
from course_build.site.build import Trial


def write(folder: Path, name: str, *sources: str, prose: str = "Some prose.", tags: tuple[str, ...] = ()) -> Path:
    cells = [nbformat.v4.new_raw_cell("---\ntitle: A small lesson\n---"), nbformat.v4.new_markdown_cell(prose)]
    cells += [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def code(path: Path) -> list:
    return [cell for cell in lessons.read(path).cells if cell.cell_type == "code"]


def shown(path: Path) -> list[str]:
    return [output.data["text/plain"] for cell in code(path) for output in cell.outputs]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of lessons that `execute` takes for the checkout's, with all models ready."""
    monkeypatch.setattr(execute, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(execute.prepare, "prepare", lambda *_: None)
    monkeypatch.setattr(execute.lessons, "chosen", lambda names, of=tmp_path / "notebooks": lessons.paths(of))
    return tmp_path / "notebooks"


def run(force: bool = False) -> int:
    return execute.run(argparse.Namespace(names=[], force=force))


def test_outputs_are_saved_and_a_current_lesson_is_not_run_again(folder, capsys):
    path = write(folder, "01_one", "import random\nrandom.random()")
    run()
    (first,) = shown(path)
    assert "01_one is run: it has no outputs that `make execute` saved" in capsys.readouterr().out
    text = path.read_text(encoding="utf-8")
    run()
    assert "01_one is current" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == text
    run(force=True)
    assert shown(path) != [first]
    assert [each.name for each in folder.iterdir()] == ["01_one.ipynb"]


def test_saving_writes_what_is_the_same_for_everybody(folder):
    path = write(folder, "01_one", "print('a')", "1 + 1")
    notebook = lessons.read(path)
    notebook.metadata.update(language_info={"name": "python", "version": "3.11.7"}, widgets={"state": {}})
    notebook.cells[2].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    nbformat.write(notebook, path)
    run()
    first = path.read_text(encoding="utf-8")
    run(force=True)
    assert path.read_text(encoding="utf-8") == first
    saved = lessons.read(path)
    assert "execution" not in saved.cells[2].metadata
    assert saved.metadata.keys() == {"kernelspec", "language_info", "course"}
    assert "version" not in saved.metadata.language_info
    assert [cell.execution_count for cell in code(path)] == [1, 2]


def test_the_seconds_of_long_cells_are_saved_and_stay_while_they_are_about_right(folder, monkeypatch):
    path = write(folder, "01_one", "'a'", "'b'", "'c'")

    def saved() -> dict[str, int]:
        seconds = lessons.read(path).metadata["course"].get("seconds", {})
        return {cell.source: seconds[cell.id] for cell in code(path) if cell.id in seconds}

    for measured, told in (
        ((3.9, 4.0, 61.0), {"'b'": 5, "'c'": 60}),
        ((3.9, 2.5, 119.0), {"'b'": 5, "'c'": 60}),
        ((3.9, 10.0, 30.0), {"'b'": 5, "'c'": 60}),
        ((4.1, 2.4, 29.0), {"'a'": 5, "'c'": 30}),
        ((0.1, 0.1, 0.1), {}),
    ):
        execute.save(path, lessons.read(path), [[], [], []], {}, measured)
        assert saved() == told
    monkeypatch.setattr(execute, "LONG", 0)
    run()
    assert saved() == {"'a'": 5, "'b'": 5, "'c'": 5}
    notebook = lessons.read(path)
    del notebook.metadata["course"]["seconds"]
    assert fingerprint.reason_to_run(notebook, "01") == ""


def test_one_that_fails_costs_nobody_else_s_outputs_and_is_told_with_its_cell(folder, capsys):
    bad = write(folder, "01_bad", "x = 0", "1 / x")
    dies = write(folder, "02_dies", "import os, signal\nos.kill(os.getpid(), 9)")
    leaves = write(folder, "03_leaves", "open('made.png', 'w').close()")
    good = write(folder, "04_good", "'fine'")
    expected = write(folder, "05_expected", "1 / 0", tags=("raises-exception",))
    with pytest.raises(BuildError) as failure:
        run()
    told = str(failure.value)
    assert "notebooks/01_bad.ipynb: cell 2 raised.\n1 / x\n" in told
    assert "ZeroDivisionError" in told
    assert "notebooks/02_dies.ipynb: in cell 1, its kernel died. If the machine ran out of memory" in told
    assert "notebooks/03_leaves.ipynb: its cells wrote made.png beside the lesson" in told
    assert "04" not in told
    assert shown(good) == ["'fine'"]
    assert code(expected)[0].outputs[0].ename == "ZeroDivisionError"
    assert [shown(path) for path in (bad, dies, leaves)] == [[], [], []]
    assert "01_bad FAILED" in capsys.readouterr().out


def test_prose_that_is_changed_meanwhile_is_kept_and_changed_code_is_refused(folder):
    path = write(folder, "01_one", "1 + 1")
    notebook = lessons.read(path)
    outputs = [[nbformat.v4.new_output("stream", text="2\n")]]
    write(folder, "01_one", "1 + 1", prose="Better prose.")
    execute.save(path, notebook, outputs, {}, [0.1])
    assert lessons.read(path).cells[1].source == "Better prose."
    assert code(path)[0].outputs[0].text == "2\n"
    write(folder, "01_one", "1 + 2")
    with pytest.raises(BuildError, match="its code was changed while it ran"):
        execute.save(path, notebook, outputs, {}, [0.1])
    assert code(path)[0].outputs == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal for one process")
def test_an_interruption_keeps_what_has_run_and_leaves_no_kernel(folder, tmp_path):
    quick = write(folder, "01_quick", "'done'")
    write(
        folder,
        "02_slow",
        f"import os\nopen({str(tmp_path / 'began')!r}, 'w').write(str(os.getpid()))",
        "while True: pass",
    )
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from course_build.lessons import index as lessons\nfrom course_build.notebooks import execute\n"
        "notebooks = {path: lessons.read(path) for path in lessons.paths(Path(sys.argv[1]))}\n"
        "execute.side_by_side = lambda count: 2\n"
        "execute.run_side_by_side(notebooks, 'execute', execute.save)\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    while not shown(quick) or not (tmp_path / "began").is_file() or not (tmp_path / "began").read_text():
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.1)
    running.send_signal(2)
    assert "KeyboardInterrupt" in running.communicate()[1]
    assert shown(quick) == ["'done'"]
    assert not psutil.pid_exists(int((tmp_path / "began").read_text()))


def test_the_site_runs_what_is_not_current_once_and_writes_to_no_source(folder, tmp_path, capsys):
    source = write(folder, "01_one", "'fresh'")
    staged = tmp_path / "staged"
    for _ in range(2):
        path = write(staged / "notebooks", "01_one", "'fresh'", prose="Other prose.")
        execute.freshen(staged)
        assert shown(path) == ["'fresh'"]
        assert lessons.read(path).cells[1].source == "Other prose."
    told = capsys.readouterr().out
    assert told.count("01_one is run: it has no outputs that `make execute` saved") == 1
    assert told.count("was run before") == 1
    assert shown(source) == []
    (tmp_path / "kept" / "01_one.json").write_text('{"fingerprint": ')
    write(staged / "notebooks", "01_one", "'fresh'")
    execute.freshen(staged)
    assert "is run" in capsys.readouterr().out


def test_a_lesson_that_is_run_for_the_site_without_ray_is_told_how_to_get_it(folder, tmp_path, monkeypatch, capsys):
    def freshened() -> str:
        write(tmp_path / "staged" / "notebooks", "01_one", "import course_utils.classifier.on_ray as _\n1")
        execute.freshen(tmp_path / "staged")
        return capsys.readouterr().out

    with_ray = freshened()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for told in (with_ray, freshened()):
        assert ("`make execute` would save" in told) is (told is with_ray)
        assert ("`python -m course_build execute 01` installs it" in told) is (told is not with_ray)


def test_the_site_takes_current_outputs_as_they_are_unless_all_are_to_be_run(folder, tmp_path):
    path = write(tmp_path / "staged" / "notebooks", "01_one", "'fresh'")
    notebook = lessons.read(path)
    saved = [[nbformat.v4.new_output("execute_result", data={"text/plain": "'saved'"}, execution_count=1)]]
    execute.write(path, notebook, saved, fingerprint.fingerprint(notebook, "01"))
    execute.freshen(tmp_path / "staged")
    assert shown(path) == ["'saved'"]
    execute.freshen(tmp_path / "staged", every=True)
    assert shown(path) == ["'fresh'"]


def trial(path: Path) -> Trial:
    started = Trial(path)
    started.start()
    return started


def test_what_make_site_runs_here_is_compared_with_its_page(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("course_build.site.build.NOTE", tmp_path / "note.json")
    path = write(folder, "03_one", "print('a')", "1 + 1", "print('b')")
    run()
    capsys.readouterr()
    assert trial(path).result() == 0
    assert "its 3 cells put out what the page shows" in capsys.readouterr().out
    assert json.loads((tmp_path / "note.json").read_text()) == lessons.read(path).metadata["course"]["fingerprint"]
    notebook = lessons.read(path)
    notebook.cells[3].outputs[0].data["text/plain"] = "3"
    nbformat.write(notebook, path)
    assert trial(path).result() == 0
    told = capsys.readouterr().out
    assert "put out something else than the page shows: 2\n" in told
    assert "-3\n+2" in told
    failing = write(folder, "04_two", "1 / 0")
    assert trial(failing).result() == 1
    assert "FAILED on this machine" in capsys.readouterr().out
