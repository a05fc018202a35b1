"""Bars: memory, counts, parts of a whole, trade-offs, distributions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_utils.plots.style import (
    COLOURS,
    INK,
    LINES,
    STYLE,
    drawable,
    format_bytes,
    name_rows,
    new_axes,
    write_after,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_memory(sizes: dict[str, int], bits: dict[str, int], limit: float | None = None, title: str = "") -> Axes:
    """Draw how much memory the parameters of models take, at several precisions, on a logarithmic scale.

    Args:
        sizes: the number of parameters of each model, by its name.
        bits: how many bits a parameter takes, by the name of the precision.
        limit: a memory in bytes to draw a line at, or None. Bars beyond it are hatched and marked as too large.
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
    with new_axes(7.0, 0.9 + (0.1 + 0.19 * len(bits)) * len(sizes)) as axes:
        height = 0.8 / len(bits)
        for row, (precision, width) in enumerate(bits.items()):
            places = [place + (row - (len(bits) - 1) / 2) * height for place in range(len(sizes))]
            memory = [parameters * width / 8 for parameters in sizes.values()]
            colour = shades(0.15 + 0.6 * row / max(1, len(bits) - 1))
            bars = axes.barh(places, memory, height=height * 0.92, color=colour, label=precision)
            for bar, place, amount in zip(bars, places, memory, strict=True):
                words = f"{precision}  {format_bytes(amount)}"
                if limit and amount > limit:
                    words = f"{words}: too large"
                    bar.set(facecolor=axes.get_facecolor(), edgecolor=COLOURS["negative"], hatch="////")
                label = axes.text(amount * 1.08, place, words, va="center", fontsize=9)
                label.set_bbox({"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 1})  # hides the line
        axes.set(xscale="log", title=title)
        axes.set_xlim(right=max(sizes.values()) * max(bits.values()) / 8 * (30 if limit else 12))  # for the words
        axes.xaxis.set_major_formatter(FuncFormatter(_bytes_at))
        name_rows(axes, list(sizes))
        if limit:
            axes.axvline(limit, color=INK, linestyle="--", linewidth=1)
            axes.text(limit * 1.06, -0.52, f"{format_bytes(limit)} at hand", va="bottom", fontsize=9)
    return axes


def plot_bars(values: Mapping[str, float], xlabel: str, title: str = "", write: str = "{:g}") -> Axes:
    """Draw one bar for each value, the first on top, with the value written at its end.

    Args:
        values: n numbers from 0 up, by what they are of.
        xlabel: what the numbers count or measure, with its unit.
        title: the figure's title.
        write: how a value is written, as a format string such as `"{:.0%}"`.

    Returns:
        The axes.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not values:
        raise ValueError("there is nothing to draw: plot_bars needs at least one value")
    with new_axes(7.0, 0.9 + 0.34 * len(values)) as axes:
        axes.barh(range(len(values)), list(values.values()), height=0.66, color=COLOURS["positive"])
        for place, value in enumerate(values.values()):
            write_after(axes, write.format(value), (value, place), 5, 10)
        axes.set(xlabel=xlabel, title=title)
        axes.set_xlim(0, 1.12 * max(*values.values(), 1e-9))
        name_rows(axes, list(values))
    return axes


def plot_stacks(stacks: Mapping[str, Mapping[str, float]], xlabel: str, title: str = "") -> Axes:
    """Draw bars that consist of parts, the first bar on top, with the whole written at its end.

    Args:
        stacks: for each bar its parts, from 0 up; all bars have the same parts, in the same order.
        xlabel: what is drawn, with its unit.
        title: the figure's title.

    Raises:
        ValueError: there is nothing to draw, or the bars have other parts.
    """
    import matplotlib.pyplot as plt

    parts = list(next(iter(stacks.values()), ()))
    if not parts or any(list(of) != parts for of in stacks.values()):
        raise ValueError("plot_stacks needs at least one bar, and the same parts in each")
    shades = plt.get_cmap("viridis")
    with new_axes(7.0, 1.5 + 0.42 * len(stacks)) as axes:
        left = [0.0] * len(stacks)
        for number, part in enumerate(parts):
            widths = [of[part] for of in stacks.values()]
            colour = shades(0.15 + 0.65 * number / max(1, len(parts) - 1))
            axes.barh(range(len(stacks)), widths, left=left, height=0.62, color=colour, label=part)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        for place, whole in enumerate(left):
            write_after(axes, f"{whole:,.0f}", (whole, place), 5, 10)
        axes.set(xlabel=xlabel, title=title)
        axes.set_xlim(0, 1.12 * max(*left, 1e-9))
        name_rows(axes, list(stacks))
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.32), ncols=len(parts))
    return axes


def plot_trade_offs(
    results: Mapping[str, Mapping[str, float]], panels: Mapping[str, str], relative: Sequence[str] = ()
) -> Sequence[Axes]:
    """Draw what several variants cost and give: a panel of bars for each quantity, a bar for each variant.

    Args:
        results: for each variant, its quantities, from 0 up; the first variant's `relative` ones are above 0.
        panels: the quantities to draw, with the title of each panel.
        relative: those of them to draw as a ratio to the first variant's; the others are shares, written in percent.

    Returns:
        The axes of the panels, in their order.

    Raises:
        ValueError: there is nothing to draw, or a variant lacks a quantity.
    """
    import matplotlib.pyplot as plt

    if not results or not panels or any(not set(panels) <= set(found) for found in results.values()):
        raise ValueError("plot_trade_offs needs each quantity that a panel shows, for every variant")
    first = next(iter(results.values()))
    with plt.rc_context(STYLE):
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        size = (7.0, rows * (0.95 + 0.25 * len(results)))
        _figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True, layout="constrained")
        drawn = list(grid.flat)
        for axes, (quantity, title) in zip(drawn, panels.items(), strict=False):
            by = first[quantity] if quantity in relative else 1
            values = [found[quantity] / by for found in results.values()]
            axes.barh(range(len(values)), values, height=0.68, color=[LINES[0], *[LINES[2]] * (len(values) - 1)])
            for place, value in enumerate(values):
                shown = f"{value:.2f}" if quantity in relative else f"{value:.1%}"
                write_after(axes, shown, (value, place), 4, 9)
            axes.set(yticks=range(len(values)), yticklabels=list(results), xticks=[])
            axes.set_xlim(0, 1.4 * max(*values, 1e-9))
            axes.set_title(textwrap.fill(title, 18), fontsize=10)
            axes.spines["bottom"].set_visible(False)
            axes.tick_params(axis="y", length=0, labelsize=10)
        drawn[0].invert_yaxis()  # of all panels, since they share the axis
        for axes in drawn[len(panels) :]:
            axes.set_axis_off()
    return drawn[: len(panels)]


def plot_choices(choices: Mapping[str, Mapping[str, float]], title: str = "") -> Axes:
    """Draw several distributions over the same things beside one another, to the same scale.

    Args:
        choices: for each distribution, by its name, the probabilities of n things by their names. Rows are the things
            of the first one, from top to bottom; what another lacks has no bar there.
        title: the figure's title.

    Returns:
        The axes of the first distribution.

    Raises:
        ValueError: there is nothing to draw, or a probability is not from 0 to 1.
    """
    import matplotlib.pyplot as plt

    if not choices or not all(choices.values()) or not all(0 <= p <= 1 for c in choices.values() for p in c.values()):
        raise ValueError("plot_choices needs at least one distribution, of probabilities from 0 to 1")
    rows = list(next(iter(choices.values())))
    highest = max(p for choice in choices.values() for p in choice.values())
    with plt.rc_context(STYLE):
        size = (7.0, 0.9 + 0.3 * len(rows) + (0.3 if title else 0))
        figure, panels = plt.subplots(1, len(choices), figsize=size, sharey=True, squeeze=False, layout="constrained")
        for axes, (name, choice) in zip(panels[0], choices.items(), strict=True):
            values = [choice.get(row, 0) for row in rows]
            axes.barh(range(len(rows)), values, height=0.66, color=COLOURS["positive"])
            for place, value in enumerate(values):
                if value:
                    write_after(axes, f"{value:.0%}", (value, place), 3, 8)
            axes.set(yticks=range(len(rows)), yticklabels=[drawable(row) for row in rows], xlim=(0, 1.4 * highest))
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            axes.set_title(textwrap.fill(name, 12), fontsize=9.5)
            axes.tick_params(axis="y", length=0)
        panels[0, 0].invert_yaxis()
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return panels[0, 0]


def _bytes_at(amount: float, place: int | None = None) -> str:
    """Write a number of bytes beside an axis, as matplotlib asks for it."""
    return format_bytes(amount)
