"""Upgrade report: run every lesson in the lock's environment and in another one, and say what the other one breaks.

`make upgrade-report` takes the newest release of everything. `make upgrade-report TRANSFORMERS=4.57.6`, or any
requirements after the command, ask for those instead and leave the rest as near to the lock as it can be. Both runs are
made side by side, notebook by notebook, with the network off and with the warnings shown that a lesson hides.
"""

import argparse
import difflib
import json
import os
import re
import statistics
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from course_build import BuildError, progress
from course_build.lessons import index as lessons
from course_build.models import prepare
from course_build.notebooks import run as engine
from course_build.notebooks.compare_outputs import sanitize, sanitizer
from course_build.notebooks.run import Record, RecordedCell
from course_build.paths import BUILD, LOCK, ROOT
from course_build.setup import environment, network_off, pip_and_uv_settings
from course_build.setup.installers import ONCE, Uv
from course_build.setup.lock import CUDA
from course_build.site.stage import stage

FOLDER = BUILD / "upgrade"
EXTRAS = ("site", "scale")
"""What runs the notebooks, and what lesson 8 needs; linters and testers run none."""
DIFF_LINES = 60
"""A diff is shown up to here; what a renamed class does to a module tree needs no more."""

WARNING = re.compile(r"\b(\w*Warning: .+)")
FLAKY = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)? ?(?:s|ms|MB|GB)\b|(?:/[\w.+-]+)+/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Requirements choose the other environment; names choose lessons."""
    parser.add_argument(
        "requirements", nargs="*", help="what to try, as transformers==4.57.6 (default: all at its newest)"
    )
    parser.add_argument("--lesson", action="append", default=[], help="only this lesson, as 03; may be repeated")


def run(arguments: argparse.Namespace) -> int:
    """Run the lessons in both environments and write the page. 1 if a lesson broke, else 0.

    Raises:
        BuildError: a requirement can't be read or met, or no lesson has the name that was given.
    """
    requirements = [parse(text) for text in arguments.requirements]
    prepare.prepare()
    staged = stage(FOLDER / "site")
    paths = lessons.chosen(arguments.lesson, staged / "notebooks")
    other = make_environment(requirements)
    compared = []
    for path in paths:
        runs = [record_in(interpreter, path) for interpreter in (Path(sys.executable), other)]
        compared.append(compare(path.stem, *runs))
        print(f"upgrade-report: {compared[-1].line()}", flush=True)
    page = write_page(compared, [str(requirement) for requirement in requirements])
    broken = [lesson.name for lesson in compared if lesson.broken]
    print(f"upgrade-report: {'BROKEN: ' + ', '.join(broken) if broken else 'nothing broke'}. Read {page}", flush=True)
    return 1 if broken else 0


def parse(text: str) -> Requirement:
    """Read a requirement, or raise a `BuildError` that shows how one looks."""
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        said = str(error).splitlines()[0]
        raise BuildError(f"{text!r} is no requirement ({said}). One is transformers==4.57.6") from error


# ------------------------------------------------------------------------------------------------ the environments


def make_environment(requirements: list[Requirement]) -> Path:
    """Make the environment to compare with, and return its interpreter. uv's cache makes this a matter of seconds.

    torch comes from PyTorch's own index, as a build without CUDA. Where that can't be reached, it stays as it is.

    Raises:
        BuildError: no set of versions meets the requirements, the packages can't be had, or torch only with CUDA.
    """
    venv = FOLDER / "venv"
    FOLDER.mkdir(parents=True, exist_ok=True)
    uv = [sys.executable, "-m", "uv"]
    wanted, resolved = FOLDER / "requirements.in", FOLDER / "requirements.txt"
    torch_is_named = any(canonicalize_name(requirement.name) == "torch" for requirement in requirements)
    into = ["--quiet", "--python", environment.python(venv)]
    newest = [part for requirement in requirements if _is_bare(requirement) for part in ("-P", requirement.name)]
    asked = ", ".join(map(str, requirements)) or "the newest release of everything"
    purpose = f"upgrade-report: making an environment with {asked}"
    print(purpose, flush=True)
    said = ""
    for options in [Uv.without_cuda, ()] if environment.avoids_cuda() else [()]:
        stays = environment.avoids_cuda() and not torch_is_named and not options
        kept = [Requirement(f"torch=={version('torch')}")] if stays else []  # with its "+cpu", which says which build
        lines = [str(requirement) for requirement in loosened([*requirements, *kept], every=not requirements)]
        wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if requirements:
            resolved.write_text(LOCK.read_text(encoding="utf-8"), encoding="utf-8")  # what uv prefers
        else:
            resolved.unlink(missing_ok=True)
        steps = [
            [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv],
            [*uv, "pip", "compile", *into, *options, "--no-annotate", *newest, "--output-file", resolved, wanted],
            [*uv, "pip", "install", *into, *options, "-r", resolved],
            [*uv, "pip", "install", *into, "--no-deps", "-e", "."],
        ]
        with pip_and_uv_settings.uv_environ() as environ:
            for step in steps:
                done = progress.run(step, purpose, shown=False, cwd=ROOT, env={**environ, **(ONCE if options else {})})
                if done.returncode:
                    said = done.stdout.strip()
                    break
                if "compile" in step:
                    _refuse_cuda(resolved.read_text(encoding="utf-8"), asked)
            else:
                return environment.python(venv)
    raise BuildError(f"no environment could be made with {asked}:\n{said}")


def _is_bare(requirement: Requirement) -> bool:
    """Tell whether it is a name alone, which asks for the newest release."""
    return not requirement.specifier and not requirement.url


def loosened(requirements: list[Requirement], *, every: bool) -> list[Requirement]:
    """Return all that the project needs to run, with `requirements` in place of what it says of those packages.

    What the packages want of one another holds. The project's own bounds don't where a requirement names the package,
    for what lies beyond them is what the report is asked about; with `every`, no upper bound holds, only exact pins,
    which are on purpose.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]
    asked = {}
    for requirement in map(Requirement, map(str, requirements)):  # copies, for they are added to
        first = asked.setdefault(canonicalize_name(requirement.name), requirement)
        first.specifier &= requirement.specifier
    result = []
    for old in map(Requirement, lines):
        new = asked.pop(canonicalize_name(old.name), None)
        if new is None and every and any("<" in bound.operator for bound in old.specifier):
            new = Requirement(old.name)
        if new is None:
            result.append(old)
        else:
            new.extras |= old.extras
            new.marker = new.marker or old.marker
            result.append(new)
    return [*result, *asked.values()]


def _refuse_cuda(resolved: str, asked: str) -> None:
    """Raise a `BuildError` if torch's CUDA libraries would be fetched, gigabytes that nobody asked for."""
    packages = [line for line in resolved.splitlines() if CUDA.match(line)]
    had = engine.packages()
    fetched = [line for line in packages if canonicalize_name(Requirement(line).name) not in had]
    if fetched and environment.avoids_cuda():
        raise BuildError(
            f"no environment could be made with {asked}: PyTorch's own index can't be reached, or has no such torch, "
            f"and the package index has it with CUDA only, which is several gigabytes ({', '.join(fetched[:3])}, ...). "
            "Leave torch as it is, or take those on purpose by COURSE_TORCH=default."
        )


def record_in(interpreter: Path, path: Path) -> Record:
    """Run a notebook in an environment, without network, and return the engine's record of it.

    Raises:
        BuildError: the environment can't even start the run.
    """
    result = FOLDER / "record.json"
    result.unlink(missing_ok=True)
    environ = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    command = [str(interpreter), "-m", engine.__name__, str(path), str(result)]
    done = network_off.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    if not result.exists():
        raise BuildError(f"{path.stem} could not be run by {interpreter}:\n{done.stderr.strip()[-2000:]}")
    return json.loads(result.read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------ the comparison

EXPECTED = "output that the lesson says will vary"
NOT_COMPARED = "not compared: the lock's own run ends here"
KINDS = ("raises", "no longer raises", "other output", "ends early", NOT_COMPARED, EXPECTED)


@dataclass
class Finding:
    """One cell that broke: its number among the code cells (from 1), its code, what happened, and the evidence."""

    cell: int
    source: str
    kind: str
    detail: str


@dataclass
class Lesson:
    """One notebook's two runs, before (the lock) and after (the other environment)."""

    name: str
    before: Record
    after: Record
    findings: list[Finding] = field(default_factory=list)
    new_warnings: list[str] = field(default_factory=list)
    gone_warnings: list[str] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Tell whether a learner would see something else than the page says."""
        return any(finding.kind != EXPECTED for finding in self.findings)

    @cached_property
    def seconds(self) -> tuple[float, float]:
        """The seconds that the cells took, before and after."""
        before, after = (sum(cell["seconds"] for cell in run["cells"]) for run in (self.before, self.after))
        return before, after

    @property
    def slower(self) -> float:
        """The ratio of the times: 2 says that the other environment took twice as long."""
        return self.seconds[1] / max(self.seconds[0], 1e-9)

    def counted(self) -> dict[str, int]:
        """The number of cells for each kind of finding."""
        kinds = [finding.kind for finding in self.findings]
        return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}

    def line(self) -> str:
        """The lesson in one line for the terminal."""
        told = [f"{count} x {kind}" for kind, count in self.counted().items()] or ["the same outputs"]
        warned = [f"{len(self.new_warnings)} new warnings"] if self.new_warnings else []
        return f"{self.name}: {', '.join([*told, *warned])}; {self.slower:.2f} times as long"


def compare(name: str, before: Record, after: Record) -> Lesson:
    """Compare two records of a notebook, cell by cell, by what nbval would compare of it."""
    lesson = Lesson(name, before, after)
    for number, (old, new) in enumerate(zip(before["cells"], after["cells"], strict=False), start=1):
        kind, detail = _judge(old, new)
        if kind:
            lesson.findings.append(Finding(number, new["source"], kind, detail))
    reached, others = (len(run["cells"]) for run in (before, after))
    if after["died"] and (others < reached or not before["died"]):
        unreached = before["cells"][others]["source"] if others < reached else ""
        lesson.findings.append(Finding(others + 1, unreached, "ends early", after["died"]))
    elif before["died"]:
        unreached = after["cells"][reached]["source"] if reached < others else ""
        lesson.findings.append(Finding(reached + 1, unreached, NOT_COMPARED, before["died"]))
    old_warnings, new_warnings = (warnings_of(run["cells"]) for run in (before, after))
    lesson.new_warnings = [text for text in new_warnings if text not in old_warnings]
    lesson.gone_warnings = [text for text in old_warnings if text not in new_warnings]
    return lesson


def _judge(old: RecordedCell, new: RecordedCell) -> tuple[str | None, str]:
    """Return the kind of a finding in a cell (None: nothing happened), and the evidence."""
    raised_before, raised = (error_of(cell) for cell in (old, new))
    if raised and not raised_before:
        return "raises", raised
    if raised_before and not raised:
        return "no longer raises", raised_before
    before, after = (text_of(cell) for cell in (old, new))
    if before == after:
        return None, ""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), "lock", "other", n=2, lineterm=""))
    more = [f"... {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    return EXPECTED if new["varies"] else "other output", "\n".join([*lines[:DIFF_LINES], *more])


def error_of(cell: RecordedCell) -> str:
    """The error that a cell ended with, as one line, or an empty string."""
    return "".join(f"{out['ename']}: {out['evalue']}" for out in cell["outputs"] if out["output_type"] == "error")


def text_of(cell: RecordedCell) -> str:
    """All that a reader sees of a cell's outputs, but for pictures and warnings, sanitised as nbval does it."""
    parts = [error_of(cell)]
    for output in cell["outputs"]:
        if output["output_type"] == "stream" and output["name"] == "stdout":
            parts.append(output["text"])
        parts += [text for kind, text in sorted(output.get("data", {}).items()) if kind.startswith("text/")]
    text = "\n".join(part if isinstance(part, str) else "".join(part) for part in parts if part)
    return sanitize(text, sanitizer())


def warnings_of(cells: list[RecordedCell]) -> list[str]:
    """Each different warning or log line that cells wrote to stderr, in order, without paths, times and addresses."""
    found = {}
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] != "stream" or output["name"] != "stderr":
                continue
            warned = WARNING.findall(output["text"])
            for line in warned or output["text"].splitlines():
                if line.strip():
                    found[FLAKY.sub("…", line.strip())] = None
    return list(found)


# ------------------------------------------------------------------------------------------------ the page


def write_page(lessons: list[Lesson], requirements: list[str]) -> Path:
    """Write the report as one HTML file that needs no other, and return where it lies."""
    before, after = (getattr(lessons[0], side) for side in ("before", "after"))
    moved = [
        (name, before["packages"].get(name, "—"), new)
        for name, new in sorted(after["packages"].items())
        if before["packages"].get(name) != new
    ]
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    page = FOLDER / "report.html"
    text = templates.get_template("upgrade_report.html.jinja").render(
        lessons=lessons,
        requirements=requirements,
        moved=moved,
        gone=sorted(before["packages"].keys() - after["packages"].keys()),
        expected=EXPECTED,
        broken=[lesson for lesson in lessons if lesson.broken],
        pythons=(before["python"], after["python"]),
        slower=statistics.geometric_mean([max(lesson.slower, 1e-9) for lesson in lessons]),
    )
    page.write_text(text, encoding="utf-8")
    return page
