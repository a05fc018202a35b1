"""Make a rendered site light to load.

Both renderers carry whole libraries to each page, and the preview a lesson's figures inside it. Here the figures get
files of their own, which a browser loads when the reader comes near; the libraries' scripts let the page show first;
and of their styles only those stay that a page of the site can use. Nothing looks or works differently.
"""

import base64
import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import tinycss2
from bs4 import BeautifulSoup, Tag
from PIL import Image

LIBRARIES = "site_libs"
"""The folder of the rendered site that holds what the renderer brought along."""

INLINE = re.compile(r"data:image/(png|jpeg);base64,(.+)", re.DOTALL)
FONT = re.compile(r"""@font-face\s*{[^}]*?url\(["']?([^"')]+\.woff2)["']?\)""")
PRELOAD = """\
if (location.protocol !== "file:")
  for (const href of %s) {
    const font = { rel: "preload", as: "font", type: "font/woff2", crossOrigin: "", href };
    document.head.append(Object.assign(document.createElement("link"), font));
  }
"""
PLAIN = "span.op, span.at"
"""The tokens that the style sheet gives the colour of all code: operators, the most by far, and arguments."""

NAMED = re.compile(r'\b(?:class|id)="([^"]*)"')
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
WORD = re.compile(r"[\w-]+")
STATES = {"active", "collapsed", "collapsing", "fade", "show"}
"""What Bootstrap's script adds to the elements of a page. It knows the classes of all of Bootstrap's parts by name, so
its words say nothing of which parts a site has."""

GROUPS = ("layer", "media", "supports")
"""The at-rules that hold further rules."""


def lighten_site(site: Path) -> None:
    """Change every page of a site that Quarto rendered, and the libraries that came with it."""
    for path in sorted(site.rglob("*.html")):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        lighten_page(page, path)
        path.write_text(str(page), encoding="utf-8")
    lighten_styles(site)


def lighten_page(page: BeautifulSoup, path: Path) -> None:
    """Change a rendered page so that it loads only what a reader sees; the figures go to files beside `path`."""
    take_out_figures(page, path)
    load_late(page, path.parent)
    load_fonts_early(page, path.parent)
    take_out_line_links(page)
    join_tokens(page)
    for script in page.select("head script[src]:not([async], [type=module])"):
        script["defer"] = ""  # those that wait keep their order


def take_out_figures(page: BeautifulSoup, path: Path) -> None:
    """Write the figures of a page's cells to files, which lie and are called as Quarto does it."""
    folder = path.with_name(f"{path.stem}_files") / "figure-html"
    for cell in page.select("div.cell[id]"):
        for number, output in enumerate(cell.select(".cell-output"), 1):
            for picture in output.select("img"):
                if found := INLINE.fullmatch(picture["src"]):
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
        if size := picture_size(folder / picture["src"]):
            picture["width"], picture["height"] = map(str, size)


def load_fonts_early(page: BeautifulSoup, folder: Path) -> None:
    """Ask for the fonts of the site's own style sheets with the page, so that its text doesn't move when they come.

    A script asks, for a browser may preload no font from a file, and would report one that a page names itself.
    """
    addresses = []
    for link in page.select("link[rel=stylesheet]"):
        sheet = folder / link["href"]
        if LIBRARIES not in sheet.parts and sheet.is_file():
            fonts = FONT.findall(sheet.read_text(encoding="utf-8"))
            addresses += [posixpath.join(posixpath.dirname(link["href"]), font) for font in fonts]
    if addresses:
        script = page.new_tag("script")
        script.string = PRELOAD % json.dumps(addresses)
        page.select_one("link[rel=stylesheet]").insert_before(script)


def take_out_line_links(page: BeautifulSoup) -> None:
    """Take out the empty link with which Quarto begins each line of code: nothing shows it, and no key reaches it."""
    for link in page.select("code.sourceCode > span > a[aria-hidden][href^='#']:empty"):
        link.decompose()


def join_tokens(page: BeautifulSoup) -> None:
    """Leave in highlighted code the tokens that look like something, and join the neighbours of one kind.

    A text comes in three tokens, with its quotation marks.
    """
    for code in page.select("code.sourceCode"):
        for token in code.select(PLAIN):
            token.unwrap()
        code.smooth()
        for token in code.select("span[class]"):
            while isinstance(after := token.next_sibling, Tag) and after.attrs == token.attrs:
                token.extend(list(after.extract().contents))
            token.smooth()


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return the width and height of a picture in pixels; None of what isn't a file, or is a drawing without them."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except OSError:
        return None


# ----------------------------------------------------------------------------------------------- the libraries' styles


def lighten_styles(site: Path) -> None:
    """Take out of the libraries' style sheets what no page of the site can use."""
    names = used_names(site)
    for path in sorted((site / LIBRARIES).rglob("*.css")):
        path.write_text(prune(path.read_text(encoding="utf-8"), names), encoding="utf-8")


def used_names(site: Path) -> set[str]:
    """Return every class and id of the site's pages, and every word of the scripts that could add one."""
    names = set(STATES)
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for found in (*NAMED.findall(text), *INLINE_SCRIPT.findall(text)):
            names.update(WORD.findall(found))
    for path in site.rglob("*.js"):
        if not path.name.startswith("bootstrap"):
            words = WORD.findall(path.read_text(encoding="utf-8"))
            names.update(words, (f"bi-{word}" for word in words))  # Quarto's search puts an icon's name together
    return names


def prune(css: str, names: set[str]) -> str:
    """Return a style sheet without the rules that need a class or an id which is none of `names`."""
    return "".join(prune_rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), names))


def prune_rules(rules: Iterable[tinycss2.ast.Node], names: set[str]) -> Iterator[str]:
    """Yield the rules that can apply, each with the selectors that can."""
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [tinycss2.serialize(part).strip() for part in split(rule.prelude) if can_apply(part, names)]
            if selectors:
                yield f"{','.join(selectors)}{{{tinycss2.serialize(rule.content)}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS and rule.content is not None:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if kept := "".join(prune_rules(inner, names)):
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{kept}}}"
        else:
            yield rule.serialize()


def split(prelude: list[tinycss2.ast.Node]) -> Iterator[list[tinycss2.ast.Node]]:
    """Yield the selectors of a rule. A comma inside brackets belongs to one of them."""
    part: list[tinycss2.ast.Node] = []
    for token in prelude:
        if token == ",":
            yield part
            part = []
        else:
            part.append(token)
    yield part


def can_apply(selector: list[tinycss2.ast.Node], names: set[str]) -> bool:
    """Whether each class and id that the selector asks for is one of `names`; `:not(...)` and its like ask for none."""
    before = None
    for token in selector:
        wanted = token.type == "hash" or (token.type == "ident" and before == ".")
        if wanted and token.value not in names:
            return False
        before = token
    return True
