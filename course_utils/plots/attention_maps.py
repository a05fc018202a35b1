"""Attention as a map: one head among tokens, or all heads of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_utils.plots.style import COLOURS, HIGHEST, INK, PAPER, new_axes

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike


def plot_attention(weights: ArrayLike, tokens: Sequence[str], title: str = "") -> Axes:
    """Draw one head's attention as a map: a row for each token that looks, a column for each that is looked at.

    Every token has its name on both axes, so up to some 30 tokens stay readable. Up to 12 of them, each square that
    is above 0.005 also has its weight written in it.

    Args:
        weights: shape (t, t). Row i says how token i shares out its attention: numbers from 0 to 1 that add up to 1.
        tokens: the t tokens, in their order.
        title: the figure's title.

    Returns:
        The axes, for whoever wants to add to them.

    Raises:
        ValueError: the shapes don't match, or a row is not shared out among the tokens.
    """
    import numpy as np

    table = np.asarray(weights, dtype=float)
    count = len(tokens)
    if not count or table.shape != (count, count):
        raise ValueError(
            f"{count} tokens need weights of the shape ({count}, {count}), one head of one text; "
            f"these have {table.shape}"
        )
    if not np.all(table >= 0) or np.abs(table.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError(
            "each row has to hold numbers from 0 to 1 that add up to 1. Are these the scores before softmax, or was "
            "padding cut off?"
        )
    side = min(HIGHEST, 2.2 + 0.3 * count)
    with new_axes(side + 0.6, side) as axes:
        image = _draw_map(axes, table, limit=1.0)
        axes.set(xlabel="is looked at", ylabel="looks", title=title)
        axes.set_xticks(range(count), tokens, rotation=90)
        axes.set_yticks(range(count), tokens)
        axes.tick_params(length=0, labelsize=10 if count <= 16 else 9 if count <= 22 else 7)
        if count <= 12:
            for row, column in zip(*np.nonzero(table >= 0.005), strict=True):
                ink = PAPER if table[row, column] > 0.45 else INK
                axes.text(
                    column,
                    row,
                    f"{table[row, column]:.2f}".lstrip("0"),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=ink,
                )
        axes.figure.colorbar(image, ax=axes, shrink=0.7, label="share of the attention")
    return axes


def plot_heads(
    values: ArrayLike, label: str, title: str = "", marks: Mapping[str, tuple[int, int]] | None = None
) -> Axes:
    """Draw one number for each attention head of a model as a map: a row a layer, a column a head, both from 0.

    Args:
        values: shape (layers, heads), none below 0.
        label: what the numbers are, with their unit; it is written beside the scale.
        title: the figure's title.
        marks: heads to frame, each a pair (layer, head), by the words that are written beside the frame.

    Returns:
        The axes.

    Raises:
        ValueError: the numbers are not a table, or one is below 0 or not a number, or a mark is on no head.
    """
    import numpy as np

    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or not table.size or not np.all(table >= 0):
        raise ValueError(
            f"plot_heads needs a table (layers, heads) of numbers from 0 up; this has the shape {table.shape}"
        )
    layers, heads = table.shape
    for name, (layer, head) in (marks or {}).items():
        if not (0 <= layer < layers and 0 <= head < heads):
            raise ValueError(f"{name!r} is at {layer, head}; there are {layers} layers of {heads} heads")
    with new_axes(7.0, 1.2 + 0.42 * layers) as axes:
        image = _draw_map(axes, table, limit=table.max() or 1.0)
        axes.set(xlabel="head", ylabel="layer", xticks=range(heads), yticks=range(layers), title=title)
        axes.tick_params(length=0)
        axes.figure.colorbar(image, ax=axes, label=label)
        for name, (layer, head) in (marks or {}).items():
            _mark_square(axes, name, layer, head, heads)
    return axes


def _mark_square(axes: Axes, name: str, row: int, column: int, columns: int) -> None:
    """Frame a square of a map and write its name beside it, on the side that has more room."""
    from matplotlib.patches import Rectangle

    frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=COLOURS["negative"], linewidth=2)
    axes.add_patch(frame)
    to_the_right = column < columns / 2
    axes.annotate(
        name,
        (column + (0.62 if to_the_right else -0.62), row),
        ha="left" if to_the_right else "right",
        va="center",
        fontsize=9,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
    )


def _draw_map(axes: Axes, table: np.ndarray, limit: float) -> AxesImage:
    """Draw numbers from 0 to `limit` as squares from white to dark blue, with thin lines between them."""
    from matplotlib.ticker import MultipleLocator

    image = axes.imshow(table, cmap="Blues", vmin=0, vmax=limit, aspect="auto")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(MultipleLocator(1, offset=0.5))
        axis.set_tick_params(which="minor", length=0)
    axes.grid(which="minor", color="#e3e6ea", linewidth=0.6)
    axes.spines[:].set_visible(False)
    return image
