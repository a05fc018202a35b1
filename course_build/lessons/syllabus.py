"""`python -m course_build syllabus`: write the lessons' part of `syllabus.qmd` from their front matter.

What a lesson promises stands in its notebook and nowhere else. A page that repeats it is made, and a test holds the
page to the notebooks.
"""

import argparse
from pathlib import Path

from smalldocs.markdown import pandoc_id

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.lessons import minutes
from course_build.paths import NOTEBOOKS, ROOT
from course_build.progress import in_words

PAGE = ROOT / "syllabus.qmd"
MADE = "## The lessons {#lessons}\n"
"""Everything after this heading is made."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Without an option, the page is brought up to date."""
    parser.add_argument("--minutes", action="store_true", help="first let each lesson state its minutes by the rule")


def run(arguments: argparse.Namespace) -> int:
    """Bring up to date what the lessons and the page say of the lessons."""
    for path in lessons.paths() if arguments.minutes else ():
        minutes.state(path)
        print(f"syllabus: {minutes.told(path)}")
    write_page()
    return 0


def write_page() -> None:
    """Write the page where it differs from what the notebooks say."""
    text = PAGE.read_text(encoding="utf-8")
    fresh = refresh(text, NOTEBOOKS)
    if fresh != text:
        PAGE.write_bytes(fresh.encode())
        print(f"syllabus: wrote {PAGE.name}")


def refresh(page: str, notebooks: Path) -> str:
    """Return the page with the part about the lessons made anew.

    Raises:
        BuildError: the page has no heading where that part begins, or a lesson has no front matter that can be read.
    """
    intro, heading, _ = page.partition(MADE)
    if not heading:
        raise BuildError(f"{PAGE.name} lacks the line {MADE.strip()!r}, after which the lessons are written")
    paths = lessons.paths(notebooks)
    hours = round(sum(lessons.front_matter(path)["minutes"] for path in paths) / 60)
    together = f"\nAll {len(paths)} together take about {hours} hours.\n"
    return intro + heading + together + "".join(map(_section, paths))


def _section(path: Path) -> str:
    front = lessons.front_matter(path)
    address = f"notebooks/{path.name}"
    needs = ". ".join(front["prerequisites"])
    promises = "\n".join(
        f"- [{objective['text']}]({address}#{pandoc_id(objective['section'])})" for objective in front["objectives"]
    )
    return (
        f"\n### {front['lesson']} · [{front['title']}]({address}) {{#lesson-{front['lesson']}}}\n\n"
        f"{front['description']}\n\n"
        f"[{in_words(60 * front['minutes'])}]{{.minutes}} Before it: {needs}.\n\n"
        f"{promises}\n"
    )
