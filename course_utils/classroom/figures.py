"""Figures, shown with a caption and in words, sharp on fine screens, and never taller than a small laptop's window."""

from __future__ import annotations

import base64
import html
import struct
from typing import TYPE_CHECKING

from course_utils.classroom.known_lessons import KnownLessons

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell
    from matplotlib.figure import Figure

TALLEST = 560
"""Pixels of a screen: what a window of 720 leaves to a cell."""

STYLE = (
    ".course-figure img { border-radius: 8px; }"
    ".course-figure figcaption { margin-top: 0.4em; max-width: 46em; opacity: 0.8; line-height: 1.45; }"
    '[data-jp-theme-light="false"] .course-figure img, body.vscode-dark .course-figure img, '
    "html[theme=dark] .course-figure img { filter: brightness(0.86); }"
)
"""Plots are drawn on white, and what the lessons say of pale and dark squares must hold: so in the dark they stay on
paper, with less of a glare, as on the site. Where a program takes the style away, size and words are as they were."""


class Figures:
    """The way in which a kernel shows matplotlib's figures.

    Args:
        shell: the kernel's shell.
        lessons: what is known of the cells.
    """

    def __init__(self, shell: InteractiveShell, lessons: KnownLessons) -> None:
        """Take the place of the PNG that matplotlib's inline backend shows."""
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib_inline.backend_inline import configure_inline_support

        self._lessons, self._source = lessons, ""
        backend = matplotlib.get_backend()
        if "inline" not in backend:
            return  # the learner wants windows, or widgets
        configure_inline_support(shell, backend)  # its own choice of a format comes first, or it would take this away
        formatters = shell.display_formatter.formatters
        if formatters["image/png"].pop(Figure, None) is not None:
            formatters["text/html"].for_type(Figure, self.show)
            shell.events.register("pre_run_cell", self._remember)

    def _remember(self, info: ExecutionInfo) -> None:
        self._source = info.raw_cell or ""

    def show(self, figure: Figure) -> str | None:
        """Return a figure as HTML. A figure that can't be drawn raises, as it does elsewhere."""
        from IPython.core.pylabtools import print_figure
        from matplotlib_inline.config import InlineBackend

        options = {**InlineBackend.instance().print_figure_kwargs, "dpi": 2 * figure.dpi}
        png = print_figure(figure, **options)
        if png is None:  # there is nothing in it
            return None
        width, height = struct.unpack(">II", png[16:24])  # in PNG's first block, at twice the size
        shown = round(width / 2 * min(1, 2 * TALLEST / height))
        caption, alt = self._words(figure)
        return (
            f'<style>{STYLE}</style><figure class="course-figure" style="margin: 0.3em 0 0.6em">'
            f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{html.escape(alt)}" '
            f'width="{shown}" style="max-width: 100%; height: auto">'
            + (f"<figcaption>{html.escape(caption, quote=False)}</figcaption>" if caption else "")
            + "</figure>"
        )

    def _words(self, figure: Figure) -> tuple[str, str]:
        """Take the lesson's words where they hold: for the first figure of a cell that is as the lesson has it."""
        source, self._source = self._source, ""
        try:
            known = self._lessons.figure(source) if source else None
            return (known["caption"], known["alt"]) if known else ("", describe(figure))
        except Exception:  # better a figure without words than no figure
            return "", "A figure."


def describe(figure: Figure) -> str:
    """Return the words that stand in a figure: titles, names of the axes, legends."""
    said = [figure.get_suptitle()]
    for axes in figure.axes:
        said += [axes.get_title(place) for place in ("left", "center", "right")]
        said += [f"{way}: {label}" for way, label in (("x", axes.get_xlabel()), ("y", axes.get_ylabel())) if label]
        if (legend := axes.get_legend()) is not None:
            said.append("Legend: " + ", ".join(text.get_text() for text in legend.get_texts()))
    words = [" ".join(part.split()).rstrip(".") for part in dict.fromkeys(said) if part]
    return ". ".join(["A figure", *words]) + "."
