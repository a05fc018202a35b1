"""The diagrams: a lesson shows each, all have one style by day and by night, and their numbers are true."""

import base64
import io
import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations
from pathlib import Path

import nbformat
import pytest
from conftest import LESSONS
from PIL import Image
from sitefiles import soup
from test_site_files import contrast, properties

from course_build.lessons.index import front_matter
from course_build.paths import NOTEBOOKS

DRAWN = NOTEBOOKS / "images"
DIAGRAMS = sorted(DRAWN.glob("diagram_*.svg"))
each_diagram = pytest.mark.parametrize("diagram", DIAGRAMS, ids=lambda path: path.stem)

SVG = "{http://www.w3.org/2000/svg}"
TIMES = "\N{MULTIPLICATION SIGN}"
PHONE = 356
"""The width of a lesson's text on a phone of 390 pixels."""

PAIR = re.compile(r"light-dark\((#\w{6}), (#\w{6})\)")


def read(diagram: Path) -> ElementTree.Element:
    return ElementTree.parse(diagram).getroot()


def words(diagram: Path, kind: str = "") -> list[str]:
    """Return the texts of a diagram, in their order; of one class, if it is named."""
    return [text.text for text in read(diagram).iter(f"{SVG}text") if kind in text.get("class", "").split() or not kind]


def style(diagram: Path) -> str:
    return read(diagram).findtext(f"{SVG}style")


def declared(name: str, property_: str) -> str:
    """Return what the style of the diagrams says of a property of a class, or of an element; the last rule wins."""
    rules = re.findall(r"^ *([^{}\n]+?) \{ (.*) \}$", style(DIAGRAMS[0]), re.MULTILINE)
    found = [
        value
        for selectors, body in rules
        if name in selectors.split(", ")
        for value in re.findall(rf"(?:^|; ){property_}: ([^;]+);", body)
    ]
    return found[-1]


def shown_in(lesson: Path) -> list[str]:
    """Return the addresses of the diagrams that a lesson shows, each with a caption and an alternative."""
    cells = nbformat.read(lesson, as_version=4).cells
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r'^!\[[^\n]+\]\((images/diagram_\w+\.svg)\)\{fig-alt="[^"\n]{40,}"\}$', prose, re.MULTILINE)


def test_a_lesson_shows_each_diagram_once_with_a_caption_and_an_alternative() -> None:
    shown = [address for lesson in LESSONS for address in shown_in(lesson)]
    assert sorted(shown) == [f"images/{diagram.name}" for diagram in DIAGRAMS]


@each_diagram
def test_a_diagram_stands_alone(diagram: Path) -> None:
    drawing = read(diagram)
    assert drawing.get("viewBox") == f"0 0 {drawing.get('width')} {drawing.get('height')}"
    assert (drawing.get("role"), drawing.get("aria-labelledby")) == ("img", "title desc")
    title, description = drawing.find(f"{SVG}title"), drawing.find(f"{SVG}desc")
    assert (title.get("id"), description.get("id")) == ("title", "desc")
    assert title.text.strip()
    assert len(description.text) > 100
    kinds = {element.tag.removeprefix(SVG) for element in drawing.iter()}
    assert kinds <= {"svg", "title", "desc", "style", "defs", "marker", "rect", "circle", "path", "text"}
    asked = re.findall(
        r"(?:href|src)\s*=|@import|url\((?!#head\))|://(?!www\.w3\.org/2000/svg)", diagram.read_text("utf-8")
    )
    assert asked == []


@each_diagram
def test_all_diagrams_have_one_style_and_the_sites_colours(diagram: Path) -> None:
    assert style(diagram) == style(DIAGRAMS[0])
    assert ElementTree.tostring(read(diagram).find(f"{SVG}defs")) == ElementTree.tostring(
        read(DIAGRAMS[0]).find(f"{SVG}defs")
    )
    by_day, by_night = properties("light"), properties("dark")
    palette = {(by_day[name], by_night[name]) for name in by_day}
    for value in re.findall(r"\b(?:fill|stroke|color): ([^;]+);", style(diagram)):
        assert value == "none" or PAIR.fullmatch(value).groups() in palette
    names = set(re.findall(r"\.([a-z]+)", re.sub(r"\{.*?\}", "", style(diagram))))
    used = {name for element in read(diagram).iter() for name in element.get("class", "").split()}
    assert used <= names
    for element in read(diagram).iter():
        assert not {"fill", "stroke", "style", "opacity", "font-size", "font-family", "transform"} & set(element.keys())


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_words_of_a_diagram_can_be_read(scheme: int) -> None:
    ground = PAIR.fullmatch(declared(".ground", "fill")).group(scheme + 1)
    opacity = float(declared(".numbers", "fill-opacity"))
    tints = [
        PAIR.fullmatch(declared(f".{kind}", "fill")).group(scheme + 1)
        for kind in ("text", "numbers", "weights", "result")
    ]
    grounds = [ground, *(mixed(tint, ground, opacity) for tint in tints)]
    for kind in ("text", ".note"):
        ink = PAIR.fullmatch(declared(kind, "fill")).group(scheme + 1)
        assert min(contrast(ink, under) for under in grounds) >= 4.5, kind
    for kind in (".numbers", ".weights", ".result", ".tool", ".arrow"):
        edge = PAIR.fullmatch(declared(kind, "stroke")).group(scheme + 1)
        assert contrast(edge, ground) >= 3, kind


def mixed(colour: str, ground: str, opacity: float) -> str:
    """Return a colour over another as one that covers."""
    channels = [
        round(opacity * int(colour[at : at + 2], 16) + (1 - opacity) * int(ground[at : at + 2], 16)) for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


@pytest.fixture(scope="module")
def tab(browser: "playwright.Browser") -> "playwright.Page":  # noqa: F821
    return browser.new_page(viewport={"width": 600, "height": 800}, color_scheme="light")


@each_diagram
def test_the_words_of_a_diagram_have_room_and_are_large_enough_on_a_phone(diagram: Path, tab) -> None:
    tab.goto(diagram.as_uri())
    measured = tab.evaluate("""() => {
        const box = (element) => {
            const {x, y, width, height} = element.getBBox();
            return [x, y, x + width, y + height];
        };
        return {
            texts: [...document.querySelectorAll("text")].map((text) =>
                [text.textContent, parseFloat(getComputedStyle(text).fontSize), box(text)]),
            boxes: [...document.querySelectorAll("rect")].map(box),
        };
    }""")
    width, height = int(read(diagram).get("width")), int(read(diagram).get("height"))
    for text, size, (left, top, right, bottom) in measured["texts"]:
        assert size * min(1, PHONE / width) >= 11, text
        assert left >= 16, text
        assert right <= width - 16, text
        assert top >= 8, text
        assert bottom <= height - 8, text
        # The smallest box around its middle holds all of it.
        x, y = (left + right) / 2, (top + bottom) / 2
        around = [box for box in measured["boxes"] if box[0] < x < box[2] and box[1] < y < box[3]]
        inner = min(around, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        assert inner[0] + 2 <= left, text
        assert right <= inner[2] - 2, text
    for (one, _, a), (other, _, b) in combinations(measured["texts"], 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] + 3 or b[3] <= a[1] + 3
        assert apart, f"{one!r} lies on {other!r}"


def test_a_diagram_follows_the_page_that_shows_it(tab) -> None:
    picture = base64.b64encode(DIAGRAMS[0].read_bytes()).decode()
    tab.goto("about:blank")
    tab.set_content(f'<img src="data:image/svg+xml;base64,{picture}" alt="">')
    for scheme in ("light", "dark"):
        tab.evaluate("(scheme) => (document.documentElement.style.colorScheme = scheme)", scheme)
        shot = Image.open(io.BytesIO(tab.locator("img").screenshot())).convert("RGB")
        assert "#{:02x}{:02x}{:02x}".format(*shot.getpixel((12, 12))) == properties(scheme)["raised"]


def test_every_lesson_opens_with_its_drawing(site: Path) -> None:
    for lesson in LESSONS:
        front = front_matter(lesson)
        page = soup(site, f"notebooks/{lesson.stem}.html")
        drawing = page.select_one("#title-block-header + .opening-drawing > img")
        assert (drawing["src"], drawing["alt"]) == (front["image"], front["image-alt"])
        assert (drawing["width"], drawing["height"]) == ("800", "440")


# ------------------------------------------------------------------------------------------------------- their numbers


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def test_query_key_and_value_can_be_followed_by_hand() -> None:
    code = words(DRAWN / "diagram_query_key_value.svg", "code")
    keys, query = [numbers(text) for text in code[:3]], numbers(code[3])
    products, scaled, shares, values = code[4:10], code[10:13], code[13:16], [numbers(text) for text in code[16:19]]
    dots = [sum(one * other for one, other in zip(query, key, strict=True)) for key in keys]
    scores = [dot / math.sqrt(len(query)) for dot in dots]
    parts = [math.exp(score) for score in scores]
    exact = [part / sum(parts) for part in parts]
    for key, dot, (factors, result) in zip(keys, dots, zip(products[::2], products[1::2], strict=True), strict=True):
        assert factors == " + ".join(f"{one:g}·{other:g}" for one, other in zip(query, key, strict=True))
        assert result == f"= {dot:g}"
    assert scaled == [f"{score:.2f}" for score in scores]
    assert shares == [f"{share:.2f}" for share in exact]
    total = [sum(share * value[at] for share, value in zip(exact, values, strict=True)) for at in (0, 1)]
    rounded = [sum(float(share) * value[at] for share, value in zip(shares, values, strict=True)) for at in (0, 1)]
    assert [f"{number:.2f}" for number in rounded] == [f"{number:.2f}" for number in total]
    for at, line in enumerate(code[19:21]):
        terms = " + ".join(f"{share}·{value[at]:g}" for share, value in zip(shares, values, strict=True))
        assert line == f"{terms} = {total[at]:.2f}"
    assert code[21:] == [f"[{total[0]:.2f}, {total[1]:.2f}]"]
    bars = [float(bar.get("height")) for bar in read(DRAWN / "diagram_query_key_value.svg").iter(f"{SVG}rect")]
    assert {round(60 * float(share), 1) for share in shares} <= set(bars)


def test_the_pieces_and_ids_are_the_tokenizers(reviews_checkpoint: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reviews_checkpoint)
    sentence, *_ = words(DRAWN / "diagram_pipeline.svg")
    ids = next(text for text in words(DRAWN / "diagram_pipeline.svg", "code") if text[0].isdigit())
    assert [int(number) for number in ids.split()] == tokenizer(sentence)["input_ids"]

    first, second, *_ = words(DRAWN / "diagram_text_to_batch.svg")
    batch = tokenizer([first, second], padding=True)
    pieces = [tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) for text in (first, second)]
    cells = [text for text in words(DRAWN / "diagram_text_to_batch.svg", "code") if "_" not in text]
    assert cells == [
        *(piece for row in pieces for piece in row),
        *(str(number) for key in ("input_ids", "attention_mask") for row in batch[key] for number in row),
    ]


def test_the_shapes_are_the_models(reviews_checkpoint: str) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(reviews_checkpoint)
    model = words(DRAWN / "diagram_model.svg")
    assert f"{config.vocab_size:,} {TIMES} {config.dim}" in model
    assert f"{config.max_position_embeddings} {TIMES} {config.dim}" in model
    assert f"{config.dim} → {config.dim} → {config.num_labels}" in model
    assert [text for text in model if text.startswith("Layer")] == [f"Layer {at}" for at in range(config.n_layers)]
    size = config.dim // config.n_heads
    layer = words(DRAWN / "diagram_layer.svg")
    assert f"{config.n_heads} heads of {size} numbers each" in layer
    assert f"each token alone: {config.dim} → {config.hidden_dim:,} → {config.dim}" in layer
    heads = words(DRAWN / "diagram_heads.svg")
    assert f"{config.dim} numbers: {config.n_heads} {TIMES} {size}" in heads
    assert [text for text in heads if text.isdigit()] == [str(at) for at in range(config.n_heads)]
    assert f"{config.dim} {TIMES} {config.dim}" in heads
