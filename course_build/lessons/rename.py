"""`python -m course_build rename-lesson 04 "Tokens"`: give a lesson another title, and its files a name that fits it.

Its number stays, for prose, exercises and quiz name the lesson by it. So do its outputs: nothing is run again.
"""

import argparse
import json
import re
from pathlib import Path

import nbformat

from course_build import BuildError
from course_build.front_matter import split_front_matter
from course_build.lessons import index as lessons
from course_build.lessons import lesson_files, syllabus
from course_build.lessons.new import draw_cards
from course_build.paths import ROOT
from course_build.text_files import name_of, read_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the lesson, and its new title."""
    parser.add_argument("lesson", help="the lesson, as 04 or 04_tokenizers")
    parser.add_argument("title", help="its new title")


def run(arguments: argparse.Namespace) -> int:
    """Rename the lesson and say what was changed."""
    changed = rename(arguments.lesson, arguments.title)
    print("rename-lesson: moved, or changed:")
    for path in changed:
        print(f"  {path.as_posix()}")
    print("rename-lesson: CONTRIBUTING.md, A lesson's life, says what comes next")
    return 0


def rename(lesson: str, title: str) -> list[Path]:
    """Give a lesson another title, whole or not at all. Returns the files that changed, relative to the checkout.

    Raises:
        BuildError: no lesson has the name or more than one has, the title can't be one, or another has it.
    """
    path = lesson_files.one(lesson)
    old, new = path.stem, f"{path.name[:2]}_{lesson_files.words_of(title)}"
    title = lesson_files.escape(title.strip())
    moves = {a: b for a, b in zip(lesson_files.parts(old), lesson_files.parts(new), strict=True) if a != b}
    moves = {a: b for a, b in moves.items() if (ROOT / a).exists()}
    lesson_files.refuse_taken(new[3:], [each for each in lessons.paths() if each != path])
    if taken := [target.as_posix() for target in moves.values() if (ROOT / target).exists()]:
        raise BuildError(f"{taken[0]} is there already. Give the lesson another title.")
    before = {each.relative_to(ROOT): read_text(each) for each in lesson_files.texts()}
    after = {
        **before,
        path.relative_to(ROOT): _retitled(path, title),
        Path(lesson_files.CONFIG): lesson_files.retitle_in_sidebar(before[Path(lesson_files.CONFIG)], old, title),
    }
    after = {each: lesson_files.mention(old).sub(new, text) for each, text in after.items()}
    changed = [each for each, text in after.items() if text != before[each]]
    touched = {*changed, *moves, *moves.values(), syllabus.PAGE.relative_to(ROOT)}
    with lesson_files.whole_or_not_at_all([ROOT / each for each in touched]):
        for each in changed:
            lesson_files.write(ROOT / each, after[each])
        for source, target in moves.items():
            (ROOT / source).rename(ROOT / target)
        syllabus.write_page()
    draw_cards()
    return sorted({moves.get(each, each) for each in [*changed, *moves]})


def _retitled(path: Path, title: str) -> str:
    """Return the text of a lesson's notebook with another title in its front matter."""
    notebook = lessons.read(path)
    line = f"title: {json.dumps(title, ensure_ascii=False)}"
    first = notebook.cells[0]
    first.source = re.sub(r"^title:.*$", lambda _: line, first.source, count=1, flags=re.MULTILINE)
    front, _ = split_front_matter(first.source.strip(), name_of(path))
    if not front.value or front.value["title"] != title:
        raise BuildError(f"{name_of(path)}: its title isn't on one line of the front matter. Write it on one.")
    return nbformat.writes(notebook) + "\n"
