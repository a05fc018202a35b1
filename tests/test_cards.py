"""The pictures that shared links show: one for each lesson and one for the site, each drawn from what is said now."""

import pytest
from PIL import Image

from course_build.lessons import index as lessons
from course_build.lessons import social_cards


def test_each_lesson_has_its_card():
    pages = social_cards.pages_of_cards()
    assert [card.stem for card in list(pages)[1:]] == [path.stem for path in lessons.paths()]
    old = [card.name for card, html in pages.items() if social_cards.made_of(card) != social_cards.digest(html)]
    assert not old, "run `python -m course_build cards`"
    for card in pages:
        with Image.open(card) as picture:
            assert picture.size == (social_cards.SIZE["width"], social_cards.SIZE["height"])
        assert card.stat().st_size < 100_000


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_card_that_is_none_is_old(tmp_path, content):
    if content is not None:
        (tmp_path / "card.png").write_bytes(content)
    assert social_cards.made_of(tmp_path / "card.png") is None


def test_a_drawn_card_says_what_it_was_drawn_from_and_shows_it(tmp_path, browser):
    card = tmp_path / "card.png"
    html = "<body style='margin: 0; background: #ff0000'>"
    social_cards.draw(browser.new_page(viewport=social_cards.SIZE), html, card)
    assert social_cards.made_of(card) == social_cards.digest(html)
    with Image.open(card) as picture:
        assert picture.convert("RGB").getpixel((600, 300)) == (255, 0, 0)
    assert not (social_cards.ROOT / "assets" / "card.html").exists()
