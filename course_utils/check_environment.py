"""`check_environment`: what this machine has of what the course needs, and the command that mends what it lacks."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import SettingError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "llms-hands-on"
IMPORT_NAMES = {
    "beautifulsoup4": "bs4",
    "ipython": "IPython",
    "llms-hands-on": "course_utils",
    "pyyaml": "yaml",
}
"""Where a package is imported by another name than it is installed by."""

LAYERS = {
    "site": "lesson 2 renders a page with it",
    "scale": "the last section of lesson 8 uses it",
    "test": "it proves the course",
}
"""The layers of the environment on top of what lessons import, and what they are for. None is a must."""

LOCK = "requirements.lock"
"""The file in the course's folder with the version of each package, to which everything that mends holds."""

TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
"""Where Linux gets torch without CUDA. The version in the lock is there with and without."""

GIB = 2**30
MEMORY_GIB = 4
DISK_GIB = 2

WHERE = "Type a command in the course's folder, in a terminal where the environment is active. Then restart the kernel."
"""What has to hold for the commands of a report to mend anything."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    `problem` is None if all is well; else it says what is wrong, and `mend` is the command, or the step, that mends it.
    """

    name: str
    wanted: str
    found: str
    problem: str | None = None
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """All that `check_environment` found. As the last line of a cell it shows itself as a table."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True if every need is met."""
        return not self.problems

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that need mending."""
        return tuple(finding for finding in self.findings if finding.problem)

    @property
    def verdict(self) -> str:
        """The one sentence that sums it up."""
        if self.ok:
            return "All is well: you can begin."
        return f"{len(self.problems)} to mend: {', '.join(finding.name for finding in self.problems)}."

    def __repr__(self) -> str:
        """Show a table as plain text, and below it each problem with what mends it."""
        width = max(len(finding.name) for finding in self.findings)
        wanted = max(len(finding.wanted) for finding in self.findings)
        lines = [
            f"{'✘' if f.problem else '✔'} {f.name:{width}}  {f.wanted:{wanted}}  {f.found}".rstrip()
            for f in self.findings
        ]
        lines += ["", self.verdict]
        for finding in self.problems:
            lines += [f"  {finding.name}: {finding.problem}", f"    {finding.mend}"]
        if self.problems:
            lines += ["", WHERE]
        return "\n".join(lines)


def check_environment() -> Report:
    """Compare this machine with what the course needs: Python, every package, memory, disk, models.

    Never raises: what can't be found out is a finding, too.
    """
    checks = [_check_python, *(_package_check(requirement) for requirement in _requirements())]
    checks += [_layer_check(layer) for layer in LAYERS]
    checks += [_check_threads, _check_memory, _check_accelerator, _check_disk, _check_models]
    return Report(tuple(_safely(check) for check in checks))


def _safely(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except SettingError as error:
        return Finding("models", "", "unknown", str(error), _unset("COURSE_MODELS"))
    except Exception as error:
        name = getattr(check, "__name__", "check").removeprefix("_check_")
        return Finding(
            name, "", "unknown", f"could not be found out ({type(error).__name__}: {error})", _install("-e .")
        )


def _requirements(layer: str = "") -> list[Requirement]:
    """The course's own dependencies, as its installed metadata states them: the lessons', or those of another layer."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return [Requirement(DISTRIBUTION)]
    requirements = [Requirement(line) for line in lines]
    if not layer:
        return [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    marked = [(r, r.marker) for r in requirements if r.marker]
    return [r for r, marker in marked if marker.evaluate({"extra": layer}) and not marker.evaluate({"extra": ""})]


def _python_command() -> str:
    """Return Python's name in a terminal: on Windows `py`, but for an active environment's own, which is `python`."""
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    return "py" if sys.platform == "win32" and not active else "python"


def _install(*arguments: str) -> str:
    """Return pip's command that installs what the arguments name, in the version of the lock."""
    return " ".join([_python_command(), "-m pip install -c", LOCK, *arguments])


def _install_package(name: str, *options: str) -> str:
    """Return the command that installs one package, or the course itself, in the version of the lock."""
    if name == DISTRIBUTION:
        return _install(*options, "-e .")
    if name == "torch" and sys.platform == "linux":
        options = (*options, "--extra-index-url", TORCH_INDEX)
    return _install(*options, name)


def layer_command(layer: str) -> str:
    """Return the command that installs a layer of the environment, such as `"scale"`, from the course's folder."""
    return _install(f'-e ".[{layer}]"')


def _unset(variable: str) -> str:
    """Return what takes a variable away: the kernel has it from the terminal that JupyterLab was started in."""
    command = f"Remove-Item Env:{variable}" if sys.platform == "win32" else f"unset {variable}"
    return f"{command}  (and start JupyterLab anew in the same terminal)"


def _make_with(python: str) -> str:
    """Return the command that makes the environment with another Python."""
    if os.environ.get("CONDA_PREFIX"):
        return "conda env create -f environment.yml"
    if sys.platform == "win32":
        return f"py -{python} -m course_build lab"
    return f"make lab PYTHON=python{python}"


def _check_python() -> Finding:
    version = sys.version_info[:2]
    allowed = re.findall(r"(\d+)\.(\d+)", importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"])
    oldest, beyond = sorted((int(major), int(minor)) for major, minor in allowed)
    wanted = f"{oldest[0]}.{oldest[1]} to {beyond[0]}.{beyond[1] - 1}"
    problem = "too old" if version < oldest else "newer than what is tested" if version >= beyond else None
    return Finding("python", wanted, platform.python_version(), problem, _make_with("3.12") if problem else "")


def _package_check(requirement: Requirement) -> Callable[[], Finding]:
    def check() -> Finding:
        name, wanted = requirement.name, str(requirement.specifier) or "any"
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return Finding(name, wanted, "nothing", "missing", _install_package(name))
        if not requirement.specifier.contains(found, prereleases=True):
            older = any(s.operator in {">=", ">", "=="} and not s.contains(found) for s in requirement.specifier)
            return Finding(name, wanted, found, "too old" if older else "too new", _install_package(name))
        try:
            importlib.import_module(IMPORT_NAMES.get(name, name.replace("-", "_")))
        except BaseException as error:  # a broken library can end with anything, even with SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            reason = f"broken: importing it raises {type(error).__name__}: {error}"
            return Finding(name, wanted, found, reason[:200], _install_package(name, "--force-reinstall --no-deps"))
        return Finding(name, wanted, found)

    check.__name__ = f"_check_{requirement.name}"
    return check


def _layer_check(layer: str) -> Callable[[], Finding]:
    def check() -> Finding:
        if all(_is_installed(requirement.name) for requirement in _requirements(layer)):
            return Finding(layer, "optional", "installed")
        # No problem: a command installs the layers that it needs. (nbval passes over this column.)
        return Finding(layer, "optional", f"not installed; {LAYERS[layer]}: {layer_command(layer)}")

    check.__name__ = f"_check_{layer}"
    return check


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _check_threads() -> Finding:
    import torch

    return Finding("threads", "1 or more", str(torch.get_num_threads()))


def _check_memory() -> Finding:
    import psutil

    total = psutil.virtual_memory().total / GIB
    problem = "less than the larger lessons need" if total < MEMORY_GIB * 0.9 else None
    mend = "close other programs, or use a machine with more memory"
    return Finding("memory", f"{MEMORY_GIB} GiB", f"{total:.0f} GiB", problem, mend if problem else "")


def _check_accelerator() -> Finding:
    import torch

    kinds = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return Finding(
        "accelerator", "none", next((kind for kind, there in kinds.items() if there), "none, the CPU will do")
    )


def _check_disk() -> Finding:
    free = shutil.disk_usage(Path.home()).free / GIB
    problem = "hardly room for models" if free < DISK_GIB else None
    return Finding("free disk", f"{DISK_GIB} GiB", f"{free:.0f} GiB", problem, "free some space" if problem else "")


def _check_models() -> Finding:
    from course_utils import models

    catalogue, folder = models.catalogue(), models.models_folder()
    ready = [m for m in catalogue.values() if models.find_problem(folder / m.folder, m.files) is None]
    found = f"{len(ready)} of {len(catalogue)} in {folder.name}/"
    if models.models_from_hub():
        return Finding("models", "from the Hub", "COURSE_MODELS=hub")
    problem = None if len(ready) == len(catalogue) else "not all of them are prepared"
    mend = models.PREPARE_COMMAND.replace("python", _python_command(), 1)
    return Finding("models", f"{len(catalogue)}", found, problem, mend if problem else "")
