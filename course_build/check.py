"""`python -m course_build check`: prove everything. What `make test` and `.ci/run` run."""

import argparse
import subprocess
import sys

from course_build import demo, models, offline
from course_build.execute import CELL_SECONDS
from course_build.paths import NOTEBOOKS, ROOT

PYTHON = [sys.executable, "-m"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: what is proven must not depend on who asks."""


def run(arguments: argparse.Namespace) -> int:
    """Lint, compare every output of every notebook with the network off, run the tests. Goes on after a failure."""
    models.prepare()
    demo.prepare_if_possible()
    steps = {
        "lint": lambda: subprocess.run([*PYTHON, "ruff", "check", "."], cwd=ROOT),
        "format": lambda: subprocess.run([*PYTHON, "ruff", "format", "--check", "."], cwd=ROOT),
        "notebooks": lambda: offline.run(nbval_command(str(NOTEBOOKS)), cwd=ROOT),
        "tests": lambda: subprocess.run([*PYTHON, "pytest", "-q", "-n", "auto", "--dist", "loadfile"], cwd=ROOT),
    }
    failed = []
    for name, step in steps.items():
        print(f"\ncheck: {name}", flush=True)
        if step().returncode:
            failed.append(name)
    print(f"\ncheck: {'FAILED: ' + ', '.join(failed) if failed else 'all is well'}", flush=True)
    return 1 if failed else 0


def nbval_command(*paths: str) -> list[str]:
    """The command that runs notebooks and holds every output to the saved one."""
    sanitize = ROOT / "tests" / "nbval_sanitize.cfg"
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout", str(CELL_SECONDS)]
    sanitizer = ["--nbval-sanitize-with", str(sanitize)]
    return [*PYTHON, "pytest", "-q", "-p", "no:cacheprovider", *options, *sanitizer, *paths]
