"""Compare: whether a cell's fresh outputs are the saved ones, and if not, what differs.

nbval judges a cell's texts. What it passes over is held here: the kind, name and order of the outputs, pictures, and
tracebacks. What may differ from machine to machine is said in `tests/nbval_sanitize.cfg`, which both read.
"""

import base64
import configparser
import difflib
import io
import re
from collections.abc import Iterator

import numpy as np
from nbformat import NotebookNode
from PIL import Image

from course_build.paths import ROOT

SANITIZER = ROOT / "tests" / "nbval_sanitize.cfg"

MEASURED = "measured"
"""The key in a cell's metadata that says what its picture shows of the machine at hand: times, memory, a training."""

SIZE = 2
"""By how many pixels two pictures' widths, and their heights, may differ: as the fonts' outlines are rounded."""

BLOCK = 8
"""Side, in pixels, of the squares whose mean colours are compared: antialiasing moves no mean by much."""

LARGEST = 0.025
"""How far the mean colour of one square may be off, where 1 is black for white.

The lock pins matplotlib, which brings its own fonts and draws alike everywhere: what is left is the rounding at the
edges of lines. One letter for another in a label is off by 0.027, a line that is wider or gone by 0.2 and more."""

MEASURED_SIZE, MEASURED_DIFFERENCE = 0.15, 0.2
"""For a picture of what was measured: by which share its sides may differ, and by how much its colours on average."""

DIFF_LINES = 40


def sanitizer() -> list[tuple[str, str]]:
    """Return the patterns, and what takes their place, that nbval applies to both sides before it compares."""
    parser = configparser.RawConfigParser(delimiters=[":"], comment_prefixes=["#"])
    parser.read(SANITIZER, encoding="utf-8")
    return [(parser[name]["regex"], parser[name]["replace"]) for name in parser.sections()]


def sanitize(text: str, patterns: list[tuple[str, str]]) -> str:
    """Return a text without what may differ from machine to machine."""
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    return text


def difference(saved: list[NotebookNode], fresh: list[NotebookNode], measured: bool = False) -> str:
    """Return what differs first between the outputs of a cell, saved and fresh, both tidied; empty if nothing does.

    Args:
        saved: what the notebook has.
        fresh: what a run gave.
        measured: whether its pictures show times or memory: then their form alone is compared.
    """
    kinds = [[_kind(output) for output in outputs] for outputs in (saved, fresh)]
    if kinds[0] != kinds[1]:
        return (
            f"the outputs are of other kinds, or in another order:\n{_lines('; '.join(kinds[0]), '; '.join(kinds[1]))}"
        )
    patterns = sanitizer()
    for before, after in zip(saved, fresh, strict=True):
        if found := _difference(before, after, patterns, measured):
            return found
    return ""


def _kind(output: NotebookNode) -> str:
    """The kind of an output in words: its type, and its stream's name, its error's or its data's."""
    return " ".join([output.output_type, output.get("name", output.get("ename", "")), *sorted(output.get("data", {}))])


def _difference(saved: NotebookNode, fresh: NotebookNode, patterns: list[tuple[str, str]], measured: bool) -> str:
    if saved.get("metadata", {}) != fresh.get("metadata", {}):
        return f"the output's metadata is {saved.get('metadata', {})!r}, and now {fresh.get('metadata', {})!r}"
    for kind, *texts in _texts(saved, fresh):
        if kind in ("image/png", "image/jpeg"):
            if found := picture_difference(*map(base64.b64decode, texts), measured=measured):
                return f"the picture differs: {found}"
        else:
            texts = [sanitize(text, patterns) for text in texts]
            if texts[0] != texts[1]:
                return f"the {kind} differs:\n{_lines(*texts)}"
    return ""


def _texts(*outputs: NotebookNode) -> Iterator[tuple[str, ...]]:
    """Yield each part of the outputs, which are of one kind, with its name."""
    first = outputs[0]
    if first.output_type == "stream":
        yield first.name, *(output.text for output in outputs)
    elif first.output_type == "error":
        yield "error", *(f"{output.ename}: {output.evalue}" for output in outputs)
        yield "traceback", *("\n".join(output.traceback) for output in outputs)
    else:
        for kind in sorted(first.data):
            yield kind, *(_as_text(output.data[kind]) for output in outputs)


def _as_text(data: object) -> str:
    return data if isinstance(data, str) else "".join(data) if isinstance(data, list) else repr(data)


def _lines(saved: str, fresh: str) -> str:
    lines = list(difflib.unified_diff(saved.splitlines(), fresh.splitlines(), "saved", "now", n=1, lineterm=""))
    return "\n".join(lines[:DIFF_LINES])


# ------------------------------------------------------------------------------------------------------ the pictures


def picture_difference(saved: bytes, fresh: bytes, *, measured: bool = False) -> str:
    """Return how two pictures differ by more than antialiasing and fonts make them, or an empty string."""
    before, after = (_colours(content) for content in (saved, fresh))
    if before is None or after is None:
        return f"the {'saved' if before is None else 'new'} one can't be read"
    sizes = [(picture.shape[1], picture.shape[0]) for picture in (before, after)]
    allowed = [max(SIZE, MEASURED_SIZE * side) if measured else SIZE for side in sizes[0]]
    if any(abs(one - other) > limit for one, other, limit in zip(*sizes, allowed, strict=True)):
        return f"it was {sizes[0][0]} x {sizes[0][1]} pixels and is {sizes[1][0]} x {sizes[1][1]}"
    if sizes[0] != sizes[1]:
        after = _colours(fresh, sizes[0])
        assert after is not None  # for it could be read in its own size
    distances = np.abs(_blocks(before) - _blocks(after)).max(axis=-1)
    if measured:
        mean = distances.mean()
        return f"its colours are {mean:.2f} off on average" if mean > MEASURED_DIFFERENCE else ""
    row, column = np.unravel_index(distances.argmax(), distances.shape)
    if distances.max() > LARGEST:
        place = f"around x = {column * BLOCK}, y = {row * BLOCK}"
        return f"by {distances.max():.3f} {place}, where {LARGEST} is let pass (1 is black for white)"
    return ""


def _colours(content: bytes, size: tuple[int, int] | None = None) -> np.ndarray | None:
    """The colours of a picture on white, from 0 to 1, of shape (height, width, 3); None if it can't be read."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGBA")
    except OSError:
        return None
    flat = Image.new("RGBA", picture.size, "white")
    flat.alpha_composite(picture)
    if size:
        flat = flat.resize(size)
    return np.asarray(flat.convert("RGB"), dtype=np.float32) / 255


def _blocks(picture: np.ndarray) -> np.ndarray:
    """The mean colour of each square, of shape (rows, columns, 3). At the edges squares are filled up with white."""
    height, width, _ = picture.shape
    filled = np.ones((-(-height // BLOCK) * BLOCK, -(-width // BLOCK) * BLOCK, 3), dtype=np.float32)
    filled[:height, :width] = picture
    return filled.reshape(filled.shape[0] // BLOCK, BLOCK, filled.shape[1] // BLOCK, BLOCK, 3).mean(axis=(1, 3))
