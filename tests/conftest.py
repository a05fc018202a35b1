"""What several test modules share: the lessons as they lie in the checkout, and the prepared models."""

import functools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import browsers
import nbformat
import pytest

from course_build import lessons, preview, render
from course_build.paths import NOTEBOOKS
from course_build.stage import stage
from course_utils import SentimentPipeline, checkpoint
from course_utils.backends import cores

os.environ.update(
    HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg"
)

# Several workers share the cores: where each takes them all, torch's threads wait, spinning, for one another. It is set
# before torch is imported, and for the children, too.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])))

# A failing assert in a proof says what differed, as in any test module.
pytest.register_assert_rewrite("proofs")

LESSONS = lessons.paths()

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
        items[:] = wanted


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
    """What gives the site that a renderer makes of the checkout as it is, rendered once."""
    return functools.cache(lambda renderer: rendered(renderer, tmp_path_factory.mktemp(renderer)))


def rendered(renderer: str, folder: Path) -> Path:
    """Render the checkout as it is into a folder."""
    quarto = render.find_quarto(install=False) if renderer == "quarto" else None
    render.render_with(quarto, stage(folder / "staged"), folder / "_site")
    return folder / "_site"


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
    with preview.server(site, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.sync_api.Browser"]:  # noqa: F821 - playwright may be missing
    """A browser for the module alone: playwright allows one at a time in a process."""
    with browsers.launch() as running:
        yield running
