"""Plain Markdown, which JupyterLab, Notebook, VS Code and Colab show alike, out of the Markdown that Quarto reads.

A callout becomes a quotation with a bold first line, for a heading in it would break the outline; what is folded, and
the tabs of a set, become `<details>`. Footnotes follow the paragraph's cell as numbers. Code is left as it is.
"""

import html
import re
from collections.abc import Callable

Link = Callable[[str], str | None]
"""The address that a link has in its new place, with its title if it has one; None, where it leads nowhere there."""

DIV = re.compile(r"^:{3,}\s*(?:\{(?P<attributes>[^}]*)\}|(?P<name>\w[\w-]*))?\s*$")
FENCE = re.compile(r"^[ >]*(?:(?:[-*+]|\d+[.)])[ ]+)*(?P<marks>`{3,}|~{3,})")
HEADING = re.compile(r"^## +(?P<text>.+?)(?:\s+\{[^}]*\})?\s*$")
KIND = re.compile(r"\.callout-(\w+)")
KINDS = {"note": "Note", "tip": "Tip", "important": "Important", "warning": "Watch out", "caution": "Careful"}
"""What each kind of callout is called where no colour and no icon says it."""

CODE = re.compile(r"(?<!`)(`+)(?!`)(?:.+?)(?<!`)\1(?!`)", re.DOTALL)
MATHS = re.compile(r"(?<!\\)\$\$.+?\$\$|(?<![\\$])\$(?=\S)[^$\n]+?(?<=\S)\$(?!\d)", re.DOTALL)
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<address>[^()\s]+)\)(?:\{[^}\n]*\})?")
DIAGRAM = re.compile(
    r"""^!\[(?P<caption>.+)\]\((?P<address>[^()\s]+)\)\{fig-alt=(["'])(?P<alternative>.+?)\3\}$""", re.MULTILINE
)
"""A picture with a caption, alone on its line. Plain Markdown has no captions: it becomes a line of its own."""

NOTE = re.compile(r"\[\^(?P<name>[^\]\s]+)\]")
NOTE_TEXT = re.compile(
    r"^\[\^(?P<name>[^\]\s]+)\]:[ ]*(?P<text>.*(?:\n(?:[ ]{2,}\S.*|[ ]*(?=\n[ ]{4,}\S)))*)\n?", re.MULTILINE
)


def to_commonmark(text: str, link: Link, without: str | None = None) -> str:
    """Return what a cell says in plain Markdown.

    Args:
        text: the source of a Markdown cell, in the course's dialect.
        link: gives each relative link its new address; where it gives None, the link's words stand alone.
        without: the id of a div that is left out, with what is in it.
    """
    blocks, codes = _set_aside(text)
    plain = _divs(_spans(_footnotes(blocks), link).split("\n"), without)
    for number, code in reversed(list(enumerate(codes))):
        plain = _restore(plain, number, code)
    return re.sub(r"\n{3,}", "\n\n", plain).strip()


# ------------------------------------------------------------------------------------------------------- code set aside

PLACE = "\x02{}\x03"
IN_HTML = "\x02{}\x04"
"""Where a piece of code comes back as an element, for in a block of HTML nothing is read as Markdown."""


def _set_aside(text: str) -> tuple[str, list[str]]:
    """Return a text with its code and maths taken out, so that nothing in them is read as Markdown."""
    codes: list[str] = []

    def keep(code: str) -> str:
        codes.append(code)
        return PLACE.format(len(codes) - 1)

    lines: list[str] = []
    open_block: list[str] = []
    marks = ""
    for line in text.split("\n"):
        fence = FENCE.match(line)
        if open_block:
            open_block.append(line)
            if fence and fence["marks"].startswith(marks) and line.strip(" >") == fence["marks"]:
                lines.append(keep("\n".join(open_block)))
                open_block = []
        elif fence:
            open_block, marks = [line], fence["marks"]
        else:
            lines.append(line)
    if open_block:  # without an end
        lines.append(keep("\n".join(open_block)))
    text = CODE.sub(lambda found: keep(found[0]), "\n".join(lines))
    return MATHS.sub(lambda found: keep(found[0]), text), codes


def _restore(text: str, number: int, code: str) -> str:
    """Put a piece of code back; a block that came into a quotation goes on in it line by line."""
    place = PLACE.format(number)
    found = re.search(rf"^(?P<before>(?:> ?)*){place}", text, re.MULTILINE)
    if found and "\n" in code:
        code = code.replace("\n", f"\n{found['before']}")
    inline = html.escape(code.strip("`").strip(), quote=False)
    return text.replace(place, code).replace(IN_HTML.format(number), f"<code>{inline}</code>")


# ------------------------------------------------------------------------------------------------------------ in a line


def _spans(text: str, link: Link) -> str:
    """Return a text with its links in their new places, and without the attributes that only Quarto reads."""

    def place(found: re.Match[str]) -> str:
        # A picture may stand in the words of a link.
        words = LINK.sub(place, found["text"])
        address = found["address"]
        if not re.match(r"[a-z][a-z+.-]*:|#", address):
            new = link(address)
            if new is None:
                return "" if found["picture"] else words
            address = new
        return f"{found['picture']}[{words}]({address})"

    text = LINK.sub(place, DIAGRAM.sub(r"![\g<alternative>](\g<address>)\n\n_\g<caption>_", text))
    text = re.sub(r"(?<!\\)\[(?P<text>[^\[\]]*)\]\{[.#][^}\n]*\}", r"\g<text>", text)  # [words]{.class}
    text = re.sub(r"^(#{1,6} .*?)\s*\{[.#-][^}\n]*\}\s*$", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"^(!\[.*\))&nbsp;$", r"\1", text, flags=re.MULTILINE)


def _footnotes(text: str) -> str:
    """Return a text with its footnotes at its end, in the order in which it names them, and numbers for their marks."""
    notes = {found["name"]: re.sub(r"\n\s*", " ", found["text"]).strip() for found in NOTE_TEXT.finditer(text)}
    if not notes:
        return text
    text = NOTE_TEXT.sub("", text)
    order = list(dict.fromkeys(found["name"] for found in NOTE.finditer(text) if found["name"] in notes))
    text = NOTE.sub(
        lambda found: f"<sup>{order.index(found['name']) + 1}</sup>" if found["name"] in notes else found[0], text
    )
    listed = "  \n".join(f"<sup>{number}</sup> {notes[name]}" for number, name in enumerate(order, 1))
    return f"{text.rstrip()}\n\n{listed}\n"


# ----------------------------------------------------------------------------------------------------------------- divs


def _divs(lines: list[str], without: str | None) -> str:
    """Return lines with each div of Quarto's in a form that plain Markdown has, from the inside out."""
    out: list[str] = []
    rest = iter(lines)
    for line in rest:
        div = DIV.match(line)
        if not div or (div["attributes"] is None and div["name"] is None):
            out.append(line)
            continue
        inside: list[str] = []
        depth = 1
        for each in rest:
            if found := DIV.match(each):
                depth += 1 if found["attributes"] is not None or found["name"] else -1
                if not depth:
                    break
            inside.append(each)
        attributes = div["attributes"] or f".{div['name']}"
        if without is None or f"#{without}" not in attributes.split():
            out += ["", *_div(attributes, inside, without).split("\n"), ""]
    return "\n".join(out)


def _div(attributes: str, lines: list[str], without: str | None) -> str:
    if kind := KIND.search(attributes):
        word = KINDS.get(kind[1], kind[1].capitalize())
        start = next((number for number, line in enumerate(lines) if line.strip()), 0)
        heading = HEADING.match(lines[start]) if lines else None
        title = f"{word}: {heading['text']}" if heading else word
        body = _divs(lines[start + 1 :] if heading else lines, without).strip()
        if 'collapse="true"' in attributes:
            return folded(title, body)
        return "\n".join(f"> {line}".rstrip() for line in [f"**{title}**", "", *body.split("\n")])
    if ".panel-tabset" in attributes.split():
        tabs: list[tuple[str, list[str]]] = []
        for line in lines:
            if heading := HEADING.match(line):
                tabs.append((heading["text"], []))
            elif tabs:
                tabs[-1][1].append(line)
        return "\n\n".join(folded(name, _divs(inside, without).strip()) for name, inside in tabs)
    return _divs(lines, without).strip()


def folded(title: str, body: str) -> str:
    """Return a text that opens when its title is clicked, or reached by keyboard. The title may have code in it."""
    title = re.sub(r"\*+([^*]+)\*+", r"<em>\1</em>", title)
    title = re.sub(PLACE.format(r"(\d+)"), lambda found: IN_HTML.format(found[1]), title)
    return f"<details>\n<summary><b>{title}</b></summary>\n\n{body}\n\n</details>"
