"""The published solutions, on hostile input: each does what its task promises, said otherwise than in the solution."""

import functools

import nbformat
import yaml
from conftest import LESSONS, NOTEBOOKS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_exercises import names_of
from transformers import pipeline

from course_build.lessons import index as lessons
from course_build.lessons.exercise_stubs import exercises
from course_utils import SentimentPipeline, checkpoint
from course_utils.models import SENTIMENT_MODEL

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


# Lesson 2

DASHES = st.text("-a: \n", max_size=12)
VALUES = (
    st.text(max_size=8) | DASHES | st.integers() | st.booleans() | st.none() | st.dates() | st.lists(DASHES, max_size=2)
)


@few
@given(st.dictionaries(st.text(max_size=5) | DASHES, VALUES, min_size=1, max_size=4), DASHES)
def test_front_matter_is_read_whatever_stands_in_it_and_below_it(front, below):
    block = yaml.safe_dump(front, allow_unicode=True)
    found = solution("02", "read_front")["read_front"](f"---\n{block}---\n{below}")
    assert found == yaml.safe_load(block)


@few
@given(st.text("- a\n", max_size=20))
@example("---\n---")
@example("---\r\n---\r\n")
@example("---\na\n---\n")
def test_a_text_without_front_matter_has_none(text):
    assert solution("02", "read_front")["read_front"](text) == {}


# Lesson 3


@few
@given(st.sampled_from(["POSITIVE", "NEGATIVE"]), st.floats(0, 1), st.none() | st.floats(0, 1))
@example("NEGATIVE", 0.9, None)
def test_a_verdict_is_the_label_or_not_sure(label, score, threshold):
    verdict = solution("03", "verdict")["verdict"]
    found = verdict({"label": label, "score": score}, **({} if threshold is None else {"threshold": threshold}))
    sure = score >= (0.9 if threshold is None else threshold)
    assert found == ({"POSITIVE": "positive", "NEGATIVE": "negative"}[label] if sure else "not sure")


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=20))
@example("long " * 600)
def test_all_scores_are_those_that_the_library_gives(text):
    names = solution("03", "all_scores")
    tweets = names["tweets_model"]
    library = pipeline("text-classification", model=tweets.model, tokenizer=tweets.tokenizer, device="cpu")
    (expected,) = library([text], top_k=None, truncation=True)
    found = names["all_scores"](text)
    assert [label for label, _ in found] == [score["label"] for score in expected]
    assert all(abs(score - of["score"]) < 1e-4 for (_, score), of in zip(found, expected, strict=True))


@few
@given(st.lists(st.text(max_size=12) | st.just("[PAD]"), min_size=1, max_size=4))
def test_padding_makes_all_texts_as_long_as_the_longest(texts):
    names = solution("03", "count_padding")
    lengths = [len(names["tokenizer"](text)["input_ids"]) for text in texts]
    counts = names["count_padding"](texts)
    assert {length + count for length, count in zip(lengths, counts, strict=True)} == {max(lengths)}


def test_the_hint_of_exercise_5_says_what_fools_the_model_and_what_does_not():
    (hint,) = [cell.source for cell in lessons.read(LESSONS[2]).cells if "too good to be true" in cell.source]
    assert "a phone that makes a perfect doorstop" in " ".join(hint.split())
    model = SentimentPipeline(checkpoint(SENTIMENT_MODEL))
    assert model("Too good to be true")["label"] == "NEGATIVE"
    doorstop = model("This phone makes a perfect doorstop")
    assert doorstop["label"] == "POSITIVE"
    assert doorstop["score"] > 0.8
