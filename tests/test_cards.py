"""The pictures that shared links show: one for each lesson and one for the site, each drawn from what is said now."""

import browsers
import pytest
from PIL import Image

from course_build import cards, lessons


def test_each_lesson_has_its_card():
    pages = cards.pages_of_cards()
    assert [card.stem for card in list(pages)[1:]] == [path.stem for path in lessons.paths()]
    old = [card.name for card, html in pages.items() if cards.made_of(card) != cards.digest(html)]
    assert not old, "run `python -m course_build cards`"
    for card in pages:
        with Image.open(card) as picture:
            assert picture.size == (cards.SIZE["width"], cards.SIZE["height"])
        assert card.stat().st_size < 100_000


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_card_that_is_none_is_old(tmp_path, content):
    if content is not None:
        (tmp_path / "card.png").write_bytes(content)
    assert cards.made_of(tmp_path / "card.png") is None


def test_a_drawn_card_says_what_it_was_drawn_from_and_shows_it(tmp_path):
    card = tmp_path / "card.png"
    html = "<body style='margin: 0; background: #ff0000'>"
    with browsers.launch() as browser:
        cards.draw(browser.new_page(viewport=cards.SIZE), html, card)
    assert cards.made_of(card) == cards.digest(html)
    with Image.open(card) as picture:
        assert picture.convert("RGB").getpixel((600, 300)) == (255, 0, 0)
    assert not (cards.ROOT / "assets" / "card.html").exists()
