"""`python -m course_build rerun`: prove that a learner may run cells again, as everybody does.

A lesson is run with each cell twice in a row. At its end each section (a `##` heading) is run again from its top, the
last one first, so that none finds what an earlier one has just set anew. Each time a cell has to give the outputs that
are saved (where those aren't current, the ones of its first run), up to what the regression run overlooks. So a cell
may not go on from what its own last run left, nor find under a name what a later cell put there. A cell that can't run
twice in a row has the reason in its metadata, as `once`. `course_build.notebooks.cell_names` finds most by reading.
"""

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_build.lessons import index as lessons
from course_build.models import prepare
from course_build.notebooks import compare_outputs
from course_build.notebooks.cell_names import reused_names
from course_build.notebooks.fingerprint import reason_to_run
from course_build.notebooks.read_notebook import code_cells, sections
from course_build.notebooks.run import KernelError, Run
from course_build.progress import Bar

ONCE = "once"
"""The key in a cell's metadata that says why the cell can't be run twice in a row. Its lesson says so, too."""

EXECUTION = re.compile(r"\bIn\[\d+\]")
"""How a traceback names a cell: by the number of its run, which grows with each."""

LOADED = re.compile(r"The \w+ extension is already loaded. To reload it, use:\n +%reload_ext \w+\n")
"""What IPython prints where a cell loads an extension again. It says itself that this does no harm."""


@dataclass
class Proof:
    """A lesson whose cells were run again: how many runs there were, and what went wrong, in words."""

    runs: int = 0
    problems: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names choose lessons."""
    parser.add_argument("names", nargs="*", help="the lessons, as 03 or 03_huggingface_nlp; all if none is named")


def run(arguments: argparse.Namespace) -> int:
    """Run the cells of lessons again. 1 if one of them gave something else, else 0.

    Raises:
        BuildError: a name fits no lesson, or a notebook can't be read.
    """
    chosen = {path: lessons.read(path) for path in lessons.chosen(arguments.names)}
    prepare.prepare()
    failed = False
    with Bar("rerun", sum(len(plan(notebook)) for notebook in chosen.values()), "runs of cells") as bar:
        done = 0
        for path, notebook in chosen.items():
            if reason := reason_to_run(notebook, path.name[:2]):
                bar.say(f"rerun: {path.stem} is compared with the first run of each cell ({reason})")
            proof = prove(path, notebook, bar, done, saved=not reason)
            done += len(plan(notebook))
            failed |= bool(proof.problems)
            told = f"PROBLEMS: {len(proof.problems)}" if proof.problems else "the same each time"
            bar.say("\n\n".join([f"rerun: {path.stem}: {proof.runs} runs of cells, {told}", *proof.problems]))
    return 1 if failed else 0


def prove(path: Path, notebook: NotebookNode, bar: Bar | None = None, before: int = 0, *, saved: bool = True) -> Proof:
    """Run the cells of a lesson by its `plan`, and compare what each run gives.

    Args:
        path: the lesson's file.
        notebook: its content.
        bar: what is told how far it is, if anybody looks.
        before: how many runs of cells the bar has seen before this lesson.
        saved: whether to compare with the saved outputs; else with those of the first run.
    """
    proof = Proof(problems=list(reused_names(notebook)))
    cells = code_cells(notebook)
    expected = {number: _plain(cell.outputs) for number, cell in enumerate(cells)} if saved else {}
    try:
        with Run(path, notebook) as running:
            for number, when in plan(notebook):
                cell, fresh = cells[number], _plain(running.cell(number))
                proof.runs += 1
                found = compare_outputs.difference(
                    expected.setdefault(number, fresh), fresh, compare_outputs.MEASURED in cell.metadata
                )
                if not found and "raises-exception" not in cell.metadata.get("tags", []):
                    found = "".join(f"it raises {each.ename}" for each in fresh if each.output_type == "error")
                if found:
                    proof.problems.append(f"cell {number + 1}, {when}: {found}\n\n{cell.source}")
                if bar is not None:
                    bar.to(before + proof.runs, f"{path.name[:2]} cell {number + 1}, {when}")
    except KernelError as error:
        proof.problems.append(f"after {proof.runs} runs of cells, {error}")
    return proof


def plan(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Return the runs of a lesson's cells: of each the cell's number, from 0 among the code cells, and when it is."""
    runs = []
    for number, cell in enumerate(code_cells(notebook)):
        runs.append((number, "after all before it"))
        if not cell.metadata.get(ONCE):
            runs.append((number, "run again at once"))
    for heading, numbers in reversed(sections(notebook)):
        runs += [(number, f"when {heading!r} is run again at the end") for number in numbers]
    return runs


def _plain(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return outputs without what differs from run to run: a cell's number, and IPython's word on an extension."""
    copies = [nbformat.from_dict(output) for output in outputs]
    for output in copies:
        if output.output_type == "error":
            output.traceback = [EXECUTION.sub("In[]", line) for line in output.traceback]
        elif output.output_type == "stream":
            output.text = LOADED.sub("", output.text)
    return [output for output in copies if output.get("text") != ""]
