"""Execute: run the staged notebooks, in parallel processes, and put their fresh outputs into them.

What a run gave is kept in `_build/executed/` under a fingerprint of all that could change it (the cells' code, the
helper package, the lock and the project file, the catalogue of models, Python). While that is unchanged the run is
reused; prose may change freely, and so may the exercises and the quiz of another lesson.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course_build import onnx_export
from course_build.errors import BuildError
from course_build.paths import BUILD, LOCK, NOTEBOOKS, ROOT
from course_build.stage import STAGED, stage

EXECUTED = BUILD / "executed"
CELL_SECONDS = 600
OF_ONE_LESSON = re.compile(r"(?:lesson|quiz)_(\d\d)\.(?:py|toml)")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--force` runs what is unchanged, too; names choose lessons."""
    parser.add_argument(
        "names", nargs="*", help="the lessons to run, as 03 or 03_huggingface_nlp; all if none is named"
    )
    parser.add_argument(
        "--force", action="store_true", help="run a notebook although nothing changed since its last run"
    )


def run(arguments: argparse.Namespace) -> int:
    """Refresh the saved outputs in `notebooks/`, the one command that writes to a source."""
    staged = execute(stage(), arguments.names, force=arguments.force)
    for path in staged:
        source = NOTEBOOKS / path.name
        text = path.read_text(encoding="utf-8")
        if text == source.read_text(encoding="utf-8"):
            continue
        fresh = source.with_suffix(".ipynb.new")
        fresh.write_text(text, encoding="utf-8", newline="\n")
        fresh.replace(source)
        print(f"execute: wrote the outputs of {source.relative_to(ROOT)}")
    return 0


def execute(site: Path = STAGED, names: list[str] | None = None, *, force: bool = False) -> list[Path]:
    """Give the notebooks of a staged site their outputs. Returns the paths of those notebooks.

    Args:
        site: the staged site.
        names: which lessons, by the beginning of their file names; all of them if empty.
        force: run them although an earlier run could be reused.

    Raises:
        BuildError: a name fits no lesson, a file is no notebook, or a cell raised; every other notebook is run first.
    """
    paths = sorted((site / "notebooks").glob("*.ipynb"))
    for name in names or []:
        if not any(path.name.startswith(name) for path in paths):
            raise BuildError(f"no lesson is called {name!r}. There are: {', '.join(path.stem for path in paths)}")
    paths = [path for path in paths if not names or path.name.startswith(tuple(names))]
    notebooks = {path: read(path) for path in paths}
    jobs, failures = {}, []
    with ProcessPoolExecutor(max_workers=max(1, min(len(paths), (os.cpu_count() or 2) // 2))) as pool:
        for path, notebook in notebooks.items():
            key = fingerprint(notebook, path.name[:2])
            store = EXECUTED / f"{path.stem}.json"
            outputs = None if force else _stored(store, key)
            if outputs is None:
                print(f"execute: {path.stem} is new or changed, and will be run", flush=True)
                jobs[pool.submit(_execute_one, path)] = (path, store, key)
            else:
                print(f"execute: {path.stem} is unchanged, its last run is reused", flush=True)
                _write(path, notebook, outputs)
        for job in as_completed(jobs):
            path, store, key = jobs[job]
            result = job.result()
            if "error" in result:
                failures.append(result["error"])
                print(f"execute: {path.stem} FAILED", flush=True)
                continue
            EXECUTED.mkdir(parents=True, exist_ok=True)
            fresh = store.with_suffix(".new")
            fresh.write_text(json.dumps({"fingerprint": key, **result}), encoding="utf-8")
            fresh.replace(store)
            _write(path, notebooks[path], result["cells"])
            print(f"execute: {path.stem} ran {len(result['cells'])} cells in {result['seconds']:.0f} s", flush=True)
    if failures:
        raise BuildError("\n\n".join(failures))
    return paths


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook.

    Raises:
        BuildError: the file is not a notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises half a dozen kinds, depending on what is broken
        raise BuildError(
            f"{path.name} can't be read as a notebook ({error}). Get it back: git checkout {path.name}"
        ) from None


def fingerprint(notebook: nbformat.NotebookNode, lesson: str) -> str:
    """A hash of all that a notebook's outputs depend on: cells, what it imports, the lock, how exports are made."""
    cells = [(cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells if cell.cell_type == "code"]
    machine = [sys.version, platform.machine(), os.environ.get("COURSE_MODELS", "")]
    digest = hashlib.sha256(json.dumps([machine, cells]).encode())
    made_with = [LOCK, ROOT / "pyproject.toml", Path(__file__), Path(onnx_export.__file__)]
    for path in [*_package_files(lesson), *made_with]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _package_files(lesson: str) -> list[Path]:
    """The files of the helper package that a lesson can use: all but the checks and quizzes of the other lessons."""
    files = [path for path in (ROOT / "course_utils").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path for path in files if not (of := OF_ONE_LESSON.fullmatch(path.name)) or of[1] == lesson)


def _stored(store: Path, key: str) -> list | None:
    try:
        stored = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stored["cells"] if stored.get("fingerprint") == key else None


def _execute_one(path: Path) -> dict:
    """Run one notebook from top to bottom in a kernel of its own. Runs in a child process."""
    notebook = read(path)
    if os.environ.get("COURSE_MODELS", "embedded") == "embedded":
        os.environ["HF_HUB_OFFLINE"] = "1"  # a lesson that reaches for the Hub fails at once, not after its retries
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        coalesce_streams=True,
        record_timing=False,
    )
    start = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:  # what the kernel says of itself
        try:
            client.execute(stderr=log)
        except CellExecutionError as error:
            return {"error": f"{path.name}: a cell raised.\n{ANSI.sub('', str(error)).strip()}"}
        except (CellTimeoutError, DeadKernelError) as error:
            log.seek(0)
            return {"error": f"{path.name}: {error}\n{log.read()[-2000:]}"}
    seconds = time.monotonic() - start
    return {"cells": [tidy(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"], "seconds": seconds}


def tidy(outputs: list) -> list:
    """Drop from a cell's outputs what belongs to this machine or run: colours, paths, frames inside libraries."""
    for output in outputs:
        if output.output_type == "error":
            output.traceback = _tidy_traceback([ANSI.sub("", frame) for frame in output.traceback])
        elif output.output_type == "stream":
            output.text = ANSI.sub("", output.text)
        output.metadata = {} if "metadata" in output else None
        if output.metadata is None:
            del output["metadata"]
    return outputs


def _tidy_traceback(frames: list[str]) -> list[str]:
    """Keep the learner's own frames and the error; count the frames inside libraries, which hide it from view."""
    tidied, hidden = [], 0
    for frame in frames:
        if "site-packages" in frame.split("\n")[0]:
            hidden += 1
            continue
        if hidden:
            tidied.append(f"    ... {hidden} frames inside libraries ...\n")
            hidden = 0
        tidied.append(frame.replace(f"{ROOT}{os.sep}", ""))
    return tidied


def _write(path: Path, notebook: nbformat.NotebookNode, outputs: list) -> None:
    """Write a notebook with the outputs of a run of it; its prose is the staged notebook's own."""
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, (cell, fresh) in enumerate(zip(code_cells, outputs, strict=True), start=1):
        cell.outputs = nbformat.from_dict(fresh)
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    for noise in ("execution", "collapsed", "ExecuteTime"):
        for cell in code_cells:
            cell.metadata.pop(noise, None)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    nbformat.write(notebook, path)
