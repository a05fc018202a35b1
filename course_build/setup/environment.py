"""Makes `.venv`, the environment in which everything else runs, from `requirements.lock`, layer by layer.

Standard library only: this module runs on the bare interpreter of a machine that has nothing else yet. uv installs the
packages, because it takes seconds where pip takes minutes; where uv can't do it, pip does.

`.venv/course.json`, the stamp, says that the environment is ours, by which Python and where it was made, and for each
layer what it was made of. It is there from the first moment, so that a set-up that was interrupted is known for ours,
and a layer is written into it when its packages have been imported.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, TypedDict

from course_build import BuildError, progress
from course_build.paths import LOCK, ROOT
from course_build.setup import pip_and_uv_settings
from course_build.setup.installers import TORCH_INDEX, Installer, Pip, Plan, Uv
from course_build.setup.lock import CUDA, UV, in_words, name_of, pins, supported_pythons
from course_build.setup.pip_and_uv_settings import base_interpreter

VENV = ROOT / ".venv"
CONDA_NAME = "llm-env"

STAMP = "course.json"
TORCH_CHOICES = ("", "cpu", "default")
"""COURSE_TORCH: without CUDA where that can be had; without CUDA or not at all; as the package index has it."""

TELLING = {"torch": "torch", "smalldocs": "smalldocs", "pyarrow": "pyarrow", "pytest": "pytest"}
"""A package of each layer, and the module whose import tells that the layer works."""


TESTS_OF_TORCH = ("torch/test", "torch/bin/test_*")
"""torch's own tests, compiled: 120 MB that nothing here runs."""


class Project(TypedDict):
    """The project itself, as an environment holds it: its name, its place, and a hash of what it says that it needs."""

    name: str
    place: str
    needs: str


class Stamp(TypedDict, total=False):
    """The content of the stamp. A key comes when what it tells of is done."""

    python: str
    """By which Python the environment was made (`this_python`)."""
    place: str
    """The folder in which it was made."""
    pip: bool
    project: Project
    torch: str
    """Which torch it has, as COURSE_TORCH would ask for it."""
    layers: dict[str, str]
    """For each layer the hash of what it was made of."""
    fingerprint: str
    """Written by an earlier version of the course, in the place of `layers`."""


def python(venv: Path = VENV) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_own(venv: Path = VENV) -> bool:
    """Tell whether this interpreter is the project's own."""
    return Path(sys.prefix).resolve() == venv.resolve()


def is_conda() -> bool:
    """Tell whether this interpreter is to be used as it is: the conda environment's, or that of a host that says so."""
    return os.environ.get("CONDA_DEFAULT_ENV") == CONDA_NAME


def inside(venv: Path = VENV) -> bool:
    """Tell whether this interpreter may be used as it is: it is the project's own, or that of the conda environment."""
    return is_own(venv) or is_conda()


# ------------------------------------------------------------------------------------------------ what is there


def is_ready(layers: Sequence[str], venv: Path = VENV) -> bool:
    """Tell whether the environment has these layers whole, as the checkout wants them now, by this Python, and here.

    Without layers: whether it is there, with uv in it.
    """
    stamp = read_stamp(venv)
    if find_mismatch(stamp, venv) is not None:
        return False
    return not outdated(layers, stamp, venv) if layers else not missing(["uv"], site_packages(venv))


def is_whole(layers: Iterable[str], venv: Path = VENV) -> bool:
    """Tell whether the environment serves, in whichever versions: this Python, this place, no package missing."""
    names = [project_entry()["name"], *(name for layer in layers for name in _unmarked(pins(layer, LOCK)))]
    lacking = missing(names if layers else ["uv"], site_packages(venv))
    return find_mismatch(read_stamp(venv), venv) is None and not lacking


def read_stamp(venv: Path = VENV) -> Stamp:
    """Return what the stamp says; an empty dict where there is none, or an unreadable one."""
    try:
        stamp: Stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def find_mismatch(stamp: Stamp, venv: Path = VENV) -> str | None:
    """Return why an environment of ours can't be used by this Python or in this place, or None if it can."""
    if not python(venv).exists():
        return "has no Python that runs"
    if "place" not in stamp:
        return "was made by an earlier version of the course"
    if not is_own(venv) and stamp.get("python") != this_python():
        return f"was made by {stamp.get('python')}, and this is {this_python()}"
    if stamp["place"] != str(venv):
        return f"was made in {Path(stamp['place']).parent}"
    return None


def this_python() -> str:
    """Return this Python's version, kind and place, in words: another one can't use what this one installs."""
    kind = sysconfig.get_config_var("EXT_SUFFIX").strip(".").partition(".")[0]
    version = ".".join(map(str, sys.version_info[:2]))
    return f"Python {version} ({kind}) at {Path(base_interpreter()).resolve()}"


def outdated(layers: Iterable[str], stamp: Stamp, venv: Path = VENV) -> list[str]:
    """Return those of the layers that the environment lacks, or has of something else than lies in the checkout."""
    project, made = project_entry(), stamp.get("layers", {})
    if stamp.get("project") != project or _torch_changes(stamp) or missing([project["name"]], site_packages(venv)):
        return list(layers)
    return [
        layer
        for layer in layers
        if made.get(layer) != fingerprint(layer) or missing(_unmarked(pins(layer, LOCK)), site_packages(venv))
    ]


def fingerprint(layer: str) -> str:
    """Return the hash of what is installed for a layer: its pins. Comments don't count."""
    return hashlib.sha256("\n".join(pins(layer, LOCK)).encode()).hexdigest()


def project_entry() -> Project:
    """Return what the environment holds of the project itself: its name, its place and what it says that it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    said = {key: project["project"].get(key) for key in ("version", "dependencies", "optional-dependencies")}
    said["modules"] = sorted(modules(project))
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return {"name": name_of(project["project"]["name"]), "place": str(ROOT), "needs": digest}


def modules(project: dict[str, Any]) -> set[str]:
    """Return the names under which a project file's packages are imported."""
    setuptools = project.get("tool", {}).get("setuptools", {})
    return {name.partition(".")[0] for kind in ("packages", "py-modules") for name in setuptools.get(kind, [])}


def site_packages(venv: Path) -> Path:
    """The folder of an environment of this Python that holds its packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(venv), "platbase": str(venv)}))


def missing(names: Iterable[str], *places: Path) -> list[str]:
    """Return those of the packages that aren't installed, in `places`, or where this interpreter looks."""
    where = [str(place) for place in places] or sys.path
    return [name for name in names if not any(importlib.metadata.distributions(name=name, path=where))]


def _unmarked(requirements: Iterable[str]) -> list[str]:
    """Return the names in requirements that hold on every system. (Markers can't be read without packages.)"""
    return [name_of(requirement) for requirement in requirements if ";" not in requirement]


def missing_here(layers: Iterable[str]) -> list[str]:
    """Return what this interpreter lacks of the packages that the project itself asks for in these layers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {"learn": project.get("dependencies", []), **project.get("optional-dependencies", {})}
    names = [name for layer in layers for name in _unmarked(wanted.get(layer, []))]
    return missing([*names, name_of(project["name"])] if layers else names)


def require(layers: Sequence[str], command: str) -> None:
    """Refuse to run a command in an environment that isn't ours to change, and that lacks what the command needs.

    Raises:
        BuildError: packages are missing; it names them, and the command that installs them.
    """
    if lacking := missing_here(layers):
        more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
        extras = [layer for layer in layers if layer != "learn"]
        project = f".[{','.join(extras)}]" if extras else "."
        named = shutil.which("python")
        program = "python" if named and Path(named).samefile(sys.executable) else f'"{sys.executable}"'
        raise BuildError(
            f"`{command}` needs packages that this Python ({sys.executable}) doesn't have: "
            f"{', '.join(lacking[:4])}{more}.\nInstall them into the environment: "
            f'{program} -m pip install -c {LOCK.name} -e "{project}"'
        )


# ------------------------------------------------------------------------------------------------ how it is made


def ensure(layers: Sequence[str], venv: Path = VENV) -> None:
    """Have the environment with these layers: make it, or add what is missing. A layer that is there stays.

    Raises:
        BuildError: Python is too old or too new, the folder isn't ours, the disk is full, the packages can't be had, or
            can't be imported.
    """
    if is_ready(layers, venv):
        return
    version = sys.version_info[:2]
    if version not in supported_pythons():
        raise BuildError(
            f"this is Python {version[0]}.{version[1]}, and the course needs {in_words(supported_pythons())}. "
            "Install one of them and name it: make site PYTHON=python3.12"
        )
    choice = os.environ.get("COURSE_TORCH", "")
    if choice not in TORCH_CHOICES:
        raise BuildError(f"COURSE_TORCH is {choice!r}; it can be cpu, default, or nothing at all. README.md says more.")
    try:
        with exclusive(venv.with_name(f"{venv.name}.lock")):
            if not is_ready(layers, venv):
                _prepare(venv)
                _add(layers, venv)
    except OSError as error:
        raise BuildError(
            f"the environment could not be written: {error}. Free the folder or the disk, and rerun."
        ) from error


@contextlib.contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Hold a lock file while the block runs, so that two set-ups at once don't write into one another's folder.

    The operating system drops the lock when the process ends, however it ends. (filelock, used once the packages are
    there, is one of the packages.)
    """
    with path.open("a+b") as handle:
        if not _try_to_lock(handle):
            with progress.waiting("environment: another set-up is at work; waiting for it"):
                while not _try_to_lock(handle, wait=True):
                    pass
        yield


def _try_to_lock(handle: IO[bytes], wait: bool = False) -> bool:
    if os.name == "nt":
        import msvcrt

        handle.seek(0)
        with contextlib.suppress(OSError):  # LK_LOCK gives up after ten seconds; a set-up takes longer
            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            return True
        return False
    import fcntl

    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    return False


def _prepare(venv: Path) -> None:
    """Have an environment of this Python and this place, with pip in it: the one that is there, or a new one.

    Raises:
        BuildError: something is there that isn't ours, or this Python can't make an environment.
    """
    taken = venv.exists() and (not venv.is_dir() or any(venv.iterdir()))
    if taken and not (venv / STAMP).is_file():
        raise BuildError(
            f"{venv} wasn't made by the course, so it stays as it is. Give it another name, or delete it if you don't "
            "need it, and run the same command again."
        )
    stamp = read_stamp(venv)
    problem = find_mismatch(stamp, venv)
    if problem is None and stamp.get("pip"):
        if _works([python(venv), "-m", "pip", "--version"]):
            return
        problem = "has no pip that runs"
    if stamp.get("layers") or "fingerprint" in stamp:  # an earlier set-up's
        _say(f"{venv.name} {problem}; it is made anew")
    venv.mkdir(exist_ok=True)
    _write_stamp(venv, {"python": this_python(), "place": str(venv)})
    _remove(path for path in venv.iterdir() if path.name != STAMP)
    _say(f"making {venv.name} with {this_python()}")
    # With the interpreter that this one was made of: this one's own environment may go away.
    made = progress.run([base_interpreter(), "-m", "venv", venv], "environment: making it", shown=False, env=_environ())
    if made.returncode:
        lacks_pip = not _works([base_interpreter(), "-c", "import ensurepip"])
        hint = "\nOn Debian and Ubuntu a package brings what is missing: apt install python3-venv" if lacks_pip else ""
        raise BuildError(f"Python could not make a virtual environment. It says:\n{made.stdout.strip()}{hint}")
    _write_stamp(venv, {**read_stamp(venv), "pip": True})


def _add(layers: Sequence[str], venv: Path) -> None:
    """Install what is missing of these layers, try it, and write them into the stamp.

    Raises:
        BuildError: the disk is full, the packages can't be had, or can't be imported.
    """
    stamp = read_stamp(venv)
    stale = outdated(layers, stamp, venv)
    kept = {layer: made for layer, made in stamp.get("layers", {}).items() if layer not in stale}
    _write_stamp(venv, {**stamp, "layers": kept})  # what is begun isn't there
    with pip_and_uv_settings.uv_environ(python(venv)) as environ:
        uv = Uv(venv, python(venv), environ)
        problem = uv.find_problem() or (_install(uv, stale, stamp) if stale else None)
        if problem and not stale:
            raise BuildError(f"{UV}, which resolves the dependencies, can't be had: {problem}")
    if problem:
        _say(f"uv can't do it ({problem}); pip takes over, which takes minutes")
        pip = Pip(venv, python(venv), pip_and_uv_settings.pip_environ(interpreter=python(venv)))
        if problem := _install(pip, stale, stamp):
            raise BuildError(f"could not install the packages: {problem}\nIs a package index in reach?")
    if stale:
        _try(stale, venv)
        _remove(path for pattern in TESTS_OF_TORCH for path in site_packages(venv).glob(pattern))
        made = {**kept, **{layer: fingerprint(layer) for layer in stale}}
        _write_stamp(venv, {**stamp, "project": project_entry(), "torch": _torch(venv), "layers": made})


def _install(installer: Installer, layers: Sequence[str], stamp: Stamp) -> str | None:
    """Plan, say what will come, and install; return why that can't be done, or None.

    Raises:
        BuildError: the disk is full, or torch comes with CUDA and must not.
    """
    wanted = [pin for layer in layers for pin in pins(layer, LOCK)]
    plan, problem = installer.plan(wanted)
    if plan is None:
        return problem
    there = _installed(installer.venv)
    plan = _without_cuda(plan, installer, wanted, there)
    _announce(plan.without(there), layers, stamp, installer.venv)
    return installer.install(wanted, plan, anew=_torch_changes(stamp))


def _torch_changes(stamp: Stamp) -> bool:
    """Tell whether COURSE_TORCH asks for another torch than the one that is there."""
    return "learn" in stamp.get("layers", {}) and os.environ.get("COURSE_TORCH", "") not in ("", stamp.get("torch"))


def _torch(venv: Path) -> str:
    """Return which torch is there, as COURSE_TORCH would ask for it."""
    cuda = any(CUDA.match(name) for name, _ in _installed(venv))
    return os.environ.get("COURSE_TORCH") or ("default" if cuda else "cpu")


def _installed(venv: Path) -> set[tuple[str, str]]:
    """Return name and version of each package in an environment."""
    found = importlib.metadata.distributions(path=[str(site_packages(venv))])
    return {(name_of(one.name), one.version) for one in found}


def avoids_cuda() -> bool:
    """Tell whether torch is wanted without CUDA, on a system where a package index may have it with CUDA."""
    return platform.system() == "Linux" and os.environ.get("COURSE_TORCH", "") != "default"


def _without_cuda(plan: Plan, installer: Installer, wanted: list[str], there: set[tuple[str, str]]) -> Plan:
    """Return a plan without torch's CUDA libraries, where they aren't asked for and there is a way round them.

    On Linux PyPI's torch is the CUDA build of several gigabytes. PyTorch's own index has the CPU build, but not every
    network lets one reach it.

    Raises:
        BuildError: they are to be avoided at all costs, and can't be.
    """
    if not avoids_cuda() or not plan.without(there).has_cuda:
        return plan
    other, _ = installer.plan(wanted, installer.without_cuda)
    if other and not other.has_cuda:
        return other
    if os.environ.get("COURSE_TORCH") == "cpu":
        raise BuildError(
            f"COURSE_TORCH=cpu asks for torch without CUDA. {TORCH_INDEX}, which has it, can't be reached, and the "
            "package index has torch with CUDA only. Name a folder or an index that has the other one (PIP_FIND_LINKS, "
            "PIP_EXTRA_INDEX_URL), or take what there is: COURSE_TORCH=default."
        )
    return plan


def _announce(fetched: Plan, layers: Sequence[str], stamp: Stamp, venv: Path) -> None:
    """Say what will be fetched and how much it is.

    Raises:
        BuildError: the disk has no room for it.
    """
    if not fetched.packages:
        _say("bringing it up to date; nothing is to be fetched")
        return
    download, disk = fetched.sizes()
    names = " and ".join(filter(None, [", ".join(layers[:-1]), layers[-1]]))
    count = f"{len(fetched.packages)} package{'s' if len(fetched.packages) > 1 else ''}"
    size = f"about {_amount(disk)} on disk, {_amount(download)} to fetch if no cache has it"
    had = stamp.get("layers", {}).keys()
    _say(f"{'updating' if had >= set(layers) else 'adding' if had else 'installing'} {names} ({count}, {size})")
    if fetched.has_cuda and os.environ.get("COURSE_TORCH") != "default":
        _say(
            f"torch comes with CUDA here, which is most of it: {TORCH_INDEX}, which has it without, can't be reached. "
            "To choose otherwise, press Ctrl-C: COURSE_TORCH=cpu refuses CUDA, COURSE_TORCH=default takes it without "
            "this notice, and an index or a folder that has a build without it counts (PIP_FIND_LINKS)."
        )
    free = shutil.disk_usage(venv).free
    if free < disk:
        raise BuildError(
            f"the packages need about {_amount(disk)}, and this disk has {_amount(free)} left. Free some space, and "
            "run the same command again."
        )


def _amount(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size, 1e5) / 1e6:.{0 if size >= 1e7 else 1}f} MB"


def _try(layers: Sequence[str], venv: Path) -> None:
    """Import something of each layer with the environment's own interpreter, from outside the checkout.

    Raises:
        BuildError: it isn't there, or can't be imported.
    """
    wanted = [pin for layer in layers for pin in pins(layer, LOCK)]
    if lacking := missing(_unmarked(wanted), site_packages(venv)):
        raise BuildError(f"the installation ended well, and yet {venv.name} has no {', '.join(lacking[:4])}.")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    there = {name_of(pin) for pin in wanted}
    names = [*sorted(modules(project)), *(module for name, module in TELLING.items() if name in there)]
    code = f"import {', '.join(names)}" if names else ""
    # -I: nothing of the surroundings, neither variables nor the current folder, may stand in for what is missing.
    command = [python(venv), "-I", "-c", code]
    tried = progress.run(command, "environment: trying it", shown=False, cwd=venv, env=_environ())
    if tried.returncode:
        raise BuildError(
            f"the packages are installed, and can't be imported: {progress.last_sentence(tried.stdout)}\n"
            f"Delete {venv} and run the same command again; if it fails in the same way, another Python may do."
        )


def _write_stamp(venv: Path, stamp: Stamp) -> None:
    fresh = venv / f"{STAMP}.new"
    fresh.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    fresh.replace(venv / STAMP)


def _remove(paths: Iterable[Path]) -> None:
    """Delete files and folders."""
    for path in list(paths):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _environ() -> dict[str, str]:
    """The variables of a child that is a Python of ours."""
    return pip_and_uv_settings.environ("PYTHONDONTWRITEBYTECODE")


def _say(text: str) -> None:
    """Print a notice to stderr: lesson 2 runs commands and saves what they print."""
    print(f"environment: {text}", file=sys.stderr, flush=True)


def _works(command: Sequence[str | Path]) -> bool:
    """Run a command for its exit status alone."""
    return subprocess.run([str(part) for part in command], env=_environ(), capture_output=True).returncode == 0
