"""The figures that more than one lesson draws: the same look everywhere, readable on a light and on a dark page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#30353c"
PAPER = "#ffffff"
"""Figures bring their own light paper: no one ink reads well (4.5:1) on a light and on a dark page."""

COLOURS = {"positive": "#1f8ac0", "neutral": "#8a8f98", "negative": "#d9692b"}
"""One colour a sentiment: blue and orange differ for every kind of colour vision (after Okabe and Ito, 2008)."""

STYLE = {
    "figure.figsize": (7.0, 3.2),
    "figure.dpi": 110,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "font.size": 11,
}


def sentiment_of(label: str) -> str:
    """Which of the three colours a model's label gets: POSITIVE and POS are positive, whatever the case."""
    name = label.lower()
    return "positive" if name.startswith("pos") else "negative" if name.startswith("neg") else "neutral"


def plot_scores(texts: Sequence[str], results: Sequence[dict], title: str = "", width: int = 34) -> Axes:
    """Draw a model's answers as bars: label and score of each text, the first text on top.

    The bar starts at what chance would give no one: 0. Its colour is the label's, which is also written at its end.

    Args:
        texts: n texts.
        results: n dicts with `label` and `score` (0 to 1), as a sentiment pipeline returns them.
        title: the figure's title.
        width: after how many characters a text goes on in the next line; after three lines it is cut.

    Returns:
        The axes, for whoever wants to add to them.

    Raises:
        ValueError: there is nothing to draw, or the numbers of texts and results differ.
    """
    import matplotlib.pyplot as plt

    if not texts or len(texts) != len(results):
        raise ValueError(f"each text needs its result: these are {len(texts)} texts and {len(results)} results")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 0.9 + 0.62 * len(texts)), layout="constrained")
        names = ["\n".join(textwrap.wrap(text, width, max_lines=3, placeholder=" …")) for text in texts]
        places = range(len(texts))
        scores = [result["score"] for result in results]
        axes.barh(places, scores, height=0.56, color=[COLOURS[sentiment_of(r["label"])] for r in results])
        for place, result in zip(places, results, strict=True):
            axes.text(result["score"] + 0.012, place, f"{result['label']}  {result['score']:.2f}", va="center")
        axes.set(yticks=list(places), yticklabels=names, xlim=(0, 1.32), xticks=[0, 0.25, 0.5, 0.75, 1], title=title)
        axes.set_xlabel("score: the probability that the model gives its label")
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
    return axes
