"""Sentences of reviews of products, films and restaurants, for training and to see how a model does on other texts.

From each of amazon.com, imdb.com and yelp.com come 1,000 sentences, 500 against and 500 for. They are those of D.
Kotzias and others, "From Group to Individual Labels using Deep Features" (KDD 2015), which the UCI Machine Learning
Repository distributes as "Sentiment Labelled Sentences" (CC BY 4.0, doi:10.24432/C57604). The npm package `sentiment`
has them among its tests; training fetches them from there, and the course doesn't pass them on.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from course_build.models import packages
from course_build.training import held_out_sentences
from course_build.training.rated_snippets import clean, keep_first
from course_utils import reviews
from course_utils.models import File

if TYPE_CHECKING:
    import pandas as pd

PACKAGE = packages.Package(
    kind="npm",
    name="sentiment",
    version="5.0.2",
    size="140 kB",
    folder="package/test/fixtures",
    files={
        "amazon.json": File(77271, "bc5eb0cac49fc45987301f1dc2d02cf5ca356ba6c882be179dce77d74e666ed9"),
        "imdb.json": File(104395, "44a7b9082ed732ee2de3c858ea5ee2e99aca34f239a1c4359d3a300bf099bdb5"),
        "yelp.json": File(80373, "9f3f47983f21eeb819380767b74bfa648eca208f156241111454b3e122773ff7"),
    },
)

HELD_OUT = 1 / 3
"""Share of every site's sentences that no training sees."""

RATINGS = (-2.0, 2.0)
"""What the two labels count as on the scale of the rated snippets, from -4 to 4."""


class Sentence(TypedDict):
    """A sentence of the package: the site that it stood on, its rating and its text."""

    source: str
    rating: float
    text: str


def load(split: str) -> "pd.DataFrame":
    """Return the sentences of `"train"` or `"test"`, with columns `source` (the site), `rating`, `label` and `text`.

    `label` is `"NEGATIVE"` or `"POSITIVE"`. Raises `BuildError` when the package can't be fetched.
    """
    table = read(packages.fetch(PACKAGE, "train"))
    return table[table["split"] == split].drop(columns="split").reset_index(drop=True)


def read(folder: Path) -> "pd.DataFrame":
    """Return the sentences of the package's files, with the columns of `load` and `split`.

    Near duplicates of a rated snippet, of one of `course_build.training.held_out_sentences` or of an earlier sentence
    are left out. A hash draws the splits, so that they are the same under every version of Python.
    """
    import pandas as pd

    rows: list[Sentence] = []
    for name in PACKAGE.files:
        found: list[Sentence] = [
            {"source": Path(name).stem, "rating": RATINGS[row["class"]], "text": clean(row["text"])}
            for row in json.loads((folder / name).read_text(encoding="utf-8"))
            if row["text"]  # the last row of a file is empty
        ]
        rows += sorted(found, key=lambda row: hashlib.sha256(row["text"].encode()).digest())
    others = [*reviews.load(None, reviews.SOURCES)["text"], *held_out_sentences.load()["text"]]
    kept = keep_first([*others, *(row["text"] for row in rows)], start=len(others))[len(others) :]
    table = pd.DataFrame(rows)[kept].reset_index(drop=True)
    sites = table.groupby("source")["text"]
    held_out = sites.cumcount() < HELD_OUT * sites.transform("size")
    return table.assign(
        label=table["rating"].gt(0).map({False: "NEGATIVE", True: "POSITIVE"}),
        split=held_out.map({False: "train", True: "test"}),
    )
