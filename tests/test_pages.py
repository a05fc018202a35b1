"""Every page of the site in a real browser: private, sound, light, accessible, and no wider than the screen.

A page is loaded twice: at a desk in the light, and on a phone in the dark. All else is asked of the page that is open:
what depends on its room at each size, and what depends on its colours in each scheme.
"""

import functools
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsers import DESKTOP, PHONE, all_reached, show_in
from sitefiles import names

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
AXE = pytest.importorskip("axe_playwright_python.base", reason="axe-core is not installed").AXE_SCRIPT

SMALL_PHONE = {"width": 320, "height": 640}  # what WCAG asks to reflow at

CONTRAST = {"runOnly": ["color-contrast"]}
ALL_BUT_CONTRAST = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"color-contrast": {"enabled": False}},
}
RUN_AXE = """async ([options, chosen]) => {
  const where = chosen ? { include: chosen.map((number) => kindsOfText[number]) } : document;
  const { violations } = await axe.run(where, { resultTypes: ["violations"], ...options });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).slice(0, 3)}`);
}"""

KINDS_OF_TEXT = """() => {
  const known = new Map([[null, { path: "", ink: "" }]]);
  // How an element and all around it look, the box that its text is painted on, and one that cuts it off or scrolls.
  const look = (element) => {
    if (known.has(element)) return known.get(element);
    const around = look(element.parentElement), style = getComputedStyle(element);
    const large = parseFloat(style.fontSize) >= (style.fontWeight < 700 ? 24 : 18.66); // WCAG asks less of it
    const ink = [style.color, large, style.fontWeight, style.textShadow, style.visibility].join();
    const { backgroundColor, backgroundImage, opacity, filter, mixBlendMode, position } = style;
    const paint = [backgroundColor, backgroundImage, opacity, filter, mixBlendMode].join();
    const bare = paint === "rgba(0, 0, 0, 0),none,1,none,normal";
    const names = [element.tagName, element.className, element.disabled, element.ariaDisabled, position].join();
    const path = `${around.path} ${names} ${ink === around.ink ? "" : ink} ${bare ? "" : paint}`;
    const ground = bare ? around.ground : element;
    const clip = style.overflowX === "visible" ? around.clip : element;
    known.set(element, { path, ink, ground, clip });
    return known.get(element);
  };
  const within = (lines, box) => {
    const edge = box.getBoundingClientRect();
    return lines.every((line) => line.left > edge.left - 1 && line.right < edge.right + 1 &&
      line.top > edge.top - 1 && line.bottom < edge.bottom + 1);
  };
  const kinds = new Map();
  const note = (element, letters) => {
    const { path, ground, clip } = look(element), lines = [...element.getClientRects()];
    const seen = !clip || within(lines, clip);
    const alone = seen && ground && !within(lines, ground);
    const cost = element.getElementsByTagName("*").length + (letters > 1 && seen ? 0 : 1e6);
    const kind = alone ? `${path} alone at ${innerWidth} on ${location.pathname} ${kinds.size}` : path;
    if (!(kinds.get(kind)?.cost <= cost)) kinds.set(kind, { element, cost });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode())
    if (text.data.trim() && text.parentElement.checkVisibility()) note(text.parentElement, text.data.trim().length);
  for (const field of document.querySelectorAll("input, select, textarea")) if (field.checkVisibility()) note(field, 2);
  window.kindsOfText = [...kinds.values()].map(({ element }) => element);
  return [...kinds.keys()];
}"""
"""The kinds of text on a page, each with one element of it for axe.

Two texts are of a kind if they and all the elements around them have the same names and classes and look the same: then
they have the same contrast, unless one sticks out of the box that it is painted on, and may lie on something else. axe
leaves a single letter, and what is scrolled out of view, to people: so neither stands for the others of its kind.
"""


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_every_page_is_private_sound_light_accessible_and_fits(
    site: Path, base: str, open_page: Callable[..., "playwright.Page"], size: dict[str, int], scheme: str
) -> None:
    page = open_page(size, color_scheme=scheme)
    troubles: list[str] = []
    asked: set[str] = set()
    judged: set[str] = set()
    watch(page, base, asked, troubles)
    for name in names(site):
        asked.clear()
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{base}/{name}", wait_until="networkidle")
        found = [*heavy(site, name, asked), *wide(page)]
        page.evaluate(AXE)
        found += page.evaluate(RUN_AXE, [ALL_BUT_CONTRAST, None])
        before = len(judged)
        found += faint(page, judged)
        if size == DESKTOP or len(judged) > before:  # what a phone alone shows, it shows in both
            show_in(page, "light" if scheme == "dark" else "dark")
            found += faint(page, judged)
        if size == PHONE:
            page.set_viewport_size(SMALL_PHONE)
            all_reached(page)
            found += wide(page)
        troubles += [f"{name}: {trouble}" for trouble in found]
    assert troubles == []


def watch(page: "playwright.Page", base: str, asked: set[str], troubles: list[str]) -> None:
    """Note from now on which files of the site the page asks for, and what else it asks for or complains of."""

    def note(request: "playwright.Request") -> None:
        asked.add(urlsplit(request.url).path.lstrip("/"))
        if not request.url.startswith((base, "data:")):
            troubles.append(f"asks another host: {request.url}")

    def answered(response: "playwright.Response") -> None:
        if response.status >= 400:
            troubles.append(f"{response.status}: {response.url}")

    page.on("request", note)
    page.on("response", answered)
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))


def heavy(site: Path, name: str, asked: set[str]) -> Iterator[str]:
    """Say if what a page loads before a reader moves, compressed as a host sends it, is too much."""
    if icons := [path for path in asked if "bootstrap-icons." in path and ".woff" in path]:
        yield f"{icons} isn't needed: see styles.css"
    files = [site / path for path in asked if (site / path).is_file()]
    assert site / name in files
    assert site / "styles.css" in files
    if (size := sum(map(compressed, files))) >= 300_000:
        yield f"the first view takes {size} bytes"


@functools.cache
def compressed(path: Path) -> int:
    return len(gzip.compress(path.read_bytes()))


def wide(page: "playwright.Page") -> Iterator[str]:
    """Name what makes a page scroll sideways."""
    all_reached(page)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found = page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('pre, math, .sidebar'))
                .map(e => e.tagName + '.' + e.className)"""
        )
        yield f"scrolls sideways at {page.viewport_size['width']} pixels: {found[:5]}"


def faint(page: "playwright.Page", judged: set[str]) -> list[str]:
    """Say which texts have too little contrast, of the kinds of text that weren't judged before."""
    kinds = page.evaluate(KINDS_OF_TEXT)
    fresh = [number for number, kind in enumerate(kinds) if kind not in judged]
    judged.update(kinds)
    return page.evaluate(RUN_AXE, [CONTRAST, fresh]) if fresh else []
