"""Make a rendered site light to load.

Both renderers carry whole libraries to each page, and the preview a lesson's figures inside it. Here the figures get
files of their own, which a browser loads when the reader comes near; the libraries' scripts let the page show first;
and of their styles only those stay that a page of the site can use. Nothing looks or works differently. Quarto's
libraries are three times the preview's, so that its pages ask for them only when they are shown.
"""

import base64
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import tinycss2
from bs4 import BeautifulSoup, Tag
from PIL import Image

from course_build.html_elements import attribute, find_one

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
LATE = Path(__file__).with_name("late.js")
PLAIN = "span.op, span.at"
"""The tokens that the style sheet gives the colour of all code: operators, the most by far, and arguments."""

NAMED = re.compile(r'\b(?:class|id)="([^"]*)"')
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
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
    lighten_dark(site)


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


def load_fonts_early(page: BeautifulSoup, folder: Path) -> None:
    """Ask for the fonts of the site's own style sheets with the page, so that its text doesn't move when they come.

    A script asks, for a browser may preload no font from a file, and would report one that a page names itself.
    """
    addresses: list[str] = []
    for link in page.select("link[rel=stylesheet]"):
        href = attribute(link, "href")
        sheet = folder / href
        if LIBRARIES not in sheet.parts and sheet.is_file():
            fonts = FONT.findall(sheet.read_text(encoding="utf-8"))
            addresses += [posixpath.join(posixpath.dirname(href), font) for font in fonts]
    if addresses:
        script = page.new_tag("script")
        script.string = PRELOAD % json.dumps(addresses)
        find_one(page, "link[rel=stylesheet]").insert_before(script)


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
    """Return every class, id and variable that the pages use, and every word of the scripts that could add one."""
    names = set(STATES)
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        names.update(VARIABLE.findall(text))
        for found in (*NAMED.findall(text), *INLINE_SCRIPT.findall(text)):
            names.update(WORD.findall(found))
    for path in site.rglob("*.css"):
        names.update(VARIABLE.findall(path.read_text(encoding="utf-8")))
    for path in site.rglob("*.js"):
        words = WORD.findall(path.read_text(encoding="utf-8"))
        if path.name.startswith("bootstrap"):
            words = [word for word in words if word.startswith("--")]
        names.update(words, (f"bi-{word}" for word in words))  # Quarto's search puts an icon's name together
    return names


def prune(css: str, names: set[str]) -> str:
    """Return a style sheet without what needs a class, an id or a variable that is none of `names`."""

    def keep(where: str, selectors: list[str], declarations: Declarations) -> tuple[list[str], Declarations]:
        return (
            [selector for selector in selectors if can_apply(tinycss2.parse_component_value_list(selector), names)],
            [(name, text) for name, text in declarations if not name.startswith("--") or name in names],
        )

    return rewrite(css, keep)


def lighten_dark(site: Path) -> None:
    """Leave in Quarto's dark style sheets what differs from the light ones: a dark page has both, the dark one last."""
    page = BeautifulSoup((site / "index.html").read_text(encoding="utf-8"), "html.parser")
    for link in page.select("link.quarto-color-alternate"):
        light = find_one(page, f"link.quarto-color-scheme:not(.quarto-color-alternate)[id='{link['id']}']")
        dark, other = site / attribute(link, "href"), site / attribute(light, "href")
        css = differing(dark.read_text(encoding="utf-8"), other.read_text(encoding="utf-8"))
        dark.write_text(css, encoding="utf-8")


def differing(css: str, before: str) -> str:
    """Return a style sheet without the declarations that end up the same in a rule of the sheet `before`.

    Both sheets have the same rules in the same order but for a few. What only `before` sets, this one has to set again,
    wherever it did, or the new rule would win over it: all of that property's family stays.
    """
    other, own = last_declarations(before), last_declarations(css)
    new = {family(name) for rule, names in other.items() for name in names.keys() - own.get(rule, {}).keys()}

    def keep(where: str, selectors: list[str], declarations: Declarations) -> tuple[list[str], Declarations]:
        rule = where, ",".join(selectors)
        there, here = other.get(rule, {}), own[rule]
        return selectors, [
            (name, text) for name, text in declarations if there.get(name) != here[name] or family(name) in new
        ]

    return rewrite(css, keep)


def family(name: str) -> str:
    """Return what a property has in common with its shorthand, such as `font`; of a variable all of its name."""
    return name if name.startswith("--") else name.partition("-")[0]


def last_declarations(css: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return the text of the last declaration of each name, by the at-rules and the selectors that it stands in."""
    found: dict[tuple[str, str], dict[str, str]] = {}

    def note(where: str, selectors: list[str], declarations: Declarations) -> tuple[list[str], Declarations]:
        found.setdefault((where, ",".join(selectors)), {}).update(declarations)
        return selectors, declarations

    rewrite(css, note)
    return found


Declarations = list[tuple[str, str]]
"""Of a rule: of each declaration its name and all of its text."""

Keep = Callable[[str, list[str], Declarations], tuple[list[str], Declarations]]
"""What says of a rule, given the at-rules around it, its selectors and declarations, which of both to leave."""


def rewrite(css: str, keep: Keep) -> str:
    """Return a style sheet with what `keep` leaves of each of its rules."""
    return "".join(rewrite_rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), keep, ""))


def rewrite_rules(rules: Iterable[tinycss2.ast.Node], keep: Keep, where: str) -> Iterator[str]:
    """Yield the rules that have a selector and a declaration left. `where` is the at-rules that they stand in."""
    for rule in rules:
        if rule.type == "qualified-rule":
            inside = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
            declarations = [(getattr(node, "name", ""), node.serialize()) for node in inside if node.type != "error"]
            selectors, declarations = keep(where, [*map(serialize, split(rule.prelude))], declarations)
            if selectors and declarations:
                yield f"{','.join(selectors)}{{{';'.join(text for _, text in declarations)}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS and rule.content is not None:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            group = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}"
            if kept := "".join(rewrite_rules(inner, keep, where + group)):
                yield f"{group}{{{kept}}}"
        else:
            yield rule.serialize()


def serialize(part: list[tinycss2.ast.Node]) -> str:
    """Return the text of a selector."""
    return tinycss2.serialize(part).strip()


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
