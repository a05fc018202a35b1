"""`python -m course_build exercises`: write each exercise's stub from its solution, the one source of both.

An exercise lies in its notebook: a code cell with the stub, a check cell, and a folded solution in a Markdown cell. The
stub cell and the solution cell carry the exercise's name in their metadata (`"exercise": "verdict"`). Three rules turn
the Python block of the solution into the stub:

1. the body of every function becomes its docstring, if it has one, and `return ...  # your code here`;
2. the value of every assignment outside of functions becomes `...`;
3. all else (imports, comments outside of functions, other statements) stays as it is.
"""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.notebooks.read_notebook import code_cells

SOLUTION = re.compile(r"```python\n(.*?)```", re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: every notebook is brought up to date."""


def run(arguments: argparse.Namespace) -> int:
    """Rewrite the stub cells whose solution changed."""
    for path in lessons.paths():
        notebook = lessons.read(path)
        drifted = []
        for name, stub, solution in exercises(notebook, path):
            if stub.source != make_stub(solution):
                stub.source = make_stub(solution)
                stub.outputs = []
                drifted.append(name)
        if drifted:
            nbformat.write(notebook, path)
            print(f"exercises: {path.name}: wrote the stubs of {', '.join(drifted)}; `make execute` comes next")
    return 0


def exercises(notebook: nbformat.NotebookNode, path: Path) -> Iterator[tuple[str, nbformat.NotebookNode, str]]:
    """Yield each exercise of a notebook: its name, its stub cell and its solution's code.

    Raises:
        BuildError: a stub without a solution, a solution without a stub, or one without a Python block.
    """
    stubs = {c.metadata["exercise"]: c for c in code_cells(notebook) if "exercise" in c.metadata}
    solutions = {
        c.metadata["exercise"]: c for c in notebook.cells if c.cell_type == "markdown" and "exercise" in c.metadata
    }
    if stubs.keys() != solutions.keys():
        alone = ", ".join(sorted(stubs.keys() ^ solutions.keys()))
        raise BuildError(f"{path.name}: an exercise has one stub cell and one solution cell; look at {alone}")
    for name, stub in stubs.items():
        block = SOLUTION.search(solutions[name].source)
        if not block:
            raise BuildError(f"{path.name}: the solution of {name} has no ```python block")
        yield name, stub, block[1].rstrip("\n")


def make_stub(solution: str) -> str:
    """Turn a solution into what the learner starts from, by the three rules above.

    Raises:
        SyntaxError: the solution is not Python.
    """
    lines = solution.split("\n")
    for node in reversed(ast.parse(solution).body):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node) is not None
            last_kept = node.body[0].end_lineno if documented else node.body[0].lineno - 1
            indent = " " * node.body[0].col_offset
            lines[last_kept : node.end_lineno] = [f"{indent}return ...  # your code here"]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            start, end = node.value.lineno - 1, node.value.end_lineno
            lines[start:end] = [f"{lines[start][: node.value.col_offset]}...  # your answer here"]
    return "\n".join(lines)
