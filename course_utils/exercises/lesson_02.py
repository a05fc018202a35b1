"""The checks of lesson 2: what YAML guesses, reading front matter, writing a callout."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from course_utils.exercises import WrongAnswerError, answers, checker, need_function


@checker
def check_title_type(title_type: str) -> str:
    """Exercise 1: the type that YAML gives to `2026`."""
    if isinstance(title_type, type):
        raise WrongAnswerError('Answer with the type\'s name as a text, in quotes, such as "str".')
    said = answers.text(title_type, "title_type", 'the name of a type, such as "str"')
    hints = {
        "str": "It would be if it had a letter, or quotes: YAML takes what looks like a number for a number.",
        "date": "A date has a year, a month and a day: 2026-11-22. A year alone looks like something simpler.",
        "datetime": "A date has a year, a month and a day: 2026-11-22. A year alone looks like something simpler.",
        "float": "A number, that is right. Does it have a decimal point?",
        "number": "A number, that is right. Python has more than one type for numbers: which of them is it?",
        "list": "A list has square brackets, as the categories have.",
        "dict": "The front matter as a whole becomes a dict. The title is one value in it.",
        "nonetype": "None is what YAML makes of a key without any value.",
    }
    name = said.strip().lower()
    name = {"string": "str", "none": "nonetype", "integer": "int"}.get(name, name)
    if name in hints:
        raise WrongAnswerError(hints[name])
    if name != "int":
        raise WrongAnswerError(f"{said!r:.60} is not the type. Try yaml.safe_load on such a line.")
    return "A whole number. Quote a title, and it stays what you typed."


FRONTS: list[tuple[str, dict[str, Any], str]] = [
    (
        '---\ntitle: "One"\ncategories: [a, b]\n---\n\nText.\n',
        {"title": "One", "categories": ["a", "b"]},
        "This is a file as you know it.",
    ),
    ("Only text.\n", {}, "Here is no front matter at all."),
    ("", {}, "An empty file has no front matter."),
    ("---\n---\n\nText.\n", {}, "YAML reads an empty block as None, and the task asks for an empty dict."),
    (
        "A text with\nNote: two rules\n\n---\n\ntitle: a line that looks like one\n\n---\n\nin it.",
        {},
        "Front matter stands at the very beginning, or nowhere.",
    ),
    (
        "\n---\ntitle: One\n---\n\nText.\n",
        {},
        "Its first line is empty, so that the block isn't at the very beginning.",
    ),
    ("# A diary\nNote: with a rule\n---\n\nText.\n", {}, "The file doesn't begin with dashes."),
    (
        "---\ntitle: One\n---\n\nText.\n\n---\n\nMore text: with a colon.\n",
        {"title": "One"},
        "The dashes further down belong to the text.",
    ),
    (
        "---\ntitle: One\nsubtitle: a---b\ndate: 2026-01-01\n---\n\nText.\n",
        {"title": "One", "subtitle": "a---b", "date": datetime.date(2026, 1, 1)},
        "Three dashes in the middle of a line end nothing.",
    ),
    (
        "----\ntitle: One\n----\n\nText.\n",
        {},
        "Four dashes are no front matter: its lines hold three, and nothing else.",
    ),
    ("---title: One---\n", {}, "These dashes don't stand in lines of their own."),
    ("---\n\nNote: this text begins with a rule.\n", {}, "No second line of dashes closes a block here."),
    ("---\nNote: a rule follows\n----\n\nText.\n", {}, "Four dashes close no block."),
    ("---\ntitle: One\n---", {"title": "One"}, "The second line of dashes may be the last of the file."),
    (
        "---\ntitle: 'One: two'\nformat:\n  html:\n    toc: true  # on the right\ndraft: false\nImage:\n---\n\nText.\n",
        {"title": "One: two", "format": {"html": {"toc": True}}, "draft": False, "Image": None},
        "YAML has quotes, comments, keys inside of keys, and keys without a value.",
    ),
]
"""Texts, with their front matter, and what is special about each."""


@checker
def check_read_front(read_front: Callable[[str], dict[str, Any]]) -> str:
    """Exercise 2: the front matter of a text as a dict."""
    need_function(read_front, "read_front")
    for text, expected, special in FRONTS:
        found = read_front(text)
        if found is None and expected:
            raise WrongAnswerError("read_front returned None for a file with front matter. Is there a return?")
        if isinstance(found, str) and expected and found.strip("-\n ") == text.split("---")[1].strip():
            raise WrongAnswerError("That is the block as text. yaml.safe_load makes a dict of it.")
        if found != expected or not isinstance(found, Mapping):
            raise WrongAnswerError(f"{special} read_front({text!r}) should be {expected!r}. Yours is {found!r:.120}.")
    return "That is the first half of a listing: read every post's front matter. The second half is to sort."


ATTRIBUTE = r"""(?:[#.][\w.:-]+|[\w:-]+=(?:"[^"]*"|'[^']*'|[^\s"'{}]+))"""
OPENING = re.compile(rf":{{3,}}[ \t]*(?:(\{{\s*(?:{ATTRIBUTE}\s*)*\}})|([^\s{{}}:]\S*))[ \t]*:*[ \t]*$", re.MULTILINE)
"""The first line of a fenced div, as pandoc reads it: attributes in braces, or the name of a class alone."""


@checker
def check_callout(my_callout: str) -> str:
    """Exercise 3: a warning, written as Markdown."""
    callout = answers.text(my_callout, "my_callout", "in three quotes").strip("\n").rstrip()
    if any(re.match(r"[ \t]+(#|:::)", line) for line in callout.splitlines()):
        raise WrongAnswerError("Begin each line at the very left: in Markdown, spaces before a line mean something.")
    if re.match(r">\s*\[!", callout):
        raise WrongAnswerError("That is how GitHub writes it. In Quarto a callout begins with three colons.")
    if not callout.startswith(":::"):
        raise WrongAnswerError("A callout begins with three colons, the very first signs of the text.")
    opening = OPENING.match(callout)
    if opening is None:
        raise WrongAnswerError(_braces(callout.splitlines()[0]))
    classes, title = _attributes(opening)
    kinds = [name.removeprefix("callout-") for name in classes if name.startswith("callout-")]
    if kinds != ["warning"]:
        shown = f"the class {' and '.join(classes)}" if classes else "no class"
        raise WrongAnswerError(
            f"The task asks for a warning, whose class is callout-warning. Your first line has {shown}."
        )
    lines = [line.rstrip() for line in callout[opening.end() :].splitlines()]
    depth = 1
    body: list[str] = []
    for line in lines:
        if depth == 0 and line:
            raise WrongAnswerError(f"The callout ends before {line!r:.60}. Its last line is the one of three colons.")
        depth += -1 if re.fullmatch(r":{3,}", line) else 1 if OPENING.fullmatch(line) else 0
        body.append(line)
    if depth > 0:
        raise WrongAnswerError("Nothing closes the callout: end it with a line of three colons and nothing else.")
    body = [line for line in body[:-1] if line]
    if title is None:
        title, body = _heading(body)
    if title != "Check your paths":
        raise WrongAnswerError(f"The heading should be 'Check your paths'. Yours is {title!r:.60}.")
    sentence = [line for line in body if not re.match(r"#{1,6}\s|:{3,}|<!--|\|", line)]
    if not answers.is_sentence("\n".join(sentence)):
        raise WrongAnswerError("Below the heading, write a sentence of your own.")
    return "Three colons, a name in braces, a heading, a sentence, three colons. The other four kinds work alike."


def _braces(first: str) -> str:
    """Return what is wrong with a first line that is none of a callout."""
    if OPENING.fullmatch(first.replace(",", " ")):
        return f"No commas between the braces, spaces alone: {first!r:.80} becomes a line of text."
    if OPENING.fullmatch(re.sub(r"\{\s*callout", "{.callout", first)):
        return "The name of a class has a dot before it in braces: {.callout-warning}."
    if OPENING.fullmatch(re.sub(r"\s*=\s*", "=", first)):
        return "No spaces around the equals sign in the braces."
    if OPENING.fullmatch(re.sub(r"title=([^\"'}]*)", r'title="\1"', first)):
        return 'Between the braces, a title of several words needs quotes: title="...".'
    return (
        f"The first line has three colons, and then the kind in braces: {{.callout-warning}}. Yours is {first!r:.80}."
    )


def _attributes(opening: re.Match[str]) -> tuple[list[str], str | None]:
    """Return the classes of a fenced div, and its title."""
    braces, alone = opening.groups()
    if alone:
        return [alone], None
    found = re.findall(ATTRIBUTE, braces)
    values = dict(entry.split("=", 1) for entry in found if "=" in entry)
    classes = [entry[1:] for entry in found if entry.startswith(".")]
    title = values.get("title")
    return [*classes, *values.get("class", "").strip("\"'").split()], title and title.strip("\"'")


def _heading(body: list[str]) -> tuple[str, list[str]]:
    """Return the heading that a callout begins with, in one of Markdown's two forms, and what comes after it."""
    if body and (marked := re.fullmatch(r"#{1,6}\s+(.+?)(?:\s+#+)?", body[0])):
        return marked[1].strip("*_"), body[1:]
    if len(body) > 1 and re.fullmatch(r"=+|-+", body[1]):
        return body[0], body[2:]
    raise WrongAnswerError("The heading comes first: ## Check your paths, with a space after the ##.")
