"""A lesson as its learner gets it: the same code, cell for cell, without outputs, in Markdown that any program shows.

A first cell with title, drawing, minutes, objectives and prerequisites stands in place of the front matter. The last
ones show how far the learner has come, and lead on. The quiz gets a cell for the learner's letters. What Quarto reads
in a code cell (`#|`) goes; captions and alternatives of figures are kept beside the notebook, where the kernel finds
them when it draws.
"""

import html
import platform
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_build import BuildError
from course_build.classroom import glossary_page
from course_build.classroom.commonmark import Link, to_commonmark
from course_build.lessons import index as lessons
from course_build.notebooks.cell_names import names_of
from course_build.notebooks.read_notebook import code_cells, without_blocks
from course_build.text_files import name_of
from course_utils.classroom.front_door import START, escape
from course_utils.classroom.learners_folder import Figure, Lesson, code_key
from course_utils.quiz import quiz

Course = Mapping[Path, NotebookNode]
"""The lessons of a course, in their order: each file with its content, which is read once."""

ON_PAGES_ALONE = "sentiment-demo"
"""The id of the div that only a page can fill: the model that computes in the reader's browser."""

OBJECTIVES = re.compile(
    r"^At the end, after about \d+ minutes with the exercises, you can:\n\n(?:[-*] .+\n(?: +.+\n)*)+\n*", re.M
)
"""The sentence and the list in a lesson's opening that say what its front matter says. In a copy the title cell has
them."""

DRAWING = 420
"""The width of a lesson's drawing, in pixels: title, drawing and objectives fit into a small laptop's window."""

QUIZ = re.compile(r'^quiz\("(\d\d)"\)$', re.MULTILINE)
QUIZ_TEXT = """\
## Quiz

Run the next cell to see the questions. In the cell below them, type a letter in place of each `?`, and run it: it says
what is right, and why. Leave the `?` where you aren't sure."""
ANNOTATION = re.compile(r"#\s*<(\d+)>[ \t]*$", re.MULTILINE)


def learners_notebook(path: Path, course: Course) -> NotebookNode:
    """Return the learner's copy of a lesson of a course.

    Raises:
        BuildError: its front matter is wrong, or that of the lesson after it, or a link leads to no term.
    """
    link = _links(path, [each.name for each in course])
    cells = [_first(path, course)]
    for cell in course[path].cells[1:]:
        if cell.cell_type == "code":
            cells.append(_code(cell))
            if found := QUIZ.search(cell.source):
                cells.append(_answers(cell, found[1]))
        elif cell.cell_type == "markdown":
            text = QUIZ_TEXT if re.match(r"## Quiz\s", cell.source) else OBJECTIVES.sub("", cell.source)
            cells.append(new_markdown_cell(to_commonmark(text, link, ON_PAGES_ALONE), id=cell.id))
    cells += [_standing(path), _last(path, course)]
    metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        # As the kernel gives it: where a word of it is missing, opening the notebook would mark it as changed.
        "language_info": {
            "codemirror_mode": {"name": "ipython", "version": 3},
            "file_extension": ".py",
            "mimetype": "text/x-python",
            "name": "python",
            "nbconvert_exporter": "python",
            "pygments_lexer": "ipython3",
            "version": platform.python_version(),
        },
    }
    copy = new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(copy)
    return copy


def _code(cell: NotebookNode) -> NotebookNode:
    """Return a code cell as a learner gets it: without outputs and options, with numbers for annotations."""
    kept = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    return new_code_cell(ANNOTATION.sub(r"# (\1)", code_of(cell.source)), id=cell.id, metadata=kept)


def code_of(source: str) -> str:
    """Return the source of a code cell without the options that Quarto reads in its first lines."""
    return re.sub(r"\A(?:#\|.*\n)+", "", source)


def _answers(cell: NotebookNode, lesson: str) -> NotebookNode:
    """Return the cell into which a learner types the letters of the quiz."""
    letters = " ".join("?" * len(quiz(lesson).questions))
    source = f'from course_utils.quiz import check_quiz\n\nmy_answers = "{letters}"\ncheck_quiz("{lesson}", my_answers)'
    return new_code_cell(source, id=f"{cell.id}-answers")


# ------------------------------------------------------------------------------------------------------- first and last


def _first(path: Path, course: Course) -> NotebookNode:
    front = lessons.front_matter(path, course[path])
    title, subtitle = html.unescape(front["title"]), html.unescape(front["subtitle"])
    wanted = "\n".join(f"- {text}" for text in front["prerequisites"])
    gained = "\n".join(f"- {objective['text']}" for objective in front["objectives"])
    return new_markdown_cell(
        "\n\n".join(
            [
                " · ".join([_back(), *_neighbours(path, list(course))]),
                f"# Lesson {front['lesson']}: {escape(title)}",
                f"*{escape(subtitle)}*",
                f'<img src="{front["image"]}" alt="{html.escape(front["image-alt"])}" width="{DRAWING}">',
                f"**About {front['minutes']} minutes**, with the exercises. At the end you can:",
                gained,
                "What you need:",
                wanted,
            ]
        ),
        id=f"{path.name[:2]}-first",
    )


def _standing(path: Path) -> NotebookNode:
    """Return the cell that shows a learner how far they have come."""
    return new_code_cell("from course_utils import progress\n\nprogress()", id=f"{path.name[:2]}-progress")


def _last(path: Path, course: Course) -> NotebookNode:
    on = "**This was the last lesson.**"
    if after := next((later for before, later in pairwise(course) if before == path), None):
        front = lessons.front_matter(after, course[after])
        on = f"**Next: [Lesson {front['lesson']}: {escape(html.unescape(front['title']))}]({after.name})**"
    close = "Close this lesson's tab when you are done: that ends its kernel, and frees its memory."
    return new_markdown_cell(f"{on}\n\n{_back()}\n\n{close}", id=f"{path.name[:2]}-last")


def _back() -> str:
    return f"[All lessons]({START}) · [Glossary]({glossary_page.NAME})"


def _neighbours(path: Path, all_lessons: list[Path]) -> list[str]:
    place = all_lessons.index(path)
    around = [("Before", place - 1), ("Next", place + 1)]
    return [
        f"[{word}: lesson {int(all_lessons[at].name[:2])}]({all_lessons[at].name})"
        for word, at in around
        if 0 <= at < len(all_lessons)
    ]


def _links(path: Path, names: list[str]) -> Link:
    meanings = glossary_page.meanings()

    def link(address: str) -> str | None:
        target, _, fragment = address.partition("#")
        if target == "../glossary.qmd":
            if not fragment:
                return glossary_page.NAME
            if fragment not in meanings:
                raise BuildError(f"{name_of(path)} links to {address}, and the glossary has no such term.")
            return f'{glossary_page.NAME}#{fragment} "{meanings[fragment]}"'
        if target in names:
            return address
        if target.startswith("../"):
            return START if target in ("../index.qmd", "../syllabus.qmd") else None
        return address if (path.parent / target).is_file() else None

    return link


# ------------------------------------------------------------------------------------------------ what the kernel knows


def facts(path: Path, source: NotebookNode, offered: str | None = None) -> Lesson:
    """Return what the kernel of a learner's copy has to know of a lesson.

    Args:
        path: the lesson.
        source: its content.
        offered: the file beside the learner's copy that holds a newer version, if there is one.
    """
    front = lessons.front_matter(path, source)
    seconds = source.metadata.get("course", {}).get("seconds", {})
    return {
        "file": path.name,
        "title": html.unescape(front["title"]),
        "description": html.unescape(front["description"]),
        "minutes": front["minutes"],
        "exercises": _exercises(source),
        "questions": sum(_questions(cell.source) for cell in code_cells(source)),
        "figures": {code_key(cell.source): figure for cell in code_cells(source) if (figure := _figure(cell.source))},
        "seconds": {code_key(cell.source): seconds[cell.id] for cell in code_cells(source) if cell.id in seconds},
        "offered": offered,
        "names": _names(source),
    }


def _exercises(notebook: NotebookNode) -> dict[str, str]:
    """Return the heading of each exercise, by the name of the check that a cell calls in its section."""
    found = {}
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for each in re.finditer(r"^### (Exercise \d+.*)$", cell.source, re.MULTILINE):
                heading = each[1]
        elif heading and (check := re.search(r"^(check_\w+)\(", cell.source, re.MULTILINE)):
            found[check[1]] = heading
    return found


def _questions(source: str) -> int:
    found = QUIZ.search(source)
    return len(quiz(found[1]).questions) if found else 0


def _figure(source: str) -> Figure | None:
    """Return caption and alternative of the figure that a cell draws, as its options say them."""
    options = yaml.safe_load("\n".join(line[2:] for line in source.splitlines() if line.startswith("#|"))) or {}
    if "fig-alt" not in options:
        return None
    return {"caption": options.get("fig-cap", ""), "alt": options["fig-alt"]}


def _names(notebook: NotebookNode) -> dict[str, str]:
    """Return each name that a cell at its top level gives a value to first, with the heading of its section."""
    found: dict[str, str] = {}
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for each in re.finditer(r"^#{2,4} (.+?)\s*(?:\{.*\})?$", without_blocks(cell.source), re.MULTILINE):
                heading = each[1]
        elif cell.cell_type == "code":
            for name in sorted(names_of(cell.source).binds):
                found.setdefault(name, heading)
    return found
