"""`python -m course_build lock`: resolve pyproject.toml, for every supported Python and system, into the lock.

The lock has a section for each layer of the environment, and each package stands in the first layer that needs it. So
a command installs the sections that it wants, and `pip install -r requirements.lock` installs all.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from course_build import BuildError
from course_build.paths import LOCK, ROOT
from course_build.setup import pip_and_uv_settings

LAYERS = {
    "learn": "what a lesson imports",
    "site": "run, render and check the pages",
    "scale": "Parquet files, and the classifier on several machines",
    "test": "prove the course: pytest, a browser, fuzzing, lint",
}
"""The layers of the environment, each on top of those before it, and what they are for."""

UV = "uv==0.13.9"
"""What resolves and installs. Not in the lock, for set-up fetches it first."""

TORCH = "torch==2.13.0"
"""Pinned by hand: every platform needs a build of it, on Linux one without CUDA (see `environment`)."""

CUDA = re.compile(r"^(nvidia|cuda|triton)[\w-]*(==|$)")

HEADER = """\
# Every package that set-up installs, for {pythons} on Linux, macOS and Windows.
# Made by `python -m course_build lock`; pyproject.toml says what is wanted. No hashes: torch's CPU build has its own.
# What only torch's CUDA build needs is left out; an index that gives that build brings it along.
# A section is a layer. Each package stands in the first one that needs it.
"""

SECTION = re.compile(r"# --- (\w+)")


def pins(layer: str, path: Path = LOCK) -> list[str]:
    """Return the requirements of one layer, as the lock has them: `name==version`, and a marker on some.

    Those that stand in no section belong to the first layer.

    Raises:
        KeyError: there is no such layer.
    """
    found: dict[str, list[str]] = {name: [] for name in LAYERS}
    section = next(iter(LAYERS))
    for line in path.read_text(encoding="utf-8").splitlines():
        if header := SECTION.match(line):
            section = header[1]
        elif requirement := line.partition("#")[0].strip():
            found[section].append(requirement)
    return found[layer]


def supported_pythons(project: Path = ROOT / "pyproject.toml") -> list[tuple[int, int]]:
    """Return the versions of Python that the course is for, oldest first: those that pyproject.toml allows."""
    allowed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["requires-python"]
    (major, oldest), (_, beyond) = re.findall(r"(\d+)\.(\d+)", allowed)
    return [(int(major), minor) for minor in range(int(oldest), int(beyond))]


def in_words(pythons: list[tuple[int, int]]) -> str:
    """Return versions of Python as a sentence names them: "Python 3.11, 3.12 or 3.13"."""
    *others, last = [f"{major}.{minor}" for major, minor in pythons]
    return f"Python {', '.join(others)} or {last}"


def name_of(requirement: str) -> str:
    """Return the name of the package that a requirement asks for, as pip normalises it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.lstrip(), maxsplit=1)[0]).lower()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--upgrade` moves every package to its newest release; without it the locked versions stay where they can."""
    parser.add_argument("--upgrade", action="store_true", help="move every package to its newest release")


def run(arguments: argparse.Namespace) -> int:
    """Write requirements.lock.

    Raises:
        BuildError: the resolver found no set of versions, or no index.
    """
    extras = list(LAYERS)[1:]
    kept = LOCK.read_text(encoding="utf-8") if LOCK.exists() and not arguments.upgrade else ""
    everything = _resolve(extras, f"{kept}\n{TORCH}")
    sections: list[str] = []
    placed: set[str] = set()
    for number, (layer, purpose) in enumerate(LAYERS.items()):
        needed = {name_of(line) for line in _resolve(extras[:number], "\n".join(everything))}
        lines = [line for line in everything if name_of(line) in needed - placed]
        placed |= needed
        sections += [f"\n# --- {layer}: {purpose}\n", *(f"{line}\n" for line in lines)]
    LOCK.write_text(
        HEADER.format(pythons=in_words(supported_pythons())) + "".join(sections), encoding="utf-8", newline="\n"
    )
    print(f"lock: {len(everything)} packages")
    return 0


def _resolve(extras: list[str], constraints: str) -> list[str]:
    """Return what the project needs with some of its extras, within constraints, and without CUDA's packages."""
    oldest = ".".join(map(str, supported_pythons()[0]))
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", oldest]
    command += [part for extra in extras for part in ("--extra", extra)]
    command += ["--constraint", "-", "--quiet", "--no-header", "--no-annotate", "pyproject.toml"]
    with pip_and_uv_settings.uv_environ() as environ:
        result = subprocess.run(command, input=constraints, cwd=ROOT, env=environ, capture_output=True, text=True)
    if result.returncode:
        raise BuildError(f"no set of versions was found (the resolver is {UV}):\n{result.stderr.strip()}")
    return [line for line in result.stdout.splitlines() if not CUDA.match(line)]
