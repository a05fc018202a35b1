"""nbval with the course's own engine: `pytest --nbval notebooks/04_tokenizers.ipynb` runs a lesson as `execute` does.

It takes the place of nbval's own plugin (`-p no:nbval -p course_build.notebooks.nbval_plugin`, in pyproject.toml) and
has its options. nbval stays the judge of each cell's outputs; what it passes over is compared after it. A last item of
each notebook holds that its cells left no file behind.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError, coalesce_streams, pytest_addoption, pytest_configure

from course_build import BuildError
from course_build.notebooks import compare_outputs
from course_build.notebooks.read_notebook import read_notebook
from course_build.notebooks.run import LEFT_BEHIND, KernelError, Run
from course_utils.notebook import as_shown

DIFFER = "Its outputs aren't the saved ones"

__all__ = ["pytest_addoption", "pytest_collect_file", "pytest_configure"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a notebook when nbval is asked for."""
    options = parent.config.option
    if (options.nbval or options.nbval_lax) and file_path.suffix == ".ipynb":
        return Notebook.from_parent(parent, path=file_path)
    return None


class Notebook(IPyNbFile):
    """A notebook whose cells are run by the course's engine."""

    run: Run | None = None

    def setup(self) -> None:
        """Start the kernel, and read what may differ."""
        self.setup_sanitize_files()
        self.run = Run(self.path, self.nb)
        self.run.__enter__()

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each code cell, as nbval does, and one for the files that they leave."""
        try:
            read_notebook(self.path)
        except BuildError as error:
            raise self.CollectError(str(error)) from error
        for item in super().collect():
            # As JupyterLab calls it once all are run: `In [1]` is the first cell of code.
            name = f"In [{item.cell_num + 1}]"
            yield Cell.from_parent(self, name=name, cell_num=item.cell_num, cell=item.cell, options=item.options)
        yield LeftBehind.from_parent(self, name="leaves no file behind")

    def teardown(self) -> None:
        """Stop the kernel."""
        if self.run is not None:
            self.run.__exit__()


class Cell(IPyNbCell):
    """A code cell: run by the engine, judged by nbval, and then held in what nbval passes over."""

    def runtest(self) -> None:
        """Run the cell, and raise nbval's error when its outputs aren't the saved ones."""
        if self.options["skip"]:
            pytest.skip()
        try:
            fresh = _run_of(self).cell(self.cell_num)
        except KernelError as error:
            self.raise_cell_error(str(error))
            raise  # it has raised by now
        self.test_outputs = fresh
        errors = [output for output in fresh if output.output_type == "error"]
        if errors and not self.options["check_exception"]:
            self.raise_cell_error("Cell execution caused an exception", "\n" + "\n".join(errors[0].traceback))
        if self.cell.execution_count is None and self.cell.outputs:
            self.raise_cell_error("Unrun reference cell has outputs")
        if not self.options["check"] or self.cell.execution_count is None:
            return
        saved, measured = self.cell.outputs, compare_outputs.MEASURED in self.cell.metadata
        found = compare_outputs.difference(saved, fresh, measured)
        same = self.compare_outputs(*(coalesce_streams([*map(_copied, outputs)]) for outputs in (fresh, saved)))
        if found or not same:
            self.raise_cell_error(DIFFER, found or "\n".join(self.comparison_traceback))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where it is."""
        return self.path, 0, f"{self.path.name}::{self.name}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """Say of a cell what was saved and what it gives now, and what to do if that is right."""
        error = excinfo.value
        if not isinstance(error, NbCellError):
            return f"The lesson couldn't be run on: {error}"
        advice = ""
        if str(error) == DIFFER:
            advice = f"\nIf what it gives now is right, save it: python -m course_build execute {self.path.stem}\n"
        return f"{error} ({self.name})\n\n{error.source}\n\n{as_shown(error.inner_traceback or '')}\n{advice}"


def _run_of(item: pytest.Item) -> Run:
    assert isinstance(item.parent, Notebook)
    assert item.parent.run, "pytest sets a notebook up before its items"
    return item.parent.run


def _copied(output: NotebookNode) -> NotebookNode:
    return type(output)(output)  # coalesce_streams joins texts in the first of a stream's outputs


class LeftBehind(pytest.Item):
    """That the cells of a notebook made no file beside it, which the site would lack."""

    def runtest(self) -> None:
        """Fail with the names of the files."""
        if names := _run_of(self).left_behind():
            pytest.fail(LEFT_BEHIND.format(", ".join(names)), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where it is."""
        return self.path, 0, f"{self.path.name}::{self.name}"
