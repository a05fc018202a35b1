"""Each quiz: its form, and its key, proven by running what the question asks about."""

import inspect
import re

import proofs
import pytest
from bs4 import BeautifulSoup

from course_utils.quiz import QUIZZES, Choice, Question, Quiz, quiz

LESSONS = sorted(path.stem.removeprefix("quiz_") for path in QUIZZES.glob("quiz_*.toml"))
KEYS = {(lesson, question): key for lesson, of in proofs.load().items() for question, key in of.proves.of.items()}


@pytest.mark.parametrize(("lesson", "question"), sorted(KEYS))
def test_the_key_is_true(lesson, question, request):
    words, proof = KEYS[lesson, question]
    (asked,) = [q for q in quiz(lesson).questions if q.id == question]
    assert all(word in asked.key for word in words)
    proof(*[request.getfixturevalue(name) for name in inspect.signature(proof).parameters])


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_question_is_proven_and_every_choice_is_answered(lesson):
    questions = quiz(lesson).questions
    assert len(questions) == 5
    assert {(lesson, question.id) for question in questions} == {key for key in KEYS if key[0] == lesson}
    assert len({[choice.right for choice in question.choices].index(True) for question in questions}) >= 3
    for question in questions:
        assert len(question.choices) >= 3
        feedback = [choice.feedback for choice in question.choices]
        assert len(set(feedback)) == len(feedback)
        assert all(len(text.split()) >= 6 for text in feedback)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_quiz_works_without_script_and_hides_its_feedback(lesson):
    page = BeautifulSoup(quiz(lesson)._repr_markdown_(), "html.parser")
    assert not page.select("script, style, iframe, [onclick], [src], [href]")
    choices = page.select("details > summary")
    assert len(choices) == sum(len(question.choices) for question in quiz(lesson).questions)
    assert not page.select("details[open]")
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(set(ids)) == len(ids)
    assert all(tag["aria-labelledby"] in ids for tag in page.select("[role=group]"))
    assert not re.search(r"✔|✘", repr(quiz(lesson)))


def test_a_text_is_never_taken_for_html():
    hostile = Quiz("99", (Question("q", "<b>x</b> & `<i>`", (Choice("<script>", "<img>", True),)),))
    page = BeautifulSoup(hostile._repr_markdown_(), "html.parser")
    assert not page.select("script, img, b, i")
    assert page.select_one("code").text == "<i>"


def test_emphasis_and_code_in_a_question_are_shown_as_such():
    asked = Quiz("99", (Question("q", "*a* **b** `*c*` *`d`* 2 * 3 * 4", (Choice("x", "y", True),)),))
    shown = BeautifulSoup(asked._repr_markdown_(), "html.parser").p
    assert [mark.text for mark in shown.select("em")] == ["a", "d"]
    assert [mark.text for mark in shown.select("strong")][1:] == ["b"]
    assert [mark.text for mark in shown.select("code")] == ["*c*", "d"]
    assert shown.text.endswith("2 * 3 * 4")


@pytest.mark.parametrize("lesson", ["99", "3", "../03", "", None, 3])
def test_an_unknown_quiz_is_answered_with_the_known_ones(lesson):
    with pytest.raises(ValueError, match=r"for the lessons .*03"):
        quiz(lesson)


def test_a_question_without_a_key_is_named(tmp_path, monkeypatch):
    (tmp_path / "quiz_50.toml").write_text('[odd]\nquestion = "?"\nchoices = [{ text = "a", feedback = "b" }]\n')
    monkeypatch.setattr("course_utils.quiz.QUIZZES", tmp_path)
    with pytest.raises(ValueError, match="question odd needs exactly one right choice"):
        quiz("50")
