"""`python -m course_build lab`: open the lessons in JupyterLab, with the models in place."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from course_build.models import prepare
from course_build.paths import NOTEBOOKS, ROOT

DEFAULTS = Path(__file__).parent / "jupyter"
"""A folder for JUPYTER_CONFIG_PATH. Its settings keep JupyterLab from asking the learner at the first start whether it
may fetch news from another host, and from asking that host whether there is a newer version: the lock says which one
there is. They are defaults, so what a learner chooses in JupyterLab's own settings counts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare that everything after `--` goes to JupyterLab."""
    parser.add_argument("options", nargs="*", help="options for JupyterLab, after --")


def run(arguments: argparse.Namespace) -> int:
    """Start JupyterLab in `notebooks/`, and with the checkout in reach: the lessons link to the glossary above them."""
    prepare.prepare()
    folders = [*filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")]), str(DEFAULTS)]
    environ = {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(folders)}
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{NOTEBOOKS.name}"]
    return subprocess.run([*command, *arguments.options], cwd=ROOT, env=environ).returncode
