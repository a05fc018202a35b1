"""The lessons of a folder: which they are, how each is read, and what is said of one that can't be."""

import json
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.lessons import lesson_files, syllabus
from course_build.paths import ROOT
from course_build.site import stage
from course_build.text_files import read_text

FRONT = {
    "title": "Counting words",
    "subtitle": "One, two, many",
    "description": "Count them.",
    "date": "2026-11-22",
    "categories": ["counting"],
    "image": "images/01_counting.svg",
    "image-alt": "Drawing of a tally.",
    "open-graph": {"image": "images/cards/01_counting.png"},
    "twitter-card": {"image": "images/cards/01_counting.png"},
    "other-links": [{"text": "Download", "href": "01_counting.ipynb?download"}],
    "lesson": 1,
    "minutes": 20,
    "objectives": [{"text": "Count", "section": "Count", "practice": "count"}],
    "prerequisites": ["Python"],
}


def written(front: dict) -> str:
    """Front matter as YAML, with the day as a person writes it."""
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---".replace("'2026-11-22'", "2026-11-22")


@pytest.fixture
def lesson(tmp_path):
    """What writes lesson 1 into a folder of its own, with the text that is given in its first cell."""

    def write(first: str):
        cells = [nbformat.v4.new_raw_cell(first), nbformat.v4.new_code_cell("1 + 1")]
        path = tmp_path / "notebooks" / "01_counting.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return write


# ----------------------------------------------------------------------------------------------------- of the checkout


def test_each_lesson_has_all_its_parts_and_no_part_has_lost_its_lesson():
    wanted = {part.as_posix() for path in lessons.paths() for part in lesson_files.parts(path.stem)}
    kinds = {re.sub(r"\d\d(_\w+)?", "*", part) for part in wanted}
    found = {path.relative_to(ROOT).as_posix() for kind in kinds for path in ROOT.glob(kind)}
    pictures = {path for path in found - wanted if path.startswith("notebooks/images/")}
    assert wanted - found == set(), "CONTRIBUTING.md says what a lesson is made of"
    assert found - wanted == {path for path in pictures if not re.match(r"\d\d_", Path(path).name)}


def test_the_sidebar_has_each_lesson_once_and_in_order():
    listed = [entry for entry in lesson_files.sidebar(read_text(ROOT / "_quarto.yml")) if entry[1]]
    assert [address for _, address in listed] == [f"notebooks/{path.name}" for path in lessons.paths()]
    assert all(text.startswith(f"{int(Path(address).name[:2])} · ") for text, address in listed)


NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|twenty"
COUNTED = re.compile(rf"\b(?:{NUMBERS}|\d+) (?:lessons|notebooks)\b|\blesson \S+ of \d+\b", re.IGNORECASE)


def test_nobody_counts_the_lessons():
    """A number of lessons would be wrong on the day that one comes or goes."""
    pages = [*ROOT.glob("*.qmd"), *ROOT.glob("*.md"), *ROOT.glob("*.yml"), *ROOT.glob("*.cff"), *lessons.paths()]
    pages += [*(ROOT / "assets").glob("*.html"), *(ROOT / "course_build").glob("*.jinja")]
    for path in pages:
        text = read_text(path)
        assert not (found := COUNTED.search(text)), f"{path.name}: {found[0]}"
    assert COUNTED.search("Nine notebooks that")
    assert COUNTED.search("Lesson {{ lesson }} of 9".replace("{{ lesson }}", "3"))


# ------------------------------------------------------------------------------------------------------------ which


def folder_of(tmp_path, *names: str):
    for name in names:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "Untitled.ipynb",
        "Untitled1.ipynb",
        "01_one-Copy1.ipynb",
        "01_one - Copy1.ipynb",
        "01_one (1).ipynb",
        "1_one.ipynb",
        "001_one.ipynb",
        "01.ipynb",
        "notes.ipynb",
    ],
)
def test_what_is_no_lesson_is_left_out_and_said_once(tmp_path, capfd, name):
    folder = folder_of(tmp_path, "02_two.ipynb", "01_one.ipynb", name, ".02_two.ipynb", "03_three.txt")
    for _ in range(2):
        assert [path.name for path in lessons.paths(folder)] == ["01_one.ipynb", "02_two.ipynb"]
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"{tmp_path.name}/{name} is left out" in err
    assert "Rename it, or move it" in err


def test_two_lessons_of_one_number_are_refused(tmp_path):
    folder = folder_of(tmp_path, "01_one.ipynb", "03_old.ipynb", "03_copy.ipynb")
    with pytest.raises(BuildError, match=r"03_copy\.ipynb and 03_old\.ipynb are both lesson 3"):
        lessons.paths(folder)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ["01_one", "03_three", "10_ten"]),
        (["03"], ["03_three"]),
        (["3"], ["03_three"]),
        (["1"], ["01_one"]),
        (["10"], ["10_ten"]),
        (["10_ten", "01_one.ipynb"], ["01_one", "10_ten"]),
        (["notebooks/03_three.ipynb", "03_th", "three"], ["03_three"]),
    ],
)
def test_a_name_chooses_a_lesson(tmp_path, names, expected):
    folder = folder_of(tmp_path, "01_one.ipynb", "03_three.ipynb", "10_ten.ipynb")
    assert [path.stem for path in lessons.chosen(names, folder)] == expected


@pytest.mark.parametrize("name", ["7", "07", "thre", "", "03_three.md", "11"])
def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path, name):
    folder = folder_of(tmp_path, "01_one.ipynb", "03_three.ipynb")
    with pytest.raises(BuildError, match=r"no lesson is called .*There are: 01_one, 03_three"):
        lessons.chosen(["03", name], folder)


def test_the_stage_has_the_lessons_and_what_lies_beside_them(tmp_path, monkeypatch, capfd):
    notebooks = tmp_path / "checkout" / "notebooks"
    names = {"01_one.ipynb", "words.csv", "tally.py", "data/more.csv", "images/01_one.svg"}
    behind = {"Untitled.ipynb", "drafts/old.ipynb", ".DS_Store", ".ipynb_checkpoints/01_one.ipynb"}
    for name in [*names, *behind, "__pycache__/tally.cpython-312.pyc"]:
        path = notebooks / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(stage, "ROOT", notebooks.parent)
    monkeypatch.setattr(stage, "NOTEBOOKS", notebooks)
    monkeypatch.setattr(stage.lessons, "paths", lambda paths=lessons.paths: paths(notebooks))
    staged = stage.stage(tmp_path / "site") / "notebooks"
    assert {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()} == names
    assert "Untitled.ipynb is left out" in capfd.readouterr().err


# ------------------------------------------------------------------------------------------------------------- read


def change(text: str, **changes: object) -> str:
    """A notebook with other values of its own keys."""
    return json.dumps({**json.loads(text), **changes})


CODE = '   "cell_type": "code",\n'
CONFLICT = f'<<<<<<< HEAD\n{CODE}=======\n   "cell_type": "raw",\n>>>>>>> theirs\n'

DAMAGE = {
    "an open merge": (
        lambda text: text.replace(CODE, CONFLICT),
        r"line \d+: <<<<<<< HEAD .*git show :2:./notebooks/",
    ),
    "cut off in a key": (lambda text: text[: text.rindex("cell_type") + 4], "ends in the middle"),
    "cut off after a comma": (lambda text: text[: text.rindex(",") + 1], "ends in the middle"),
    "cut off before the last bracket": (lambda text: text.rstrip().removesuffix("}"), "ends in the middle"),
    "empty": (lambda text: "", "is empty"),
    "blank": (lambda text: " \n\n", "is empty"),
    "a sign wrong": (lambda text: text.replace(":", "=", 1), "line 2: this isn't JSON"),
    "twice": (lambda text: text + text, "this isn't JSON"),
    "a list": (lambda text: "[]", "is JSON, but no notebook"),
    "no format": (lambda text: '{"cells": []}', "is JSON, but no notebook"),
    "format 3": (lambda text: '{"nbformat": 3, "worksheets": []}', "is in notebook format 3.*Open it in JupyterLab"),
    "format 5": (lambda text: change(text, nbformat=5), "is in notebook format 5, which is newer"),
    "no cells": (lambda text: change(text, cells=None), "is not a valid notebook"),
    "an odd cell": (lambda text: text.replace('"code"', '"poem"'), "is not a valid notebook: cell 2: "),
    "Latin-1": (lambda text: text.replace("1 + 1", "# é").encode("latin-1"), "0xE9 isn't UTF-8.* save it as UTF-8"),
    "UTF-16": (lambda text: text.encode("utf-16"), "it is UTF-16.* save it as UTF-8"),
}
"""What happens to a notebook's file, and what is said of it."""


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_lesson_is_named_and_nothing_of_it_lost(lesson, damage):
    path = lesson(written(FRONT))
    spoil, said = DAMAGE[damage]
    spoiled = spoil(path.read_text(encoding="utf-8"))
    path.write_bytes(spoiled if isinstance(spoiled, bytes) else spoiled.encode())
    for read in (lessons.read, lessons.front_matter):
        with pytest.raises(BuildError, match=said) as refused:
            read(path)
        assert "notebooks/01_counting.ipynb" in str(refused.value)
        assert not re.search("checkout|restore|reset|stash", str(refused.value)), "advice that throws work away"


def test_the_lines_of_a_merge_are_where_the_message_says(lesson):
    path = lesson(written(FRONT))
    text = path.read_text(encoding="utf-8").replace(CODE, CONFLICT)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BuildError) as refused:
        lessons.read(path)
    line = int(re.search(r"line (\d+)", str(refused.value))[1])
    assert text.split("\n")[line - 1] == "<<<<<<< HEAD"


def test_the_command_that_it_names_brings_back_what_git_has(lesson):
    path = lesson(written(FRONT))
    folder = path.parents[1]

    def git(*arguments: str) -> str:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(["git", *settings, *arguments], cwd=folder, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "a lesson")
    kept = path.read_text(encoding="utf-8")
    path.write_text("", encoding="utf-8")
    with pytest.raises(BuildError) as refused:
        lessons.read(path)
    command = re.search(r"`git (show .+) > earlier\.ipynb`", str(refused.value))[1]
    assert git(*command.split()) == kept


def test_a_whole_lesson_is_read_as_jupyter_reads_it(lesson):
    path = lesson(written(FRONT))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert lessons.read(path) == nbformat.read(path, as_version=4)
    assert lessons.front_matter(path)["title"] == "Counting words"


# ---------------------------------------------------------------------------------------------------- front matter


def test_the_keys_are_those_that_the_lessons_have():
    for path in lessons.paths():
        assert lessons.front_matter(path).keys() == lessons.KINDS.keys()


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        ("title: Counting words", "title: Lesson 3: a first model", 'line 2: .*Write title: "Lesson 3: a first model"'),
        ("title: Counting words", "title: @home", 'line 2: .*Write title: "@home"'),
        ("title: Counting words", "title: `pipeline` by hand", 'line 2: .*Write title: "`pipeline` by hand"'),
        ("title: Counting words", "title: *all*", 'line 2: .*Write title: "\\*all\\*"'),
        ("title: Counting words", "title: !one", 'line 2: .*Write title: "!one"'),
        ("title: Counting words", 'title: "Counting', "line 2: a quotation mark is opened here and not closed"),
        ("title: Counting words", "title:", "line 2: title has to be a text. It is None"),
        ("title: Counting words", "title: # a number", "line 2: title has to be a text"),
        ("title: Counting words", "title: 1984", "line 2: title has to be a text. It is 1984"),
        ("title: Counting words", "title: [a, b", "a bracket is opened and not closed"),
        ("title: Counting words", "title: One\ntitle: Two", "line 3: title is there twice"),
        ("title: Counting words", "\ttitle: One", "line 2: a tab"),
        ("title: Counting words\n", "", "lacks title"),
        ("date: 2026-11-22", "date: yesterday", "line 5: date has to be a day.* It is 'yesterday'"),
        ("date: 2026-11-22", "date: 2026-13-22", "line 5: .*month must be in 1..12"),
        ("date: 2026-11-22", "date: 22.11.2026", "line 5: date has to be a day"),
        ("minutes: 20", "minutes: twenty", "minutes has to be a whole number of minutes"),
        ("minutes: 20", "minutes: 0", "minutes has to be a whole number of minutes"),
        ("minutes: 20", "minutes: true", "minutes has to be a whole number of minutes"),
        ("minutes: 20", "minutes: 20 minutes", "minutes has to be a whole number of minutes"),
        ("categories:\n- counting", "categories: counting", "line 6: categories has to be a list of texts"),
        ("categories:\n- counting", "categories: [2026]", "categories has to be a list of texts"),
        ("  practice: count\n", "", "objectives has to be a list, each with text, section and practice"),
        ("prerequisites:\n- Python", "prerequisites: []", "prerequisites has to be a list of texts"),
        ("lesson: 1", "lesson: 2", r"lesson is 2, and the file's name says 1"),
        ("- text: Download", "- name: Download", "other-links has to be a list of links"),
        ("---\n", "", "has no front matter"),
    ],
)
def test_front_matter_that_is_wrong_is_said_with_its_line(lesson, was, is_now, said):
    text = written(FRONT)
    assert was in text
    changed = text.replace(was, is_now, 1)
    with pytest.raises(BuildError, match=rf"^notebooks/01_counting\.ipynb.*{said}") as refused:
        lessons.front_matter(lesson(changed))
    assert "\n" not in str(refused.value)


def test_front_matter_that_is_not_closed_or_not_there_is_said(lesson):
    with pytest.raises(BuildError, match="first cell, line 1: the front matter isn't closed"):
        lessons.front_matter(lesson(written(FRONT).removesuffix("---")))
    for text in ("", "Hello", "---\n---", "---\n# only a comment\n---"):
        with pytest.raises(BuildError, match="has no front matter"):
            lessons.front_matter(lesson(text))
    with pytest.raises(BuildError, match="front matter is keys and values"):
        lessons.front_matter(lesson("---\nHello\n---"))


def test_a_commands_error_is_the_sentence(lesson):
    """The commands that read front matter say what is wrong with it, whichever of them comes first."""
    path = lesson(written(FRONT).replace("title: Counting words", "title: Lesson 3: a first model"))
    page = syllabus.PAGE.read_text(encoding="utf-8")
    with pytest.raises(BuildError, match=r"01_counting\.ipynb, first cell, line 2"):
        syllabus.refresh(page, path.parent)
