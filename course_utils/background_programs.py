"""Programs beside a notebook, in processes of their own, which end with the notebook whatever ends that.

`python -m course_utils serve` runs until it is told to stop. A notebook that is closed, or whose kernel is killed,
tells it nothing. So the process that is started here also watches its standard input: that is a pipe whose other end
only the notebook holds, and it ends when the notebook does. `start_service` has the service watch it, and
`run_and_clean_up` a keeper beside a program that starts further ones, as a cluster does.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil


class BackgroundService:
    """A running `python -m course_utils serve`. `start_service` makes one."""

    def __init__(self, options: tuple[str, ...]) -> None:
        """Start the process, on a free port of this machine."""
        self.options = ("--port", "0", *options)
        self.url = ""
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115, `stop` closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, "serve", *self.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        assert self._process.stdin, "a pipe"
        assert self._process.stdout, "another"
        self._held, self._said = self._process.stdin, self._process.stdout

    @property
    def command(self) -> str:
        """The command that you would type to have the same service."""
        return " ".join(["python -m course_utils serve", *self.options])

    @property
    def running(self) -> bool:
        """True while the process is there."""
        return self._process.poll() is None

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for the address, and then for the model.

        Raises:
            RuntimeError: the process ended, or took longer; the message has what it said.
        """
        late = threading.Timer(seconds, self._process.kill)
        late.start()
        try:
            found = re.search(r"https?://\S+", self._said.readline())
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
            self._held.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()
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


def run_and_clean_up(command: list[str], *, timeout: float, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a program, wait for its end, and then end all that it started and left behind.

    So it is whether the program finishes, fails or takes too long, and when the call is interrupted or this process
    killed. The program has no standard input. Its descendants are known by their session, which they keep when their
    parent is gone; on Windows, which has no sessions, only those are ended whose parents are still there.

    Args:
        command: the program and its arguments.
        timeout: seconds that it may take.
        options: further ones of `subprocess.Popen`, such as `cwd`, `env` and `stdout`.

    Returns:
        What `subprocess.run` does; its status is 127 where there is no such program.

    Raises:
        subprocess.TimeoutExpired: the program took longer, and was ended.
    """
    watched, held = os.pipe()
    try:
        keeper = subprocess.Popen(
            [sys.executable, "-m", __name__, "keep", *command], stdin=watched, start_new_session=True, **options
        )
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(watched)
    with keeper:
        try:
            stdout, stderr = keeper.communicate(timeout=timeout)
        finally:
            os.close(held)  # the keeper ends what is left, then itself, and `with` waits for it
    return subprocess.CompletedProcess(command, keeper.returncode, stdout, stderr)


def _at_end_of_input(act: Callable[[], object]) -> None:
    def watch() -> None:
        # Not by sys.stdin, whose lock a thread would still hold while the interpreter ends.
        while os.read(0, 1024):
            pass
        act()

    threading.Thread(target=watch, daemon=True).start()


def _keep(command: list[str]) -> int:
    """Run a program, end what it leaves behind, and return its status, as a shell does if a signal ended it."""
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{command[0]} could not be started: {error}", file=sys.stderr)
        return 127
    _at_end_of_input(_end_descendants)
    status = program.wait()
    _end_descendants()
    return status if status >= 0 else 128 - status


def _end_descendants(seconds: float = 10) -> None:
    """Kill them, and those that they start meanwhile, until none is left."""
    deadline = time.monotonic() + seconds
    while (left := _descendants()) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.05)


def _descendants() -> list[psutil.Process]:
    """The living processes that this one's children are or have started."""
    found = {process.pid: process for process in psutil.Process().children(recursive=True)}
    for pid in psutil.pids() if hasattr(os, "getsid") else ():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == os.getsid(0) and pid != os.getpid():
                found[pid] = psutil.Process(pid)
    living = []
    for process in found.values():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
    return living


if __name__ == "__main__":
    purpose, *arguments = sys.argv[1:]
    if purpose == "keep":
        sys.exit(_keep(arguments))
    from course_utils.__main__ import main

    _at_end_of_input(functools.partial(signal.raise_signal, signal.SIGINT))
    sys.exit(main(["serve", *arguments]))
