"""Curves over a training, or over anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_utils.plots.style import COLOURS, LINES, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    level: tuple[float, str] | None = None,
) -> Axes:
    """Draw lines over the same axis, such as the losses of a training, each with its name at its end.

    Lines differ in colour and in dashes, so that they can be told apart without either. Names of lines that end close
    together are moved apart.

    Args:
        curves: the x and the y values of each line, by its name.
        xlabel: what x is, with its unit.
        ylabel: what y is, with its unit.
        title: the figure's title.
        level: a value of y to draw a thin line at, and its name; None for no such line.

    Returns:
        The axes.

    Raises:
        ValueError: there is no line, one is empty, or it has other numbers of x and of y values.
    """
    if not curves or not all(len(x) == len(y) > 0 for x, y in curves.values()):
        raise ValueError("plot_curves needs at least one line, and for each as many x values as y values")
    with new_axes() as axes:
        looks = zip(LINES * len(curves), ("-", "--", "-.", ":") * len(curves), curves.items(), strict=False)
        for colour, dashes, (name, (x, y)) in looks:
            marker = "o" if len(x) <= 20 else ""
            axes.plot(x, y, dashes, color=colour, marker=marker, markersize=4, linewidth=1.8, label=name)
        if level:
            axes.axhline(level[0], color=COLOURS["neutral"], linewidth=1)
            axes.annotate(level[1], (0.01, level[0]), xycoords=("axes fraction", "data"), va="bottom", fontsize=9)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        heights = _spread([y[-1] for _, y in curves.values()], 0.07 * (axes.get_ylim()[1] - axes.get_ylim()[0]))
        for line, (name, (x, _)), height in zip(axes.lines, curves.items(), heights, strict=False):
            place = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(name, (x[-1], height), color=line.get_color(), **place)
    return axes


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart until each two differ by `gap`, as little as need be; who was lower stays lower."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    groups: list[tuple[float, list[int]]] = []  # the middle of each group of neighbours, and who is in it
    for place in order:
        middle, members = heights[place], [place]
        while groups and middle - groups[-1][0] < gap * (len(members) + len(groups[-1][1])) / 2:
            _, before = groups.pop()
            members = before + members
            middle = sum(heights[member] for member in members) / len(members)
        groups.append((middle, members))
    moved = {
        member: middle + gap * (number - (len(members) - 1) / 2)
        for middle, members in groups
        for number, member in enumerate(members)
    }
    return [moved[place] for place in range(len(heights))]
