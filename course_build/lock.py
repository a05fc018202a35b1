"""`python -m course_build lock`: resolve pyproject.toml, for every supported Python and system, into the lock."""

import argparse
import re
import subprocess
import sys

from course_build.environment import UV
from course_build.errors import BuildError
from course_build.paths import LOCK, ROOT

TORCH = "torch==2.13.0"
"""Pinned by hand: every platform needs a build of it, on Linux one without CUDA (see `environment`)."""

CUDA = re.compile(r"^(nvidia|cuda|triton)[\w-]*==")

HEADER = """\
# Every package that set-up installs, for Python 3.11 to 3.13 on Linux, macOS and Windows.
# Made by `python -m course_build lock`; pyproject.toml says what is wanted. No hashes: torch's CPU build has its own.
# What only torch's CUDA build needs is left out; an index that gives that build brings it along.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--upgrade` moves every package to its newest release; without it the locked versions stay where they can."""
    parser.add_argument("--upgrade", action="store_true", help="move every package to its newest release")


def run(arguments: argparse.Namespace) -> int:
    """Write requirements.lock.

    Raises:
        BuildError: the resolver found no set of versions, or no index.
    """
    extras = [part for extra in ("build", "scale", "test") for part in ("--extra", extra)]
    kept = [] if arguments.upgrade or not LOCK.exists() else ["--constraint", str(LOCK)]
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.11", *extras, *kept]
    command += ["--constraint", "-", "--quiet", "--no-header", "--no-annotate", str(ROOT / "pyproject.toml")]
    result = subprocess.run(command, input=TORCH, capture_output=True, text=True)
    if result.returncode:
        raise BuildError(f"no set of versions was found (the resolver is {UV}):\n{result.stderr.strip()}")
    lines = [line for line in result.stdout.splitlines() if not CUDA.match(line)]
    LOCK.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"lock: {len(lines)} packages")
    return 0
