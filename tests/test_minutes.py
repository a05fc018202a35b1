"""A lesson's minutes: computed by the rule of course_build/lessons/minutes.py, and stated by the lesson about so."""

import re
import shutil

import nbformat
import pytest
from conftest import LESSONS
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_build.lessons import index as lessons
from course_build.lessons import minutes


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_states_about_what_it_takes(path):
    parts = minutes.compute(path)
    assert parts.fit(lessons.front_matter(path)["minutes"]), minutes.told(path)


def test_each_part_is_counted(tmp_path):
    """Of lesson 3, so that there is a quiz: five questions."""
    shown = [new_output("stream", name="stdout", text="2\n")]
    notebook = new_notebook(
        cells=[
            new_markdown_cell("word " * 300 + "[word](../glossary.qmd#a-b) <b>word</b>\n\n```\nno word\n```"),
            new_code_cell("#| fig-cap: no line\na = 1\n\n\nprint(a + 1)", outputs=shown),
            new_code_cell("b = 1\n" * 10),
            new_markdown_cell(
                "### Exercise 1\n\n*Difficulty 1 of 3 · about 7 minutes · changes code*\n\n" + "task " * 900
            ),
            new_code_cell("answer = ...", metadata={"exercise": "answer"}),
            new_code_cell("from course_utils.exercises.lesson_03 import check_answer\n\ncheck_answer()", outputs=shown),
            new_markdown_cell("<details>\n" + "hint " * 900 + "\n</details>"),
        ],
        metadata={"course": {"seconds": {"a": 60, "b": 15}}},
    )
    path = tmp_path / "03_x.ipynb"
    nbformat.write(notebook, path)
    parts = minutes.compute(path)
    assert vars(parts) == pytest.approx(
        {"prose": 302 / 200, "code": 12 * 5 / 60, "outputs": 10 / 60, "exercises": 7, "quiz": 5, "computing": 1.25}
    )
    assert parts.total == pytest.approx(15.93, abs=0.01)
    assert parts.rounded == 15
    assert [parts.fit(stated) for stated in (12, 13, 19, 20)] == [False, True, True, False]


@pytest.mark.parametrize(("total", "rounded"), [(1, 5), (37.4, 35), (37.6, 40), (59.9, 60), (84, 80), (126, 130)])
def test_what_is_stated_is_rounded(total, rounded):
    assert minutes.Parts(total, 0, 0, 0, 0, 0).rounded == rounded


def test_a_lesson_is_given_its_minutes_in_both_places_and_nothing_else_changes(tmp_path):
    path = tmp_path / LESSONS[-1].name
    shutil.copy(LESSONS[-1], path)
    text = re.sub(
        r"minutes: \d+|after about \d+ minutes", lambda found: re.sub(r"\d+", "7", found[0]), path.read_text()
    )
    path.write_text(text, encoding="utf-8")
    wanted = minutes.compute(path).rounded
    assert f"takes about {wanted} minutes" in minutes.told(path)
    assert "it states 7: `python -m course_build syllabus --minutes`" in minutes.told(path)
    assert minutes.state(path)
    after = text.replace("minutes: 7", f"minutes: {wanted}").replace("after about 7 m", f"after about {wanted} m")
    assert path.read_text(encoding="utf-8") == after
    assert minutes.told(path).endswith(f"it states {wanted}")
    assert not minutes.state(path)
