"""A learner's folder in JupyterLab, in a real browser: from the first start to the end of lesson 3, with the network
watched."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from browsers import DESKTOP
from proofs import lesson_03
from test_copies import key

from course_build.classroom import copies
from course_build.paths import NOTEBOOKS
from course_build.setup import network_off
from course_utils.classroom import learners_folder

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

LESSON = "03_huggingface_nlp.ipynb"
START = 180  # seconds: patience for a busy machine, and no measure of anything
PATIENCE = 300_000  # the same for playwright, which counts milliseconds
STDERR = "[data-mime-type='application/vnd.jupyter.stderr']"
"""How JupyterLab marks an output that is an error, as it does what a cell writes to stderr."""
ALL_IN_VIEW = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "kernelShutdown": True}}
"""JupyterLab takes cells that are out of view off the page; a test that counts them needs all of them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a learner who worked in lesson 1 when it was another: the course has changed it since."""
    mine = tmp_path_factory.mktemp("learner") / "my_lessons"
    copies.bring_up_to_date(mine, [])
    for path, ran in ((mine / copies.GIVEN / "01_environment.ipynb", False), (mine / "01_environment.ipynb", True)):
        older = nbformat.read(path, as_version=4)
        older.cells[1].source += "\n\nA sentence that the course has taken out."
        if ran:
            older.cells[2].execution_count = 1
        nbformat.write(older, path)
    return mine


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody who never saw JupyterLab, with the network off."""
    home = tmp_path_factory.mktemp("home")
    places = {
        "HOME": home,
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_CONFIG_PATH": home / "more",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "PYTHONPATH": network_off.GUARD,
        "BROWSER": "true",  # a program that opens nothing
    }
    (home / "more" / "labconfig").mkdir(parents=True)
    (home / "more" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(ALL_IN_VIEW), "utf-8")
    environ = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return {**environ, **{name: str(place) for name, place in places.items()}}


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "course_build", "lab", "--folder", str(folder), *options]


@pytest.fixture(scope="module")
def server(folder: Path, home: dict[str, str]) -> Iterator[dict]:
    """`python -m course_build lab`.

    Yields what JupyterLab writes down of itself, with its `url` and its `token`, and the path of its `log`.
    """
    log = Path(home["HOME"], "log")
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command(folder, "--", "--no-browser", "--port=0"), env=home, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            running = wait_for_server(Path(home["JUPYTER_RUNTIME_DIR"]), process, log)
            yield {**running, "log": log}
            # As "Shut Down" in JupyterLab's menu: it ends the kernels, too.
            ask(running, "api/shutdown", method="POST")
            assert process.wait(START) == 0
        finally:
            process.kill()


def wait_for_server(runtime: Path, process: subprocess.Popen, log: Path) -> dict:
    late = time.monotonic() + START
    while process.poll() is None and time.monotonic() < late:
        for path in runtime.glob("jpserver-*.json"):
            try:
                running = json.loads(path.read_text(encoding="utf-8"))
                ask(running, "api/status")
            except (ValueError, urllib.error.URLError):
                continue  # half written, or not listening yet
            return running
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")


def ask(running: dict, path: str, method: str = "GET", data: bytes | None = None) -> bytes:
    # Without the proxy that an environment may name: this is the same machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Authorization": f"token {running['token']}"}
    with opener.open(urllib.request.Request(running["url"] + path, data, headers, method=method)) as answer:
        return answer.read()


def kernels(running: dict) -> list[dict]:
    return json.loads(ask(running, "api/kernels"))


class Opened:
    """Lesson 3 in JupyterLab, with all cells run once, and the addresses that the browser asked."""

    def __init__(self, page: "playwright.Page", source: nbformat.NotebookNode) -> None:
        self.page = page
        self.source = source
        self.asked: list[str] = []
        self.cells = page.locator(".jp-Notebook .jp-Cell")
        self.count = sum(cell.cell_type == "code" for cell in source.cells)
        self.before: dict[str, object] = {}

    def number(self, text: str) -> int:
        """Where the one code cell is whose source has a text."""
        found = [
            number for number, cell in enumerate(self.source.cells) if cell.cell_type == "code" and text in cell.source
        ]
        assert len(found) == 1, f"{text!r} is not one cell: {found}"
        return found[0]

    def run(self, number: int, source: str | None = None) -> "playwright.Locator":
        """Run a cell, with another source if one is given; return its outputs."""
        cell = self.cells.nth(number)
        cell.locator(".cm-content").click()
        if source is not None:
            self.page.keyboard.press("ControlOrMeta+A")
            self.page.keyboard.insert_text(source)
        self.page.keyboard.press("ControlOrMeta+Enter")
        self.count += 1
        playwright.expect(cell.locator(".jp-InputPrompt")).to_have_text(f"[{self.count}]:", timeout=PATIENCE)
        return cell.locator(".jp-Cell-outputArea")


@pytest.fixture(scope="module")
def front_door(browser: "playwright.Browser", server: dict) -> "playwright.Page":
    """The page that JupyterLab opens."""
    page = browser.new_page(viewport=DESKTOP)
    page.set_default_timeout(PATIENCE)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(f"{server['url']}?token={server['token']}", timeout=PATIENCE)
    playwright.expect(page.locator(".jp-MarkdownViewer h1")).to_contain_text("LLMs, Hands On", timeout=PATIENCE)
    return page


@pytest.fixture(scope="module")
def lesson(front_door: "playwright.Page", server: dict, folder: Path) -> Opened:
    """The lesson, opened from the front door without a mouse, and run by "Run All Cells"."""
    page = front_door
    opened = Opened(page, nbformat.read(folder / LESSON, as_version=4))
    opened.asked = page.asked
    page.locator(f".jp-MarkdownViewer a[href*='{LESSON}']").first.focus()
    page.keyboard.press("Enter")
    playwright.expect(opened.cells).to_have_count(len(opened.source.cells), timeout=PATIENCE)
    playwright.expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached(
        timeout=PATIENCE
    )
    opened.before = {
        "outputs": page.locator(".jp-OutputArea-output").count(),
        "changed": page.locator(".lm-TabBar-tab.jp-mod-dirty").count(),
    }
    first = page.locator(".jp-CodeCell .jp-InputPrompt").first
    for _ in range(3):  # on a busy machine a click may get lost, and who sees nothing run clicks again
        with contextlib.suppress(AssertionError, playwright.TimeoutError):
            page.get_by_role("menuitem", name="Run", exact=True).click(timeout=PATIENCE / 5)
            page.get_by_role("menuitem", name="Run All Cells", exact=True).click(timeout=PATIENCE / 5)
            playwright.expect(first).not_to_have_text("[ ]:", timeout=PATIENCE / 5)
            break
    # In this order, and none left out. A cell that raises without leave would keep the rest from running.
    prompts = [f"[{number}]:" for number in range(1, opened.count + 1)]
    playwright.expect(page.locator(".jp-CodeCell .jp-InputPrompt")).to_have_text(prompts, timeout=PATIENCE)
    return opened


def test_defaults_are_set_where_a_learner_set_nothing(server: dict) -> None:
    answer = json.loads(ask(server, "lab/api/settings/@jupyterlab/apputils-extension:notification"))
    properties = answer["schema"]["properties"]
    assert {name: properties[name]["default"] for name in ("fetchNews", "checkForUpdates")} == {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
    assert answer["settings"] == {}, "nothing is set that the learner didn't set"


def test_the_start_says_what_it_did_and_where_jupyterlab_is(server: dict) -> None:
    said = server["log"].read_text(encoding="utf-8")
    assert "01_environment.ipynb is as you left it. The course has changed it" in said
    assert f"{server['url']}lab/tree/start_here.md?token={server['token']}" in said
    assert len(said.splitlines()) < 20


def test_a_second_start_says_where_the_first_one_is(server: dict, folder: Path, home: dict[str, str]) -> None:
    again = subprocess.run(command(folder), env=home, capture_output=True, text=True, timeout=START)
    assert again.returncode == 0, again.stderr
    assert f"JupyterLab runs already, at {server['url']}lab/tree/start_here.md?token=" in again.stdout


def test_the_front_door_shows_the_way_and_a_changed_lesson(front_door: "playwright.Page") -> None:
    viewer = front_door.locator(".jp-MarkdownViewer")
    picture = viewer.locator("img")
    assert picture.get_attribute("alt").startswith("Your path of")
    front_door.wait_for_function("picture => picture.naturalWidth > 0", arg=picture.element_handle())
    assert viewer.locator("table tbody tr").count() == len(list(NOTEBOOKS.glob("??_*.ipynb")))

    viewer.get_by_role("link", name="the new version").first.click()
    news = front_door.locator(".jp-Notebook .jp-RenderedMarkdown").first
    playwright.expect(news).to_contain_text("This lesson has changed since you got yours.")
    news.locator("summary").click()
    playwright.expect(news.locator("pre")).to_contain_text("-A sentence that the course has taken out.")
    # Closed before its kernel has started, a notebook would leave it.
    playwright.expect(front_door.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached()
    tab = front_door.locator(".lm-TabBar-tab", has_text="01_environment_changed")
    tab.locator(".lm-TabBar-tabCloseIcon").click()
    playwright.expect(tab).to_have_count(0)
    front_door.locator(".lm-TabBar-tab", has_text="start_here").click()


def test_a_lesson_opens_clean_and_nothing_is_spoiled(lesson: Opened) -> None:
    assert lesson.before == {"outputs": 0, "changed": 0}
    first = lesson.cells.first
    assert first.locator("h1").inner_text().startswith("Lesson 3: A first language model")
    assert first.locator("img").evaluate("picture => picture.naturalWidth") > 0
    assert lesson.page.locator(".jp-Notebook h1").count() == 1
    prose = lesson.page.locator(".jp-Notebook .jp-MarkdownCell")
    assert not re.search(r":::|\{\.|^---$|#\|", "\n".join(prose.all_inner_texts()), re.MULTILINE)


def test_a_first_start_asks_the_learner_nothing_and_no_other_host(lesson: Opened, server: dict) -> None:
    assert lesson.page.get_by_text("Jupyter news").count() == 0
    assert lesson.page.locator(".jp-Dialog").count() == 0
    local = (server["url"], "data:", "blob:")
    assert [address for address in lesson.asked if not address.startswith(local)] == []
    assert [address for address in lesson.asked if re.search("/lab/api/(news|update)", address)] == []
    assert "this run is offline" not in server["log"].read_text(encoding="utf-8"), "the server asked another host"


def test_every_cell_runs_and_none_fails_that_may_not(lesson: Opened) -> None:
    meant = [n for n, cell in enumerate(lesson.source.cells) if "raises-exception" in cell.metadata.get("tags", [])]
    errors = [
        cell.locator(STDERR).filter(has_text=re.compile(r"^\w+Error: ", re.MULTILINE)) for cell in lesson.cells.all()
    ]
    failed = [number for number, shown in enumerate(errors) if shown.count()]
    assert meant
    assert failed == meant
    for number in meant:
        shown = lesson.cells.nth(number)
        lines = shown.locator(STDERR).inner_text().splitlines()
        assert re.search(r"^\w+Error: ", lines[-1]), "the lesson says to read the last line first"
        assert lesson.source.cells[number].source.splitlines()[-1] in "\n".join(lines)
        assert len(lines) < 20
        folded = shown.locator("details")
        assert re.fullmatch(r"\d+ frames? inside .*transformers.*", folded.locator("summary").inner_text())
        assert "site-packages" in folded.locator("pre").text_content()


def test_it_shows_the_figures_and_the_outputs_that_the_blog_shows(lesson: Opened, folder: Path) -> None:
    saved = {cell.id: cell for cell in nbformat.read(NOTEBOOKS / LESSON, as_version=4).cells}
    pictures = 0
    long = learners_folder.lessons(folder)[LESSON[:2]]["seconds"]
    for number, cell in enumerate(lesson.source.cells):
        if cell.id not in saved:
            continue
        outputs = saved[cell.id].get("outputs", [])
        shown = lesson.cells.nth(number)
        says_how_long = learners_folder.code_key(cell.source) in long
        assert bool(shown.locator(".jp-OutputArea-output").count()) == (bool(outputs) or says_how_long), cell.source
        for picture in range(sum("image/png" in output.get("data", {}) for output in outputs)):
            size = shown.locator(".jp-OutputArea-output img").nth(picture).bounding_box()
            assert size["width"] > 200, cell.source
            assert 100 < size["height"] <= 560, cell.source
            figure = shown.locator("figure").nth(picture)
            options = saved[cell.id].source
            assert figure.locator("img").get_attribute("alt") in options
            assert figure.locator("figcaption").inner_text() in options
            natural = figure.locator("img").evaluate("picture => picture.naturalWidth")
            assert natural >= 1.99 * size["width"], "sharp on a fine screen"
            pictures += 1
    assert pictures


def test_a_callout_reads_as_a_quotation_and_leaves_the_outline_alone(lesson: Opened) -> None:
    quotations = lesson.page.locator(".jp-MarkdownCell blockquote")
    wanted = sum(text.count("::: {.callout") for text in prose(NOTEBOOKS / LESSON))
    assert wanted
    assert quotations.count() == wanted
    assert all(re.match(r"(Note|Tip|Important|Watch out)(: .+)?\n", text) for text in quotations.all_inner_texts())
    assert quotations.locator("h1, h2, h3, h4").count() == 0


def prose(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]


def test_maths_tables_and_folded_answers_are_rendered(lesson: Opened) -> None:
    prose = lesson.page.locator(".jp-MarkdownCell .jp-RenderedMarkdown")
    playwright.expect(prose.locator("mjx-container").first).to_be_visible()
    assert prose.locator("table").count() >= 1
    solution = prose.locator("details.exercise-solution").first
    code = solution.locator("pre").first
    assert not code.is_visible()
    solution.locator("summary").press("Enter")
    playwright.expect(code).to_be_visible()
    assert code.inner_text().startswith("def verdict")


def test_a_term_leads_to_its_place_in_the_glossary(lesson: Opened) -> None:
    link = lesson.page.locator(".jp-Notebook a[href*='#softmax']").first
    assert link.get_attribute("title").startswith("A function that makes probabilities of logits")
    link.click()
    tab = lesson.page.locator(".lm-TabBar-tab", has_text="glossary.md")
    heading = lesson.page.locator(".jp-MarkdownViewer h2", has_text="Softmax")
    playwright.expect(heading).to_be_in_viewport(timeout=PATIENCE)
    tab.locator(".lm-TabBar-tabCloseIcon").click()
    playwright.expect(tab).to_have_count(0, timeout=PATIENCE)


def test_an_exercise_answers_a_wrong_and_then_a_right_answer_and_it_is_remembered(lesson: Opened, folder: Path) -> None:
    task, check = lesson.number("def verdict("), lesson.number("check_verdict(verdict)")
    feedback = lesson.cells.nth(check).locator(".jp-Cell-outputArea")
    assert "○ Not answered yet." in feedback.inner_text()

    wrong, hint = lesson_03.WRONG["check_verdict", ("verdict",)]["more than, not at least"]
    lesson.run(task, wrong)
    assert hint in lesson.run(check).inner_text()
    assert "✘ Not yet." in feedback.inner_text()
    assert not (folder / "progress.csv").exists()

    (solution,) = [text for text in prose(NOTEBOOKS / LESSON) if "```python\ndef verdict(" in text]
    lesson.run(task, re.search(r"```python\n(.+?)```", solution, re.DOTALL)[1])
    lesson.run(check)
    assert "✔ Right." in feedback.inner_text()
    assert ",03,exercise,check_verdict,right" in (folder / "progress.csv").read_text("utf-8")


def test_an_answer_needs_no_mouse(lesson: Opened) -> None:
    """From the check of the first exercise to that of the second."""
    keys = lesson.page.keyboard
    task, check = lesson.number("tokens_seen = ..."), lesson.number("check_tokens_seen(tokens_seen)")
    lesson.run(lesson.number("check_verdict(verdict)"))
    for _ in range(task - lesson.number("check_verdict(verdict)")):
        keys.press("ArrowDown")
    keys.press("Enter")
    keys.press("ControlOrMeta+A")
    keys.insert_text("tokens_seen = 512")
    for cell in (task, check):
        keys.press("Shift+Enter")
        lesson.count += 1
        prompt = lesson.cells.nth(cell).locator(".jp-InputPrompt")
        playwright.expect(prompt).to_have_text(f"[{lesson.count}]:", timeout=PATIENCE)
    assert "✔ Right." in lesson.cells.nth(check).locator(".jp-Cell-outputArea").inner_text()


def test_the_quiz_takes_letters_that_stay_in_the_file(lesson: Opened) -> None:
    asked = lesson.cells.nth(lesson.number('\nquiz("03")')).locator(".jp-Cell-outputArea")
    assert asked.locator("li").count() >= 15
    assert "✔" not in asked.inner_text()
    answers = lesson.number("check_quiz")
    right = key("03")
    typed = lesson.source.cells[answers].source.replace("? ? ? ? ?", f"{right[0]} ? ? {right[3]} ?")
    said = lesson.run(answers, typed).inner_text()
    assert said.count("✔ Right.") == 2
    assert "2 of 5 right." in said


def test_after_a_restart_progress_is_there_and_the_front_door_has_it(lesson: Opened, server: dict) -> None:
    lesson.page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name='restart'] jp-button").click()
    lesson.page.locator(".jp-Dialog .jp-mod-accept").click()
    playwright.expect(lesson.page.locator(".jp-Dialog")).to_have_count(0)
    lesson.count = 0
    said = lesson.run(lesson.number("check_verdict(verdict)")).inner_text()
    assert 'What to do: verdict is made in the section "Exercise 1: Not sure is an answer, too"' in said
    shown = lesson.run(lesson.number("progress()"))
    row = shown.locator("tr", has_text="A first language model")
    assert [text.replace("\u00a0", " ") for text in row.locator("td").all_inner_texts()[2:]] == [
        "●●○○○ 2 of 5",
        "●●○○○ 2 of 5",
    ]
    door = lesson.page.locator(".lm-TabBar-tab", has_text="start_here")
    door.locator(".lm-TabBar-tabCloseIcon").click()
    lesson.cells.first.get_by_role("link", name="All lessons").click()
    playwright.expect(lesson.page.locator(".jp-MarkdownViewer")).to_contain_text("Go on with Lesson 3")


def test_saved_and_opened_in_the_dark_a_figure_stays_on_paper_with_less_of_a_glare(
    lesson: Opened, browser: "playwright.Browser", server: dict
) -> None:
    lesson.page.locator(".lm-TabBar-tab", has_text=LESSON[:10]).click()
    lesson.page.keyboard.press("ControlOrMeta+S")
    playwright.expect(lesson.page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    theme = json.dumps({"raw": json.dumps({"theme": "JupyterLab Dark"})}).encode()
    ask(server, "lab/api/settings/@jupyterlab/apputils-extension:themes", method="PUT", data=theme)
    page = browser.new_page(viewport=DESKTOP)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{server['url']}lab/workspaces/dark/tree/{LESSON}?token={server['token']}", timeout=PATIENCE)
    picture = page.locator(".jp-OutputArea-output figure img").first
    picture.wait_for()
    page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    assert picture.evaluate("picture => getComputedStyle(picture).filter") == "brightness(0.86)"
    assert picture.get_attribute("alt")
    page.close()


def test_closing_a_lesson_ends_its_kernel(lesson: Opened, server: dict) -> None:
    assert len(kernels(server)) == 1
    tab = lesson.page.locator(".lm-TabBar-tab", has_text=LESSON[:10])
    tab.click()
    lesson.page.keyboard.press("ControlOrMeta+S")
    playwright.expect(lesson.page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    tab.locator(".lm-TabBar-tabCloseIcon").click()
    playwright.expect(tab).to_have_count(0)
    late = time.monotonic() + START
    while kernels(server) and time.monotonic() < late:
        time.sleep(0.1)
    assert kernels(server) == []
