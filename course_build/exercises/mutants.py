"""`python -m course_build mutants [03 ...]`: try each exercise's check on wrong answers that are made by machine.

Each published solution is changed in one place (`mutations`), and the check has to find that. A mutant that it calls
right survives: that is a hole in the check, unless the mutant is the same answer in other words. Then the lesson's
proofs name it, by its description, with the reason:

    EQUIVALENT = {"best_step": {"line 4: loss < lowest becomes ...": "why it gives the same, whatever it is given"}}

What is named there and doesn't survive, or isn't made any more, is to be taken out.
"""

import argparse
import contextlib
import importlib
import io
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_build.exercises import answers
from course_build.exercises.mutations import Mutant, mutants
from course_build.lessons import index as lessons
from course_build.lessons.exercise_stubs import exercises
from course_build.paths import ROOT
from course_utils.exercises import Feedback


@dataclass
class Trial:
    """One exercise's mutants and what became of them: all, and those that its check says are right."""

    lesson: str
    exercise: str
    solution: str
    all: list[Mutant]
    survivors: list[Mutant] = field(default_factory=list)
    raised: int = 0
    """How many are caught because they raise an exception, which any check finds."""
    broken: list[str] = field(default_factory=list)
    """What a check must never do: raise, or refuse the solution after the mutants."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Lessons, and single exercises of them."""
    parser.add_argument("names", nargs="*", metavar="LESSON", help="only these lessons, as 03")
    parser.add_argument("--exercise", metavar="NAME", help="only this exercise, as in its cell's metadata")
    parser.add_argument("--all", action="store_true", help="list the mutants that are caught, too, with what was said")


def run(arguments: argparse.Namespace) -> int:
    """Print each survivor that isn't named as equivalent with its diff, and a table; return 1 if there is one."""
    sys.path.insert(0, str(ROOT / "tests"))
    rows: list[tuple[str, ...]] = [COLUMNS]
    failed = False
    for path in lessons.chosen(arguments.names):
        proofs = importlib.import_module(f"proofs.lesson_{path.name[:2]}")
        trials = try_lesson(path, proofs, arguments.exercise, _print_said if arguments.all else None)
        for trial in trials:
            for problem in problems(trial, proofs.EQUIVALENT.get(trial.exercise, {})):
                failed = True
                print(f"\n{trial.lesson} {trial.exercise}: {problem}")
        rows.append((path.name[:2], *map(str, counts(trials, proofs.EQUIVALENT))))
    if len(rows) > 2:
        rows.append(("all", *(str(sum(int(row[place]) for row in rows[1:])) for place in range(1, len(COLUMNS)))))
    print()
    for row in rows:
        print("  ".join(f"{cell:>{len(title)}}" for cell, title in zip(row, COLUMNS, strict=True)))
    return 1 if failed else 0


COLUMNS = ("lesson", "exercises", "mutants", "caught", "by an exception", "equivalent", "holes")


def counts(trials: list[Trial], equivalent: Mapping[str, Mapping[str, str]]) -> tuple[int, ...]:
    """Return a row of the table, without its lesson."""
    made = sum(len(trial.all) for trial in trials)
    alive = [mutant.description in equivalent.get(t.exercise, {}) for t in trials for mutant in t.survivors]
    raised = sum(trial.raised for trial in trials)
    return len(trials), made, made - len(alive), raised, alive.count(True), alive.count(False)


def _print_said(exercise: str, mutant: Mutant, feedback: Feedback) -> None:
    print(f"{exercise} {mutant.id} {mutant.description}\n    {feedback!r}")


def problems(trial: Trial, named: Mapping[str, str]) -> list[str]:
    """Return what is wrong: survivors with their diffs, named ones that don't survive, checks that broke."""
    alive = {mutant.description for mutant in trial.survivors}
    found = list(trial.broken)
    for mutant in trial.survivors:
        if mutant.description not in named:
            found.append(f"{mutant.id} survives. {mutant.description}\n{mutant.diff(trial.solution)}")
    made = {mutant.description for mutant in trial.all}
    for description in named:
        if description not in alive:
            why = "the check catches it" if description in made else "no such mutant is made"
            found.append(f"take this out of the proofs, for {why}: {description}")
    return found


def try_lesson(
    path: Path,
    proofs: Any,
    exercise: str | None = None,
    said: Callable[[str, Mutant, Feedback], None] | None = None,
) -> list[Trial]:
    """Run the mutants of a lesson's exercises, or of one, through their checks.

    Args:
        path: the lesson's notebook.
        proofs: the lesson's module of proofs, whose wrong answers say which names the lesson has to make.
        exercise: the one to try.
        said: is told what the check said of each mutant.
    """
    notebook = lessons.read(path)
    cells = answers.check_cells(notebook)
    wrong = [code for mistakes in proofs.WRONG.values() for code, _ in mistakes.values()]
    chosen = [(name, code) for name, _, code in exercises(notebook, path) if exercise in (None, name)]
    if not chosen:
        return []
    names = answers.names(path, wrong)
    found = []
    for name, solution in chosen:
        check = cells[name][1].source
        kinds: defaultdict[str, set[str]] = defaultdict(set)
        _ask(check, solution, names, kinds)
        trial = Trial(path.name[:2], name, solution, mutants(solution, kinds))
        for mutant in trial.all:
            try:
                feedback = _ask(check, mutant.source, names)
            except Exception as error:
                trial.broken.append(f"{mutant.id} raises through the check: {error!r}. {mutant.description}")
                continue
            if feedback.status == "right":
                trial.survivors.append(mutant)
            trial.raised += " raised " in feedback.message
            if said:
                said(name, mutant, feedback)
        after = _ask(check, solution, names)
        if after.status != "right":
            trial.broken.append(f"after its mutants the check refuses the solution, so an answer changed it: {after!r}")
        found.append(trial)
    return found


def _ask(
    check: str, answer: str, names: Mapping[str, Any], kinds: defaultdict[str, set[str]] | None = None
) -> Feedback:
    """Run an answer and then its check, as the lesson does; note what the answer's functions take and return."""
    namespace = dict(names)
    with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        try:
            exec(compile(answer, "<answer>", "exec"), namespace)
        except Exception as error:  # a cell that fails: its check is never run
            return Feedback("wrong", f"The cell raised {error!r}.")
        if kinds is not None:
            for name, value in namespace.items():
                if getattr(getattr(value, "__code__", None), "co_filename", "") == "<answer>":
                    namespace[name] = _noting(value, kinds)
        return answers.checked(check, namespace)


def _noting(function: Callable[..., Any], kinds: defaultdict[str, set[str]]) -> Callable[..., Any]:
    """Return a function that notes the types of what another one takes and returns."""
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount]

    def noting(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        for name, value in [*zip(parameters, arguments, strict=False), *options.items(), ("return", result)]:
            kinds[name] |= _kinds_of(value)
        return result

    return noting


def _kinds_of(value: Any) -> set[str]:
    """Return the name of a value's type, and that with the type of what is in it."""
    name = type(value).__name__
    inside = type(value[0]).__name__ if isinstance(value, list) and value else getattr(value, "dtype", "")
    return {name, f"{name} of {inside}"}
