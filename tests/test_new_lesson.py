"""A lesson's life as CONTRIBUTING.md tells it, followed in a copy of the checkout; and what its commands refuse."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import nbformat
import pytest

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.lessons import lesson_files
from course_build.lessons import new as new_lesson
from course_build.lessons import rename as rename_lesson
from course_build.lessons import retire as retire_lesson
from course_build.lessons.exercise_stubs import exercises
from course_build.paths import ROOT, STAGED
from course_build.site import chromium
from course_build.text_files import name_of, read_text
from course_utils.models import models_folder

LITTER = shutil.ignore_patterns(".git", ".venv*", "_build", "_site", "__pycache__", ".*_cache", "*.egg-info")


def left_out(folder: str, names: list[str]) -> set[str]:
    """Name all that a copy of the checkout is made without: what was made, and the models, which are large."""
    return {*LITTER(folder, names), *({"models"} if Path(folder) == ROOT else ())}


COMMAND = (
    "import argparse, sys;"
    "from course_build.__main__ import module;"
    "command = module(sys.argv[1]);"
    "parser = argparse.ArgumentParser();"
    "command.add_arguments(parser);"
    "command.run(parser.parse_args(sys.argv[2:]))"
)
"""What `python -m course_build` does once it is inside the environment, and which no environment is made for."""
FORM = "keeps_to_the_dialect or test_glossary or page_says_what or each_lesson_has or nobody_counts or sidebar"
"""The tests that hold every lesson to its form and need no kernel and no model."""


def python(checkout: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run this interpreter in the copy, with the packages of the copy."""
    own = {"PYTHONPATH": str(checkout), "COURSE_MODELS_DIR": str(models_folder()), "OMP_NUM_THREADS": "1"}
    environ = {**os.environ, **own}
    return subprocess.run([sys.executable, *arguments], cwd=checkout, env=environ, capture_output=True, text=True)


def run(checkout: Path, *arguments: str) -> str:
    """Run a command of the copy that has to succeed; return what it said."""
    done = python(checkout, "-c", COMMAND, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def prove(checkout: Path, *files: str, also: str = "") -> None:
    """Run tests of the copy: those of the form, and others of `files` whose names fit `also`.

    The lessons that are here are as they were, and held to the form by this run's own tests.
    """
    names = f"({FORM}) or {also}" if also else FORM
    names = f"({names}) and not ({' or '.join(path.stem for path in lessons.paths())})"
    if not any(map(shutil.which, chromium.PROGRAMS)):
        names = f"({names}) and not its_card"  # nothing could draw it
    files = [f"tests/test_{name}.py" for name in (*files, "cards", "dialect", "glossary", "lessons", "syllabus")]
    done = python(checkout, "-m", "pytest", "-q", "-k", names, *files)
    assert done.returncode == 0, done.stdout + done.stderr


def sources_of(checkout: Path) -> dict[str, bytes]:
    """Every file of the copy but what is made on the way."""
    found = {path.relative_to(checkout): path for path in checkout.rglob("*") if path.is_file()}
    made = {"_build", "__pycache__", ".pytest_cache", ".hypothesis", ".ruff_cache"}
    return {name.as_posix(): path.read_bytes() for name, path in found.items() if not made & set(name.parts)}


def odd(title: str) -> str:
    """The words of a title, which give files of the same names, among signs that YAML, Markdown and HTML read."""
    return f"'<{title}>' & \\ # % $: \"*_`[{{"


def test_a_lessons_life_is_as_the_page_tells_it(tmp_path: Path) -> None:
    page = read_text(ROOT / "CONTRIBUTING.md")
    section = re.search(r"^## A lesson's life$.*?(?=^## )", page, re.MULTILINE | re.DOTALL)[0]
    commands = re.findall(r"^python -m course_build ((?:new|rename|retire)-lesson.*)$", section, re.MULTILINE)
    make, what_is_left, rename, retire = map(shlex.split, commands)
    make, rename = [*make[:-1], odd(make[-1])], [*rename[:-1], odd(rename[-1])]
    checkout = Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=left_out))
    before = sources_of(checkout)

    run(checkout, *make)
    made = sources_of(checkout)
    (name,) = [Path(path).stem for path in made.keys() - before.keys() if path.endswith(".ipynb")]
    number = name[:2]
    assert made.keys() - before.keys() == {path.as_posix() for path in lesson_files.parts(name)}
    assert {path for path in before if made[path] != before[path]} == {"_quarto.yml", "glossary.qmd", "syllabus.qmd"}
    of_the_lesson = f"{name} or check_most_frequent or check_split_words or check_share or (test_quizzes and {number})"
    prove(checkout, "exercises", "mutants", "notebooks", "quizzes", "rerun", also=of_the_lesson)
    assert "runs of cells, the same each time" in run(checkout, "rerun", number)
    for lint in (["check"], ["format", "--check"]):
        done = python(checkout, "-m", "ruff", *lint, "notebooks", "course_utils", "tests/proofs")
        assert done.returncode == 0, done.stdout

    left = run(checkout, *what_is_left)
    for path in lesson_files.parts(name):
        assert path.suffix == ".png" or re.search(rf"^{path.as_posix()}, (?:line|cell) \d+: \w", left, re.MULTILINE)

    run(checkout, *rename)
    renamed = sources_of(checkout)
    new = f"{number}_words_and_their_number"
    assert renamed.keys() - made.keys() == {path.as_posix() for path in lesson_files.parts(new)[:3]}
    assert not [path for path, content in renamed.items() if name.encode() in content or name in path]
    cells, as_they_were = (
        json.loads(of[f"notebooks/{stem}.ipynb"])["cells"] for of, stem in ((renamed, new), (made, name))
    )
    assert cells[1:] == as_they_were[1:], "prose, code and outputs are as they were"
    assert lessons.front_matter(checkout / "notebooks" / f"{new}.ipynb")["title"] == lesson_files.escape(rename[-1])
    assert f"execute: {new} is current" in run(checkout, "execute", number)
    prove(checkout)

    said = run(checkout, *retire)
    assert sources_of(checkout) == before, "and so its tests pass as they did"
    (folder,) = (checkout / "_build" / "retired").iterdir()
    assert {path: renamed[path] for path in renamed.keys() - before.keys()} == sources_of(folder)
    assert "still speak of it" not in said


def test_what_speaks_of_a_retired_lesson_is_listed() -> None:
    pattern = retire_lesson.naming("03_huggingface_nlp")
    found = lesson_files.mentions(pattern)
    places = {line.split(":")[0] for line in found}
    assert {"_quarto.yml", "index.qmd", "notebooks/09_generating_text.ipynb", "tests/conftest.py"} <= places
    assert not pattern.search("lesson 31 and lesson_031, 03_huggingface_nlp_2, quiz_033")
    assert pattern.search("as lesson 3 said")


# ---------------------------------------------------------------------------------------------------- the new lesson

TITLES = [
    "Counting words",
    'Say "hello": a start',
    "Zählen, messen & wägen",
    "It's a <b>trap</b>",
    "100 % - or {{ less }}?",
    "`pipeline()` and its \\ friends",
    "  # not a comment  ",
    "№ 7: [a, b], *c*",
]


@pytest.mark.parametrize("title", TITLES)
def test_any_title_is_read_back_from_what_is_made_of_it(tmp_path: Path, title: str) -> None:
    name = f"10_{lesson_files.words_of(title)}"
    assert lessons.NAME.fullmatch(name)
    assert name.isascii()
    written = lesson_files.escape(title.strip())
    fill = new_lesson.filled(title=written, lesson=10, number="10", name=name, date="2026-11-22")
    path = tmp_path / f"{name}.ipynb"
    nbformat.write(new_lesson.cells_of(fill("lesson.cells"), 10), path)
    assert lessons.front_matter(path)["title"] == written
    assert unescape(written) == title.strip()
    assert [stub.source for _, stub, _ in exercises(lessons.read(path), path)]
    config = read_text(ROOT / "_quarto.yml")
    listed = lesson_files.sidebar(lesson_files.add_to_sidebar(config, 10, written, name))
    assert listed == [*lesson_files.sidebar(config), (f"10 · {written}", f"notebooks/{name}.ipynb")]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Counting words", "counting_words"),
        ("What's new? A 2nd look", "whats_new_a_2nd_look"),
        ("Straße, Äpfel & Œuvre", "strasse_apfel_uvre"),
        ("KV-cache", "kv_cache"),
    ],
)
def test_a_file_is_named_after_the_words_of_the_title(title: str, words: str) -> None:
    assert lesson_files.words_of(title) == words


@pytest.mark.parametrize(
    ("title", "says"),
    [
        ("", "the title is empty"),
        (" \u200b", "the title is empty"),
        ("one\ntwo", "one line of text"),
        ("数える", "at least one word in letters from a to z"),
        ("?!", "at least one word in letters from a to z"),
        ("\x1b[1mCounting", "control characters"),
        ("Counting " * 9 + "!", "the title has 82 characters, and 80 fit"),
        ("many " * 60, "the title has 299 characters, and 80 fit"),
        ("What {{< meta title >}} does", "a shortcode"),
        ("Tokenizers", r"notebooks/04_tokenizers\.ipynb has that name already"),
        ("tokenizers!", r"notebooks/04_tokenizers\.ipynb has that name already"),
    ],
)
def test_a_title_that_cant_be_one_is_refused(title: str, says: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in lesson_files.texts()}
    with pytest.raises(BuildError, match=says):
        new_lesson.make(title)
    assert {path: path.stat().st_mtime_ns for path in lesson_files.texts()} == before


def test_a_lesson_gets_no_name_that_another_has() -> None:
    with pytest.raises(BuildError, match=r"notebooks/04_tokenizers\.ipynb has that name already"):
        rename_lesson.rename("01", "Tokenizers")


def test_a_message_names_the_source_of_a_staged_file() -> None:
    assert name_of(STAGED / "notebooks" / "04_tokenizers.ipynb") == "notebooks/04_tokenizers.ipynb"


def test_what_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"was\r\n")
    (tmp_path / "moved").write_bytes(b"moved")

    def interrupted() -> None:
        with lesson_files.whole_or_not_at_all([tmp_path / name for name in ("there", "new", "moved", "never")]):
            lesson_files.write(tmp_path / "there", "is")
            lesson_files.write(tmp_path / "new", "is")
            (tmp_path / "moved").unlink()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"there": b"was\r\n", "moved": b"moved"}


# ------------------------------------------------------------------------------------------- sidebar and glossary

SIDEBAR = """website:
  sidebar:
    contents:
      - text: "1 · One"
        href: notebooks/01_one.ipynb
      # A comment that stays.
      - href: notebooks/02_two.ipynb
        text: 2 · Two
      - text: "3 · To come"
  page-navigation: true
"""


def test_a_line_without_a_link_waits_for_its_lesson() -> None:
    assert lesson_files.add_to_sidebar(SIDEBAR, 3, "Three", "03_three") == SIDEBAR.replace(
        '      - text: "3 · To come"\n', '      - text: "3 · Three"\n        href: notebooks/03_three.ipynb\n'
    )
    added = lesson_files.add_to_sidebar(SIDEBAR, 4, "Four", "04_four")
    assert [text for text, _ in lesson_files.sidebar(added)] == ["1 · One", "2 · Two", "4 · Four", "3 · To come"]


def test_a_line_of_the_sidebar_is_renamed_or_goes_and_the_others_stay() -> None:
    renamed = lesson_files.retitle_in_sidebar(SIDEBAR, "02_two", 'The "second"')
    assert lesson_files.sidebar(renamed)[1] == ('2 · The "second"', "notebooks/02_two.ipynb")
    assert lesson_files.sidebar(renamed)[::2] == lesson_files.sidebar(SIDEBAR)[::2]
    gone = lesson_files.remove_from_sidebar(SIDEBAR, "02_two")
    assert [text for text, _ in lesson_files.sidebar(gone)] == ["1 · One", "3 · To come"]
    assert "A comment that stays" in gone


def test_a_sidebar_without_lessons_is_left_to_a_person() -> None:
    with pytest.raises(BuildError, match="Write it by hand"):
        lesson_files.add_to_sidebar("website:\n  title: x\n", 1, "One", "01_one")
    with pytest.raises(BuildError, match="by hand"):
        lesson_files.add_term("# Words\n", "## One\n\nOnly.\n")


GLOSSARY = "---\ntitle: Words\n---\n\n::: {.glossary}\n## Batch\n\nSeveral.\n\n## Token\n\nA piece.\n:::\n"


@pytest.mark.parametrize("term", ["Attention", "Loss", "Vector"])
def test_a_term_stands_where_the_alphabet_has_it_and_goes_without_a_trace(term: str) -> None:
    added = lesson_files.add_term(GLOSSARY, f"## {term}\n\nA word.\n")
    headings = re.findall("^## (.+)$", added, re.MULTILINE)
    assert headings == sorted(["Batch", term, "Token"])
    assert re.search(r"\S\n:::\n$", added)
    assert "\n\n\n" not in added
    assert lesson_files.add_term(added, f"## {term}\n\nAnother.\n") == added, "a term is there once"
    assert lesson_files.remove_terms(added, {term.lower()}) == GLOSSARY
