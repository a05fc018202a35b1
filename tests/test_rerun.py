"""Cells that are run again: what is found by reading a lesson, and what by running its cells."""

import argparse
import itertools
import re

import nbformat
import pytest
from conftest import LESSONS
from nbformat import NotebookNode

from course_build.lessons import index as lessons
from course_build.notebooks import execute, rerun
from course_build.notebooks.cell_names import reused_names
from course_build.notebooks.read_notebook import sections


def notebook_of(*sources: str) -> NotebookNode:
    """A notebook of code cells; a source that begins with `#` and a space is Markdown."""
    new = {True: nbformat.v4.new_markdown_cell, False: nbformat.v4.new_code_cell}
    return nbformat.v4.new_notebook(cells=[new[source.startswith(("# ", "## ", "###"))](source) for source in sources])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_cell_of_a_lesson_is_in_the_way_of_another_run(path):
    assert list(reused_names(lessons.read(path))) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_cell_that_runs_once_says_why_and_so_does_its_lesson(path):
    cells = lessons.read(path).cells
    for before, cell in itertools.pairwise(cells):
        if rerun.ONCE in cell.metadata:
            assert cell.metadata[rerun.ONCE].strip()
            assert re.search(r"\bonce\b", before.source)


REUSED = {
    "a loop goes on from its own result": (
        ["corpus = ['a']", "for _ in range(5):\n    corpus = [*corpus, 'b']"],
        "cell 2 makes corpus",
    ),
    "a table is cut again": (["table = [1, 2]", "table = table[::2]"], "cell 2 makes table"),
    "a number grows": (["total = 0", "total += 1"], "cell 2 changes or deletes total"),
    "a list grows": (["found = []", "found.append(1)"], "cell 2 changes or deletes found"),
    "an entry is taken": (["shares = {'a': 1}", "one = shares.pop('a')"], "cell 2 changes or deletes shares"),
    "an entry is deleted": (["shares = {'a': 1}", "del shares['a']"], "cell 2 changes or deletes shares"),
    "a name is deleted": (["toy = 1", "print(toy)\ndel toy"], "cell 2 changes or deletes toy"),
    "another kind of value": (
        ["key = [1]", "key[0]", "key = 'a name'"],
        "cell 2 reads key, as cell 1 makes it; cell 3",
    ),
    "as the name of a loop": (["row = [1]", "len(row)", "for row in 'ab':\n    pass"], "cell 2 reads row"),
    "as one of a pair": (["size = 1", "print(size)", "first, (size, *rest) = 1, (2, 3)"], "cell 2 reads size"),
    "as a file": (["file = 1", "print(file)", "with open('x') as file:\n    pass"], "cell 2 reads file"),
    "in an expression": (["n = 1", "print(n)", "if (n := 2):\n    pass"], "cell 2 reads n"),
    "through functions": (
        [
            "base = 1\ndef low():\n    return base\n\ndef high():\n    return [low() for _ in 'ab']",
            "high()",
            "base = 2",
        ],
        "cell 2 reads base",
    ),
    "through a lambda": (["base = 1", "sorted('ab', key=lambda x: base)", "base = 2"], "cell 2 reads base"),
    "through a method": (
        ["base = 1\nclass Low:\n    def get(self):\n        return base", "Low().get()", "base = 2"],
        "cell 2 reads base",
    ),
    "an attribute is set later": (
        ["tokenizer = object()", "print(tokenizer)", "tokenizer.side = 'left'"],
        "cell 2 reads tokenizer, as cell 1 makes it; cell 3",
    ),
    "an import takes the name": (["json = 1", "print(json)", "import json"], "cell 2 reads json"),
}


@pytest.mark.parametrize(("sources", "said"), REUSED.values(), ids=REUSED)
def test_a_name_that_is_in_the_way_is_found(sources, said):
    found = list(reused_names(notebook_of(*sources)))
    assert len(found) == 1
    assert found[0].startswith(said)


FREE = {
    "a loop begins by setting": ["corpus = ['a']", "more = corpus\nfor _ in range(5):\n    more = [*more, 'b']"],
    "made and deleted in one cell": ["toy = []\ntoy.append(1)\ndel toy"],
    "each cell makes its own": ["for name in 'ab':\n    print(name)", "name = 'c'\nprint(name)"],
    "local to a comprehension": [
        "name = 'c'",
        "print([name for name in 'ab' if name], name)",
        "[name for name in 'x']",
    ],
    "local to a function": ["size = 1", "print(size)", "def f(size):\n    size += 1\n    return size"],
    "an entry is set, and read by nobody before": ["asked = {}", "asked['a'] = 1", "print(asked)"],
    "made only once": ["base = 1\ndef low():\n    return base", "low()", "low()"],
    "an answer that is given again": ["%time 1\nanswer = 1", "answer"],
}


@pytest.mark.parametrize("sources", FREE.values(), ids=FREE)
def test_a_name_that_is_in_nobodys_way_is_left_alone(sources):
    assert list(reused_names(notebook_of(*sources))) == []


def test_sections_are_headings_and_no_callouts():
    callout = "## First\n\n::: {.callout-note}\n## A mistake\n\nText.\n:::\n\n```\n## A comment\n```"
    notebook = notebook_of("1", callout, "2", "### Part", "3", "## Without code", "## Second", "4")
    assert sections(notebook) == [("", [0]), ("First", [1, 2]), ("Second", [3])]


# One kernel for all that can go wrong in a run. The state is hidden, so that reading doesn't find it.

CELLS = (
    "%load_ext autoreload",
    "import sys, random\nkept = sys.modules.setdefault('kept', [])\nkept.append(1)\nlen(kept)",
    "random.Random(0).random()",
    "print(hex(2**40 + id(kept) % 97), 0.1234 + random.random() / 10**5)",  # what the sanitiser overlooks
    "## First",
    "print('once' if 'again' not in vars(sys) else 'again')",
    "setattr(sys, 'again', True)\n1 / 0",  # fails alike each time
    "## Second",
    "also = sys.modules['kept']\nalso.append(1)\nif len(also) > 4:\n    raise ValueError('a third run')",
    "setattr(sys, 'ready', True)",
    "delattr(sys, 'ready')",
)


def test_what_a_second_run_changes_is_found_and_nothing_else(tmp_path):
    path, notebook = tmp_path / "01_one.ipynb", notebook_of(*CELLS)
    notebook.cells[-1].metadata["once"] = "what it takes away is gone"
    notebook.cells[6].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)
    proof = rerun.prove(path, notebook, saved=False)
    assert proof.runs == 3 * 9 - 1
    found = [problem.partition(":")[0] for problem in proof.problems]
    assert found == [
        "cell 2, run again at once",
        "cell 7, when 'Second' is run again at the end",
        "cell 5, when 'First' is run again at the end",
        "cell 2, when '' is run again at the end",
    ]
    assert "-once\n+again" in proof.problems[2]
    assert "+error ValueError" in proof.problems[1]


def test_the_command_compares_with_the_saved_outputs_and_says_how_it_went(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rerun.prepare, "prepare", lambda *_: None)
    monkeypatch.setattr(rerun.lessons, "chosen", lambda names: lessons.paths(tmp_path))
    monkeypatch.setattr(execute.prepare, "prepare", lambda *_: None)
    path = tmp_path / "01_one.ipynb"
    nbformat.write(notebook_of("total = 1\ntotal"), path)
    every = argparse.Namespace(names=[], force=True)
    assert rerun.run(every) == 0
    said = capsys.readouterr().out
    assert "01_one is compared with the first run of each cell (it has no outputs" in said
    assert "01_one: 3 runs of cells, the same each time" in said
    execute.run(every)
    notebook = lessons.read(path)
    notebook.cells[0].outputs[0].data["text/plain"] = "2"
    nbformat.write(notebook, path)
    assert rerun.run(every) == 1
    said = capsys.readouterr().out
    assert "01_one: 3 runs of cells, PROBLEMS: 3" in said
    assert re.search(r"cell 1, after all before it: the text/plain differs:\n.*-2\n\+1\n", said, re.DOTALL)


def test_a_cell_that_raises_each_time_and_a_kernel_that_dies_are_problems(tmp_path):
    path = tmp_path / "01_one.ipynb"
    notebook = notebook_of("absent", "import os\nos._exit(3)", "2")
    nbformat.write(notebook, path)
    *raised, died = rerun.prove(path, notebook, saved=False).problems
    assert [problem.partition("\n")[0] for problem in raised] == [
        "cell 1, after all before it: it raises NameError",
        "cell 1, run again at once: it raises NameError",
    ]
    assert died.startswith("after 2 runs of cells, its kernel died")
