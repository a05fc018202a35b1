"""What the preview takes off its pages so that they load fast, and that it takes nothing which is needed."""

import base64
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import served

from course_build.site import page_weight

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
INLINE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
PAGE = f"""<html><head><script src="a.js"></script></head><body><main>
<img src="top.svg" alt=""/><h2>One</h2>
<div class="cell" id="cell-4"><div class="cell-output">3</div>
<div class="cell-output"><img src="{INLINE}" alt="x"/></div></div>
<img src="pictures/there.png" alt=""/><img src="pictures/gone.png" alt=""/>
<img src="there.svg" alt="" width="9" height="9"/><img src="wide.svg" alt=""/>
</main></body></html>"""


@pytest.fixture
def lightened(tmp_path: Path) -> tuple[BeautifulSoup, Path]:
    folder = tmp_path / "notebooks"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "there.png").write_bytes(PNG)
    (folder / "top.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="4"/>', encoding="utf-8")
    (folder / "wide.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="100%"/>', encoding="utf-8")
    page = BeautifulSoup(PAGE, "html.parser")
    page_weight.lighten_page(page, folder / "lesson.html")
    return page, folder


def test_a_figure_gets_a_file_of_its_own(lightened: tuple[BeautifulSoup, Path]) -> None:
    page, folder = lightened
    figure = page.select_one(".cell-output img")
    assert figure["src"] == "lesson_files/figure-html/cell-4-output-2.png"
    assert (folder / figure["src"]).read_bytes() == PNG
    assert (figure["width"], figure["height"], figure["alt"]) == ("1", "1", "x")


def test_pictures_below_the_first_heading_wait_and_keep_their_place(lightened: tuple[BeautifulSoup, Path]) -> None:
    page, _ = lightened
    pictures = page.select("img")
    assert [picture.get("loading") for picture in pictures] == [None, *["lazy"] * 5]
    assert [picture.get("width") for picture in pictures] == ["8", "1", "1", None, "9", None]


def test_scripts_let_the_page_show(lightened: tuple[BeautifulSoup, Path]) -> None:
    page, _ = lightened
    assert page.select_one("script[src]").has_attr("defer")


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".used{a:b}", ".used{a:b}"),
        (".gone{a:b}", ""),
        ("#gone p{a:b}", ""),
        (".used,.gone{a:b}", ".used{a:b}"),
        (".used .gone{a:b}", ""),
        (".used:not(.gone){a:b}", ".used:not(.gone){a:b}"),
        (":is(.used,.gone) p{a:b}", ":is(.used,.gone) p{a:b}"),
        (":is(i:not(.used,.gone),p),.gone{a:b}", ":is(i:not(.used,.gone),p){a:b}"),
        ("p[class*=gone]{color:#fff}", "p[class*=gone]{color:#fff}"),
        ("/* x */\n\np{a:b}", "p{a:b}"),
        ("@media print{.gone{a:b}}", ""),
        ("@media (width>3px){.gone{a:b}.used{a:b}}", "@media (width>3px){.used{a:b}}"),
        ("@font-face{font-family:x}", "@font-face{font-family:x}"),
        ("@keyframes gone{to{a:b}}", "@keyframes gone{to{a:b}}"),
        ('@charset "utf-8";p{a:b}', '@charset "utf-8";p{a:b}'),
        (":root{--x: .gone}", ""),
        (":root{--used: .gone;--x:1;color:red!important}", ":root{--used: .gone;color:red!important}"),
        (".used{}", ""),
        (".used{a:b;*zoom:1;c:d}", ".used{a:b;c:d}"),
    ],
)
def test_a_rule_goes_only_if_nothing_can_have_it(css: str, left: str) -> None:
    assert page_weight.prune(css, {"used", "--used"}) == left


def test_the_names_of_pages_and_scripts_are_used(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<p class="one two" id="three" style="color:var(--nine)">x</p>'
        '<script>add("four")</script><script src="five.js"></script>',
        "utf-8",
    )
    (tmp_path / "b.js").write_text("toggle('six-seven')", "utf-8")
    (tmp_path / "bootstrap.min.js").write_text("'carousel', '--eleven'", "utf-8")
    (tmp_path / "c.css").write_text("p { color: var( --eight, red); --ten: 1 }", "utf-8")
    names = page_weight.used_names(tmp_path)
    assert {"one", "two", "three", "four", "six-seven", "show", "--eight", "--nine", "--eleven"} <= names
    assert not {"carousel", "--ten"} & names


WAITING = """<!DOCTYPE html><html><head><meta charset="utf-8"/><title>T</title>
<script>var told = []; const tell = (text) => told.push(text);
document.addEventListener("DOMContentLoaded", () => tell(`1 with ${window.a}`));</script>
<script src="a.js"></script><script src="gone.js"></script><script src="b.js" type="module"></script>
<script src="c.js"></script></head><body><p id="p">Shown.</p>
<script>addEventListener("load", () => tell("5 loaded"));
window.addEventListener("DOMContentLoaded", { handleEvent() { tell("4 as an object"); throw Error("a fault"); } });
</script></body></html>"""


def test_what_waits_for_a_page_waits_for_its_late_libraries(tmp_path: Path, browser: "playwright.Browser") -> None:  # noqa: F821
    page = BeautifulSoup(WAITING, "html.parser")
    page_weight.read_libraries_late(page)
    assert [script.get("src") for script in page.find_all("script")] == [None] * 3
    assert page.head.meta.find_next_sibling().name == "title", "what a browser has to know comes first"
    (tmp_path / "index.html").write_text(str(page), encoding="utf-8")
    (tmp_path / "a.js").write_text("document.addEventListener('DOMContentLoaded', () => tell('2')); window.a = 'a'")
    (tmp_path / "b.js").write_text("tell(document.getElementById('p').textContent); window.b = 'b'")
    (tmp_path / "c.js").write_text(
        "document.addEventListener('DOMContentLoaded', () => { tell('3 with ' + b);"
        " document.addEventListener('DOMContentLoaded', () => tell('too late'));"
        " window.addEventListener('load', () => tell('6 loaded')); });"
        "document.addEventListener('click', () => tell('a click'))"
    )
    view = browser.new_page()
    faults: list[str] = []
    view.on("pageerror", lambda error: faults.append(str(error)))
    with served(tmp_path) as address:
        view.goto(address)
        view.click("p")
        told = view.evaluate("told")
    assert told == ["Shown.", "1 with a", "2", "3 with b", "4 as an object", "5 loaded", "6 loaded", "a click"]
    assert faults == ["a fault"]


def test_a_page_without_libraries_stays() -> None:
    page = BeautifulSoup("<html><head><title>T</title></head><body>x</body></html>", "html.parser")
    page_weight.read_libraries_late(page)
    assert str(page) == "<html><head><title>T</title></head><body>x</body></html>"
