"""uv and pip: what they would install, how large it is, and the installation itself.

Standard library only: the set-up uses it on the bare interpreter.
"""

import contextlib
import os
import platform
import re
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from course_build import progress
from course_build.paths import LOCK, ROOT
from course_build.setup import pip_and_uv_settings
from course_build.setup.lock import CUDA, UV, name_of

WANTED = "course-requirements.txt"
"""A file in the environment: the requirements of the last installation."""

TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA."""

ONCE = {"UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0"}
"""Variables where PyTorch's own index is asked: if a firewall says no, it says no the second time, too."""

UNPACKED = 3.7
"""How many times the size of its archive a package takes on disk, with its bytecode: measured over all of the lock."""

UNPACKED_CUDA = 1.7
"""The same for torch with CUDA and for CUDA's own packages, which are hardly packed."""

USUAL, CUDA_LIBRARIES = 2.6e6, 2.6e9
"""The size of an archive of the lock on average, and of all of CUDA's together, in bytes: pip doesn't tell sizes."""


@dataclass(frozen=True)
class Package:
    """A package that would be installed: its version, and the size of its archive in bytes."""

    name: str
    version: str
    size: float


@dataclass(frozen=True)
class Plan:
    """All the packages that would be installed, were nothing there; and the installer's options that lead to them."""

    packages: tuple[Package, ...]
    options: tuple[str, ...] = ()

    @property
    def has_cuda(self) -> bool:
        """Tell whether torch's CUDA libraries are among the packages."""
        return any(CUDA.match(package.name) for package in self.packages)

    def without(self, there: set[tuple[str, str]]) -> "Plan":
        """Return the part that isn't there: neither name nor version."""
        packages = (one for one in self.packages if (name_of(one.name), one.version) not in there)
        return Plan(tuple(packages), self.options)

    def sizes(self) -> tuple[float, float]:
        """Return how many bytes are fetched, and about how many they take on disk."""
        large = sum(p.size for p in self.packages if self.has_cuda and (p.name == "torch" or CUDA.match(p.name)))
        fetched = sum(package.size for package in self.packages)
        return fetched, (fetched - large) * UNPACKED + large * UNPACKED_CUDA


class Installer:
    """A program that installs into an environment: uv or pip.

    They run in the checkout, and all their paths are relative to it: a `#` or a `[` in the name of a folder above means
    something else to them.
    """

    name: str
    without_cuda: tuple[str, ...]
    """The options that lead to torch without CUDA."""

    def __init__(self, venv: Path, python: Path, environ: dict[str, str]) -> None:
        """Install into the environment `venv` with its interpreter `python`, and with these variables."""
        self.venv, self.python, self.environ = venv, python, environ
        self.requirements = os.path.relpath(venv / WANTED, ROOT)

    def plan(self, wanted: list[str], options: Sequence[str] = ()) -> tuple[Plan | None, str | None]:
        """Return what the installer would do, or why it can't."""
        raise NotImplementedError

    def install(self, wanted: list[str], plan: Plan, *, anew: bool = False) -> str | None:
        """Install the requirements and the project as it was planned, torch even if it is there; or say why not."""
        raise NotImplementedError

    def _sources(self, wanted: list[str]) -> list[str]:
        """Write the requirements down, and return the options that name them and the lock."""
        (self.venv / WANTED).write_text("\n".join(wanted) + "\n", encoding="utf-8")
        return ["-c", LOCK.name, "-r", self.requirements]

    def _run(
        self, command: Sequence[str | Path], doing: str, *, shown: bool = False, more: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        shown = shown and progress.in_terminal()  # its bars are for a person; a log is told the seconds
        environ = {**self.environ, **(more or {})}
        return progress.run(command, f"environment: {doing}", shown=shown, cwd=ROOT, env=environ)


class Uv(Installer):
    """uv, which is fetched with pip: quick, and it knows the sizes of what it would fetch."""

    name = "uv"
    without_cuda = ("--torch-backend", "cpu")

    def __init__(self, venv: Path, python: Path, environ: dict[str, str]) -> None:
        """Install with `python -m` of the environment itself."""
        super().__init__(venv, python, environ)
        self.command = [python, "-m", "uv", "--color", "never"]
        self.where = ["--python", os.path.relpath(python, ROOT)]

    def find_problem(self) -> str | None:
        """Have uv itself, or return why it can't be had."""
        command = [self.python, "-m", "pip", "install", "-q", UV]
        environ = pip_and_uv_settings.pip_environ(interpreter=self.python)
        done = progress.run(command, "environment: fetching uv", shown=False, env=environ)
        return None if done.returncode == 0 else progress.last_sentence(done.stdout) or "pip could not fetch it"

    def plan(self, wanted: list[str], options: Sequence[str] = ()) -> tuple[Plan | None, str | None]:
        """Resolve into a lock file of the standard's form, which has addresses and sizes."""
        result = self.venv / "pylock.course.toml"  # uv wants its name to be of this form
        result.unlink(missing_ok=True)
        *constraint, _, requirements = self._sources(wanted)
        command = [*self.command, "pip", "compile", "--quiet", "--format", "pylock.toml", *self.where, *options]
        command += ["--output-file", os.path.relpath(result, ROOT), *constraint, requirements]
        done = self._run(command, "asking the index what there is", more=ONCE if options else {})
        if done.returncode:
            return None, progress.last_sentence(done.stdout)
        found = []
        for package in tomllib.loads(result.read_text(encoding="utf-8")).get("packages", []):
            archives = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
            size = _size(archives[0]) if archives else 0
            found.append(Package(package["name"], package.get("version", ""), size))
        return Plan(tuple(found), tuple(options)), None

    def install(self, wanted: list[str], plan: Plan, *, anew: bool = False) -> str | None:
        """Install from uv's cache, or from the index."""
        options = [*plan.options, *(["--compile-bytecode"] if _is_compiled(wanted) else [])]
        options = [*options, *(["--reinstall-package", "torch"] if anew else [])]
        command = [*self.command, "pip", "install", *self.where, *options, *self._sources(wanted), "-e", "."]
        done = self._run(command, "installing", shown=True)
        return None if done.returncode == 0 else progress.last_sentence(done.stdout) or "its words stand above"


class Pip(Installer):
    """pip, which every environment has: slow, and it tells no sizes."""

    name = "pip"
    without_cuda = ("--extra-index-url", TORCH_INDEX)

    def __init__(self, venv: Path, python: Path, environ: dict[str, str]) -> None:
        """Install with `python -m` of the environment itself."""
        super().__init__(venv, python, environ)
        self.command = [python, "-m", "pip", "install"]

    def plan(self, wanted: list[str], options: Sequence[str] = ()) -> tuple[Plan | None, str | None]:
        """Take the requirements for the plan, and ask the index which torch it has.

        Not pip's own `--dry-run`: where an index has no metadata beside its archives, it fetches them all.
        """
        versions = {name_of(pin): pin.partition("==")[2] for pin in wanted if ";" not in pin}
        packages = [Package(name, version, USUAL) for name, version in versions.items()]
        if "torch" in versions and platform.system() == "Linux":
            command = [self.python, "-m", "pip", "index", "versions", "torch", *options]
            done = self._run(command, "asking the index what there is", more=ONCE if options else {})
            if done.returncode:
                return None, progress.last_sentence(done.stdout)
            if f"{versions['torch']}+cpu" not in re.split(r"[\s,]+", done.stdout):
                packages.append(Package("cuda-toolkit", "", CUDA_LIBRARIES))
        return Plan(tuple(packages), tuple(options)), None

    def install(self, wanted: list[str], plan: Plan, *, anew: bool = False) -> str | None:
        """Install from pip's cache, or from the index."""
        options = [*plan.options, *([] if _is_compiled(wanted) else ["--no-compile"])]
        options = [*options, *([] if progress.in_terminal() else ["-q"])]
        if anew and (torch := [pin for pin in wanted if name_of(pin) == "torch"]):
            self._run(
                [*self.command, *options, "--force-reinstall", "--no-deps", *torch], "exchanging torch", shown=True
            )
        done = self._run([*self.command, *options, *self._sources(wanted), "-e", "."], "installing", shown=True)
        return None if done.returncode == 0 else progress.last_sentence(done.stdout) or "its words stand above"


def _is_compiled(wanted: list[str]) -> bool:
    """Tell whether all bytecode is written now. Else a module's is at its first import, and most are never imported.

    Ray gives the programs that it starts 15 seconds, in which they can't compile what they import.
    """
    return any(name_of(pin) == "ray" for pin in wanted)


def _size(archive: dict[str, Any]) -> int:
    """Return the size of an archive in bytes: as the index has it, or of the file; 0 where neither is known."""
    if "size" in archive:
        return archive["size"]
    address = urlsplit(archive.get("url", ""))
    with contextlib.suppress(OSError):
        if address.scheme == "file":
            return Path(unquote(address.path)).stat().st_size
        if "path" in archive:
            return (ROOT / archive["path"]).stat().st_size
    return 0
