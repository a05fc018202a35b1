"""A Chromium or Chrome of this machine, run without a window, that asks nobody for anything by itself."""

import contextlib
import shutil
from collections.abc import Generator
from typing import TYPE_CHECKING

from course_build import BuildError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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
def launch() -> Generator["Browser"]:
    """Run a browser.

    Raises:
        BuildError: playwright isn't installed, or there is no browser on the PATH.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BuildError("playwright is not installed; `make site` installs it") from error
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        raise BuildError(f"no browser on the PATH: looked for {', '.join(PROGRAMS)}")
    with sync_playwright() as engine:
        running = engine.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()
