"""The figures that more than one lesson draws: the same look everywhere, readable on a light and on a dark page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike

INK = "#30353c"
PAPER = "#ffffff"
"""Figures bring their own light paper: no one ink reads well (4.5:1) on a light and on a dark page."""

COLOURS = {"positive": "#1f8ac0", "neutral": "#8a8f98", "negative": "#d9692b"}
"""One colour a sentiment: blue and orange differ for every kind of colour vision (after Okabe and Ito, 2008)."""

PIECES = {"first": "#cfe4f5", "second": "#fbdcc4", "special": "#e3e5e9"}
"""Light papers for tokens: words take the first two in turns, so that neighbours differ; ink reads well on each."""

LINES = (COLOURS["positive"], COLOURS["negative"], "#2f7d5b", "#8a5a9e")
"""The colours of the lines of one figure, in their order; each is 3:1 or better on the paper."""

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
    """Return which of the three colours a model's label gets: POSITIVE and POS are positive, whatever the case."""
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
                label = axes.text(amount * 1.08, place, f"{precision}  {format_bytes(amount)}", va="center", fontsize=9)
                label.set_bbox({"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 1})  # hides the line
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


def plot_tokens(
    tokens: Sequence[str] | dict[str, Sequence[str]],
    ids: Mapping[str, int] | None = None,
    title: str = "",
    prefix: str = "##",
) -> Axes:
    """Draw tokens as boxes from left to right, going on in the next line where a line is full.

    The boxes of one word touch and have one colour. Special tokens, written in square brackets, are grey. A character
    that the figure's font does not have is written as its code point, such as U+4E2D.

    Args:
        tokens: the tokens of one text; or several texts' tokens by a label, which is written before them.
        ids: the number of each token, to be written below its box; None for no numbers.
        title: the figure's title.
        prefix: what a token begins with when it goes on with a word.

    Returns:
        The axes. Their unit is the inch.

    Raises:
        ValueError: there is no token to draw, or one has no number in `ids`.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    rows = dict(tokens) if isinstance(tokens, dict) else {"": tokens}
    if not any(rows.values()):
        raise ValueError("plot_tokens needs at least one token")
    if ids is not None and (unknown := [token for row in rows.values() for token in row if token not in ids]):
        raise ValueError(f"ids has no number for the token {unknown[0]!r}")
    width, char, line = 7.0, 0.0925, 0.4 if ids is None else 0.6
    margin = 0.05 + max(len(label) for label in rows) * char
    boxes, labels, top = [], [], 0.0
    for label, row in rows.items():
        labels.append((top, label))
        left, word = margin, 0
        for group in _words(row, prefix):
            shown = [_drawable(token) for token in group]
            widths = [
                max(len(text), 0.8 * len(str(ids[token])) if ids else 0) * char + 0.14
                for text, token in zip(shown, group, strict=True)
            ]
            if left > margin and left + sum(widths) > width:
                left, top = margin, top + line
            for text, token, wide in zip(shown, group, widths, strict=True):
                if left > margin and left + wide > width:
                    left, top = margin, top + line
                colour = "special" if _is_special(token) else ("first", "second")[word % 2]
                boxes.append((left, top, wide, text, colour, ids[token] if ids else None))
                left += wide
            left, word = left + 0.1, word + 1
        top += line + 0.04
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(width + 0.1, top + (0.4 if title else 0.1)), layout="constrained")
        axes.set(xlim=(-0.02, max(width, *(box[0] + box[2] for box in boxes))), ylim=(top, -0.04), title=title)
        axes.set_axis_off()
        for left, height, wide, text, colour, number in boxes:
            shape = f"round,pad=0,rounding_size={min(0.05, wide / 4)}"
            axes.add_patch(
                FancyBboxPatch((left, height), wide, 0.3, boxstyle=shape, facecolor=PIECES[colour], edgecolor=PAPER)
            )
            middle = {"ha": "center", "va": "center", "family": "DejaVu Sans Mono", "parse_math": False}
            axes.text(left + wide / 2, height + 0.16, text, fontsize=11, **middle)
            if number is not None:
                axes.text(left + wide / 2, height + 0.4, str(number), fontsize=8.5, **middle)
        for height, label in labels:
            axes.text(0, height + 0.16, label, va="center", family="DejaVu Sans Mono", fontsize=10)
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
    import matplotlib.pyplot as plt

    if not values:
        raise ValueError("there is nothing to draw: plot_bars needs at least one value")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 0.9 + 0.34 * len(values)), layout="constrained")
        axes.barh(range(len(values)), values.values(), height=0.66, color=COLOURS["positive"])
        for place, value in enumerate(values.values()):
            _write_after(axes, write.format(value), (value, place), 5, 10)
        axes.set(yticks=range(len(values)), yticklabels=list(values), xlabel=xlabel, title=title)
        axes.set_xlim(0, 1.12 * max(*values.values(), 1e-9))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
    return axes


def _write_after(axes: Axes, text: str, end: tuple[float, float], gap: float, size: float) -> None:
    """Write what a bar says behind its end, so many points away."""
    axes.annotate(text, end, (gap, 0), textcoords="offset points", va="center", fontsize=size)


def _words(tokens: Sequence[str], prefix: str) -> list[list[str]]:
    """Put the tokens of one word together: one that begins with `prefix` goes on with the word before it."""
    words: list[list[str]] = []
    for token in tokens:
        if words and token.startswith(prefix) and token != prefix and not _is_special(words[-1][0]):
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _is_special(token: str) -> bool:
    return len(token) > 2 and token.startswith("[") and token.endswith("]")


def _drawable(token: str) -> str:
    """Return a token as the figure can write it: at most 24 characters, each of them in the font."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans Mono"))
    short = token if len(token) <= 24 else f"{token[:23]}…"
    return "".join(c if font.get_char_index(ord(c)) and c.isprintable() else f"U+{ord(c):04X}" for c in short)


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
    import matplotlib.pyplot as plt

    if not curves or not all(len(x) == len(y) > 0 for x, y in curves.values()):
        raise ValueError("plot_curves needs at least one line, and for each as many x values as y values")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(layout="constrained")
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


def plot_confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str], title: str = "") -> Axes:
    """Draw a confusion matrix: a row for what people said, a column for what the model said, counts in the squares.

    The shade is the share of the row, so that a rare label is as visible as a common one.

    Raises:
        ValueError: the matrix is not square, or has another size than there are labels.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    counts = np.asarray(matrix)
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(f"{len(labels)} labels need a square matrix of that size, not one of shape {counts.shape}")
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    with plt.rc_context(STYLE):
        side = 1.6 + 1.1 * len(labels)
        _figure, axes = plt.subplots(figsize=(side + 1.0, side), layout="constrained")
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
    import matplotlib.pyplot as plt

    if not bins:
        raise ValueError("plot_calibration needs at least one group of answers")
    scores, accuracies = [score for _, score, _ in bins], [share for _, _, share in bins]
    spread = [2 * (share * (1 - share) / size) ** 0.5 for size, _, share in bins]
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(5.4, 4.2), layout="constrained")
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
    import matplotlib.pyplot as plt

    if not accuracies or size < 1 or not all(0 <= share <= 1 for share in accuracies.values()):
        raise ValueError("plot_accuracies needs accuracies from 0 to 1, measured on at least one text")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 0.9 + 0.42 * len(accuracies)), layout="constrained")
        places = range(len(accuracies))
        spread = [2 * (share * (1 - share) / size) ** 0.5 for share in accuracies.values()]
        look = {"color": COLOURS["positive"], "ecolor": COLOURS["neutral"], "capsize": 3, "markersize": 7}
        axes.errorbar(list(accuracies.values()), places, xerr=spread, fmt="o", **look)
        axes.set(yticks=places, yticklabels=list(accuracies), xlabel="accuracy", title=title)
        axes.grid(axis="x", color=INK, alpha=0.12)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
    return axes


def plot_attention(weights: ArrayLike, tokens: Sequence[str], title: str = "") -> Axes:
    """Draw one head's attention as a map: a row for each token that looks, a column for each that is looked at.

    Every token has its name on both axes, so up to some 40 tokens stay readable. Up to 12 of them, each square that
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
    import matplotlib.pyplot as plt
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
    side = min(7.5, 2.2 + 0.3 * count)
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(side + 0.6, side), layout="constrained")
        image = _draw_map(axes, table, limit=1.0)
        axes.set(xlabel="is looked at", ylabel="looks", title=title)
        axes.set_xticks(range(count), tokens, rotation=90)
        axes.set_yticks(range(count), tokens)
        axes.tick_params(length=0, labelsize=10 if count <= 16 else 9)
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


def plot_heads(values: ArrayLike, label: str, title: str = "") -> Axes:
    """Draw one number for each attention head of a model as a map: a row a layer, a column a head, both from 0.

    Args:
        values: shape (layers, heads), none below 0.
        label: what the numbers are, with their unit; it is written beside the scale.
        title: the figure's title.

    Returns:
        The axes.

    Raises:
        ValueError: the numbers are not a table, or one is below 0 or not a number.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or not table.size or not np.all(table >= 0):
        raise ValueError(
            f"plot_heads needs a table (layers, heads) of numbers from 0 up; this has the shape {table.shape}"
        )
    layers, heads = table.shape
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 1.2 + 0.42 * layers), layout="constrained")
        image = _draw_map(axes, table, limit=table.max() or 1.0)
        axes.set(xlabel="head", ylabel="layer", xticks=range(heads), yticks=range(layers), title=title)
        axes.tick_params(length=0)
        axes.figure.colorbar(image, ax=axes, label=label)
    return axes


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
    import matplotlib.pyplot as plt
    from matplotlib.ticker import PercentFormatter

    names = list(next(iter(errors.values()), ()))
    if not names or len(names) % len(kinds) or any(list(of) != names for of in errors.values()):
        raise ValueError("plot_layer_errors needs an error of each scheme for every kind of matrix in every layer")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 3.6), layout="constrained")
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
        rows = (len(panels) + 1) // 2
        _figure, grid = plt.subplots(
            rows, 2, figsize=(8.0, rows * (0.8 + 0.27 * len(results))), squeeze=False, sharey=True, layout="constrained"
        )
        drawn = list(grid.flat)
        for axes, (quantity, title) in zip(drawn, panels.items(), strict=False):
            by = first[quantity] if quantity in relative else 1
            values = [found[quantity] / by for found in results.values()]
            axes.barh(range(len(values)), values, height=0.68, color=[LINES[0], *[LINES[2]] * (len(values) - 1)])
            for place, value in enumerate(values):
                shown = f"{value:.2f}" if quantity in relative else f"{value:.1%}"
                _write_after(axes, shown, (value, place), 4, 9)
            axes.set(yticks=range(len(values)), yticklabels=list(results), xticks=[])
            axes.set_xlim(0, 1.25 * max(*values, 1e-9))
            axes.set_title(title, fontsize=11)
            axes.spines["bottom"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        drawn[0].invert_yaxis()  # of all panels, since they share the axis
        for axes in drawn[len(panels) :]:
            axes.set_axis_off()
    return drawn[: len(panels)]


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
    import matplotlib.pyplot as plt
    import numpy as np

    weights, headers = np.asarray(weights), np.asarray(headers)
    if weights.ndim != 2 or headers.shape != (len(weights), 2):
        raise ValueError(f"a step and a minimum for each block: these are shapes {weights.shape} and {headers.shape}")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
        for place, (of_block, (step, minimum)) in enumerate(zip(weights, headers, strict=True)):
            ruler = minimum + step * np.arange(levels)
            axes.hlines(ruler, place - 0.38, place + 0.38, color=COLOURS["neutral"], linewidth=1)
            spread = np.linspace(-0.3, 0.3, len(of_block))
            axes.plot(place + spread, of_block, "o", color=COLOURS["positive"], markersize=3)
        axes.set(xticks=range(len(weights)), xlabel="block", ylabel="weight", title=title)
        axes.tick_params(axis="x", length=0)
    return axes


def plot_runs(arrivals: Sequence[float], runs: Sequence[tuple[float, float, Sequence[int]]], title: str = "") -> Axes:
    """Draw how a server batches requests: for each one a row, in which it first waits and is then in a run.

    Args:
        arrivals: when each of n requests arrives, in seconds.
        runs: start and end of each run of the model, in seconds, and which requests are in it, as places in `arrivals`.
        title: the figure's title.

    Raises:
        ValueError: there is nothing to draw, or a request is in no run or in two.
    """
    import matplotlib.pyplot as plt

    if not arrivals or sorted(place for *_, batch in runs for place in batch) != list(range(len(arrivals))):
        raise ValueError("plot_runs needs at least one request, and each in exactly one run")
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 1.1 + 0.24 * len(arrivals)), layout="constrained")
        for number, (start, end, batch) in enumerate(runs):
            colour = LINES[number % len(LINES)]
            for place in batch:
                arrived = arrivals[place] * 1000
                axes.hlines(place, arrived, start * 1000, color=COLOURS["neutral"], linewidth=1.6)
                axes.plot(arrived, place, "o", color=INK, markersize=4)
                axes.barh(place, (end - start) * 1000, left=start * 1000, height=0.72, color=colour)
            row = sum(batch) / len(batch)
            many = f"run {number + 1}: {len(batch)} request{'s' if len(batch) > 1 else ''}"
            _write_after(axes, many, (end * 1000, row), 6, 9)
        axes.set_xlim(-2, 1.3 * max(end for _, end, _ in runs) * 1000)
        axes.set(yticks=[0, len(arrivals) - 1], yticklabels=["first", "last"], xlabel="milliseconds", title=title)
        axes.set_ylabel("request")
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
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
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.0, 1.5 + 0.42 * len(stacks)), layout="constrained")
        left = [0.0] * len(stacks)
        for number, part in enumerate(parts):
            widths = [of[part] for of in stacks.values()]
            colour = shades(0.15 + 0.65 * number / max(1, len(parts) - 1))
            axes.barh(range(len(stacks)), widths, left=left, height=0.62, color=colour, label=part)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        for place, whole in enumerate(left):
            _write_after(axes, f"{whole:,.0f}", (whole, place), 5, 10)
        axes.set(yticks=range(len(stacks)), yticklabels=list(stacks), xlabel=xlabel, title=title)
        axes.set_xlim(0, 1.12 * max(*left, 1e-9))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.32), ncols=len(parts))
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
    with plt.rc_context(STYLE):
        _figure, axes = plt.subplots(figsize=(7.4, 0.9 + 0.42 * len(fits)), layout="constrained")
        for row, of in enumerate(fits.values()):
            for column, precision in enumerate(of.values()):
                paper = papers.get(precision, "#f1f2f4")
                axes.add_patch(plt.Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, color=paper, linewidth=0))
                axes.text(column, row, precision or "no", ha="center", va="center", fontsize=10)
        axes.set(xlim=(-0.5, len(devices) - 0.5), ylim=(len(fits) - 0.5, -0.5), title=title)
        axes.set(xticks=range(len(devices)), yticks=range(len(fits)), yticklabels=list(fits))
        axes.set_xticklabels([device.replace(", ", "\n") for device in devices], fontsize=9.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return axes


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
                    _write_after(axes, f"{value:.0%}", (value, place), 3, 8)
            axes.set(yticks=range(len(rows)), yticklabels=[_drawable(row) for row in rows], xlim=(0, 1.4 * highest))
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            axes.set_title(textwrap.fill(name, 12), fontsize=9.5)
            axes.tick_params(axis="y", length=0)
        panels[0, 0].invert_yaxis()
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return panels[0, 0]
