"""The dialect: what both renderers show alike, and what needs no other host. A lint over the lessons and the pages.

Quarto only warns of some of this and the preview shows it raw, so neither stops a build. Each rule says why it is one,
and each proves itself on a bad sample.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from course_build.lessons import index as lessons
from course_build.paths import ROOT

LESSONS = lessons.paths()
PAGES = sorted(ROOT.glob("*.qmd"))

FRONT_MATTER = {
    "title", "subtitle", "description", "date", "categories", "image", "image-alt", "objectives", "prerequisites",
    "minutes", "open-graph", "other-links", "twitter-card",
}  # fmt: skip
CELL_OPTIONS = {"classes", "code-fold", "code-summary", "echo", "fig-alt", "fig-cap", "output"}
DIVS = re.compile(
    r"""\{(?:
        \.callout-(?:note|tip|important|warning|caution)(?:\s+collapse="true")?
        | \.panel-tabset
        | (?:\.home-(?:picture|actions|facts)|\.glossary|\#[\w-]+)?
    )\}$""",
    re.VERBOSE,
)
PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}
# Quarto adds two scripts from a CDN to the page of a notebook with one of these in an output.
SCRIPTED = {"text/html", "application/javascript", "application/vnd.jupyter.widget-view+json"}
PICTURE = r"!\[(?:[^\[\]]|\[[^\]]*\])*\]"
"""How a picture begins, with its alternative, in which there may be brackets."""

FORBIDDEN = {
    r"(?<![\w.])@(?:fig|tbl|sec|eq|lst|thm)-\w": "a cross-reference: the preview shows it raw",
    r"\[-?@\w": "a citation: the preview shows it raw",
    r"^\+[-=]{3,}[-=+]*\+\s*$": "a grid table: the preview shows it raw; write a pipe table",
    r"^:{3,}\s*\{#(?:fig|tbl)-": "a figure or table div: the preview does not number it",
    r"^`{3,}\s*\{?mermaid": "a mermaid drawing: its script comes from a CDN; draw an SVG",
    r"^`{3,}\s*\{(?:python|r|julia)\b": "an executable block: write a code cell",
    r"\{\{<": "a shortcode: JupyterLab shows it raw",
    r"!\[\s*\]\([^)]*\)(?!\{[^}]*fig-alt)": "a picture without an alternative",
    rf"{PICTURE}(?!\()": "a picture by reference: write its address beside its alternative",
    r"(?:\A|\n\n)!\[[^\]]+\]\([^)]*\)\s*?(?:\n\n|\Z)": "a picture alone in a paragraph: Quarto makes a caption of its"
    " alternative and leaves it without one; write &nbsp; after it",
    rf"{PICTURE}\(\s*<?(?:https?:)?//": "a picture from another host",
    r"<(?:img|source)\b(?![^>]*\balt\s*=\s*[\"']?[^\s\"'>])[^>]*>": "a picture without an alternative",
    r"<(?!a\b)\w+\b[^>]*\s(?:src|srcset|poster|href)\s*=\s*[\"']?\s*(?:https?:)?//": "something from another host",
    r"\burl\(\s*[\"']?(?:https?:)?//": "something from another host",
    r"<(?:script|iframe|link|style|object|embed)\b": "an element that a lesson must not bring along",
    r"^#\s": "a heading of level 1: that is the page's title",
    r"^(?:\|.*\|\s*)\n(?!\s*\|)(?:\S.*\n)*?^:\s": "a table caption: the renderers place it differently",
}


def without_blocks(text: str) -> str:
    """Return Markdown with the contents of code blocks taken out, and its lines kept."""
    return re.sub(
        r"^(`{3,}|~{3,})(.*)\n(?:.*\n)*?\1[`~]*\s*$",
        lambda m: m[1] + m[2] + "\n" * m[0].count("\n"),
        text,
        flags=re.MULTILINE,
    )


def without_code(text: str) -> str:
    """Return Markdown without what code blocks and spans hold."""
    return re.sub(r"(?<!`)(`+)(?!`)[^`]+?\1(?!`)", "", without_blocks(text))


def markdown_problems(text: str) -> Iterator[str]:
    """Say what in a piece of Markdown is outside the dialect."""
    prose = without_code(text)
    for pattern, why in FORBIDDEN.items():
        if found := re.search(pattern, prose + "\n", re.MULTILINE | re.IGNORECASE):
            yield f"{found[0].strip()!r} is {why}"
    if found := re.search(r"^\|.*`[^`|]*\\\|", without_blocks(text), re.MULTILINE):
        yield f"{found[0]!r} is code with a bar in a table: Quarto shows its backslash"
    depth = 0
    for line in prose.splitlines():
        fence = re.match(r"^:{3,}\s*(.*)$", line)
        if not fence:
            continue
        if not fence[1]:
            depth -= 1
        else:
            depth += 1
            if not DIVS.match(fence[1]):
                yield f"{line!r} opens a div that is not in the dialect"
        if depth < 0:
            break
    if depth:
        yield "a div is opened and not closed, or closed and not opened"


def cell_options(code: str) -> dict:
    lines = [line[2:] for line in code.splitlines() if line.startswith("#|")]
    return yaml.safe_load("\n".join(lines)) or {}


def code_problems(cell: dict, following: str) -> Iterator[str]:
    """Say what in a code cell is outside the dialect. `following` is the Markdown after it."""
    code = "".join(cell["source"])
    options = cell_options(code)
    if unknown := sorted(set(options) - CELL_OPTIONS):
        yield f"the option {unknown[0]} is not in the dialect"
    kinds = {kind for output in cell["outputs"] for kind in output.get("data", {})}
    if (kinds & PICTURES or "fig-cap" in options) and not options.get("fig-alt"):
        yield "a figure without fig-alt"
    if kinds & SCRIPTED:
        yield f"an output as {sorted(kinds & SCRIPTED)[0]}: with it, Quarto's page asks a CDN for scripts"
    numbers = {int(n) for n in re.findall(r"#\s*<(\d+)>\s*$", code, re.MULTILINE)}
    if numbers:
        listed = re.match(r"\s*((?:\d+\.\s.*\n?(?:[ \t]+\S.*\n?)*)+)", following)
        notes = [int(n) for n in re.findall(r"^(\d+)\.\s", listed[1], re.MULTILINE)] if listed else []
        if sorted(numbers) != notes:
            yield f"annotations {sorted(numbers)}, and the list after the cell has {notes}"


def front_matter_problems(path: Path, text: str) -> Iterator[str]:
    """Say what a lesson's front matter lacks."""
    match = re.fullmatch(r"---\n(.*)\n---\s*", text, re.DOTALL)
    front = yaml.safe_load(match[1]) if match else {}
    if missing := sorted(FRONT_MATTER - set(front)):
        yield f"the front matter lacks {', '.join(missing)}"
        return
    if not (path.parent / front["image"]).is_file():
        yield f"the picture {front['image']} is not there"
    card = {"image": f"images/cards/{path.stem}.png"}
    if not front["open-graph"] == front["twitter-card"] == card:
        yield f"open-graph and twitter-card have to be {card}"
    if f"{path.name}?download" not in [link["href"] for link in front["other-links"]]:
        yield f"other-links has no link to {path.name}?download"


def notebook_problems(path: Path, notebook: dict) -> list[str]:
    """Say everything about a lesson that is outside the dialect."""
    cells = notebook["cells"]
    first = "".join(cells[0]["source"]) if cells and cells[0]["cell_type"] == "raw" else ""
    problems = list(front_matter_problems(path, first))
    for number, cell in enumerate(cells[1:], 1):
        found: Iterator[str] = iter(())
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            found = markdown_problems(text)
            if close := re.search(r"^(?!:::).+\n:{3,}[ ]*$", without_blocks(text), re.MULTILINE):
                problems.append(
                    f"cell {number}: no blank line before the end of a div: {close[0]!r} is one in JupyterLab"
                )
        elif cell["cell_type"] == "code":
            after = cells[number + 1] if number + 1 < len(cells) else {"cell_type": "", "source": ""}
            found = code_problems(cell, "".join(after["source"]) if after["cell_type"] == "markdown" else "")
        problems += [f"cell {number}: {problem}" for problem in found]
    return problems


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_keeps_to_the_dialect(path: Path) -> None:
    assert notebook_problems(path, json.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_keeps_to_the_dialect(path: Path) -> None:
    front, _, body = path.read_text(encoding="utf-8").removeprefix("---\n").partition("\n---\n")
    assert yaml.safe_load(front)["title"]
    assert list(markdown_problems(body)) == []


@pytest.mark.parametrize(
    "text",
    [
        "As @fig-scores shows.",
        "So they say [@sanh2019].",
        "+---+---+\n| a | b |\n+---+---+",
        "::: {#fig-one}\n![A drawing](a.svg)\n:::",
        "```{mermaid}\ngraph LR\n```",
        "```mermaid\ngraph LR\n```",
        "```{python}\n1\n```",
        "{{< video a.mp4 >}}",
        "![](a.svg)",
        "![A cat](https://example.org/cat.png)",
        "A sentence.\n\n![A cat](cat.png)\n\nAnother.",
        "![A cat](cat.png)",
        "| a |\n| --- |\n| `#\\| echo` |",
        '<img src="a.svg">',
        '<img alt="A cat" src="https://example.org/cat.png">',
        "See ![ ](cat.svg).",
        "See ![][cat].\n\n[cat]: cat.svg",
        "See ![A cat][cat].\n\n[cat]: https://example.org/cat.png",
        "See ![A cat](<https://example.org/cat.png>).",
        "See ![A cat [asleep]](//example.org/cat.png).",
        '<img alt="" src="cat.svg">',
        "<IMG SRC='cat.svg'>",
        '<img alt="A cat" src = "HTTPS://example.org/cat.png">',
        '<img alt="A cat" src="cat.svg" srcset="https://example.org/cat.png 2x">',
        '<video poster="//example.org/cat.png"></video>',
        '<div style="background: url(https://example.org/cat.png)">A cat</div>',
        '<SCRIPT SRC="https://example.org/cat.js"></SCRIPT>',
        "<script>alert(1)</script>",
        "# A second title",
        "::: {.callout-note}\nNever closed.",
        ":::\n",
        "::: {.column-margin}\nA note.\n:::",
        "::: callout-note\nNo braces.\n:::",
        "::: {.callout-danger}\nNo such kind.\n:::",
        "| a |\n| --- |\n| 1 |\n\n: A caption",
    ],
)
def test_the_lint_finds_what_is_outside(text: str) -> None:
    assert list(markdown_problems(text))


@pytest.mark.parametrize(
    "text",
    [
        "A mail to someone@example.org, a decorator `@fig-x`, and 3 @ 4.",
        '::: {.callout-tip collapse="true"}\n## A hint\n\nLook.\n\n```python\n# <1> a comment\n@property\n```\n:::',
        "::: {.panel-tabset}\n## a\n\nx\n\n## b\n\ny\n:::",
        "A note.[^1]\n\n[^1]: It says `{{< this >}}`.",
        "| a | b |\n| --- | ---: |\n| 1 | 2 |\n\nAnd on: with a colon.",
        "$$p_i = \\frac{e^{z_i}}{\\sum_j e^{z_j}}$$",
        "A sentence.\n\n![A drawing of a cat](images/cat.svg)&nbsp;\n\nAnother.",
        "See ![a cat](images/cat.svg).",
        "See ![the list [1, 2]](images/list.svg), and <a href='https://example.org/list.svg'>another</a>.",
        '![](images/cat.svg){fig-alt="A drawing of a cat"}',
        '<img src="assets/hero.svg" alt="A drawing">',
        "```markdown\n# Not a title\n::: {.callout-note}\n```",
        "Press <kbd>Tab</kbd>.",
    ],
)
def test_the_lint_lets_the_dialect_pass(text: str) -> None:
    assert list(markdown_problems(text)) == []


def code_cell(source: str, *outputs: dict) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)}


def shown(kind: str) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": {kind: "x"}}


@pytest.mark.parametrize(
    ("cell", "following", "says"),
    [
        (code_cell("#| label: fig-one\nx"), "", "label"),
        (code_cell("#| layout-ncol: 2\nx"), "", "layout-ncol"),
        (code_cell("#| fig-cap: A caption\nx"), "", "fig-alt"),
        (code_cell("draw()", shown("image/png")), "", "fig-alt"),
        (code_cell("frame", shown("text/html")), "", "text/html"),
        (code_cell("widget", shown("application/vnd.jupyter.widget-view+json")), "", "widget"),
        (code_cell("x = 1  # <1>\ny = 2  # <2>"), "1. One note only.", "annotations"),
        (code_cell("x = 1  # <1>"), "And on we go.", "annotations"),
    ],
)
def test_the_lint_reads_code_cells(cell: dict, following: str, says: str) -> None:
    assert [problem for problem in code_problems(cell, following) if says in problem]


@pytest.mark.parametrize(
    ("cell", "following"),
    [
        (code_cell("#| classes: code-alone\n%matplotlib inline"), ""),
        (code_cell("#| fig-cap: A caption\n#| fig-alt: Two bars\ndraw()", shown("image/png")), ""),
        (
            code_cell("x = 1  # <1>\ny = 2  # <2>\nz = 3  # <1>"),
            "1. One\n   goes on.\n2. Two.\n\nAnd on. 3. Not a note.",
        ),
    ],
)
def test_the_lint_lets_good_cells_pass(cell: dict, following: str) -> None:
    assert list(code_problems(cell, following)) == []


def test_the_lint_reads_front_matter(tmp_path: Path) -> None:
    path = tmp_path / "01_first.ipynb"
    card = {"image": "images/cards/01_first.png"}
    front = dict.fromkeys(FRONT_MATTER, "x") | {
        "other-links": [{"text": "Download", "href": "01_first.ipynb?download"}],
        "open-graph": card,
        "twitter-card": card,
    }
    assert list(front_matter_problems(path, f"---\n{yaml.safe_dump(front)}\n---")) == ["the picture x is not there"]
    (tmp_path / "x").touch()
    assert list(front_matter_problems(path, f"---\n{yaml.safe_dump(front)}\n---")) == []
    del front["minutes"]
    assert list(front_matter_problems(path, f"---\n{yaml.safe_dump(front)}\n---")) == ["the front matter lacks minutes"]
    assert list(front_matter_problems(path, "no front matter"))


@pytest.mark.parametrize(
    ("text", "right"), [("Look.\n:::", False), ("Look.\n\n:::", True), ("```\nx\n```\n\n:::", True)]
)
def test_the_lint_wants_the_end_of_a_div_on_a_line_of_its_own(text: str, right: bool) -> None:
    cell = {"cell_type": "markdown", "source": f"::: {{.callout-note}}\n{text}"}
    problems = notebook_problems(Path("01_first.ipynb"), {"cells": [{"cell_type": "raw", "source": ""}, cell]})
    assert any("blank line" in problem for problem in problems) != right


def test_there_is_something_to_read() -> None:
    assert LESSONS
    assert PAGES
