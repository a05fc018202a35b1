"""The browser of the browser tests: a Chromium or Chrome of this machine, that asks nobody for anything by itself."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def launch() -> Iterator["playwright.Browser"]:  # noqa: F821 - playwright may be missing
    """Run a browser without a window; where there is none, or no playwright, the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        pytest.skip(f"no browser on the PATH: looked for {', '.join(PROGRAMS)}")
    with playwright.sync_playwright() as engine:
        running = engine.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()
