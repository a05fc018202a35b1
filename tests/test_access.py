"""The rendered site for those who read it enlarged, on paper, by key, by ear, in their own colours, or at rest."""

import threading
from collections.abc import Iterator
from pathlib import Path

import browsers
import pytest

from course_build import preview
from course_build.stage import stage

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

LESSON = "notebooks/03_huggingface_nlp.html"
PAGES = ["index.html", LESSON, "glossary.html", "demo.html"]
"""One page of each kind."""

SPACING = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }"
SPACING += "p { margin-bottom: 2em !important }"
"""What WCAG 1.4.12 says that a reader may set."""

UNREADABLE = """() => {
  const lost = [];
  const shown = [];
  const scrolls = (style) => /auto|scroll/.test(style.overflowX + style.overflowY);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    const visible = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!text.data.trim() || !visible || element.closest("math, .visually-hidden, .screen-reader-only")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const lines = [...range.getClientRects()].filter((line) => line.width > 2 && line.height > 2);
    let covers = true, scroller = false, hidden = false;
    for (let box = element; box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box), edge = box.getBoundingClientRect();
      if (style.clipPath !== "none") hidden = true;
      scroller ||= scrolls(style);
      if (/fixed|sticky/.test(style.position) || box.tagName === "PRE") covers = false;
      const cut = (line) => line.right > edge.right + 1 || line.left < edge.left - 1 ||
        line.bottom > edge.bottom + 2 || line.top < edge.top - 2;
      if (!scroller && !hidden && /hidden|clip/.test(style.overflowX + style.overflowY) && lines.some(cut))
        lost.push(`cut off: ${text.data.trim().slice(0, 40)}`);
    }
    if (covers && !hidden) shown.push(...lines.map((line) => [line, text.data.trim().slice(0, 40)]));
  }
  shown.sort(([one], [other]) => one.top - other.top);
  shown.forEach(([one, text], i) => {
    for (const [other, covered] of shown.slice(i + 1)) {
      if (other.top >= one.bottom) break;
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      if (wide > 3 && high > Math.min(one.height, other.height) / 2) lost.push(`covered: ${text} | ${covered}`);
    }
  });
  for (const picture of document.querySelectorAll("main img")) {
    const { left, right, top, bottom } = picture.getBoundingClientRect();
    for (const [line, text] of shown)
      if (Math.min(right, line.right) - Math.max(left, line.left) > 3 && line.top < bottom - 3 && line.bottom > top + 3)
        lost.push(`on a picture: ${text}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) lost.push("scrolls sideways");
  return lost;
}"""
"""What a reader can't read: text cut off by a box that doesn't scroll, and text beneath other text or on a picture."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, rendered by the preview from the checkout as it is."""
    folder = tmp_path_factory.mktemp("site")
    preview.render(stage(folder / "staged"), folder / "_site")
    return folder / "_site"


@pytest.fixture(scope="module")
def base(site: Path) -> Iterator[str]:
    """The address that the site is served at."""
    with preview.server(site, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with browsers.launch() as running:
        yield running


@pytest.mark.parametrize("spacing", [False, True], ids=["as it is", "spaced"])
@pytest.mark.parametrize(("width", "zoom"), [(1280, 1), (1000, 1), (640, 2), (320, 4)])
def test_text_is_whole_and_alone_at_every_zoom(
    base: str, browser: "playwright.Browser", width: int, zoom: int, spacing: bool
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 1024 // zoom}, device_scale_factor=zoom)
    page = context.new_page()
    lost = {}
    for name in PAGES:
        page.goto(f"{base}/{name}")
        if spacing:
            browsers.style(page, SPACING)
        browsers.style(page, browsers.LAID_OUT)
        page.evaluate("document.fonts.ready")
        if found := page.evaluate(UNREADABLE):
            lost[name] = found[:5]
    context.close()
    assert lost == {}
