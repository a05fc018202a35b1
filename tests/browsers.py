"""The browser of the browser tests; where there is none, they are skipped."""

import contextlib
from collections.abc import Iterator

import pytest

from course_build import browser
from course_build.errors import BuildError


@contextlib.contextmanager
def launch() -> Iterator["playwright.Browser"]:  # noqa: F821 - playwright may be missing
    """Run a browser without a window, or skip the test."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(browser.launch())
        except BuildError as error:
            pytest.skip(str(error))
        yield running


LAID_OUT = "main * { content-visibility: visible !important }"
"""For `style`: lay out what is far from the view as well."""


def style(page: "playwright.Page", css: str) -> None:  # noqa: F821
    """Add a style sheet as a reader's browser does it, which the page's policy can't forbid."""
    page.evaluate(
        """css => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync(css);
            document.adoptedStyleSheets.push(sheet);
        }""",
        css,
    )
