"""`python -m course_build new-lesson "Counting words"`: make all that a new lesson needs, working from the start.

What it makes is a small lesson that is true and passes every test, for its author to replace part by part. The parts
lie in `template/`. Whatever is to be replaced says so with `REPLACE:`, in a comment that no reader sees; without
a title the command lists what is left of those.
"""

import argparse
import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path

import jinja2
import nbformat
from nbformat import NotebookNode

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.lessons import lesson_files, social_cards, syllabus
from course_build.lessons.exercise_stubs import SOLUTION, make_stub
from course_build.paths import ROOT
from course_build.text_files import read_text

TEMPLATE = Path(__file__).with_name("template")
PLACEHOLDER = "REPLACE:"
WANTED = re.compile(
    rf"<!-- {PLACEHOLDER} (?P<comment>.+?)\s*-->|^(?:(?P<key>[\w-]+:)[^\n]*)?[^\n]*?{PLACEHOLDER} (?P<line>[^\n]+)",
    re.DOTALL | re.MULTILINE,
)
"""What is to be replaced: all of a comment, or the rest of a line, with the key of front matter that it begins with."""
CELL = re.compile(r"^%% (raw|markdown|code)(?: (\{.*\}))?\n", re.MULTILINE)
"""The line that begins a cell of the template: its type, and its metadata if it has any."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The title; without one, what new lessons still have to replace is listed."""
    parser.add_argument("title", nargs="?", help="what the lesson is called; without it, list what is left to replace")


def run(arguments: argparse.Namespace) -> int:
    """Make the lesson and say what comes next, or list the placeholders that are left."""
    if arguments.title is None:
        left = placeholders()
        print("\n".join(left) if left else "new-lesson: no placeholder of a new lesson is left")
        return 0
    made = make(arguments.title)
    print("new-lesson: made, and working:")
    for path in made:
        print(f"  {path.as_posix()}")
    print(
        f"new-lesson: every {PLACEHOLDER} in them is for you; `python -m course_build new-lesson` lists what is left.\n"
        f"new-lesson: CONTRIBUTING.md, A lesson's life, says what comes next"
    )
    return 0


def make(title: str) -> list[Path]:
    """Make a lesson, whole or not at all. Returns its files, relative to the checkout, and those that tell of it.

    Raises:
        BuildError: the title can't be one, a lesson has that name or these files, or the new lesson doesn't run.
    """
    words, title = lesson_files.words_of(title), lesson_files.escape(title.strip())
    there = lessons.paths()
    lesson_files.refuse_taken(words, there)
    lesson = max((int(path.name[:2]) for path in there), default=0) + 1
    if lesson > 99:
        raise BuildError("a lesson's number has two digits, and 99 is taken.")
    name = f"{lesson:02d}_{words}"
    notebook, drawing, card, checks, quiz, proofs = lesson_files.parts(name)
    if taken := [path.as_posix() for path in lesson_files.parts(name) if (ROOT / path).exists()]:
        raise BuildError(
            f"lesson {lesson} needs these files, and they are there already: {', '.join(taken)}. Move them."
        )
    fill = filled(title=title, lesson=lesson, number=f"{lesson:02d}", name=name, date=datetime.date.today())
    pages = [Path(lesson_files.CONFIG), Path(lesson_files.GLOSSARY), syllabus.PAGE.relative_to(ROOT)]
    config, glossary = (read_text(ROOT / page) for page in pages[:2])
    content = {
        notebook: nbformat.writes(cells_of(fill("lesson.cells"), lesson)) + "\n",
        drawing: fill("drawing.svg"),
        checks: fill("exercises.py"),
        quiz: fill("quiz.toml"),
        proofs: fill("proofs.py"),
        pages[0]: lesson_files.add_to_sidebar(config, lesson, title, name),
        pages[1]: lesson_files.add_term(glossary, fill("glossary.qmd")),
    }
    with lesson_files.whole_or_not_at_all([ROOT / path for path in [*content, card, *pages]]):
        for path, text in content.items():
            lesson_files.write(ROOT / path, text)
        execute(f"{lesson:02d}")
        syllabus.write_page()
    draw_cards()
    return [path for path in [*lesson_files.parts(name), *pages] if (ROOT / path).exists()]


def filled(**values: object) -> Callable[[str], str]:
    """Return what fills in a part of the template, by its name."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["yaml"] = lambda text: json.dumps(text, ensure_ascii=False)
    return lambda part: environment.get_template(f"{part}.jinja").render(values)


def cells_of(text: str, lesson: int) -> NotebookNode:
    """Return the notebook that the template describes, once it is filled in. Stubs are made from the solutions."""
    _, *parts = CELL.split(text)
    cells = []
    for count, (kind, metadata, source) in enumerate(zip(parts[::3], parts[1::3], parts[2::3], strict=True), 1):
        make_cell = getattr(nbformat.v4, f"new_{kind}_cell")
        cell = make_cell(source.strip("\n"), metadata=json.loads(metadata or "{}"), id=f"l{lesson}-{count:02d}")
        cells.append(cell)
    solutions = {
        cell.metadata["exercise"]: solution[1].rstrip("\n")
        for cell in cells
        if cell.cell_type == "markdown" and "exercise" in cell.metadata and (solution := SOLUTION.search(cell.source))
    }
    for cell in cells:
        if cell.cell_type == "code" and "exercise" in cell.metadata:
            cell.source = make_stub(solutions[cell.metadata["exercise"]])
    return nbformat.v4.new_notebook(cells=cells)


def execute(name: str) -> None:
    """Run a lesson and save its outputs, as `make execute` does."""
    from course_build.notebooks import execute

    parser = argparse.ArgumentParser()
    execute.add_arguments(parser)
    execute.run(parser.parse_args([name]))


def draw_cards() -> None:
    """Draw the cards that are missing or old, or say how to do it where there is a browser."""
    try:
        social_cards.run(argparse.Namespace())
    except BuildError as error:
        print(f"cards: not drawn, for {error}. Where there is a browser: python -m course_build cards", flush=True)


def placeholders() -> list[str]:
    """Return what the authors of new lessons have still to replace: where it is, and what belongs there."""
    found: list[str] = []
    for name in sorted(path.stem for path in lessons.paths()):
        for part in [*lesson_files.parts(name), Path(lesson_files.GLOSSARY)]:
            if part.suffix == ".png" or not (ROOT / part).is_file():
                continue
            if part.suffix == ".ipynb":
                places = [(f", cell {n}", cell.source) for n, cell in enumerate(lessons.read(ROOT / part).cells, 1)]
            else:
                lines = read_text(ROOT / part).split("\n")
                places = [(f", line {n}", line) for n, line in enumerate(lines, 1)]
            for place, text in places:
                for wanted in WANTED.finditer(text):
                    said = f"{wanted['key'] or ''} {wanted['comment'] or wanted['line']}"
                    found.append(f"{part.as_posix()}{place}: {' '.join(said.split())}")
    return list(dict.fromkeys(found))
