"""The files of a lesson beside its notebook, and the places that name it: all that a new name or a last day changes."""

import contextlib
import json
import os
import re
import unicodedata
from collections.abc import Generator, Iterator
from pathlib import Path

import yaml

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.paths import ROOT
from course_build.site.learners_blog import clean_title
from course_build.text_files import name_of, read_text

CONFIG = "_quarto.yml"
GLOSSARY = "glossary.qmd"
TERM = re.compile(r"\(\.\./glossary\.qmd#([\w-]+)\)")
"""A link of a lesson to a term of the glossary."""
MADE = {"_build", "_site", "models", "my_lessons", "node_modules", "__pycache__"}
"""Folders that hold no source."""
LONGEST = 80
"""Characters of a title: what fits on a lesson's card."""
MARKUP = re.compile(
    r"[\\`*<>\[\]{}$^~@|]"  # code, emphasis, links, HTML, shortcodes, maths, raised and lowered, citations, tables
    r"|(?<!\w)_|_(?!\w)"  # emphasis, but not inside a word
    r"|&(?=[#\w])"  # character references
    r"|:(?=:)|(?<=:):"  # the colons of a div
    r"|^[#%+=:-]|(?<=^\w)[.)]|(?<=^\w\w)[.)]|(?<=^\w\w\w)[.)]|(?<=^\(\w)\)"  # a heading, an item of a list
)
"""What Markdown may read as more than the character that it is."""


def parts(name: str) -> list[Path]:
    """Return the files of a lesson, relative to the checkout: notebook, drawing, card, checks, quiz, proofs."""
    number = name[:2]
    return [
        Path(f"notebooks/{name}.ipynb"),
        Path(f"notebooks/images/{name}.svg"),
        Path(f"notebooks/images/cards/{name}.png"),
        Path(f"course_utils/exercises/lesson_{number}.py"),
        Path(f"course_utils/data/quiz_{number}.toml"),
        Path(f"tests/proofs/lesson_{number}.py"),
    ]


def one(lesson: str) -> Path:
    """Return the one lesson that a name such as `04` or `04_tokenizers` means.

    Raises:
        BuildError: no lesson has that name, or more than one has.
    """
    found = lessons.chosen([lesson])
    if len(found) > 1:
        raise BuildError(f"{lesson!r} means {', '.join(path.stem for path in found)}. Name one of them.")
    return found[0]


def words_of(title: str) -> str:
    """Return the words of a title as a file's name has them: `uber_all_a_test` for `Über "all": a test`.

    Raises:
        BuildError: it is no line of text, or too long, or holds a shortcode, or no word of it has letters from a to z.
    """
    title = clean_title(title)
    if len(title) > LONGEST:
        raise BuildError(f"the title has {len(title)} characters, and {LONGEST} fit on the lesson's card. Shorten it.")
    if "{{<" in title:  # which it takes for one however the signs are escaped
        raise BuildError("the title holds {{<, with which a shortcode begins for Quarto. Write it without.")
    plain = unicodedata.normalize("NFKD", title.casefold().replace("'", "").replace("\u2019", ""))
    words = re.findall(r"[a-z0-9]+", "".join(char for char in plain if not unicodedata.combining(char)))
    if not words:
        raise BuildError(f"no file can be named after {title!r}: use at least one word in letters from a to z.")
    return "_".join(words)


def refuse_taken(words: str, others: list[Path]) -> None:
    """Raise `BuildError` where one of the other lessons has a name of these words."""
    if same := [path for path in others if path.stem[3:] == words]:
        raise BuildError(f"{name_of(same[0])} has that name already. Give the lesson another title.")


def escape(title: str) -> str:
    """Return a title as front matter, sidebar and syllabus hold it: each reader of Markdown or HTML shows what it is.

    A character that would be read as markup is written as a character reference: `Vec&lt;T&gt;` for `Vec<T>`.
    """
    named = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
    return MARKUP.sub(lambda found: named.get(found[0], f"&#{ord(found[0])};"), title)


# ------------------------------------------------------------------------------------------------ places that name it


def texts() -> Iterator[Path]:
    """Yield the text files of the checkout's sources, in order."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(
            name
            for name in folders
            if (name == ".github" or not name.startswith(".")) and name not in MADE and not name.endswith(".egg-info")
        )
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix in {".cff", ".css", ".html", ".ipynb", ".js", ".md", ".py", ".qmd", ".toml", ".yml"}:
                yield path


def mention(name: str) -> re.Pattern[str]:
    """Return the pattern that finds the name of a lesson's files."""
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")


def mentions(pattern: re.Pattern[str]) -> list[str]:
    """Return each line of the checkout in which a pattern is found, as `file:line: text`."""
    return [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip():.100}"
        for path in texts()
        for number, line in enumerate(read_text(path).split("\n"), 1)
        if pattern.search(line)
    ]


def terms(notebook: Path) -> set[str]:
    """Return the anchors of the terms of the glossary that a notebook links to."""
    return set(TERM.findall(read_text(notebook)))


# --------------------------------------------------------------------------------------------------------- the sidebar


def _entry(lines: list[str], place: int) -> range:
    """Return the lines of the list's entry that line `place` belongs to."""
    start = next(number for number in range(place, -1, -1) if lines[number].lstrip().startswith("- "))
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return range(start, end)


def add_to_sidebar(config: str, lesson: int, title: str, name: str) -> str:
    """Return `_quarto.yml` with a lesson at the end of the sidebar, or where a line without a link waits for it.

    Raises:
        BuildError: the lessons can't be found in it.
    """
    lines = config.split("\n")
    waiting = [n for n, line in enumerate(lines) if re.match(rf"\s*- text: [\"']?{lesson} · ", line)]
    waiting = [n for n in waiting if not any("href:" in lines[each] for each in _entry(lines, n))]
    listed = [n for n, line in enumerate(lines) if re.search(r"notebooks/\d\d_\w+\.ipynb\s*$", line)]
    if not listed:
        raise BuildError(f"{CONFIG} has no lesson in its sidebar, after which this one could stand. Write it by hand.")
    last = _entry(lines, listed[-1])
    indent = " " * (len(lines[last.start]) - len(lines[last.start].lstrip()))
    text = json.dumps(f"{lesson} · {title}", ensure_ascii=False)
    entry = [f"{indent}- text: {text}", f"{indent}  href: notebooks/{name}.ipynb"]
    place = _entry(lines, waiting[0]) if waiting else range(last.stop, last.stop)
    lines[place.start : place.stop] = entry
    return "\n".join(lines)


def retitle_in_sidebar(config: str, name: str, title: str) -> str:
    """Return `_quarto.yml` with another title for a lesson in the sidebar, after the lesson's number."""
    lines = config.split("\n")
    text = json.dumps(f"{int(name[:2])} · {title}", ensure_ascii=False)
    for place in [n for n, line in enumerate(lines) if re.search(rf"href: notebooks/{name}\.ipynb\s*$", line)]:
        for number in _entry(lines, place):
            lines[number] = re.sub(r"^(\s*(?:- )?text: ).*", lambda found: found[1] + text, lines[number])
    return "\n".join(lines)


def remove_from_sidebar(config: str, name: str) -> str:
    """Return `_quarto.yml` without a lesson's entry in the sidebar."""
    lines = config.split("\n")
    for place in reversed([n for n, line in enumerate(lines) if f"notebooks/{name}.ipynb" in line]):
        entry = _entry(lines, place)
        del lines[entry.start : entry.stop]
    return "\n".join(lines)


def sidebar(config: str) -> list[tuple[str, str]]:
    """Return the text and the address of each lesson in the sidebar of `_quarto.yml`."""
    entries = yaml.safe_load(config)["website"]["sidebar"]["contents"]
    return [(entry["text"], entry.get("href", "")) for entry in entries]


# -------------------------------------------------------------------------------------------------------- the glossary


def add_term(glossary: str, term: str) -> str:
    """Return the glossary with a term (its heading and its text) in the place that the alphabet gives it.

    Raises:
        BuildError: the glossary has no term yet, beside which it could stand.
    """
    before, entries, after = _entries(glossary)
    if anchor(term) not in map(anchor, entries):
        entries = sorted([*entries, term.strip()], key=anchor)
    return before + "\n\n".join(entries) + after


def remove_terms(glossary: str, anchors: set[str]) -> str:
    """Return the glossary without some of its terms."""
    before, entries, after = _entries(glossary)
    return before + "\n\n".join(entry for entry in entries if anchor(entry) not in anchors) + after


def _entries(glossary: str) -> tuple[str, list[str], str]:
    """Return what stands before the terms of the glossary, the terms, and what stands after them."""
    found = re.fullmatch(r"(.*?)(^## .*\S)(\n+:::\n.*)", glossary, re.DOTALL | re.MULTILINE)
    if not found:
        raise BuildError(f"{GLOSSARY} has no terms between two lines of colons. Write the new one by hand.")
    return found[1], [entry.strip() for entry in re.split(r"^(?=## )", found[2], flags=re.MULTILINE)[1:]], found[3]


def anchor(term: str) -> str:
    """Return the anchor of a term, which begins with its heading."""
    return term.partition("\n")[0].removeprefix("## ").strip().lower().replace(" ", "-")


# ------------------------------------------------------------------------------------------------- whole or not at all


@contextlib.contextmanager
def whole_or_not_at_all(paths: list[Path]) -> Generator[None]:
    """Give files back the content that they had, and take away those that are new, if what is inside fails."""
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        raise


def write(path: Path, text: str) -> None:
    r"""Write a text file as git keeps it, in UTF-8 and with `\n`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
