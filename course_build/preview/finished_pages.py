"""Finished pages, kept for the next render: only a page that changed is mended again."""

import contextlib
import functools
import hashlib
import shutil
from collections.abc import Generator
from pathlib import Path

from course_build import html_elements
from course_build.paths import LOCK
from course_build.preview import quarto_differences
from course_build.site import content_security_policy, page_weight


def hash_files(folder: Path, suffixes: set[str]) -> str:
    """Hash the names and the contents of a folder's files of some kinds."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in suffixes):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


class Kept:
    """Files that were made before, each under a hash of what it is made of; nothing where there is no folder."""

    def __init__(self, folder: Path | None) -> None:
        """Name the folder; it is made when the first file is kept."""
        self.folder = folder
        self.used: set[str] = set()

    @contextlib.contextmanager
    def files(self, paths: list[Path], made_of: bytes) -> Generator[bool]:
        """Put files and folders that were made before in their places and yield True, or keep what the block makes."""
        if self.folder is None:
            yield False
            return
        store = self.folder / hashlib.sha256(code_version().encode() + made_of).hexdigest()[:32]
        self.used.add(store.name)
        if store.is_dir():
            for number, path in enumerate(paths):
                if (store / str(number)).exists():
                    _copy(store / str(number), path)
            yield True
            return
        yield False
        fresh = store.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for number, path in enumerate(paths):
            if path.exists():
                _copy(path, fresh / str(number))
        fresh.rename(store)

    def forget_the_rest(self) -> None:
        """Delete what this render had no use for."""
        for path in self.folder.iterdir() if self.folder and self.folder.is_dir() else ():
            if path.name not in self.used:
                shutil.rmtree(path)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


@functools.cache
def code_version() -> str:
    """Hash the code that finishes a page, and the versions of what it calls."""
    modules = [
        Path(__file__),
        Path(quarto_differences.__file__),
        Path(page_weight.__file__),
        Path(html_elements.__file__),
        Path(content_security_policy.__file__),
        page_weight.LATE,
        LOCK,
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in modules)).hexdigest()
