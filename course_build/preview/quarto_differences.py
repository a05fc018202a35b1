"""The mends of what smalldocs shows otherwise than Quarto does on our pages.

Each mend is a function of its own, and each has a test that first shows the defect, so that an upgrade that cures one
is noticed and the mend goes.
"""

import copy
import functools
import html
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from latex2mathml.converter import convert
from nbformat import NotebookNode
from smalldocs.config import as_list
from smalldocs.notebook import cell_options

from course_build import BuildError
from course_build.html_elements import attribute, classes, find_one, set_classes
from course_build.preview.quarto_project import Page
from course_utils.notebook import as_shown

QUARTO_ONLY = {
    ("execute",),
    ("filters",),
    ("language",),
    ("format", "html", "html-math-method"),
    ("format", "html", "respect-user-color-scheme"),
}
"""Keys of `_quarto.yml` for Quarto alone. smalldocs runs no code, has words of its own and follows the browser's colour
scheme anyway; the maths is `mathml` below, and what the filter does is done by `mend_drawing`."""

ANNOTATION = re.compile(r"\s*#\s*&lt;(\d+)&gt;\s*</span>\s*$", re.MULTILINE)
"""The end of a highlighted line of code with an annotation."""

EMPTY_COMMENT = re.compile(r"\s*<span class=\"co\">\s*</span>$")

BACKTICKS = re.compile(r"`([^`]+)`")

BODY_CLASSES = "body-classes"

UNDESCRIBED = "A picture that the code above draws."


# ------------------------------------------------------------------------------------------ before: the private copy


def mend_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return `_quarto.yml` without what only Quarto reads, keys and Sass, and the sidebar's words as text, not HTML."""
    kept = json.loads(json.dumps(config, default=str))
    sidebar = (kept.get("website") or {}).get("sidebar")
    for entry in as_list(sidebar.get("contents")) if isinstance(sidebar, dict) else ():
        if isinstance(entry, dict) and "text" in entry:
            entry["text"] = html.unescape(str(entry["text"]))
    for *path, last in QUARTO_ONLY:
        if part := part_of(kept, path):
            part.pop(last, None)
    if themes := part_of(kept, ["format", "html", "theme"]):
        for mode, names in themes.items():
            themes[mode] = [name for name in as_list(names) if not str(name).endswith(".scss")]
    return kept


def part_of(config: dict[str, Any], path: Iterable[str]) -> dict[str, Any] | None:
    """Return the keys and values that `config` has at the end of a path of keys; None if there are none."""
    part = functools.reduce(lambda node, key: node.get(key) if isinstance(node, dict) else None, path, config)
    return part if isinstance(part, dict) else None


def mend_outputs(outputs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a cell's outputs as plain text, with the pieces of one stream joined as Quarto joins them."""
    mended: list[dict[str, Any]] = []
    for output in outputs:
        before = mended[-1] if mended else {}
        if output["output_type"] == "stream" == before.get("output_type") and output["name"] == before["name"]:
            before["text"] = "".join(before["text"]) + "".join(output["text"])
        else:
            mended.append(json.loads(json.dumps(output)))
    for output in mended:
        if output["output_type"] == "stream":
            output["text"] = as_shown("".join(output["text"]))
        elif output["output_type"] == "error":
            output["traceback"] = [as_shown(line) for line in output["traceback"]]
        elif "text/plain" in output["data"]:
            output["data"]["text/plain"] = as_shown("".join(output["data"]["text/plain"]))
    return mended


def mend_front_matter(front: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return the front matter of a page in the site's folder `folder` as smalldocs reads it.

    It doesn't know the classes of the body, which `mend_body` sets, nor the type of a listing's feed: it has only the
    one that tells of the pages. And `other-links` begin at the site's root for it, where Quarto begins at the page's.
    """
    mended = {key: value for key, value in front.items() if key != BODY_CLASSES}
    if "other-links" in front:
        mended["other-links"] = [{**link, "href": rooted(link["href"], folder)} for link in front["other-links"]]
    for listing in as_list(mended.get("listing")):
        if isinstance(listing, dict) and isinstance(listing.get("feed"), dict):
            listing["feed"] = {key: value for key, value in listing["feed"].items() if key != "type"} or True
    return mended


def rooted(address: str, folder: str) -> str:
    """Return an address that a page in `folder` names, from the site's root."""
    return address if urlsplit(address).scheme or address.startswith("/") else "/" + posixpath.join(folder, address)


def mend_source(page: Page) -> str:
    """Return the source of a page that smalldocs shows as Quarto does."""
    front = mend_front_matter(copy.deepcopy(page.front), posixpath.dirname(page.name))
    head = f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n" if front else ""
    if page.notebook is None:
        return head + page.text
    cells = [
        {**cell, "outputs": mend_outputs(cell.outputs)} if "outputs" in cell else cell for cell in page.notebook.cells
    ]
    if front:
        cells[0] = {**cells[0], "source": head + page.text}
    return json.dumps({**page.notebook, "cells": cells})


# ------------------------------------------------------------------------------------------- after: a rendered page


def code_cells(page: BeautifulSoup, notebook: NotebookNode) -> Iterator[tuple[Tag, dict[str, Any]]]:
    """Yield each code cell that the page shows, with its `#|` options."""
    cells = {tag["id"]: tag for tag in page.find_all(id=True)}  # a search for each cell would take half of the build
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            options, _ = cell_options(cell["source"])
            shown = cells.get(options.get("label") or f"cell-{number}")
            if shown:
                yield shown, options


def mend_classes(page: BeautifulSoup, notebook: NotebookNode) -> None:
    """Give each cell the `classes` that its options name."""
    for cell, options in code_cells(page, notebook):
        names = options.get("classes") or []
        set_classes(cell, [*classes(cell), *(names.split() if isinstance(names, str) else names)])


def mend_alternatives(page: BeautifulSoup, notebook: NotebookNode) -> None:
    """Describe each figure: by its own `fig-alt`, else by its caption, else by a sentence that is always true."""
    for cell, options in code_cells(page, notebook):
        texts = options.get("fig-alt") or options.get("fig-cap") or []
        texts = [texts] if isinstance(texts, str) else texts
        for number, picture in enumerate(cell.select(".cell-output img")):
            picture["alt"] = texts[number] if number < len(texts) else UNDESCRIBED


def mend_annotations(page: BeautifulSoup) -> None:
    """Turn `# <1>` in a cell, and the numbered list after the cell, into Quarto's marks and definition list."""
    cells = [(code, code.find_parent("div", class_="cell")) for code in page.select("div.cell code.sourceCode")]
    found = [(code, cell) for code, cell in cells if cell and ANNOTATION.search(code.decode_contents())]
    for count, (code, cell) in enumerate(found, 1):
        name = f"annotated-cell-{count}"
        lines, where = mark_lines(code.decode_contents().split("\n"), name)
        # Parsed inside <pre>, where the parser keeps indentation as it is.
        inside = find_one(BeautifulSoup(f"<pre>{chr(10).join(lines)}</pre>", "html.parser"), "pre")
        code.clear()
        code.extend(list(inside.contents))
        if code.parent:
            set_classes(code.parent, [*classes(code.parent), "code-annotation-code"])
        notes = cell.find_next_sibling()
        if notes is not None and notes.name == "ol":
            grid = definition_list(page, notes, name, where)
            output = cell.select_one(".cell-output")
            output.insert_before(grid) if output else cell.append(grid)
            notes.decompose()


def mark_lines(lines: list[str], name: str) -> tuple[list[str], dict[int, list[int]]]:
    """Take the annotations out of highlighted lines; put a mark before the first line that each one stands on.

    Returns the lines, and for each annotation the numbers, from 1, of its lines. The mark is empty and CSS writes its
    number, so that a copy of the code holds none.
    """
    where: dict[int, list[int]] = {}
    marked = []
    for row, line in enumerate(lines, 1):
        if found := ANNOTATION.search(line):
            number = int(found[1])
            line = EMPTY_COMMENT.sub("", line[: found.start()] + "</span>")
            if number not in where:
                line = (
                    f'<span class="code-annotation-anchor" role="img" aria-label="Note {number}"'
                    f' data-target-cell="{name}" data-target-annotation="{number}"></span>{line}'
                )
            where.setdefault(number, []).append(row)
        marked.append(line)
    return marked, where


def definition_list(page: BeautifulSoup, notes: Tag, name: str, lines: dict[int, list[int]]) -> Tag:
    """Make Quarto's list of a cell's notes out of the ordered list that the notebook has."""
    grid = page.new_tag("dl", attrs={"class": "code-annotation-container-grid"})
    start = int(attribute(notes, "start") or 1)
    for number, item in enumerate(notes.find_all("li", recursive=False), start):
        term = page.new_tag("dt", attrs={"data-target-cell": name, "data-target-annotation": str(number)})
        term.string = str(number)
        note = page.new_tag("dd")
        text = page.new_tag("span", attrs={"data-code-cell": name, "data-code-annotation": str(number)})
        text["data-code-lines"] = ",".join(map(str, lines.get(number, [])))
        paragraphs = item.find_all("p", recursive=False)
        for child in list((paragraphs[0] if len(paragraphs) == 1 else item).contents):
            text.append(child)
        note.append(text)
        grid.extend([term, note])
    return grid


def mend_maths(page: BeautifulSoup) -> None:
    r"""Turn the TeX in `\(...\)` and `\[...\]` into MathML, and drop the KaTeX that would have come from a CDN."""
    for formula in page.select("span.math"):
        display = "block" if "display" in formula["class"] else "inline"
        tex = formula.get_text().strip()[2:-2].strip()
        try:
            mathml = convert(tex, display=display)
        except Exception as error:  # latex2mathml has no common class for what it can't read
            raise BuildError(f"This formula can't be read: {tex} ({error})") from error
        if unknown := re.search(r">(\\\w+)<", mathml):
            raise BuildError(f"This formula has a command that the preview doesn't know, {unknown[1]}: {tex}")
        formula.clear()
        formula.append(BeautifulSoup(mathml, "html.parser"))
    for element in page.select("link[href*=katex], script[src*=katex]"):
        element.decompose()


def mend_footnotes(page: BeautifulSoup) -> None:
    """Write footnotes as Quarto does: a raised number without brackets, and an appendix with a heading."""
    for mark in page.select("sup.footnote-ref > a"):
        number = page.new_tag("sup")
        number.string = mark.get_text().strip("[]")
        mark.clear()
        mark.append(number)
        set_classes(mark, ["footnote-ref"])
        mark["role"] = "doc-noteref"
        if mark.parent:
            mark.parent.unwrap()
    for notes in page.select("section.footnotes"):
        notes["id"], notes["role"] = "footnotes", "doc-endnotes"
        heading = page.new_tag("h2", attrs={"class": "quarto-appendix-heading"})
        heading.string = "Footnotes"
        notes.insert(0, heading)
        notes.wrap(page.new_tag("div", attrs={"id": "quarto-appendix", "class": "default"}))


def mend_inline_code(page: BeautifulSoup) -> None:
    """Show `code` in a subtitle, and on a card, as code instead of backticks."""
    for element in page.select("p.subtitle, .listing-subtitle, .listing-description"):
        for text in element.find_all(string=BACKTICKS):
            shown = BACKTICKS.sub(r"<code>\1</code>", html.escape(text, quote=False))
            text.replace_with(*find_one(BeautifulSoup(f"<p>{shown}</p>", "html.parser"), "p").contents)


def mend_icons(page: BeautifulSoup) -> None:
    """Leave out the address that stands beside an icon which has a label and no text of its own."""
    for link in page.select("a.nav-link[aria-label]:has(> i.bi)"):
        text = link.select_one(".menu-text")
        if text:
            text.decompose()
            find_one(link, "i")["aria-label"] = link["aria-label"]
            if link.parent:
                set_classes(link.parent, [*classes(link.parent), "compact"])


def mend_sidebar(page: BeautifulSoup) -> None:
    """Show an entry without a link as text, and no sidebar on a page that isn't in it, as Quarto does."""
    for link in page.select("#quarto-sidebar a.sidebar-link[href='']"):
        text = find_one(link, ".menu-text").extract()
        if entry := link.find_parent("li"):
            entry.clear()
            entry.append(text)
    sidebar = page.find(id="quarto-sidebar")
    if sidebar and not sidebar.select_one("a.active"):
        for element in page.select("#quarto-sidebar, #quarto-sidebar-glass, .quarto-secondary-nav"):
            element.decompose()
        for selector, gone in (("body", {"nav-sidebar", "floating"}), ("#quarto-content", {"has-sidebar"})):
            element = find_one(page, selector)
            set_classes(element, [name for name in classes(element) if name not in gone])


def mend_downloads(page: BeautifulSoup) -> None:
    """Point the link that downloads a notebook at the notebook: `lesson.ipynb?download` had become a page's address."""
    for link in page.select("a[href$='.html?download']"):
        link["href"] = attribute(link, "href").removesuffix(".html?download") + ".ipynb?download"
        link["download"] = ""


def mend_card(page: BeautifulSoup, front: dict[str, Any]) -> None:
    """Let shared links show the picture that the lesson names for them, where smalldocs takes the listing's."""
    for key, selector in (
        ("open-graph", "meta[property='og:image']"),
        ("twitter-card", "meta[name='twitter:image']"),
    ):
        card = front[key].get("image") if isinstance(front.get(key), dict) else None
        if card and isinstance(front.get("image"), str) and (shown := page.select_one(selector)):
            shown["content"] = attribute(shown, "content").removesuffix(front["image"]) + card


def mend_drawing(page: BeautifulSoup, front: dict[str, Any]) -> None:
    """Open a lesson with the drawing that its front matter names, as our filter for Quarto does."""
    if "image" in front and "image-alt" in front:
        opening = page.new_tag("div", attrs={"class": "opening-drawing"})
        opening.append(page.new_tag("img", attrs={"src": front["image"], "alt": front["image-alt"]}))
        find_one(page, "#title-block-header").insert_after(opening)


def mend_minutes(page: BeautifulSoup, path: str, fronts: dict[str, dict[str, Any]]) -> None:
    """Let a card say how long its lesson takes, as Quarto writes a field of the site's own: smalldocs leaves it out."""
    for link in page.select(".quarto-grid-link"):
        address = posixpath.join(posixpath.dirname(path), attribute(link, "href"))
        front = fronts.get(posixpath.normpath(address), {})
        if "minutes" in front:
            row = f'<tr><td>Minutes</td><td class="minutes">{front["minutes"]}</td></tr>'
            table = f'<table class="card-other-values"><tbody>{row}</tbody></table>'
            find_one(link, ".card-body").append(BeautifulSoup(table, "html.parser"))


def mend_body(page: BeautifulSoup, front: dict[str, Any]) -> None:
    """Give a page's body the classes that its front matter names."""
    body = find_one(page, "body")
    set_classes(body, [*classes(body), *(front.get(BODY_CLASSES) or "").split()])


def mend_missing_page(page: BeautifulSoup, base: str) -> None:
    """Make every address of the 404 page start at the site's root, for it answers at any depth."""
    for name in ("href", "src"):
        for element in page.select(f"[{name}]"):
            address = attribute(element, name)
            if address and not urlsplit(address).scheme and not address.startswith(("/", "#")):
                element[name] = base + address.removeprefix("./")
    for element in page.select("meta[name='smalldocs:offset']"):
        element["content"] = base


def mend_page(
    page: BeautifulSoup, path: str, fronts: dict[str, dict[str, Any]], notebook: NotebookNode | None, base: str
) -> None:
    """Apply every mend to the rendered page at `path` (from the site's root). `fronts` is each page's front matter."""
    front = fronts[path]
    if notebook:
        mend_classes(page, notebook)
        mend_alternatives(page, notebook)
        mend_card(page, front)
        mend_drawing(page, front)
    mend_body(page, front)
    mend_minutes(page, path, fronts)
    mend_annotations(page)
    mend_maths(page)
    mend_footnotes(page)
    mend_inline_code(page)
    mend_icons(page)
    mend_sidebar(page)
    mend_downloads(page)
    if path == "404.html":
        mend_missing_page(page, base)
