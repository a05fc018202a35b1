"""The kernel of a learner's copy: captions, errors that teach, long cells; and elsewhere nothing of it."""

import base64
import json
import os
import re
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jupyter_client import KernelManager

from course_build.notebooks.run import OwnKernel, newcomers_environment
from course_build.paths import ROOT
from course_utils.classroom import advice, learners_folder
from course_utils.classroom.known_lessons import KnownLessons
from course_utils.classroom.long_cells import duration
from course_utils.classroom.tracebacks import HIDDEN, fold
from course_utils.exercises import checker
from course_utils.notebook import as_shown

PATIENCE = 300  # seconds, for a busy machine, and no measure of anything

FIGURE = "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.ylabel('score')"
TALL = "figure = plt.figure(figsize=(7, 9))\nfigure.add_subplot()\nplt.close(figure)\ndisplay(figure)"
ENDLESS = "import time\n\nwhile True:\n    time.sleep(0.02)"
SHORT = "6 * 7"
FAILS = "1 / 0"
WORDS = {"caption": "A line that <rises>.", "alt": 'A line from 1 to 2, "rising".'}
SECTION = {"tweets_model": "Auto classes", "result": "Your first model", "verdict": "Exercise 1: a verdict"}


def lesson(**facts: object) -> dict:
    empty = {"file": "", "title": "", "description": "", "minutes": 1, "exercises": {}, "questions": 0, "offered": None}
    return {**empty, "figures": {}, "seconds": {}, "names": {}, **facts}


LESSONS = {
    "03": lesson(
        figures={learners_folder.code_key(cell): WORDS for cell in (FIGURE, TALL)},
        seconds={learners_folder.code_key(cell): 90 for cell in (ENDLESS, SHORT, FAILS)},
        names=SECTION,
    ),
    "05": lesson(names={"result": "Attention"}),
}


def write_lessons(folder: Path) -> Path:
    (folder / learners_folder.KEPT).mkdir(parents=True)
    (folder / learners_folder.LESSONS).write_text(json.dumps(LESSONS), encoding="utf-8")
    return folder


@dataclass
class Ran:
    """What a front end has of a cell that was run: its outputs in their order, updated, and whether it failed."""

    outputs: list[dict]
    failed: bool

    def of(self, kind: str) -> list[str]:
        return [output["data"][kind] for output in self.outputs if kind in output.get("data", {})]

    @property
    def error(self) -> str:
        """The text of its one error."""
        (found,) = [output for output in self.outputs if "ename" in output]
        return as_shown("\n".join(found["traceback"]))


class Kernel:
    """A kernel in a folder, with what a cell puts out."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.manager = KernelManager(kernel_spec_manager=OwnKernel())
        environ = {**newcomers_environment(scratch), "CONDA_DEFAULT_ENV": ""}
        self.manager.start_kernel(cwd=str(folder), env={k: v for k, v in environ.items() if k != "JPY_SESSION_NAME"})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, source: str, seen: Callable[[dict], None] = lambda content: None) -> Ran:
        outputs: list[dict] = []

        def take(message: dict) -> None:
            content = message["content"]
            if message["msg_type"] == "update_display_data":
                (same,) = [each for each in outputs if each.get("transient") == content["transient"]]
                same.update(content)
            elif message["msg_type"] in ("display_data", "execute_result", "stream", "error"):
                outputs.append(content)
            seen(content)

        reply = self.client.execute_interactive(source, output_hook=take, timeout=PATIENCE)
        return Ran(outputs, reply["content"]["status"] == "error")

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's folder, beside an environment that isn't this Python's."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / ".venv").mkdir()
    return write_lessons(checkout / "my_lessons")


@pytest.fixture(scope="module")
def kernel(learner: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel in that folder, as a lesson prepares it; twice, as one does who runs a cell again."""
    running = Kernel(learner, tmp_path_factory.mktemp("scratch"))
    try:
        assert not running.run("%matplotlib inline").failed
        first = running.run("from course_utils import notebook\nnotebook.prepare()")
        said = "".join(output["text"] for output in first.outputs)
        assert re.fullmatch(r"This kernel's Python is \S+, and the course's packages are in \S+: .+make lab.+\n", said)
        assert str(learner.parent / ".venv") in said
        assert running.run("notebook.prepare()") == first
        yield running
    finally:
        running.stop()


# ------------------------------------------------------------------------------------------------------- figures


def size(img: str) -> tuple[float, float]:
    """Width and height of a figure on the page, which is half of what is drawn of it."""
    png = base64.b64decode(re.search('base64,([^"]+)', img)[1])
    width, height = struct.unpack(">II", png[16:24])
    shown = int(re.search('width="([0-9]+)"', img)[1])
    assert width >= 2 * shown - 1
    return shown, height * shown / width


def test_a_figure_has_the_lessons_words_and_the_size_of_two(kernel):
    ran = kernel.run(f"# A comment of the learner's.\n{FIGURE};")
    (shown,) = ran.of("text/html")
    assert ran.of("image/png") == []
    assert "<figcaption>A line that &lt;rises&gt;.</figcaption>" in shown
    assert 'alt="A line from 1 to 2, &quot;rising&quot;."' in shown
    assert 300 < size(shown)[0] < 800
    assert "brightness" in shown.partition("</style>")[0]


def test_a_figure_is_never_taller_than_a_small_window(kernel):
    (shown,) = kernel.run(TALL).of("text/html")
    width, height = size(shown)
    assert 555 < height <= 560.5
    assert 7 / 9 * 0.8 < width / height < 7 / 9 * 1.2
    assert "A line that" in shown


def test_where_the_learner_changed_the_code_a_figure_speaks_for_itself(kernel):
    changed = "plt.plot([3, 2], label='mine')\nplt.title('Down', loc='left')\nplt.xlabel('day')\nplt.legend()\n"
    more = "plt.figure()\nplt.plot([1])"
    (first, second) = kernel.run(changed + more).of("text/html")
    assert 'alt="A figure. Down. x: day. Legend: mine."' in first
    assert 'alt="A figure."' in second
    assert "<figcaption>" not in first + second


def test_a_cells_caption_is_that_of_its_first_figure_only(kernel):
    twice = kernel.run(f"{TALL}\ndisplay(figure)")
    assert "<figcaption>" not in "".join(twice.of("text/html")), "the learner's own cell"
    kernel.run("both = figure")
    kernel.run("get_ipython().events.register('post_run_cell', show_more := lambda result: display(both))")
    first, second = kernel.run(TALL).of("text/html")
    kernel.run("get_ipython().events.unregister('post_run_cell', show_more)")
    assert "<figcaption>" in first
    assert "<figcaption>" not in second


def test_a_figure_that_cant_be_drawn_says_why_and_an_empty_one_nothing(kernel):
    ran = kernel.run(TALL.replace("display(", "figure.suptitle(r'$\\nothing$')\ndisplay("))
    assert "ValueError" in ran.error
    assert ran.of("image/png") == []
    assert kernel.run("display(plt.Figure())").of("text/html") == []


# -------------------------------------------------------------------------------------------------------- errors


def test_an_error_shows_the_learners_lines_and_folds_the_libraries(kernel, learner):
    (learner / "mine.py").write_text(
        "import json\n\n\ndef read(text):\n    return json.loads(text)\n", encoding="utf-8"
    )
    ran = kernel.run("import mine\nmine.read('<b>&')")
    assert ran.failed
    assert "mine.read('<b>&')" in ran.error
    assert "return json.loads(text)" in ran.error
    assert "decoder.py" not in ran.error
    assert ran.error.count(HIDDEN.strip()) == 1
    assert ran.error.splitlines()[-1] == "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
    error, below = ran.outputs
    assert "\x1b[" in error["traceback"][0], "IPython's colours"
    folded = below["data"]["text/html"]
    assert ">3 frames inside Python</summary>" in folded
    assert "mine.read('&lt;b&gt;&amp;')" in folded
    assert "\x1b" not in folded
    for said in below["data"].values():
        assert "decoder.py" in said
        assert "return json.loads(text)" in said


CELLS = {
    "SystemExit": ("raise SystemExit(2)", "SystemExit: 2"),
    "SyntaxError": ("def f(:", "SyntaxError: invalid syntax"),
    "IndentationError": ("  1\n 2", "IndentationError: "),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt:"),
    "chained": ("try:\n    {}[1]\nexcept KeyError as error:\n    raise OSError('b') from error", "OSError: b"),
}


@pytest.mark.parametrize("name", CELLS)
def test_other_errors_are_as_they_were_and_short(kernel, name):
    source, last = CELLS[name]
    ran = kernel.run(source)
    assert ran.failed
    assert ran.error.strip().splitlines()[-1].startswith(last)
    assert ran.of("text/html") == []
    assert ran.error.count("\n") < 40
    assert (name == "chained") == ("direct cause" in ran.error)


def test_an_exception_without_a_text_keeps_its_name_and_the_kernel_lives(kernel):
    ran = kernel.run("class Odd(Exception):\n    def __str__(self):\n        raise ValueError('no')\n\n\nraise Odd")
    assert ran.failed
    assert ran.outputs[0]["ename"] == "Odd"
    assert "raise Odd" in as_shown("\n".join(ran.outputs[0]["traceback"]))
    assert kernel.run(SHORT).of("text/plain")[-1] == "42"


def test_a_traceback_without_an_own_frame_keeps_its_error():
    inside = f"File {Path(os.__file__)}:10, in read(path)\n     10 open(path)\n"
    similar = "    [... skipping similar frames: read at line 10 (9 times)]\n"
    package = "File /x/site-packages/torch/nn/linear.py:1, in forward(x)\n"
    frozen = "File <frozen importlib._bootstrap>:1, in _find(name)\n"
    course = f"File {ROOT / 'course_utils' / 'notebook.py'}:1, in prepare()\n"
    short, libraries = fold(["Head", inside, similar, package, frozen, course, "OSError: no"], Path("/home/me"))
    assert short == ["Head", HIDDEN, "OSError: no"]
    assert libraries == ["Python", "Python", "torch", "Python", "course_utils"]


def test_a_function_that_calls_itself_without_an_end_is_shown_once():
    call, deep = "Cell In[1], line 5\n----> 5 f(1)\n", "Cell In[1], line 2, in f(x)\n----> 2 return f(x)\n"
    short, libraries = fold(["Head", call, *[deep] * 970, "RecursionError: no"], Path("/home/me"))
    assert short == ["Head", call, deep, "    ... the same 969 times more ...\n", "RecursionError: no"]
    assert libraries == []


RAISED = {
    "a name of another section": (
        "tweets_model('x')",
        '`tweets_model` is made in the section "Auto classes". That cell hasn\'t run since the kernel started, or it '
        "failed: Run > Run All Above Selected Cell, then run this one again.",
    ),
    "a name of two lessons": ("result", "`result` is made by a cell above. That cell hasn't run"),
    "an exercise's answer": (
        "from course_utils.exercises.lesson_03 import check_verdict\n\ncheck_verdict(verdict)",
        '`verdict` is made in the section "Exercise 1: a verdict". That cell hasn\'t run',
    ),
    "nobody's name": ("nobodys", ""),
    "a misspelt name": ("a_classifier = 1\na_clasifier", "Is it spelled otherwise? There is `a_classifier`."),
    "a misspelt name that comes later": ("def g():\n    resultt\n    resultt = 1\n\n\ng()", ""),
    "a name that is there, later": ("def f():\n    result\n    result = 1\n\n\nf()", ""),
    "dots to fill in": ("sum(...)", "Somewhere a `...` still stands for code that is yours to write."),
    "dots with an attribute": ("(...).logits", "Somewhere a `...`"),
    "memory": ("raise MemoryError", "The memory is full. Close the other lessons"),
    "torch's memory": ("import torch\n\ntorch.empty(10**15)", "The memory is full."),
    "a package, in another Python": ("import no_such_package", "This kernel's Python is "),
    "a message that says all": ("from course_utils.errors import CheckpointError\n\nraise CheckpointError('x')", ""),
    "any other": ("1 / 0.0", ""),
}


@pytest.mark.parametrize("name", RAISED)
def test_an_error_that_learners_make_says_what_to_do(kernel, name):
    source, wanted = RAISED[name]
    ran = kernel.run(source)
    assert ran.failed
    assert "".join(ran.of("text/plain")).startswith(wanted)
    if wanted:
        assert "<p><strong>What to do:</strong> " in ran.of("text/html")[0]
    else:
        assert ran.of("text/html") == []


def test_a_check_says_which_cell_to_run(kernel):
    answer = "def verdict(result, threshold=0.9):\n    return tweets_model(result)\n\n\n"
    (said,) = kernel.run(
        f"{answer}from course_utils.exercises.lesson_03 import check_verdict\n\ncheck_verdict(verdict)"
    ).of("text/plain")
    assert "raised NameError: name 'tweets_model' is not defined at the line \"return tweets_model(result)\". " in said
    assert RAISED["a name of another section"][1] in said


def test_a_check_in_any_other_folder_says_it_shorter():
    @checker
    def check(answer):
        return f"It is {answer(1)}."

    def answer(number):
        return number + missing_number  # noqa: F821

    said = check(answer).message
    assert "raised NameError: name 'missing_number' is not defined. Run the cell that makes `missing_number`" in said


# ---------------------------------------------------------------------------------------------------- long cells


def test_a_long_cell_says_before_how_long_it_takes_and_after_how_long_it_took(kernel):
    said = []
    ran = kernel.run(f"{SHORT}  # as it was", lambda content: said.append(content.get("data", {}).get("text/plain")))
    said = [text for text in said if text and text != "42"]
    assert said[0] == "This cell takes about 1 min 30 s."
    assert re.fullmatch(r"Took \d+ s\.", said[-1])
    assert ran.of("text/plain") == [said[-1], "42"]
    assert kernel.run("6 * 8").of("text/plain") == ["48"], "the learner's own"


def test_a_long_cell_shows_that_it_runs_and_can_be_interrupted(kernel):
    def stop(content: dict) -> None:
        if re.search(
            r"This cell takes about 1 min 30 s\. \d+ s so far\.", content.get("data", {}).get("text/html", "")
        ):
            kernel.manager.interrupt_kernel()

    ran = kernel.run(ENDLESS, stop)
    assert ran.failed
    assert re.fullmatch(r"Stopped after \d+ s\.", ran.of("text/plain")[0])
    assert ran.outputs[1]["ename"] == "KeyboardInterrupt"


def test_a_long_cell_that_fails_says_so(kernel):
    ran = kernel.run(FAILS)
    assert re.fullmatch(r"Stopped after \d+ s\.", ran.of("text/plain")[0])
    assert "ZeroDivisionError" in ran.error
    alive = kernel.run("import threading\n\n[each.name for each in threading.enumerate()]")
    assert "sign of life" not in alive.of("text/plain")[0]


def test_a_duration_reads_as_people_say_it():
    assert [duration(seconds) for seconds in (1, 59, 60, 311)] == ["1 s", "59 s", "1 min", "5 min 11 s"]


# ------------------------------------------------------------------------------------------------- where it is not


def test_elsewhere_nothing_changes_and_a_damaged_file_breaks_no_cell(tmp_path):
    (tmp_path / "lesson").mkdir()
    running = Kernel(tmp_path / "lesson", tmp_path)
    set_up = "from course_utils.classroom import kernel\n\nkernel.set_up()"
    figure = f"%matplotlib inline\n{FIGURE};"
    try:
        assert running.run(set_up) == Ran([], failed=False)
        plain = running.run(figure)
        assert plain.of("text/html") == []
        assert len(plain.of("image/png")) == 1
        assert "decoder.py" in running.run("import json\n\njson.loads('')").error
        assert running.run(ENDLESS.replace("True", "False")).outputs == []

        (tmp_path / "lesson" / learners_folder.KEPT).mkdir()
        for damaged in ("[]", '{"03": []}', "{"):
            (tmp_path / "lesson" / learners_folder.LESSONS).write_text(damaged, encoding="utf-8")
            running.run(f"vars(get_ipython()).pop({'_course_classroom'!r}, None)")
            assert running.run(set_up) == Ran([], failed=False)
            ran = running.run(figure)
            assert not ran.failed
            assert len(ran.of("text/html") + ran.of("image/png")) == 1
            assert running.run("tweets_model").error.endswith("NameError: name 'tweets_model' is not defined")
    finally:
        running.stop()


def test_the_lesson_that_the_front_end_names_comes_first(learner, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert KnownLessons(learner, {}).sections("result") == {"Your first model", "Attention"}
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/my_lessons/05_inside (2).ipynb")
    assert KnownLessons(learner, {}).sections("result") == {"Attention"}
    assert KnownLessons(learner, {}).sections("tweets_model") == {"Auto classes"}, "it is another lesson's"
    names = {"__vsc_ipynb_file__": "/home/me/my_lessons/03_huggingface_nlp.ipynb"}
    assert KnownLessons(learner, names).sections("result") == {"Your first model"}


def test_the_courses_own_python_and_condas_get_no_line(tmp_path, monkeypatch):
    monkeypatch.delenv("CONDA_DEFAULT_ENV", raising=False)
    folder = write_lessons(tmp_path / "my_lessons")
    assert advice.other_python(folder) == "", "there is no environment of the course"
    (tmp_path / ".venv").symlink_to(sys.prefix)
    assert advice.other_python(folder) == ""
    (tmp_path / ".venv").unlink()
    (tmp_path / ".venv").mkdir()
    assert sys.executable in advice.other_python(folder)
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "llm-env")
    assert advice.other_python(folder) == ""


def test_a_package_of_the_course_that_is_missing_is_installed_by_the_course(tmp_path, monkeypatch):
    folder = write_lessons(tmp_path / "my_lessons")
    monkeypatch.chdir(folder)
    (tmp_path / "requirements.lock").write_text("onnx-models==1.2\nray==2.0\n", encoding="utf-8")
    for name, known in {"ray": True, "onnx_models": True, "ray.data": False, "seaborn": False}.items():
        said = advice.advice(ModuleNotFoundError(f"No module named {name!r}", name=name))
        assert bool(said) == known, name
        assert ("`make lab`" in said) == known
