"""The glossary and the lessons: links land, every term is used, a lesson links a term once, at its first use."""

import re

import nbformat
import pytest
from conftest import LESSONS

from course_build.paths import ROOT

LINK = re.compile(r"\[([^\]]*)\]\(\.\./glossary\.qmd#([\w-]+)\)")


def anchors() -> list[str]:
    headings = re.findall(r"^## (.+)$", (ROOT / "glossary.qmd").read_text(encoding="utf-8"), re.MULTILINE)
    return [heading.lower().replace(" ", "-") for heading in headings]


def prose(path) -> str:
    return "\n\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")


def test_terms_are_sorted_and_none_is_there_twice():
    assert anchors() == sorted(set(anchors()))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_links_land_and_each_term_is_linked_once(path):
    linked = [anchor for _, anchor in LINK.findall(prose(path))]
    assert linked
    assert set(linked) <= set(anchors())
    assert len(linked) == len(set(linked))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_term_is_linked_where_it_is_first_set_apart(path):
    """No bold or italic use of a linked term stands before its link."""
    text = prose(path)
    for link in LINK.finditer(text):
        words = link[1].strip("*`").lower()
        before = text[: link.start()].lower()
        assert f"**{words}**" not in before, words


def test_every_term_is_used():
    used = {anchor for path in LESSONS for _, anchor in LINK.findall(prose(path))}
    assert used == set(anchors())
