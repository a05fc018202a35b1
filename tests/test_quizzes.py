"""Each quiz: its form, and its key, proven by running what the question asks about."""

import re

import pytest
import torch
from bs4 import BeautifulSoup
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint
from course_utils.quiz import QUIZZES, Quiz, quiz

LESSONS = sorted(path.stem.removeprefix("quiz_") for path in QUIZZES.glob("quiz_*.toml"))
KEYS = {}


def proves(lesson: str, question: str, *words: str):
    """Register a proof of a question's key; `words` must be in the right choice and in no wrong one."""

    def register(proof):
        KEYS[lesson, question] = (words, proof)
        return proof

    return register


@proves("03", "argmax", "`POSITIVE`", "higher")
def the_place_of_the_highest_logit_is_the_label():
    assert {0: "NEGATIVE", 1: "POSITIVE"}[torch.tensor([-1.2, 3.4]).argmax().item()] == "POSITIVE"
    assert torch.tensor([3.5, 3.4]).argmax().item() == 0


@proves("03", "softmax", "Nothing")
def adding_to_all_logits_changes_no_score():
    logits = torch.tensor([-1.2, 3.4], dtype=torch.float64)
    torch.testing.assert_close((logits + 10).softmax(0), logits.softmax(0))
    assert (logits * 10).softmax(0).max() > logits.softmax(0).max()


@proves("03", "mask", "padding")
def zeros_of_the_mask_are_padding_and_nothing_else():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint("distilbert-base-uncased-finetuned-sst-2-english"))
    batch = tokenizer(["short", "a text with 漢 and much longer"], padding=True, return_tensors="pt")
    assert torch.equal(batch["attention_mask"] == 0, batch["input_ids"] == tokenizer.pad_token_id)
    assert tokenizer("\U00013000")["attention_mask"] == [1, 1, 1]
    assert tokenizer("\U00013000")["input_ids"][1] == tokenizer.unk_token_id


@proves("03", "auto", "config")
def a_renamed_folder_still_loads(tmp_path):
    import shutil

    for hub_id in (
        "distilbert-base-uncased-finetuned-sst-2-english",
        "finiteautomata/bertweet-base-sentiment-analysis",
    ):
        original = AutoModelForSequenceClassification.from_pretrained(checkpoint(hub_id))
        renamed = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(checkpoint(hub_id), renamed)
        assert type(AutoModelForSequenceClassification.from_pretrained(renamed)) is type(original)


@proves("03", "tokenizer", "meaningless")
def another_vocabularys_ids_are_read_as_other_words():
    from tokenizers import Tokenizer, models, trainers

    folder = checkpoint("distilbert-base-uncased-finetuned-sst-2-english")
    own = AutoTokenizer.from_pretrained(folder)
    other = Tokenizer(models.BPE())
    other.train_from_iterator(["a wonderful film that I loved"] * 9, trainers.BpeTrainer(vocab_size=200))
    ids = other.encode("a wonderful film that I loved").ids
    logits = AutoModelForSequenceClassification.from_pretrained(folder)(torch.tensor([ids])).logits
    assert torch.isfinite(logits).all()
    assert "wonderful" not in own.decode(ids)


@pytest.mark.parametrize(("lesson", "question"), sorted(KEYS))
def test_the_key_is_true(lesson, question, request):
    words, proof = KEYS[lesson, question]
    (asked,) = [q for q in quiz(lesson).questions if q.id == question]
    assert all(word in asked.key for word in words)
    needs = proof.__code__.co_varnames[: proof.__code__.co_argcount]
    proof(*[request.getfixturevalue(name) for name in needs])


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
    from course_utils.quiz import Choice, Question

    hostile = Quiz("99", (Question("q", "<b>x</b> & `<i>`", (Choice("<script>", "<img>", True),)),))
    page = BeautifulSoup(hostile._repr_markdown_(), "html.parser")
    assert not page.select("script, img, b, i")
    assert page.select_one("code").text == "<i>"


@pytest.mark.parametrize("lesson", ["99", "3", "../03", "", None, 3])
def test_an_unknown_quiz_is_answered_with_the_known_ones(lesson):
    with pytest.raises(ValueError, match=r"for the lessons .*03"):
        quiz(lesson)


def test_a_question_without_a_key_is_named(tmp_path, monkeypatch):
    (tmp_path / "quiz_50.toml").write_text('[odd]\nquestion = "?"\nchoices = [{ text = "a", feedback = "b" }]\n')
    monkeypatch.setattr("course_utils.quiz.QUIZZES", tmp_path)
    with pytest.raises(ValueError, match="question odd needs exactly one right choice"):
        quiz("50")
