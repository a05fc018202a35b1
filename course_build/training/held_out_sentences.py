"""Sentences of the kinds that learners type, to say how well a model does on each.

The rated snippets mostly say outright what is felt. Learners try other sentences: feeling that follows from what
happened ("it broke on the third day"), negation, faint praise, two sides weighed. `held_out_sentences.toml` has some of
each, for and against, written by hand for measuring. No training may see them, and no recipe is chosen by them.

Customers who write to a company on Twitter mostly say what happened, too, and ask: `held_out_tweets.toml` has such
complaints, beside questions and thanks, for the model that knows neutral texts.
"""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).with_name("held_out_sentences.toml")
TWEETS = Path(__file__).with_name("held_out_tweets.toml")

TITLES = {
    "implied": "what happened, without a word of feeling",
    "negation": "negation",
    "faint": "faint praise",
    "contrast": "two sides weighed",
    "plain": "plain talk of customers",
}
"""The kinds, and what a model card calls them."""

TWEET_TITLES = {"NEG": "complaints", "NEU": "questions and facts", "POS": "thanks"}
"""The labels of the tweets to companies, and what a model card calls those that have one."""


def load() -> "pd.DataFrame":
    """Return the sentences, a row each, with columns `kind`, `label` (`"NEGATIVE"` or `"POSITIVE"`) and `text`."""
    import pandas as pd

    kinds = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return pd.DataFrame(
        [
            {"kind": kind, "label": side.upper(), "text": text}
            for kind, sides in kinds.items()
            for side, texts in sides.items()
            for text in texts
        ]
    )


def load_tweets() -> "pd.DataFrame":
    """Return the tweets to companies, a row each, with columns `label` (a key of `TWEET_TITLES`) and `text`."""
    import pandas as pd

    tweets = tomllib.loads(TWEETS.read_text(encoding="utf-8"))
    return pd.DataFrame([{"label": label, "text": text} for label, texts in tweets.items() for text in texts])
