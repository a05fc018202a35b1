"""`SentimentPipeline`: the notebook's and the package's, held to each other and to the library's pipeline."""

import ast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import SentimentPipeline, reviews

HOSTILE = [
    "x",
    "👩‍👩‍👧‍👦 loved it ❤️",
    "<script>alert('bad')</script>",
    "e\u0301\u0301\u0301 \u202eevil\u202c \x00\x07",
    "这部电影太棒了",
    "[MASK] [SEP] [CLS] [PAD] [UNK]",
    "good " * 20_000,
    "a" * 100_000,
]


@pytest.fixture(scope="module")
def packaged(sentiment_pipeline):
    return sentiment_pipeline


@pytest.fixture(scope="module")
def taught(lesson_3, reviews_checkpoint):
    """The class as the notebook defines it, run from the notebook's own cells."""
    namespace = {}
    for cell in lesson_3.cells:
        if cell.cell_type == "code" and not cell.source.startswith(("#|", "%")) and "?" not in cell.source:
            wanted = (ast.Import, ast.ImportFrom, ast.ClassDef)
            body = [node for node in ast.parse(cell.source).body if isinstance(node, wanted)]
            exec(compile(ast.Module(body, []), "lesson 3", "exec"), namespace)
    return namespace["SentimentPipeline"](reviews_checkpoint)


@pytest.fixture(scope="module")
def library(library_pipeline):
    return library_pipeline


def assert_same(first: list[dict], second: list[dict]) -> None:
    assert [result["label"] for result in first] == [result["label"] for result in second]
    np.testing.assert_allclose([r["score"] for r in first], [r["score"] for r in second], atol=1e-5)


def test_notebook_package_and_library_agree_on_held_out_reviews(packaged, taught, library):
    texts = reviews.load("test")["text"].sample(60, random_state=0).tolist()
    results = packaged(texts)
    assert {result["label"] for result in results} == {"NEGATIVE", "POSITIVE"}
    assert_same(results, [taught(text) for text in texts])
    assert_same(results, library(texts, truncation=True))


def test_the_lessons_pipelines_say_that_they_take_one_text(lesson_3, taught):
    """They look at the first row of logits alone, so a second text would be lost in silence."""
    (cell,) = [cell for cell in lesson_3.cells if "def simple_pipeline" in cell.source]
    definition = cell.source.partition("\n\n\n")[0]
    namespace: dict = {}
    exec(definition, namespace)
    for answer in (namespace["simple_pipeline"], taught):
        with pytest.raises(TypeError, match="one text at a time: call me for each"):
            answer(["I love it.", "I hate it."])


def test_hostile_texts_get_the_same_answer_everywhere(packaged, taught, library):
    results = packaged(HOSTILE)
    assert_same(results, [taught(text) for text in HOSTILE])
    assert_same(results, library(HOSTILE, truncation=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=60).filter(str.strip), min_size=1, max_size=5))
def test_any_batch_gives_what_its_texts_give_alone(packaged, texts):
    assert_same(packaged(texts), [packaged(text) for text in texts])


def test_another_architecture_needs_no_other_line(tweets_checkpoint):
    classify = SentimentPipeline(tweets_checkpoint, max_tokens=2)
    results = classify(["I love this", "The train leaves at nine", "I hate this"])
    assert [result["label"] for result in results][::2] == ["POS", "NEG"]


def test_one_text_gives_a_dict_and_any_iterable_a_list(packaged):
    one = packaged("A joy from start to end.")
    assert set(one) == {"label", "score"}
    assert 0 <= one["score"] <= 1
    assert_same(packaged(text for text in ["A joy from start to end."]), [one])
    assert packaged([]) == []


def test_batches_keep_the_order(reviews_checkpoint, packaged):
    texts = ["wonderful", "terrible"] * 5
    assert_same(SentimentPipeline(reviews_checkpoint, max_tokens=30)(texts), packaged(texts))


@pytest.mark.parametrize(
    ("texts", "error", "says"),
    [
        (None, TypeError, "this is a NoneType"),
        (b"good", TypeError, "this is a bytes"),
        (3.5, TypeError, "this is a float"),
        (["good", 7], TypeError, "text number 2 is a int"),
        (["good", None], TypeError, "text number 2 is a NoneType"),
        ("", ValueError, "the text is empty"),
        (["good", " \n\t"], ValueError, "text number 2 is empty"),
    ],
)
def test_what_is_no_text_is_named(packaged, texts, error, says):
    with pytest.raises(error, match=says):
        packaged(texts)


def test_bad_settings_are_named(reviews_checkpoint):
    with pytest.raises(TypeError, match="not a int"):
        SentimentPipeline(3)
    with pytest.raises(ValueError, match="max_tokens"):
        SentimentPipeline(reviews_checkpoint, max_tokens=0)
    with pytest.raises(OSError, match="no-such-checkpoint"):
        SentimentPipeline("no-such-checkpoint")
