"""The files of the rendered site, as they lie there, and the colours of its style sheet."""

import re
import xml.etree.ElementTree as ElementTree
from html import unescape
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml
from conftest import LESSONS
from sitefiles import as_typed, leads_to, names, soup

from course_build.lessons.index import front_matter
from course_build.paths import ROOT

LESSON = "notebooks/03_huggingface_nlp.html"
"""A lesson like the others."""


def test_every_link_and_anchor_lands(site: Path) -> None:
    pages = {name: soup(site, name) for name in names(site)}
    lost = []
    for name, page in pages.items():
        for element in page.select("[href], [src]"):
            address = element.get("href", element.get("src"))
            parts = urlsplit(urljoin(f"http://site/{name}", address))
            if parts.netloc != "site" or address == "":
                continue
            target = unquote(parts.path).lstrip("/") or "index.html"
            # A category is not a place: the script of the listing reads it.
            place = "" if parts.fragment.startswith("category=") else unquote(parts.fragment)
            if not (site / target).is_file():
                lost.append(f"{name}: {address}")
            elif place and target in pages and not pages[target].find(id=place):
                lost.append(f"{name}: {address} (no such place)")
    assert lost == []


def test_every_picture_is_described(site: Path) -> None:
    for name in names(site):
        for picture in soup(site, name).select("img"):
            assert picture.get("alt", "").strip(), f"{name}: {picture}"


def test_nothing_of_the_source_shows_raw(site: Path) -> None:
    titles = [as_typed(unescape(front_matter(path)["title"])) for path in LESSONS]
    for name in names(site):
        main = soup(site, name).main
        for code in main.select("code"):
            assert not re.search(r"#\s*<\d+>", code.get_text()), name
        on_purpose = main.select("pre, code, .quiz, annotation")
        passed = {id(text) for part in on_purpose for text in part.find_all(string=True)}
        prose = as_typed("".join(text for text in main.find_all(string=True) if id(text) not in passed))
        for title in titles:  # one may speak of what something costs in $
            prose = prose.replace(title, "")
        for raw in (":::", "{.callout", "#| ", "$", "\\frac", "\x1b["):
            assert raw not in prose, f"{name} shows {raw}"


def test_pictures_wait_until_a_reader_comes_near(site: Path) -> None:
    for name in names(site):
        main = soup(site, name).main
        for picture in main.h2.find_all_next("img") if main.h2 else ():
            assert picture["loading"] == "lazy", f"{name}: {picture}"
        for figure in main.select(".cell-output img"):
            assert not figure["src"].startswith("data:")
            assert int(figure["width"]) > 0
            assert int(figure["height"]) > 0


def test_each_page_has_one_title_and_a_language(site: Path) -> None:
    for name in names(site):
        page = soup(site, name)
        assert len(page.select("h1")) == 1, name
        assert page.html["lang"] == "en"
        assert page.title.get_text().strip()
        assert len(page.find("meta", {"name": "description"})["content"]) >= 50, name


def test_home_lists_every_lesson_with_what_a_reader_asks(site: Path) -> None:
    home = soup(site, "index.html")
    lessons = [name for name in names(site) if name.startswith("notebooks/")]
    assert [leads_to("index.html", link) for link in home.select("a.quarto-grid-link")] == lessons
    for lesson, card in zip(lessons, home.select(".quarto-grid-item"), strict=True):
        front = front_matter((ROOT / lesson).with_suffix(".ipynb"))
        for part, text in (
            (".listing-title", unescape(front["title"])),
            (".listing-description", front["description"]),
            (".card-other-values", f"Minutes {front['minutes']}"),
        ):
            shown = card.select_one(part).get_text(" ")
            assert as_typed(" ".join(shown.split())) == as_typed(text)
        assert [kind.get_text() for kind in card.select(".listing-category")] == front["categories"]
        assert card.select_one("img")["alt"]


def test_lessons_lead_on_to_each_other(site: Path) -> None:
    lessons = [name for name in names(site) if name.startswith("notebooks/")]
    for name, after in pairwise(lessons):
        assert leads_to(name, soup(site, name).select_one(".nav-page-next a")) == after
        assert leads_to(after, soup(site, after).select_one(".nav-page-previous a")) == name


def test_every_lesson_is_in_the_sidebar_and_in_the_syllabus(site: Path) -> None:
    lessons = [name for name in names(site) if name.startswith("notebooks/")]
    entries = soup(site, LESSON).select("#quarto-sidebar li.sidebar-item a")
    assert [leads_to(LESSON, entry) for entry in entries] == lessons
    assert [
        leads_to("syllabus.html", link) for link in soup(site, "syllabus.html").select("h3 a[href]:not(.anchorjs-link)")
    ] == lessons


def test_the_feed_is_valid(site: Path) -> None:
    channel = ElementTree.parse(site / "index.xml").getroot().find("channel")
    assert channel.findtext("title")
    assert channel.findtext("description")
    address = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))["website"]["site-url"]
    items = channel.findall("item")
    assert items
    assert (site / "index.xml").stat().st_size < 50_000, "it tells of the lessons, and does not hold them"
    for item in items:
        link = item.findtext("link")
        assert link.startswith(address)
        assert (site / link.removeprefix(address).lstrip("/")).is_file()
        assert item.findtext("title")
        assert item.findtext("pubDate")


# --------------------------------------------------------------------------------------------------------- the theme

TEXT_ON = [
    *((text, ground) for text in ("ink", "muted", "link", "link-hover") for ground in ("page", "raised", "sunken")),
    *((f"code-{part}", "sunken") for part in ("text", "keyword", "string", "comment", "number", "function", "builtin")),
    ("inline-code", "sunken"),
    ("on-button", "link"),
    ("link", "soft"),
    ("page", "link"),
]
MARKS_ON = [(tone, "raised") for tone in ("note", "tip", "important", "warning", "caution", "error", "mark")]


def properties(scheme: str) -> dict[str, str]:
    """Read the colours of one scheme from the style sheet."""
    css = (ROOT / "styles.css").read_text(encoding="utf-8")
    root = re.search(r":root \{\s+color-scheme: light;(.*?)\n\}", css, re.DOTALL)[1]
    found = re.findall(r"--([\w-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));", root)
    return {name: both or (dark if scheme == "dark" else light) for name, light, dark, both in found}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_are_readable(scheme: str) -> None:
    colours = properties(scheme)
    weak = {pair: round(contrast(*map(colours.__getitem__, pair)), 2) for pair in TEXT_ON}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    marks = {pair: round(contrast(*map(colours.__getitem__, pair)), 2) for pair in MARKS_ON}
    assert {pair: ratio for pair, ratio in marks.items() if ratio < 3} == {}
