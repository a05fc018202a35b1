"""The lessons' sources: their form, what lesson 3 promises, and that the regression run bites."""

import copy
import os
import re
import subprocess

import nbformat
import numpy as np
import pytest
from conftest import LESSONS
from nbformat import NotebookNode
from safetensors.numpy import load_file, save_file

from course_build import check, offline
from course_build.lessons import front_matter
from course_build.paths import ROOT
from course_utils.models import catalogue, models_folder
from course_utils.quiz import quiz

MAGICS = ["#| classes: code-alone", "%load_ext autoreload", "%autoreload 2", "%matplotlib inline"]
FLOAT = re.compile(r"(?<![\w.])-?\d+\.\d{4,}(?:e-?\d+)?")
FLOAT_NOISE = 3e-6
"""How far apart two machines' scores may lie, and then some: 1, 2 and 4 threads here differ by less than 1e-6."""

lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


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


@lessons
def test_front_matter_says_what_the_course_needs(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "raw"
    front = front_matter(path)
    wanted = {"title", "subtitle", "description", "date", "categories", "image", "image-alt"}
    assert wanted | {"objectives", "prerequisites", "minutes", "lesson"} <= front.keys()
    assert (path.parent / front["image"]).is_file()
    assert path.name.startswith(f"{front['lesson']:02d}_")


@lessons
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


@lessons
def test_cells_are_small_and_begin_with_the_magics(path):
    cells = code_cells(nbformat.read(path, as_version=4))
    assert cells[0].source.splitlines() == MAGICS
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith("#|")]
        assert len(lines) <= 12 or "\nclass " in f"\n{cell.source}", f"{len(lines)} lines:\n{cell.source}"


@lessons
def test_saved_outputs_are_complete_and_carry_nothing_of_this_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for number, cell in enumerate(code_cells(notebook), start=1):
        assert cell.execution_count == number, "run `make execute`"
        for output in cell.outputs:
            assert output.get("name") != "stderr", cell.source
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get("tags", []), cell.source
            assert not re.search(r"\x1b|\r|/(home|root|Users|tmp|work)/|[A-Z]:\\\\|site-packages", text_of(output))
    assert {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])} <= {"raises-exception"}


@lessons
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
    ids = text_after(lesson_3, "def preprocess(text):\n    return tokenizer(")
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


# That the regression bites. An excerpt of lesson 3 keeps these runs short; nbval runs the whole lesson in `make test`.


def excerpt(notebook: NotebookNode) -> NotebookNode:
    wanted = ("notebook.prepare()", "import pipeline", "many_sentences = [", "classifier.forward??")
    short = copy.deepcopy(notebook)
    short.cells = [cell for cell in code_cells(short) if any(part in cell.source for part in wanted)]
    assert len(short.cells) == len(wanted)
    return short


def run_nbval(notebook: NotebookNode, folder, **environ: str) -> subprocess.CompletedProcess:
    path = folder / "lesson.ipynb"
    nbformat.write(notebook, path)
    settings = {**os.environ, **environ}
    return offline.run(check.nbval_command(str(path)), cwd=folder, env=settings, capture_output=True, text=True)


@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_regression_passes_with_any_number_of_threads(lesson_3, tmp_path, threads):
    result = run_nbval(excerpt(lesson_3), tmp_path, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
    assert result.returncode == 0, result.stdout


def test_one_changed_word_of_an_output_fails(lesson_3, tmp_path):
    changed = excerpt(lesson_3)
    changed.cells[2].outputs[0].text = changed.cells[2].outputs[0].text.replace("useful", "useless")
    result = run_nbval(changed, tmp_path)
    assert result.returncode == 1
    assert "1 failed, 3 passed" in result.stdout


def test_one_changed_weight_fails(lesson_3, tmp_path):
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
    result = run_nbval(excerpt(lesson_3), tmp_path, COURSE_MODELS_DIR=str(models))
    assert result.returncode == 1
    assert "1 failed, 3 passed" in result.stdout, result.stdout


def test_one_changed_line_of_a_helper_fails(lesson_3, tmp_path):
    package = tmp_path / "course_utils"
    for source in (ROOT / "course_utils").rglob("*"):
        if source.suffix in {".py", ".toml"}:
            copied = package / source.relative_to(ROOT / "course_utils")
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_text(
                source.read_text(encoding="utf-8").replace("line.rstrip()", "line[:20]"), encoding="utf-8"
            )
    environ = {"PYTHONPATH": str(tmp_path), "COURSE_MODELS_DIR": str(models_folder())}
    result = run_nbval(excerpt(lesson_3), tmp_path, **environ)
    assert result.returncode == 1
    assert "1 failed, 3 passed" in result.stdout, result.stdout
