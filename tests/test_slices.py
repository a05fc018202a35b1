"""The sentences that models are measured with: both sides of every kind, and none that a training has seen."""

from course_build.training import held_out_sentences
from course_build.training.rated_snippets import near_duplicates
from course_utils import reviews


def test_every_kind_has_both_sides():
    table = held_out_sentences.load()
    counts = table.groupby(["kind", "label"]).size().unstack()
    assert set(counts.index) == set(held_out_sentences.TITLES)
    assert set(counts.columns) == {"NEGATIVE", "POSITIVE"}
    assert (counts.sum(axis=1) >= 60).all()
    assert (abs(counts["NEGATIVE"] - counts["POSITIVE"]) <= 2).all()
    assert table["text"].is_unique


def test_the_tweets_have_each_label():
    table = held_out_sentences.load_tweets()
    counts = table["label"].value_counts()
    assert set(counts.index) == set(held_out_sentences.TWEET_TITLES)
    assert counts["NEG"] >= 60
    assert counts.min() >= 20
    assert table["text"].is_unique


def test_none_is_a_near_duplicate_of_a_snippet():
    ours = [*held_out_sentences.load()["text"], *held_out_sentences.load_tweets()["text"]]
    theirs = reviews.load(None, reviews.SOURCES)["text"].tolist()
    pairs = near_duplicates([*theirs, *ours], start=len(theirs))
    assert {ours[second - len(theirs)] for first, second in pairs if first < len(theirs)} == set()
