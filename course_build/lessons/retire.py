"""`python -m course_build retire-lesson 04`: take a lesson out of the course, with all that belongs to it.

Its files are moved to `_build/retired/`, not deleted. The other lessons keep their numbers, which prose names them by.
"""

import argparse
import datetime
import re
import shutil
from pathlib import Path

from course_build.lessons import index as lessons
from course_build.lessons import lesson_files, syllabus
from course_build.paths import BUILD, ROOT
from course_build.text_files import name_of, read_text

RETIRED = BUILD / "retired"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the lesson."""
    parser.add_argument("lesson", help="the lesson, as 04 or 04_tokenizers")


def run(arguments: argparse.Namespace) -> int:
    """Take the lesson out, and name what still speaks of it."""
    folder, left = retire(arguments.lesson)
    print(f"retire-lesson: its files are in {name_of(folder)}, which the next `make clean` deletes")
    if left:
        print("retire-lesson: these lines still speak of it, and are for you to change:")
        print("\n".join(f"  {line}" for line in left))
    print("retire-lesson: CONTRIBUTING.md, A lesson's life, says what comes next")
    return 0


def retire(lesson: str) -> tuple[Path, list[str]]:
    """Take a lesson out, whole or not at all.

    Returns:
        The folder that its files are in now, and each line of the checkout that still names it.

    Raises:
        BuildError: no lesson has the name, or more than one has.
    """
    path = lesson_files.one(lesson)
    name = path.stem
    files = [part for part in lesson_files.parts(name) if (ROOT / part).exists()]
    config, glossary = ROOT / lesson_files.CONFIG, ROOT / lesson_files.GLOSSARY
    elsewhere = set().union(*[lesson_files.terms(other) for other in lessons.paths() if other != path])
    alone = lesson_files.terms(path) - elsewhere
    folder = RETIRED / f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    pages = {
        config: lesson_files.remove_from_sidebar(read_text(config), name),
        glossary: lesson_files.remove_terms(read_text(glossary), alone),
    }
    with lesson_files.whole_or_not_at_all([*pages, syllabus.PAGE, *[ROOT / part for part in files]]):
        for part in files:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / part, folder / part)
        for page, text in pages.items():
            lesson_files.write(page, text)
        for part in files:
            (ROOT / part).unlink()
        syllabus.write_page()
    return folder, lesson_files.mentions(naming(name))


def naming(name: str) -> re.Pattern[str]:
    """Return the pattern that finds whatever speaks of a lesson: by its name, its files, or its number."""
    number = name[:2]
    return re.compile(rf"(?<!\w)(?:{re.escape(name)}|lesson_{number}|quiz_{number}|[Ll]esson {int(number)})(?!\w)")
