"""Lesson 3 in JupyterLab, in a real browser, as a learner works through it, with the network watched."""

import contextlib
import json
import os
import re
import shutil
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

from course_build.paths import NOTEBOOKS, ROOT
from course_build.setup import network_off

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

LESSON = "03_huggingface_nlp.ipynb"
START = 180  # seconds: patience for a busy machine, and no measure of anything
PATIENCE = 300_000  # the same for playwright, which counts milliseconds
STDERR = "[data-mime-type='application/vnd.jupyter.stderr']"
"""How JupyterLab marks an output that is an error, as it does what a cell writes to stderr."""
ALL_IN_VIEW = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
"""JupyterLab takes cells that are out of view off the page; a test that counts them needs all of them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's folder: the lessons as they come, lesson 3 without outputs, so that all that shows was computed."""
    copy = tmp_path_factory.mktemp("learner") / NOTEBOOKS.name
    shutil.copytree(NOTEBOOKS, copy, ignore=shutil.ignore_patterns(".*"))
    shutil.copy(ROOT / "glossary.qmd", copy.parent)
    lesson = nbformat.read(copy / LESSON, as_version=4)
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(lesson, copy / LESSON)
    return copy


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """`python -m course_build lab` on a machine that never saw JupyterLab, and with the network off.

    Yields what JupyterLab writes down of itself, with its `url` and its `token`, and the path of its `log`.
    """
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
    }
    (home / "more" / "labconfig").mkdir(parents=True)
    (home / "more" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(ALL_IN_VIEW), "utf-8")
    environ = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    options = ["--no-browser", "--port=0", "--allow-root", f"--ServerApp.root_dir={folder.parent}"]
    log = home / "log"
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "course_build", "lab", "--", *options],
            env={**environ, **{name: str(place) for name, place in places.items()}},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            running = wait_for_server(home / "runtime", process, log)
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


def ask(running: dict, path: str, method: str = "GET") -> bytes:
    # Without the proxy that an environment may name: this is the same machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Authorization": f"token {running['token']}"}
    with opener.open(urllib.request.Request(running["url"] + path, headers=headers, method=method)) as answer:
        return answer.read()


class Opened:
    """Lesson 3 in JupyterLab, with all cells run once, and the addresses that the browser asked."""

    def __init__(self, page: "playwright.Page", source: nbformat.NotebookNode) -> None:
        self.page = page
        self.source = source
        self.asked: list[str] = []
        self.cells = page.locator(".jp-Notebook .jp-Cell")
        self.count = sum(cell.cell_type == "code" for cell in source.cells)

    def number(self, **wanted: str) -> int:
        """Where the one cell is whose source has a text, or whose metadata has an entry."""
        found = [
            number
            for number, cell in enumerate(self.source.cells)
            if wanted.get("text", "") in cell.source
            and wanted.get("exercise") in (None, cell.cell_type == "code" and cell.metadata.get("exercise"))
        ]
        assert len(found) == 1, f"{wanted} is not one cell: {found}"
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
def lesson(browser: "playwright.Browser", server: dict, folder: Path) -> Opened:
    """The lesson, opened for the first time, and run by "Run All Cells"."""
    page = browser.new_page(viewport=DESKTOP)
    page.set_default_timeout(PATIENCE)
    opened = Opened(page, nbformat.read(folder / LESSON, as_version=4))
    page.on("request", lambda request: opened.asked.append(request.url))
    page.goto(f"{server['url']}lab/tree/{NOTEBOOKS.name}/{LESSON}?token={server['token']}", timeout=PATIENCE)
    playwright.expect(opened.cells).to_have_count(len(opened.source.cells), timeout=PATIENCE)
    playwright.expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached(
        timeout=PATIENCE
    )
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


def test_news_and_updates_are_off_until_a_learner_turns_them_on(server: dict) -> None:
    answer = json.loads(ask(server, "lab/api/settings/@jupyterlab/apputils-extension:notification"))
    properties = answer["schema"]["properties"]
    assert {name: properties[name]["default"] for name in ("fetchNews", "checkForUpdates")} == {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
    assert answer["settings"] == {}, "nothing is set that the learner didn't set"


def test_a_first_start_asks_the_learner_nothing_and_no_other_host(lesson: Opened, server: dict) -> None:
    assert lesson.page.get_by_text("Jupyter news").count() == 0
    assert lesson.page.locator(".jp-Dialog").count() == 0
    local = (server["url"], "data:", "blob:")
    assert [address for address in lesson.asked if not address.startswith(local)] == []
    assert [address for address in lesson.asked if re.search("/lab/api/(news|update)", address)] == []
    assert "this run is offline" not in server["log"].read_text(encoding="utf-8"), "the server asked another host"


def test_every_cell_runs_and_none_fails_that_may_not(lesson: Opened) -> None:
    meant = [n for n, cell in enumerate(lesson.source.cells) if "raises-exception" in cell.metadata.get("tags", [])]
    failed = [number for number in range(len(lesson.source.cells)) if lesson.cells.nth(number).locator(STDERR).count()]
    assert meant
    assert failed == meant
    for number in meant:
        text = lesson.cells.nth(number).locator(STDERR).inner_text()
        assert re.search(r"^\w+Error: ", text.splitlines()[-1]), "the lesson says to read the last line first"


def test_it_shows_the_figures_and_the_outputs_that_the_blog_shows(lesson: Opened) -> None:
    saved = nbformat.read(NOTEBOOKS / LESSON, as_version=4)
    pictures = 0
    for number, cell in enumerate(saved.cells):
        outputs = cell.get("outputs", [])
        shown = lesson.cells.nth(number)
        assert bool(shown.locator(".jp-OutputArea-output").count()) == bool(outputs), cell.source
        for picture in range(sum("image/png" in output.get("data", {}) for output in outputs)):
            size = shown.locator(".jp-OutputArea-output img").nth(picture).bounding_box()
            assert size["width"] > 200, cell.source
            assert size["height"] > 100, cell.source
            pictures += 1
    assert pictures
    assert lesson.page.locator(".jp-OutputArea-output img").count() == pictures


def test_a_callout_reads_as_a_heading_and_its_text(lesson: Opened) -> None:
    """JupyterLab has no callouts. A reader sees a line `::: {.callout-note}`, then the title as a heading and the text
    with all its formats, and `:::` on a line of its own."""
    callouts = 0
    for number, cell in enumerate(lesson.source.cells):
        sources = re.findall(r"^::: (\{\.callout-.+\})\n## (.+)\n\n((?s:.+?))\n\n:::$", cell.source, re.MULTILINE)
        shown = lesson.cells.nth(number).locator(".jp-RenderedMarkdown > *")
        parts = (
            [(part.evaluate("part => part.tagName"), part.inner_text().strip()) for part in shown.all()]
            if sources
            else []
        )
        for attributes, title, text in sources:
            fence = parts.index(("P", f"::: {attributes}"))
            tag, heading = parts[fence + 1]
            assert (tag, heading.rstrip("¶")) == ("H2", title.replace("`", ""))
            end = fence + 3 + text.count("\n\n")
            assert parts[end] == ("P", ":::")
            paragraphs = [part for _, part in parts[fence + 2 : end]]
            assert len(" ".join(paragraphs).split()) == len(re.sub(r"\]\(\S+\)", "", text).split())
            callouts += 1
    assert callouts == sum("::: {.callout" in line for cell in lesson.source.cells for line in cell.source.splitlines())
    assert callouts


def test_maths_tables_and_folded_answers_are_rendered(lesson: Opened) -> None:
    prose = lesson.page.locator(".jp-MarkdownCell .jp-RenderedMarkdown")
    playwright.expect(prose.locator("mjx-container").first).to_be_visible()
    assert prose.locator("table").count() >= 1
    solution = prose.locator("details.exercise-solution").first
    code = solution.locator("pre").first
    assert not code.is_visible()
    solution.locator("summary").click()
    playwright.expect(code).to_be_visible()
    assert code.inner_text().startswith("def verdict")


def test_a_term_leads_to_the_glossary(lesson: Opened) -> None:
    lesson.page.locator(".jp-Notebook a[href*='glossary.qmd']").first.click()
    tab = lesson.page.locator(".lm-TabBar-tab", has_text="glossary.qmd")
    playwright.expect(lesson.page.locator(".jp-FileEditor .cm-content")).to_contain_text("## ", timeout=PATIENCE)
    tab.locator(".lm-TabBar-tabCloseIcon").click()
    playwright.expect(tab).to_have_count(0, timeout=PATIENCE)


def test_an_exercise_answers_a_wrong_and_then_a_right_answer(lesson: Opened) -> None:
    task, check = lesson.number(exercise="verdict"), lesson.number(text="check_verdict(verdict)")
    feedback = lesson.cells.nth(check).locator(".jp-Cell-outputArea")
    assert "○ Not answered yet." in feedback.inner_text()

    wrong, hint = lesson_03.WRONG["check_verdict", ("verdict",)]["more than, not at least"]
    lesson.run(task, wrong)
    assert hint in lesson.run(check).inner_text()
    assert "✘ Not yet." in feedback.inner_text()

    solution = next(
        cell
        for cell in lesson.source.cells
        if cell.cell_type == "markdown" and cell.metadata.get("exercise") == "verdict"
    )
    lesson.run(task, re.search(r"```python\n(.+?)```", solution.source, re.DOTALL)[1])
    lesson.run(check)
    assert "✔ Right." in feedback.inner_text()


def test_the_quiz_answers(lesson: Opened) -> None:
    output = lesson.cells.nth(lesson.number(text='quiz("03")')).locator(".jp-Cell-outputArea")
    questions = output.locator(".quiz-question")
    assert questions.count() == 5
    for kind, mark in (("wrong", "✘ No."), ("right", "✔ Right.")):
        choice = questions.first.locator(f"details.quiz-{kind}").first
        said = choice.locator("p")
        assert not said.is_visible()
        choice.locator("summary").click()
        playwright.expect(said).to_be_visible()
        assert said.inner_text().startswith(mark)
    assert questions.first.locator("details[open]").count() == 1, "one answer's feedback at a time"
