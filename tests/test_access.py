"""The rendered site for those who read it enlarged, on paper, by key, by ear, in their own colours, or at rest."""

import io
import itertools
import re
from collections.abc import Callable

import browsers
import numpy as np
import pytest
from browsers import DESKTOP, LESSON, PHONE, visit
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

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


Opener = Callable[..., "playwright.Page"]


@pytest.fixture
def page(page: "playwright.Page") -> "playwright.Page":
    """A page at a desk, in the light, whose motion is reduced so that nothing waits for it."""
    page.emulate_media(reduced_motion="reduce")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_text_is_whole_and_alone_at_every_zoom(base: str, open_page: Opener, name: str) -> None:
    page = open_page(reduced_motion="reduce")
    session = page.context.new_cdp_session(page)
    visit(page, f"{base}/{name}")
    browsers.style(page, browsers.LAID_OUT)
    lost = {}
    for spacing in ("", SPACING):
        browsers.style(page, spacing)
        for width, zoom in ((1280, 1), (1000, 1), (640, 2), (320, 4)):
            screen = {"width": width, "height": 1024 // zoom, "deviceScaleFactor": zoom, "mobile": False}
            session.send("Emulation.setDeviceMetricsOverride", screen)
            assert page.evaluate("[innerWidth, devicePixelRatio]") == [width, zoom]
            if found := page.evaluate(UNREADABLE):
                lost[width, zoom, spacing] = found[:5]
    assert lost == {}


# ------------------------------------------------------------------------------------------------------------- paper

SHOWN = """selector => [...document.querySelectorAll(selector)]
    .filter(element => element.checkVisibility() && element.getBoundingClientRect().height > 0)
    .map(element => element.outerHTML.slice(0, 100))"""


def test_paper_has_the_text_and_nothing_to_press(base: str, page: "playwright.Page") -> None:
    paper = {"width": 680, "height": 960}  # what a sheet of A4 has between the margins, in CSS pixels
    page.set_viewport_size(paper)
    page.emulate_media(color_scheme="dark")
    for name in [*PAGES, "syllabus.html"]:
        page.emulate_media(media="screen")
        visit(page, f"{base}/{name}")
        page.emulate_media(media="print")
        assert page.evaluate(SHOWN, "nav, header#quarto-header, footer, button, input, .sidebar, .page-contents") == []
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.querySelector('main p')).color") in BLACKS
        assert page.evaluate(UNREADABLE) == [], name
        wide = "pre => pre.checkVisibility() && pre.scrollWidth > pre.clientWidth + 1 || pre.scrollTop > 0"
        assert page.locator("main pre").evaluate_all(f"all => all.filter({wide}).map(pre => pre.innerText)") == []
        high = "pre => pre.checkVisibility() && pre.scrollHeight > pre.clientHeight + 1"
        assert page.locator("main pre").evaluate_all(f"all => all.filter({high}).map(pre => pre.innerText)") == []


BLACKS = ("rgb(0, 0, 0)", "rgb(51, 51, 51)")


def test_what_is_folded_is_printed_at_the_end(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    folded = page.locator("main details:is(.exercise-hint, .exercise-solution, .quiz-choice)")
    texts = folded.evaluate_all("boxes => boxes.map(box => box.lastElementChild.textContent.trim())")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = page.locator(".printed-answers")
    shown = " ".join(printed.inner_text().split())
    assert len(texts) > 20
    assert [text for text in texts if " ".join(text.split()) not in shown] == []
    for spoiler in folded.locator("xpath=self::*[not(ancestor::*[@class='printed-answers'])]/*[last()]").all():
        playwright.expect(spoiler).to_be_hidden()
    exercises = page.locator("main h3:has-text('Exercise')").all_inner_texts()
    assert {title.strip() for title in exercises} <= {
        title.strip() for title in printed.locator("h3").all_inner_texts()
    }
    assert printed.locator("[id], [name]").count() == 0, "what is there twice has its name once"
    address = page.locator("main p a[href^='https://huggingface.co']").first
    assert (
        address.evaluate("link => getComputedStyle(link, '::after').content").strip('"')
        == f" ({address.get_attribute('href')})"
    )
    inside = page.locator("main a[href*='glossary.html']").first
    assert inside.evaluate("link => getComputedStyle(link, '::after').content") == "none"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert printed.count() == 0


def test_the_browser_prints_the_answers_too(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    page.evaluate("addEventListener('afterprint', () => { document.title = 'printed'; })")
    page.evaluate(
        """addEventListener('beforeprint', () => {
            document.body.dataset.answers = document.querySelectorAll('.printed-answers details[open]').length;
        })"""
    )
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert (
        int(page.locator("body").get_attribute("data-answers"))
        == page.locator("main details:is(.exercise-hint, .exercise-solution, .quiz-choice)").count()
    )
    playwright.expect(page.locator(".printed-answers")).to_have_count(0)


# ------------------------------------------------------------------------------------------------- colours and motion


def luminances(png: bytes) -> np.ndarray:
    """Return the luminance of each pixel of a screenshot, as WCAG 2 defines it: shape (height, width)."""
    channels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float) / 255
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast_within(png: bytes) -> float:
    """Return the contrast of the lightest and the darkest pixel."""
    found = luminances(png)
    return float((found.max() + 0.05) / (found.min() + 0.05))


DRAWN = {
    ".quarto-color-scheme-toggle": "index.html",
    "#quarto-search": "index.html",
    ".quarto-grid-item": "index.html",
    ".code-copy-button": LESSON,
    ".callout-icon-container": LESSON,
    ".nav-page-next a": LESSON,
    ".cell": LESSON,
    ".exercise-hint": LESSON,
    ".quiz-choice": LESSON,
    ".code-annotation-container-grid dt": LESSON,
    ".progress-button": LESSON,
    ".callout-toggle": "notebooks/04_tokenizers.html",
    ".navbar-toggler-icon": "small",
    ".quarto-btn-toggle": "small",
}
"""What must be seen whatever the colours, and a page that has it."""


def test_nothing_is_lost_in_the_readers_own_colours(base: str, page: "playwright.Page") -> None:
    page.emulate_media(forced_colors="active")
    faint = {}
    for name, group in itertools.groupby(DRAWN.items(), lambda item: item[1]):
        if name == "small":
            page.set_viewport_size(PHONE)
        visit(page, f"{base}/{LESSON if name == 'small' else name}")
        browsers.style(page, browsers.LAID_OUT)
        parts = [selector for selector, _ in group]
        for scheme in ("light", "dark"):
            browsers.show_in(page, scheme)
            page.evaluate("scrollTo(0, 0)")  # Quarto's header hides while the page is scrolled down
            playwright.expect(page.locator("#quarto-header")).to_be_in_viewport(ratio=1)
            for selector in parts:
                seen = contrast_within(page.locator(selector).locator("visible=true").first.screenshot())
                if seen < 3:
                    faint[selector, scheme] = seen
    assert faint == {}
    page.set_viewport_size(DESKTOP)
    for scheme in ("light", "dark"):
        browsers.show_in(page, scheme)
        for box in (".callout", ".cell", ".cell-output", ".exercise-hint", ".quiz-choice", ".progress-button"):
            edge = page.locator(box).first.evaluate("box => getComputedStyle(box).borderLeft")
            assert not edge.startswith("0px"), box
            assert "none" not in edge, box


def test_more_contrast_is_given_to_who_asks(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    for scheme in ("light", "dark"):
        browsers.show_in(page, scheme)
        lines = []
        for wish in ("no-preference", "more"):
            page.emulate_media(contrast=wish)
            colours = page.locator(".quiz-choice").first.evaluate(
                "box => [getComputedStyle(box).borderLeftColor, getComputedStyle(document.body).backgroundColor]"
            )
            lines.append(contrast(*colours))
        assert lines[0] < 3 < 4.5 < lines[1], scheme


MOVING = """() => {
  const moving = [];
  const seconds = (text) => Math.max(...text.split(",").map(parseFloat));
  for (const element of document.querySelectorAll("*"))
    for (const part of [null, "::before", "::after"]) {
      const style = getComputedStyle(element, part);
      const animated = style.animationName === "none" ? 0 : seconds(style.animationDuration);
      const repeated = animated && parseFloat(style.animationIterationCount.replace("infinite", "Infinity"));
      moving.push([element.tagName + "." + element.className, seconds(style.transitionDuration), animated * repeated]);
    }
  return moving.filter(([, change, animation]) => change > LIMIT || animation > LIMIT);
}"""


@pytest.mark.parametrize(("wish", "limit"), [("reduce", 0.01), ("no-preference", 5)])
def test_what_moves_rests_soon_and_at_once_where_asked(
    base: str, page: "playwright.Page", wish: str, limit: float
) -> None:
    page.emulate_media(reduced_motion=wish)
    for name in PAGES:
        visit(page, f"{base}/{name}")
        assert page.evaluate(MOVING.replace("LIMIT", str(limit))) == [], name
        # What follows the reader's own scrolling rests with it.
        running = "document.getAnimations().filter((one) => one.timeline instanceof DocumentTimeline).length"
        for _ in range(50):
            if not (moving := page.evaluate(running)):
                break
            page.wait_for_timeout(100)
        assert not moving, name
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


# ---------------------------------------------------------------------------------------------------------- the keys

STOP = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
  const style = getComputedStyle(element.closest(".aa-Form") ?? element);
  const inside = parseFloat(style.outlineOffset) < 0;
  let ground = inside ? element : element.parentElement;
  while (ground && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
  const within = (value, most) => Math.min(Math.max(value, 1), most - 1);
  const hit = document.elementFromPoint(within(left + width / 2, innerWidth), within(top + height / 2, innerHeight));
  const room = parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth);
  let cut = false;
  for (let box = element.parentElement; box && !cut && box !== document.body; box = box.parentElement) {
    const clips = /hidden|clip|auto|scroll/.test(getComputedStyle(box).overflowX + getComputedStyle(box).overflowY);
    const edge = box.getBoundingClientRect();
    cut = clips && box !== document.documentElement && (left - room < edge.left - 1 || right + room > edge.right + 1);
  }
  const inline = getComputedStyle(element).display === "inline" && element.closest("p, li, dd, td") !== null;
  const inner = element.querySelector("img[alt], [aria-label]");
  const name = element.getAttribute("aria-label") || element.title || element.textContent.trim() || element.id ||
    inner?.alt || inner?.ariaLabel || "";
  return {
    name: name.trim().slice(0, 40),
    what: element.tagName + "." + element.className,
    ring: style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2 ? null : style.outlineColor,
    ground: ground ? getComputedStyle(ground).backgroundColor : "rgb(255, 255, 255)",
    shown: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
    covered: !(hit && (element.contains(hit) || hit.contains(element))),
    small: !inline && !element.matches("[role=group], pre, math") && Math.min(width, height) < 23.9,
    cut,
    place: element.closest("main") && !element.closest("figure") ? [Math.round(top + scrollY), Math.round(left)] : null,
  };
}"""
"""Where the focus is: whether it can be seen there, and against what its ring stands out."""


def contrast(*colours: str) -> float:
    """Return the contrast of two colours as a browser writes them, rgb(r, g, b)."""
    values = [np.array([float(part) for part in colour[4:-1].split(",")]).reshape(1, 1, 3) for colour in colours]
    pictures = []
    for value in values:
        file = io.BytesIO()
        Image.fromarray(value.astype("uint8")).save(file, "PNG")
        pictures.append(float(luminances(file.getvalue())[0, 0]))
    dark, light = sorted(pictures)
    return (light + 0.05) / (dark + 0.05)


def walk(page: "playwright.Page", most: int = 300) -> list[dict]:
    """Press Tab from the address bar until the focus leaves the page."""
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            return stops
        stops.append(stop)
    raise AssertionError(f"the focus doesn't leave the page in {most} steps; it is at {stops[-1]}")


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "phone"])
def test_the_focus_is_seen_wherever_it_goes(base: str, open_page: Opener, scheme: str, size: dict[str, int]) -> None:
    page = open_page(size, color_scheme=scheme)
    for name in PAGES:
        visit(page, f"{base}/{name}")
        browsers.style(page, browsers.LAID_OUT)
        stops = walk(page)
        assert stops, name
        assert stops[0]["what"] == "A.skip-link", name
        for fault in ("covered", "small", "cut"):
            assert [(stop["name"], stop["what"]) for stop in stops if stop[fault]] == [], f"{name}: {fault}"
        assert [stop for stop in stops if not stop["shown"]] == [], name
        assert [stop for stop in stops if not stop["ring"] or contrast(stop["ring"], stop["ground"]) < 3] == [], name
        assert [stop for stop in stops if not stop["name"]] == [], name
        places = [stop["place"] for stop in stops if stop["place"]]
        back = [
            pair for pair in itertools.pairwise(places) if pair[1][0] < pair[0][0] - 40 and pair[1][1] <= pair[0][1]
        ]
        assert back == [], name


def test_search_is_used_by_key_and_by_ear(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/index.html")
    page.keyboard.press("/")
    field = page.locator("#quarto-search input")
    playwright.expect(field).to_be_focused()
    playwright.expect(page.get_by_role("searchbox", name="Search").or_(field)).to_have_count(1)
    page.keyboard.type("softmax")
    results = page.locator(":is(.search-result, .aa-Item)")
    results.first.wait_for()
    page.keyboard.press("ArrowDown")
    chosen = page.locator(":is(.search-result.active, .aa-Item[aria-selected='true'])").first
    if page.locator(".smalldocs-search").count():
        title = chosen.locator(".search-result-title").inner_text()
        playwright.expect(page.locator("p[role=status]").last).to_contain_text(title)
    else:
        assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*.html*")
    assert "softmax" in page.locator("main").inner_text().lower()
    assert "#" in page.url
    playwright.expect(page.locator(f"[id='{page.url.partition('#')[2]}']").first).to_be_in_viewport()


def test_a_menu_of_the_phone_opens_closes_and_covers_no_focus(base: str, page: "playwright.Page") -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{base}/{LESSON}")
    for opener, inside in ((".navbar-toggler", "#navbarCollapse a"), (".quarto-btn-toggle", "#quarto-sidebar a")):
        button, entry = page.locator(opener), page.locator(inside).first
        playwright.expect(button).to_have_attribute("aria-expanded", "false")
        playwright.expect(entry).to_be_hidden()
        button.focus()
        moving = page.locator(".collapsing")  # Bootstrap takes no press until a menu stands still
        page.keyboard.press("Enter")
        playwright.expect(button).to_have_attribute("aria-expanded", "true")
        playwright.expect(entry).to_be_in_viewport()
        if opener == ".quarto-btn-toggle":
            playwright.expect(page.locator("#quarto-sidebar a.active")).to_be_in_viewport()
        playwright.expect(moving).to_have_count(0)
        entry.focus()
        page.keyboard.press("Escape")
        playwright.expect(button).to_have_attribute("aria-expanded", "false")
        playwright.expect(button).to_be_focused()
        playwright.expect(moving).to_have_count(0)
        page.keyboard.press("Enter")
        playwright.expect(entry).to_be_in_viewport()
        playwright.expect(moving).to_have_count(0)
        page.locator(inside).last.focus()
        for _ in range(6):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        playwright.expect(button).to_have_attribute("aria-expanded", "false")


def test_what_is_pressed_by_mouse_is_pressed_by_key(base: str, page: "playwright.Page") -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{base}/index.html")
    spoken = page.locator("p[role=status]").last
    topic = page.get_by_role("button", name="tokenizers")
    topic.focus()
    page.keyboard.press(" ")
    playwright.expect(topic).to_have_attribute("aria-pressed", "true")
    playwright.expect(page.locator("a.quarto-grid-link:visible")).to_have_count(1)
    playwright.expect(spoken).to_have_text("1 lesson is shown.")
    playwright.expect(topic).to_be_focused()

    page.goto(f"{base}/{LESSON}")
    toggle = page.get_by_role("button", name="Dark mode")
    playwright.expect(toggle).to_have_attribute("aria-pressed", "false")
    for key, pressed in ((" ", "true"), ("Enter", "false")):
        toggle.focus()
        page.keyboard.press(key)
        playwright.expect(toggle).to_have_attribute("aria-pressed", pressed)

    copy = page.get_by_role("button", name="Copy code 4", exact=True)
    copy.focus()
    page.keyboard.press("Enter")
    playwright.expect(spoken).to_have_text("Copied.")
    code = page.get_by_role("group", name="Code 4", exact=True).inner_text()
    assert page.evaluate("navigator.clipboard.readText()").split() == code.split()

    page.goto(f"{base}/notebooks/01_environment.html")
    tabs = page.get_by_role("tab")
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    playwright.expect(tabs.nth(1)).to_be_focused()
    playwright.expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")


def test_the_contents_are_there_without_room_beside_the_text(base: str, browser: "playwright.Browser") -> None:
    context = browser.new_context(viewport={"width": 320, "height": 256}, device_scale_factor=4)
    page = context.new_page()
    visit(page, f"{base}/{LESSON}")
    playwright.expect(page.locator("#TOC a").first).to_be_hidden()
    page.locator(".page-contents > summary").focus()
    page.keyboard.press("Enter")
    link = page.get_by_role("navigation", name="On this page").get_by_role("link", name="Exercise 2")
    link.focus()
    page.keyboard.press("Enter")
    playwright.expect(page.get_by_role("heading", name="Exercise 2")).to_be_in_viewport()
    page.set_viewport_size(DESKTOP)
    playwright.expect(page.locator(".page-contents")).to_be_hidden()
    playwright.expect(page.get_by_role("navigation", name="On this page")).to_have_count(1)
    context.close()


# ----------------------------------------------------------------------------------------------------------- the ears


def test_a_listener_finds_the_parts_of_a_page(base: str, page: "playwright.Page") -> None:
    for name in PAGES:
        page.goto(f"{base}/{name}")
        for role in ("banner", "main", "contentinfo"):
            assert page.get_by_role(role).count() == 1, f"{name}: {role}"
        parts = page.get_by_role("navigation").evaluate_all("parts => parts.map(part => part.ariaLabel)")
        assert all(parts), name
        assert name != LESSON or {"Site", "Lessons", "On this page"} <= {*parts}
        assert len(parts) == len(set(parts)), name
        levels = (
            page.locator("main")
            .get_by_role("heading")
            .evaluate_all("titles => titles.map(title => Number(title.ariaLevel ?? title.tagName[1]))")
        )
        assert levels[0] == 1, name
        assert levels.count(1) == 1, name
        assert all(below - above <= 1 for above, below in itertools.pairwise(levels)), name


def test_a_listener_knows_code_from_output_marks_from_links_and_hears_the_answers(
    base: str, page: "playwright.Page"
) -> None:
    page.goto(f"{base}/{LESSON}")
    cells = page.locator("main .cell")
    count = 0
    for cell in cells.all():
        names = cell.get_by_role("group").evaluate_all("groups => groups.map(group => group.ariaLabel)")
        names = [name for name in names if name]
        if cell.locator("pre.sourceCode").count():
            count += 1
            assert names[0] == f"Code {count}"
            assert cell.get_by_role("button", name=f"Copy code {count}", exact=True).count() == 1
        outputs = cell.locator(".cell-output:not(:has(.quiz))").count()
        assert len(names[1:]) == outputs
        assert {*names[1:]} <= {f"Output of code {count}", f"Error of code {count}"}
    assert count > 20
    assert page.get_by_role("group", name="Error of code").count() > 0
    assert page.locator("main :is(pre, code):not([translate=no])").count() == 0

    marks = page.locator(".code-annotation-anchor").count()
    assert marks > 0
    playwright.expect(page.get_by_role("img", name=re.compile(r"^Note \d$"))).to_have_count(marks)

    heading = page.get_by_role("heading", name="The config", exact=True)
    assert heading.count() == 1, "its link is not spoken with it"
    picture = page.locator("main figure").first
    assert len(picture.get_by_role("img").get_attribute("alt")) > 40

    question = page.get_by_role("group", name="What is the label?")
    closed = question.aria_snapshot()
    assert "Right." not in closed
    question.locator(".quiz-right > summary").press("Enter")
    assert "Right." in question.aria_snapshot(), "the answer is heard once it is asked for"


def test_a_listener_hears_what_a_card_is_and_what_is_done(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    page.get_by_role("button", name="Mark this lesson as done").press("Enter")
    page.goto(f"{base}/index.html")
    assert page.get_by_role("link", name="A first language model done", exact=True).count() == 1
    card = page.get_by_role("link", name="Tokenizers", exact=True)
    playwright.expect(card).to_have_accessible_description(re.compile("How a text becomes"))
