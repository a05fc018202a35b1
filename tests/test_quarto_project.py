"""The sources of a project, read before a renderer sees them: each value of the wrong kind has its line."""

import pytest

from course_build import BuildError
from course_build.front_matter import parse_yaml
from course_build.preview import quarto_project

RIGHT = """title: 2026
date: 2026-01-10
categories: one
image: false
toc: true
toc-depth: "3"
open-graph: {image: card.png}
twitter-card: true
css: [a.css, b.css]
other-links:
  - {text: A, href: https://x.org}
listing:
  - contents: [posts, "*.qmd"]
    max-items: 3
    sort: false
  - default
"""


def checked(text: str, kinds: dict) -> None:
    read = parse_yaml(text, "page.qmd")
    quarto_project.check(read.value, kinds, read.lines, "page.qmd")


def test_what_is_right_passes():
    checked(RIGHT, quarto_project.PAGE)
    checked(f"{RIGHT}format:\n  html: default\nproject: {{type: website}}\n", quarto_project.SETTINGS)


@pytest.mark.parametrize("kinds", [quarto_project.PAGE, quarto_project.LISTING])
def test_every_key_has_a_value_that_it_refuses(kinds):
    for key, kind in kinds.items():
        wrong = [text for text in ("maybe", "true", "[[1]]", "{a: 1}") if not kind.fits(parse_yaml(text, "").value)]
        assert wrong, key
        for text in wrong:
            with pytest.raises(BuildError, match=rf"^page\.qmd, line 2: {key} has to be "):
                checked(f"other: 1\n{key}: {text}\n", kinds)


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        ("max-items: 3", "max-items: all", r"line 14: listing\.max-items has to be a whole number. It is 'all'\."),
        ("href: https", "url: https", r"line 10: other-links has to be a list of links, each with text and href"),
        ("card.png", "[a, b]", r"line 7: open-graph\.image has to be a text"),
        ("title: 2026", "title: no", r"line 1: title has to be a text. It is False. Put it in quotes\."),
    ],
)
def test_a_value_inside_another_has_its_own_line(was, is_now, said):
    assert was in RIGHT
    with pytest.raises(BuildError, match=said):
        checked(RIGHT.replace(was, is_now), quarto_project.PAGE)


def test_a_key_without_a_value_is_as_good_as_none():
    read = parse_yaml("a:\nb: {c: , d: 1}\ne: [1, null, {f: }]\n", "x")
    assert quarto_project.without_empty(read.value) == {"b": {"d": 1}, "e": [1, {}]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n b: 2\n", "line 2: .*indented"),
        ("a: [1, 2\nb: 3\n", "line 1: a bracket"),
        ("a: \"it's\n\n\n", "line 1: a quotation mark"),
        ("a: 'it's'\n", "line 1: text goes on after a quotation mark"),
        ("a:\n\tb: 1\n", "line 2: a tab"),
        ("- a: b: c\n", 'line 1: .*Write - a: "b: c"'),
        ("a: 1\nb: 2\na: 3\n", "line 3: a is there twice"),
        ("? [a, b]\n: c\n", "line 1: .*a key has to be a text"),
        ("a: &a\n  - *a\n", "line 1: this alias holds itself"),
        ("a: \x07\n", "line 1: a character that YAML can't hold"),
        ("a: 2026-02-30\n", "line 1: there is no such day"),
        ("a: 1\n---\nb: 2\n", "line 2: "),
        ("a: !!python/object/apply:os.getcwd []\n", "line 1: "),
    ],
)
def test_yaml_that_cant_be_read_is_said_with_its_line(text, said):
    with pytest.raises(BuildError, match=rf"^page\.qmd, {said}") as refused:
        parse_yaml(text, "page.qmd")
    assert "\n" not in str(refused.value)


def test_an_alias_may_stand_for_what_is_elsewhere():
    read = parse_yaml("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", "x")
    assert read.value == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}
    assert read.lines["c", "d"] == 4
