"""The rendered site, used in a real browser as a reader would use it, with the network watched."""

import gzip
import io
import json
import re
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import browsers
import numpy as np
import pytest
import yaml
from browsers import DESKTOP, LESSON, PHONE
from bs4 import BeautifulSoup, Tag
from conftest import rendered
from PIL import Image

from course_build import lighten, preview
from course_build.lessons import front_matter
from course_build.paths import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed").Axe()

SMALL_PHONE = {"width": 320, "height": 640}  # what WCAG asks to reflow at
WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
"""Both renderers curve the quotation marks of a title."""
LONGEST = "notebooks/05_inside_distilbert.html"

by_the_preview = pytest.mark.parametrize("renderer", ["preview"], indirect=True)


@pytest.fixture
def page(browser: "playwright.Browser") -> Iterator["playwright.Page"]:
    """A page of a fresh browser in light mode."""
    context = browser.new_context(viewport=DESKTOP, color_scheme="light")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def unlightened(renderer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with all that the libraries' style sheets hold."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("lighten_styles", "lighten_dark"):
            patch.setattr(lighten, name, lambda site: None)
        return rendered(renderer, tmp_path_factory.mktemp("unlightened"))


def names(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def soup(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")


def leads_to(name: str, link: Tag) -> str:
    """The page of the site that a link on the page `name` leads to."""
    return urlsplit(urljoin(f"http://site/{name}", link["href"])).path.lstrip("/")


def ground(page: "playwright.Page") -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


# ---------------------------------------------------------------------------------------------------- in the browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALL_PHONE], ids=["desktop", "phone", "small phone"])
def test_every_page_is_private_sound_accessible_and_fits(
    site: Path, base: str, browser: "playwright.Browser", scheme: str, size: dict[str, int]
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    troubles: list[str] = []

    def watch(request: "playwright.Request") -> None:
        if not request.url.startswith((base, "data:")):
            troubles.append(f"asks another host: {request.url}")

    def answered(response: "playwright.Response") -> None:
        if response.status >= 400:
            troubles.append(f"{response.status}: {response.url}")

    page.on("request", watch)
    page.on("response", answered)
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    for name in names(site):
        page.goto(f"{base}/{name}", wait_until="networkidle")
        wide = page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('pre, math, .sidebar'))
                .map(e => e.tagName + '.' + e.className)"""
        )
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            troubles.append(f"{name} scrolls sideways: {wide[:5]}")
        all_reached(page)
        for violation in axe.run(page, options=WCAG).response["violations"] if size != SMALL_PHONE else ():
            troubles.append(f"{name}: {violation['id']}: {violation['nodes'][0]['html'][:200]}")
    context.close()
    assert troubles == []


@pytest.mark.parametrize("size", [PHONE, {"width": 768, "height": 1024}, DESKTOP], ids=["phone", "tablet", "desktop"])
@pytest.mark.parametrize("name", ["index.html", LESSON])
def test_a_page_lies_where_its_scripts_will_have_it(
    base: str, browser: "playwright.Browser", size: dict[str, int], name: str
) -> None:
    places = []
    for scripts in (False, True):
        context = browser.new_context(viewport=size, java_script_enabled=scripts)
        page = context.new_page()
        page.goto(f"{base}/{name}", wait_until="networkidle")
        places.append(page.locator("main p").first.bounding_box())
        context.close()
    before, after = places
    assert before == pytest.approx(after, abs=2)


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "phone"])
def test_styles_that_were_taken_out_are_not_missed(
    site: Path, unlightened: Path, browser: "playwright.Browser", scheme: str, size: dict[str, int]
) -> None:
    places = {
        "index.html": ("#title-block-header", ".quarto-grid-item", "footer"),
        LESSON: ("#title-block-header", ".callout", "figure", ".code-annotation-container-grid", ".quiz", "footer"),
        "notebooks/04_tokenizers.html": (".callout-collapse",),
    }
    seen = []
    for root in (site, unlightened):
        with preview.server(root, 0) as running:
            threading.Thread(target=running.serve_forever, daemon=True).start()
            context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page = context.new_page()
            shots = {}
            for name, selectors in places.items():
                page.goto(f"http://127.0.0.1:{running.server_port}/{name}", wait_until="networkidle")
                browsers.style(page, browsers.LAID_OUT)
                for box in page.locator("details").all():
                    box.evaluate("box => { box.open = true; }")
                if page.locator(".callout-header[aria-expanded=false]").count():
                    page.locator(".callout-header[aria-expanded=false]").first.click()
                for selector in selectors:
                    page.locator(selector).first.scroll_into_view_if_needed()
                    page.wait_for_timeout(300)
                    shot = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
                    shots[name, selector] = np.asarray(shot, dtype=int)
            seen.append(shots)
            context.close()
            running.shutdown()
    # A curve's edge may be drawn a shade lighter the next time; a style that is missing changes more than that.
    changed = {place: (abs(shot - seen[1][place]).max(axis=2) > 16).mean() for place, shot in seen[0].items()}
    assert {place: share for place, share in changed.items() if share > 0.0005} == {}


@by_the_preview  # Quarto writes modules, which no browser loads from a file
def test_the_site_opens_from_a_file(site: Path, page: "playwright.Page") -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((site / LESSON).as_uri())
    figure = page.locator("main figure img").first
    figure.scroll_into_view_if_needed()
    playwright.expect(figure).to_have_js_property("complete", True)
    assert figure.evaluate("figure => figure.naturalWidth") > 0
    assert page.evaluate("document.fonts.ready.then(fonts => fonts.check('16px \"Bricolage Grotesque\"'))")
    assert said == []


def test_the_first_scheme_is_the_browsers(base: str, browser: "playwright.Browser") -> None:
    grounds = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{base}/{LESSON}")
        grounds.append(ground(page))
        context.close()
    assert grounds[0] != grounds[1]


def test_the_toggle_works_and_is_remembered(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    light = ground(page)
    page.locator(".quarto-color-scheme-toggle").first.click()
    dark = ground(page)
    assert dark != light
    page.reload()
    assert ground(page) == dark
    page.goto(f"{base}/about.html")
    assert ground(page) == dark
    page.locator(".quarto-color-scheme-toggle").first.click()
    assert ground(page) == light


def test_search_finds_a_phrase_in_the_lesson(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/index.html", wait_until="networkidle")
    page.locator("#quarto-search input").fill("pile of reviews")
    result = page.locator(f":is(.smalldocs-search-results, .aa-Panel) a[href*='{LESSON}']").first
    result.wait_for(state="visible")
    result.click()
    page.wait_for_url(f"**/{LESSON}*")
    assert "pile of reviews" in page.locator("main").inner_text()


def test_the_notebook_downloads_as_it_is(base: str, site: Path, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    with page.expect_download() as expected:
        page.get_by_role("link", name="Download this notebook").click()
    assert expected.value.suggested_filename == "03_huggingface_nlp.ipynb"
    downloaded = Path(expected.value.path()).read_text(encoding="utf-8")
    assert json.loads(downloaded) == json.loads((site / LESSON).with_suffix(".ipynb").read_text(encoding="utf-8"))


@pytest.mark.parametrize("repository", ["", "someone/llms-hands-on"])
def test_a_lesson_opens_elsewhere_once_the_repository_is_named(
    base: str, site: Path, page: "playwright.Page", repository: str
) -> None:
    text = (site / LESSON).read_text(encoding="utf-8")
    meta = soup(site, LESSON).find("meta", {"name": "course-repository"})
    named = re.sub(
        r'<meta[^>]*name="course-repository"[^>]*>', f'<meta name="{meta["name"]}" content="{repository}">', text
    )
    assert meta["content"] == ""
    page.route(f"{base}/{LESSON}", lambda route: route.fulfill(body=named, content_type="text/html"))
    page.goto(f"{base}/{LESSON}")
    links = page.locator(".quarto-other-links a").evaluate_all("links => links.map(link => link.href)")[1:]
    notebook = Path(LESSON).with_suffix(".ipynb").as_posix()
    assert (
        links
        == [
            f"https://colab.research.google.com/github/{repository}/blob/main/{notebook}",
            f"https://mybinder.org/v2/gh/{repository}/main?labpath={notebook}",
        ][: 2 * bool(repository)]
    )


def test_copied_code_holds_no_marks(base: str, page: "playwright.Page") -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{base}/{LESSON}")
    cell = page.locator(".cell:has(.code-annotation-anchor)").first
    cell.hover()
    cell.locator(".code-copy-button").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    cell.locator(".code-annotation-anchor").evaluate_all("marks => marks.forEach(mark => { mark.textContent = '' })")
    shown = cell.locator("code.sourceCode").text_content()
    assert copied.strip() == shown.strip()
    assert "<1>" not in copied


def test_the_keyboard_reaches_the_content_first(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    page.keyboard.press("Tab")
    skip = page.locator(".skip-link")
    assert skip.evaluate("link => link === document.activeElement")
    assert skip.bounding_box()["y"] >= 0, "it shows when it has the focus"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_quiz_hint_and_solution_open_by_key_alone(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    for box in (".quiz-wrong", ".quiz-right", ".exercise-hint", ".exercise-solution"):
        first = page.locator(f"details{box}").first
        said = first.locator("p, pre").first
        assert not said.is_visible(), box
        first.locator("summary").focus()
        page.keyboard.press("Enter")
        assert said.is_visible(), box
    question = page.locator(".quiz-question").first
    assert question.locator("details[open]").count() == 1, "a question shows one answer's feedback at a time"


def reached(page: "playwright.Page") -> list[list[bool]]:
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


def all_reached(page: "playwright.Page") -> list[list[bool]]:
    """Wait until what scrolls, and nothing else, can be focused; return what `reached` then says."""
    for _ in range(100):
        boxes = reached(page)
        if all(scrolls == focus for _, scrolls, focus in boxes):
            break
        page.wait_for_timeout(100)
    return boxes


@pytest.mark.parametrize("script", ["", "delete window.requestIdleCallback"], ids=["any browser", "Safari"])
@pytest.mark.parametrize("name", [LESSON, LONGEST])
def test_what_scrolls_can_be_reached_by_key(base: str, browser: "playwright.Browser", name: str, script: str) -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.add_init_script(script)
    page.goto(f"{base}/{name}")
    boxes = all_reached(page)
    assert page.evaluate("scrollY") == 0
    assert [True, True, True] in boxes, "what is far off can be reached before a reader comes near"
    for far in (True, False):
        assert [far, True, False] not in boxes
        assert [far, False, True] not in boxes, "what does not scroll is no stop on the way"
    page.set_viewport_size(DESKTOP)
    boxes = all_reached(page)
    assert all(scrolls == focus for _, scrolls, focus in boxes), "a wider page has other boxes that scroll"
    context.close()


def test_the_first_tab_finds_every_box_that_scrolls(base: str, browser: "playwright.Browser") -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.add_init_script("window.requestIdleCallback = () => 0")  # a browser that never has nothing to do
    page.goto(f"{base}/{LONGEST}", wait_until="networkidle")
    assert [True, True, False] in reached(page)
    page.keyboard.press("Tab")
    assert all(scrolls == focus for _, scrolls, focus in reached(page))
    context.close()


def test_an_output_fades_where_it_goes_on_until_it_is_scrolled_to_its_end(
    base: str, browser: "playwright.Browser"
) -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{base}/{LONGEST}")
    browsers.style(page, browsers.LAID_OUT)
    seen = page.evaluate(
        """async () => {
            const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            const boxes = [...document.querySelectorAll("main :is(.cell-output pre, .cell-output-display)")];
            const goesOn = boxes.map((box) => box.scrollWidth > box.clientWidth + 1);
            const fades = () => boxes.map((box) => getComputedStyle(box).maskImage !== "none");
            await frame();
            const before = fades();
            for (const box of boxes) box.scrollLeft = box.scrollWidth;
            await frame();
            return [goesOn, before, fades()];
        }"""
    )
    goes_on, before, at_the_end = seen
    assert len({*goes_on}) == 2
    assert before == goes_on
    for figure in page.locator("main figure img").all():
        assert figure.bounding_box()["width"] >= 500, "its words can be read"
    assert not any(at_the_end)
    context.close()


def test_what_unfolds_can_be_reached_by_key(base: str, browser: "playwright.Browser") -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{base}/{LONGEST}")
    for summary in page.locator("details.exercise-solution > summary").all():
        summary.click()
    boxes = page.locator("details.exercise-solution pre")
    assert any(boxes.evaluate_all("boxes => boxes.map(box => box.scrollWidth > box.clientWidth + 1)"))
    assert all(scrolls == focus for _, scrolls, focus in all_reached(page))
    context.close()


def test_what_is_far_off_is_laid_out_later_and_on_paper(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LONGEST}", wait_until="networkidle")
    shown = "cells => cells.map(cell => cell.firstElementChild.checkVisibility({ contentVisibilityAuto: true }))"
    cells = page.locator("main section > .cell:has(> *)")
    near = cells.evaluate_all(shown)
    assert near[0]
    assert not any(near[len(near) // 2 :])
    height = page.evaluate("document.body.scrollHeight")
    page.emulate_media(media="print")
    assert all(cells.evaluate_all(shown))
    page.emulate_media(media="screen")
    assert not any(cells.evaluate_all(shown)[len(near) // 2 :])
    browsers.style(page, browsers.LAID_OUT)
    assert height == pytest.approx(page.evaluate("document.body.scrollHeight"), rel=0.12), "the scroll bar stays"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_link_into_a_long_page_lands(base: str, site: Path, browser: "playwright.Browser", size: dict) -> None:
    sections = [section["id"] for section in soup(site, LONGEST).select("main section.level3[id]")]
    context = browser.new_context(viewport=size)
    for name in (sections[3], sections[len(sections) // 2], sections[-3]):
        page = context.new_page()
        page.goto(f"{base}/{LONGEST}#{name}", wait_until="networkidle")
        all_reached(page)
        top = page.locator(f"[id='{name}'] > h3").bounding_box()["y"]
        header = page.locator("#quarto-header").bounding_box()
        assert header["y"] + header["height"] - 1 <= top < size["height"] / 3, name
        page.close()
    context.close()


def test_the_contents_follow_the_reader_through_a_long_page(base: str, site: Path, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LONGEST}")
    link = page.locator("#TOC > ul > li > a.nav-link").nth(-2)  # Quarto folds away what stands beneath
    link.click()
    playwright.expect(link).to_have_class(re.compile(r"\bactive\b"))
    playwright.expect(page.locator(link.get_attribute("data-scroll-target")).locator("h2")).to_be_in_viewport()


def test_the_parts_of_a_page_have_names(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}", wait_until="networkidle")
    for role, name in (("navigation", "Site"), ("navigation", "Lessons"), ("navigation", "On this page")):
        playwright.expect(page.get_by_role(role, name=name, exact=True)).to_have_count(1)
    playwright.expect(page.get_by_role("main")).to_have_count(1)


def test_the_marks_of_annotated_code_are_named_and_no_links(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    marks = page.locator(".code-annotation-anchor").count()
    assert marks > 0
    playwright.expect(page.get_by_role("img", name=re.compile(r"^Note \d$"))).to_have_count(marks)


def test_the_lessons_open_on_a_phone(base: str, browser: "playwright.Browser") -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{base}/{LESSON}")
    entry = page.locator("#quarto-sidebar a.active")
    page.locator(".quarto-btn-toggle").click()
    playwright.expect(entry).to_be_in_viewport()
    page.keyboard.press("Escape")
    context.close()


def test_progress_is_remembered_shown_and_forgotten(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/about.html")
    forget = page.get_by_role("button", name="Forget my progress")
    assert forget.count() == 0
    page.goto(f"{base}/{LESSON}#the-config")
    page.mouse.wheel(0, 300)
    for _ in range(100):  # wait_for_function would need the eval that the pages' policy forbids
        if page.evaluate("localStorage.getItem('llms-hands-on')"):
            break
        page.wait_for_timeout(100)
    page.goto(f"{base}/index.html")
    page.locator(".progress-back a").click()
    assert urlsplit(page.url).path == f"/{LESSON}"
    assert page.locator(f"[data-anchor-id='{urlsplit(page.url).fragment}']").count() == 1
    done = page.locator(".progress-button")
    done.focus()
    page.keyboard.press("Enter")
    playwright.expect(done).to_have_attribute("aria-pressed", "true")
    page.goto(f"{base}/index.html")
    playwright.expect(page.locator(".quarto-grid-item .progress-done")).to_have_text(" ✓ done")
    assert page.locator(".progress-back").count() == 0
    page.goto(f"{base}/about.html")
    forget.click()
    page.goto(f"{base}/{LESSON}")
    playwright.expect(done).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("kept", ["null", "[1, 2]", "7", '{"03_huggingface_nlp": null}', "not JSON"])
def test_progress_that_is_broken_breaks_nothing(base: str, page: "playwright.Page", kept: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{base}/about.html")
    page.evaluate("kept => localStorage.setItem('llms-hands-on', kept)", kept)
    for name in ("index.html", LESSON):
        page.goto(f"{base}/{name}")
    assert errors == []


def test_home_shows_each_drawing_whole(base: str, browser: "playwright.Browser") -> None:
    for width in (1280, 1000, 390):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(f"{base}/index.html", wait_until="networkidle")
        for picture in page.locator(".quarto-grid-item img").all():
            picture.scroll_into_view_if_needed()
            playwright.expect(picture).to_have_js_property("complete", True)
            shown, drawn = picture.evaluate("p => [p.clientWidth / p.clientHeight, p.naturalWidth / p.naturalHeight]")
            assert shown == pytest.approx(drawn, rel=0.01), width
        page.close()


@pytest.mark.parametrize("key", [None, "Enter", " "], ids=["mouse", "enter", "space"])
def test_a_folded_callout_opens(base: str, page: "playwright.Page", key: str | None) -> None:
    page.goto(f"{base}/notebooks/04_tokenizers.html")
    folded = page.locator(".callout-header[aria-expanded=false]").first
    body = page.locator(folded.get_attribute("data-bs-target"))
    assert not body.is_visible()
    if key:
        folded.focus()
        page.keyboard.press(key)
    else:
        folded.click()
    playwright.expect(body).to_be_visible()


def test_a_missing_page_has_its_look_at_any_depth(base: str, page: "playwright.Page") -> None:
    answer = page.goto(f"{base}/no/such/page.html", wait_until="networkidle")
    assert answer.status == 404
    assert "not here" in page.locator("h1").inner_text()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily").startswith('"Bricolage')


# --------------------------------------------------------------------------------------------------------- the files


def test_every_link_and_anchor_lands(site: Path) -> None:
    pages = {name: soup(site, name) for name in names(site)}
    lost = []
    for name, page in pages.items():
        for element in page.select("[href], [src]"):
            address = element.get("href", element.get("src"))
            parts = urlsplit(urljoin(f"http://site/{name}", address))
            if parts.netloc != "site" or address == "":
                continue
            target = unquote(parts.path).lstrip("/") or "index.html"
            # A category is not a place: the script of the listing reads it.
            place = "" if parts.fragment.startswith("category=") else unquote(parts.fragment)
            if not (site / target).is_file():
                lost.append(f"{name}: {address}")
            elif place and target in pages and not pages[target].find(id=place):
                lost.append(f"{name}: {address} (no such place)")
    assert lost == []


def test_every_picture_is_described(site: Path) -> None:
    for name in names(site):
        for picture in soup(site, name).select("img"):
            assert picture.get("alt", "").strip(), f"{name}: {picture}"


def test_nothing_of_the_source_shows_raw(site: Path) -> None:
    for name in names(site):
        main = soup(site, name).main
        for code in main.select("code"):
            assert not re.search(r"#\s*<\d+>", code.get_text()), name
        for shown_on_purpose in main.select("pre, code, .quiz, annotation"):
            shown_on_purpose.decompose()
        prose = main.get_text()
        for raw in (":::", "{.callout", "#| ", "$", "\\frac", "\x1b["):
            assert raw not in prose, f"{name} shows {raw}"


def test_the_first_view_is_light(site: Path, base: str, browser: "playwright.Browser") -> None:
    """Compressed as a host sends it, home and every other page with all that they load before a reader moves."""
    for name in names(site):
        context = browser.new_context(viewport=PHONE)
        page = context.new_page()
        asked: set[str] = set()
        page.on("request", lambda request, asked=asked: asked.add(urlsplit(request.url).path.lstrip("/")))
        page.goto(f"{base}/{name}", wait_until="networkidle")
        context.close()
        assert not [path for path in asked if "bootstrap-icons." in path and ".woff" in path], f"{name}: see styles.css"
        files = [site / path for path in asked if (site / path).is_file()]
        assert site / name in files
        assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 300_000, name


def test_pictures_wait_until_a_reader_comes_near(site: Path) -> None:
    for name in names(site):
        main = soup(site, name).main
        for picture in main.h2.find_all_next("img") if main.h2 else ():
            assert picture["loading"] == "lazy", f"{name}: {picture}"
        for figure in main.select(".cell-output img"):
            assert not figure["src"].startswith("data:")
            assert int(figure["width"]) > 0
            assert int(figure["height"]) > 0


def test_each_page_has_one_title_and_a_language(site: Path) -> None:
    for name in names(site):
        page = soup(site, name)
        assert len(page.select("h1")) == 1, name
        assert page.html["lang"] == "en"
        assert page.title.get_text().strip()
        assert len(page.find("meta", {"name": "description"})["content"]) >= 50, name


def test_home_lists_every_lesson_with_what_a_reader_asks(site: Path) -> None:
    home = soup(site, "index.html")
    lessons = [name for name in names(site) if name.startswith("notebooks/")]
    assert [leads_to("index.html", link) for link in home.select("a.quarto-grid-link")] == lessons
    for lesson, card in zip(lessons, home.select(".quarto-grid-item"), strict=True):
        front = front_matter((ROOT / lesson).with_suffix(".ipynb"))
        for part, text in (
            (".listing-title", front["title"]),
            (".listing-description", front["description"]),
            (".card-other-values", f"Minutes {front['minutes']}"),
        ):
            shown = card.select_one(part).get_text(" ").translate(STRAIGHT)
            assert " ".join(shown.split()) == text
        assert [kind.get_text() for kind in card.select(".listing-category")] == front["categories"]
        assert card.select_one("img")["alt"]


def test_lessons_lead_on_to_each_other(site: Path) -> None:
    lessons = [name for name in names(site) if name.startswith("notebooks/")]
    for name, after in pairwise(lessons):
        assert leads_to(name, soup(site, name).select_one(".nav-page-next a")) == after
        assert leads_to(after, soup(site, after).select_one(".nav-page-previous a")) == name


def test_every_lesson_is_in_the_sidebar_and_in_the_syllabus(site: Path) -> None:
    lessons = [name for name in names(site) if name.startswith("notebooks/")]
    entries = soup(site, LESSON).select("#quarto-sidebar li.sidebar-item a")
    assert [leads_to(LESSON, entry) for entry in entries] == lessons
    assert [
        leads_to("syllabus.html", link) for link in soup(site, "syllabus.html").select("h3 a[href]:not(.anchorjs-link)")
    ] == lessons


def test_the_feed_is_valid(site: Path) -> None:
    channel = ElementTree.parse(site / "index.xml").getroot().find("channel")
    assert channel.findtext("title")
    assert channel.findtext("description")
    address = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))["website"]["site-url"]
    items = channel.findall("item")
    assert items
    assert (site / "index.xml").stat().st_size < 50_000, "it tells of the lessons, and does not hold them"
    for item in items:
        link = item.findtext("link")
        assert link.startswith(address)
        assert (site / link.removeprefix(address).lstrip("/")).is_file()
        assert item.findtext("title")
        assert item.findtext("pubDate")


# --------------------------------------------------------------------------------------------------------- the theme

TEXT_ON = [
    *((text, ground) for text in ("ink", "muted", "link", "link-hover") for ground in ("page", "raised", "sunken")),
    *((f"code-{part}", "sunken") for part in ("text", "keyword", "string", "comment", "number", "function", "builtin")),
    ("inline-code", "sunken"),
    ("on-button", "button"),
    ("on-hero", "hero"),
    ("link", "soft"),
    ("page", "link"),
]
MARKS_ON = [(tone, "raised") for tone in ("note", "tip", "important", "warning", "caution", "error", "mark")]


def properties(scheme: str) -> dict[str, str]:
    """Read the colours of one scheme from the style sheet."""
    css = (ROOT / "styles.css").read_text(encoding="utf-8")
    light = re.search(r":root \{\s+color-scheme: light;(.*?)\n\}", css, re.DOTALL)[1]
    dark = re.search(r"body\.quarto-dark \{\s+color-scheme: dark;(.*?)\n\}", css, re.DOTALL)[1]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light + (dark if scheme == "dark" else "")))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_are_readable(scheme: str) -> None:
    colours = properties(scheme)
    weak = {pair: round(contrast(*map(colours.__getitem__, pair)), 2) for pair in TEXT_ON}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    marks = {pair: round(contrast(*map(colours.__getitem__, pair)), 2) for pair in MARKS_ON}
    assert {pair: ratio for pair, ratio in marks.items() if ratio < 3} == {}
