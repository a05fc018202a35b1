"""The sentences of our own that training sees: how they are made, and that they stay apart from those that measure."""

import re
import tomllib

import numpy as np
import pytest

from course_build.training import held_out_sentences, own_sentences, train
from course_build.training.rated_snippets import NEAR_DUPLICATE, near_duplicates
from course_utils import reviews

APART = 0.6
"""The cosine of 4-grams that no sentence for measuring reaches with one for training; the splits are held to 0.8."""


@pytest.fixture(scope="module")
def tables():
    """What each recipe trains on."""
    return [
        own_sentences.load(recipe.per_pattern, recipe.copies, recipe.seed, recipe.left_out)
        for recipe in train.RECIPES.values()
    ]


@pytest.fixture(scope="module")
def trained_on(tables):
    return sorted({text for table in tables for text in table["text"]})


def shared(ours, theirs, threshold):
    """Return every text of ours that has a near duplicate in theirs."""
    pairs = near_duplicates([*theirs, *ours], threshold, start=len(theirs))
    return {ours[second - len(theirs)] for first, second in pairs if first < len(theirs)}


def test_no_training_sees_a_sentence_for_measuring(trained_on):
    ours = [*held_out_sentences.load()["text"], *held_out_sentences.load_tweets()["text"]]
    assert shared(["Lovely soup, really.", *ours], ["A pen.", "lovely soup really"], APART) == {"Lovely soup, really."}
    assert shared(ours, [*trained_on, *reviews.load("train")["text"]], APART) == set()


def test_what_is_trained_on_is_in_no_other_split(trained_on):
    held_out = [*reviews.load("validation")["text"], *reviews.load("test")["text"]]
    assert shared(trained_on, held_out, NEAR_DUPLICATE) == set()


def test_the_sides_are_balanced(tables):
    for whole in tables:
        table = whole[whole["kind"] != "complaint"]  # tweets to companies, of which most are angry
        positive, negative = (table["rating"] > 0).sum(), (table["rating"] < 0).sum()
        assert 0.9 < positive / negative < 1.1
        assert set(table["kind"]) > set(held_out_sentences.TITLES)


def test_two_classes_have_no_complaints(tables):
    """With them the reviews' model would see many more angry sentences than friendly ones."""
    kinds = dict(zip(train.RECIPES, (set(table["kind"]) for table in tables), strict=True))
    assert kinds["bert-minilm-tweets"] - kinds["distilbert-minilm-reviews"] == {"complaint"}


def test_a_seed_fixes_the_fillings_and_copies_are_copies():
    one, again, other = (own_sentences.load(3, 1, seed) for seed in (0, 0, 1))
    assert one.equals(again)
    assert not one.equals(other)
    thrice = own_sentences.load(3, 3, 0)
    by_hand = (len(thrice) - len(one)) / 2
    assert (thrice["text"].value_counts() == 3).sum() == by_hand
    assert set(thrice["text"]) == set(one["text"])


def test_every_slot_is_known_and_used():
    patterns = tomllib.loads((own_sentences.HERE / "own_patterns.toml").read_text(encoding="utf-8"))
    slots = patterns.pop("slots")
    templates = [text for sides in patterns.values() for side in sides.values() for text in side]
    assert {slot for text in templates for slot in own_sentences.SLOT.findall(text)} == set(slots)
    assert len(set(templates)) == len(templates)


def test_fill_repeats_no_word_and_mends_articles():
    generator = np.random.default_rng(0)
    slots = {"adjective": ["awful", "good"], "thing": ["umbrella", "useful app", "pen"]}
    texts = {own_sentences.fill("{adjective} or {adjective}, it is a {thing}.", slots, generator) for _ in range(60)}
    assert {re.split(r"\W+", text)[0] for text in texts} == {"Awful", "Good"}
    assert texts == {
        f"{first}, it is {thing}."
        for first in ("Awful or good", "Good or awful")
        for thing in ("an umbrella", "a useful app", "a pen")
    }
