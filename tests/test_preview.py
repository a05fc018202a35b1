"""The preview renderer's mends: each defect is shown in smalldocs' own page first, then gone from ours.

When a "defect" assertion fails after an upgrade of smalldocs, the defect is cured: take its mend out.
"""

import base64
import json
import shutil
import threading
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
import smalldocs.site
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from sitefiles import as_typed

from course_build import BuildError
from course_build.lessons.lesson_files import escape
from course_build.preview import local_server, quarto_differences, smalldocs_site

TITLE = 'Two: "<2>", *a*, `b`, [c](d) & 5 $, 6 $ #1 -- R&amp;B'
CONFIG = {
    "project": {
        "type": "website",
        "output-dir": "_site",
        "render": ["index.qmd", "404.qmd", "notebooks/*.ipynb"],
        "resources": ["notebooks/*.ipynb"],
    },
    "filters": ["assets/opening_drawing.lua"],
    "execute": {"enabled": False},
    "language": {"search-text-placeholder": "Search"},
    "website": {
        "title": "Test",
        "site-url": "https://example.org/course",
        "open-graph": True,
        "twitter-card": True,
        "navbar": {
            "left": [{"text": "Home", "href": "index.qmd"}],
            "right": [{"icon": "rss", "href": "index.xml", "aria-label": "Feed"}],
        },
        "sidebar": {
            "id": "lessons",
            "contents": [{"text": "One"}, {"text": escape(TITLE), "href": "notebooks/two.ipynb"}],
        },
    },
    "format": {
        "html": {
            "theme": {"light": "default", "dark": ["default", "assets/dark.scss"]},
            "html-math-method": "mathml",
            "respect-user-color-scheme": True,
        }
    },
}
INDEX = """---
title: Home
body-classes: home wide
listing:
  contents: notebooks/*.ipynb
  type: grid
  fields: [title, subtitle, date, minutes]
  feed:
    type: metadata
---

A note.[^1]

[^1]: The note itself.
"""
MISSING = "---\ntitle: Not here\n---\n\n[Home](index.qmd)\n"
FRONT = f"""---
title: {json.dumps(escape(TITLE))}
subtitle: "With `code` & more"
minutes: 45
image: two.svg
image-alt: "A <2> & more"
open-graph:
  image: cards/two.png
twitter-card:
  image: cards/two.png
other-links:
  - text: Download this notebook
    href: two.ipynb?download
---"""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def picture() -> dict:
    return new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})


def lesson() -> dict:
    """A notebook with one cell for each defect."""
    cells = [
        new_raw_cell(FRONT),
        new_code_cell("#| classes: code-alone quiet\n%matplotlib inline"),
        new_code_cell(
            "def first():\n    return one  # <1>\n\nsecond = 2  # why # <2>\nthird = 3  # <2>",
            outputs=[new_output("execute_result", {"text/plain": "3"})],
        ),
        new_markdown_cell("1. The *first* note.\n2. The second, with `code`.\n\nAnd on we go."),
        new_code_cell('#| fig-cap: "A caption"\nplot()', outputs=[picture()]),
        new_code_cell('#| fig-cap: "A caption"\n#| fig-alt: "Two bars"\nplot()', outputs=[picture()]),
        new_code_cell("plot()", outputs=[picture()]),
        new_code_cell(
            "work()",
            outputs=[
                new_output("stream", name="stdout", text="one\n"),
                new_output("stream", name="stdout", text="two\n"),
                new_output("stream", name="stderr", text="  0%|    | 0/3\r100%|####| 3/3\n"),
                new_output("execute_result", {"text/plain": "\x1b[31mred\x1b[0m"}),
                new_output("error", ename="E", evalue="e", traceback=["\x1b[31mE\x1b[0m: e"]),
            ],
        ),
        new_markdown_cell(r"Inline $\frac{a}{b}$, and on its own" + "\n\n$$\\sum_i e^{z_i}$$\n"),
    ]
    return json.loads(nbformat.writes(new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})))


def write_project(folder: Path) -> Path:
    (folder / "notebooks" / "cards").mkdir(parents=True)
    (folder / "notebooks" / "two.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    (folder / "notebooks" / "cards" / "two.png").write_bytes(base64.b64decode(PNG))
    (folder / "_quarto.yml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    (folder / "index.qmd").write_text(INDEX, encoding="utf-8")
    (folder / "404.qmd").write_text(MISSING, encoding="utf-8")
    (folder / "notebooks" / "two.ipynb").write_text(json.dumps(lesson()), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("staged") / "project")


@pytest.fixture(scope="module")
def built(project: Path, tmp_path_factory: pytest.TempPathFactory) -> smalldocs.site.Site:
    """What smalldocs makes, and says."""
    copy = tmp_path_factory.mktemp("raw") / "project"
    shutil.copytree(project, copy)
    text = (copy / "notebooks" / "two.ipynb").read_text(encoding="utf-8")
    # Where this address starts is a defect of its own, tested below.
    (copy / "notebooks" / "two.ipynb").write_text(text.replace("href: two", "href: notebooks/two"), encoding="utf-8")
    return smalldocs.site.build(copy, quiet=True)


@pytest.fixture(scope="module")
def raw(built: smalldocs.site.Site) -> Path:
    """The site as smalldocs makes it."""
    return built.out


@pytest.fixture(scope="module")
def mended(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `smalldocs_site.render` makes it."""
    site = tmp_path_factory.mktemp("mended") / "_site"
    smalldocs_site.render(project, site)
    return site


def page(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")


def cell(site: Path, number: int):
    return page(site, "notebooks/two.html").find(id=f"cell-{number}")


def test_a_cells_classes_reach_it(raw: Path, mended: Path) -> None:
    assert "code-alone" not in cell(raw, 1)["class"], "defect"
    assert cell(mended, 1)["class"] == ["cell", "code-alone", "quiet"]


def test_annotations_become_marks_and_notes(raw: Path, mended: Path) -> None:
    assert "# <1>" in cell(raw, 2).get_text(), "defect"

    annotated = cell(mended, 2)
    code = annotated.select_one("code.sourceCode").get_text()
    assert code == "def first():\n    return one\n\nsecond = 2  # why\nthird = 3"
    assert [mark["data-target-annotation"] for mark in annotated.select("span.code-annotation-anchor")] == ["1", "2"]
    assert [mark["aria-label"] for mark in annotated.select("span.code-annotation-anchor")] == ["Note 1", "Note 2"]

    notes = annotated.select_one("dl.code-annotation-container-grid")
    assert [term.get_text() for term in notes.select("dt")] == ["1", "2"]
    assert notes.select("dd")[0].em.get_text() == "first"
    assert [span["data-code-lines"] for span in notes.select("dd > span")] == ["2", "4,5"]
    assert notes.find_next_sibling(class_="cell-output"), (
        "the notes stand between the code and its output, as in Quarto"
    )
    assert annotated.find_next_sibling().get_text() == "And on we go."


def test_a_cell_with_marks_and_no_list_keeps_what_follows() -> None:
    code = '<pre><code class="sourceCode">x <span class="co"># &lt;1&gt;</span></code></pre>'
    soup = BeautifulSoup(f'<div class="cell">{code}</div><p>t</p>', "html.parser")
    quarto_differences.mend_annotations(soup)
    assert soup.p.get_text() == "t"
    assert not soup.dl
    assert "<1>" not in soup.get_text()


def test_every_figure_has_an_alternative(raw: Path, mended: Path) -> None:
    assert [bool(cell(raw, n).img.get("alt")) for n in (4, 5, 6)] == [False, True, False], "defect"
    assert [cell(mended, n).img["alt"] for n in (4, 5, 6)] == ["A caption", "Two bars", quarto_differences.UNDESCRIBED]


def test_outputs_are_what_a_terminal_would_show(raw: Path, mended: Path) -> None:
    before = cell(raw, 7)
    assert len(before.select(".cell-output-stdout")) == 2, "defect: the pieces of one stream are apart"
    assert "  0%" in before.select_one(".cell-output-stderr").get_text(), "defect: overwritten progress is shown"
    assert "\x1b" in before.get_text(), "defect: colour codes in a value"

    after = cell(mended, 7)
    assert [part.get_text().strip() for part in after.select(".cell-output pre")] == [
        "one\ntwo",
        "100%|####| 3/3",
        "red",
        "E: e",
    ]


def test_maths_is_native_and_comes_from_no_other_host(raw: Path, mended: Path) -> None:
    before = page(raw, "notebooks/two.html")
    assert before.select("script[src^='https://']"), "defect: KaTeX from a CDN"
    assert not before.select("math"), "defect"

    after = page(mended, "notebooks/two.html")
    assert [formula["display"] for formula in after.select("math")] == ["inline", "block"]
    assert "\\frac" not in after.get_text()
    assert not after.select("[src^='http'], link[href^='http']")


@pytest.mark.parametrize("tex", [r"\left(", "x^", r"\nosuchcommand x"])
def test_a_formula_that_cannot_be_read_is_named(tex: str) -> None:
    soup = BeautifulSoup(rf'<span class="math inline">\({tex}\)</span>', "html.parser")
    with pytest.raises(BuildError, match="formula"):
        quarto_differences.mend_maths(soup)


def test_an_icon_stands_alone(raw: Path, mended: Path) -> None:
    def feed(site: Path):
        return page(site, "index.html").select_one("a[aria-label='Feed']")

    assert feed(raw).get_text(strip=True) == "index.xml", "defect: the address shows"
    assert feed(mended).get_text(strip=True) == ""
    assert feed(mended).i["aria-label"] == "Feed"


def test_a_lesson_to_come_is_text_in_the_sidebar(raw: Path, mended: Path) -> None:
    assert page(raw, "notebooks/two.html").select_one("#quarto-sidebar a[href='']"), "defect: a link to nowhere"
    first, second = page(mended, "notebooks/two.html").select("#quarto-sidebar li.sidebar-item")
    assert first.get_text(strip=True) == "One"
    assert not first.a
    assert second.a["aria-current"] == "page"


def test_the_sidebar_is_only_on_its_own_pages(raw: Path, mended: Path) -> None:
    assert page(raw, "index.html").find(id="quarto-sidebar"), "defect"
    home = page(mended, "index.html")
    assert not home.select("#quarto-sidebar, .quarto-secondary-nav")
    assert "nav-sidebar" not in home.body["class"]
    assert page(mended, "notebooks/two.html").find(id="quarto-sidebar")


def test_a_title_is_shown_as_it_was_typed(raw: Path, mended: Path) -> None:
    assert "&lt;2&gt;" in page(raw, "notebooks/two.html").select_one("#quarto-sidebar a.active").get_text(), "defect"
    lesson, home = page(mended, "notebooks/two.html"), page(mended, "index.html")
    feed = ElementTree.parse(mended / "index.xml").getroot()
    found = [entry["title"] for entry in json.loads((mended / "search.json").read_text(encoding="utf-8"))]
    shown = [
        as_typed(lesson.title.get_text()).removesuffix(" -- Test"),
        lesson.select_one("h1.title").get_text(),
        lesson.select_one("#quarto-sidebar a.active").get_text(strip=True),
        lesson.find("meta", property="og:title")["content"],
        home.select_one(".listing-title").get_text(strip=True),
        feed.findtext("channel/item/title"),
        next(title for title in found if title.startswith("Two")),
    ]
    assert list(map(as_typed, shown)) == [TITLE] * len(shown)


def test_the_notebook_can_be_downloaded(project: Path, raw: Path, mended: Path) -> None:
    assert not (raw / "notebooks" / "two.ipynb").exists(), "defect: a page's source is no resource"
    assert page(raw, "notebooks/two.html").select_one(".quarto-other-links a")["href"] == "two.html?download", "defect"

    link = page(mended, "notebooks/two.html").select_one(".quarto-other-links a")
    assert link["href"] == "two.ipynb?download"
    source, copy = project / "notebooks" / "two.ipynb", mended / "notebooks" / "two.ipynb"
    assert copy.read_bytes() == source.read_bytes()


def test_a_shared_link_shows_the_lessons_card(raw: Path, mended: Path) -> None:
    for names in ({"property": "og:image"}, {"name": "twitter:image"}):
        defect, cured = (page(site, "notebooks/two.html").find("meta", names)["content"] for site in (raw, mended))
        assert defect == "https://example.org/course/notebooks/two.svg"
        assert cured == "https://example.org/course/notebooks/cards/two.png"


def test_a_lesson_opens_with_its_drawing(raw: Path, mended: Path) -> None:
    assert not page(raw, "notebooks/two.html").select("main img[src='two.svg']"), "defect"
    drawing = page(mended, "notebooks/two.html").select_one("#title-block-header + .opening-drawing > img")
    assert (drawing["src"], drawing["alt"]) == ("two.svg", "A <2> & more")
    assert not page(mended, "index.html").select(".opening-drawing")


def test_a_page_names_classes_of_its_body(raw: Path, mended: Path) -> None:
    assert "wide" not in page(raw, "index.html").body["class"], "defect"
    assert {"home", "wide", "nav-fixed"} <= set(page(mended, "index.html").body["class"])
    assert "wide" not in page(mended, "notebooks/two.html").body["class"]


def test_footnotes_are_numbers_and_an_appendix(raw: Path, mended: Path) -> None:
    assert page(raw, "index.html").select_one("sup.footnote-ref").get_text() == "[1]", "defect"
    home = page(mended, "index.html")
    assert home.select_one("a.footnote-ref[role=doc-noteref] > sup").get_text() == "1"
    assert home.select_one("#quarto-appendix section.footnotes > h2").get_text() == "Footnotes"


def test_code_in_a_subtitle(raw: Path, mended: Path) -> None:
    assert "`code`" in page(raw, "notebooks/two.html").select_one("p.subtitle").get_text(), "defect"
    for name, place in (("notebooks/two.html", "p.subtitle"), ("index.html", ".listing-subtitle")):
        subtitle = page(mended, name).select_one(place)
        assert subtitle.code.get_text() == "code"
        assert subtitle.get_text() == "With code & more"


def test_a_card_says_how_long_its_lesson_takes(raw: Path, mended: Path) -> None:
    assert "45" not in page(raw, "index.html").select_one(".quarto-grid-item").get_text(), "defect"
    card = page(mended, "index.html").select_one(".quarto-grid-item")
    assert [cell.get_text() for cell in card.select(".card-other-values td")] == ["Minutes", "45"]


def test_the_404_page_works_at_any_depth(raw: Path, mended: Path) -> None:
    assert page(raw, "404.html").select_one("link[rel=stylesheet]")["href"].startswith("site_libs/"), "defect"
    for element in page(mended, "404.html").select("link[href], script[src], a[href]"):
        address = element.get("href", element.get("src"))
        assert address.startswith(("/course/", "#")) or address == "", address


def test_only_known_keys_reach_smalldocs(built: smalldocs.site.Site) -> None:
    warnings = "\n".join(built.warnings)
    for key in (
        "execute",
        "filter assets/opening_drawing.lua",
        "language",
        "html-math-method",
        "respect-user-color-scheme",
        "listing.feed.type",
    ):
        assert key in warnings, "defect: Quarto's own keys are warned of"
    config = quarto_differences.mend_config(CONFIG)
    assert not {"execute", "filters"} & config.keys()
    assert set(config["format"]["html"]) == {"theme"}
    assert "execute" in CONFIG, "the mend works on a copy"


def test_a_themes_sass_is_left_to_quarto(built: smalldocs.site.Site) -> None:
    assert any("dark.scss" in warning for warning in built.warnings), "defect: a warning of what is as it should be"
    themes = quarto_differences.mend_config(CONFIG)["format"]["html"]["theme"]
    assert themes == {"light": ["default"], "dark": ["default"]}


def test_a_render_is_quiet_reads_only_replaces_the_old_site_and_is_equal(
    project: Path, mended: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def contents(folder: Path, pattern: str = "*") -> dict[str, bytes]:
        files = [path for path in sorted(folder.rglob(pattern)) if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    before, site = contents(project), shutil.copytree(mended, tmp_path / "_site")
    (site / "stale.html").write_text("", encoding="utf-8")
    (site / "index.html").write_text("the old one", encoding="utf-8")
    smalldocs_site.render(project, site)
    assert contents(project) == before
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["_site"]
    assert contents(site, "*.html") == contents(mended, "*.html")


def broken(project: Path, tmp_path: Path, name: str, content: str | None) -> Path:
    copy = tmp_path / "broken"
    shutil.copytree(project, copy)
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_text(content, encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("_quarto.yml", None, "has no _quarto.yml"),
        ("_quarto.yml", "a: [", "_quarto.yml, line 1: a bracket is opened and not closed"),
        ("_quarto.yml", "- a", "keys and values"),
        ("_quarto.yml", "project: {type: manuscript}", "line 1: project.type 'manuscript'"),
        ("notebooks/two.ipynb", "{", "notebooks/two.ipynb, line 1: the file ends in the middle"),
        ("notebooks/two.ipynb", '{"cells": []}', "notebooks/two.ipynb is JSON, but no notebook"),
        ("notebooks/two.ipynb", "", "notebooks/two.ipynb is empty"),
        (
            "index.qmd",
            "---\ntitle: Home\n---\n[a lesson](notebooks/three.ipynb)\n",
            "index.qmd, line 4: notebooks/three.ipynb",
        ),
        ("index.qmd", "---\ntitle: [\n---\n", "index.qmd, line 2: a bracket"),
    ],
)
def test_what_is_wrong_is_said_and_the_old_site_stays(
    project: Path, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    site = tmp_path / "_site"
    site.mkdir()
    (site / "index.html").write_text("the old one", encoding="utf-8")
    with pytest.raises(BuildError, match=says):
        smalldocs_site.render(broken(project, tmp_path, name, content), site)
    assert [path.name for path in site.iterdir()] == ["index.html"]
    assert {path.name for path in tmp_path.iterdir()} == {"_site", "broken"}


def test_a_folder_that_is_no_site_is_not_replaced(project: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(BuildError, match="not a rendered site"):
        smalldocs_site.render(project, tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_swap_that_fails_brings_the_old_site_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fresh", "site"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name, encoding="utf-8")
    rename = Path.rename

    def refuse_the_fresh_one(path: Path, target: Path) -> Path:
        if path.name == "fresh":
            raise PermissionError(13, "in use", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse_the_fresh_one)
    with pytest.raises(PermissionError):
        smalldocs_site.swap(tmp_path / "fresh", tmp_path / "site")
    assert (tmp_path / "site" / "index.html").read_text(encoding="utf-8") == "site"


def test_the_server_serves_the_site_and_its_404(mended: Path, tmp_path: Path) -> None:
    with local_server.server(mended, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{running.server_port}"
        with urllib.request.urlopen(f"{base}/notebooks/two.html") as answer:
            assert b"Two" in answer.read()
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{base}/no/such/page.html")
        assert missing.value.code == 404
        assert b"Not here" in missing.value.read()
        with pytest.raises(BuildError, match="Port"):
            local_server.server(mended, running.server_port)
        running.shutdown()
    with pytest.raises(BuildError, match="make site"):
        local_server.server(tmp_path, 0)
