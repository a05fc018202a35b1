"""Record: run one notebook to its end, whatever its cells do, and write down what each printed and how long it took.

`python -m course_build.record NOTEBOOK RESULT` is what `upgrade_report` runs in each of its environments. It imports
nothing that a lesson doesn't need anyway, so that it runs in an environment of any age.
"""

import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from course_build.execute import ANSI, CELL_SECONDS, read, tidy


def record(path: Path) -> dict:
    """Run a notebook in this interpreter's environment, with the libraries' warnings shown.

    Returns:
        `cells`: for each code cell that was reached its `source`, `outputs` and `seconds`, and whether it `varies`
            with the version of a library, as the cell's metadata says where the lesson says so, too;
        `died`: why the run ended early (a dead kernel, a cell without end), or None;
        `packages`: the version of every installed package; `python`: the interpreter's.
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
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError) as error:
        died = ANSI.sub("", str(error)).strip()
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
    packages = {found.metadata["Name"].lower(): found.version for found in importlib.metadata.distributions()}
    return {"cells": cells, "died": died, "packages": packages, "python": sys.version.split()[0]}


if __name__ == "__main__":
    notebook, result = map(Path, sys.argv[1:])
    result.write_text(json.dumps(record(notebook)), encoding="utf-8")
