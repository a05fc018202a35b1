"""Another program in the foreground: it has the terminal, and this one waits for its end."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def run(command: Sequence[str], environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> int:
    """Run a program to its end, and return its exit status.

    Ctrl+C is left to it, for the terminal tells both: it may have something to finish, such as its own children.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        # A handler is not inherited, as an ignored signal would be.
        return subprocess.Popen(command, env=environ, cwd=folder).wait()
    finally:
        signal.signal(signal.SIGINT, before)
