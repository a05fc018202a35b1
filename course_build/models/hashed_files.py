"""Files that a hash holds: written the same on every system, hashed, and read again only where they were touched."""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

from course_utils.models import File, find_problem

RECORD = ".verified"


class Entry(TypedDict):
    """The record of a file: its size, times of change and inode when it was read, when that was, and its hash."""

    size: int
    changed: list[int]
    inode: int
    read: int
    sha256: str


SETTLED = 2_000_000_000
"""How old a file has to be when it is read, in nanoseconds, for its digest to be kept. Some file systems count time in
steps of two seconds: within a step, a file can change after it was read and look as before."""


def hash_file(path: Path) -> str:
    """Return a file's sha256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Mapping[str, object], indent: int | None = 2) -> None:
    """Write JSON as UTF-8 with a line end.

    Bytes, since text mode writes other line ends on Windows, and the file's hash is to be the same there.
    """
    path.write_bytes((json.dumps(content, indent=indent, ensure_ascii=False) + "\n").encode())


def find_corrupt_file(folder: Path, files: dict[str, File], digest: Callable[[Path], str] = hash_file) -> str | None:
    """Return what `find_problem` finds, or else the first file whose sha256, as `digest` has it, is another."""
    problem = find_problem(folder, files)
    if problem is None:
        for name, file in files.items():
            if digest(folder / name) != file.sha256:
                return f"{folder / name} has been changed or damaged (its sha256 isn't the manifest's)"
    return problem


class Digests:
    """The hashes of the files below a folder. A file is read again only where its last hash may no longer hold.

    An answer holds while the file's size, its number (inode) and the times of its last change are what they were. The
    time of change (ctime) can't be set back as that of the content (mtime) can, so an edit that keeps size and mtime
    shows, too; not on Windows, where ctime is when the file was made.
    """

    def __init__(self, folder: Path) -> None:
        """Read the record in `folder`, if there is one that can be read."""
        self._folder = folder
        self._entries: dict[str, Entry] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            self._entries = {name: entry for name, entry in found.items() if set(entry) == set(Entry.__annotations__)}
        self._kept = dict(self._entries)

    def __call__(self, path: Path) -> str:
        """Return the file's sha256, in hexadecimal."""
        name, status = self._name(path), path.stat()
        known = (status.st_size, [status.st_mtime_ns, status.st_ctime_ns], status.st_ino)
        entry = self._entries.get(name)
        if entry is None or known != (entry["size"], entry["changed"], entry["inode"]):
            size, changed, inode = known
            entry = Entry(size=size, changed=changed, inode=inode, read=time.time_ns(), sha256=hash_file(path))
            self._entries[name] = entry
        return entry["sha256"]

    def moved(self, source: Path, target: Path) -> None:
        """Know the files of a folder that was renamed under their new paths."""
        before, after = f"{self._name(source)}/", f"{self._name(target)}/"
        for name in [name for name in self._entries if name.startswith(before)]:
            self._entries[after + name.removeprefix(before)] = self._entries.pop(name)

    def save(self) -> None:
        """Write the record, if it changed; where the folder can't be written, all is read again the next time."""
        settled = {
            name: entry
            for name, entry in sorted(self._entries.items())
            if max(entry["changed"]) < entry["read"] - SETTLED and (self._folder / name).is_file()
        }
        if settled != self._kept:
            fresh = self._folder / f"{RECORD}.new"  # what a killed process left is written over
            try:
                fresh.write_text(json.dumps(settled, indent=1), encoding="utf-8")
                fresh.replace(self._folder / RECORD)
            except OSError:
                with contextlib.suppress(OSError):
                    fresh.unlink()

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()
