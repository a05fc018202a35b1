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


def plot_memory(sizes: dict[str, int], bits: dict[str, int], limit: float | None = None, title: str = "") -> Axes:
    """Draw how much memory the parameters of models take, at several precisions, on a logarithmic scale.

    Args:
        sizes: the number of parameters of each model, by its name.
        bits: how many bits a parameter takes, by the name of the precision.
        limit: a memory in bytes to draw a line at, or None.
        title: the figure's title.

    Returns:
        The axes. The unit of their x axis is the byte.

    Raises:
        ValueError: there is nothing to draw, or a number is not above 0.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter

    if not sizes or not bits or min([*sizes.values(), *bits.values()]) <= 0:
        raise ValueError("plot_memory needs models and precisions, with numbers above 0")
    shades = plt.get_cmap("viridis")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 0.9 + 0.95 * len(sizes)), layout="constrained")
        height = 0.8 / len(bits)
        for row, (precision, width) in enumerate(bits.items()):
            places = [place + (row - (len(bits) - 1) / 2) * height for place in range(len(sizes))]
            memory = [parameters * width / 8 for parameters in sizes.values()]
            colour = shades(0.15 + 0.6 * row / max(1, len(bits) - 1))
            axes.barh(places, memory, height=height * 0.92, color=colour, label=precision)
            for place, amount in zip(places, memory, strict=True):
                axes.text(amount * 1.08, place, f"{precision}  {format_bytes(amount)}", va="center", fontsize=9)
        axes.set(yticks=range(len(sizes)), yticklabels=list(sizes), xscale="log", title=title)
        axes.set_xlim(right=max(sizes.values()) * max(bits.values()) / 8 * 12)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda amount, _: format_bytes(amount)))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        if limit:
            axes.axvline(limit, color=INK, linestyle="--", linewidth=1)
            axes.text(limit * 1.06, -0.52, format_bytes(limit), va="bottom", fontsize=9)
    return axes


def format_bytes(amount: float) -> str:
    """Write a number of bytes with the unit that suits it: 90,852,872 is 91 MB (a MB is 1,000,000 bytes)."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.2g} {units[0]}" if amount < 9.95 else f"{amount:.0f} {units[0]}"
