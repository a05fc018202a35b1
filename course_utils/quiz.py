"""Quizzes that need no script, no server and no mouse: each choice opens, and says why it is right or wrong.

A choice is a `<details>` element, which browsers and JupyterLab open with the mouse, the keyboard and a screen reader
alike. (jupyterquiz, the library at hand, draws its choices with a script of its own, which a keyboard can't reach.)
"""

from __future__ import annotations

import html
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

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


def _inline(text: str) -> str:
    """Escape a text, and set what stands between backticks as code, of which Markdown must not read a sign."""
    parts = re.split(r"`([^`]+)`", text)
    parts[::2] = [html.escape(part, quote=False) for part in parts[::2]]
    parts[1::2] = [
        "<code>" + re.sub(r"[^\w\s]|_", lambda m: f"&#{ord(m[0])};", part) + "</code>" for part in parts[1::2]
    ]
    return "".join(parts)


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
