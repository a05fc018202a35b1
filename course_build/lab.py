"""`python -m course_build lab`: open the lessons in JupyterLab, with the models in place."""

import argparse
import subprocess
import sys

from course_build import models
from course_build.paths import NOTEBOOKS

NO_UPDATES = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
"""JupyterLab would ask another host whether there is a newer one; the lock says which one there is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What follows `--` goes to JupyterLab."""
    parser.add_argument("options", nargs="*", help="options for JupyterLab, after --")


def run(arguments: argparse.Namespace) -> int:
    """Start JupyterLab in `notebooks/`."""
    models.prepare()
    command = [sys.executable, "-m", "jupyterlab", NO_UPDATES, *arguments.options]
    return subprocess.run(command, cwd=NOTEBOOKS).returncode
