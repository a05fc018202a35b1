"""The files of a rendered site, each read once."""

import functools
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

TYPESET = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "--", "\u2026": "..."})
"""What both renderers write for what a person typed in a title."""


@functools.cache
def names(site: Path) -> list[str]:
    """The addresses of its pages, from its root."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


@functools.cache
def soup(site: Path, name: str) -> BeautifulSoup:
    """A page, only to be looked at."""
    return BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")


def as_typed(text: str) -> str:
    """A text of a page with the quotation marks, dashes and dots that were typed for those it shows."""
    return text.translate(TYPESET)


def leads_to(name: str, link: Tag) -> str:
    """The page of the site that a link on the page `name` leads to."""
    return urlsplit(urljoin(f"http://site/{name}", link["href"])).path.lstrip("/")
