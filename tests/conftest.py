"""What several test modules share: the lessons as they lie in the checkout, and the prepared models."""

import os

import nbformat
import pytest

from course_build.paths import NOTEBOOKS
from course_utils import checkpoint

os.environ.update(
    HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg"
)

# A failing assert in a proof says what differed, as in any test module.
pytest.register_assert_rewrite("proofs")

LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))


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
