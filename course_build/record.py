"""Record: run one notebook to its end, whatever its cells do, and write down what each printed and how long it took.

`python -m course_build.record NOTEBOOK RESULT` is what `upgrade_report` runs in each of its environments. It imports
nothing that a lesson doesn't need anyway, so that it runs in an environment of any age.
"""

import importlib.metadata
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError
from packaging.utils import canonicalize_name

from course_build.execute import ANSI, CELL_SECONDS, read, tidy

LAST_WORDS = 10
"""How many lines of what a kernel said before it died are kept."""


def record(path: Path) -> dict:
    """Run a notebook in this interpreter's environment, with the libraries' warnings shown.

    Returns:
        `cells`: for each code cell that was reached its `source`, `outputs` and `seconds`, and whether it `varies`
            with the version of a library, as the cell's metadata says where the lesson says so, too;
        `died`: why the run ended early (a kernel that died or never began, a cell without end), or None, and the last
            that the kernel said of it;
        `packages`: the version of every installed package, by its normalised name; `python`: the interpreter's.
    """
    notebook = read(path)
    os.environ.update(HF_HUB_OFFLINE="1", COURSE_WARNINGS="show", PYTHONWARNINGS="default")
    started, seconds = {}, {}
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        coalesce_streams=True,
        record_timing=False,
        on_cell_execute=lambda cell, cell_index: started.update({cell_index: time.monotonic()}),
        on_cell_executed=lambda cell, cell_index, **_: seconds.update(
            {cell_index: time.monotonic() - started[cell_index]}
        ),
    )
    died = None
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            client.execute(stderr=log)
        except (CellTimeoutError, RuntimeError) as error:  # a dead kernel is one kind of the latter
            log.seek(0)
            said = log.read().strip().splitlines()[-LAST_WORDS:]
            died = ANSI.sub("", "\n".join([str(error).strip(), *said]))
    cells = [
        {
            "source": cell.source,
            "outputs": tidy(cell.outputs),
            "seconds": seconds[place],
            "varies": cell.metadata.get("varies", ""),
        }
        for place, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and place in seconds
    ]
    return {"cells": cells, "died": died, "packages": packages(), "python": sys.version.split()[0]}


def packages() -> dict[str, str]:
    """The version of every installed package, by its name as PEP 503 normalises it."""
    found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    return {canonicalize_name(name): version for name, version in found.items() if name}


if __name__ == "__main__":
    notebook, result = map(Path, sys.argv[1:])
    result.write_text(json.dumps(record(notebook)), encoding="utf-8")
