"""The browser of the browser tests; where there is none, they are skipped."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from course_build import BuildError
from course_build.site import chromium


@contextlib.contextmanager
def launch() -> Iterator["playwright.Browser"]:  # noqa: F821 - playwright may be missing
    """Run a browser without a window, or skip the test. Its pages are there when their libraries are."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(chromium.launch())
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


class Window:
    """A window in which the tests of a module open their pages, each as in a browser that was never on the site.

    To open a window is three times the work of loading a lesson, and a tab the same work again. So there is one window,
    whose first tab serves the tests in turn, and what a page stored goes with it.
    """

    def __init__(self, running: "playwright.Browser"):  # noqa: F821
        """Open it."""
        self.context = running.new_context(viewport=DESKTOP, color_scheme="light")
        self.page = self.context.new_page()
        self.session = self.context.new_cdp_session(self.page)
        self.origins: set[str] = set()
        self.watch(self.page)
        for name in ("add_init_script", "expose_function", "on", "route"):
            setattr(self.page, name, refuse)

    def open(self, size: dict[str, int] = DESKTOP, **wishes: str) -> "playwright.Page":  # noqa: F821
        """Open a tab of a size, for a reader with wishes that `Page.emulate_media` takes."""
        page = self.context.new_page()
        page.set_viewport_size(size)
        page.emulate_media(**wishes)
        self.watch(page)
        return page

    def watch(self, page: "playwright.Page") -> None:  # noqa: F821
        """Note where a tab goes, and so may store something."""
        page.on("framenavigated", lambda frame: self.origins.add("{0.scheme}://{0.netloc}".format(urlsplit(frame.url))))

    def reset(self) -> None:
        """Empty the first tab, close the others, and forget what was stored and allowed."""
        for page in self.context.pages[1:]:
            page.close()
        self.page.goto("about:blank")
        self.page.set_viewport_size(DESKTOP)
        self.page.emulate_media(
            media="null", color_scheme="light", reduced_motion="null", forced_colors="null", contrast="null"
        )
        for origin in self.origins - {"about://"}:
            self.session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self.origins.clear()
        self.context.clear_cookies()
        self.context.clear_permissions()


def refuse(*_: object, **__: object) -> None:
    """Keep a test from leaving something on the tab that others use."""
    raise TypeError("What stays on a page needs a tab of its own: open_page()")


def visit(page: "playwright.Page", address: str) -> "playwright.Response":  # noqa: F821
    """Go to a page, and wait for its fonts as well: what lies where depends on them."""
    answer = page.goto(address)
    page.evaluate("document.fonts.ready.then(() => {})")
    return answer


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


def show_in(page: "playwright.Page", scheme: str) -> None:  # noqa: F821
    """Turn an open page light or dark, as the system of a reader who never chose does in the evening."""
    page.emulate_media(color_scheme=scheme)
    dark = ":is(html, body).quarto-dark"  # the preview marks the one and Quarto the other
    page.wait_for_selector(dark if scheme == "dark" else f"html:not({dark}) > body:not({dark})", state="attached")
    page.evaluate(
        """() => Promise.allSettled(
            document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished)
        ).then(() => {})"""
    )


def reached(page: "playwright.Page") -> list[list[bool]]:  # noqa: F821
    """Of every box of code, output, table or formula that is not folded away: is it far off, does it scroll, can it be
    focused? Asking lays out what is far off, so the last comes first."""
    return page.evaluate(
        """() => [...document.querySelectorAll("main :is(pre, .cell-output, .sd-table, math[display='block'])")]
            .filter((box) => !box.closest("details:not([open])"))
            .map((box) => {
                const reached = box.tabIndex >= 0;
                const far = !box.checkVisibility({ contentVisibilityAuto: true });
                const over = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
                return [far, over && getComputedStyle(box).overflowX !== "visible", reached];
            })"""
    )


def all_reached(page: "playwright.Page") -> list[list[bool]]:  # noqa: F821
    """Wait until what scrolls, and nothing else, can be focused; return what `reached` then says."""
    for _ in range(100):
        boxes = reached(page)
        if all(scrolls == focus for _, scrolls, focus in boxes):
            break
        page.wait_for_timeout(100)
    return boxes
