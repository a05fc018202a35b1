"""The fingerprint of a lesson: what changes it, what doesn't, and that the checkout's are current."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import LESSONS

from course_build.lessons import index as lessons
from course_build.notebooks import fingerprint as module
from course_build.notebooks.fingerprint import dependencies, fingerprint, reason_to_run, without_comments
from course_build.paths import ROOT

FILES = {
    "course_utils/__init__.py": "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, "
    "submodules=['plots', 'models'], submod_attrs={'models': ['checkpoint'], 'text': ['padding']})\n",
    "course_utils/text/__init__.py": "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, "
    "submodules=['padding'])\n",
    "course_utils/text/padding.py": "WIDTH = 1\n",
    "course_utils/maps/__init__.py": "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, "
    "submod_attrs={'old': ['plot_old'], 'new': ['plot_new']})\n",
    "course_utils/maps/old.py": "AGE = 1\n",
    "course_utils/maps/new.py": "AGE = 0\n",
    "course_utils/__main__.py": "from course_utils.errors import CommandError\n"
    "COMMANDS = {'serve': ('course_utils.service.server', 'answer')}\n",
    "course_utils/errors.py": "class CommandError(Exception): pass\n",
    "course_utils/models/__init__.py": "def checkpoint(name):\n    from course_utils import paths\n"
    "    return 'models.toml'\n",
    "course_utils/models/models.toml": "[one]\nsize = 1  # a comment\n",
    "course_utils/paths.py": "HERE = 1\n",
    "course_utils/plots.py": "from .style import colour\nfrom .classroom import kernel\n\n"
    "def bars():\n    '''Draw.'''\n    return colour  # of all\n",
    "course_utils/style.py": "colour = 'red'\n",
    "course_utils/classroom/kernel.py": "WORKS = 1\n",
    "course_utils/quiz.py": "def quiz(lesson):\n    return f'quiz_{lesson}.toml'\n",
    "course_utils/data/quiz_01.toml": "a = 1\n",
    "course_utils/data/quiz_02.toml": "a = 2\n",
    "course_utils/service/server.py": "PORT = 1\n",
    "course_utils/background.py": "from course_utils.__main__ import main\ndef start(to):\n    main(['serve', *to])\n",
    "course_utils/.DS_Store": "litter",
    "course_build/__init__.py": "",
    "course_build/__main__.py": "COMMANDS = {'blog': ('course_build.site.learners_blog', 'make one')}\n",
    "course_build/site/learners_blog.py": "from pathlib import Path\n"
    "TEMPLATE = Path(__file__).with_name('blog_template')\n",
    "course_build/site/blog_template/index.qmd": "hello\n",
    "course_build/site/blog_template/.DS_Store": "litter",
    "course_build/models/onnx_export.py": "RECIPE = 1\n",
}


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A small checkout of both packages, which the fingerprint is made of."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def notebook(*sources: str, tags: tuple[str, ...] = (), prose: str = "Prose.") -> nbformat.NotebookNode:
    code = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(prose), *code])


def names(*sources: str) -> set[str]:
    """The files that cells depend on, without the packages' own `__init__`."""
    return {name for name in dependencies(sources, "01") if not name.endswith("__init__.py")}


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("import numpy", set()),
        ("from course_utils import plots", {"plots.py", "style.py"}),
        ("import course_utils.plots as p", {"plots.py", "style.py"}),
        ("import course_utils\ncourse_utils.plots.bars()", {"plots.py", "style.py"}),
        ("from course_utils import checkpoint", {"paths.py", "models/models.toml"}),
        ("from course_utils import padding", {"text/padding.py"}),
        ("from course_utils.maps import plot_new", {"maps/new.py"}),
        ("from course_utils import maps", {"maps/new.py", "maps/old.py"}),
        ("from course_utils.quiz import quiz\nquiz('01')", {"quiz.py", "data/quiz_01.toml"}),
        ("%matplotlib inline\nfrom course_utils import plots\nplots?", {"plots.py", "style.py"}),
        ("def f():\n    from course_utils.style import colour", {"style.py"}),
        ("if:\nthis shows a SyntaxError", set()),
        ("program = '''\nfrom course_utils import style\n'''", {"style.py"}),
        ("!python -m course_utils serve --port 1", {"__main__.py", "errors.py", "service/server.py"}),
        ("[sys.executable, '-m', 'course_utils', 'serve']", {"__main__.py", "errors.py", "service/server.py"}),
        ("[sys.executable, '-m', 'course_utils.service.server']", {"__main__.py", "errors.py", "service/server.py"}),
        (
            "from course_utils import background",
            {"background.py", "__main__.py", "errors.py", "service/server.py"},
        ),
    ],
)
def test_what_a_cell_needs_is_found_by_following_its_imports(checkout, source, needed):
    assert names(source) == {f"course_utils/{name}" for name in needed}


def test_a_folder_that_a_module_names_counts_without_litter(checkout):
    source = "[sys.executable, '-m', 'course_build', 'blog', str(blog)]"
    assert names(source) == {
        *("course_build/__main__.py", "course_build/site/learners_blog.py", "course_build/site/blog_template/index.qmd")
    }


SOURCE = "from course_utils import checkpoint, plots\nx = 1  # one"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("course_utils/plots.py", "'''Draw.'''", "'''Draw bars.'''"),
        ("course_utils/plots.py", "  # of all", "\n\n\n    # of none"),
        ("course_utils/models/models.toml", "  # a comment", ""),
        ("course_utils/service/server.py", "PORT = 1", "PORT = 2"),
        ("course_utils/.DS_Store", "litter", "more litter"),
        ("course_utils/data/quiz_01.toml", "1", "2"),
        ("course_utils/classroom/kernel.py", "1", "2"),
    ],
)
def test_what_cannot_change_an_output_changes_nothing(checkout, file, old, new):
    before = fingerprint(notebook(SOURCE), "01")
    text = (checkout / file).read_text(encoding="utf-8")
    assert old in text
    (checkout / file).write_text(text.replace(old, new), encoding="utf-8")
    assert fingerprint(notebook(SOURCE), "01") == before


def saved(source: str = SOURCE) -> nbformat.NotebookNode:
    """A notebook that `make execute` has just saved."""
    made = notebook(source)
    made.metadata[module.KEY] = {"fingerprint": fingerprint(made, "01")}
    return made


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("course_utils/plots.py", "colour  #", "colour.upper()  #", "changed: course_utils/plots.py"),
        ("course_utils/style.py", "red", "blue", "changed: course_utils/style.py"),
        ("course_utils/models/models.toml", "1", "2", "changed: the catalogue of models"),
        ("course_build/models/onnx_export.py", "1", "2", "changed: the catalogue of models"),
    ],
)
def test_a_changed_file_is_named(checkout, file, old, new, said):
    made = saved()
    assert reason_to_run(made, "01") == ""
    text = (checkout / file).read_text(encoding="utf-8")
    (checkout / file).write_text(text.replace(old, new), encoding="utf-8")
    assert reason_to_run(made, "01") == said


def test_changed_code_is_named_and_prose_and_comments_are_not(checkout):
    made = saved()
    made.cells[0].source = "Better prose."
    made.cells[1].source = made.cells[1].source.replace("  # one", "  # the first")
    assert reason_to_run(made, "01") == ""
    made.cells[1].source = made.cells[1].source.replace("x = 1", "x = 2")
    assert reason_to_run(made, "01") == "changed: its code"
    made.metadata.clear()
    assert "no outputs that `make execute` saved" in reason_to_run(made, "01")


def test_tags_and_the_versions_of_packages_count(checkout, monkeypatch):
    assert fingerprint(notebook("1 / 0"), "01") != fingerprint(notebook("1 / 0", tags=("raises-exception",)), "01")
    made = saved()
    monkeypatch.setattr(module.lock, "pins", lambda layer: [f"{layer}==2"])
    assert reason_to_run(made, "01") == "changed: the packages' versions"


def test_a_module_that_is_gone_or_new_is_named(checkout):
    made = saved()
    (checkout / "course_utils" / "paths.py").unlink()
    (checkout / "course_utils" / "style.py").write_text("from course_utils import errors\ncolour = 1\n")
    assert reason_to_run(made, "01") == (
        "changed: course_utils/errors.py, course_utils/paths.py, course_utils/style.py"
    )


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("x = 1  # one\n\n# two\ny = '# three'", "x = 1\ny = '# three'"),
        ('def f():\n    """Say ü.\n\n    More."""\n    return 1', "def f():\n    return 1"),
        ('def f(): "Say."; return "ü"  # ü', 'def f(): ; return "ü"'),
        ('class A:\n    "A."\n    x = "B."', 'class A:\n    x = "B."'),
        ('"""A module."""\nx = """not a\n\n# docstring"""', 'x = """not a\n# docstring"""'),
        ("%time f()  # stays\nx = 1  # goes", "%time f()  # stays\nx = 1"),
        ("f??", "f??"),
        ("if:  # this can't be read", "if:  # this can't be read"),
        ("f'{x!r:>{3}}'  # goes", "f'{x!r:>{3}}'"),
    ],
)
def test_comments_docstrings_and_blank_lines_do_not_count(source, kept):
    assert without_comments(source) == kept


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_saved_outputs_are_current(path):
    assert reason_to_run(lessons.read(path), path.name[:2]) == "", "run `make execute`"


@pytest.mark.parametrize("number", ["02", "08"])
def test_all_that_the_widest_lessons_import_is_found(number):
    """What reading finds holds all that importing the same modules loads."""
    (path,) = lessons.chosen([number])
    needed = dependencies([cell.source for cell in lessons.read(path).cells if cell.cell_type == "code"], number)
    found = {name.removesuffix(".py").removesuffix("/__init__") for name in needed if name.endswith(".py")}
    modules = sorted(name.replace("/", ".") for name in found if not name.endswith("__main__"))
    code = (
        f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\n"
        "print(*[name for name in sys.modules if name.startswith('course_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = {name.replace(".", "/") for name in done.stdout.split()}
    assert {name for name in loaded if not name.startswith(module.CLASSROOM)} <= found
