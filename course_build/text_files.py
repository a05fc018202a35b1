"""Text that people write: read it, and say in a sentence what is wrong with it.

Each message names the file and, where it can be known, the line. What it advises never costs anybody their work.
"""

from pathlib import Path

from course_build import BuildError
from course_build.paths import ROOT, STAGED


def name_of(path: Path) -> str:
    """Return what a message calls a file: its address from the checkout's root, or its folder's name and its own."""
    path = path.absolute()
    if path.is_relative_to(STAGED):
        path = ROOT / path.relative_to(STAGED)  # a copy of it is the source that a person can mend
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else f"{path.parent.name}/{path.name}"


def read_text(path: Path, name: str | None = None) -> str:
    r"""Read a file of UTF-8 text, with `\n` at the end of each line and without a byte order mark.

    Args:
        path: the file.
        name: what a message calls it.

    Raises:
        BuildError: it can't be read, or isn't UTF-8.
    """
    name = name or name_of(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuildError(f"{name} can't be read: {error.strerror or error}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            place, found = name, "it is UTF-16"
        else:
            line = content.count(b"\n", 0, error.start) + 1
            place = f"{name}, line {line}"
            found = f"the byte 0x{content[error.start]:02X} isn't UTF-8, so it may be Latin-1 or Windows-1252"
        raise BuildError(
            f"{place}: {found}. Open the file in an editor that shows its letters rightly, and save it as UTF-8."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
