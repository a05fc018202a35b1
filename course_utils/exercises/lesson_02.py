"""The checks of lesson 2: what YAML guesses, reading front matter, writing a callout."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from course_utils.exercises import WrongAnswerError, checker, need_function


@checker
def check_title_type(title_type: str) -> str:
    """Exercise 1: the type that YAML gives to `2026`."""
    if isinstance(title_type, type):
        raise WrongAnswerError('Answer with the type\'s name as a text, in quotes, such as "str".')
    if not isinstance(title_type, str):
        raise WrongAnswerError(f'Answer with the name of a type as a text, such as "str". This is {title_type!r:.60}.')
    hints = {
        "str": "It would be if it had a letter, or quotes: YAML takes what looks like a number for a number.",
        "date": "A date has a year, a month and a day: 2026-11-22. A year alone looks like something simpler.",
        "datetime": "A date has a year, a month and a day: 2026-11-22. A year alone looks like something simpler.",
        "float": "A number, that is right. Does it have a decimal point?",
        "list": "A list has square brackets, as the categories have.",
        "nonetype": "None is what YAML makes of a key without any value.",
    }
    answer = title_type.strip().lower()
    if answer in hints:
        raise WrongAnswerError(hints[answer])
    if answer not in {"int", "integer"}:
        raise WrongAnswerError(f"{title_type!r:.60} is not the type. Try yaml.safe_load on such a line.")
    return "A whole number. Quote a title, and it stays what you typed."


@checker
def check_read_front(read_front: Callable[[str], dict[str, Any]]) -> str:
    """Exercise 2: the front matter of a text as a dict."""
    need_function(read_front, "read_front")
    found = read_front('---\ntitle: "One"\ncategories: [a, b]\n---\n\nText.\n')
    if isinstance(found, str):
        raise WrongAnswerError("That is the block as text. yaml.safe_load makes a dict of it.")
    if found is None:
        raise WrongAnswerError("read_front returned None for a file with front matter. Is there a return?")
    if not isinstance(found, dict):
        raise WrongAnswerError(f"Return a dict. Yours returned {found!r:.60}.")
    if found != {"title": "One", "categories": ["a", "b"]}:
        raise WrongAnswerError(f"The front matter is a title and two categories; yours is {found!r:.80}.")
    for text, what in (("Only text.\n", "A file without front matter"), ("", "An empty file")):
        found = read_front(text)
        if found != {}:
            raise WrongAnswerError(f"{what} should give an empty dict, {{}}; yours gave {found!r:.60}.")
    found = read_front("A text with\n\n---\n\ntitle: a line that looks like one\n\n---\n\nin it.")
    if found != {}:
        raise WrongAnswerError(
            "These dashes stand inside the text. Front matter stands at the very beginning, or nowhere."
        )
    found = read_front("---\ntitle: One\n---\n\nText.\n\n---\n\nMore text: with a colon.\n")
    if found != {"title": "One"}:
        raise WrongAnswerError("There are dashes further down, too. Cut at the first two places only.")
    found = read_front("---\n---\n\nText.\n")
    if found != {}:
        raise WrongAnswerError(
            f"YAML reads an empty block as None. It should give an empty dict; yours gave {found!r:.60}."
        )
    return "That is the first half of a listing: read every post's front matter. The second half is to sort."


@checker
def check_callout(my_callout: str) -> str:
    """Exercise 3: a warning, written as Markdown."""
    if not isinstance(my_callout, str):
        raise WrongAnswerError(f"my_callout is a text, in three quotes. This is {my_callout!r:.60}.")
    lines = [line.rstrip() for line in my_callout.strip().splitlines()]
    if not lines or not lines[0].startswith(":::"):
        raise WrongAnswerError("A callout begins with three colons.")
    if "callout" not in lines[0]:
        raise WrongAnswerError("The first line names the callout in braces: {.callout-warning}.")
    if "warning" not in lines[0]:
        raise WrongAnswerError(f"The task asks for a warning; your first line is {lines[0]!r:.60}.")
    if not re.search(r"\{\s*\.callout-warning\b.*\}", lines[0]):
        raise WrongAnswerError("The name stands in braces, with a dot before it: {.callout-warning}.")
    if not re.fullmatch(r":{3,}", lines[-1]):
        raise WrongAnswerError("A callout ends with a line of three colons, with nothing else in it.")
    body = [line for line in lines[1:-1] if line.strip()]
    if not body or not re.match(r"#+\s*Check your paths\s*$", body[0]):
        raise WrongAnswerError("The heading comes first: ## Check your paths, with a space after the ##.")
    if not any(len(line.split()) >= 3 for line in body[1:]):
        raise WrongAnswerError("Below the heading, write a sentence of your own.")
    return "Three colons, a name in braces, a heading, a sentence, three colons. The other four kinds work alike."
