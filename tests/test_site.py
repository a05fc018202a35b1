"""The rendered site, used in a real browser as a reader would use it."""

import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import browsers
import numpy as np
import pytest
from browsers import DESKTOP, LESSON, PHONE, all_reached, reached, visit
from conftest import served
from PIL import Image
from sitefiles import soup

from course_build.site.page_weight import LIBRARIES

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

TABLET = {"width": 768, "height": 1024}
LONGEST = "notebooks/05_inside_distilbert.html"

by_the_preview = pytest.mark.parametrize("renderer", ["preview"], indirect=True)

Opener = Callable[..., "playwright.Page"]


@pytest.fixture(scope="module")
def unlightened(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with all that the libraries' style sheets hold."""
    whole = tmp_path_factory.mktemp("whole") / "_site"
    shutil.copytree(site, whole, copy_function=os.link, ignore=shutil.ignore_patterns("*.css"))
    shutil.copyfile(site / "styles.css", whole / "styles.css")
    shutil.copytree(site.parent / "whole" / LIBRARIES, whole / LIBRARIES, dirs_exist_ok=True)
    return whole


def ground(page: "playwright.Page") -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


# --------------------------------------------------------------------------------------------------- how a page looks


def test_a_page_lies_where_its_scripts_will_have_it(
    base: str, browser: "playwright.Browser", page: "playwright.Page"
) -> None:
    context = browser.new_context(java_script_enabled=False)
    without_scripts = context.new_page()
    for name in ("index.html", LESSON):
        visit(without_scripts, f"{base}/{name}")
        for size in (PHONE, TABLET, DESKTOP):
            for each in (without_scripts, page):
                each.set_viewport_size(size)
            visit(page, f"{base}/{name}")
            before, after = (each.locator("main p").first.bounding_box() for each in (without_scripts, page))
            assert before == pytest.approx(after, abs=2), (name, size)
    context.close()


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "phone"])
def test_styles_that_were_taken_out_are_not_missed(
    base: str, unlightened: Path, open_page: Opener, scheme: str, size: dict[str, int]
) -> None:
    places = {
        "index.html": ("#title-block-header", ".quarto-grid-item", "footer"),
        LESSON: ("#title-block-header", ".callout", "figure", ".code-annotation-container-grid", ".quiz", "footer"),
        "notebooks/04_tokenizers.html": (".callout-collapse",),
    }
    differ = {}
    pages = [open_page(size, color_scheme=scheme, reduced_motion="reduce") for _ in range(2)]
    with served(unlightened) as whole:
        for name, selectors in places.items():
            for page, root in zip(pages, (base, whole), strict=True):
                visit(page, f"{root}/{name}")
                browsers.style(page, browsers.LAID_OUT)
                page.evaluate("for (const box of document.querySelectorAll('details')) box.open = true")
                if page.locator(".callout-header[aria-expanded=false]").count():
                    page.locator(".callout-header[aria-expanded=false]").first.click()
            for selector in selectors:
                for page in pages:
                    page.locator(selector).first.scroll_into_view_if_needed()
                for _ in range(50):  # a picture may still be coming, or a mark be following the reader
                    share = changed(*(page.screenshot(animations="disabled") for page in pages))
                    if share <= 0.0005:
                        break
                    pages[0].wait_for_timeout(100)
                else:
                    differ[name, selector] = share
    assert differ == {}


def changed(one: bytes, other: bytes) -> float:
    """Return the share of pixels that differ between two pictures.

    A curve's edge may be drawn a shade lighter the next time; a style that is missing changes more than that.
    """
    if one == other:
        return 0.0
    first, second = (np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=np.int16) for shot in (one, other))
    return float((abs(first - second).max(axis=2) > 16).mean())


@by_the_preview  # Quarto writes modules, which no browser loads from a file
def test_the_site_opens_from_a_file(site: Path, open_page: Opener) -> None:
    page = open_page()
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


def test_the_first_scheme_is_the_browsers_and_follows_it(base: str, page: "playwright.Page") -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{base}/{LESSON}")
        grounds.append(ground(page))
    assert grounds[0] != grounds[1]
    browsers.show_in(page, "light")
    assert ground(page) == grounds[0]


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
    page.goto(f"{base}/index.html")
    page.locator("#quarto-search input").fill("letters to a town hall")
    result = page.locator(f":is(.smalldocs-search-results, .aa-Panel) a[href*='{LESSON}']").first
    result.wait_for(state="visible")
    result.click()
    page.wait_for_url(f"**/{LESSON}*")
    assert "letters to a town hall" in page.locator("main").inner_text()


def test_the_notebook_downloads_as_it_is(base: str, site: Path, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LESSON}")
    assert page.locator(".quarto-other-links a").count() == 1, "nor is it opened elsewhere while no repository is named"
    with page.expect_download() as expected:
        page.get_by_role("link", name="Download this notebook").click()
    assert expected.value.suggested_filename == "03_huggingface_nlp.ipynb"
    downloaded = Path(expected.value.path()).read_text(encoding="utf-8")
    assert json.loads(downloaded) == json.loads((site / LESSON).with_suffix(".ipynb").read_text(encoding="utf-8"))


def test_a_lesson_opens_elsewhere_once_the_repository_is_named(base: str, site: Path, open_page: Opener) -> None:
    page = open_page()
    repository, text = "someone/llms-hands-on", (site / LESSON).read_text(encoding="utf-8")
    meta = soup(site, LESSON).find("meta", {"name": "course-repository"})
    named = re.sub(
        r'<meta[^>]*name="course-repository"[^>]*>', f'<meta name="{meta["name"]}" content="{repository}">', text
    )
    assert meta["content"] == ""
    page.route(f"{base}/{LESSON}", lambda route: route.fulfill(body=named, content_type="text/html"))
    page.goto(f"{base}/{LESSON}")
    links = page.locator(".quarto-other-links a").evaluate_all("links => links.map(link => link.href)")[1:]
    notebook = Path(LESSON).with_suffix(".ipynb").as_posix()
    assert links == [
        f"https://colab.research.google.com/github/{repository}/blob/main/{notebook}",
        f"https://mybinder.org/v2/gh/{repository}/main?labpath=my_lessons/{Path(notebook).name}",
    ]


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


@pytest.mark.parametrize("script", ["", "delete window.requestIdleCallback"], ids=["any browser", "Safari"])
@pytest.mark.parametrize("name", [LESSON, LONGEST])
def test_what_scrolls_can_be_reached_by_key(base: str, open_page: Opener, name: str, script: str) -> None:
    page = open_page(PHONE)
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


def test_the_first_tab_finds_every_box_that_scrolls(base: str, open_page: Opener) -> None:
    page = open_page(PHONE)
    page.add_init_script("window.requestIdleCallback = () => 0")  # a browser that never has nothing to do
    visit(page, f"{base}/{LONGEST}")
    assert [True, True, False] in reached(page)
    page.keyboard.press("Tab")
    assert all(scrolls == focus for _, scrolls, focus in reached(page))


def test_an_output_fades_where_it_goes_on_until_it_is_scrolled_to_its_end(base: str, page: "playwright.Page") -> None:
    page.set_viewport_size(PHONE)
    visit(page, f"{base}/{LONGEST}")
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
    for figure in page.locator("main .cell-output-display img").all():
        assert figure.bounding_box()["width"] >= 500, "its words can be read"
    assert not any(at_the_end)


def test_what_unfolds_can_be_reached_by_key(base: str, page: "playwright.Page") -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{base}/{LONGEST}")
    for summary in page.locator("details.exercise-solution > summary").all():
        summary.click()
    boxes = page.locator("details.exercise-solution pre")
    assert any(boxes.evaluate_all("boxes => boxes.map(box => box.scrollWidth > box.clientWidth + 1)"))
    assert all(scrolls == focus for _, scrolls, focus in all_reached(page))


def test_what_is_far_off_is_laid_out_later_and_on_paper(base: str, page: "playwright.Page") -> None:
    visit(page, f"{base}/{LONGEST}")
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
def test_a_link_into_a_long_page_lands(base: str, site: Path, page: "playwright.Page", size: dict[str, int]) -> None:
    sections = [section["id"] for section in soup(site, LONGEST).select("main section.level3[id]")]
    page.set_viewport_size(size)
    for name in (sections[3], sections[len(sections) // 2], sections[-3]):
        page.goto("about:blank")
        visit(page, f"{base}/{LONGEST}#{name}")
        all_reached(page)
        top = page.locator(f"[id='{name}'] > h3").bounding_box()["y"]
        header = page.locator("#quarto-header").bounding_box()
        assert header["y"] + header["height"] - 1 <= top < size["height"] / 3, name


def test_the_contents_follow_the_reader_through_a_long_page(base: str, site: Path, page: "playwright.Page") -> None:
    page.goto(f"{base}/{LONGEST}")
    link = page.locator("#TOC > ul > li > a.nav-link").nth(-2)  # Quarto folds away what stands beneath
    link.click()
    playwright.expect(link).to_have_class(re.compile(r"\bactive\b"))
    playwright.expect(page.locator(link.get_attribute("data-scroll-target")).locator("h2")).to_be_in_viewport()


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
    page.locator(f"[data-anchor-id='{urlsplit(page.url).fragment}']").wait_for(state="attached")
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


def test_progress_that_is_broken_breaks_nothing(base: str, open_page: Opener) -> None:
    page = open_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for kept in ("null", "[1, 2]", "7", '{"03_huggingface_nlp": null}', "not JSON"):
        page.add_init_script(f"localStorage.setItem('llms-hands-on', {json.dumps(kept)})")
        for name in ("index.html", LESSON):
            page.goto(f"{base}/{name}")
        assert errors == [], kept


def test_home_shows_each_drawing_whole(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/index.html")
    for width in (1280, 1000, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for picture in page.locator(".quarto-grid-item img").all():
            picture.scroll_into_view_if_needed()
            playwright.expect(picture).to_have_js_property("complete", True)
            shown, drawn = picture.evaluate("p => [p.clientWidth / p.clientHeight, p.naturalWidth / p.naturalHeight]")
            assert shown == pytest.approx(drawn, rel=0.01), width


def test_a_folded_callout_opens_and_closes_by_mouse_and_by_key(base: str, page: "playwright.Page") -> None:
    page.goto(f"{base}/notebooks/04_tokenizers.html")
    target = page.locator(".callout-header[aria-expanded=false]").first.get_attribute("data-bs-target")
    header, body = page.locator(f".callout-header[data-bs-target='{target}']"), page.locator(target)
    assert not body.is_visible()
    for press in (header.click, lambda: header.press("Enter"), lambda: header.press(" ")):
        for shown in (True, False):
            press()
            playwright.expect(header).to_have_attribute("aria-expanded", str(shown).lower())
            playwright.expect(page.locator(".collapsing")).to_have_count(0)  # till then it takes no other press
            playwright.expect(body).to_be_visible(visible=shown)


def test_a_missing_page_has_its_look_at_any_depth(base: str, page: "playwright.Page") -> None:
    answer = visit(page, f"{base}/no/such/page.html")
    assert answer.status == 404
    assert "not here" in page.locator("h1").inner_text()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily").startswith('"Bricolage')
