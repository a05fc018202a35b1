"""Each quiz: its form, and its key, proven by running what the question asks about."""

import inspect
import re

import pytest
import torch
from bs4 import BeautifulSoup
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint
from course_utils.quiz import QUIZZES, Quiz, quiz

LESSONS = sorted(path.stem.removeprefix("quiz_") for path in QUIZZES.glob("quiz_*.toml"))
KEYS = {}


def proves(lesson: str, question: str, *words: str):
    """Register a proof of a question's key; `words` must be in the right choice and in no wrong one."""

    def register(proof):
        KEYS[lesson, question] = (words, proof)
        return proof

    return register


@proves("03", "argmax", "`POSITIVE`", "higher")
def the_place_of_the_highest_logit_is_the_label():
    assert {0: "NEGATIVE", 1: "POSITIVE"}[torch.tensor([-1.2, 3.4]).argmax().item()] == "POSITIVE"
    assert torch.tensor([3.5, 3.4]).argmax().item() == 0


@proves("03", "softmax", "Nothing")
def adding_to_all_logits_changes_no_score():
    logits = torch.tensor([-1.2, 3.4], dtype=torch.float64)
    torch.testing.assert_close((logits + 10).softmax(0), logits.softmax(0))
    assert (logits * 10).softmax(0).max() > logits.softmax(0).max()


@proves("03", "mask", "padding")
def zeros_of_the_mask_are_padding_and_nothing_else():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint("distilbert-base-uncased-finetuned-sst-2-english"))
    batch = tokenizer(["short", "a text with 漢 and much longer"], padding=True, return_tensors="pt")
    assert torch.equal(batch["attention_mask"] == 0, batch["input_ids"] == tokenizer.pad_token_id)
    assert tokenizer("\U00013000")["attention_mask"] == [1, 1, 1]
    assert tokenizer("\U00013000")["input_ids"][1] == tokenizer.unk_token_id


@proves("03", "auto", "config")
def a_renamed_folder_still_loads(tmp_path):
    import shutil

    for hub_id in (
        "distilbert-base-uncased-finetuned-sst-2-english",
        "finiteautomata/bertweet-base-sentiment-analysis",
    ):
        original = AutoModelForSequenceClassification.from_pretrained(checkpoint(hub_id))
        renamed = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(checkpoint(hub_id), renamed)
        assert type(AutoModelForSequenceClassification.from_pretrained(renamed)) is type(original)


@proves("03", "tokenizer", "meaningless")
def another_vocabularys_ids_are_read_as_other_words():
    from tokenizers import Tokenizer, models, trainers

    folder = checkpoint("distilbert-base-uncased-finetuned-sst-2-english")
    own = AutoTokenizer.from_pretrained(folder)
    other = Tokenizer(models.BPE())
    other.train_from_iterator(["a wonderful film that I loved"] * 9, trainers.BpeTrainer(vocab_size=200))
    ids = other.encode("a wonderful film that I loved").ids
    logits = AutoModelForSequenceClassification.from_pretrained(folder)(torch.tensor([ids])).logits
    assert torch.isfinite(logits).all()
    assert "wonderful" not in own.decode(ids)


@proves("01", "isolation", "Nothing")
def installing_into_one_environment_leaves_another_alone(tmp_path):
    import subprocess
    import sys

    places = []
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / name], check=True)
        python = tmp_path / name / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        places.append(subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip())
    assert len(set(places)) == 2
    assert all(str(tmp_path) in place for place in places)


@proves("01", "kernel", "remembers")
def a_name_outlives_the_cell_that_made_it(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_cell("x_of_the_quiz = 3")  # and then the cell is deleted: nothing is sent to the kernel
    shell.run_cell("print(x_of_the_quiz)")
    shell.reset()
    assert "x_of_the_quiz" not in shell.user_ns
    assert "3\n" in capsys.readouterr().out


@proves("01", "dtype", "float32")
def one_float_makes_a_float_tensor():
    assert torch.tensor([1, 2.5]).dtype is torch.float32
    assert torch.tensor([1, 2]).dtype is torch.int64


@proves("01", "bf16", "250 MB")
def half_the_bits_are_half_the_memory():
    floats = torch.zeros(125_000_000 // 1000)
    assert floats.numel() * floats.element_size() * 1000 == 500_000_000
    assert floats.numel() * floats.to(torch.bfloat16).element_size() * 1000 == 250_000_000


@proves("01", "file", "model.safetensors")
def the_weights_are_nearly_all_of_a_checkpoint():
    from pathlib import Path

    files = Path(checkpoint("distilbert-base-uncased-finetuned-sst-2-english")).iterdir()
    sizes = {path.name: path.stat().st_size for path in files}
    assert sizes["model.safetensors"] > 0.95 * sum(sizes.values())


@proves("02", "colon", "`title: BERT: a tour`")
def only_the_bare_colon_is_an_error():
    import yaml

    (asked,) = [q for q in quiz("02").questions if q.id == "colon"]
    for choice in asked.choices:
        line = choice.text.strip("`")
        if choice.right:
            with pytest.raises(yaml.YAMLError):
                yaml.safe_load(line)
        else:
            assert yaml.safe_load(line)["title"].startswith("BERT")


def render_cell(tmp_path, source: str, output: str) -> BeautifulSoup:
    """Render a project of one notebook, with one cell and one saved output, as the course's pages are rendered."""
    import nbformat

    from course_build import preview

    project = tmp_path / "project"
    project.mkdir()
    (project / "_quarto.yml").write_text("project:\n  type: website\nwebsite:\n  title: One\n", encoding="utf-8")
    (project / "index.qmd").write_text("---\ntitle: Home\n---\n\nText.\n", encoding="utf-8")
    cell = nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("stream", name="stdout", text=output)])
    cells = [nbformat.v4.new_raw_cell("---\ntitle: Page\n---"), cell]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), project / "page.ipynb")
    preview.render(project, tmp_path / "site")
    return BeautifulSoup((tmp_path / "site" / "page.html").read_text(encoding="utf-8"), "html.parser")


@proves("02", "echo", "The output and not the code")
def echo_hides_the_code_alone(tmp_path):
    page = render_cell(tmp_path, "#| echo: false\nprint('from the code'[:4])", "seen\n")
    assert "seen" in page.text
    assert "print(" not in page.text


@proves("02", "saved", "new code", "old output")
def rendering_shows_what_was_saved(tmp_path):
    page = render_cell(tmp_path, "print(2 + 2)", "3\n")
    assert "2 + 2" in page.text.replace("\xa0", " ")
    assert page.select_one(".cell-output").text.strip() == "3"


@proves("02", "listing", "Nothing")
def a_new_post_is_listed_without_a_change_elsewhere(tmp_path):
    from course_build import blog

    blog.scaffold(tmp_path / "blog")
    fresh = tmp_path / "blog" / "posts" / "one-more"
    fresh.mkdir()
    (fresh / "index.qmd").write_text('---\ntitle: "One more post"\ndate: 2026-03-01\n---\n\nText.\n', encoding="utf-8")
    blog.render_blog(tmp_path / "blog")
    assert "One more post" in (tmp_path / "blog" / "_site" / "index.html").read_text(encoding="utf-8")


@proves("02", "road", "publish.yml")
def the_workflow_publishes_on_a_push(tmp_path):
    import yaml

    from course_build import blog

    blog.scaffold(tmp_path / "blog")
    workflow = yaml.safe_load((tmp_path / "blog" / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))
    assert "push" in workflow[True]  # YAML 1.1 reads the key `on` as true
    assert "_site" in (tmp_path / "blog" / ".gitignore").read_text(encoding="utf-8")


@pytest.mark.parametrize(("lesson", "question"), sorted(KEYS))
def test_the_key_is_true(lesson, question, request):
    words, proof = KEYS[lesson, question]
    (asked,) = [q for q in quiz(lesson).questions if q.id == question]
    assert all(word in asked.key for word in words)
    proof(*[request.getfixturevalue(name) for name in inspect.signature(proof).parameters])


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_question_is_proven_and_every_choice_is_answered(lesson):
    questions = quiz(lesson).questions
    assert len(questions) == 5
    assert {(lesson, question.id) for question in questions} == {key for key in KEYS if key[0] == lesson}
    assert len({[choice.right for choice in question.choices].index(True) for question in questions}) >= 3
    for question in questions:
        assert len(question.choices) >= 3
        feedback = [choice.feedback for choice in question.choices]
        assert len(set(feedback)) == len(feedback)
        assert all(len(text.split()) >= 6 for text in feedback)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_quiz_works_without_script_and_hides_its_feedback(lesson):
    page = BeautifulSoup(quiz(lesson)._repr_markdown_(), "html.parser")
    assert not page.select("script, style, iframe, [onclick], [src], [href]")
    choices = page.select("details > summary")
    assert len(choices) == sum(len(question.choices) for question in quiz(lesson).questions)
    assert not page.select("details[open]")
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(set(ids)) == len(ids)
    assert all(tag["aria-labelledby"] in ids for tag in page.select("[role=group]"))
    assert not re.search(r"✔|✘", repr(quiz(lesson)))


def test_a_text_is_never_taken_for_html():
    from course_utils.quiz import Choice, Question

    hostile = Quiz("99", (Question("q", "<b>x</b> & `<i>`", (Choice("<script>", "<img>", True),)),))
    page = BeautifulSoup(hostile._repr_markdown_(), "html.parser")
    assert not page.select("script, img, b, i")
    assert page.select_one("code").text == "<i>"


@pytest.mark.parametrize("lesson", ["99", "3", "../03", "", None, 3])
def test_an_unknown_quiz_is_answered_with_the_known_ones(lesson):
    with pytest.raises(ValueError, match=r"for the lessons .*03"):
        quiz(lesson)


def test_a_question_without_a_key_is_named(tmp_path, monkeypatch):
    (tmp_path / "quiz_50.toml").write_text('[odd]\nquestion = "?"\nchoices = [{ text = "a", feedback = "b" }]\n')
    monkeypatch.setattr("course_utils.quiz.QUIZZES", tmp_path)
    with pytest.raises(ValueError, match="question odd needs exactly one right choice"):
        quiz("50")
