"""What a reader gets of each page, in order: by the preview what the notebook holds, and by Quarto the same again."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from conftest import LESSONS, RENDERERS
from smalldocs.notebook import cell_options

NOT_CONTENT = (
    "#title-block-header, #quarto-appendix, .quarto-listing, .page-navigation, .code-annotation-anchor, .anchorjs-link,"
    " .screen-reader-only, .header-section-number, .code-copy-button, annotation, script, nav"
)
"""What one renderer writes otherwise, or elsewhere, or not at all, and no author wrote."""

CALLOUT = re.compile(r"^:{3,} *\{\.callout-(\w+)", re.MULTILINE)
HEADING = re.compile(r"^(#{2,6}) ", re.MULTILINE)
TITLES = re.compile(r"^:{3,} *\{\.callout[^\n]*\n+#+ ", re.MULTILINE)
"""The heading that a callout begins with, which becomes its title."""
TABS = re.compile(r"^:{3,} *\{\.panel-tabset.*?^:{3,}$", re.MULTILINE | re.DOTALL)
BOX = re.compile(r'<details class="([\w -]+)"')
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^\|[ :|-]+\|$", re.MULTILINE)
ESCAPES = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\u2013": "--", "\xa0": " "}
)
"""Both renderers set quotation marks and dashes, not always alike."""

Part = tuple[str, ...]


def words(text: str) -> str:
    return " ".join(text.translate(ESCAPES).split())


def outline(page: str) -> list[Part]:
    """Return what stands on a page, in its order, each part as its kind and what tells it from others of that kind.

    It reads the classes that Quarto 1.7 writes, and that the preview writes, too. Ids, wrappers, the names of sections
    and all that dresses a part count for nothing.
    """
    main = BeautifulSoup(page, "html.parser").main
    for element in main.select(NOT_CONTENT):
        element.decompose()
    return [part for element in main.find_all(True) if (part := describe(element))]


def describe(element: Tag) -> Part | None:
    """Return the part of a page that begins with an element; None if none does."""
    classes = element.get("class") or []
    if re.fullmatch("h[2-6]", element.name):
        return ("heading", element.name, words(element.get_text()))
    if "callout" in classes:
        kind = next(name for name in classes if re.fullmatch("callout-(note|tip|important|warning|caution)", name))
        return ("callout", kind, words(element.select_one(".callout-title-container").get_text()))
    if element.name == "pre":
        output = element.find_parent(class_="cell-output")
        kind = output_kind(output) if output else "code"
        text = words(element.get_text())
        # Quarto writes the error's last line before its traceback, too.
        return (kind, text[max(text.find("-----"), 0) :] if kind == "error" else text)
    if element.name == "img":
        return ("figure", words(element.get("alt") or ""))
    if element.name == "table":
        return ("table", *(words(cell.get_text()) for cell in element.select("th, td")))
    if element.name == "details" and element.get("class"):
        return ("box", " ".join(classes), words(element.summary.get_text()))
    return None


def output_kind(output: Tag) -> str:
    """Return where an output comes from: a stream, an error, or a value."""
    return next((kind for kind in ("stdout", "stderr", "error") if f"cell-output-{kind}" in output["class"]), "value")


def count(parts: list[Part], *kinds: str) -> int:
    return sum(part[0] in kinds for part in parts)


def outlines(site: Path) -> Iterator[tuple[str, list[Part]]]:
    for path in sorted(site.rglob("*.html")):
        if "site_libs" not in path.parts:
            yield path.relative_to(site).as_posix(), outline(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_the_preview_shows_all_that_a_notebook_holds(sites: Callable[[str], Path], lesson: Path) -> None:
    parts = outline((sites("preview") / "notebooks" / f"{lesson.stem}.html").read_text(encoding="utf-8"))
    notebook = nbformat.read(lesson, as_version=4)
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    text = "\n\n".join(FENCED.sub("", cell) for cell in prose)
    code, outputs = [], []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            options, source = cell_options(cell.source)
            code += [source] if options.get("echo", True) else []
            outputs += cell.outputs
    data = [output.get("data", {}) for output in outputs]
    quizzes = "".join(part["text/markdown"] for part in data if "text/markdown" in part)

    assert [part[1] for part in parts if part[0] == "callout"] == [f"callout-{kind}" for kind in CALLOUT.findall(text)]
    assert [part[1] for part in parts if part[0] == "box"] == BOX.findall(text + quizzes)
    headings = [f"h{len(marks)}" for marks in HEADING.findall(TITLES.sub("", TABS.sub("", text)))]
    assert [part[1] for part in parts if part[0] == "heading"] == headings
    drawn = [part for part in data if "image/png" in part]
    pictures = re.findall(r"!\[[^]]*\]\([^)]+\)", text)
    assert count(parts, "figure") == 1 + len(drawn) + len(pictures), "the lesson's drawing, and those in it"
    assert count(parts, "table") == len(TABLE.findall(text))
    shown = [part[1] for part in parts if part[0] == "code"]
    assert len(shown) == len(code) + sum(len(FENCED.findall(cell)) for cell in prose)
    without_marks = [words(re.sub(r"\s*# <\d+>$", "", source, flags=re.MULTILINE)) for source in code]
    assert [source for source in without_marks if source not in shown] == []
    plain = [part for part in data if part.keys() == {"text/plain"}]
    assert count(parts, "value") == len(plain)
    assert count(parts, "error") == sum(output.output_type == "error" for output in outputs)


def test_an_outline_reads_quartos_way_of_writing_as_the_previews() -> None:
    quarto = """<main><header id="title-block-header"><h1>T</h1></header><section id="a" class="level2">
    <h2 class="anchored" data-anchor-id="a"><span class="header-section-number">1</span> A <em>b</em></h2>
    <div class="callout callout-style-default callout-note no-icon callout-titled"><div class="callout-header">
    <div class="callout-title-container flex-fill"><span class="screen-reader-only">Note</span>It\u2019s so</div></div>
    </div>
    <div id="cell-3" class="cell" data-execution_count="2"><div class="sourceCode cell-code" id="cb1">
    <pre class="sourceCode python code-with-copy"><code class="sourceCode python"><span id="cb1-1"><a href="#cb1-1"></a>
    x<button class="code-annotation-anchor" data-target-annotation="1">1</button></span></code></pre>
    <button class="code-copy-button"><i class="bi"></i></button></div>
    <div class="cell-output cell-output-stdout"><pre><code>out</code></pre></div>
    <div class="cell-output cell-output-error"><pre><code>No: 1\n----- Traceback\nNo: 1</code></pre></div>
    <div class="cell-output cell-output-display" data-execution_count="2"><div><figure class="figure">
    <p><img src="l_files/figure-html/cell-2-output-1.png" alt="An x" width="9"></p></figure></div></div></div></section>
    <nav class="page-navigation"><h2>no</h2></nav></main>"""
    written = """<main><h2>A <em>b</em></h2>
    <div class="callout callout-note"><div class="callout-title-container">It's so</div></div>
    <div class="cell"><pre><code>x</code></pre><div class="cell-output cell-output-stdout"><pre>out</pre></div>
    <div class="cell-output cell-output-error"><pre>----- Traceback\nNo: 1</pre></div>
    <div class="cell-output cell-output-display"><img src="data:," alt="An x"/></div></div></main>"""
    assert outline(quarto) == outline(written)
    assert outline(quarto) == [
        ("heading", "h2", "A b"),
        ("callout", "callout-note", "It's so"),
        ("code", "x"),
        ("stdout", "out"),
        ("error", "----- Traceback No: 1"),
        ("figure", "An x"),
    ]


@pytest.mark.skipif("quarto" not in RENDERERS, reason="there is no quarto on the PATH to compare with")
def test_quarto_shows_the_same(sites: Callable[[str], Path]) -> None:
    by_quarto, by_preview = (dict(outlines(sites(renderer))) for renderer in ("quarto", "preview"))
    assert by_quarto.keys() == by_preview.keys()
    for name, parts in by_preview.items():
        assert by_quarto[name] == parts, name
