"""The engine that runs a lesson: isolated, in the order of the run, and with clear words for failures."""

import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

from course_build.lessons import index as lessons
from course_build.notebooks import run
from course_build.notebooks.run import KernelError, Run, tidy
from course_build.paths import ROOT
from course_utils.notebook import as_shown


def write(path: Path, *sources: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources]), path)
    return path


def outputs_of(path: Path) -> tuple[list, list[str]]:
    """Run every cell of a notebook; return their outputs, and the files that it left."""
    notebook = lessons.read(path)
    with Run(path, notebook) as running:
        return [running.cell(number) for number in range(len(notebook.cells))], running.left_behind()


PERSONAL = {
    "ipython/profile_default/ipython_config.py": "c.InteractiveShell.ast_node_interactivity = 'all'",
    "ipython/profile_default/startup/mine.py": "mine = 'from the profile'",
    "matplotlib/matplotlibrc": "figure.facecolor: red\nsavefig.dpi: 31",
    "jupyter/kernels/python3/kernel.json": '{"argv": ["/no/such/program"], "display_name": "x", "language": "python"}',
    "start.py": "mine = 'from the start'",
}

CELLS = (
    "print('a')\ndisplay('mid')\nprint('b')",
    "1 + 1\n2 + 2",
    "'mine' in globals()",
    "%matplotlib inline\nfrom matplotlib import rcParams\nrcParams['savefig.dpi'], rcParams['figure.facecolor']",
    "import os, pathlib, sys\nassert __debug__\nos.path.samefile(sys.executable, os.environ['THIS_PYTHON'])",
    "pathlib.Path('made.png').write_bytes(b'1')\npathlib.Path('beside.txt').read_text()",
    "import course_build\npathlib.Path(course_build.__file__).parents[1] == pathlib.Path(os.environ['THIS_ROOT'])",
    "print('10 %\\r100 %\\x1b[?25l')\n'\\x1b[31mred\\x1b[0m'",
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[list, list[str], Path]:
    """What a notebook puts out where every personal setting would change it."""
    folder = tmp_path_factory.mktemp("personal")
    for name, text in PERSONAL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "lesson").mkdir()
    (folder / "lesson" / "beside.txt").write_text("there", encoding="utf-8")
    path = write(folder / "lesson" / "01_one.ipynb", *CELLS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "IPYTHONDIR": folder / "ipython",
            "MPLCONFIGDIR": folder / "matplotlib",
            "MATPLOTLIBRC": folder / "matplotlib",
            "MPLBACKEND": "svg",
            "JUPYTER_PATH": folder / "jupyter",
            "PYTHONSTARTUP": folder / "start.py",
            "PYTHONOPTIMIZE": "1",
            "THIS_PYTHON": sys.executable,
            "THIS_ROOT": ROOT,
        }.items():
            patch.setenv(name, str(value))
        return *outputs_of(path), path


def test_outputs_stay_in_the_order_of_the_run(ran):
    kinds = [(output.output_type, output.get("text") or output.data["text/plain"]) for output in ran[0][0]]
    assert kinds == [("stream", "a\n"), ("display_data", "'mid'"), ("stream", "b\n")]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (1, ["4"]),  # one result, not each line's
        (2, ["False"]),
        (3, ["('figure', 'white')"]),
        (4, ["True"]),
        (5, ["'there'"]),
        (6, ["True"]),
        (7, ["100 %\n", "'\\x1b[31mred\\x1b[0m'"]),
    ],
)
def test_nothing_personal_reaches_the_kernel(ran, cell, shown):
    assert [output.get("text") or output.data["text/plain"] for output in ran[0][cell]] == shown


def test_a_file_that_a_cell_leaves_is_noticed_and_is_not_in_the_lesson_s_folder(ran):
    _, left, path = ran
    assert left == ["made.png"]
    assert sorted(each.name for each in path.parent.iterdir()) == ["01_one.ipynb", "beside.txt"]


def test_a_kernel_that_dies_is_told_with_its_last_words(tmp_path):
    dying = "import os, sys\nprint('out of luck', file=sys.__stderr__, flush=True)\nos._exit(1)"
    with pytest.raises(KernelError, match=r"(?s)its kernel died.*memory.*out of luck"):
        outputs_of(write(tmp_path / "01_one.ipynb", "1", dying, "2"))


def test_a_run_can_be_stopped_from_outside(tmp_path):
    path = write(tmp_path / "01_one.ipynb", "open('began', 'w').close()", "while True: pass")
    running = Run(path, lessons.read(path))
    with running:
        running.cell(0)
        threading.Thread(target=lambda: (time.sleep(0.2), running.interrupt())).start()
        with pytest.raises(KernelError, match="its kernel died"):
            running.cell(1)


def test_a_kernel_that_does_not_start_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "get_kernel_dict", lambda: {"argv": [sys.executable, "-c", "print('no', flush=1); 1 / 0"]})
    path = write(tmp_path / "01_one.ipynb", "1")
    with pytest.raises(KernelError, match=r"(?s)did not start.*ZeroDivisionError"):
        outputs_of(path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[?25lhidden cursor\x1b[?25h", "hidden cursor"),
        ("\x1b]8;;https://one.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]8;;https://one.example\x07link\x1b]8;;\x07", "link"),
        ("\x1b(B\x1b[mtput's reset", "tput's reset"),
        ("a line\r\nof a command\r\n", "a line\nof a command\n"),
        ("10 %\r 50 %\r100 %\n", "100 %\n"),
        ("long words\rshort", "shortwords"),
        ("done\r", "done"),
        ("12\b3", "13"),
        ("  indented  ", "  indented  "),
    ],
)
def test_a_text_is_saved_as_a_terminal_shows_it(text, shown):
    assert as_shown(text) == shown


def new(kind: str, **content) -> nbformat.NotebookNode:
    return nbformat.v4.new_output(kind, **content)


def test_neighbours_of_a_stream_are_joined_and_others_stay_apart():
    pieces = [new("stream", text=text) for text in ("1", "0 %\r", "20 %\n")]
    after = [new("display_data", data={"text/plain": "x"}), new("stream", text=""), new("stream", text="end")]
    tidied = tidy([*pieces, *after])
    assert [each.get("text") for each in tidied] == ["20 %\n", None, "end"]
    assert pieces[0].text == "1"


def test_every_text_of_an_output_is_cleaned():
    data = {"text/plain": "\x1b[1mbold\x1b[0m", "text/html": "<b>\x1b[1mbold</b>", "image/png": "AAAA\r\n"}
    (tidied,) = tidy([new("display_data", data=data, metadata={"needs_background": "light"})])
    assert tidied.data == {"text/plain": "bold", "text/html": "<b>bold</b>", "image/png": "AAAA\r\n"}
    assert tidied.metadata == {}
    (error,) = tidy([new("error", ename="E", evalue="\x1b[1mno", traceback=["\x1b[1mCell\x1b[0m"])])
    assert (error.evalue, error.traceback) == ("no", ["Cell"])


def test_a_traceback_keeps_own_frames_and_hides_the_libraries_and_where_this_machine_has_them(monkeypatch):
    monkeypatch.setenv("HOME", str(ROOT.parent))
    frames = [
        "---------",
        "ValueError                Traceback (most recent call last)",
        "Cell In[1], line 1\n----> 1 load(1)",
        f"File {ROOT}/.venv/lib/python3.11/site-packages/numpy/linalg.py:12, in load(x)\n     12 x",
        "File /usr/lib/python3.11/contextlib.py:81, in inner(*args)\n",
        f"File ~/{ROOT.name}/course_utils/models.py:7, in checkpoint(name)\n      7 find(name)",
        "File <string>:1, in <module>\n",
        "ValueError: no",
    ]
    (error,) = tidy([new("error", ename="ValueError", evalue="no", traceback=frames)])
    assert error.traceback == [
        *frames[:3],
        run.HIDDEN,
        "File course_utils/models.py:7, in checkpoint(name)\n      7 find(name)",
        run.HIDDEN,
        "ValueError: no",
    ]
