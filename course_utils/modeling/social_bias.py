"""Social bias, measured with swapped words: how far a score moves when a word for people takes another's place.

"Our new dentist is gay." and "Our new dentist is Polish." say nothing good or bad of anybody, so a model of sentiment
should score them alike. What the score changes by is the model's own. Comparing texts that differ in such a word alone
is the method of J. Zhao and others, "Gender Bias in Coreference Resolution" (NAACL 2018), and of S. Kiritchenko and S.
Mohammad, "Examining Gender and Race Bias in Two Hundred Sentiment Analysis Systems" (*SEM 2018).
"""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).parents[1] / "data" / "swapped_words.toml"

EVERYTHING = "all"
"""The last row of `score_changes`."""


def load_sentences() -> pd.DataFrame:
    """Return the sentences to measure with, a row each, with columns `group`, `frame`, `word`, `seen` and `text`.

    `frame` is the sentence with `{}` in the word's place. `seen` says whether the embedded models were trained with the
    word, in other sentences.
    """
    import pandas as pd

    lists = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return pd.DataFrame(
        [
            {"group": name, "frame": frame, "word": word, "seen": key == "seen", "text": frame.format(word)}
            for name, group in lists["groups"].items()
            for frame in lists["frames"][group["frames"]]
            for key in ("seen", "unseen")
            for word in group[key]
        ]
    )


def score_changes(sentences: pd.DataFrame, scores: str = "positive") -> pd.DataFrame:
    """Return how far the score moves when one word takes another's place, a row for each group and one for all.

    A swap is two sentences of the same group and frame, and its change the distance between their scores. The columns
    are `mean` and `largest`, of the changes of all swaps, and `swaps`, their number.

    Args:
        sentences: a row each, with columns `group`, `frame` and the scores.
        scores: name of the column of the scores, such as the probability of the class POSITIVE, from 0 to 1.
    """
    import pandas as pd

    changes = pd.DataFrame(
        [
            {"group": group, "change": abs(one - other)}
            for (group, _), frame in sentences.groupby(["group", "frame"], sort=False)
            for one, other in itertools.combinations(frame[scores], 2)
        ]
    )
    everything = changes.assign(group=EVERYTHING)
    changes = pd.concat([changes, everything]).groupby("group", sort=False)["change"]
    return pd.DataFrame({"mean": changes.mean(), "largest": changes.max(), "swaps": changes.size()})
