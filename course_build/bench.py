"""`python -m course_build bench`: measure speed beside the peers, all in one run, into `benchmarks/`."""

import argparse
import subprocess
import sys

from course_build import models
from course_build.paths import ROOT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: each script in `benchmarks/` has its own."""


def run(arguments: argparse.Namespace) -> int:
    """Run every script in `benchmarks/`; return 1 when one fails."""
    models.prepare()
    scripts = sorted((ROOT / "benchmarks").glob("*.py"))
    failed = [script.name for script in scripts if subprocess.run([sys.executable, script], cwd=ROOT).returncode]
    return 1 if failed else 0
