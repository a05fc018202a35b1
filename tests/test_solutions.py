"""The published solutions, on hostile input: each does what its task promises, said otherwise than in the solution."""

import functools

import nbformat
from conftest import NOTEBOOKS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_exercises import names_of

from course_build.lessons.exercise_stubs import exercises

few = settings(max_examples=60, deadline=None)


@functools.cache
def solution(lesson: str, exercise: str) -> dict:
    """The names that a lesson has once the solution of an exercise was run in it."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    (code,) = [code for name, _, code in exercises(nbformat.read(path, as_version=4), path) if name == exercise]
    names = dict(names_of(lesson))
    exec(code, names)
    return names


# Lesson 1

BYTES = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}


@few
@given(st.integers(0, 10**12), st.integers(1, 64))
def test_megabytes_are_all_the_bits_in_bytes(parameters, bits):
    megabytes = solution("01", "megabytes")["megabytes"](parameters, bits)
    assert abs(megabytes * 8_000_000 - parameters * bits) <= 1e-9 * parameters * bits


@few
@given(st.integers(0, 10**12), st.integers(0, 10**13) | st.floats(0, 1e13))
@example(10**9, 4 * 10**9)
@example(3, 1)
@example(0, 0)
def test_the_best_precision_fits_and_no_better_one_does(parameters, memory):
    found = solution("01", "precision")["best_precision"](parameters, memory)
    fitting = {name for name, size in BYTES.items() if parameters * size <= memory}
    assert found == max(fitting, key=BYTES.get, default=None)
