"""`python -m course_build check`: prove everything, or with a lesson's number that one lesson.

`make test` and `.ci/run` run it. It goes on after a failure, and says at the end what each step took.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from course_build.lessons import index as lessons
from course_build.lessons import minutes
from course_build.models import prepare
from course_build.notebooks.compare_outputs import SANITIZER
from course_build.paths import NOTEBOOKS, ROOT
from course_build.progress import in_words
from course_build.setup import network_off
from course_build.site import demo

PYTHON = [sys.executable, "-m"]

ABOUT_LESSONS = (
    "copies",
    "dialect",
    "exercises",
    "fingerprint",
    "glossary",
    "minutes",
    "mutants",
    "notebooks",
    "quizzes",
    "rerun",
    "words",
)
"""The test modules, without `test_`, that have something to say of a single lesson (tests/conftest.py picks it)."""

SIDE_BY_SIDE = ("-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile", "--no-loadscope-reorder")
"""pytest's options to run on all cores, file by file, in the order that tests/conftest.py gives them.

One worker more than there are cores, for many a test waits: for a browser, a server, a child.
"""

TYPES = [*PYTHON, "pyrefly", "check", "--python-interpreter-path", sys.executable]
"""The type checker, over both packages. It takes a few seconds of one core, so that it needs no cache."""

Step = Callable[[], "subprocess.CompletedProcess[bytes]"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names choose lessons; otherwise what is proven doesn't depend on who asks."""
    parser.add_argument(
        "names", nargs="*", metavar="LESSON", help="prove only these lessons, as 04: about a minute each"
    )
    parser.add_argument("--quick", action="store_true", help="leave out what renders the site or needs a browser")


def run(arguments: argparse.Namespace) -> int:
    """Lint, compare every output of every notebook with the network off, run the tests; return 1 if a step failed.

    Raises:
        BuildError: a name fits no lesson, or the models can't be prepared.
    """
    chosen = lessons.chosen(arguments.names)
    prepare.prepare()
    if arguments.names:
        for path in chosen:
            print(f"check: {minutes.told(path)}", flush=True)
        return take(steps_for(chosen))
    demo.prepare_if_possible()
    quick = ["--quick"] if arguments.quick else []
    return take(
        {
            "lint": lambda: subprocess.run([*PYTHON, "ruff", "check", "."], cwd=ROOT),
            "format": lambda: subprocess.run([*PYTHON, "ruff", "format", "--check", "."], cwd=ROOT),
            "types": lambda: subprocess.run(TYPES, cwd=ROOT),
            "notebooks": lambda: network_off.run(nbval_command(NOTEBOOKS), cwd=ROOT),
            "tests": lambda: subprocess.run([*PYTHON, "pytest", "-q", *SIDE_BY_SIDE, *quick], cwd=ROOT),
        }
    )


def steps_for(chosen: list[Path]) -> dict[str, Step]:
    """The steps that prove some lessons: their code's form, their prose's, their outputs, exercises and quizzes."""
    numbers = [path.name[:2] for path in chosen]
    beside = [ROOT / "course_utils" / "exercises" / f"lesson_{number}.py" for number in numbers]
    beside += [ROOT / "tests" / "proofs" / f"lesson_{number}.py" for number in numbers]
    files = list(map(str, [*chosen, *filter(Path.exists, beside)]))
    modules = [str(ROOT / "tests" / f"test_{name}.py") for name in ABOUT_LESSONS]
    only = [part for number in numbers for part in ("--lesson", number)]
    return {
        "lint": lambda: subprocess.run([*PYTHON, "ruff", "check", *files], cwd=ROOT),
        "format": lambda: subprocess.run([*PYTHON, "ruff", "format", "--check", *files], cwd=ROOT),
        "types": lambda: subprocess.run(TYPES, cwd=ROOT),
        "form, exercises and quiz": lambda: subprocess.run([*PYTHON, "pytest", "-q", *only, *modules], cwd=ROOT),
        "outputs": lambda: network_off.run(nbval_command(*chosen), cwd=ROOT),
    }


def take(steps: dict[str, Step]) -> int:
    """Take one step after the other; say what each took, and return 1 if one failed, else 0."""
    failed: list[str] = []
    took: list[str] = []
    for name, step in steps.items():
        print(f"\ncheck: {name}", flush=True)
        start = time.monotonic()
        if step().returncode:
            failed.append(name)
        took.append(f"{name} {in_words(time.monotonic() - start)}")
    print(f"\ncheck: {'; '.join(took)}", flush=True)
    print(f"check: {'FAILED: ' + ', '.join(failed) if failed else 'all is well'}", flush=True)
    return 1 if failed else 0


def nbval_command(*paths: Path) -> list[str]:
    """The command that runs notebooks, side by side on the cores there are, and holds every output to the saved one."""
    side_by_side = ["-n", "auto", "--dist", "loadscope"] if len(paths) > 1 or paths[0].is_dir() else []
    nbval = ["--nbval", "--nbval-sanitize-with", str(SANITIZER)]
    return [*PYTHON, "pytest", "-q", "-p", "no:cacheprovider", *side_by_side, *nbval, *map(str, paths)]
