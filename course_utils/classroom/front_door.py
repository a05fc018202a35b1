"""The page that JupyterLab opens: the path of the lessons, where the learner stands on it, and how to work.

It is written by `make lab`, and again whenever a check or a quiz has remembered something. Its last line says what was
written, so that a page that a learner changed is known, and left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from course_utils.classroom import progress_record

START = "start_here.md"
PICTURE = "images/progress.svg"
SEAL = re.compile(r"\n<!-- written by the course: (?P<seal>[0-9a-f]{16}) -->\n\Z")

HOW_TO_WORK = """\
## How to work

- **Open a lesson** by its link above. Click a cell and press <kbd>Shift</kbd>+<kbd>Enter</kbd>: it runs, and the next
  one is selected. All cells at once: *Run > Run All Cells*.
- **Predict, then run.** No output is there before you made it. Where a lesson asks what a cell will say, write your
  guess down first. It is the quickest way to learn from a cell.
- **Exercises** have a `...` for your answer, and a check below it. The check says what it found, and remembers what you
  solved: this page shows it. `progress()` shows it in any notebook, after `from course_utils import progress`.
- **These files are yours.** Change what you like; what you worked in is never overwritten. `make lab RESET=03` gives
  you a fresh lesson 3, and keeps yours under another name.
- **Memory.** An open lesson holds up to 1.5 GB, and lesson 8 twice that while Ray runs. Close its tab, and JupyterLab
  ends its kernel. *Kernel > Restart Kernel* begins a lesson anew; then run its cells from the top.
- **A word that you don't know** is in the [glossary](glossary.md).

These files open in VS Code and in Jupyter Notebook, too. Choose the Python of the course as the kernel there: `.venv`,
in the folder above this one.
"""


def page(path: progress_record.Progress) -> str:
    """Return the page for a learner who has come so far, without its seal."""
    rows = [
        f"| {int(stage.number)} | [**{escape(stage.lesson['title'])}**]({stage.lesson['file']})"
        f"<br>{escape(stage.lesson['description'])} | {stage.lesson['minutes']}"
        f" | {stage.exercises_solved} | {stage.questions_right} |"
        for stage in path.stages
    ]
    parts = ["# LLMs, Hands On", _next(path), f"![{progress_record.in_words(path)}]({PICTURE})"]
    parts.append(AS_OPENED)
    if offers := [stage for stage in path.stages if stage.lesson["offered"]]:
        parts += ["## Changed lessons", OFFERED, "\n".join(map(_offer, offers))]
    head = "| | lesson | minutes | exercises | quiz |\n| --- | :--- | --- | :--- | :--- |"
    parts += ["## The lessons", "\n".join([head, *rows]), HOW_TO_WORK.strip()]
    return "\n\n".join(parts) + "\n"


AS_OPENED = "*What you solve while this page is open shows when you close it and open it again.*"
OFFERED = (
    "The course has changed these lessons since you got them. Your copies are as you left them. The new version lies"
    " beside each, and says at its top what changed."
)


def _offer(stage: progress_record.Stage) -> str:
    number = int(stage.number)
    return (
        f"- Lesson {number}: [the new version]({stage.lesson['offered']}). To go on in it, type"
        f" `make lab RESET={stage.number}`: it takes the place of your copy, which gets another name."
    )


def _next(path: progress_record.Progress) -> str:
    stage = path.next
    if stage is None:
        return "You have solved every exercise and every quiz of the course. What will you build with it?"
    link = f"[Lesson {int(stage.number)}: {escape(stage.lesson['title'])}]({stage.lesson['file']})"
    if stage.solved + stage.right:
        return f"**Go on with {link}.** You have begun it."
    begin = "Begin with" if path.last is None else "Next comes"
    return f"**{begin} {link}.** It takes about {stage.lesson['minutes']} minutes."


def escape(text: str) -> str:
    """Return a line of text as Markdown shows it, sign for sign."""
    return re.sub(r"([\\`*_\[\]<>$~|])", r"\\\1", text)


def refresh(folder: Path) -> None:
    """Write the page anew where it is as it was written, or missing; a page that a learner changed stays.

    Raises:
        OSError: it can't be written.
    """
    place = folder / START
    if not place.exists() or is_sealed(place.read_text(encoding="utf-8", errors="replace")):
        write(folder)


def write(folder: Path) -> None:
    """Write the page and its picture, each in one step.

    Raises:
        OSError: they can't be written.
    """
    path = progress_record.of(folder)
    text = page(path)
    (folder / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    _replace(folder / PICTURE, progress_record.draw(path))
    _replace(folder / START, f"{text}\n<!-- written by the course: {_seal(text)} -->\n")


def is_sealed(text: str) -> bool:
    """Tell whether a page is as the course wrote it."""
    found = SEAL.search(text)
    return bool(found) and _seal(text[: found.start()]) == found["seal"]


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.write_text(text, encoding="utf-8", newline="\n")
    fresh.replace(path)
