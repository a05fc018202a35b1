"""The browser of the browser tests; where there is none, they are skipped."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

from course_build import browser
from course_build.errors import BuildError


@contextlib.contextmanager
def launch() -> Iterator["playwright.Browser"]:  # noqa: F821 - playwright may be missing
    """Run a browser without a window, or skip the test. Its pages are there when their libraries are."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(browser.launch())
        except BuildError as error:
            pytest.skip(str(error))
        from playwright.sync_api import Page

        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("goto", "reload"):
            patch.setattr(Page, name, and_read(getattr(Page, name)))
        yield running


def and_read(go: Callable[..., "playwright.Response"]) -> Callable[..., "playwright.Response"]:  # noqa: F821
    """Return a way to a page that also waits for the libraries that a page of Quarto's reads late (lighten.py)."""

    @functools.wraps(go)
    def waiting(page: "playwright.Page", *address: str, **options: object) -> "playwright.Response":  # noqa: F821
        answer = go(page, *address, **options)
        page.wait_for_selector(":root:not([data-libraries=waiting])", state="attached")
        return answer

    return waiting


DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

LESSON = "notebooks/03_huggingface_nlp.html"
"""The lesson that has a part of every kind."""

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
