"""A lesson's length in minutes, computed from what is in it.

A lesson's minutes are those of its prose, its code, what its cells show, its exercises, its quiz, and the computing:

* **Prose**: 200 words a minute, the pace of reading to learn (Carver 1992, "Reading rate", Journal of Reading 36).
  People read for pleasure a little faster, at 238 words a minute (Brysbaert 2019, "How many words do we read per
  minute?", Journal of Memory and Language 109).
* **Code**: 5 seconds a line, to read and to run it. Reviewers are advised to take 7 and more, 500 lines an hour at the
  most, for code that nobody explains (Cohen 2006, "Best Kept Secrets of Peer Code Review"). Here the text explains it.
* **Outputs**: 10 seconds for each cell that shows something, to look at it and compare it with one's guess.
* **Exercises**: the minutes that each says of itself, its text, hint and solution among them.
* **The quiz**: a minute a question, with the answers that are opened.
* **Computing**: the seconds that the longest cells took when the lesson was last executed.

What a lesson states is that sum in steps of 5 minutes, from an hour on in steps of 10. A test lets it be off by a fifth
before it asks for another, so that an edited sentence costs nobody a change in three files.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_build.lessons import index as lessons
from course_build.lessons import lesson_files
from course_build.notebooks.fingerprint import KEY
from course_build.notebooks.read_notebook import code_cells
from course_utils.quiz import quiz

WORDS_A_MINUTE = 200
SECONDS_A_LINE = 5
SECONDS_AN_OUTPUT = 10
MINUTES_A_QUESTION = 1

OFF = 0.2
"""By which share of the computed minutes the stated ones may be off."""

EXERCISE = re.compile(r"^\*Difficulty \d of \d · about (\d+) minutes", re.MULTILINE)
"""What an exercise says of its own length."""

CHECK = "from course_utils.exercises."
"""How the cell of a check begins."""

NOT_READ = re.compile(r"<details.*?</details>|<[^<>]+>|^`{3,}.*?^`{3,}$|\]\([^()]*\)", re.MULTILINE | re.DOTALL)
"""What is no prose in Markdown: folded hints and solutions, tags, blocks of code, addresses."""

OPENING = re.compile(r"(?<=At the end, after about )\d+(?= minutes with the exercises, you can:)")
LINE = re.compile(r"(?<=^minutes: )\d+$", re.MULTILINE)


@dataclass(frozen=True)
class Parts:
    """A lesson's time by what it goes into, each in minutes."""

    prose: float
    code: float
    outputs: float
    exercises: float
    quiz: float
    computing: float

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return sum(vars(self).values())

    @property
    def rounded(self) -> int:
        """The sum as a lesson states it: in steps of 5 minutes, from an hour on in steps of 10."""
        step = 5 if self.total < 60 else 10
        return max(5, step * round(self.total / step))

    def fit(self, stated: int) -> bool:
        """Tell whether stated minutes are near enough to the computed ones."""
        return abs(stated - self.total) <= OFF * self.total


def compute(path: Path) -> Parts:
    """Compute what a lesson's time goes into.

    Raises:
        BuildError: its notebook can't be read.
    """
    notebook = lessons.read(path)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    exercises = [int(found[1]) for text in texts if (found := EXERCISE.search(text))]
    prose = " ".join(NOT_READ.sub(" ", text) for text in texts if not EXERCISE.search(text))
    # Stubs and checks are in the exercises' own minutes.
    cells = [each for each in code_cells(notebook) if "exercise" not in each.metadata and CHECK not in each.source]
    seconds = notebook.metadata.get(KEY, {}).get("seconds", {})
    return Parts(
        prose=len(re.findall(r"\w[^\s]*", prose)) / WORDS_A_MINUTE,
        code=sum(map(_lines, cells)) * SECONDS_A_LINE / 60,
        outputs=sum(bool(cell.outputs) for cell in cells) * SECONDS_AN_OUTPUT / 60,
        exercises=sum(exercises),
        quiz=len(quiz(path.name[:2]).questions) * MINUTES_A_QUESTION,
        computing=sum(seconds.values()) / 60,
    )


def _lines(cell: NotebookNode) -> int:
    """Count the lines of a cell that a learner reads: no empty ones, and none that are for the renderer."""
    return sum(bool(line.strip()) and not line.startswith("#|") for line in cell.source.splitlines())


def told(path: Path) -> str:
    """Say how long a lesson takes, of what that is made, and what it states."""
    parts, stated = compute(path), lessons.front_matter(path)["minutes"]
    made_of = ", ".join(f"{name} {minutes:.0f}" for name, minutes in vars(parts).items())
    verdict = "" if parts.fit(stated) else ": `python -m course_build syllabus --minutes` mends that"
    return f"{path.stem} takes about {parts.rounded} minutes ({made_of}); it states {stated}{verdict}"


def state(path: Path) -> bool:
    """Write the computed minutes into a lesson's front matter and its opening sentence; tell if they are others."""
    notebook, minutes = lessons.read(path), str(compute(path).rounded)
    before = nbformat.writes(notebook)
    for cell in notebook.cells:
        pattern = {"raw": LINE, "markdown": OPENING}.get(cell.cell_type)
        if pattern:
            cell.source = pattern.sub(minutes, cell.source)
    if (after := nbformat.writes(notebook)) == before:
        return False
    lesson_files.write(path, f"{after}\n")
    return True
