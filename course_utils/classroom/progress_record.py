"""The record of what a learner has solved: a line of a CSV file for each, in the learner's own folder.

The checks write it and `course_utils.progress()` shows it. Nothing leaves the machine. A record that can't be written
or read costs the learner no error: the answer of a check counts more than its trace.
"""

from __future__ import annotations

import base64
import csv
import datetime
import html
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from course_utils.classroom import learners_folder

RECORD = "progress.csv"
"""The file's name in the learner's folder. A person can read it, change it, or delete it to begin anew."""

COLUMNS = ("when", "lesson", "kind", "name", "result")


class Entry(NamedTuple):
    """A line of the record. `kind` is `exercise` or `question`, `result` is `right` or `wrong`."""

    when: str
    lesson: str
    kind: str
    name: str
    result: str


@dataclass
class Standing:
    """The place of a learner in a lesson: the checks that said "Right", and for each question whether it was right."""

    exercises: set[str] = field(default_factory=set)
    questions: dict[str, bool] = field(default_factory=dict)


def remember(lesson: str, kind: str, name: str, *, right: bool) -> None:
    """Write down how an exercise or a question was answered, if this is a learner's folder. Never raises.

    Args:
        lesson: the lesson's two digits.
        kind: `exercise` or `question`.
        name: the check's name, such as `check_verdict`, or the question's, such as `argmax`.
        right: whether the answer was right.
    """
    folder = learners_folder.find()
    if folder is None:
        return
    try:
        result = "right" if right else "wrong"
        same = [entry for entry in entries(folder) if entry[1:4] == (lesson, kind, name)]
        if same and same[-1].result == result:
            return
        now = datetime.datetime.now().isoformat(" ", "minutes")
        _append(folder / RECORD, Entry(now, lesson, kind, name, result))
        from course_utils.classroom import front_door

        front_door.refresh(folder)
    except (OSError, ValueError):
        return


def _append(path: Path, entry: Entry) -> None:
    """Add a line in one write, which another kernel's can't fall into."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    before = path.read_bytes() if path.exists() else b""
    if not before:
        writer.writerow(COLUMNS)
    elif not before.endswith(b"\n"):  # its last line was cut
        text.write("\n")
    writer.writerow(entry)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())


def entries(folder: Path) -> Iterator[Entry]:
    """Yield the lines of a record, the oldest first. A line that isn't one is passed over."""
    try:
        text = (folder / RECORD).read_text(encoding="utf-8", errors="replace").replace("\0", "")
    except OSError:
        return
    for line in text.splitlines():
        try:
            row = [field for row in csv.reader([line]) for field in row]
        except csv.Error:
            continue
        if len(row) == len(COLUMNS) and row[2] in {"exercise", "question"} and row[4] in {"right", "wrong"}:
            yield Entry(*row)


def standings(folder: Path) -> dict[str, Standing]:
    """Return where the learner stands in each lesson that the record names, by its number, the last one worked last.

    What was right once stays right.
    """
    found: dict[str, Standing] = {}
    for entry in entries(folder):
        standing = found[entry.lesson] = found.pop(entry.lesson, Standing())
        if entry.kind == "question":
            standing.questions[entry.name] = standing.questions.get(entry.name, False) or entry.result == "right"
        elif entry.result == "right":
            standing.exercises.add(entry.name)
    return found


# ----------------------------------------------------------------------------------------------------- as it is shown


class Stage(NamedTuple):
    """A lesson on the learner's path, with how much of it is done."""

    number: str
    lesson: learners_folder.Lesson
    solved: int
    right: int

    @property
    def size(self) -> int:
        """The number of things that can be done in it: exercises and questions."""
        return len(self.lesson["exercises"]) + self.lesson["questions"]

    @property
    def exercises_solved(self) -> str:
        """The number of exercises that are solved, as dots and as words: `●●○ 2 of 3`."""
        return _said(self.solved, len(self.lesson["exercises"]))

    @property
    def questions_right(self) -> str:
        """The number of questions of the quiz that are answered rightly, as dots and as words."""
        return _said(self.right, self.lesson["questions"])

    @property
    def done(self) -> bool:
        """Tell whether every exercise is solved and every question answered rightly."""
        return self.solved + self.right >= self.size


@dataclass(frozen=True)
class Progress:
    """The learner's path through the lessons. As the last line of a cell it shows itself: a picture and a table."""

    stages: tuple[Stage, ...]
    last: str | None
    """The number of the lesson in which something was answered last."""

    @property
    def next(self) -> Stage | None:
        """The lesson to go on with: the last one worked on, until it is done, then the first after it that isn't."""
        numbers = [stage.number for stage in self.stages]
        start = numbers.index(self.last) if self.last in numbers else 0
        return next((stage for stage in (*self.stages[start:], *self.stages[:start]) if not stage.done), None)

    def __repr__(self) -> str:
        """Show a line for each lesson, where no HTML can be shown."""
        if not self.stages:
            return NOT_HERE
        return "\n".join(
            f"{int(stage.number):>2}  {stage.lesson['title']:<30}  exercises {stage.exercises_solved:<16}"
            f"  quiz {stage.questions_right}"
            for stage in self.stages
        )

    def _repr_html_(self) -> str:
        if not self.stages:
            return f"<p>{html.escape(NOT_HERE)}</p>"
        picture = base64.b64encode(draw(self).encode()).decode()
        left = 'style="text-align: left"'
        rows = "".join(
            f"<tr><td>{int(stage.number)}</td>"
            f'<td {left}><a href="{stage.lesson["file"]}">{html.escape(stage.lesson["title"])}</a></td>'
            f"<td {left}>{stage.exercises_solved}</td><td {left}>{stage.questions_right}</td></tr>"
            for stage in self.stages
        )
        return (
            f'<img src="data:image/svg+xml;base64,{picture}" alt="{html.escape(in_words(self))}" width="720" '
            'style="max-width: 100%; height: auto">'
            f"<table><thead><tr><th></th><th {left}>lesson</th><th {left}>exercises</th><th {left}>quiz</th></tr>"
            f"</thead><tbody>{rows}</tbody></table>"
        )


NOT_HERE = "Progress is remembered for lessons in your own folder, my_lessons. `make lab` opens them there."


def progress() -> Progress:
    """Return what you have solved so far: a picture of your path, and a table with a line for each lesson."""
    folder = learners_folder.find()
    return of(folder) if folder else Progress((), None)


def of(folder: Path) -> Progress:
    """Return the progress that a learner's folder holds. What the record names and no lesson has doesn't count."""
    found = standings(folder)
    stages = []
    for number, lesson in sorted(learners_folder.lessons(folder).items()):
        standing = found.get(number, Standing())
        solved = len(standing.exercises & lesson["exercises"].keys())
        right = min(sum(standing.questions.values()), lesson["questions"])
        stages.append(Stage(number, lesson, solved, right))
    return Progress(tuple(stages), next(reversed(found), None))


def _said(done: int, size: int) -> str:
    return f"{'●' * done}{'○' * (size - done)}\u00a0{done}\u00a0of\u00a0{size}" if size else "none"


def in_words(path: Progress) -> str:
    """Return what the picture shows, for who can't see it."""
    done = [str(int(stage.number)) for stage in path.stages if stage.done]
    begun = [str(int(stage.number)) for stage in path.stages if not stage.done and stage.solved + stage.right]
    parts = [f"done: {', '.join(done)}" if done else "none is done yet"]
    if begun:
        parts.append(f"begun: {', '.join(begun)}")
    return f"Your path of {len(path.stages)} lessons; {'; '.join(parts)}."


def draw(path: Progress) -> str:
    """Return the picture of a path, as SVG: a station for each lesson, whose ring closes as the lesson gets done.

    It has no paper of its own, and colours that can be told from a light page and from a dark one.
    """
    width, height, radius = 720, 96, 22
    step = (width - 96) / max(1, len(path.stages) - 1)
    length = 2 * math.pi * radius
    here = path.next.number if path.next else None
    fonts = "system-ui, 'DejaVu Sans', sans-serif"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="{fonts}" font-size="17" font-weight="600" text-anchor="middle">',
        f'<path d="M48 44H{48 + step * (len(path.stages) - 1):.1f}" stroke="#929ba5" stroke-width="4"/>',
    ]
    for place, stage in enumerate(path.stages):
        x = 48 + step * place
        share = min(1.0, (stage.solved + stage.right) / stage.size) if stage.size else 0.0
        parts.append(f'<circle cx="{x:.1f}" cy="44" r="{radius}" fill="#fff" stroke="#929ba5" stroke-width="6"/>')
        if share:
            fill = "#d6ecdf" if stage.done else "none"
            parts.append(
                f'<circle cx="{x:.1f}" cy="44" r="{radius}" fill="{fill}" stroke="#2f7d5b" stroke-width="6" '
                f'stroke-dasharray="{length * share:.2f} {length:.2f}" transform="rotate(-90 {x:.1f} 44)"/>'
            )
        parts.append(f'<text x="{x:.1f}" y="50" fill="#30353c">{int(stage.number)}</text>')
        if stage.number == here:
            parts.append(f'<rect x="{x - 24:.1f}" y="72" width="48" height="22" rx="11" fill="#30353c"/>')
            parts.append(f'<text x="{x:.1f}" y="88" fill="#fff" font-size="13">next</text>')
    return "".join([*parts, "</svg>"])
