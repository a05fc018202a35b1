"""`python -m course_utils classify`: classify a file of texts of any length, and go on after an interruption.

The output has the input's rows, in their order, with three more columns: `label`, `score`, and `error`, which is empty
but where a row could not be classified. What is finished is appended to a file in `OUTPUT.partial`, and a journal
beside it says up to where that is good: at every moment the two can be picked up again, whatever ended the run. The
last step moves the file into place, so an output that exists is whole.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from course_utils.classifier.pipeline import BACKENDS
from course_utils.errors import CommandError
from course_utils.files import csv_json_parquet
from course_utils.models import SENTIMENT_MODEL, checkpoint, look_up

if TYPE_CHECKING:
    from tqdm import tqdm

    from course_utils.classifier.pipeline import Outcome, SentimentPipeline

PIECE_ROWS = 2048
"""How many rows are written at once: what an interruption can cost."""

SHOWN_PROBLEMS = 5
"""How many of the rows that could not be classified are named while it runs; all are in the output."""

HEAD_BYTES = 1 << 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "input", type=Path, help=f"a file that ends in {', '.join(csv_json_parquet.SUFFIXES)}, or that and .gz"
    )
    parser.add_argument("--output", type=Path, required=True, help="the file to write, in the same format")
    parser.add_argument("--text-column", default="text", help="the column that holds the texts (default: text)")
    parser.add_argument("--model", default=SENTIMENT_MODEL, help=f"a name on the Hub, or a folder ({SENTIMENT_MODEL})")
    parser.add_argument("--backend", choices=BACKENDS, default="torch", help="torch computes in fp32, onnx in int8")
    parser.add_argument("--prefix", default="", help="what the names of the new columns begin with")
    parser.add_argument("--encoding", default="utf-8", help="the input's, if it isn't UTF-8: cp1252, utf-16, ...")
    parser.add_argument("--delimiter", help="what stands between the fields of a CSV file, if it is no comma")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    """Classify the file; return 0 when the output is in place.

    Raises:
        CommandError: the input can't be read or has no such column, the output exists or can't be written, the disk is
            full, or another run is at work on the same output.
    """
    options = read_options(arguments)
    if arguments.output.exists() and not arguments.force:
        raise CommandError(f"{arguments.output} exists. Add --force to replace it")
    if not arguments.input.is_file():
        raise CommandError(f"there is no file {arguments.input}")
    table = csv_json_parquet.open_table(arguments.input, options)
    run_of = {
        "input": identity(arguments.input),
        "options": asdict(options),
        "model": arguments.model,
        "backend": arguments.backend,
    }
    try:
        with contextlib.closing(table), Partial.opened(arguments.output, run_of, arguments.force) as partial:
            classify_table(table, partial, arguments)
            table.finish(partial.rows_file, arguments.output)
            rows, errors = partial.rows, partial.errors
    except OSError as error:
        kept = f"What is done is kept in {partial_folder(arguments.output)}: run the same command again to go on"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise CommandError(f"there is no space left for {arguments.output}. {kept}, once there is some") from error
        raise CommandError(f"{arguments.output} can't be written: {error.strerror or error}. {kept}") from error
    except KeyboardInterrupt:
        print(f"course_utils: run the same command again to go on with {arguments.output}", file=sys.stderr)
        raise
    failed = f"; {errors:,} of them could not be classified, see the column {options.columns[2]!r}" if errors else ""
    print(f"{arguments.output}: {rows:,} rows{failed}")
    return 0


def read_options(arguments: argparse.Namespace) -> csv_json_parquet.Options:
    """Check what can be checked before a file is opened.

    Raises:
        CommandError: input and output are one file or of two formats, or the delimiter is no single character.
    """
    if csv_json_parquet.kind_of(arguments.input) != csv_json_parquet.kind_of(arguments.output):
        raise CommandError(f"{arguments.output.name} is to be of the same format as {arguments.input.name}")
    if arguments.input.resolve() == arguments.output.resolve():
        raise CommandError("input and output are the same file")
    delimiter = arguments.delimiter and arguments.delimiter.replace("\\t", "\t")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise CommandError(f"a delimiter is one character, not {arguments.delimiter!r}")
    columns = tuple(arguments.prefix + name for name in ("label", "score", "error"))
    return csv_json_parquet.Options(arguments.text_column, columns, arguments.encoding, delimiter)


def classify_table(table: csv_json_parquet.Table[Any], partial: Partial, arguments: argparse.Namespace) -> None:
    """Classify the rows that `partial` doesn't have yet, piece by piece."""
    pieces = table.pieces(PIECE_ROWS, skip=partial.rows)
    first = next(pieces, None)  # before the model is loaded: a mistake in the options is to show at once
    if not partial.size:
        partial.append(table.header(), 0, 0)
    if first is None:
        return
    classify = load(arguments.model, arguments.backend)
    with progress_bar(partial.rows, arguments.quiet) as bar:
        piece: csv_json_parquet.Piece[Any] | None = first
        while piece is not None:
            bar.total = estimate_rows(table, partial.rows + len(piece.texts))
            results = classify_piece(classify, piece, bar)
            show_problems(results, partial, bar)
            errors = sum(result["error"] is not None for result in results)
            partial.append(table.encode(piece, results), len(results), errors)
            piece = next(pieces, None)
        bar.total = partial.rows


def load(model: str, backend: str) -> SentimentPipeline:
    """Load the model: one of the course's catalogue by its Hub name, or any other by its name or folder.

    Raises:
        CommandError: there is none of that name.
    """
    from course_utils import notebook
    from course_utils.classifier.pipeline import SentimentPipeline

    notebook.quiet()
    try:
        return SentimentPipeline(checkpoint(model) if look_up(model) else model, backend=backend)
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error


def classify_piece(
    classify: SentimentPipeline, piece: csv_json_parquet.Piece[Any], bar: tqdm[NoReturn]
) -> list[Outcome]:
    """Return for each row of a piece its label and score, or its error."""
    good = [place for place, problem in enumerate(piece.problems) if problem is None]
    results: list[Outcome] = [{"label": None, "score": None, "error": problem} for problem in piece.problems]
    bar.update(len(results) - len(good))
    for place, result in zip(good, classify.report([piece.texts[place] for place in good], bar.update), strict=True):
        results[place] = result
    return results


def show_problems(results: list[Outcome], partial: Partial, bar: tqdm[NoReturn]) -> None:
    """Name the first rows that could not be classified, as soon as they turn up."""
    shown = partial.errors
    for row, result in enumerate(results, start=partial.rows + 1):
        if result["error"] is not None:
            shown += 1
            if shown <= SHOWN_PROBLEMS:
                bar.write(f"course_utils: row {row}: {result['error']}", file=sys.stderr)
            if shown == SHOWN_PROBLEMS + 1:
                bar.write("course_utils: there are more such rows; the output names all of them", file=sys.stderr)


def progress_bar(done: int, quiet: bool) -> tqdm[NoReturn]:
    """Return a bar on stderr: rows done, rows a second, time left. Into a file it writes a line every 10 seconds."""
    from tqdm import tqdm

    interval = 0.5 if sys.stderr.isatty() else 10
    return tqdm(initial=done, unit=" rows", unit_scale=True, mininterval=interval, disable=quiet, dynamic_ncols=True)


def estimate_rows(table: csv_json_parquet.Table[Any], rows: int) -> int | None:
    """Return how many rows there are in all: counted where the format says so, else by the share of bytes read."""
    total, share = table.total(), table.share_read()
    if total is not None or not share:
        return total
    return max(rows, round(rows / share))


def identity(path: Path) -> dict[str, object]:
    """Return what tells one input from another: size, time of change, and the sha256 of its first 64 KiB."""
    status = path.stat()
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
    return {"size": status.st_size, "changed": status.st_mtime_ns, "head": head}


def partial_folder(output: Path) -> Path:
    """Return the folder that holds an output while it is made."""
    return output.with_name(output.name + ".partial")


@dataclass
class Partial:
    """An output that is being made: a file that only grows, and a journal of how far it is good."""

    folder: Path
    run_of: dict[str, object]
    rows: int = 0
    errors: int = 0
    size: int = 0

    @classmethod
    @contextlib.contextmanager
    def opened(cls, output: Path, run_of: dict[str, object], force: bool) -> Generator[Partial]:
        """Go on with what an earlier run has left, or begin; when the block ends well, the folder is gone.

        Raises:
            CommandError: another run is at work on it, or an earlier one had another input or other options.
        """
        from filelock import FileLock, Timeout

        folder = partial_folder(output)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise CommandError(f"another run is at work on {output}") from error
        try:
            partial = cls(folder, json.loads(json.dumps(run_of)))
            partial._resume(force)
            try:
                yield partial
            except BaseException:
                if not partial.size:  # nothing worth keeping
                    shutil.rmtree(folder, ignore_errors=True)
                raise
        finally:
            lock.release()
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def rows_file(self) -> Path:
        """The file that grows."""
        return self.folder / "rows"

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.json"

    def append(self, data: bytes, rows: int, errors: int) -> None:
        """Add so many rows, and only then say so in the journal; both are on the disk when this returns."""
        with self.rows_file.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.rows, self.errors, self.size = self.rows + rows, self.errors + errors, self.size + len(data)
        new = self._journal.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump({"run": self.run_of, "rows": self.rows, "errors": self.errors, "size": self.size}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._journal)

    def _resume(self, force: bool) -> None:
        """Take over what the journal vouches for, and cut off what was written after it."""
        try:
            kept = json.loads(self._journal.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            kept = None  # a run that ended before its first piece
        if kept and kept["run"] != self.run_of:
            if not force:
                changed = " and ".join(name for name in self.run_of if kept["run"].get(name) != self.run_of[name])
                raise CommandError(
                    f"{self.folder} is from a run that was interrupted, and since then the {changed} changed. Add "
                    "--force to begin anew, or give the same command as then"
                )
            kept = None
        if kept and self.rows_file.exists() and self.rows_file.stat().st_size >= kept["size"]:
            self.rows, self.errors, self.size = kept["rows"], kept["errors"], kept["size"]
            os.truncate(self.rows_file, self.size)
            if self.rows:
                print(f"course_utils: going on after row {self.rows:,}", file=sys.stderr)
        else:
            self.rows_file.write_bytes(b"")
