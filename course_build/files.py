"""Files that a hash holds: the same bytes on every system."""

import json
from pathlib import Path


def write_json(path: Path, content: dict, indent: int | None = 2) -> None:
    """Write JSON as UTF-8 with a line end.

    Bytes, since text mode writes other line ends on Windows, and the file's hash is to be the same there.
    """
    path.write_bytes((json.dumps(content, indent=indent, ensure_ascii=False) + "\n").encode())
