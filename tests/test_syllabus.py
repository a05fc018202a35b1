"""The syllabus says what the notebooks promise."""

import shutil

import nbformat
import pytest

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.lessons import syllabus
from course_build.paths import NOTEBOOKS
from course_build.progress import in_words


def test_the_page_says_what_the_notebooks_say():
    page = syllabus.PAGE.read_text(encoding="utf-8")
    assert syllabus.refresh(page, NOTEBOOKS) == page, "run `python -m course_build syllabus`"


def test_a_changed_promise_changes_the_page(tmp_path):
    page = syllabus.PAGE.read_text(encoding="utf-8")
    for path in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(path, tmp_path)
    path = tmp_path / "03_huggingface_nlp.ipynb"
    notebook = nbformat.read(path, as_version=4)
    said = lessons.front_matter(path)["minutes"]
    notebook.cells[0].source = notebook.cells[0].source.replace(f"minutes: {said}", f"minutes: {said + 1}")
    nbformat.write(notebook, path)
    changed = syllabus.refresh(page, tmp_path)
    before, after = (f"[{in_words(60 * minutes)}]" for minutes in (said, said + 1))
    assert after in changed
    assert changed.replace(after, before) == page


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("First, a pipeline", "first-a-pipeline"),
        ("What do the heads look at?", "what-do-the-heads-look-at"),
        ("Stage 2: attention, one head", "stage-2-attention-one-head"),
        ("4 bits, `Q4_1` and less", "bits-q4_1-and-less"),
        ("The model's own v2.0", "the-models-own-v2.0"),
    ],
)
def test_an_anchor_is_pandocs(heading, expected):
    assert syllabus.pandoc_id(heading) == expected


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(BuildError, match="lacks the line"):
        syllabus.refresh("# A page\n", tmp_path)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Hello")]), tmp_path / "01_x.ipynb")
    with pytest.raises(BuildError, match=r"01_x\.ipynb: the first cell has no front matter"):
        syllabus.refresh(syllabus.MADE, tmp_path)
