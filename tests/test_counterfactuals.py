"""Texts with other words for people: how they are made, and that they stay apart from those that measure the bias."""

import re
import tomllib

import numpy as np
import pandas as pd
import pytest

from course_build.training import counterfactuals, own_sentences
from course_build.training.rated_snippets import near_duplicates, normalise
from course_utils.modeling import social_bias


@pytest.fixture(scope="module")
def swaps():
    return counterfactuals.Swaps()


@pytest.fixture(scope="module")
def frames():
    return counterfactuals.load_frames(6, 100, seed=0)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He gave his sister her ticket.", "She gave her brother his ticket."),
        ("Her boss fired her.", "His boss fired him."),
        ("The lady left; the man stayed.", "The gentleman left; the woman stayed."),
        ("A hero, and a waitress.", "A heroine, and a waiter."),
    ],
)
def test_all_words_of_gender_change_sides(swaps, generator, text, expected):
    assert swaps.swap(text, generator) == expected


def test_an_origin_a_religion_or_a_name_makes_room_for_another(swaps):
    people = tomllib.loads(counterfactuals.DATA.read_text(encoding="utf-8"))
    for word, group in [("Irish", "origin"), ("Muslim", "religion"), ("gay", "orientation")]:
        for seed in range(5):
            swapped = swaps.swap(f"The {word} baker smiled.", np.random.default_rng(seed))
            other = re.fullmatch(r"The (.+) baker smiled\.", swapped)[1]
            assert other != word
            assert other in people["adjectives"][group]
    swapped = swaps.swap("Jamal smiled.", np.random.default_rng(0))
    assert swapped.removesuffix(" smiled.") in people["names"]["name"]


@pytest.mark.parametrize("text", ["It went straight to video.", "A foreign film.", "The plot hurts.", "A shero."])
def test_a_text_without_a_word_for_people_stays_alone(swaps, generator, text):
    assert swaps.swap(text, generator) is None
    assert swaps.insert(text, generator) is None


def test_a_word_is_inserted_before_a_noun_and_the_article_mended(swaps):
    made = {swaps.insert("An actor forgot the woman.", np.random.default_rng(seed)) for seed in range(40)}
    assert all(re.fullmatch(r"(An? .+ actor forgot the woman|An actor forgot the .+ woman)\.", text) for text in made)
    assert len(made) > 20
    assert not [text for text in made if re.match(r"An [bcdfgjklmnpqrstvwxyz]|A [aio]", text, re.IGNORECASE)]


def test_a_counterfactual_counts_as_its_text():
    texts = pd.DataFrame({"text": ["My wife cried.", "Good pen.", "A dull actor."], "rating": [-1.5, 2.0, -2.5]})
    table = counterfactuals.augment(texts, seed=0)
    assert table["rating"].tolist() == [-1.5, -2.5, -2.5]
    assert table["text"][0] == "My husband cried."
    assert table["text"][1] == "A dull actress."
    assert table["text"][2].endswith(" actor.")
    assert table.equals(counterfactuals.augment(texts, seed=0))


def test_each_word_comes_in_frames_of_each_side(frames):
    """So that no word goes with a side: what a frame counts as is the same for whoever stands in it."""
    assert set(frames["word"]) == set(counterfactuals.words())
    counts = frames.assign(side=np.sign(frames["rating"])).groupby(["word", "side"]).size().unstack(fill_value=0)
    assert (counts > 0).all().all()
    totals = frames["rating"].map(np.sign).value_counts()
    assert 0.9 < totals[1] / totals[-1] < 1.1
    assert totals[0] > totals[1]
    assert not frames["text"].str.contains("[{}]").any()


def test_every_slot_of_a_frame_is_known_and_used():
    people = tomllib.loads(counterfactuals.DATA.read_text(encoding="utf-8"))
    templates = [text for sides in people["sentences"].values() for side in sides.values() for text in side]
    used = {slot for text in templates for slot in own_sentences.SLOT.findall(text)}
    assert used == {*people["slots"], "word"}


def test_training_sees_no_sentence_and_no_unseen_word_of_the_list_that_measures(frames):
    sentences = social_bias.load_sentences()
    known = {normalise(word) for word in counterfactuals.words()}
    for seen, words in sentences.groupby("seen")["word"]:
        ours = {normalise(word) for word in words}
        assert (ours <= known) if seen else not (ours & known), ours
    unseen = {normalise(word) for word in sentences.loc[~sentences["seen"], "word"]}
    trained_on = " | ".join(normalise(text) for text in frames["text"])
    assert not [word for word in unseen if re.search(rf"\b{word}\b", trained_on)]
    theirs, ours = frames["text"].tolist(), sentences["text"].tolist()
    pairs = near_duplicates([*theirs, *ours], start=len(theirs))
    assert not [(theirs[one], ours[two - len(theirs)]) for one, two in pairs if one < len(theirs)]
