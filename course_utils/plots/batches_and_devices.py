"""Figures of a model in use: requests in batches, models on devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_utils.plots.style import COLOURS, INK, LINES, new_axes, write_after

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_runs(arrivals: Sequence[float], runs: Sequence[tuple[float, float, Sequence[int]]], title: str = "") -> Axes:
    """Draw how a server batches requests: for each one a row, in which it first waits and is then in a run.

    Args:
        arrivals: when each of n requests arrives, in seconds.
        runs: start and end of each run of the model, in seconds, and which requests are in it, as places in `arrivals`.
        title: the figure's title.

    Raises:
        ValueError: there is nothing to draw, or a request is in no run or in two.
    """
    if not arrivals or sorted(place for *_, batch in runs for place in batch) != list(range(len(arrivals))):
        raise ValueError("plot_runs needs at least one request, and each in exactly one run")
    with new_axes(7.0, 1.1 + 0.24 * len(arrivals)) as axes:
        for number, (start, end, batch) in enumerate(runs):
            colour = LINES[number % len(LINES)]
            for place in batch:
                arrived = arrivals[place] * 1000
                axes.hlines(place, arrived, start * 1000, color=COLOURS["neutral"], linewidth=1.6)
                axes.plot(arrived, place, "o", color=INK, markersize=4)
                axes.barh(place, (end - start) * 1000, left=start * 1000, height=0.72, color=colour)
            row = sum(batch) / len(batch)
            many = f"run {number + 1}: {len(batch)} request{'s' if len(batch) > 1 else ''}"
            write_after(axes, many, (end * 1000, row), 6, 9)
        axes.set_xlim(-2, 1.3 * max(end for _, end, _ in runs) * 1000)
        axes.set(yticks=[0, len(arrivals) - 1], yticklabels=["first", "last"], xlabel="milliseconds", title=title)
        axes.set_ylabel("request")
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
    return axes


def plot_fit(fits: Mapping[str, Mapping[str, str | None]], precisions: Sequence[str], title: str = "") -> Axes:
    """Draw which models fit on which devices: a row a model, a column a device, in each square the finest precision.

    Args:
        fits: for each model the precision that fits on each device, or None where none does; the devices are the same.
        precisions: the precisions, from the finest to the coarsest.
        title: the figure's title.

    Raises:
        ValueError: there is nothing to draw, the devices differ, or a precision is none of `precisions`.
    """
    import matplotlib.pyplot as plt

    devices = list(next(iter(fits.values()), ()))
    found = {precision for of in fits.values() for precision in of.values()} - {None}
    if not devices or any(list(of) != devices for of in fits.values()) or not found <= set(precisions):
        raise ValueError("plot_fit needs the same devices for every model, and precisions of the list only")
    papers = dict(zip(precisions, ("#cfe4f5", "#d5ead9", "#fdf0c2", "#fbdcc4"), strict=False))
    with new_axes(7.4, 0.9 + 0.42 * len(fits)) as axes:
        for row, of in enumerate(fits.values()):
            for column, precision in enumerate(of.values()):
                paper = papers.get(precision or "", "#f1f2f4")
                axes.add_patch(plt.Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, color=paper, linewidth=0))
                axes.text(column, row, precision or "no", ha="center", va="center", fontsize=10)
        axes.set(xlim=(-0.5, len(devices) - 0.5), ylim=(len(fits) - 0.5, -0.5), title=title)
        axes.set(xticks=range(len(devices)), yticks=range(len(fits)), yticklabels=list(fits))
        axes.set_xticklabels([device.replace(", ", "\n") for device in devices], fontsize=9.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return axes
