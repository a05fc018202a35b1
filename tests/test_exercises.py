"""Every exercise: its solution passes, its stub does not, and each wrong answer that people give gets its own hint."""

import copy
import functools
import importlib
import inspect
import itertools
import re
import sys

import nbformat
import numpy as np
import proofs
import pytest
import torch
from conftest import LESSONS, NOTEBOOKS
from hypothesis import given, settings
from hypothesis import strategies as st

from course_build.exercises import namespaces
from course_build.lessons import index as lessons
from course_build.lessons.exercise_stubs import exercises, make_stub
from course_utils.exercises import Feedback, WrongAnswerError, cases, checker


def answer(code: str, namespace: dict, *names: str) -> list:
    """Run an answer as a cell of the lesson would be run, and return what it defined."""
    exec(code, namespace)
    return [namespace[name] for name in names]


@functools.cache
def checks_module(lesson: str):
    return importlib.import_module(f"course_utils.exercises.lesson_{lesson}")


@functools.cache
def names_of(lesson: str) -> dict:
    """The names that a lesson's answers use, as its notebook makes them."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    codes = [code for of, *_, mistakes in WRONG if of == lesson for code, _ in mistakes.values()]
    codes += [code for of, *_, others in RIGHT if of == lesson for code in others.values()]
    return namespaces.names(path, codes)


PROOFS = proofs.load()
WRONG = [
    (lesson, check, names, mistakes) for lesson, of in PROOFS.items() for (check, names), mistakes in of.WRONG.items()
]
RIGHT = [
    (lesson, check, names, others)
    for lesson, of in PROOFS.items()
    for (check, names), others in getattr(of, "RIGHT", {}).items()
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
        for lesson, check, names, others in RIGHT
        for kind, code in others.items()
    ],
)
def test_a_right_answer_of_another_kind_is_right(lesson, check, names, code):
    feedback = feedback_to(lesson, check, names, code)
    assert feedback.status == "right", feedback.message


EXERCISES = [
    pytest.param(path, name, solution, id=f"{path.stem}: {name}")
    for path in LESSONS
    for name, _, solution in exercises(nbformat.read(path, as_version=4), path)
]


@pytest.mark.parametrize(("path", "name", "solution"), EXERCISES)
def test_the_solution_passes_and_the_stub_does_not(path, name, solution):
    stub, check = namespaces.check_cells(lessons.read(path))[name]
    for code, status in ((solution, "right"), (stub.source, "open")):
        namespace = dict(names_of(path.name[:2]))
        exec(code, namespace)
        feedback = namespaces.checked(check.source, namespace)
        assert feedback.status == status, feedback.message
    assert check.outputs[0].data["text/plain"].startswith("○ Not answered yet.")


RAISED = "an exception"


def result_of(solved, case):
    try:
        return solved(*copy.deepcopy(case))
    except Exception:
        return RAISED


def alike(same, one, other) -> bool:
    """Tell whether two results are the same. One of another form than what is right is like no other."""
    if one is RAISED or other is RAISED:
        return one is other
    try:
        return bool(same(one, other))
    except Exception:
        return False


def runs_cases(path, name, solution) -> bool:
    """Tell whether an exercise's check is a call of `run_cases`."""
    _, cell = namespaces.check_cells(lessons.read(path))[name]
    return "run_cases(" in inspect.getsource(
        getattr(checks_module(path.name[:2]), re.findall(r"check_\w+", cell.source)[0])
    )


@pytest.mark.parametrize(("path", "name", "solution"), [of for of in EXERCISES if runs_cases(*of.values)])
def test_each_recognized_mistake_differs_from_the_right_answer_and_from_the_others(path, name, solution, monkeypatch):
    module = checks_module(path.name[:2])

    def compare_all(function, called, asked, right, *, mistakes, same=cases.equal, **_):
        results = {
            hint: [result_of(solved, case) for case in asked]
            for hint, solved in {"the right answer": right, **mistakes}.items()
        }
        for (hint, one), (other_hint, other) in itertools.combinations(results.items(), 2):
            assert not all(map(functools.partial(alike, same), one, other)), (hint, other_hint)

    monkeypatch.setattr(module, "run_cases", compare_all)
    namespace = dict(names_of(path.name[:2]))
    exec(solution, namespace)
    assert namespaces.checked(namespaces.check_cells(lessons.read(path))[name][1].source, namespace).status == "right"


@pytest.mark.parametrize(("path", "name", "solution"), EXERCISES)
def test_the_stub_is_what_the_rules_make_of_the_solution(path, name, solution):
    stub, _ = namespaces.check_cells(lessons.read(path))[name]
    assert stub.source == make_stub(solution), "run `python -m course_build exercises`"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_three_to_six_exercises_each_with_a_hint(path):
    notebook = nbformat.read(path, as_version=4)
    found = namespaces.check_cells(lessons.read(path))
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


def endless(_):
    while True: pass  # noqa: E701 - all on one line  # fmt: skip


def endless_and_careful(_):
    while True:
        try:
            len(3)
        except Exception:
            continue


def endless_inside(_):
    return sorted([1, 2], key=lambda _: sum(1 for _ in iter(int, 1)))


def endless_later(_):
    while True:
        yield 1


@pytest.mark.parametrize("answer", [endless, endless_and_careful, endless_inside, endless_later])
def test_a_check_comes_to_an_end_though_the_answer_does_not(answer):
    before = []

    @checker
    def check_list(numbers):
        return f"{list(numbers(3))}"

    def traced(*_):
        before.append("called")

    sys.settrace(traced)
    try:
        feedback = check_list(answer)
        assert sys.gettrace() is traced
    finally:
        sys.settrace(None)
    assert feedback.status == "wrong"
    assert "took two million steps and came to no end" in feedback.message


def test_what_ends_a_program_is_feedback_and_an_interrupt_is_one():
    @checker
    def check_half(half):
        return f"{half(4)}"

    def recurse(number):
        return recurse(number)

    def interrupted(number):
        raise KeyboardInterrupt

    assert "use return" in repr(check_half(lambda n: sys.exit()))
    assert "RecursionError" in repr(check_half(recurse))
    with pytest.raises(KeyboardInterrupt):
        check_half(interrupted)


class Stubborn(Exception):  # noqa: N818 - a learner's
    def __str__(self):
        raise self


class Awkward:
    def refuse(self, *_):
        raise Stubborn

    __eq__ = __bool__ = __iter__ = __repr__ = __len__ = __getattr__ = __float__ = refuse
    __hash__ = None


def test_an_awkward_value_is_feedback():
    for lesson, check, names, _ in WRONG:
        for answer in (Awkward(), np.ones(3), torch.ones(2, 2), lambda *_, **__: Awkward()):
            assert getattr(checks_module(lesson), check)(*[answer] * len(names)).status == "wrong"


def test_the_rules_that_make_a_stub():
    solution = (
        "import math\n\n\ndef area(r):\n    '''Area of a circle.'''\n    square = r * r\n    return math.pi * (\n"
        "        square\n    )\n\n\n# how big?\nbig = [\n    area(9),\n]\nprint(big)"
    )
    assert make_stub(solution) == (
        "import math\n\n\ndef area(r):\n    '''Area of a circle.'''\n    return ...  # your code here\n\n\n"
        "# how big?\nbig = ...  # your answer here\nprint(big)"
    )
