"""The learner's copies: the lessons' code, in Markdown that any program shows, and never written to again."""

import re
import shutil
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import LESSONS, NOTEBOOKS
from ipykernel.ipkernel import IPythonKernel
from markdown_it import MarkdownIt
from nbformat import NotebookNode

import course_utils
from course_build import BuildError
from course_build.classroom import copies
from course_build.classroom.commonmark import to_commonmark
from course_build.notebooks.read_notebook import code_cells
from course_utils import exercises
from course_utils.classroom import front_door, learners_folder, progress_record
from course_utils.exercises import lesson_03
from course_utils.quiz import check_quiz, quiz

LESSON = "03_huggingface_nlp.ipynb"
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's folder, as the first `make lab` makes it."""
    folder = tmp_path_factory.mktemp("learner") / "my_lessons"
    news = copies.bring_up_to_date(folder, [])
    assert len(news.made) >= 2 * len(LESSONS)
    return folder


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def shown(markdown: str) -> BeautifulSoup:
    """The page that a program shows that knows CommonMark, and tables, and nothing of Quarto."""
    return BeautifulSoup(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown), "html.parser")


def prose(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


# ------------------------------------------------------------------------------------------------------- what a copy is


@each_lesson
def test_the_code_is_the_lessons_cell_for_cell_and_nothing_is_spoiled(path, everything):
    copy = read(everything / path.name)
    cells = code_cells(copy)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    own = [cell for cell in cells if not cell.id.endswith(("-answers", "-progress"))]
    source = code_cells(read(path))
    assert [cell.id for cell in own] == [cell.id for cell in source]
    for mine, theirs in zip(own, source, strict=True):
        assert learners_folder.code_key(mine.source) == learners_folder.code_key(theirs.source)
        assert not re.search(r"^#\||# ?<\d+>", mine.source, re.MULTILINE)
        assert mine.metadata.get("tags", []) == theirs.metadata.get("tags", [])
    added = [cell.source.splitlines()[-1] for cell in cells if cell not in own]
    assert added == [f'check_quiz("{path.name[:2]}", my_answers)', "progress()"]


@each_lesson
def test_opening_a_copy_leaves_it_as_it_is(path, everything):
    """JupyterLab marks a notebook as changed when the kernel tells it anything of its language that isn't there."""
    copy = read(everything / path.name)
    nbformat.validate(copy)
    assert (copy.nbformat, copy.metadata.kernelspec.name) == (4, "python3")
    assert copy.metadata.language_info == IPythonKernel.language_info


@each_lesson
def test_plain_commonmark_shows_nothing_raw_and_every_link_and_picture_leads_somewhere(path, everything):
    copy = read(everything / path.name)
    anchors = re.findall(r'<a id="([\w-]+)"></a>', (everything / "glossary.md").read_text("utf-8"))
    titles = []
    for text in prose(copy):
        page = shown(text)
        titles += page.select("h1")
        for code in page.select("pre, code"):
            code.decompose()
        assert not re.search(r":::|\{[.#]|\[\^|^---$|&nbsp;|\.qmd|==|^objectives:", page.get_text(), re.MULTILINE), text
        for link in page.select("a[href]"):
            target, _, fragment = link["href"].partition("#")
            assert target.startswith("https://") or (everything / target).is_file(), link
            assert target != "glossary.md" or not fragment or (fragment in anchors and link["title"])
        for picture in page.select("img"):
            assert (everything / picture["src"]).is_file()
            assert picture["alt"]
        for folded in page.select("details"):
            assert folded.find("summary").get_text().strip()
    assert len(titles) == 1


@each_lesson
def test_the_outline_is_the_lessons_and_no_word_of_it_is_lost(path, everything):
    source, copy = read(path), read(everything / path.name)
    in_divs = r"^:{3,} *\{.*\}\n(?:.*\n)*?:{3,}$"
    pages = [shown(re.sub(in_divs, "", text, flags=re.MULTILINE)) for text in prose(source)]
    headings = [heading.get_text() for page in pages for heading in page.select("h2, h3")]
    assert [each.get_text() for text in prose(copy) for each in shown(text).select("h2, h3")] == headings

    left_out = r"^::: \{#sentiment-demo\}\n(?:.*\n)*?:::$|^## Quiz\n\n.+|\]\([^)]*\)|^:::.*|&nbsp;|^At the end, .+"
    left_out += r'|\{fig-alt="'
    words = Counter(re.findall(r"[^\W_]+", re.sub(left_out, " ", "\n".join(prose(source)), flags=re.MULTILINE)))
    # The objectives move into the title cell, with a capital at their beginning.
    there = Counter(re.findall(r"[^\W_]+", "\n".join(prose(copy))))
    assert {word for word in words - there if not there[word.capitalize()]} == set()


@each_lesson
def test_the_first_cell_and_the_last_are_the_learners_way_in_and_on(path, everything):
    copy = read(everything / path.name)
    first, last = shown(copy.cells[0].source), shown(copy.cells[-1].source)
    assert first.select_one("img")["src"].startswith("images/")
    assert re.search(r"About \d+ minutes", first.get_text())
    assert len(first.select("ul")) == 2
    place = LESSONS.index(path)
    neighbours = {each.name for each in [*LESSONS[max(0, place - 1) : place], *LESSONS[place + 1 : place + 2]]}
    assert {link["href"] for link in first.select("a")} >= {"start_here.md", "glossary.md", *neighbours}
    after = {each.name for each in LESSONS[place + 1 : place + 2]}
    assert {link["href"] for link in last.select("a")} == {"start_here.md", "glossary.md", *after}


@each_lesson
def test_the_kernel_knows_the_lessons_figures_exercises_and_names(path, everything):
    known = learners_folder.lessons(everything)[path.name[:2]]
    source = read(path)
    options = [cell for cell in code_cells(source) if "#| fig-alt" in cell.source]
    assert len(known["figures"]) == len({learners_folder.code_key(cell.source) for cell in options})
    assert all(figure["alt"] and figure["caption"] for figure in known["figures"].values())
    stubs = [cell for cell in code_cells(source) if "exercise" in cell.metadata]
    assert len(known["exercises"]) == len(stubs)
    assert known["questions"] == len(quiz(path.name[:2]).questions)
    assert all(known["names"].values())


def test_the_code_key_passes_over_layout_and_nothing_else():
    key = learners_folder.code_key
    assert key("#| fig-cap: x\nf( 1,2 )  # <1>") == key("f(1, 2)")
    assert key("f(1, 2)") != key("f(1, 3)")
    assert key("%matplotlib inline\nx = 1") == key("%matplotlib inline\n\nx = 1") != key("x = 1")
    assert key("what is this?!") == key(" what is this?! ")


@pytest.mark.parametrize(
    ("quarto", "plain"),
    [
        ("::: {.callout-tip}\n## Try `it`\n\nText\n\n:::", "> **Tip: Try `it`**\n>\n> Text"),
        ("::: {.callout-warning}\nText\n\n:::", "> **Watch out**\n>\n> Text"),
        ("::: {.callout-tip}\n## T\n\n```\na\n\n## b\n```\n\n:::", "> **Tip: T**\n>\n> ```\n> a\n> \n> ## b\n> ```"),
        (
            '::: {.callout-note collapse="true"}\n## A `x<y` *z*\n\nText\n\n:::',
            "<details>\n<summary><b>Note: A <code>x&lt;y</code> <em>z</em></b></summary>\n\nText\n\n</details>",
        ),
        (
            "::: {.panel-tabset}\n## One\n\n1\n\n## Two\n```\n## no\n```\n\n:::",
            "<details>\n<summary><b>One</b></summary>\n\n1\n\n</details>\n\n"
            "<details>\n<summary><b>Two</b></summary>\n\n```\n## no\n```\n\n</details>",
        ),
        ("::: {.callout-note}\n::: {.callout-tip}\nIn\n\n:::\n\n:::", "> **Note**\n>\n> > **Tip**\n> >\n> > In"),
        ("A[^b] c[^a].\n\n[^a]: first\n[^b]: second\n    line",
         "A<sup>1</sup> c<sup>2</sup>.\n\n<sup>1</sup> second line  \n<sup>2</sup> first"),
        ("[w]{.k} and [a](there#x){target=_blank}", "w and [a](new/there#x)"),
        ("[a](nowhere) ![p](nowhere) [b](https://x.org) [c](#d)", "a  [b](https://x.org) [c](#d)"),
        ("![p](there)&nbsp;", "![p](new/there)"),
        ('![A `c` [d](e).](there){fig-alt="It\'s all"}', "![It's all](new/there)\n\n_A `c` [d](new/e)._"),
        ("## A {#b .c}", "## A"),
        ("`[a](there)` $[a](there)$ costs $5 and $6", "`[a](there)` $[a](there)$ costs $5 and $6"),
        ("- ```\n  ::: {.x}\n  ```\n- b", "- ```\n  ::: {.x}\n  ```\n- b"),
        ("::: {#left-out}\nText\n\n:::\nAfter", "After"),
        ("```\nno end\n::: {.callout-tip}", "```\nno end\n::: {.callout-tip}"),
    ],
)  # fmt: skip
def test_each_form_of_quartos_becomes_one_that_every_program_has(quarto, plain):
    assert to_commonmark(quarto, lambda to: None if to == "nowhere" else f"new/{to}", "left-out") == plain


# --------------------------------------------------------------------------------------------------------------- theirs


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course of one lesson, which may change."""
    source = tmp_path / "notebooks"
    (source / "images").mkdir(parents=True)
    shutil.copy(NOTEBOOKS / LESSON, source)
    shutil.copy(NOTEBOOKS / "images" / "03_huggingface_nlp.svg", source / "images")
    return source


@pytest.fixture
def mine(tmp_path: Path, course: Path) -> Path:
    folder = tmp_path / "my_lessons"
    copies.bring_up_to_date(folder, [], course)
    return folder


def change(course: Path, says: str = "Now comes the first model, at last.") -> None:
    """Change a sentence of the lesson, as a newer version of the course does."""
    path = course / LESSON
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"Now comes the first model[^\"\\]*", says, text), "utf-8")
    assert path.read_text("utf-8") != text


def work_in(path: Path) -> bytes:
    """Answer an exercise, as a learner does; return the file."""
    notebook = read(path)
    cell = next(cell for cell in code_cells(notebook) if "return ..." in cell.source)
    cell.source = cell.source.replace("return ...", "return 'mine'")
    nbformat.write(notebook, path)
    return path.read_bytes()


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_second_start_changes_nothing(course, mine):
    before = files(mine)
    assert str(copies.bring_up_to_date(mine, [], course)) == ""
    assert files(mine) == before


def test_a_copy_that_nobody_worked_in_is_renewed(course, mine):
    change(course)
    news = copies.bring_up_to_date(mine, [], course)
    assert (news.renewed, news.offered, news.kept) == ([LESSON], {}, {})
    assert "at last" in (mine / LESSON).read_text("utf-8")


def test_a_copy_that_was_worked_in_stays_and_the_change_is_offered_beside_it(course, mine):
    work = work_in(mine / LESSON)
    assert str(copies.bring_up_to_date(mine, [], course)) == ""
    change(course)
    offer = "03_huggingface_nlp_changed.ipynb"
    for _ in range(2):
        news = copies.bring_up_to_date(mine, [], course)
        assert news.offered == {LESSON: offer}
        assert offer in str(news)
        assert (mine / LESSON).read_bytes() == work
    said, *cells = read(mine / offer).cells
    assert "*Where we are*: other text" in said.source
    assert re.search(r"^\+.*Now comes the first model, at last\.$", said.source, re.MULTILINE)
    assert "make lab RESET=03" in said.source
    assert "at last" in "\n".join(cell.source for cell in cells)
    page = (mine / "start_here.md").read_text("utf-8")
    assert f"({offer})" in page.partition("## Changed lessons")[2]

    change(course, "Now comes the first model once more.")
    copies.bring_up_to_date(mine, [], course)
    assert "once more" in (mine / offer).read_text("utf-8"), "an offer that nobody worked in is renewed"

    in_the_offer = work_in(mine / offer)
    change(course, "Now comes the first model for the last time.")
    news = copies.bring_up_to_date(mine, [], course)
    assert news.offered == {LESSON: "03_huggingface_nlp_changed_2.ipynb"}
    assert (mine / offer).read_bytes() == in_the_offer
    assert (mine / LESSON).read_bytes() == work

    news = copies.bring_up_to_date(mine, ["3"], course)
    assert len(news.kept) == 2
    assert {(mine / name).read_bytes() for name in news.kept.values()} == {work, in_the_offer}
    assert f"your {LESSON} is kept as 03_huggingface_nlp_kept_2" in str(news)
    assert "for the last time" in (mine / LESSON).read_text("utf-8")
    assert {path.name for path in mine.glob("*.ipynb")} == {LESSON, *news.kept.values()}, "where their links lead from"
    assert "Changed lessons" not in (mine / "start_here.md").read_text("utf-8")
    assert str(copies.bring_up_to_date(mine, [], course)) == ""


def test_a_copy_that_was_only_run_counts_as_worked_in(course, mine):
    notebook = read(mine / LESSON)
    code_cells(notebook)[0].outputs = [nbformat.v4.new_output("stream", text="mine\n")]
    nbformat.write(notebook, mine / LESSON)
    assert str(copies.bring_up_to_date(mine, [], course)) == "", "nothing of the lesson changed"
    change(course)
    assert list(copies.bring_up_to_date(mine, [], course).offered) == [LESSON]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff\xfe"])
def test_a_copy_that_is_no_notebook_any_more_stays_and_it_is_said(course, mine, content):
    (mine / LESSON).write_bytes(content)
    change(course)
    assert f"{LESSON} can't be read as a notebook any more. `make lab RESET=03`" in str(
        copies.bring_up_to_date(mine, [], course)
    )
    assert (mine / LESSON).read_bytes() == content
    (kept,) = copies.bring_up_to_date(mine, ["03"], course).kept.values()
    assert (mine / kept).read_bytes() == content


def test_what_the_course_kept_may_be_lost(course, mine):
    work = work_in(mine / LESSON)
    shutil.rmtree(mine / ".course")
    assert list(copies.bring_up_to_date(mine, [], course).offered) == [LESSON]
    assert (mine / LESSON).read_bytes() == work
    assert "can't be said" in read(mine / "03_huggingface_nlp_changed.ipynb").cells[0].source


def test_a_deleted_copy_comes_again_and_a_file_of_the_learners_own_stays(course, mine):
    (mine / LESSON).unlink()
    (mine / "notes.md").write_text("mine")
    assert copies.bring_up_to_date(mine, [], course).made == [LESSON]
    assert (mine / "notes.md").read_text() == "mine"


def test_a_start_that_is_interrupted_anywhere_loses_nothing(course, mine, monkeypatch):
    work = work_in(mine / LESSON)
    (mine / "glossary.md").write_text("my glossary")
    change(course)
    replace, left = Path.replace, 0

    def interrupted(path: Path, target: Path) -> Path:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        return replace(path, target)

    whole = None
    for steps in range(40):
        folder = mine.with_name(f"stopped_{steps}")
        shutil.copytree(mine, folder)
        for names in ([], ["03"]):
            left = steps
            monkeypatch.setattr(Path, "replace", interrupted)
            try:
                copies.bring_up_to_date(folder, names, course)
                ended = True
            except KeyboardInterrupt:
                ended = False
            monkeypatch.setattr(Path, "replace", replace)
            copies.bring_up_to_date(folder, names, course)
            found = set(files(folder).values())
            assert work in found
            assert b"my glossary" in found
            assert not list(folder.glob("**/.*.new"))
        copy = read(folder / LESSON)
        assert "at last" in "\n".join(prose(copy))
        if ended:
            whole = steps
            break
        shutil.rmtree(folder)
    assert whole, "the loop came to a start that wasn't interrupted"


@pytest.mark.parametrize("in_the_way", ["", ".course", "images"])
def test_a_folder_that_cant_be_written_is_said(tmp_path, course, in_the_way):
    folder = tmp_path / "taken"
    if in_the_way:
        folder.mkdir()
    (folder / in_the_way).write_text("a file")
    with pytest.raises(BuildError, match=r"can't be written .*\. Nothing in it was lost\."):
        copies.bring_up_to_date(folder, [], course)


def test_an_unknown_lesson_is_answered_with_the_known_ones(course, mine):
    with pytest.raises(BuildError, match="no lesson is called '44'"):
        copies.bring_up_to_date(mine, ["44"], course)


# ------------------------------------------------------------------------------------------------------------- progress


@pytest.fixture
def inside(mine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The learner's folder, in which a kernel works."""
    monkeypatch.chdir(mine)
    return mine


def verdict(result, threshold=0.9):
    return result["label"].lower() if result["score"] >= threshold else "not sure"


def test_a_right_answer_is_remembered_and_a_wrong_one_is_not(inside):
    assert lesson_03.check_verdict(len).status == "wrong"
    assert not (inside / "progress.csv").exists()
    assert lesson_03.check_verdict(verdict).status == "right"
    assert lesson_03.check_verdict(verdict).status == "right"
    head, line = (inside / "progress.csv").read_text("utf-8").splitlines()
    assert head == "when,lesson,kind,name,result"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d,03,exercise,check_verdict,right", line)
    assert lesson_03.check_verdict(len).status == "wrong"
    (stage,) = course_utils.progress().stages
    assert stage.exercises_solved.replace("\u00a0", " ") == "●○○○○ 1 of 5", "what was solved once stays solved"


def test_in_a_learners_folder_feedback_shows_code_as_code(inside):
    said = lesson_03.check_verdict(lambda result: result["<b>"])._repr_html_()
    page = BeautifulSoup(said, "html.parser")
    assert page.get_text().startswith("✘ Not yet.")
    assert not page.select("b")
    assert exercises.Feedback("wrong", "Use `>=`.")._repr_html_().endswith("Use <code>&gt;=</code>.</p>")


def test_the_front_door_shows_what_was_solved_and_what_comes_next(inside):
    page = inside / "start_here.md"
    assert "**Begin with [Lesson 3: A first language model](03_huggingface_nlp.ipynb).**" in page.read_text("utf-8")
    lesson_03.check_verdict(verdict)
    assert "**Go on with [Lesson 3" in page.read_text("utf-8")
    assert "●○○○○\u00a01\u00a0of\u00a05" in page.read_text("utf-8")
    picture = BeautifulSoup((inside / "images" / "progress.svg").read_text("utf-8"), "html.parser")
    assert len(picture.select("circle[stroke-dasharray]")) == 1
    shown_page = shown(page.read_text("utf-8"))
    assert shown_page.select_one("img")["alt"] == "Your path of 1 lessons; none is done yet; begun: 3."
    assert all((inside / link["href"]).exists() for link in shown_page.select("a"))


def test_a_front_door_that_a_learner_changed_is_theirs(course, inside):
    page = inside / "start_here.md"
    page.write_text(page.read_text("utf-8") + "my note")
    theirs = page.read_bytes()
    lesson_03.check_verdict(verdict)
    assert page.read_bytes() == theirs
    (kept,) = copies.bring_up_to_date(inside, [], course).kept.values()
    assert (inside / kept).read_bytes() == theirs
    assert front_door.is_sealed(page.read_text("utf-8"))


def key(lesson: str) -> list[str]:
    return ["abcdef"[[choice.right for choice in question.choices].index(True)] for question in quiz(lesson).questions]


def test_a_quiz_is_answered_by_letters_with_what_is_said_of_each_choice(inside):
    asked = quiz("03")
    text = asked._repr_markdown_()
    assert "✔" not in text
    assert not any(choice.feedback in text for question in asked.questions for choice in question.choices)
    assert len(BeautifulSoup(text, "html.parser").select("li")) == sum(len(each.choices) for each in asked.questions)

    right = key("03")
    wrong = "a" if right[1] != "a" else "b"
    said = check_quiz("03", f"{right[0]} {wrong} ? z")
    assert said.lines[0] == (f"{right[0]} ✔ Right.", next(c.feedback for c in asked.questions[0].choices if c.right))
    assert said.lines[1] == (f"{wrong} ✘ No.", asked.questions[1].choices["ab".index(wrong)].feedback)
    assert said.lines[2][1] == said.lines[4][1] == "Not answered yet."
    assert "there is no z" in said.lines[3][1]
    assert said.summary in repr(said)
    assert said.summary == "1 of 5 right."
    (stage,) = course_utils.progress().stages
    assert stage.right == 1
    check_quiz("03", right)
    check_quiz("03", f"{wrong if right[0] == 'a' else 'a'} ? ? ? ?")
    assert course_utils.progress().stages[0].right == 5, "what was right once stays right"


@pytest.mark.parametrize(
    "form", ["{} {} {} {} {}", "{}{}{}{}{}", "{}, {}, {}, {}, {}", "1. {} 2. {} 3. {} 4. {} 5. {}", list, tuple]
)
def test_letters_may_be_typed_as_people_type_them(form):
    right = key("03")
    answers = form.format(*right).upper() if isinstance(form, str) else form(right)
    assert check_quiz("03", answers).summary == "5 of 5 right."


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("3{2} 5{4}", "? ? {2} ? {4}"),
        ("3. {2}\n5. {4}", "? ? {2} ? {4}"),
        ("5{4} 3{2} 1{0}", "{0} ? {2} ? {4}"),
        ("{0}, , {2},", "{0} ? {2}"),
        ("{0}{1}, {2}", "{0} {1} {2}"),
    ],
)
def test_a_letter_goes_to_its_question(typed, read):
    right = key("03")
    assert check_quiz("03", typed.format(*right)).lines == check_quiz("03", read.format(*right)).lines


@pytest.mark.parametrize("answers", [None, 3, {1: "a"}, "1 2 3", "3a 3b", "9a", "a 3b", [1, 2]])
def test_what_are_no_letters_is_said_and_nothing_is_taken(answers):
    said = check_quiz("03", answers)
    assert said.lines == ()
    assert said.summary.startswith("These are no letters. Type one letter for each question, with a ? where")


def test_too_many_letters_are_counted_and_none_is_taken():
    said = check_quiz("03", "abcdef")
    assert said.lines == ()
    assert said.summary.startswith("There are 6 answers, and the quiz has 5 questions.")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b"\xff\x00,03,exercise\n2026,03,exercise,check_verdict,right"),
        lambda path: path.write_text("when,lesson\n,,,,\n" + "x" * 200_000),
        lambda path: path.symlink_to("/no/such/place"),
    ],
    ids=["a folder", "bytes and a cut line", "a line without end", "a broken link"],
)
def test_a_record_that_is_damaged_or_cant_be_written_is_no_error(inside, damage):
    damage(inside / "progress.csv")
    assert lesson_03.check_verdict(verdict).status == "right"
    check_quiz("03", "a b c d a")
    course_utils.progress()
    (inside / ".course" / "lessons.json").write_text("{")
    assert lesson_03.check_verdict(verdict).status == "right"
    assert repr(course_utils.progress()) == progress_record.NOT_HERE


def test_the_next_lesson_is_the_last_worked_on_until_it_is_done():
    def stage(number: str, done: int) -> progress_record.Stage:
        lesson = {"exercises": {"check_a": "A"}, "questions": 1, "title": "T", "file": "t.ipynb", "minutes": 1}
        return progress_record.Stage(number, lesson, min(done, 1), max(0, done - 1))

    def after(last: str | None, *done: int) -> str | None:
        stages = tuple(stage(f"{number:02}", each) for number, each in enumerate(done, 1))
        found = progress_record.Progress(stages, last).next
        return found.number if found else None

    assert after(None, 0, 0, 0) == "01"
    assert after("03", 0, 0, 1) == "03"
    assert after("02", 0, 2, 0) == "03"
    assert after("03", 1, 2, 2) == "01"
    assert after("07", 0, 0, 0) == "01"
    assert after("01", 2, 2, 2) is None


def test_progress_shows_a_picture_and_a_table(inside):
    lesson_03.check_verdict(verdict)
    page = BeautifulSoup(course_utils.progress()._repr_html_(), "html.parser")
    assert page.select_one("img")["alt"].startswith("Your path of 1 lessons")
    assert [cell.get_text() for cell in page.select("td")][1] == "A first language model"
    assert "1\u00a0of\u00a05" in repr(course_utils.progress())


def test_elsewhere_nothing_is_remembered_and_progress_says_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lesson_03.check_verdict(verdict).status == "right"
    assert list(tmp_path.iterdir()) == []
    assert repr(course_utils.progress()) == progress_record.NOT_HERE
    assert "<details" in quiz("03")._repr_markdown_()
