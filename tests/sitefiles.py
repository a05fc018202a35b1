"""The files of a rendered site, each read once."""

import functools
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag


@functools.cache
def names(site: Path) -> list[str]:
    """The addresses of its pages, from its root."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


@functools.cache
def soup(site: Path, name: str) -> BeautifulSoup:
    """A page, only to be looked at."""
    return BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")


def leads_to(name: str, link: Tag) -> str:
    """The page of the site that a link on the page `name` leads to."""
    return urlsplit(urljoin(f"http://site/{name}", link["href"])).path.lstrip("/")
