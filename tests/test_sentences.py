"""The sentences of customers' reviews: that they are read as they are, and stay apart from all that measures."""

import json

import pytest

from course_build.models.hashed_files import find_corrupt_file
from course_build.training import customer_sentences, held_out_sentences
from course_build.training.rated_snippets import near_duplicates
from course_utils import reviews


def write_files(folder, texts):
    for name in customer_sentences.PACKAGE.files:
        rows = [{"text": f"{text}  ", "class": number % 2} for number, text in enumerate(texts[name])]
        (folder / name).write_text(json.dumps([*rows, {"text": "", "class": None}]), encoding="utf-8")


@pytest.fixture
def small(monkeypatch):
    """Few snippets to compare with, for comparing with all takes seconds."""
    table = reviews.load("validation").head(50)
    monkeypatch.setattr(reviews, "load", lambda split, sources: table)
    return table


def test_copies_are_left_out_and_a_hash_draws_the_splits(small, tmp_path, monkeypatch):
    words = ("cable", "soup", "actor", "charger", "waiter", "plot", "strap", "dessert", "scene")
    texts = {name: [f"What a {word} for {name}" for word in words] for name in customer_sentences.PACKAGE.files}
    copies = [small["text"][0].upper(), held_out_sentences.load()["text"][0], texts["amazon.json"][0] + "!"]
    write_files(tmp_path, {**texts, "yelp.json": [*copies, *texts["yelp.json"]]})
    table = customer_sentences.read(tmp_path)
    assert sorted(table["text"]) == sorted(text for group in texts.values() for text in group)
    assert set(zip(table["label"], table["rating"], strict=True)) == {("NEGATIVE", -2.0), ("POSITIVE", 2.0)}
    assert (table.loc[table["text"] == "What a cable for amazon.json", "label"] == "NEGATIVE").all()
    assert table.groupby(["source", "split"]).size().to_dict() == {
        (site, split): size for site in ("amazon", "imdb", "yelp") for split, size in (("test", 3), ("train", 6))
    }
    held_out = set(table.loc[table["split"] == "test", "text"])
    write_files(tmp_path, {name: group[::-1] for name, group in texts.items()})
    again = customer_sentences.read(tmp_path)
    assert set(again.loc[again["split"] == "test", "text"]) == held_out, "whatever the order of the rows"
    monkeypatch.setattr(customer_sentences.packages, "fetch", lambda package, asker: tmp_path)
    loaded = {split: customer_sentences.load(split)["text"] for split in ("train", "test")}
    assert set(loaded["test"]) == held_out
    assert sorted([*loaded["train"], *loaded["test"]]) == sorted(table["text"])


def test_the_real_ones_stay_apart_from_all_that_measures():
    if find_corrupt_file(customer_sentences.PACKAGE.kept, customer_sentences.PACKAGE.files):
        pytest.skip("the sentences are not here: only training fetches them")
    ours = customer_sentences.read(customer_sentences.PACKAGE.kept)
    assert ours.groupby("source").size().between(940, 1000).all()
    theirs = [*reviews.load("validation")["text"], *reviews.load("test")["text"], *held_out_sentences.load()["text"]]
    texts = ours["text"].tolist()
    pairs = near_duplicates([*theirs, *texts], start=len(theirs))
    assert not [texts[second - len(theirs)] for _, second in pairs], "not even of one another"
