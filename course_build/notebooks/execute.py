"""`python -m course_build execute`: run lessons, side by side, and save what they put out.

The saved outputs are the site's. A lesson whose fingerprint (`course_build.notebooks.fingerprint`) is current is not
run again. Each lesson is saved as soon as it has run, so that one that fails, or an interruption, costs nobody else's.
"""

import argparse
import importlib.util
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
from nbformat import NotebookNode

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.models import prepare
from course_build.notebooks.fingerprint import KEY, Fingerprint, fingerprint, reason_to_run
from course_build.notebooks.read_notebook import code_cells
from course_build.notebooks.run import LEFT_BEHIND, KernelError, Run
from course_build.paths import BUILD
from course_build.progress import Bar
from course_build.text_files import name_of
from course_utils.models import catalogue

ON_RAY = "course_utils/classifier/on_ray.py"
"""The module by which a lesson uses Ray, of the layer `scale`, which `make site` doesn't install."""

KEPT = BUILD / "executed"
"""The outputs of runs that were made for the site alone."""

MEMORY = 3 * 2**30
"""Bytes that a lesson may need while it runs, with the programs that it starts."""

LONG = 4
"""Seconds from which on a learner is told, before a cell, how long it takes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--force` runs what is current, too; names choose lessons."""
    parser.add_argument(
        "names", nargs="*", help="the lessons to run, as 03 or 03_huggingface_nlp; all if none is named"
    )
    parser.add_argument("--force", action="store_true", help="run a lesson although its saved outputs are current")


def run(arguments: argparse.Namespace) -> int:
    """Refresh the outputs that are saved in `notebooks/`.

    Raises:
        BuildError: a name fits no lesson, a notebook can't be read, or a lesson failed; the others are saved.
    """
    stale = {}
    for path in lessons.chosen(arguments.names):
        notebook = lessons.read(path)
        reason = "it is forced" if arguments.force else reason_to_run(notebook, path.name[:2])
        print(f"execute: {path.stem} {f'is run: {reason}' if reason else 'is current'}", flush=True)
        if reason:
            stale[path] = notebook
    if stale:
        prepare.prepare()
        run_side_by_side(stale, "execute", save)
    return 0


def save(
    path: Path,
    notebook: NotebookNode,
    outputs: list[list[NotebookNode]],
    made_of: Fingerprint,
    seconds: Sequence[float],
) -> str:
    """Put the outputs of a run, and what they depend on, into a notebook's file, in one step; say so in a sentence.

    Raises:
        BuildError: the file's code was changed while the lesson ran. Changed prose is kept.
    """
    now = lessons.read(path)
    if sources_of(now) != sources_of(notebook):
        raise BuildError("its code was changed while it ran. Its outputs are not saved: run it again")
    write(path, now, outputs, made_of, long_cells(now, seconds))
    return f"saved the outputs of {name_of(path)}"


def sources_of(notebook: NotebookNode) -> list[str]:
    """The sources of a notebook's code cells."""
    return [cell.source for cell in code_cells(notebook)]


def long_cells(notebook: NotebookNode, seconds: Sequence[float]) -> dict[str, int]:
    """Return how long the cells of a notebook take that take long: seconds in steps of five, by the cell's id.

    What is saved stays while a new measurement lies between half and double of it: nobody wants a change in git for
    each mood of a machine.

    Args:
        notebook: its content, with what was saved of earlier runs.
        seconds: what each of its code cells took.
    """
    saved = notebook.metadata.get(KEY, {}).get("seconds", {})
    found = {}
    for cell, took in zip(code_cells(notebook), seconds, strict=True):
        before = saved.get(cell.id, 0)
        if before and before / 2 <= took <= 2 * before:
            found[cell.id] = before
        elif took >= LONG:
            found[cell.id] = max(5, 5 * round(took / 5))
    return found


def write(
    path: Path,
    notebook: NotebookNode,
    outputs: list[list[NotebookNode]],
    made_of: Fingerprint | None = None,
    seconds: Mapping[str, int] | None = None,
) -> None:
    """Write a notebook with these outputs to its code cells, without what another program left in its metadata."""
    for count, (cell, fresh) in enumerate(zip(code_cells(notebook), outputs, strict=True), start=1):
        cell.outputs = nbformat.from_dict(fresh)
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
        for noise in ("execution", "collapsed", "ExecuteTime"):
            cell.metadata.pop(noise, None)
    metadata: dict[str, dict[str, object]] = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if made_of is not None:
        metadata[KEY] = {"fingerprint": made_of, **({"seconds": seconds} if seconds else {})}
    notebook.metadata = nbformat.from_dict(metadata)
    fresh = path.with_suffix(".ipynb.new")
    fresh.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    fresh.replace(path)


# ------------------------------------------------------------------------------------------------ for the site


def freshen(staged: Path, *, every: bool = False) -> None:
    """Run the lessons of a staged site whose saved outputs aren't current, and give the staged copies fresh ones.

    The sources stay as they are. What such a run gave is kept in `_build/`, so that the next site needs no other.

    Args:
        staged: the staged site.
        every: run all lessons, whether their outputs are current or not.

    Raises:
        BuildError: a lesson failed; the outputs of the others are kept.
    """
    stale = {}
    for path in lessons.paths(staged / "notebooks"):
        notebook = lessons.read(path)
        reason = "every lesson is wanted" if every else reason_to_run(notebook, path.name[:2])
        if reason and (every or not _reuse(path, notebook)):
            print(f"execute: {path.stem} is run: {reason}. {_advice(notebook, path)}", flush=True)
            stale[path] = notebook
    if stale:
        code = "\n".join(source for notebook in stale.values() for source in sources_of(notebook))
        spelled = {model.hub_id: "|".join(map(re.escape, model.ids)) for model in catalogue().values()}
        if named := [name for name, ids in spelled.items() if re.search(rf"(?:{ids})(?![\w-])", code)]:
            prepare.prepare(named)
        run_side_by_side(stale, "execute", _keep)


def _reuse(path: Path, notebook: NotebookNode) -> bool:
    """Give a staged lesson the outputs of an earlier run of the same; return whether there are any."""
    try:
        kept = json.loads((KEPT / f"{path.stem}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if kept.get("fingerprint") != fingerprint(notebook, path.name[:2]):
        return False
    write(path, notebook, kept["outputs"], kept["fingerprint"])
    advice = _advice(notebook, path)
    print(f"execute: {path.stem} differs from its saved outputs, and was run before. {advice}", flush=True)
    return True


def _advice(notebook: NotebookNode, path: Path) -> str:
    """Say how a lesson that is run for the site alone gets outputs that last, and what its page lacks till then."""
    if importlib.util.find_spec("ray") is None and ON_RAY in fingerprint(notebook, path.name[:2])["files"]:
        return (
            "Ray isn't installed here, and the page will say so:"
            f" `python -m course_build execute {path.name[:2]}` installs it, and saves the lesson's outputs"
        )
    return "`make execute` would save its outputs"


def _keep(
    path: Path,
    notebook: NotebookNode,
    outputs: list[list[NotebookNode]],
    made_of: Fingerprint,
    _seconds: Sequence[float],
) -> str:
    KEPT.mkdir(parents=True, exist_ok=True)
    fresh = KEPT / f"{path.stem}.new"
    fresh.write_text(json.dumps({"fingerprint": made_of, "outputs": outputs}), encoding="utf-8")
    fresh.replace(KEPT / f"{path.stem}.json")
    write(path, notebook, outputs, made_of)
    return "ran to its end"


# ------------------------------------------------------------------------------------------------ running side by side

Save = Callable[[Path, NotebookNode, list[list[NotebookNode]], Fingerprint, Sequence[float]], str]
"""What takes the outputs of a lesson, and says in a sentence what it did with them.

It gets the lesson's path, the notebook as it was run, each code cell's outputs, the fingerprint, and each code cell's
seconds."""


@dataclass
class Lesson:
    """A lesson on its way: what the thread that runs it tells the one that shows how far it is."""

    path: Path
    notebook: NotebookNode
    made_of: Fingerprint
    run: Run | None = None
    done: int = 0
    since: float = 0.0
    outputs: list[list[NotebookNode]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The number of its code cells."""
        return len(sources_of(self.notebook))

    def __str__(self) -> str:
        """Say which cell it is in, and for how long."""
        number, seconds = min(self.done + 1, self.size), time.monotonic() - self.since
        return f"{self.path.name[:2]} cell {number} of {self.size}, {seconds:.0f} s"


def run_side_by_side(notebooks: dict[Path, NotebookNode], command: str, save: Save) -> None:
    """Run lessons on the cores that there are; hand each to `save` as soon as it has run, one at a time.

    It shows where it is. Interrupted, it stops the kernels; what ran to its end is saved by then.

    Raises:
        BuildError: a cell raised, a kernel died or a lesson left files behind; every other lesson has been saved.
    """
    waiting = [Lesson(path, notebook, fingerprint(notebook, path.name[:2])) for path, notebook in notebooks.items()]
    waiting.sort(key=lambda lesson: -lesson.size)  # the longest first, so that none is left alone at the end
    failures: dict[Path, str] = {}
    running: dict[Future[None], Lesson] = {}
    # Left without waiting where it is interrupted: the kernels are stopped first.
    pool = ThreadPoolExecutor(max_workers=side_by_side(len(waiting)))
    try:
        running = {pool.submit(run_lesson, lesson): lesson for lesson in waiting}
        with Bar(command, sum(lesson.size for lesson in waiting), "cells") as bar:
            left = set(running)
            while left:
                done, left = wait(left, timeout=1, return_when=FIRST_COMPLETED)
                for job in done:
                    try:
                        job.result()
                        lesson = running[job]
                        told = save(lesson.path, lesson.notebook, lesson.outputs, lesson.made_of, lesson.seconds)
                        bar.say(f"{command}: {lesson.path.stem}: {told}")
                    except BuildError as error:
                        failures[running[job].path] = str(error)
                        bar.say(f"{command}: {running[job].path.stem} FAILED")
                now = [str(running[job]) for job in left if running[job].since]
                bar.to(sum(lesson.done for lesson in waiting), "; ".join(now))
    finally:
        for job, lesson in running.items():
            job.cancel()
            if not job.done() and lesson.run is not None:
                lesson.run.interrupt()
        pool.shutdown()
    if failures:
        raise BuildError("\n\n".join(f"{name_of(path)}: {text}" for path, text in sorted(failures.items())))


def side_by_side(count: int) -> int:
    """Return how many of `count` lessons run at a time, one on each core, as far as the memory goes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, cores, psutil.virtual_memory().available // MEMORY))


def run_lesson(lesson: Lesson) -> None:
    """Run a lesson's cells, to its end.

    Raises:
        BuildError: a cell raised that isn't tagged to, the kernel died, or files are left behind.
    """
    cells = code_cells(lesson.notebook)
    lesson.since = time.monotonic()
    try:
        with Run(lesson.path, lesson.notebook) as lesson.run:
            for number, cell in enumerate(cells):
                lesson.since = time.monotonic()
                outputs = lesson.run.cell(number)
                may_raise = "raises-exception" in cell.metadata.get("tags", [])
                for error in outputs if not may_raise else ():
                    if error.output_type == "error":
                        raise BuildError(_told(number, cell.source, error.traceback))
                lesson.outputs.append(outputs)
                lesson.seconds.append(time.monotonic() - lesson.since)
                lesson.done += 1
            if names := lesson.run.left_behind():
                raise BuildError(LEFT_BEHIND.format(", ".join(names)))
    except KernelError as error:
        raise BuildError(f"in cell {lesson.done + 1}, {error}") from error


def _told(number: int, source: str, traceback: Iterable[str]) -> str:
    return f"cell {number + 1} raised.\n{source}\n\n" + "\n".join(traceback).strip()
