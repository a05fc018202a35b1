"""Figures that judge a classifier: confusion, calibration, accuracies with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_utils.plots.style import COLOURS, INK, PAPER, name_rows, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str], title: str = "") -> Axes:
    """Draw a confusion matrix: a row for what people said, a column for what the model said, counts in the squares.

    The shade is the share of the row, so that a rare label is as visible as a common one.

    Raises:
        ValueError: the matrix is not square, or has another size than there are labels.
    """
    import numpy as np

    counts = np.asarray(matrix)
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(f"{len(labels)} labels need a square matrix of that size, not one of shape {counts.shape}")
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = 1.6 + 1.1 * len(labels)
    with new_axes(side + 1.0, side) as axes:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            ink = PAPER if shares[row, column] > 0.55 else INK
            shown = f"{counts[row, column]:,}\n{shares[row, column]:.0%}"
            axes.text(column, row, shown, ha="center", va="center", color=ink)
        places = range(len(labels))
        axes.set(xticks=places, xticklabels=labels, yticks=places, yticklabels=labels, title=title)
        axes.set(xlabel="what the model said", ylabel="what people said")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return axes


def plot_calibration(bins: Sequence[tuple[int, float, float]], title: str = "") -> Axes:
    """Draw a reliability diagram: the accuracy of answers with about the same score, beside the line where both agree.

    Args:
        bins: size, mean score and accuracy of each group of answers, as `evaluation.calibration` returns them.
        title: the figure's title.

    Raises:
        ValueError: there is no group.
    """
    if not bins:
        raise ValueError("plot_calibration needs at least one group of answers")
    scores, accuracies = [score for _, score, _ in bins], [share for _, _, share in bins]
    spread = [2 * (share * (1 - share) / size) ** 0.5 for size, _, share in bins]
    with new_axes(5.4, 4.2) as axes:
        lowest = min(0.5, *scores, *accuracies) - 0.05
        axes.plot([lowest, 1], [lowest, 1], "--", color=COLOURS["neutral"], linewidth=1)
        axes.annotate("as sure as right", (lowest, lowest), xytext=(14, 2), textcoords="offset points", fontsize=9)
        look = {"color": COLOURS["positive"], "ecolor": COLOURS["neutral"], "capsize": 3, "markersize": 6}
        axes.errorbar(scores, accuracies, yerr=spread, fmt="o-", **look)
        for size, score, share in bins:
            axes.annotate(f"{size:,}", (score, share), xytext=(7, -13), textcoords="offset points", fontsize=9)
        axes.set(xlabel="mean score of the answers", ylabel="share that is right", title=title)
        axes.set(xlim=(lowest, 1.03), ylim=(lowest, 1.06))
    return axes


def plot_accuracies(accuracies: Mapping[str, float], size: int, title: str = "") -> Axes:
    """Draw accuracies measured on the same texts as dots, each with a whisker of two standard errors on each side.

    Args:
        accuracies: an accuracy from 0 to 1 for each name, drawn from top to bottom.
        size: how many texts they were measured on.
        title: the figure's title.

    Raises:
        ValueError: there is nothing to draw, an accuracy is not from 0 to 1, or there was no text.
    """
    if not accuracies or size < 1 or not all(0 <= share <= 1 for share in accuracies.values()):
        raise ValueError("plot_accuracies needs accuracies from 0 to 1, measured on at least one text")
    with new_axes(7.0, 0.9 + 0.42 * len(accuracies)) as axes:
        places = range(len(accuracies))
        spread = [2 * (share * (1 - share) / size) ** 0.5 for share in accuracies.values()]
        look = {"color": COLOURS["positive"], "ecolor": COLOURS["neutral"], "capsize": 3, "markersize": 7}
        axes.errorbar(list(accuracies.values()), places, xerr=spread, fmt="o", **look)
        axes.set(xlabel="accuracy", title=title)
        axes.grid(axis="x", color=INK, alpha=0.12)
        name_rows(axes, list(accuracies))
    return axes
