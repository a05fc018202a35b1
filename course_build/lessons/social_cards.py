"""`python -m course_build cards`: draw the pictures that links to the site and its lessons show where they are shared.

A social card is a PNG of 1200 by 630 pixels, the size that the Open Graph readers of the large sites ask for. They do
not read SVG, so a browser sets each lesson's drawing beside its title, and the pictures are kept with the notebooks.
"""

import argparse
import hashlib
import shutil
import tempfile
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from PIL import Image, PngImagePlugin

from course_build.front_matter import split_front_matter
from course_build.lessons import index as lessons
from course_build.paths import NOTEBOOKS, ROOT
from course_build.site import chromium
from course_build.text_files import read_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

CARDS = NOTEBOOKS / "images" / "cards"
HOME = ROOT / "assets" / "card.png"
SIZE = {"width": 1200, "height": 630}
TEMPLATE = Path(__file__).with_name("social_card.html.jinja")
MADE_OF = "made-of"
"""Name of the text in the PNG that says what it was drawn from."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: cards whose lesson changed are drawn again."""


def run(arguments: argparse.Namespace) -> int:
    """Draw the cards that are missing or old."""
    pages = {card: html for card, html in pages_of_cards().items() if made_of(card) != digest(html)}
    if not pages:
        return 0
    CARDS.mkdir(exist_ok=True)
    with chromium.launch() as running:
        page = running.new_page(viewport=SIZE)
        for card, html in pages.items():
            draw(page, html, card)
            print(f"cards: drew {card.relative_to(ROOT)}")
    return 0


def pages_of_cards() -> dict[Path, str]:
    """Return the HTML of every card, by the path of its picture."""
    template = jinja2.Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    home, _ = split_front_matter(read_text(ROOT / "index.qmd"), "index.qmd")
    drawing = (ROOT / "assets" / "hero.svg").read_text(encoding="utf-8")
    cards = {HOME: template.render(home.value, drawing=drawing)}
    for path in lessons.paths():
        front = lessons.front_matter(path)
        drawing = read_text(NOTEBOOKS / front["image"])
        title = unescape(front["title"])
        cards[CARDS / f"{path.stem}.png"] = template.render(front, title=title, drawing=drawing)
    return cards


def digest(html: str) -> str:
    """Return what identifies the HTML of a card."""
    return hashlib.sha256(html.encode()).hexdigest()


def made_of(card: Path) -> str | None:
    """Return the digest of what a picture was drawn from; None where there is no picture, or one of something else."""
    try:
        with Image.open(card) as picture:
            return picture.info.get(MADE_OF)
    except OSError:
        return None


def draw(page: "Page", html: str, card: Path) -> None:
    """Draw one card: its file is small, of few colours, and says what it was drawn from."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "assets" / "fonts", Path(folder, "fonts"))  # which it names by relative addresses
        Path(folder, "card.html").write_text(html, encoding="utf-8")
        page.goto(Path(folder, "card.html").as_uri(), wait_until="networkidle")
        page.evaluate("document.fonts.ready")
        page.screenshot(path=card)
    note = PngImagePlugin.PngInfo()
    note.add_text(MADE_OF, digest(html))
    with Image.open(card) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(card, optimize=True, pnginfo=note)
