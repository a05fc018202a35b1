"""Every exercise: its solution passes, its stub does not, and each wrong answer that people give gets its own hint."""

import ast
import functools
import importlib
import inspect
import symtable

import nbformat
import proofs
import pytest
from conftest import LESSONS, NOTEBOOKS
from hypothesis import given, settings
from hypothesis import strategies as st

from course_build.lessons.exercise_stubs import exercises, make_stub
from course_utils.exercises import Feedback, WrongAnswerError, checker


def answer(code: str, namespace: dict, *names: str) -> list:
    """Run an answer as a cell of the lesson would be run, and return what it defined."""
    exec(code, namespace)
    return [namespace[name] for name in names]


@functools.cache
def checks_module(lesson: str):
    return importlib.import_module(f"course_utils.exercises.lesson_{lesson}")


def names_in(code: str, *, made: bool) -> set[str]:
    """The names that code makes at its top level, or else those that it reads from there; none, if it is no Python.

    What a function calls its own things does not count: an answer's `history` is not the lesson's.
    """
    try:
        top = symtable.symtable(code, "cell", "exec")
    except SyntaxError:
        return set()
    if made:
        return {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    found, tables = set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        symbols = [s for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())]
        found |= {symbol.get_name() for symbol in symbols}
    return found


def changed_by(statement: ast.stmt) -> set[str]:
    """The names of the things that a statement changes in place: `table` in `table["x"] = 1` or `table.sort()`."""
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        targets = [statement.target]
    else:
        called = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        targets = [statement.value.func] if called else []
    found = set()
    for target in targets:
        while isinstance(target, ast.Attribute | ast.Subscript | ast.Call):
            target = target.func if isinstance(target, ast.Call) else target.value
            if isinstance(target, ast.Name):
                found.add(target.id)
    return found


@functools.cache
def names_of(lesson: str) -> dict:
    """The names that a lesson's answers use, made by those of the lesson's own statements that make them.

    By those alone: others may train a model or write a story. From the last to the first, a statement is needed when it
    makes or changes something that a later one or an answer reads.
    """
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    answers = [solution for _, _, solution in exercises(notebook, path)]
    answers += [code for of, *_, mistakes in WRONG if of == lesson for code, _ in mistakes.values()]
    answers += [code for of, *_, kinds in RIGHT if of == lesson for code in kinds.values()]
    wanted = set().union(*[names_in(code, made=False) for code in answers])
    needed = []
    for cell in reversed(notebook.cells):
        if cell.cell_type != "code" or "exercise" in cell.metadata or "tags" in cell.metadata:
            continue
        try:
            statements = ast.parse(cell.source).body
        except SyntaxError:  # magics
            continue
        for statement in reversed(statements):
            code = ast.unparse(statement)
            made = names_in(code, made=True)
            if code == "notebook.prepare()" or wanted & (made | changed_by(statement)):
                needed.insert(0, code)
                if isinstance(statement, ast.Assign | ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
                    wanted -= made  # what made them before is not needed for them
                wanted |= names_in(code, made=False)
    namespace = {}
    for code in needed:
        exec(code, namespace)
    return namespace


PROOFS = proofs.load()
WRONG = [
    (lesson, check, names, mistakes) for lesson, of in PROOFS.items() for (check, names), mistakes in of.WRONG.items()
]


RIGHT = [
    (lesson, check, names, answers)
    for lesson, of in PROOFS.items()
    for (check, names), answers in getattr(of, "RIGHT", {}).items()
]


@functools.cache
def feedback_to(lesson: str, check: str, names: tuple[str, ...], code: str) -> Feedback:
    return getattr(checks_module(lesson), check)(*answer(code, dict(names_of(lesson)), *names))


@pytest.mark.parametrize(
    ("lesson", "check", "names", "code", "words"),
    [
        pytest.param(lesson, check, names, code, words, id=f"{check}: {mistake}")
        for lesson, check, names, mistakes in WRONG
        for mistake, (code, words) in mistakes.items()
    ],
)
def test_a_wrong_answer_gets_its_hint(lesson, check, names, code, words):
    feedback = feedback_to(lesson, check, names, code)
    assert feedback.status == "wrong"
    assert words in feedback.message, feedback.message


@pytest.mark.parametrize(
    ("lesson", "check", "names", "mistakes"), [pytest.param(*of, id=f"{of[0]}: {of[1]}") for of in WRONG]
)
def test_a_hint_is_given_to_no_other_mistake(lesson, check, names, mistakes):
    """Mistakes that share a hint share its words in the proofs, to the letter."""
    said = {words: [] for _, words in mistakes.values()}
    for code, words in mistakes.values():
        said[words].append(feedback_to(lesson, check, names, code).message)
    for words in said:
        others = [message for of, messages in said.items() if of != words for message in messages]
        assert not [message for message in others if words in message], words


@pytest.mark.parametrize(
    ("lesson", "check", "names", "code"),
    [
        pytest.param(lesson, check, names, code, id=f"{check}: {kind}")
        for lesson, check, names, answers in RIGHT
        for kind, code in answers.items()
    ],
)
def test_a_right_answer_of_another_kind_is_right(lesson, check, names, code):
    feedback = feedback_to(lesson, check, names, code)
    assert feedback.status == "right", feedback.message


def checks_of(path) -> dict:
    """The check call that follows each stub, by the exercise's name."""
    notebook = nbformat.read(path, as_version=4)
    found = {}
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "exercise" in cell.metadata:
            following = next(c for c in notebook.cells[place + 1 :] if c.cell_type == "code")
            found[cell.metadata["exercise"]] = (cell, following)
    return found


EXERCISES = [
    pytest.param(path, name, solution, id=f"{path.stem}: {name}")
    for path in LESSONS
    for name, _, solution in exercises(nbformat.read(path, as_version=4), path)
]


@pytest.mark.parametrize(("path", "name", "solution"), EXERCISES)
def test_the_solution_passes_and_the_stub_does_not(path, name, solution):
    stub, check = checks_of(path)[name]
    for code, status in ((solution, "right"), (stub.source, "open")):
        namespace = dict(names_of(path.name[:2]))
        exec(code, namespace)
        lines = check.source.rstrip().splitlines()
        exec("\n".join(lines[:-1]), namespace)
        feedback = eval(lines[-1], namespace)
        assert feedback.status == status, feedback.message
    assert check.outputs[0].data["text/plain"].startswith("○ Not answered yet.")


@pytest.mark.parametrize(("path", "name", "solution"), EXERCISES)
def test_the_stub_is_what_the_rules_make_of_the_solution(path, name, solution):
    stub, _ = checks_of(path)[name]
    assert stub.source == make_stub(solution), "run `python -m course_build exercises`"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_three_to_six_exercises_each_with_a_hint(path):
    notebook = nbformat.read(path, as_version=4)
    found = checks_of(path)
    assert 3 <= len(found) <= 6
    hints = [cell.source for cell in notebook.cells if "<summary>Hint</summary>" in cell.source]
    assert len(hints) == len(found)


@pytest.mark.parametrize("lesson", [path.name[:2] for path in LESSONS])
def test_every_check_has_at_least_three_named_wrong_answers(lesson):
    members = inspect.getmembers(checks_module(lesson))
    checks = {name for name, member in members if name.startswith("check_") and callable(member)}
    assert checks == {check for of, check, _, _ in WRONG if of == lesson}
    assert all(len(mistakes) >= 3 for *_, mistakes in WRONG)


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers()), st.just(...)
)


@settings(max_examples=60, deadline=None)
@given(ANYTHING, ANYTHING)
def test_a_check_never_raises_whatever_it_is_given(value, other):
    for lesson, check, names, _ in WRONG:
        run = getattr(checks_module(lesson), check)
        feedback = run(*[value, other][: len(names)])
        assert isinstance(feedback, Feedback)
        assert feedback.status != "right" or value in getattr(PROOFS[lesson], "LUCKY", {}).get(check, [])
        assert run(*[lambda *_, **__: value][: len(names)]).status != "right"


def test_feedback_names_the_learners_exception_and_a_check_of_its_own_never_raises():
    @checker
    def check_half(half):
        if half(4) != 2:
            raise WrongAnswerError("Half of 4 is 2.")
        return "Two halves make a whole."

    assert repr(check_half(lambda n: n / 2)) == "✔ Right. Two halves make a whole."
    assert repr(check_half(lambda n: n)) == "✘ Not yet. Half of 4 is 2."
    assert "ZeroDivisionError: division by zero" in repr(check_half(lambda n: n / 0))
    assert check_half(...).status == "open"
    assert check_half(lambda n: ...).status == "open"
    assert check_half().status == "wrong"
    assert check_half(3).status == "wrong"


def test_the_rules_that_make_a_stub():
    solution = (
        "import math\n\n\ndef area(r):\n    '''Area of a circle.'''\n    square = r * r\n    return math.pi * (\n"
        "        square\n    )\n\n\n# how big?\nbig = [\n    area(9),\n]\nprint(big)"
    )
    assert make_stub(solution) == (
        "import math\n\n\ndef area(r):\n    '''Area of a circle.'''\n    return ...  # your code here\n\n\n"
        "# how big?\nbig = ...  # your answer here\nprint(big)"
    )
