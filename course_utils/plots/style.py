"""The look of every figure, readable on a light and on a dark page, and the parts that several figures share."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


INK = "#30353c"

PAPER = "#ffffff"
"""Figures bring their own light paper: no one ink reads well (4.5:1) on a light and on a dark page."""

COLOURS = {"positive": "#1f8ac0", "neutral": "#8a8f98", "negative": "#d9692b"}
"""One colour a sentiment: blue and orange differ for every kind of colour vision (after Okabe and Ito, 2008)."""

PIECES = {"first": "#cfe4f5", "second": "#fbdcc4", "special": "#e3e5e9"}
"""Light papers for tokens: words take the first two in turns, so that neighbours differ; ink reads well on each."""

LINES = (COLOURS["positive"], COLOURS["negative"], "#2f7d5b", "#8a5a9e")
"""The colours of the lines of one figure, in their order; each is 3:1 or better on the paper."""

HIGHEST = 4.9
"""The most inches that a figure is high: with its margin 560 pixels, so that a small laptop's window shows it whole."""

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


@contextlib.contextmanager
def new_axes(width: float = 7.0, height: float = 3.2) -> Generator[Axes]:
    """Make a figure of this size, in inches, and give its axes, to be drawn on in the course's look."""
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        yield plt.subplots(figsize=(width, height), layout="constrained")[1]


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a chart, the first on top."""
    axes.set(yticks=range(len(names)), yticklabels=names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)


def write_after(axes: Axes, text: str, end: tuple[float, float], gap: float, size: float) -> None:
    """Write what a bar says behind its end, so many points away."""
    axes.annotate(text, end, (gap, 0), textcoords="offset points", va="center", fontsize=size)


def drawable(token: str) -> str:
    """Return a token as the figure can write it: at most 24 characters, each of them in the font."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans Mono"))
    short = token if len(token) <= 24 else f"{token[:23]}…"
    return "".join(c if font.get_char_index(ord(c)) and c.isprintable() else f"U+{ord(c):04X}" for c in short)


def format_bytes(amount: float) -> str:
    """Write a number of bytes with the unit that suits it: 90,852,872 is 91 MB (a MB is 1,000,000 bytes)."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.2g} {units[0]}" if amount < 9.95 else f"{amount:.0f} {units[0]}"
