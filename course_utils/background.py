"""A service beside a notebook, in a process of its own, which ends with the notebook whatever ends that.

`python -m course_utils serve` runs until it is told to stop. A notebook that is closed, or whose kernel is killed,
tells it nothing. So the process that is started here also watches its standard input: that is a pipe whose other end
only the notebook holds, and it ends when the notebook does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


class BackgroundService:
    """A running `python -m course_utils serve`. `start_service` makes one."""

    def __init__(self, options: tuple[str, ...]) -> None:
        """Start the process, on a free port of this machine."""
        self.options = ("--port", "0", *options)
        self.url = ""
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115, `stop` closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *self.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )

    @property
    def command(self) -> str:
        """What you would type to have the same service."""
        return " ".join(["python -m course_utils serve", *self.options])

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for the address, and then for the model.

        Raises:
            RuntimeError: the process ended, or took longer; the message has what it said.
        """
        late = threading.Timer(seconds, self._process.kill)
        late.start()
        try:
            found = re.search(r"https?://\S+", self._process.stdout.readline())
            if found:
                self.url = found[0]
            else:  # it has nothing more to say, and is about to end
                self._process.wait()
            while self.running and not self._is_ready():
                time.sleep(0.1)
        finally:
            late.cancel()
        if not self.running:
            self._log.seek(0)
            said = self._log.read().strip()
            raise RuntimeError(f"the service did not get ready ({self.command}). It said: {said or 'nothing'}")

    def _is_ready(self) -> bool:
        # Without the proxy that an environment may name: this is the same machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError), opener.open(f"{self.url}/health", timeout=5) as response:
            return response.status == 200
        return False

    def stop(self, seconds: float = 20) -> int:
        """End the process as Ctrl+C does, by force if it takes longer; return its exit status. Twice does no harm."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
        atexit.unregister(self.stop)
        return self._process.returncode


def start_service(*options: str, seconds: float = 300) -> BackgroundService:
    """Start `python -m course_utils serve` on a free port, and return when it is ready to answer.

    It ends when `stop` is called, and else with this process.

    Args:
        options: further ones of the command, such as `"--max-texts", "32"`.
        seconds: how long it may take to get ready.

    Raises:
        RuntimeError: it did not get ready; the message has what it said.
    """
    service = BackgroundService(options)
    atexit.register(service.stop)
    try:
        service.wait_until_ready(seconds)
    except BaseException:
        service.stop(0)
        raise
    return service


def _interrupt_at_end_of_input() -> None:
    # Not by sys.stdin, whose lock a thread would still hold while the interpreter ends.
    while os.read(0, 1024):
        pass
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    from course_utils.__main__ import main

    threading.Thread(target=_interrupt_at_end_of_input, daemon=True).start()
    sys.exit(main(["serve", *sys.argv[1:]]))
