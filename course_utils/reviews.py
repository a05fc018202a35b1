"""Short texts that people have rated: snippets of movie reviews, of product reviews, tweets and editorials.

Each text was read by about 20 people, who rated how negative (-4) to positive (4) it is. The file beside this module
holds their mean, how many were below, at and above zero, and fixed train, validation and test splits in which no text
has a near duplicate elsewhere. `python -m course_build reviews` makes it again; that module says how.

From C.J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text"
(ICWSM 2014), MIT licence. Movie snippets: B. Pang and L. Lee, "Seeing stars" (ACL 2005). Amazon sentences: M. Hu and
B. Liu, "Mining and summarizing customer reviews" (KDD 2004).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).parent / "data" / "reviews.csv.gz"
"""The labelled reviews: gzipped CSV, UTF-8, 23,703 rows."""

COLUMNS = ("id", "source", "rating", "negative", "neutral", "positive", "split", "text")
SOURCES = ("movie", "amazon", "tweets", "editorial")
SPLITS = ("train", "validation", "test")

THRESHOLD = 0.8
"""The least absolute mean rating that counts as an opinion: there, on average, three raters in four are on its side."""


def load(split: str | None = None, sources: str | Iterable[str] = ("movie", "amazon", "tweets")) -> pd.DataFrame:
    """Return the reviews of one split, or with `split=None` every row of the sources, split or not.

    Args:
        split: `"train"`, `"validation"`, `"test"`, or `None`.
        sources: some of `"movie"`, `"amazon"`, `"tweets"`, `"editorial"`, or one of them. Editorials are in no split.

    Returns:
        A row a text, in the file's order. `id` is unique within a `source`; `rating` is the mean, from -4 to 4;
        `negative`, `neutral` and `positive` count raters; `split` is missing for rows that are in none (editorials, and
        near duplicates of an earlier row); `text` is never empty.

    Raises:
        ValueError: for a split or source that doesn't exist; the message lists those that do.
    """
    import pandas as pd

    chosen = (sources,) if isinstance(sources, str) else tuple(sources)
    if split is not None and split not in SPLITS:
        raise ValueError(f"no split named {split!r}; choose one of {', '.join(SPLITS)}, or None for all rows")
    for source in chosen:
        if source not in SOURCES:
            raise ValueError(f"no source named {source!r}; choose from {', '.join(SOURCES)}")
    # Only an empty field is missing: "NA", "null" and the like are words that a text may consist of.
    table = pd.read_csv(
        DATA,
        dtype={"id": str, "source": str, "split": str, "text": str},
        keep_default_na=False,
        na_values={"split": [""]},
    )
    rows = table["source"].isin(chosen)
    if split is not None:
        rows &= table["split"] == split
    return table[rows].reset_index(drop=True)


def load_labelled(
    split: str | None = None, sources: str | Iterable[str] = ("movie", "amazon", "tweets")
) -> pd.DataFrame:
    """Return the reviews with a clear opinion, with a column `label`: `"NEGATIVE"` or `"POSITIVE"`.

    A row is left out when its mean rating is nearer to zero than `THRESHOLD`: its raters did not agree on a side.
    Arguments, other columns and errors are those of `load`.
    """
    table = load(split, sources)
    table = table[table["rating"].abs() >= THRESHOLD].reset_index(drop=True)
    table["label"] = table["rating"].gt(0).map({False: "NEGATIVE", True: "POSITIVE"})
    return table


def load_tweets(split: str | None = None) -> pd.DataFrame:
    """Return the tweets of a split, with a column `label`: `"NEG"`, `"NEU"` or `"POS"`.

    The same threshold as in `load_labelled` says what an opinion is; a tweet whose mean rating is nearer to zero than
    that is neutral. Other columns and errors are those of `load`.
    """
    table = load(split, "tweets")
    table["label"] = "NEU"
    table.loc[table["rating"] <= -THRESHOLD, "label"] = "NEG"
    table.loc[table["rating"] >= THRESHOLD, "label"] = "POS"
    return table
