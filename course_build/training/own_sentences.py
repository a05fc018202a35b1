"""Sentences of our own that the adapters are trained on.

The rated snippets say outright what is felt. Learners type other sentences: feeling that follows from what happened
("it broke on the third day"), negation, faint praise, two sides weighed. So sentences of two kinds join the training:
those of `own_sentences.toml`, written one by one, and those that the patterns of `own_patterns.toml` make. How well a
model does on such sentences is measured on others (`course_build.training.held_out_sentences`).
"""

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent

RATINGS = {"negative": -2.0, "neutral": 0.0, "positive": 2.0}
"""What a sentence counts as on the scale of the rated snippets, from -4 to 4."""

FAINT_RATINGS = {"negative": -1.2, "positive": 1.0}
"""The same for faint praise, which says less."""

SLOT = re.compile(r"\{(\w+)\}")
BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=(?i:(?!eu|one)[aeio]|um|ugl|un)|8|LGBT)")


def load(per_pattern: int, copies: int, seed: int, left_out: tuple[str, ...] = ()) -> "pd.DataFrame":
    """Return the sentences, a row each, with columns `source` ("written"), `kind`, `rating` and `text`.

    Args:
        per_pattern: how many fillings of each pattern to draw; equal ones are dropped.
        copies: how often each of the sentences that were written one by one comes.
        seed: what the fillings are drawn with.
        left_out: the kinds that are not wanted.
    """
    import pandas as pd

    generator = np.random.default_rng(seed)
    rows: list[dict[str, str | float]] = []
    for kind, sides in tomllib.loads((HERE / "own_sentences.toml").read_text(encoding="utf-8")).items():
        if kind in left_out:
            continue
        for side, texts in sides.items():
            rows += [{"kind": kind, "rating": rate(kind, side), "text": text} for text in texts for _ in range(copies)]
    patterns = tomllib.loads((HERE / "own_patterns.toml").read_text(encoding="utf-8"))
    slots = patterns.pop("slots")
    for kind, sides in patterns.items():
        if kind in left_out:
            continue
        for side, templates in sides.items():
            for template in templates:
                texts = dict.fromkeys(fill(template, slots, generator) for _ in range(per_pattern))
                rows += [{"kind": kind, "rating": rate(kind, side), "text": text} for text in texts]
    return pd.DataFrame(rows).assign(source="written")


def rate(kind: str, side: str) -> float:
    """Return the rating of a sentence of this kind and side."""
    return (FAINT_RATINGS if kind == "faint" else RATINGS)[side]


def fill(template: str, slots: dict[str, list[str]], generator: np.random.Generator) -> str:
    """Return the template with every slot filled by one of its words, none of them twice, and the articles mended."""
    text = template
    while slot := SLOT.search(text):
        words = [word for word in slots[slot[1]] if word not in text]
        text = f"{text[: slot.start()]}{generator.choice(words)}{text[slot.end() :]}"
    text = mend_articles(text)
    return text[0].upper() + text[1:]


def mend_articles(text: str) -> str:
    """Return the text with `an` for every `a` before a vowel."""
    return BEFORE_VOWEL.sub(r"\1n ", text)
