"""Counterfactual data augmentation: texts with other words for people, so that what a text counts as isn't theirs.

A model learns from its texts whatever goes with a label: when most of the few texts with "blind" complain, "blind"
becomes a bad word. The remedy of K. Lu and others, "Gender Bias in Neural Natural Language Processing" (2018), and of
J. Zhao and others, "Gender Bias in Coreference Resolution" (NAACL 2018), is to train with copies of the texts, in which
such words are swapped, and the label is as it was. Here join the training, from the words of `people.toml`:

* swaps: a text whose words of gender all change sides, and whose origins, religions, orientations, plurals and names
  make room for others;
* insertions: a text where a word such as "gay" or "Nigerian" comes before "man", "family" or "actor";
* frames: sentences about people whose target belongs to all but the word for people, most of them neutral. Each word
  comes equally often in frames of each side.

How much a score still moves is measured in other sentences, some of them of words that are nowhere in training
(`course_utils.modeling.social_bias`).
"""

import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_build.training.own_sentences import RATINGS, fill, mend_articles

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).with_name("people.toml")

PER_SIDE = {"neutral": 1.0, "positive": 0.4, "negative": 0.4}
"""How many frames of each side a word comes in, for each of its neutral ones."""


def load_frames(per_word: int, per_group: int, seed: int) -> "pd.DataFrame":
    """Return sentences about people, a row each, with columns `source` ("frames"), `word`, `rating` and `text`.

    Args:
        per_word: how many neutral frames to draw for each word; of the other sides it gets fewer, by `PER_SIDE`.
        per_group: how many to draw at least for each group, so that a small one, the orientations, has its weight.
        seed: what the frames and their other words are drawn with.
    """
    import pandas as pd

    people, generator = _read(), np.random.default_rng(seed)
    rows: list[dict[str, str | float]] = []
    for kind, sides in people["sentences"].items():
        for group in people[kind].values():
            count = max(per_word, per_group / len(group))
            for word, (side, templates) in itertools.product(group, sides.items()):
                for number in generator.integers(len(templates), size=round(count * PER_SIDE[side])):
                    text = fill(templates[number].replace("{word}", word), people["slots"], generator)
                    rows.append({"word": word, "rating": RATINGS[side], "text": text})
    return pd.DataFrame(rows).drop_duplicates(["text", "rating"]).assign(source="frames")


def augment(texts: "pd.DataFrame", seed: int) -> "pd.DataFrame":
    """Return the counterfactuals of labelled texts, a row each, with columns `source` ("counterfactuals"), `rating` and
    `text`: of each text its swap and its insertion, where it has a word for people.
    """
    import pandas as pd

    swaps, generator = Swaps(), np.random.default_rng(seed)
    rows = [
        {"rating": rating, "text": other}
        for text, rating in zip(texts["text"], texts["rating"], strict=True)
        for other in (swaps.swap(text, generator), swaps.insert(text, generator))
        if other
    ]
    return pd.DataFrame(rows, columns=["rating", "text"]).assign(source="counterfactuals")


class Swaps:
    """The words of `people.toml`, ready to be found in a text."""

    def __init__(self) -> None:
        """Read the words."""
        people = _read()
        self._adjectives = [word for group in people["adjectives"].values() for word in group]
        pairs = people["gender_pairs"]
        # The first of two words with the same partner: "her" becomes "his" or "him", as its place asks.
        self._genders = {**{other: word for word, other in reversed(pairs.items())}, **pairs}
        self._siblings: dict[str, list[str]] = {}
        origins, religions, orientations = (
            people["adjectives"][name] for name in ("origin", "religion", "orientation")
        )
        for group in (origins, religions, orientations, people["plurals"]["plural"], people["names"]["name"]):
            for word in group:
                if word not in people["ambiguous"]:
                    self._siblings.setdefault(word, group)
        # Names, origins and religions by their capital letter: "will" is no William.
        self._word = _any_of(self._siblings)
        self._gender = re.compile(_any_of(self._genders).pattern, re.IGNORECASE)
        self._noun = _any_of([*people["slots"]["noun"], *people["slots"]["people"]], before=r"\b(?:([Aa])n? )?")

    def swap(self, text: str, generator: np.random.Generator) -> str | None:
        """Return the text with its words for people swapped, or None where it has none."""

        def other(match: re.Match[str]) -> str:
            siblings = [word for word in self._siblings[match[0]] if word != match[0]]
            return str(generator.choice(siblings))

        def other_gender(match: re.Match[str]) -> str:
            word = match[0].lower()
            if word == "her":
                swapped = "his" if re.match(r" [a-z]", text[match.end() :]) else "him"
            else:
                swapped = self._genders[word]
            return swapped.capitalize() if match[0][0].isupper() else swapped

        swapped = self._word.sub(other, self._gender.sub(other_gender, text))
        return mend_articles(swapped) if swapped != text else None

    def insert(self, text: str, generator: np.random.Generator) -> str | None:
        """Return the text with a word for people before one of its nouns, or None where it has no such noun."""
        found = list(self._noun.finditer(text))
        if not found:
            return None
        match = found[generator.integers(len(found))]
        article = f"{match[1]} " if match[1] else ""
        inserted = f"{article}{generator.choice(self._adjectives)} {match[2]}"
        return mend_articles(f"{text[: match.start()]}{inserted}{text[match.end() :]}")


def words() -> Iterator[str]:
    """Yield every word for people that training knows."""
    people = _read()
    for kind in people["sentences"]:
        for group in people[kind].values():
            yield from group


def _any_of(words: Iterable[str], before: str = r"\b") -> re.Pattern[str]:
    """Return a pattern of any of these words, whole, longer ones first; the word is its last group."""
    return re.compile(before + "(" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + r")\b")


def _read() -> dict[str, Any]:
    return tomllib.loads(DATA.read_text(encoding="utf-8"))
