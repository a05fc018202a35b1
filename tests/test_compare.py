"""What differs between saved and fresh outputs: every kind of tampering is found, and noise of a machine is not."""

import base64
import io

import matplotlib
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbval.plugin import get_sanitize_patterns
from PIL import Image

from course_build.notebooks import compare_outputs
from course_build.notebooks.compare_outputs import difference, picture_difference


def new(kind: str, **content) -> nbformat.NotebookNode:
    return nbformat.v4.new_output(kind, **content)


def stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return new("stream", name=name, text=text)


def shown(text: str, kind: str = "text/plain", of: str = "display_data", **more) -> nbformat.NotebookNode:
    return new(of, data={kind: text}, **more)


def raised(*frames: str, evalue: str = "no") -> nbformat.NotebookNode:
    return new("error", ename="ValueError", evalue=evalue, traceback=list(frames))


@pytest.mark.parametrize(
    ("saved", "fresh"),
    [
        ([stream("a")], []),
        ([], [stream("a")]),
        ([stream("a")], [stream("b")]),
        ([stream("a")], [stream("a", "stderr")]),
        ([stream("a"), shown("x")], [shown("x"), stream("a")]),
        ([stream("a"), shown("x"), stream("b")], [stream("ab"), shown("x")]),
        ([shown("x"), shown("y")], [shown("y"), shown("x")]),
        ([shown("x")], [shown("x", of="execute_result", execution_count=1)]),
        ([shown("x")], [shown("x", "text/html")]),
        ([shown("x")], [shown("x", metadata={"width": 9})]),
        ([raised("a", "b")], [raised("a", "c")]),
        ([raised("a")], [raised("a", evalue="yes")]),
        ([stream("0.1234 s")], [stream("0.1244 s")]),
    ],
)
def test_other_outputs_are_told_apart(saved, fresh):
    assert difference(saved, fresh)
    assert difference(fresh, saved)
    assert not difference(saved, saved)


def test_what_the_sanitiser_names_may_differ():
    assert not difference([stream("<Cell at 0x7fa0b1c2d3>, 0.12345")], [stream("<Cell at 0x7fffffffff>, 0.12349")])
    assert not difference([raised("a 0x7fa0b1c2d3")], [raised("a 0x7fffffffff")])
    result = [shown("1", of="execute_result", execution_count=count) for count in (1, 2)]
    assert not difference(result[:1], result[1:])


def test_the_rules_are_read_as_nbval_reads_them():
    theirs = get_sanitize_patterns(compare_outputs.SANITIZER.read_text(encoding="utf-8"))
    assert dict(compare_outputs.sanitizer()) == dict(theirs)


def test_the_difference_is_shown_in_lines():
    told = difference([stream("one\ntwo\n")], [stream("one\n2\n")])
    assert told.startswith("the stdout differs")
    assert "-two\n+2" in told


def drawn(heights: tuple[float, ...] = (3, 5, 4), label: str = "texts", dpi: int = 100, **style) -> bytes:
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(5, 3), dpi=dpi)
        axes = figure.subplots()
        axes.bar(["majority", "VADER", "model"], heights)
        axes.plot(heights, color="black")
        axes.set_ylabel(label)
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
    return picture.getvalue()


def rounded(picture: bytes) -> bytes:
    """The picture with each colour that is between two others rounded otherwise, by up to 3 of 255."""
    with Image.open(io.BytesIO(picture)) as opened:
        colours = np.asarray(opened.convert("RGB")).astype(int)
    noise = np.random.default_rng(0).integers(-3, 4, colours.shape)
    colours = np.where((colours > 3) & (colours < 252), colours + noise, colours)
    content = io.BytesIO()
    Image.fromarray(colours.astype(np.uint8)).save(content, "png")
    return content.getvalue()


def pixel(colour: str = "white", size: tuple[int, int] = (1, 1)) -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", size, colour).save(picture, "png")
    return picture.getvalue()


SIZE = Image.open(io.BytesIO(drawn())).size


@pytest.mark.parametrize(
    "fresh",
    [
        pixel(),
        pixel("white", SIZE),
        drawn((3, 5, 4.5)),
        drawn((5, 3, 4)),
        drawn(label="tests"),
        drawn(dpi=101),
        drawn(**{"lines.linewidth": 4}),
        drawn(**{"axes.facecolor": "#eeeeee"}),
        b"no picture",
    ],
    ids=["a pixel", "white", "a bar", "two bars", "a letter", "larger", "a line", "a shade", "damaged"],
)
def test_another_picture_is_told_apart(fresh):
    assert picture_difference(drawn(), fresh)
    saved, new_one = (shown(base64.b64encode(each).decode(), "image/png") for each in (drawn(), fresh))
    assert difference([saved], [new_one]).startswith("the picture differs")


@pytest.mark.parametrize(
    "fresh",
    [
        drawn(),
        drawn((3, 5, 4.00001)),
        drawn((3, 5, 4.002)),
        rounded(drawn()),
    ],
    ids=["the same", "noise", "a tenth of a pixel", "antialiasing"],
)
def test_the_rounding_at_edges_may_differ(fresh):
    assert not picture_difference(drawn(), fresh)


def test_of_a_picture_of_what_was_measured_the_form_alone_is_held():
    assert picture_difference(drawn(), drawn((3, 4, 2)))
    assert not picture_difference(drawn(), drawn((3, 4, 2)), measured=True)
    for other in (pixel(), pixel("black", SIZE), drawn(dpi=130)):
        assert picture_difference(drawn(), other, measured=True)


def test_a_transparent_picture_is_compared_on_white():
    clear = io.BytesIO()
    Image.fromarray(np.zeros((9, 9, 4), dtype=np.uint8)).save(clear, "png")
    assert not picture_difference(clear.getvalue(), pixel("white", (9, 9)))
