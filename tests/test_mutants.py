"""Every mutant of a published solution is found by its exercise's check, or is named as the same answer."""

import ast

import proofs
import pytest
from conftest import LESSONS

from course_build.exercises.mutants import problems, try_lesson
from course_build.exercises.mutations import mutants

PROOFS = proofs.load()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_check_finds_every_mutant_that_is_another_answer(path):
    of = PROOFS[path.name[:2]]
    holes = getattr(of, "HOLES", {})
    trials = try_lesson(path, of)
    assert {trial.exercise for trial in trials} >= {*of.EQUIVALENT, *holes}
    for trial in trials:
        equivalent = of.EQUIVALENT.get(trial.exercise, {})
        assert all(equivalent.values()), "a mutant is the same answer for a reason"
        known = dict.fromkeys(holes.get(trial.exercise, []), "a hole")
        assert not known.keys() & equivalent.keys()
        assert not problems(trial, {**equivalent, **known})


def test_the_mutants_of_a_function():
    solution = "def mean(numbers):\n    if not numbers:\n        return 0\n    return sum(numbers) / len(numbers)"
    made = {mutant.description: mutant for mutant in mutants(solution, {"numbers": {"list"}, "return": {"float"}})}
    for description in (
        "line 2: if not numbers: return 0 is dropped",
        "line 3: 0 becomes 1",
        "line 4: sum(numbers) / len(numbers) becomes sum(numbers) // len(numbers)",
        "line 4: sum becomes max",
        "line 4: len(numbers) becomes len(numbers) - 1",
        "line 4: sum(numbers) / len(numbers) becomes round(sum(numbers) / len(numbers), 2)",
        "line 2: numbers = numbers[:1] comes first",
    ):
        assert description in made, sorted(made)
    assert "+    return max(numbers) / len(numbers)" in made["line 4: sum becomes max"].diff(solution)
    plain = [ast.dump(ast.parse(mutant.source)) for mutant in made.values()]
    assert len(set(plain)) == len(plain) == len({mutant.id for mutant in made.values()})
    assert ast.dump(ast.parse(solution)) not in plain
