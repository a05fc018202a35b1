"""Make a rendered site light to load.

Both renderers carry whole libraries to each page, and the preview a lesson's figures inside it. Here the figures get
files of their own, which a browser loads when the reader comes near; the libraries' scripts let the page show first;
and of their styles only those stay that a page of the site can use. Nothing looks or works differently. Quarto's
libraries are three times the preview's, so that its pages ask for them only when they are shown.
"""

import base64
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import tinycss2
from bs4 import BeautifulSoup
from PIL import Image

from course_build.html_elements import attribute, find_one

LIBRARIES = "site_libs"
"""The folder of the rendered site that holds what the renderer brought along."""

INLINE = re.compile(r"data:image/(png|jpeg);base64,(.+)", re.DOTALL)
LATE = Path(__file__).with_name("libraries_later.js")
ASKED = re.compile(r"[.#]([\w-]+)")
WORD = re.compile(r"[\w-]+")
STATES = {"active", "collapsed", "collapsing", "fade", "show"}
"""What Bootstrap's script adds to the elements of a page. It knows the classes of all of Bootstrap's parts by name, so
its words say nothing of which parts a site has."""

VARIABLE = re.compile(r"\bvar\(\s*(--[\w-]+)")
GROUPS = ("layer", "media", "supports")
"""The at-rules that hold further rules."""


def lighten_site(site: Path) -> None:
    """Change every page of a site that Quarto rendered, and the libraries that came with it."""
    for path in sorted(site.rglob("*.html")):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        lighten_page(page, path)
        read_libraries_late(page)
        path.write_text(str(page), encoding="utf-8")
    lighten_styles(site)


def lighten_page(page: BeautifulSoup, path: Path) -> None:
    """Change a rendered page so that it loads only what a reader sees; the figures go to files beside `path`."""
    take_out_figures(page, path)
    load_late(page, path.parent)
    for script in page.select("head script[src]:not([async], [type=module])"):
        script["defer"] = ""  # those that wait keep their order


def take_out_figures(page: BeautifulSoup, path: Path) -> None:
    """Write the figures of a page's cells to files, which lie and are called as Quarto does it."""
    folder = path.with_name(f"{path.stem}_files") / "figure-html"
    for cell in page.select("div.cell[id]"):
        for number, output in enumerate(cell.select(".cell-output"), 1):
            for picture in output.select("img"):
                if found := INLINE.fullmatch(attribute(picture, "src")):
                    folder.mkdir(parents=True, exist_ok=True)
                    file = folder / f"{cell['id']}-output-{number}.{found[1]}"
                    file.write_bytes(base64.b64decode(found[2]))
                    picture["src"] = file.relative_to(path.parent).as_posix()


def load_late(page: BeautifulSoup, folder: Path) -> None:
    """Let pictures below a page's first section load when the reader comes near, and keep their places free for them.

    `folder` is the page's, where its pictures' addresses start.
    """
    heading = page.select_one("main h2")
    for picture in heading.find_all_next("img") if heading else ():
        picture["loading"], picture["decoding"] = "lazy", "async"
    for picture in page.select("main img:not([width], [height])"):
        if size := picture_size(folder / attribute(picture, "src")):
            picture["width"], picture["height"] = map(str, size)


def read_libraries_late(page: BeautifulSoup) -> None:
    """Let a page that Quarto rendered ask for the scripts of its head when it is shown, in their order."""
    if scripts := page.select("head script[src]"):
        libraries = [{"src": script["src"], "type": script.get("type", "")} for script in scripts]
        loader = page.new_tag("script")
        loader.string = f"{LATE.read_text(encoding='utf-8').rstrip()}({json.dumps(libraries)});"
        find_one(page, "head :is(link, script, style)").insert_before(loader)
        for script in scripts:
            script.decompose()


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return the width and height of a picture in pixels; None of what isn't a file, or is a drawing without them."""
    try:
        if path.suffix == ".svg":
            drawing = ElementTree.parse(path).getroot()
            return int(drawing.attrib["width"]), int(drawing.attrib["height"])
        with Image.open(path) as picture:
            return picture.size
    except (OSError, LookupError, ValueError, ElementTree.ParseError):
        return None


# ----------------------------------------------------------------------------------------------- the libraries' styles


def lighten_styles(site: Path) -> None:
    """Take out of the libraries' style sheets what no page of the site can use."""
    names = used_names(site)
    for path in sorted((site / LIBRARIES).rglob("*.css")):
        path.write_text(prune(path.read_text(encoding="utf-8"), names), encoding="utf-8")


def used_names(site: Path) -> set[str]:
    """Return every word of the pages and scripts, which may be a class or an id, and every variable that is read."""
    names = set(STATES)
    for path in site.rglob("*.html"):
        names.update(WORD.findall(path.read_text(encoding="utf-8")))
    for path in site.rglob("*.js"):
        words = WORD.findall(path.read_text(encoding="utf-8"))
        if path.name.startswith("bootstrap"):
            words = [word for word in words if word.startswith("--")]
        names.update(words, (f"bi-{word}" for word in words))  # Quarto's search puts an icon's name together
    for path in site.rglob("*.css"):
        names.update(VARIABLE.findall(path.read_text(encoding="utf-8")))
    return names


def prune(css: str, names: set[str]) -> str:
    """Return a style sheet without the rules that need a class or an id, and the variables, that `names` lacks."""
    return "".join(prune_rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), names))


def prune_rules(rules: Iterable[tinycss2.ast.Node], names: set[str]) -> Iterator[str]:
    """Yield the rules that have a selector and a declaration left."""
    for rule in rules:
        if rule.type == "qualified-rule":
            parts = [list(part) for comma, part in groupby(rule.prelude, lambda token: token == ",") if not comma]
            selectors = [tinycss2.serialize(part).strip() for part in parts if names.issuperset(asked_for(part))]
            inside = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
            own = [node for node in inside if node.type == "declaration"]
            declarations = [node.serialize() for node in own if not node.name.startswith("--") or node.name in names]
            if selectors and declarations:
                yield f"{','.join(selectors)}{{{';'.join(declarations)}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS and rule.content is not None:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if kept := "".join(prune_rules(inner, names)):
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{kept}}}"
        else:
            yield rule.serialize()


def asked_for(selector: list[tinycss2.ast.Node]) -> list[str]:
    """Return the classes and ids without which a selector finds nothing; `:not(...)` and its like ask for none."""
    return ASKED.findall(
        tinycss2.serialize([token for token in selector if token.type not in ("function", "[] block")])
    )
