"""Advice: a sentence on what to do about the errors that learners of these lessons make most."""

from __future__ import annotations

import builtins
import difflib
import os
import re
import sys
from pathlib import Path

from course_utils.classroom import learners_folder
from course_utils.classroom.known_lessons import KnownLessons

RUN_ABOVE = {
    "JupyterLab": "Run > Run All Above Selected Cell",
    "VS Code": "Execute Above Cells, in the bar of this cell",
    "Colab": "Runtime > Run before",
}
RESTART = {
    "JupyterLab": "Kernel > Restart Kernel and Run up to Selected Cell",
    "VS Code": "Restart, then Execute Above Cells",
    "Colab": "Runtime > Restart session, then Runtime > Run before",
}
CHOOSE_PYTHON = {
    "JupyterLab": "choose it with Kernel > Change Kernel, or end JupyterLab and type `make lab`",
    "VS Code": "click on the kernel's name at the top right, then Select Another Kernel > Python Environments",
    "Colab": "install the course's packages as the README says for Colab",
}
"""For each program that shows notebooks: the words of its menus. Notebook 7 has those of JupyterLab."""

CONDA_NAME = "llm-env"
"""The conda environment of the course (README, "Conda instead of venv")."""

FULL = re.compile(r"out of memory|can(no|')t allocate memory|not enough memory", re.IGNORECASE)
ELLIPSIS = re.compile(r"\bellipsis\b", re.IGNORECASE)


def advice(error: BaseException) -> str:
    """Return a sentence on what to do about an error; empty where the error's own message has to do."""
    said = _text(error)
    if isinstance(error, ModuleNotFoundError):
        return _missing_package(error.name or "")
    if isinstance(error, NameError):
        return missing_name(error) if _sections(error.name or "") else _misspelt(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError | OSError) and FULL.search(said)):
        return (
            "The memory is full. Close the other lessons, with their kernels, then begin anew here: "
            f"{RESTART[front_end()]}."
        )
    if isinstance(error, TypeError | AttributeError) and ELLIPSIS.search(said):
        return "Somewhere a `...` still stands for code that is yours to write. Replace it, and run that cell again."
    return ""


def missing_name(error: NameError) -> str:
    """Return what to do about a name that isn't there: in a learner's folder, with the section that makes it."""
    name = error.name
    if not name or isinstance(error, UnboundLocalError):  # that one is there, and gets its value later
        return ""
    sections = _sections(name)
    if not sections:
        return f"Run the cell that makes `{name}`, then this one again; or is it spelled otherwise there?"
    place = f'in the section "{sections.pop()}"' if len(sections) == 1 else "by a cell above"
    return (
        f"`{name}` is made {place}. That cell hasn't run since the kernel started, or it failed: "
        f"{RUN_ABOVE[front_end()]}, then run this one again."
    )


def _misspelt(error: NameError) -> str:
    """Return the name that was meant by one that isn't there, if one of the notebook's looks like it."""
    if isinstance(error, UnboundLocalError):  # that one is there, and gets its value later
        return ""
    names = [name for name in _names() if not name.startswith("_")]
    alike = difflib.get_close_matches(error.name or "", [*names, *dir(builtins)], n=1, cutoff=0.75)
    return f"Is it spelled otherwise? There is `{alike[0]}`." if alike else ""


def front_end() -> str:
    """Return the name of the program that shows the notebook, as far as a kernel can tell."""
    if "google.colab" in sys.modules:
        return "Colab"
    return "VS Code" if "__vsc_ipynb_file__" in _names() else "JupyterLab"


def other_python(folder: Path) -> str:
    """Return a line that says that this kernel's Python isn't the course's; empty where it is, or where none is known.

    Args:
        folder: the learner's folder. The checkout around it has the course's environment, unless that is conda's.
    """
    own = folder.parent / ".venv"
    conda = CONDA_NAME in (os.environ.get("CONDA_DEFAULT_ENV"), Path(sys.prefix).name)
    if conda or not own.is_dir() or Path(sys.prefix).resolve() == own.resolve():
        return ""
    return (
        f"This kernel's Python is {sys.executable}, and the course's packages are in {own}: "
        f"{CHOOSE_PYTHON[front_end()]}."
    )


def _missing_package(name: str) -> str:
    folder = learners_folder.find()
    if folder is None:
        return ""
    if line := other_python(folder):
        return line
    try:
        lock = (folder.parent / "requirements.lock").read_text(encoding="utf-8")
    except OSError:
        return ""
    if not re.search(rf"^{re.escape(name.replace('_', '-'))}==", lock, re.MULTILINE | re.IGNORECASE):
        return ""
    return (
        f"`{name}` is one of the course's packages, but {sys.executable} lacks it. End JupyterLab and type `make lab`: "
        "it installs what is missing."
    )


def _sections(name: str) -> set[str]:
    try:
        folder = learners_folder.find()
        return KnownLessons(folder, _names()).sections(name) if folder else set()
    except Exception:  # the file was changed by hand
        return set()


def _names() -> dict[str, object]:
    from IPython import get_ipython

    shell = get_ipython()
    return {} if shell is None else shell.user_ns


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # its author's mistake
        return ""
