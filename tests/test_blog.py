"""The blog command: a folder that is whole or not there, renders, and says the same on every machine."""

import json
import os
import re
import shutil
import tomllib
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import nbclient
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from course_build import BuildError
from course_build import __main__ as command
from course_build.paths import ROOT
from course_build.site import learners_blog, render

FILES = [
    ".github/workflows/publish.yml",
    ".gitignore",
    "README.md",
    "_quarto.yml",
    "about.qmd",
    "index.qmd",
    "netlify.toml",
    "package.json",
    "posts/a-notebook/cover.svg",
    "posts/a-notebook/index.ipynb",
    "posts/first-post/cover.svg",
    "posts/first-post/index.qmd",
    "styles.css",
]
SCAFFOLDED = "\n".join(["blog: made my-blog, with these files:", *(f"  {name}" for name in FILES)])
RENDERED = """blog: rendering with the preview renderer
  _site/index.html: Notes
  _site/about.html: About
  _site/posts/a-notebook/index.html: A notebook as a post
  _site/posts/first-post/index.html: Your first post"""
NEXT = "blog: to go on, from the folder that holds it:\n  cd my-blog\n  quarto preview\n"
PAGES = ["about.html", "index.html", "posts/a-notebook/index.html", "posts/first-post/index.html"]


@pytest.fixture(autouse=True)
def _no_quarto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever renderer this machine has, these tests are of the one that every machine has."""
    monkeypatch.setattr(render.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(command.environment, "inside", lambda: True)


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def files(folder: Path) -> list[str]:
    return sorted(name for name, content in contents(folder).items() if content is not None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered blog's `_site`."""
    folder = tmp_path_factory.mktemp("rendered") / "my-blog"
    learners_blog.scaffold(folder, "Ein Blog: <em>& mehr</em>")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render.shutil, "which", lambda *_, **__: None)
        assert learners_blog.render_blog(folder) == "the preview renderer"
    return folder / "_site"


def page(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")


# ---------------------------------------------------------------------------------------------------- the folder


def test_the_command_makes_every_file_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["blog", str(tmp_path / "my-blog")]) == 0
    assert capsys.readouterr().out == f"{SCAFFOLDED}\n{NEXT}"
    assert files(tmp_path / "my-blog") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["my-blog"], "nothing else is left behind"


def test_only_the_title_differs_from_the_template(tmp_path: Path) -> None:
    learners_blog.scaffold(tmp_path / "blog", "Mine")
    made = contents(tmp_path / "blog")
    template = {name: content for name, content in contents(learners_blog.TEMPLATE).items() if name in made}
    assert made.pop("_quarto.yml") == template.pop("_quarto.yml").replace(learners_blog.TITLE.encode(), b"Mine")
    assert made == template


def test_missing_parents_are_made_and_an_empty_folder_is_used(tmp_path: Path) -> None:
    learners_blog.scaffold(tmp_path / "a" / "b" / "blog")
    (tmp_path / "empty").mkdir()
    learners_blog.scaffold(tmp_path / "empty")
    assert files(tmp_path / "a" / "b" / "blog") == files(tmp_path / "empty") == FILES


def test_a_folder_that_holds_something_keeps_every_byte(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "thesis"
    (folder / "chapters").mkdir(parents=True)
    (folder / "chapters" / "one.md").write_bytes(b"precious\r\n")
    (folder / ".hidden").write_bytes(b"")
    before = contents(tmp_path)
    assert command.main(["blog", str(folder), "--render"]) == 1
    said = capsys.readouterr().err
    assert "holds .hidden, chapters." in said
    assert "Name a new folder" in said
    assert contents(tmp_path) == before


def test_a_blog_is_not_made_over_a_blog(tmp_path: Path) -> None:
    folder = tmp_path / "my-blog"
    learners_blog.scaffold(folder, "The first")
    before = contents(tmp_path)
    assert command.main(["blog", str(folder)]) == 1
    assert command.main(["blog", str(folder), "--title", "The second", "--render"]) == 1
    assert contents(tmp_path) == before


def test_a_long_list_of_what_is_in_the_way_is_cut_short(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / str(number)).touch()
    with pytest.raises(BuildError, match=r"holds 0, 1, 2 and 6 more"):
        learners_blog.scaffold(tmp_path)


def test_a_file_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"mine")
    for folder in (tmp_path / "notes", tmp_path / "notes" / "blog"):
        with pytest.raises(BuildError, match=r"is a file|can't be made"):
            learners_blog.scaffold(folder)
    assert contents(tmp_path) == {"notes": b"mine"}


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main(["blog", "."]) == 1
    assert contents(tmp_path) == {}


@pytest.mark.skipif(os.name == "nt", reason="a folder's read-only mark means nothing to Windows")
def test_a_parent_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Not by the folder's mode, which does not stop the superuser that tests in a container run as.
    monkeypatch.setattr(learners_blog.tempfile, "TemporaryDirectory", denied)
    with pytest.raises(BuildError, match=r"Permission denied. Name a folder in a place where you may write"):
        learners_blog.scaffold(tmp_path / "blog")
    assert contents(tmp_path) == {}


def test_a_copy_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = []

    def full(source: str, target: str, **_: object) -> None:
        if len(copied) == 4:
            raise OSError(28, "No space left on device")
        copied.append(shutil.copyfile(source, target))

    monkeypatch.setattr(learners_blog, "copyfile", full)
    with pytest.raises(BuildError, match="No space left"):
        learners_blog.scaffold(tmp_path / "blog")
    assert len(copied) == 4
    assert contents(tmp_path) == {}


# ---------------------------------------------------------------------------------------------------- the title


@pytest.mark.parametrize("title", ["", "   ", "\u200b", "a\nb", "a\tb", "a\x00b", "a\u2028b", "\ud83e"])
def test_a_title_that_is_none_is_refused(tmp_path: Path, title: str, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["blog", str(tmp_path / "blog"), "--title", title or " "]) == 1
    assert "title" in capsys.readouterr().err
    assert contents(tmp_path) == {}


LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf", "Cn"]), min_size=1)


@given(title=LINES.filter(str.strip))
@settings(deadline=None)
def test_any_line_of_text_is_a_title(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    config = tmp_path_factory.mktemp("title") / "_quarto.yml"
    shutil.copyfile(learners_blog.TEMPLATE / "_quarto.yml", config)
    expected = yaml.safe_load(config.read_text(encoding="utf-8"))
    expected["website"]["title"] = title.strip()
    learners_blog.write_title(config, learners_blog.clean_title(title))
    assert yaml.safe_load(config.read_text(encoding="utf-8")) == expected


@pytest.mark.parametrize(
    "title",
    [
        'He said "yes"',
        "It's: a #blog",
        "- dashes",
        "--- {{x}}",
        "C:\\new",
        "日本語 🤗",
        "&a *b !c %d @e `f`",
        "null",
        "1.5",
    ],
)
def test_an_odd_title_is_written_as_a_person_would(tmp_path: Path, title: str) -> None:
    learners_blog.scaffold(tmp_path / "blog", title)
    config = (tmp_path / "blog" / "_quarto.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(config)["website"]["title"] == title
    assert json.dumps(title, ensure_ascii=False) in config


# ---------------------------------------------------------------------------------------------------- the pages


def test_rendering_says_the_same_wherever_it_is(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    said = []
    for place in ("one", "another/place"):
        assert command.main(["blog", str(tmp_path / place / "my-blog"), "--render"]) == 0
        said.append(capsys.readouterr())
    assert said[0].out == said[1].out == f"{SCAFFOLDED}\n{RENDERED}\n{NEXT}"
    assert said[0].err == said[1].err == ""


def test_a_blog_that_is_there_is_rendered_again_and_not_written_to(
    tmp_path: Path, site: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = shutil.copytree(site.parent, tmp_path / "my-blog")
    (folder / "posts" / "second").mkdir()
    (folder / "posts" / "second" / "index.qmd").write_text("---\ntitle: Mine\ndate: 2026-02-01\n---\n\nHello.\n")
    before = {name: content for name, content in contents(folder).items() if not name.startswith("_site")}
    assert command.main(["blog", str(folder), "--render"]) == 0
    assert "  _site/posts/second/index.html: Mine\n" in capsys.readouterr().out
    assert {name: content for name, content in contents(folder).items() if not name.startswith("_site")} == before


def test_a_render_that_fails_leaves_the_old_pages(tmp_path: Path, site: Path) -> None:
    folder = shutil.copytree(site.parent, tmp_path / "blog")
    before = contents(folder / "_site")
    (folder / "about.qmd").write_text("---\ntitle: About\n---\n\n[gone](posts/gone/index.qmd)\n")
    with pytest.raises(BuildError, match="lead nowhere"):
        learners_blog.render_blog(folder)
    assert contents(folder / "_site") == before


# -------------------------------------------------------------------------------------- what a learner may have written

POST, NOTEBOOK, CONFIG, HOME = "posts/first-post/index.qmd", "posts/a-notebook/index.ipynb", "_quarto.yml", "index.qmd"


def notebook(text: str, **changes: object) -> str:
    """A notebook with other values of its own keys."""
    return json.dumps({**json.loads(text), **changes})


WRONG = {
    "format 3": (NOTEBOOK, lambda text: notebook(text, nbformat=3), f"{NOTEBOOK} is in notebook format 3"),
    "format 5": (NOTEBOOK, lambda text: notebook(text, nbformat=5), f"{NOTEBOOK} is in notebook format 5"),
    "a notebook cut off": (NOTEBOOK, lambda text: text[:900], rf"{NOTEBOOK}, line \d+: the file ends in the middle"),
    "an empty notebook": (NOTEBOOK, lambda text: "", f"{NOTEBOOK} is empty"),
    "a merge": (NOTEBOOK, lambda text: f"<<<<<<< HEAD\n{text}", f"{NOTEBOOK}, line 1: <<<<<<< HEAD"),
    "a cell's options": (
        NOTEBOOK,
        lambda text: text.replace("echo: false", "echo: no: yes"),
        rf'{NOTEBOOK}, cell \d+, line 1: .*Write echo: "no: yes"',
    ),
    "a notebook's title": (
        NOTEBOOK,
        lambda text: text.replace("title: ", "title: One: ", 1),
        f'{NOTEBOOK}, cell 1, line 2: .* Write title: "One: ',
    ),
    "a post in Latin-1": (
        POST,
        lambda text: text.replace("title: Your", "title: Über").encode("latin-1"),
        "line 2.*0xDC",
    ),
    "settings in Latin-1": (CONFIG, lambda text: f"{text}# é".encode("latin-1"), r"_quarto\.yml, line \d+: .*0xE9"),
    "settings in UTF-16": (CONFIG, lambda text: text.encode("utf-16"), r"_quarto\.yml: it is UTF-16"),
    "a style in Latin-1": ("styles.css", lambda text: b"/* caf\xe9 */", r"styles\.css, line 1: .*0xE9"),
    "links that are none": (
        POST,
        ("date:", "other-links: https://x.org\ndate:"),
        r"line 4: other-links has to be a list",
    ),
    "links without an address": (
        POST,
        ("date:", "other-links: [{text: x}]\ndate:"),
        r"line 4: other-links has to be a",
    ),
    "a colon": (POST, ("title: Your", "title: One: your"), 'line 2: .*Write title: "One: your first post"'),
    "a title that is a switch": (POST, ("title: Your first post", "title: yes"), "title has to be a text.* in quotes"),
    "a day that isn't one": (POST, ("2026-01-10", "yesterday"), "line 4: date has to be a day such as 2026-01-10"),
    "no such day": (POST, ("2026-01-10", "2026-02-30"), "line 4: there is no such day"),
    "a tab": (POST, ("date:", "\tdate:"), "line 4: a tab"),
    "front matter not closed": (POST, ("\n---\n", "\n"), "line 1: the front matter isn't closed"),
    "a picture that isn't there": (POST, ("cover.svg", "covr.svg"), r"line 6: the picture covr\.svg isn't there"),
    "a number in words": (
        HOME,
        ("grid-columns: 2", "grid-columns: two"),
        "line 8: listing.grid-columns has to be a whole",
    ),
    "a switch in words": (POST, ("date:", "toc: maybe\ndate:"), "line 4: toc has to be true or false"),
    "a link in a post": (POST, ("a-notebook/", "a-note/"), r"line \d+: \.\./a-note/index\.ipynb$"),
    "a link of the menu": (
        CONFIG,
        ("href: about.qmd", "href: abuot.qmd"),
        r"nowhere:\n  _quarto\.yml, line \d+: abuot\.qmd$",
    ),
    "a theme": (CONFIG, ("litera", "literra"), r"_quarto\.yml, line \d+: theme 'literra'"),
    "settings that are a list": (CONFIG, lambda text: "- a\n", r"_quarto\.yml has to hold keys and values"),
    "no settings": (CONFIG, lambda text: "# none\n", r"_quarto\.yml has to hold keys and values"),
    "a key twice": (CONFIG, lambda text: f"{text}format: html\n", r"_quarto\.yml, line \d+: format is there twice"),
    "settings of the wrong kind": (
        CONFIG,
        ("type: website", "type: [website]"),
        "line 3: project.type has to be a text",
    ),
    "settings of a folder": ("posts/_metadata.yml", lambda text: "toc: [", r"posts/_metadata\.yml, line 1: a bracket"),
    "a page twice": ("about.md", lambda text: "# About\n", r"would both become about\.html"),
    "a formula": (POST, ("sigma(z)", "sigmoid(z)"), rf"{POST}: This formula"),
}
"""What is wrong with the blog: the file, how it comes to be so, and what is said of it."""


@pytest.mark.parametrize("what", WRONG)
def test_what_the_preview_cant_show_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, what: str
) -> None:
    name, change, said = WRONG[what]
    folder = tmp_path / "blog"
    learners_blog.scaffold(folder)
    path = folder / name
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    content = text.replace(*change, 1) if isinstance(change, tuple) else change(text)
    assert content != text
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if path.suffix == ".md":
        config = (folder / CONFIG).read_text(encoding="utf-8")
        (folder / CONFIG).write_text(config.replace("- about.qmd", '- "about.*"'), encoding="utf-8")
    before = contents(folder)
    assert command.main(["blog", str(folder), "--render"]) == 1
    err = capsys.readouterr().err
    assert re.search(f"^course_build: .*{said}", err, re.DOTALL), err
    assert name in err
    assert str(tmp_path) not in err
    assert contents(folder) == before


def test_what_quarto_shows_the_preview_shows(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A byte order mark, Windows' line ends, an empty key, a day with a time zone, a bare notebook, other files."""
    folder = tmp_path / "blog"
    learners_blog.scaffold(folder)
    post, config = ((folder / name).read_text(encoding="utf-8") for name in (POST, CONFIG))
    post = post.replace("date: 2026-01-10", 'subtitle:\ndate: "2026-01-10T09:00:00+02:00"\nauthor: [Ann, Bo]')
    links = "other-links:\n  - {text: The other, href: ../a-notebook/index.ipynb}\n  - {text: x, href: https://x.org}\n"
    (folder / POST).write_bytes(
        b"\xef\xbb\xbf" + post.replace("categories:", f"{links}categories:").replace("\n", "\r\n").encode()
    )
    config = config.replace("  render:", "  resources: static.html\n  render:\n    - notes.md")
    (folder / CONFIG).write_bytes(b"\xef\xbb\xbf" + f"{config.split('format:')[0]}format: html\n".encode())
    (folder / "notes.md").write_text("Only text.\n", encoding="utf-8")
    (folder / "static.html").write_text("<p>As it is", encoding="utf-8")
    saved = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))
    del saved["nbformat_minor"]
    saved["cells"][0]["cell_type"] = "markdown"
    for cell in saved["cells"]:
        cell.pop("execution_count", None)
        cell["of another program"] = True
    (folder / NOTEBOOK).write_text(json.dumps(saved), encoding="utf-8")
    (folder / "drafts").mkdir()
    (folder / "drafts" / "notes.qmd").write_bytes(b"\xe9, and no page")
    assert command.main(["blog", str(folder), "--render"]) == 0
    assert capsys.readouterr().err == ""
    shown = page(folder / "_site", "posts/first-post/index.html")
    assert shown.select_one("p.date").get_text() == "January 10, 2026"
    addresses = [link["href"] for link in shown.select(".quarto-other-links a")]
    assert addresses == ["../a-notebook/index.html", "https://x.org"]
    assert page(folder / "_site", "posts/a-notebook/index.html").select_one("h1").get_text() == "A notebook as a post"
    assert (folder / "_site" / "static.html").read_text(encoding="utf-8") == "<p>As it is"
    assert "Only text." in page(folder / "_site", "notes.html").main.get_text()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for a Quarto is a shell script")
def test_a_quarto_renders_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    quarto = tmp_path / "quarto"
    quarto.write_text(
        '#!/bin/sh\nmkdir "$2/_site" "$2/.quarto"\n'
        'echo \'<title>Notes of mine</title><h1 class="title">Notes</h1>\' > "$2/_site/index.html"\n'
    )
    quarto.chmod(0o755)
    monkeypatch.setattr(render.shutil, "which", lambda *_, **__: str(quarto))
    assert command.main(["blog", str(tmp_path / "my-blog"), "--render"]) == 0
    assert "blog: rendering with Quarto\n  _site/index.html: Notes\nblog: to go on" in capsys.readouterr().out
    assert files(tmp_path / "my-blog") == sorted([*FILES, "_site/index.html"])


def test_every_page_is_there_and_named_after_the_blog(site: Path) -> None:
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    assert [name for name in names if not name.startswith("site_libs/")] == PAGES
    for name in PAGES:
        assert page(site, name).title.get_text().endswith("Ein Blog: <em>& mehr</em>")
        assert page(site, name).select_one(".navbar-title").get_text() == "Ein Blog: <em>& mehr</em>"


def test_the_home_page_lists_the_posts_newest_first(site: Path) -> None:
    home = page(site, "index.html")
    assert [card.get_text() for card in home.select(".listing-title")] == ["A notebook as a post", "Your first post"]
    assert [link["href"] for link in home.select("a.quarto-grid-link")] == [
        "posts/a-notebook/index.html",
        "posts/first-post/index.html",
    ]
    assert all(picture.get("alt") for picture in home.select("img"))


def test_the_notebook_shows_its_outputs_and_hides_one_cells_code(site: Path) -> None:
    notebook = page(site, "posts/a-notebook/index.html")
    shown, hidden = notebook.select(".cell")
    assert shown.select_one("code.sourceCode")
    assert shown.select_one(".cell-output").get_text(strip=True) == "3"
    assert not hidden.select_one("code.sourceCode")
    assert "████████████ 3" in hidden.get_text()
    assert notebook.select_one(".callout-note")
    assert not list(site.rglob("*.ipynb")), "a notebook is published only if the configuration names it a resource"


def test_the_first_post_has_its_callout_code_and_formula(site: Path) -> None:
    post = page(site, "posts/first-post/index.html")
    assert post.select_one(".callout-tip")
    assert post.select_one("math")
    assert post.select_one("code.sourceCode")


@pytest.mark.parametrize("name", PAGES)
def test_no_link_leads_nowhere(site: Path, name: str) -> None:
    links = [element["href"] for element in page(site, name).select("a[href], link[href]")]
    assert links
    for link in links:
        address, fragment = urldefrag(link)
        if urlsplit(address).scheme:
            continue
        target = (site / name).parent / unquote(address) if address else site / name
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), link
        landing = BeautifulSoup(target.read_text(encoding="utf-8"), "html.parser") if fragment else None
        if fragment.startswith("category="):
            # The listing's script reads this one, and shows the posts of the category.
            assert landing.find(attrs={"data-category": unquote(fragment).removeprefix("category=")}), link
        elif fragment:
            assert landing.find(id=unquote(fragment)), link


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_no_other_host_for_anything(site: Path, name: str) -> None:
    for element in page(site, name).select("[src], link[href]:not([rel=canonical])"):
        address = element.get("src") or element["href"]
        if not address.startswith("data:"):
            assert not urlsplit(address).netloc, address
            assert ((site / name).parent / unquote(urlsplit(address).path)).is_file(), address


def test_the_style_asks_no_other_host_for_anything(site: Path) -> None:
    for sheet in ("styles.css", "site_libs/themes/litera.min.css", "site_libs/themes/slate.min.css"):
        text = (site / sheet).read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", text), sheet


# ---------------------------------------------------------------------------------------------------- the template


def test_the_title_stands_once_in_the_template() -> None:
    assert (learners_blog.TEMPLATE / "_quarto.yml").read_text(encoding="utf-8").count(f'"{learners_blog.TITLE}"') == 1


def test_the_package_carries_every_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "site/blog_template/**/*" in project["tool"]["setuptools"]["package-data"]["course_build"]
    assert [name for name in files(learners_blog.TEMPLATE) if "_site/" not in name and ".quarto/" not in name] == FILES


def test_the_configuration_files_parse() -> None:
    workflow = yaml.safe_load((learners_blog.TEMPLATE / ".github/workflows/publish.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["publish"]["steps"]
    assert "quarto render" in [step.get("run") for step in steps]
    assert workflow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    netlify = tomllib.loads((learners_blog.TEMPLATE / "netlify.toml").read_text(encoding="utf-8"))
    package = json.loads((learners_blog.TEMPLATE / "package.json").read_text(encoding="utf-8"))
    assert [plugin["package"] for plugin in netlify["plugins"]] == list(package["dependencies"])
    config = yaml.safe_load((learners_blog.TEMPLATE / "_quarto.yml").read_text(encoding="utf-8"))
    assert netlify["build"]["publish"] == config["project"]["output-dir"]
    assert render.QUARTO.endswith(steps[1]["with"]["version"])
    assert steps[1]["with"]["version"] == netlify["plugins"][0]["inputs"]["version"]


def test_a_listing_has_no_feed_while_the_blog_has_no_address() -> None:
    config = yaml.safe_load((learners_blog.TEMPLATE / "_quarto.yml").read_text(encoding="utf-8"))
    front = yaml.safe_load((learners_blog.TEMPLATE / "index.qmd").read_text(encoding="utf-8").split("---")[1])
    assert "site-url" in config["website"] or "feed" not in front["listing"], "Quarto warns of a feed without site-url"


def test_every_post_says_what_the_listing_shows() -> None:
    for name in ("posts/first-post/index.qmd", "posts/a-notebook/index.ipynb"):
        path = learners_blog.TEMPLATE / name
        if path.suffix == ".ipynb":
            text = nbformat.read(path, as_version=4).cells[0].source
        else:
            text = path.read_text(encoding="utf-8")
        front = yaml.safe_load(text.split("---")[1])
        assert {"title", "description", "date", "categories", "image", "image-alt"} <= front.keys()
        assert (path.parent / front["image"]).is_file()


def test_the_notebooks_outputs_are_those_of_a_run() -> None:
    saved = nbformat.read(learners_blog.TEMPLATE / "posts/a-notebook/index.ipynb", as_version=4)
    nbformat.validate(saved)
    fresh = nbformat.from_dict(json.loads(json.dumps(saved)))
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbclient.NotebookClient(fresh, timeout=120, kernel_name="python3").execute()
    code = [(old, new) for old, new in zip(saved.cells, fresh.cells, strict=True) if old.cell_type == "code"]
    assert len(code) == 2
    for old, new in code:
        assert old.outputs == new.outputs
        assert old.execution_count == new.execution_count
