"""Answers to exercises: the names that they find when they run, and the cell that checks each."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from course_build.lessons import index as lessons
from course_build.lessons.exercise_stubs import exercises
from course_build.notebooks.cell_names import names_of
from course_utils.exercises import Feedback


def check_cells(notebook: NotebookNode) -> dict[str, tuple[NotebookNode, NotebookNode]]:
    """Return each exercise's stub cell and the code cell that follows, which checks it, by the exercise's name."""
    found = {}
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "exercise" in cell.metadata:
            following = next(c for c in notebook.cells[place + 1 :] if c.cell_type == "code")
            found[cell.metadata["exercise"]] = (cell, following)
    return found


def checked(check: str, namespace: dict[str, Any]) -> Feedback:
    """Run the code of a check cell in the namespace that the answer was run in; return what its last line gives."""
    *lines, last = check.rstrip().splitlines()
    exec("\n".join(lines), namespace)
    feedback: Feedback = eval(last, namespace)
    return feedback


def names(path: Path, answers: Iterable[str] = ()) -> dict[str, Any]:
    """Return the names that a lesson's answers use, made by those of the lesson's own statements that make them.

    By those alone: others may train a model or write a story. From the last to the first, a statement is needed when it
    makes or changes something that a later one or an answer reads.

    Args:
        path: the lesson's notebook.
        answers: the code of other answers than the published solutions.
    """
    notebook = lessons.read(path)
    codes = [*answers, *(solution for _, _, solution in exercises(notebook, path))]
    wanted = set[str]().union(*[_read_by(code) for code in codes])
    needed: list[str] = []
    for cell in reversed(notebook.cells):
        if cell.cell_type != "code" or "exercise" in cell.metadata or "tags" in cell.metadata:
            continue
        try:
            statements = ast.parse(cell.source).body
        except SyntaxError:  # magics
            continue
        for statement in reversed(statements):
            code = ast.unparse(statement)
            made = names_of(code).binds
            if code == "notebook.prepare()" or wanted & (made | _changed_by(statement)):
                needed.insert(0, code)
                if isinstance(statement, ast.Assign | ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
                    wanted -= made  # what made them before is not needed for them
                wanted |= _read_by(code)
    namespace: dict[str, Any] = {}
    for code in needed:
        exec(code, namespace)
    return namespace


def _read_by(code: str) -> set[str]:
    """The names that code reads from outside, when it runs or when its functions are called."""
    found = names_of(code)
    return found.reads.union(*found.functions.values())


def _changed_by(statement: ast.stmt) -> set[str]:
    """The names of the things that a statement changes in place: `table` in `table["x"] = 1` or `table.sort()`."""
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        targets = [statement.target]
    else:
        value = statement.value if isinstance(statement, ast.Expr) else None
        targets = [value.func] if isinstance(value, ast.Call) else []
    found: set[str] = set()
    for target in targets:
        while isinstance(target, ast.Attribute | ast.Subscript | ast.Call):
            target = target.func if isinstance(target, ast.Call) else target.value
            if isinstance(target, ast.Name):
                found.add(target.id)
    return found
