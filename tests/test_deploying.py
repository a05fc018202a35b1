"""Lesson 8: what it builds by hand does what the course's own does, and the sanitiser overlooks Ray's line alone."""

import asyncio
import re
from configparser import ConfigParser

import nbformat
import pytest
from conftest import NOTEBOOKS
from hypothesis import given
from hypothesis import strategies as st

from course_build.paths import ROOT
from course_utils.exercises import lesson_08
from course_utils.service import batcher as batching


@pytest.fixture(scope="module")
def lesson_8() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / "08_deploying.ipynb", as_version=4)


@pytest.fixture(scope="module")
def defined(lesson_8) -> dict:
    """What the cells that define `schedule`, `Batcher` and `finest` make."""
    namespace: dict = {}
    for cell in lesson_8.cells:
        if cell.cell_type == "code" and re.search(
            r"^(def schedule|class Batcher|def finest)\b", cell.source, re.MULTILINE
        ):
            exec(cell.source, namespace)
    return namespace


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=12).map(sorted),
    st.integers(0, 20),
    st.integers(1, 50),
    st.integers(1, 5),
)
def test_the_check_of_exercise_1_plays_by_the_lessons_rule(defined, arrivals, window, seconds, most):
    runs = defined["schedule"](arrivals, window, seconds, most)
    assert [list(batch) for *_, batch in runs] == lesson_08.schedule(arrivals, window, seconds, most)
    assert [place for *_, batch in runs for place in batch] == list(range(len(arrivals)))
    assert all(end - start == seconds and start >= arrivals[batch[0]] + window for start, end, batch in runs)


def test_the_lessons_batcher_answers_as_the_courses_does(defined):
    texts = [f"text {number}" for number in range(20)]

    def classify(batch: list[str]) -> list[str]:
        return [text.upper() for text in batch]

    async def ask_both() -> tuple:
        by_hand = defined["Batcher"](classify)
        sizes: list[int] = []
        grown_up = batching.Batcher(max_batch=8, on_run=sizes.append)
        loops = [asyncio.create_task(by_hand.run()), asyncio.create_task(grown_up.run(classify))]
        answers = await asyncio.gather(*map(by_hand.ask, texts))
        others = await asyncio.gather(*(grown_up.classify([text]) for text in texts))
        for loop in loops:
            loop.cancel()
        return answers, [answer for (answer,) in others], by_hand.sizes, sizes

    answers, others, by_hand, grown_up = asyncio.run(ask_both())
    assert answers == others == classify(texts)
    assert by_hand == grown_up == [8, 8, 4]


def test_a_model_fits_where_its_weights_leave_three_tenths_free(defined):
    finest = defined["finest"]
    assert finest(7e9, 16) == "int8"
    assert finest(7e9, 10.001) == "int8"
    assert finest(7e9, 9.999) == "4 bits"
    assert finest(7e9, 6) is None


def test_the_sanitiser_overlooks_rays_line_and_no_other():
    rules = ConfigParser(interpolation=None)
    rules.read(ROOT / "tests" / "nbval_sanitize.cfg", encoding="utf-8")
    rule = rules["ray"]
    text = "Ray: 3,069 rows, the same labels: True\nrows: 3\n"
    assert re.sub(rule["regex"], rule["replace"], text) == "Ray:\nrows: 3\n"
