"""Quizzes that need no script, no server and no mouse.

On a page each choice opens, and says why it is right or wrong: it is a `<details>` element, which the mouse, the
keyboard and a screen reader open alike. (jupyterquiz, the library at hand, draws its choices with a script of its own,
which a keyboard can't reach.)

In a learner's copy of a lesson the choices have letters, and the learner types one for each question: `check_quiz("03",
"c a ? ?")`. So the answers stay in the file, and what was right is remembered. (Widgets lose their state with the
kernel, and JupyterLab takes the arrow keys that choose among radio buttons.)
"""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils.classroom import learners_folder
from course_utils.classroom.progress_record import remember

QUIZZES = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Choice:
    """One answer that can be opened, and what is said of it."""

    text: str
    feedback: str
    right: bool


@dataclass(frozen=True)
class Question:
    """A question with its choices, of which one is right. `id` names it in the tests that prove its key."""

    id: str
    text: str
    choices: tuple[Choice, ...]

    @property
    def key(self) -> str:
        """The text of the right choice."""
        return next(choice.text for choice in self.choices if choice.right)


@dataclass(frozen=True)
class Quiz:
    """The questions of one lesson. As the last line of a cell it shows itself."""

    lesson: str
    questions: tuple[Question, ...]

    def __repr__(self) -> str:
        """Show questions and choices as plain text, where no HTML can be shown."""
        parts = []
        for number, question in enumerate(self.questions, start=1):
            choices = "\n".join(f"   - {choice.text}" for choice in question.choices)
            parts.append(f"{number}. {question.text}\n{choices}")
        return "\n".join(parts)

    def _repr_markdown_(self) -> str:
        """HTML inside Markdown: beside an output of type text/html Quarto loads scripts from another host."""
        if learners_folder.find():
            return self._with_letters()
        parts = []
        for number, question in enumerate(self.questions, start=1):
            name = f"quiz-{self.lesson}-{question.id}"
            choices = "".join(
                f'<details class="quiz-choice {"quiz-right" if choice.right else "quiz-wrong"}" name="{name}">'
                f"<summary>{_inline(choice.text)}</summary>"
                f"<p><strong>{'✔ Right.' if choice.right else '✘ No.'}</strong> {_inline(choice.feedback)}</p>"
                "</details>"
                for choice in question.choices
            )
            parts.append(
                f'<div class="quiz-question" role="group" aria-labelledby="{name}">'
                f'<p id="{name}"><strong>{number}.</strong> {_inline(question.text)}</p>{choices}</div>'
            )
        return f'<div class="quiz">{"".join(parts)}</div>'

    def _with_letters(self) -> str:
        """Return the questions with a letter before each choice, and nothing of the answers."""
        parts = []
        for number, question in enumerate(self.questions, start=1):
            choices = "".join(
                f"<li><strong>{letter}</strong>&nbsp; {_inline(choice.text)}</li>"
                for letter, choice in zip(LETTERS, question.choices)  # noqa: B905 - there are more letters
            )
            parts.append(
                f'<p><strong>{number}.</strong> {_inline(question.text)}</p><ul style="list-style: none">{choices}</ul>'
            )
        return "".join(parts)


LETTERS = "abcdefghijklmnopqrstuvwxyz"
OPEN = "?"
"""What stands for a question that is not answered yet."""


@dataclass(frozen=True)
class CheckedQuiz:
    """A learner's answers to a quiz, each with what is said of it. As the last line of a cell it shows itself."""

    lines: tuple[tuple[str, str], ...]
    """For each question a mark and a sentence, as plain text in which code stands between backticks."""
    summary: str

    def __repr__(self) -> str:
        """Show a line for each question, where no HTML can be shown."""
        return "\n".join([*(f"{number}. {mark} {text}" for number, (mark, text) in self._numbered()), self.summary])

    def _repr_markdown_(self) -> str:
        lines = "".join(
            f"<p><strong>{number}. {mark}</strong> {_inline(text)}</p>" for number, (mark, text) in self._numbered()
        )
        return f"{lines}<p>{_inline(self.summary)}</p>"

    def _numbered(self) -> enumerate[tuple[str, str]]:
        return enumerate(self.lines, start=1)


def check_quiz(lesson: str, answers: str | Sequence[str]) -> CheckedQuiz:
    """Say of each typed answer whether it is right, and why; in a learner's folder, remember it.

    Args:
        lesson: the lesson's two digits, such as "03".
        answers: a letter for each question, in their order, such as "c a ? ?", with `?` for one that is still open.
            Spaces, commas and capitals don't matter, a list of letters does as well, and so do numbers of questions
            before the letters, such as "3d 5c".

    Raises:
        ValueError: there is no such quiz.
    """
    asked = quiz(lesson)
    size = len(asked.questions)
    form = f'Type one letter for each question, with a {OPEN} where you aren\'t sure: "{" ".join(OPEN * size)}".'
    letters = _letters(answers, size)
    if letters is None:
        return CheckedQuiz((), f"These are no letters. {form}")
    if len(letters) > size:
        return CheckedQuiz((), f"There are {len(letters)} answers, and the quiz has {size} questions. {form}")
    lines = []
    right = 0
    letters += [OPEN] * (size - len(letters))
    for letter, question in zip(letters, asked.questions, strict=True):
        known = LETTERS[: len(question.choices)]
        if letter in (OPEN, "…", "_", "-"):
            lines.append(("○", "Not answered yet."))
        elif letter not in known:
            lines.append(("○", f"The choices are {', '.join(known[:-1])} and {known[-1]}; there is no {letter}."))
        else:
            choice = question.choices[known.index(letter)]
            right += choice.right
            lines.append((f"{letter} {'✔ Right.' if choice.right else '✘ No.'}", choice.feedback))
            remember(lesson, "question", question.id, right=choice.right)
    return CheckedQuiz(tuple(lines), f"{right} of {len(asked.questions)} right.")


NUMBERED = re.compile(r"(\d+)[\s.:)=]*([^\W\d_]|\?)(?!\w)[\s,;]*")
"""The number of a question and the letter for it, as `3d` or `3. d`."""


def _letters(answers: object, size: int) -> list[str] | None:
    """Return a learner's answers, in the order of the questions; None where it can't be told which they are."""
    if isinstance(answers, (list, tuple)):
        answers = ", ".join(map(str, answers))
    if not isinstance(answers, str):
        return None
    typed = answers.lower().strip()
    if re.search(r"\d", typed):
        pairs = NUMBERED.findall(typed)
        places = [int(number) for number, _ in pairs]
        if NUMBERED.sub("", typed) or len(set(places)) < len(places) or not all(0 < at <= size for at in places):
            return None
        chosen = dict(zip(places, (letter for _, letter in pairs), strict=True))
        return [chosen.get(place, OPEN) for place in range(1, size + 1)]
    parts = [each.strip(" .;()[]'\"") for each in typed.removesuffix(",").split(",")]
    if all(len(part) <= 1 for part in parts):  # where nothing stands between two commas, nothing is answered
        return [part or OPEN for part in parts]
    return re.findall(r"[^\s.,;()\[\]'\"]", typed)


def _inline(text: str) -> str:
    """Set a text in HTML: code between backticks, of which Markdown must not read a sign, and *emphasis*."""
    parts = re.split(r"`([^`]+)`", text)
    parts[::2] = [html.escape(part, quote=False) for part in parts[::2]]
    parts[1::2] = [
        "<code>" + re.sub(r"[^\w\s]|_", lambda m: f"&#{ord(m[0])};", part) + "</code>" for part in parts[1::2]
    ]
    return _emphasis("".join(parts))


def _emphasis(text: str) -> str:
    text = re.sub(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*(?=\S)([^*]+?)(?<=\S)\*", r"<em>\1</em>", text)


def quiz(lesson: str) -> Quiz:
    """Load the quiz of a lesson.

    Args:
        lesson: the lesson's two digits, such as "03".

    Raises:
        ValueError: there is no such quiz, or its file is not as it should be (one right choice in each question).
    """
    path = QUIZZES / f"quiz_{lesson}.toml"
    if not isinstance(lesson, str) or not re.fullmatch(r"\d\d", lesson) or not path.is_file():
        known = ", ".join(sorted(p.stem.removeprefix("quiz_") for p in QUIZZES.glob("quiz_*.toml")))
        raise ValueError(f"there is no quiz {lesson!r}; there is one for the lessons {known}")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    questions = []
    for id_, entry in table.items():
        choices = tuple(Choice(c["text"], c["feedback"], c.get("right", False)) for c in entry["choices"])
        if sum(choice.right for choice in choices) != 1:
            raise ValueError(f"{path.name}: question {id_} needs exactly one right choice")
        questions.append(Question(id_, entry["question"], choices))
    return Quiz(lesson, tuple(questions))
