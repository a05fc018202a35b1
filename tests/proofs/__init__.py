"""What is proven of each lesson's exercises and quiz: one module a lesson, `lesson_NN`, with these names.

`WRONG` maps (check, names of the answers) to the mistakes that people make: {mistake: (code, words of its hint)}. The
words stand in no other mistake's hint; two mistakes that share a hint have the same words.
`RIGHT`, where there are right answers beside the solution, maps (check, names) to them: {what is different: code}.
`proves` registers, for each question of the quiz, a function that runs what the question asks about.
`EQUIVALENT` names the mutants of a solution (`python -m course_build mutants`) that are as right as it is, with the
reason: {exercise: {description: reason}}. `HOLES` names those that its check doesn't find yet: {exercise: [description]}.
`LUCKY`, where a check asks for a number, lists the right answers that random values may hit: {check: [value, ...]}.
"""

import importlib
from collections.abc import Callable
from pathlib import Path


class Proofs:
    """The proofs of one lesson's quiz: question -> (words that only the right choice has, function that proves it)."""

    def __init__(self):
        self.of = {}

    def __call__(self, question: str, *words: str) -> Callable:
        def register(proof: Callable) -> Callable:
            self.of[question] = (words, proof)
            return proof

        return register


def load() -> dict:
    """Return each lesson's module of proofs, by its two digits."""
    paths = sorted(Path(__file__).parent.glob("lesson_*.py"))
    return {path.stem[-2:]: importlib.import_module(f"proofs.{path.stem}") for path in paths}
