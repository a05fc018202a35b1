"""The lessons' sources: their form, what lesson 3 promises, and that the regression run bites."""

import base64
import copy
import io
import os
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import LESSONS
from nbformat import NotebookNode
from PIL import Image
from safetensors.numpy import load_file, save_file

from course_build import check
from course_build.lessons import index as lessons
from course_build.lessons.index import front_matter
from course_build.notebooks import execute
from course_build.notebooks.run import Run
from course_build.paths import ROOT
from course_build.setup import network_off
from course_utils.models import catalogue, models_folder
from course_utils.quiz import quiz

MAGICS = ["#| classes: code-alone", "%load_ext autoreload", "%autoreload 2", "%matplotlib inline"]
FLOAT = re.compile(r"(?<![\w.])-?\d+\.\d{4,}(?:e-?\d+)?")
FLOAT_NOISE = 3e-6
"""How far apart two machines' scores may lie, and then some: 1, 2 and 4 threads here differ by less than 1e-6."""

FIXED = (
    "In JupyterLab, write your answer in place of the `...`, run the cell, and run the check below it. "
    "The check tells you\nwhat it found. On the blog you can read the tasks, and open the hints and solutions.",
    "## Quiz\n\nOpen an answer to see if it is right, and why.",
)
"""What stands in each lesson in the same words, for a learner's copies say it in their own."""

each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return output.data.get("text/plain", "")


def text_after(notebook: NotebookNode, source: str) -> str:
    """All that the one cell whose source contains `source` printed and returned."""
    (cell,) = [cell for cell in code_cells(notebook) if source in cell.source]
    return "\n".join(text_of(output) for output in cell.outputs)


@each_lesson
def test_front_matter_says_what_the_course_needs(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "raw"
    front = front_matter(path)
    wanted = {"title", "subtitle", "description", "date", "categories", "image", "image-alt"}
    assert wanted | {"objectives", "prerequisites", "minutes", "lesson"} <= front.keys()
    assert (path.parent / front["image"]).is_file()
    assert path.name.startswith(f"{front['lesson']:02d}_")


@each_lesson
def test_each_objective_has_a_section_and_something_to_practise_it(path):
    notebook = nbformat.read(path, as_version=4)
    front = front_matter(path)
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    practice = {cell.metadata["exercise"] for cell in notebook.cells if "exercise" in cell.metadata}
    practice |= {question.id for question in quiz(path.name[:2]).questions}
    for objective in front["objectives"]:
        assert objective["section"] in headings
        assert objective["practice"] in practice
    opening = f"At the end, after about {front['minutes']} minutes with the exercises, you can:"
    promised = prose[prose.index(opening) :].split("\n\n")[1]
    assert promised.count("\n- ") + 1 == len(front["objectives"])


@each_lesson
def test_cells_are_small_and_begin_with_the_magics(path):
    cells = code_cells(nbformat.read(path, as_version=4))
    assert cells[0].source.splitlines() == MAGICS
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith("#|")]
        assert len(lines) <= 12 or "\nclass " in f"\n{cell.source}", f"{len(lines)} lines:\n{cell.source}"
        assert not re.search(r"<[A-Z]\w+>", cell.source), f"nobody can run a placeholder:\n{cell.source}"


@each_lesson
def test_its_words_hold_on_the_blog_and_in_jupyterlab(path):
    cells = nbformat.read(path, as_version=4).cells
    template = (ROOT / "course_build/lessons/template/lesson.cells.jinja").read_text(encoding="utf-8")
    for text in FIXED:
        assert template.count(text) == 1
        assert sum(cell.source.count(text) for cell in cells) == 1
    for cell in cells:
        assert not re.search(r"\bthis\s+page\b", cell.source), f"a lesson is a notebook, too:\n{cell.source}"


@each_lesson
def test_saved_outputs_are_complete_and_carry_nothing_of_this_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for number, cell in enumerate(code_cells(notebook), start=1):
        assert cell.execution_count == number, "run `make execute`"
        for output in cell.outputs:
            # A warning that a learner needs is shown; all else on stderr is chatter that a run shouldn't save.
            assert output.get("name") != "stderr" or output.text.startswith("[transformers] "), cell.source
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get("tags", []), cell.source
            assert not re.search(r"\x1b|\r|/(home|root|Users|tmp|work)/|[A-Z]:\\\\|site-packages", text_of(output))
    assert {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])} <= {"raises-exception"}


@each_lesson
def test_a_small_laptops_window_shows_each_figure_whole(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                figure = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
                dots, _ = figure.info["dpi"]
                assert figure.height / dots * 110 < 561, f"{figure.size} in {path.stem}:\n{cell.source}"


@each_lesson
def test_no_saved_float_lies_where_the_sanitiser_could_cut_two_ways(path):
    """nbval compares floats cut after three decimals, so noise must not carry one over a cut."""
    for cell in code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            for digits in FLOAT.findall(text_of(output)):
                value = abs(float(digits)) * 1000
                distance = abs(value - round(value)) / 1000
                exact = len(digits.partition(".")[2]) == 4  # printed with four decimals: 0.9910 is no accident
                assert exact or distance > FLOAT_NOISE, f"show fewer digits of {digits} in:\n{cell.source}"


def test_lesson_3_shows_what_the_syllabus_fixes(lesson_3):
    one = text_after(lesson_3, "example_sentence =")
    assert re.fullmatch(r"\[\{'label': 'POSITIVE', 'score': 0\.9[89]\d+\}\]", one)
    four = text_after(lesson_3, "many_sentences = [").strip().splitlines()
    assert [line.split()[0] for line in four] == ["POSITIVE", "POSITIVE", "POSITIVE", "NEGATIVE"]
    assert all(re.match(r"[A-Z]+ +0\.\d{1,4} +\S", line) for line in four)
    ids = text_after(lesson_3, "def preprocess(text):\n")
    assert [int(number) for number in re.findall(r"\d+", ids)] == [
        *(101, 17662, 12172, 13117, 2015, 2024, 12476, 999, 102),
        *[1] * 9,
    ]
    assert re.search(
        r"SequenceClassifierOutput\(.*logits=tensor\(\[\[-\d\.\d+, +\d\.\d+\]\]\)",
        text_after(lesson_3, "def forward(text):\n"),
    )
    assert "POS" in text_after(lesson_3, "tweets_model = SentimentPipeline(")
    assert re.fullmatch(r"\d{1,3}(,\d{3})+\n", text_after(lesson_3, "def count_parameters"))
    assert "self.model(**model_inputs)" in text_after(lesson_3, "classifier._forward??")
    (tree,) = [cell for cell in code_cells(lesson_3) if cell.source == "classifier.model"]
    assert "6 x TransformerBlock" in text_of(tree.outputs[0])


PLAIN = "SIZE = {0}\n\n\ndef size():\n    return {0}\n\n\nclass Box:\n    def size(self):\n        return {0}\n"
WRAPPED = f"from functools import cache\n\n{PLAIN}\n\n@cache\ndef kept():\n    return {{0}}\n"
"""Modules whose functions all give one number. IPython renews the second, for its wrapped function, in another way."""


@pytest.mark.parametrize("module", [PLAIN, WRAPPED], ids=["plain", "with a wrapped function"])
def test_autoreload_does_what_lesson_3_says_of_it(tmp_path, module):
    def edit(number: int) -> str:
        """A cell that writes the module, a minute later than the last time."""
        text = module.format(number)
        return f"Path('sizes.py').write_text({text!r})\nos.utime('sizes.py', (start + 60 * {number},) * 2);"

    first = f"import os, time\nfrom pathlib import Path\nstart = time.time() - 3600\n{edit(0)}"
    imports = "import sizes\nfrom sizes import SIZE, Box, size\nbox = Box()"
    ask = "sizes.size(), sizes.SIZE, sizes.Box().size(), box.size()"
    again = "from sizes import SIZE, Box, size\nsize(), SIZE, Box().size()"
    sources = ["\n".join(MAGICS[1:3]), first, imports, ask]
    for number in (1, 2, 3):
        sources += [edit(number), ask]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in [*sources, again]])
    path = tmp_path / "lesson.ipynb"
    nbformat.write(notebook, path)
    with Run(path, notebook) as running:
        outputs = [running.cell(number) for number in range(len(sources) + 1)]
    found = [text_of(shown[0]) for source, shown in zip(sources, outputs, strict=False) if source == ask]
    assert found == [str((number,) * 4) for number in range(4)]
    assert text_of(outputs[-1][0]) == str((3,) * 3)


# That the regression bites: `make test` runs each whole lesson in the same way.


def run_nbval(notebook: NotebookNode, folder: Path, **environ: str) -> str:
    """Run nbval over a notebook; return what it said in the end."""
    path = folder / "lesson.ipynb"
    nbformat.write(notebook, path)
    command = check.nbval_command(path)
    done = network_off.run(command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True)
    return done.stdout


CELLS = {
    "print('one')": "word",
    "print('a')\ndisplay('mid')\nprint('b')": "order",
    "'a result'": "kind",
    "%matplotlib inline\nfrom matplotlib import pyplot\n_ = pyplot.figure().subplots().bar([1, 2], [3, 4])": "pixel",
    "pyplot.figure().subplots().bar([1, 2], [3, 4]).datavalues": "bar",
    "1 / 0": "traceback",
    "open('made.txt', 'w').close()": "file",
}


def tampered(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the saved outputs of each cell changed in the way that the cell is named for."""
    notebook = copy.deepcopy(notebook)
    cells = {CELLS[cell.source]: cell.outputs for cell in notebook.cells}
    cells["word"][0].text = "two\n"
    cells["order"].append(cells["order"].pop(1))
    cells["kind"][0] = nbformat.v4.new_output("display_data", data=cells["kind"][0].data)
    white = io.BytesIO()
    Image.new("RGB", (1, 1), "white").save(white, "png")
    cells["pixel"][0].data["image/png"] = base64.b64encode(white.getvalue()).decode()
    cells["bar"][-1].data["image/png"] = cells["bar"][-1].data["image/png"].replace("A", "B", 1)
    cells["traceback"][0].traceback = ["Something else went wrong."]
    return notebook


def test_every_way_to_tamper_with_saved_outputs_fails(tmp_path):
    source = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    source.cells[5].metadata["tags"] = ["raises-exception"]
    path = tmp_path / "lesson.ipynb"
    nbformat.write(source, path)
    notebook = lessons.read(path)
    with Run(path, notebook) as running:
        outputs = [running.cell(number) for number in range(len(CELLS))]
    execute.write(path, notebook, outputs)
    made = lessons.read(path)
    for of, failed in (
        (made, ["leaves no file behind"]),
        (tampered(made), [*map("In [{}]".format, range(1, 7)), "leaves"]),
    ):
        said = run_nbval(of, tmp_path)
        assert len(re.findall(r"^FAILED", said, re.MULTILINE)) == len(failed), said
        assert all(f"::{name}" in said for name in failed), said
        assert "its cells wrote made.txt beside the lesson" in said
    assert [each.name for each in tmp_path.iterdir()] == ["lesson.ipynb"]


def excerpt(notebook: NotebookNode) -> NotebookNode:
    """Four cells of lesson 3, which are enough to see scores and a helper at work."""
    wanted = ("notebook.prepare()", "import pipeline", "many_sentences = [", "classifier.forward??")
    short = copy.deepcopy(notebook)
    short.cells = [cell for cell in code_cells(short) if any(part in cell.source for part in wanted)]
    assert len(short.cells) == len(wanted)
    return short


def test_the_regression_passes_with_another_number_of_threads(lesson_3, tmp_path):
    """`make test` runs all of each lesson on one thread."""
    said = run_nbval(excerpt(lesson_3), tmp_path, OMP_NUM_THREADS="4", MKL_NUM_THREADS="4")
    assert "5 passed" in said, said


def test_one_changed_weight_and_one_changed_line_of_a_helper_fail(lesson_3, tmp_path):
    models = tmp_path / "models"
    for source in (path for model in catalogue().values() for path in (models_folder() / model.folder).iterdir()):
        copied = models / source.parent.name / source.name
        copied.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, copied)
    weights_path = models / "distilbert-minilm-reviews" / "model.safetensors"
    weights = load_file(weights_path)
    weights["classifier.bias"] = weights["classifier.bias"] + np.array([0.2, 0], dtype=np.float32)
    weights_path.unlink()  # a link to the real one
    save_file(weights, weights_path, metadata={"format": "pt"})
    helper = tmp_path / "course_utils" / "notebook.py"
    shutil.copytree(ROOT / "course_utils", helper.parent, ignore=shutil.ignore_patterns("__pycache__"))
    helper.write_text(helper.read_text(encoding="utf-8").replace("line.rstrip()", "line[:20]"), encoding="utf-8")
    (tmp_path / "of").mkdir()
    environ = {"PYTHONPATH": str(tmp_path), "COURSE_MODELS_DIR": str(models)}
    said = run_nbval(excerpt(lesson_3), tmp_path / "of", **environ)
    assert re.findall(r"^FAILED .*::In \[(\d+)\]", said, re.MULTILINE) == ["3", "4"], said
    assert "--- saved\n+++ now\n" in said
    assert "If what it gives now is right, save it: python -m course_build execute" in said
    assert "\x1b" not in said
