"""Run: a notebook's cells, one after the other, in a kernel of their own. The one engine for it.

`execute` saves what a run gives, the regression run compares it, the upgrade report compares two of them. A run sees
what a newcomer's would: no personal profile of IPython, no settings of matplotlib, no kernel but this interpreter's.
It works in a copy of the lessons' folder, so that what a cell writes beside itself is noticed. No cell has a time
limit, for a slow machine would meet it.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from packaging.utils import canonicalize_name

from course_build.notebooks.read_notebook import code_cells
from course_build.paths import ROOT
from course_utils.classroom.tracebacks import HIDDEN
from course_utils.notebook import ANSI, as_shown

LAST_WORDS = 10
"""How many lines of what a kernel said before it died are told."""

DAY = 86_400
"""Seconds that are waited for a kernel's start and for its last output: the libraries want a number for "no limit"."""

NOT_SAVED = shutil.ignore_patterns(".*", "__pycache__", "*.ipynb.new")
PERSONAL = re.compile(
    r"(IPYTHON|JUPYTER|MPLBACKEND|MATPLOTLIBRC|TQDM_|TRANSFORMERS_VERBOSITY|DIFFUSERS_).*|"
    r"PYTHON(STARTUP|INSPECT|OPTIMIZE|WARNINGS|HASHSEED|BREAKPOINT|DEVMODE)|"
    r"COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CLICOLOR(_FORCE)?"
)
"""Names of environment variables that change what a notebook shows, or how Python runs it."""

ALLOCATOR = {"MALLOC_ARENA_MAX": "2"}
"""What a kernel's environment says to glibc: keep two pools of memory, not eight for each core. What one thread frees
is then there for the others, and lesson 8 holds 150 MB less. Other systems don't read it."""

LEFT_BEHIND = (
    "its cells wrote {} beside the lesson. What a cell writes belongs into a tempfile.TemporaryDirectory(); a picture "
    "that the text shows, or a file that a cell reads, lies beside the lesson before it is run."
)
"""What is said of a lesson that leaves files: they would be missing where its saved outputs do instead of a run."""

FRAME = re.compile(r"File (?P<path>.+?):\d+, in ")


class KernelError(RuntimeError):
    """A kernel that did not start, or died while it ran a cell. The message has the last that it said."""


class OwnKernel(KernelSpecManager):
    """The kernel of this interpreter, whichever kernels are installed for the user or the system."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return how this interpreter is started as a kernel, by whatever name it is asked for."""
        return KernelSpec(**get_kernel_dict())


class Run:
    """A notebook that is being run, as a context in which its kernel lives.

    Args:
        path: the notebook's file; what lies in its folder is there for the cells, too.
        notebook: its content. The outputs in it are left as they are.
        environ: variables for the kernel's environment, over those of a newcomer.

    Raises:
        KernelError: on entering, when the kernel doesn't start.
    """

    def __init__(self, path: Path, notebook: NotebookNode, environ: dict[str, str] | None = None) -> None:
        """Prepare the run; nothing is started before the context is entered."""
        self.path, self.environ = path, environ or {}
        self._kernel = AsyncKernelManager(kernel_spec_manager=OwnKernel())
        self._client = NotebookClient(
            nbformat.from_dict(notebook),  # a copy of its own, which the cells' outputs go into
            km=self._kernel,
            timeout=None,
            startup_timeout=DAY,
            iopub_timeout=DAY,
            allow_errors=True,
            coalesce_streams=False,
            record_timing=False,
        )
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Run":
        """Start the kernel, in a copy of the notebook's folder."""
        with contextlib.ExitStack() as stack:
            scratch = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="lesson-", ignore_cleanup_errors=True))
            )
            self._log = stack.enter_context((scratch / "kernel.log").open("w+", encoding="utf-8", errors="replace"))
            self._folder = shutil.copytree(self.path.parent, scratch / self.path.parent.name, ignore=NOT_SAVED)
            self._before = self._stamps()
            self._kernel.connection_file = str(scratch / "kernel.json")
            environ = {**newcomers_environment(scratch), **self.environ}
            start = {"cwd": str(self._folder), "env": environ, "stderr": self._log, "cleanup_kc": True}
            try:
                stack.enter_context(self._client.setup_kernel(**start))
            except RuntimeError as error:
                raise KernelError(f"its kernel did not start ({error}).{self._last_words()}") from error
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop the kernel, and remove the copy."""
        self._stack.close()

    def cell(self, number: int) -> list[NotebookNode]:
        """Run a code cell, by its number from 0 among the code cells; return its outputs, tidied.

        An exception in the cell is one of its outputs. A cell may be run again, and then gives its outputs anew.

        Raises:
            KernelError: when the kernel dies.
        """
        place, cell = [(place, cell) for place, cell in enumerate(self._client.nb.cells) if cell.cell_type == "code"][
            number
        ]
        outputs: list[NotebookNode] = []
        cell.outputs = outputs
        try:
            self._client.execute_cell(cell, place)
        except DeadKernelError:
            raise KernelError(
                "its kernel died. If the machine ran out of memory, close other programs and try again."
                + self._last_words()
            ) from None
        return tidy(cell.outputs)

    def interrupt(self) -> None:
        """Kill the kernel, from another thread: the cell that is running ends with a `KernelError`."""
        provisioner = self._kernel.provisioner
        if provisioner is not None and (running := getattr(provisioner, "process", None)) is not None:
            running.kill()

    def left_behind(self) -> list[str]:
        """Return the files that the cells made or changed in the notebook's folder, relative to it."""
        after = self._stamps()
        return sorted(name for name, stamp in after.items() if self._before.get(name) != stamp)

    def _stamps(self) -> dict[str, tuple[int, int]]:
        found = {}
        for path in self._folder.rglob("*"):
            name = path.relative_to(self._folder)
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in name.parts):
                facts = path.stat()
                found[name.as_posix()] = facts.st_size, facts.st_mtime_ns
        return found

    def _last_words(self) -> str:
        self._log.seek(0)
        said = ANSI.sub("", self._log.read()).strip().splitlines()[-LAST_WORDS:]
        return "".join(f"\n{line}" for line in said)


def newcomers_environment(scratch: Path) -> dict[str, str]:
    """Return this process's environment without what is personal, for a kernel that works in the folder `scratch`.

    The kernel imports this checkout's packages. It computes on one thread unless OMP_NUM_THREADS says otherwise:
    lessons run side by side, and the last digits of a sum depend on the number of threads.
    """
    environ = ALLOCATOR | {name: value for name, value in os.environ.items() if not PERSONAL.fullmatch(name)}
    environ["IPYTHONDIR"] = str(scratch / "ipython")
    environ["PYTHONPATH"] = os.pathsep.join([*filter(None, [environ.get("PYTHONPATH")]), str(ROOT)])
    environ.setdefault("OMP_NUM_THREADS", "1")
    if os.environ.get("COURSE_MODELS", "embedded") == "embedded":
        environ["HF_HUB_OFFLINE"] = "1"  # a lesson that reaches for the Hub fails at once, not after its retries
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib and matplotlib.origin:  # its own defaults, in the place of a person's
        environ["MATPLOTLIBRC"] = str(Path(matplotlib.origin).with_name("mpl-data") / "matplotlibrc")
    return environ


# ------------------------------------------------------------------------------------------------------- the outputs


def tidy(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return outputs without what belongs to this machine or run: colours, overwritten lines, frames inside libraries.

    They stay in the order of the run. Neighbours of one stream are joined, for where a stream is cut is chance.
    """
    tidied: list[NotebookNode] = []
    for output in outputs:
        output = nbformat.from_dict(output)
        before = tidied[-1] if tidied else {}
        if output.output_type == "stream" == before.get("output_type") and output.name == before["name"]:
            before["text"] += output.text
        else:
            tidied.append(output)
    for output in tidied:
        if output.output_type == "stream":
            output.text = as_shown(output.text)
        elif output.output_type == "error":
            output.evalue = as_shown(output.evalue)
            output.traceback = list(_own_frames(map(as_shown, output.traceback)))
        else:
            output.metadata = NotebookNode()
            for kind in output.data:
                if kind.startswith("text/"):
                    output.data[kind] = as_shown("".join(output.data[kind]))
    return [output for output in tidied if output.get("text") != ""]


def _own_frames(frames: Iterator[str]) -> Iterator[str]:
    """Yield the error and the learner's and the course's own frames; a line stands for libraries' frames."""
    hidden = False
    for frame in frames:
        found = FRAME.match(frame.lstrip("\n"))
        path = Path(found["path"]).expanduser() if found else None
        own = path is None or (path.is_relative_to(ROOT) and "site-packages" not in path.parts)
        if not own:
            hidden = True
            continue
        if hidden:
            yield HIDDEN
            hidden = False
        yield (
            frame if path is None or found is None else frame.replace(found["path"], path.relative_to(ROOT).as_posix())
        )
    if hidden:
        yield HIDDEN


# ------------------------------------------------------------------------------------------------- as a program


class RecordedCell(TypedDict):
    """A code cell that was run: code, outputs, seconds, and the library with whose version the outputs vary."""

    source: str
    outputs: list[NotebookNode]
    seconds: float
    varies: str


class Record(TypedDict):
    """A notebook's run to its end, as `record` returns it."""

    cells: list[RecordedCell]
    died: str | None
    packages: dict[str, str]
    python: str


def record(path: Path) -> Record:
    """Run a notebook to its end, whatever its cells do, with the libraries' warnings shown.

    Returns:
        `cells`: for each code cell that was reached its `source`, `outputs` and `seconds`, and whether it `varies`
            with the version of a library, as the cell's metadata says where the lesson says so, too;
        `died`: why the run ended early, or None;
        `packages`: the version of every installed package, by its normalised name; `python`: the interpreter's.
    """
    notebook = nbformat.read(path, as_version=4)
    told = {"HF_HUB_OFFLINE": "1", "COURSE_WARNINGS": "show", "PYTHONWARNINGS": "default"}
    cells: list[RecordedCell] = []
    died = None
    try:
        with Run(path, notebook, told) as run:
            for number, cell in enumerate(code_cells(notebook)):
                start = time.monotonic()
                outputs = run.cell(number)
                seconds = time.monotonic() - start
                varies = cell.metadata.get("varies", "")
                cells.append({"source": cell.source, "outputs": outputs, "seconds": seconds, "varies": varies})
    except KernelError as error:
        died = str(error)
    return {"cells": cells, "died": died, "packages": packages(), "python": sys.version.split()[0]}


def packages() -> dict[str, str]:
    """The version of every installed package, by its name as PEP 503 normalises it."""
    found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    return {canonicalize_name(name): version for name, version in found.items() if name}


if __name__ == "__main__":  # what the upgrade report runs in each of its environments
    source, result = map(Path, sys.argv[1:])
    result.write_text(json.dumps(record(source)), encoding="utf-8")
