"""Weights and their errors after quantization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_utils.plots.style import COLOURS, INK, LINES, STYLE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def plot_histograms(
    values: Mapping[str, ArrayLike], marks: Mapping[str, Sequence[float]] | None = None, title: str = ""
) -> Sequence[Axes]:
    """Draw how often which values occur, in panels side by side.

    Args:
        values: any number of numbers for each panel, by what they are.
        marks: places on a panel's axis to draw a dashed line at, by the panel's name.
        title: the figure's title.

    Returns:
        The axes of the panels, in their order.

    Raises:
        ValueError: there is no panel, one has no numbers, or a mark is of no panel.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    panels = {name: np.asarray(numbers).ravel() for name, numbers in values.items()}
    marks = marks or {}
    if not panels or not all(numbers.size for numbers in panels.values()) or not set(marks) <= set(panels):
        raise ValueError("plot_histograms needs numbers for each panel, and marks only for panels that there are")
    with plt.rc_context(STYLE):
        figure, row = plt.subplots(1, len(panels), squeeze=False, layout="constrained")
        figure.suptitle(title, fontweight="bold", x=0.01, ha="left", color=INK)
        for axes, (name, numbers) in zip(row[0], panels.items(), strict=True):
            axes.hist(numbers, bins=60, color=COLOURS["positive"])
            for place in marks.get(name, ()):
                axes.axvline(place, color=COLOURS["negative"], linestyle="--", linewidth=1.4)
            axes.set(xlabel=name, yticks=[])
            axes.locator_params(axis="x", nbins=5)
            axes.spines["left"].set_visible(False)
    return row[0]


def plot_layer_errors(errors: Mapping[str, Mapping[str, float]], kinds: Sequence[str], title: str = "") -> Axes:
    """Draw the relative error of matrices as dots, grouped by layer, on a logarithmic scale.

    Args:
        errors: for each scheme, an error above 0 for each matrix, by the matrix's name; all schemes have the same ones,
            and the matrices of one layer follow each other.
        kinds: the kinds of matrices in a layer, by the ends of their names. The worst of them is named in the figure.
        title: the figure's title.

    Raises:
        ValueError: there is nothing to draw, the schemes have other matrices, or a layer is not complete.
    """
    from matplotlib.ticker import PercentFormatter

    names = list(next(iter(errors.values()), ()))
    if not names or len(names) % len(kinds) or any(list(of) != names for of in errors.values()):
        raise ValueError("plot_layer_errors needs an error of each scheme for every kind of matrix in every layer")
    with new_axes(7.0, 3.6) as axes:
        places = [place + place // len(kinds) for place in range(len(names))]
        for (scheme, of), colour, marker in zip(errors.items(), (LINES[1], LINES[0], *LINES[2:]), "osD^", strict=False):
            axes.plot(places, list(of.values()), marker, color=colour, markersize=5, label=scheme)
        first = next(iter(errors.values()))
        for start in range(0, len(names), len(kinds)):
            worst = max(range(start, start + len(kinds)), key=lambda place: first[names[place]])
            kind = next(kind for kind in kinds if names[worst].endswith(kind))
            offset = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center", "fontsize": 9}
            axes.annotate(kind, (places[worst], first[names[worst]]), **offset)
        middles = [places[start] + (len(kinds) - 1) / 2 for start in range(0, len(names), len(kinds))]
        axes.set(yscale="log", ylabel="relative error", title=title)
        axes.set(xticks=middles, xticklabels=[f"layer {number}" for number in range(len(middles))])
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylim(top=2 * max(max(of.values()) for of in errors.values()))
        axes.tick_params(axis="x", length=0)
        axes.legend(frameon=False, loc="upper right", ncols=len(errors))
    return axes


def plot_block_levels(weights: ArrayLike, headers: ArrayLike, levels: int = 16, title: str = "") -> Axes:
    """Draw the levels that blocks of quantized weights can take, and the weights on them, a column for each block.

    Args:
        weights: the decoded weights, shape (blocks, weights of a block).
        headers: step and minimum of each block, shape (blocks, 2).
        levels: how many levels a block has.
        title: the figure's title.

    Raises:
        ValueError: the shapes don't fit each other.
    """
    import numpy as np

    weights, headers = np.asarray(weights), np.asarray(headers)
    if weights.ndim != 2 or headers.shape != (len(weights), 2):
        raise ValueError(f"a step and a minimum for each block: these are shapes {weights.shape} and {headers.shape}")
    with new_axes(7.0, 3.8) as axes:
        for place, (of_block, (step, minimum)) in enumerate(zip(weights, headers, strict=True)):
            ruler = minimum + step * np.arange(levels)
            axes.hlines(ruler, place - 0.38, place + 0.38, color=COLOURS["neutral"], linewidth=1)
            spread = np.linspace(-0.3, 0.3, len(of_block))
            axes.plot(place + spread, of_block, "o", color=COLOURS["positive"], markersize=3)
        axes.set(xticks=range(len(weights)), xlabel="block", ylabel="weight", title=title)
        axes.tick_params(axis="x", length=0)
    return axes
