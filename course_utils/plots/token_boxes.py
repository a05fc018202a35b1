"""Tokens as boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_utils.plots.style import PAPER, PIECES, drawable, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    from matplotlib.patches import FancyBboxPatch

    rows = dict(tokens) if isinstance(tokens, dict) else {"": tokens}
    if not any(rows.values()):
        raise ValueError("plot_tokens needs at least one token")
    if ids is not None and (unknown := [token for row in rows.values() for token in row if token not in ids]):
        raise ValueError(f"ids has no number for the token {unknown[0]!r}")
    width, char, line = 7.0, 0.0925, 0.4 if ids is None else 0.6
    margin = 0.05 + max(len(label) for label in rows) * char
    boxes: list[tuple[float, float, float, str, str, int | None]] = []
    labels: list[tuple[float, str]] = []
    top = 0.0
    for label, row in rows.items():
        labels.append((top, label))
        left, word = margin, 0
        for group in _words(row, prefix):
            shown = [drawable(token) for token in group]
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
    with new_axes(width + 0.1, top + (0.4 if title else 0.1)) as axes:
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
