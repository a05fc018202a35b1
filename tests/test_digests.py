"""What is remembered of files: nothing that nobody touched is read again, and whatever was touched is."""

import os
import shutil
from pathlib import Path

import pytest

from course_build.models import hashed_files
from course_build.models.hashed_files import RECORD, Digests, hash_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files whose digests are kept, although they are new."""
    monkeypatch.setattr(hashed_files, "SETTLED", 0)
    (tmp_path / "model").mkdir()
    for name in ("weights", "config"):
        (tmp_path / "model" / name).write_bytes(b"so many numbers")
    assert read(tmp_path, monkeypatch) == {"weights", "config"}
    return tmp_path


def read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Ask for all digests as a new process would, hold them to the files, and return the names of those read for it."""
    found = set()

    def hash_and_note(path: Path) -> str:
        found.add(path.name)
        return hash_file(path)

    known = Digests(folder)
    with monkeypatch.context() as patch:
        patch.setattr(hashed_files, "hash_file", hash_and_note)
        for path in [path for path in folder.rglob("*") if path.is_file() and path.name != RECORD]:
            assert known(path) == hash_file(path)
    known.save()
    return found


def flip_a_bit(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def flip_a_bit_and_keep_the_time(path: Path) -> None:
    before = path.stat()
    flip_a_bit(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def replace_with_another(path: Path) -> None:
    other = path.with_name("other")
    shutil.copy2(path, other)
    flip_a_bit_and_keep_the_time(other)
    other.replace(path)


def test_what_nobody_touched_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / RECORD).stat().st_mtime_ns
    assert read(folder, monkeypatch) == set()
    assert (folder / RECORD).stat().st_mtime_ns == before
    assert {path.name for path in folder.iterdir()} == {RECORD, "model"}


@pytest.mark.parametrize(
    "change",
    [
        flip_a_bit,
        pytest.param(
            flip_a_bit_and_keep_the_time, marks=pytest.mark.skipif(os.name == "nt", reason="ctime is no change time")
        ),
        replace_with_another,
        lambda path: path.write_bytes(b""),
        lambda path: path.touch(),
    ],
)
def test_what_was_touched_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch, change) -> None:
    change(folder / "model" / "weights")
    assert read(folder, monkeypatch) == {"weights"}
    assert read(folder, monkeypatch) == set()


def test_a_file_that_is_gone_or_new_is_no_trouble(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "model" / "weights").unlink()
    (folder / "model" / "new").write_bytes(b"new")
    assert read(folder, monkeypatch) == {"new"}
    assert "weights" not in (folder / RECORD).read_text(encoding="utf-8")


def test_a_copy_of_the_folder_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory) -> None:
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(folder, copy)  # with its record
    assert read(copy, monkeypatch) == {"weights", "config"}


def test_a_renamed_folder_is_known_under_its_new_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Digests(folder)
    known(folder / "model" / "weights")
    (folder / "model").rename(folder / "final")
    known.moved(folder / "model", folder / "final")
    known.save()
    assert read(folder, monkeypatch) == set()


def test_a_file_that_has_just_changed_is_read_again_for_its_time_may_not_tell(folder, monkeypatch) -> None:
    monkeypatch.undo()
    (folder / RECORD).unlink()
    for _ in range(2):
        assert read(folder, monkeypatch) == {"weights", "config"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"7", b'{"model/weights": 7}', b'{"model/weights": {}}', b"\xff"]
)
def test_a_damaged_record_is_no_trouble(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    (folder / RECORD).write_bytes(content)
    assert read(folder, monkeypatch) == {"weights", "config"}
    assert read(folder, monkeypatch) == set()


def test_a_record_that_cannot_be_written_is_no_trouble(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / RECORD).unlink()
    (folder / RECORD).mkdir()
    for _ in range(2):
        assert read(folder, monkeypatch) == {"weights", "config"}
    assert {path.name for path in folder.iterdir()} == {RECORD, "model"}
