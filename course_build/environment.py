"""Makes `.venv`, the environment in which everything else runs, from `requirements.lock`.

Standard library only: this module runs on the bare interpreter of a machine that has nothing else yet. uv installs the
packages, because it takes seconds where pip takes minutes; where uv can't do it, pip does.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from course_build.errors import BuildError
from course_build.paths import LOCK, ROOT

VENV = ROOT / ".venv"
CONDA_NAME = "llm-env"
SUPPORTED = ((3, 11), (3, 13))
UV = "uv==0.13.9"
FREE_BYTES = 3_000_000_000
"""What the packages take on disk at the most, with the CPU build of torch (1.7 GB) and room to unpack it."""


def python(venv: Path = VENV) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def inside(venv: Path = VENV) -> bool:
    """Whether this interpreter may be used as it is: it is the project's own, or that of the conda environment."""
    return Path(sys.prefix).resolve() == venv.resolve() or os.environ.get("CONDA_DEFAULT_ENV") == CONDA_NAME


def is_stale(venv: Path = VENV) -> bool:
    """Whether this interpreter is the project's own, and was made from something else than lies in the checkout now."""
    return Path(sys.prefix).resolve() == venv.resolve() and not is_ready(venv)


def fingerprint() -> str:
    """What an environment was made from: it is made anew when the lock, the project file or Python changes."""
    digest = hashlib.sha256(f"{sys.version} {ROOT} {os.environ.get('COURSE_TORCH', '')}".encode())
    for path in (LOCK, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_ready(venv: Path = VENV) -> bool:
    """Whether the environment is there, whole, and made from what lies in the checkout now."""
    try:
        stamp = json.loads((venv / "course.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stamp.get("fingerprint") == fingerprint() and python(venv).exists()


def ensure(venv: Path = VENV) -> None:
    """Make the environment, or bring it up to date; do nothing when it is ready.

    The stamp that says "ready" is written last, so that an interrupted set-up is taken up again.

    Raises:
        BuildError: Python is too old or too new, the disk is full, or the packages can't be had.
    """
    if is_ready(venv):
        return
    version = sys.version_info[:2]
    if not SUPPORTED[0] <= version <= SUPPORTED[1]:
        raise BuildError(
            f"this is Python {version[0]}.{version[1]}, and the course needs 3.11, 3.12 or 3.13. "
            "Install one of them and name it: make site PYTHON=python3.12"
        )
    free = shutil.disk_usage(ROOT).free
    if not venv.exists() and free < FREE_BYTES:
        raise BuildError(f"the packages need {FREE_BYTES / 1e9:.0f} GB, and this disk has {free / 1e9:.1f} GB left.")
    print(f"environment: making {venv.name} from {LOCK.name} (1.7 GB; a minute or more the first time)", flush=True)
    try:
        with exclusive(venv.with_name(f"{venv.name}.lock")):
            if not is_ready(venv):
                _make(venv)
    except OSError as error:
        raise BuildError(
            f"the environment could not be written: {error}. Free the folder or the disk, and rerun."
        ) from error


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs, so that two set-ups at once don't write into one another's folder.

    The operating system drops the lock when the process ends, however it ends. (filelock, used once the packages are
    there, is one of the packages.)
    """
    with path.open("a+b") as handle:
        if os.name == "nt":
            import msvcrt

            while True:
                handle.seek(0)
                with contextlib.suppress(OSError):  # LK_LOCK gives up after ten seconds; a set-up takes longer
                    msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(venv: Path) -> None:
    (venv / "course.json").unlink(missing_ok=True)
    works = python(venv).exists() and _works([python(venv), "-m", "pip", "--version"])
    if not works:
        _run(
            [sys.executable, "-m", "venv", "--clear", venv],
            "make a virtual environment. On Debian: apt install python3-venv",
        )
    pip = [python(venv), "-m", "pip", "--disable-pip-version-check"]
    packages = ["-r", LOCK, "-e", ROOT]
    # Compiled once, on all cores, and not by each program that imports it: Ray gives those it starts 15 seconds.
    uv = [python(venv), "-m", "uv", "pip", "install", "--compile-bytecode", "--python", python(venv)]
    with_uv = _works([*pip, "install", "-q", UV]) and any(
        _works([*uv, *options, *packages], environ) for options, environ in uv_attempts(pip)
    )
    if not with_uv:
        print("environment: uv could not do it; pip installs the packages (several minutes)", flush=True)
        _run([*pip, "install", "-q", *packages], "install the packages. Is a package index in reach?")
    stamp = {"fingerprint": fingerprint(), "python": platform.python_version(), "installer": "uv" if with_uv else "pip"}
    (venv / "course.json").write_text(json.dumps(stamp), encoding="utf-8")


def avoids_cuda() -> bool:
    """Whether torch is wanted without CUDA, on a system where a package index may have it with."""
    return platform.system() == "Linux" and os.environ.get("COURSE_TORCH", "cpu") == "cpu"


def uv_attempts(pip: list) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The ways to try, best first: uv's options and its environment.

    On Linux PyPI's torch is the CUDA build of several gigabytes. PyTorch's own index has the CPU build, but not every
    network lets one reach it; one quick try tells. COURSE_TORCH=default skips that try and takes what the index gives.
    """
    environ = {**_uv_settings(pip), **os.environ}
    if avoids_cuda():
        yield ["--torch-backend", "cpu"], {**environ, "UV_HTTP_RETRIES": "0"}
    yield [], environ


def _uv_settings(pip: list) -> dict[str, str]:
    """pip's settings as uv names them, for uv reads none of pip's; what is set for uv itself wins over these."""
    settings = {}
    listing = subprocess.run([str(part) for part in [*pip, "config", "list"]], capture_output=True, text=True).stdout
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = value.strip().strip("'\"")
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "cert": "SSL_CERT_FILE",
    }
    found = {names[key]: value for key, value in settings.items() if key in names}
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = found["UV_FIND_LINKS"].replace(" ", ",")
    if "UV_INDEX" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's: the best version of all the indexes
    return found


def _works(command: list, environ: dict[str, str] | None = None) -> bool:
    """Run a command that has a second way behind it, and so fails without a word."""
    return subprocess.run([str(part) for part in command], env=environ, capture_output=True).returncode == 0


def _run(command: list, purpose: str) -> None:
    if subprocess.run([str(part) for part in command]).returncode:
        raise BuildError(f"could not {purpose}")
