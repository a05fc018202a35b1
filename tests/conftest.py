"""What several test modules share: the lessons as they lie in the checkout, and the prepared models."""

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import browsers
import filelock
import nbformat
import pytest

from course_build.lessons import index as lessons
from course_build.paths import NOTEBOOKS
from course_build.preview import local_server
from course_build.site import demo, page_weight, render
from course_build.site.stage import stage
from course_utils import SentimentPipeline, checkpoint
from course_utils.classifier.backends import cores

os.environ.update(
    HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg"
)

# Several workers share the cores: where each takes them all, torch's threads wait, spinning, for one another. It is set
# before torch is imported, and for the children, too.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])))

# What a shell starts in the background ignores Ctrl+C. So would the programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A failing assert in a proof says what differed, as in any test module.
pytest.register_assert_rewrite("proofs")

LESSONS = lessons.paths()

LONG = [
    "test_pages",
    "test_site",
    "test_jupyterlab",
    "test_environment",
    "test_prepare",
    "test_new_lesson",
    "test_scale",
    "test_demo",
    "test_access",
    "test_service",
    "test_notebooks",
]
"""The modules that take longest, which begin first."""

SLOW = {"browser", "site", "sites"}
"""The fixtures that render the site or start a browser."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `python -m course_build check` asks for: `check 04`, and `check --quick`."""
    parser.addoption("--lesson", action="append", default=[], help="only what is about this lesson, as 04")
    parser.addoption("--quick", action="store_true", help="leave out what renders the site or needs a browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen, quick = config.getoption("--lesson"), config.getoption("--quick")
    wanted = [
        item
        for item in items
        if (not chosen or lesson_of(item) in chosen) and not (quick and SLOW & set(getattr(item, "fixturenames", ())))
    ]
    if len(wanted) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    # Files are dealt out to the workers in this order: a long one that came last would keep one of them waiting.
    items[:] = sorted(wanted, key=lambda item: LONG.index(name) if (name := item.path.stem) in LONG else len(LONG))


def lesson_of(item: pytest.Item) -> str | None:
    """The two digits of the lesson that a test is about, by its parameters; None if it is about none, or about all."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    path = parameters.get("path")
    return path.name[:2] if isinstance(path, Path) else parameters.get("lesson")


RENDERERS = ["preview", *(["quarto"] if render.find_quarto(install=False) else [])]
"""What makes the site that a test is given: the preview, and Quarto as well where there is one."""


@pytest.fixture(scope="session")
def lesson_3() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / "03_huggingface_nlp.ipynb", as_version=4)


@pytest.fixture(scope="session")
def reviews_checkpoint() -> str:
    """The folder of the embedded model that answers for the Hub's DistilBERT."""
    return checkpoint("distilbert-base-uncased-finetuned-sst-2-english")


@pytest.fixture(scope="session")
def tweets_checkpoint() -> str:
    """The folder of the embedded model that answers for the Hub's bertweet."""
    return checkpoint("finiteautomata/bertweet-base-sentiment-analysis")


@pytest.fixture(scope="session")
def sentiment_pipeline(reviews_checkpoint: str) -> SentimentPipeline:
    """The package's classifier with that model, loaded once for all test modules of a worker."""
    return SentimentPipeline(reviews_checkpoint)


@pytest.fixture(scope="session")
def library_pipeline(reviews_checkpoint: str) -> "transformers.Pipeline":  # noqa: F821 - imported when it is needed
    """The library's classifier with that model, the measure of every label."""
    from transformers import pipeline

    return pipeline("sentiment-analysis", model=reviews_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """What gives the site that a renderer makes of the checkout as it is, rendered once for all workers of a run."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def site(renderer: str) -> Path:
        folder = shared / f"site-by-{renderer}"
        with filelock.FileLock(shared / f"{renderer}.lock"):
            if not folder.exists():
                rendering = folder.with_suffix(".rendering")
                shutil.rmtree(rendering, ignore_errors=True)
                rendered(renderer, rendering)
                rendering.rename(folder)
        return folder / "_site"

    return site


def rendered(renderer: str, folder: Path) -> None:
    """Render the checkout as it is, with the demo where its files are here.

    `_site` in the folder is the site, and `whole` the style sheets of its libraries, each with all that the renderer
    brought, from which lighten.py takes what no page of the site can use.
    """
    quarto = render.find_quarto(install=False) if renderer == "quarto" else None
    staged, site = stage(folder / "staged"), folder / "_site"
    demo.add(staged)
    prune, whole = page_weight.prune, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_weight, "prune", lambda css, names: whole.append(css) or prune(css, names))
        render.render_with(quarto, staged, site)
    for path, css in zip(sorted((site / page_weight.LIBRARIES).rglob("*.css")), whole, strict=True):
        copy = folder / "whole" / path.relative_to(site)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(css, encoding="utf-8")
    shutil.rmtree(staged)


@pytest.fixture(scope="session", params=RENDERERS)
def renderer(request: pytest.FixtureRequest) -> str:
    """What makes the site."""
    return request.param


@pytest.fixture(scope="session")
def site(renderer: str, sites: Callable[[str], Path]) -> Path:
    """The site of each renderer."""
    return sites(renderer)


@pytest.fixture(scope="session")
def base(site: Path) -> Iterator[str]:
    """The address that the site is served at."""
    with served(site) as address:
        yield address


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a rendered site, and give its address."""
    with local_server.server(site, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.sync_api.Browser"]:  # noqa: F821 - playwright may be missing
    """A browser for the module alone: playwright allows one at a time in a process, and no asyncio beside it."""
    with browsers.launch() as running:
        yield running


@pytest.fixture(scope="module")
def window(browser: "playwright.sync_api.Browser") -> browsers.Window:  # noqa: F821
    """The window that the module's tests open their pages in."""
    return browsers.Window(browser)


@pytest.fixture
def page(window: browsers.Window) -> Iterator["playwright.sync_api.Page"]:  # noqa: F821
    """A page at a desk, in the light."""
    yield window.page
    window.reset()


@pytest.fixture
def open_page(window: browsers.Window) -> Iterator[Callable[..., "playwright.sync_api.Page"]]:  # noqa: F821
    """What opens further pages, as `open_page(PHONE, color_scheme="dark")`, or one to watch or to change."""
    yield window.open
    window.reset()
