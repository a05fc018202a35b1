"""Files of rows, read and written piece by piece: CSV, JSON Lines, Parquet.

A format reads `Piece`s, each with the texts of so many rows, and encodes a piece together with what the model says of
it. What is encoded is appended to a file. So that it can be cut back to the end of a piece and gone on with, Parquet,
which can't be appended to, is kept as an Arrow stream and written at the end.

Row numbers count from 1, without the header.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from course_utils.check_environment import layer_command
from course_utils.errors import CommandError

if TYPE_CHECKING:
    import pyarrow as pa

    from course_utils.classifier.pipeline import Outcome

CSV_FIELD_LIMIT = 16_000_000
"""How many characters a field of a CSV file may have. More than that means a quote that was never closed."""

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}

OTHER_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""What a file begins with (a byte order mark) that is surely in another encoding than UTF-8."""


Rows = TypeVar("Rows")
"""The rows of a piece, as their format has them."""


@dataclass
class Piece(Generic[Rows]):
    """Some rows of a file: `texts[i]` is what the text column holds, unless `problems[i]` says what is wrong."""

    rows: Rows
    texts: Sequence[object]
    problems: list[str | None]


@dataclass
class Options:
    """Options for reading a file. `columns` are the names of the three new ones: label, score, error."""

    text_column: str
    columns: tuple[str, str, str] = ("label", "score", "error")
    encoding: str = "utf-8"
    delimiter: str | None = None


class Table(Protocol[Rows]):
    """A file of rows in any format, as `classify` reads and writes it."""

    def total(self) -> int | None:
        """Return how many rows there are, if that can be known without reading them all."""

    def share_read(self) -> float | None:
        """Return which share of the file has been read, from 0 to 1, or None for an empty one."""

    def pieces(self, size: int, skip: int = 0) -> Iterator[Piece[Rows]]:
        """Read the rows after the first `skip`, at most so many at a time."""

    def header(self) -> bytes:
        """Encode what the output begins with."""

    def encode(self, piece: Piece[Rows], results: list[Outcome]) -> bytes:
        """Encode rows with their results."""

    def finish(self, appended: Path, output: Path) -> None:
        """Write what was appended as the format has it, and put that in place."""

    def close(self) -> None:
        """Close the file."""


def open_table(path: Path, options: Options) -> Table[Any]:
    """Return the file's format, ready to read.

    Raises:
        CommandError: the name's suffix is none that is known, the file can't be read, the text column is missing, or a
            new column's name is taken.
    """
    kind = kind_of(path)
    try:
        return {"csv": CsvTable, "jsonl": JsonLinesTable, "parquet": ParquetTable}[kind](path, options)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror or error}") from error


def kind_of(path: Path) -> str:
    """Return `"csv"`, `"jsonl"` or `"parquet"`, by the suffix of the name, before `.gz`.

    Raises:
        CommandError: the suffix is none of these.
    """
    name = path.with_suffix("") if is_packed(path) else path
    kind = SUFFIXES.get(name.suffix.lower())
    if kind is None or (name != path and kind == "parquet"):
        raise CommandError(
            f"{path.name} has no suffix that says what it is. Known are {', '.join(SUFFIXES)}, and .gz after all but "
            "the last"
        )
    return kind


def is_packed(path: Path) -> bool:
    """Tell whether the name says that the file is gzipped."""
    return path.suffix.lower() == ".gz"


@dataclass
class LineTable:
    """A table in a format that is text, read line by line."""

    path: Path
    options: Options
    raw: IO[bytes] = field(init=False)
    lines: io.TextIOWrapper = field(init=False)

    def __post_init__(self) -> None:
        """Open the file, and read as far as it takes to know its columns."""
        self.row = 0
        self.size = self.path.stat().st_size
        self.raw = self.path.open("rb")
        opened = gzip.GzipFile(fileobj=self.raw) if is_packed(self.path) else self.raw
        encoding = self.options.encoding
        with self.explained():
            start = opened.peek(4)[:4] if hasattr(opened, "peek") else b""
        if encoding == "utf-8":
            for mark, name in OTHER_ENCODINGS.items():
                if start.startswith(mark):
                    raise CommandError(f"{self.path} is in {name.upper()}, not in UTF-8. Add --encoding {name}")
            encoding = "utf-8-sig"  # leaves out a byte order mark, if there is one
        # A byte that isn't UTF-8 becomes a lone surrogate: the row is reported, and written as it was.
        errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
        try:
            self.lines = io.TextIOWrapper(opened, encoding=encoding, errors=errors, newline="")
        except LookupError as error:
            raise CommandError(f"there is no encoding {encoding!r}; try cp1252, latin-1 or utf-16") from error
        self.begin()

    def begin(self) -> None:
        """Read what comes before the first row."""

    def share_read(self) -> float | None:
        """Return which share of the file has been read, from 0 to 1, or None for an empty one."""
        return self.raw.tell() / self.size if self.size else None

    def total(self) -> int | None:
        """Return how many rows there are, if that can be known without reading them all."""
        return None

    @contextlib.contextmanager
    def explained(self) -> Generator[None]:
        """Turn what can go wrong while reading into sentences."""
        try:
            yield
        except UnicodeDecodeError as error:
            raise CommandError(
                f"{self.path}, after row {self.row}: this is not {self.options.encoding} ({error.reason}). "
                "Name the right encoding with --encoding"
            ) from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CommandError(f"{self.path}, after row {self.row}: the gzipped data is damaged ({error})") from error
        except OSError as error:
            raise CommandError(f"{self.path} can't be read: {error.strerror or error}") from error

    def pack(self, text: str) -> bytes:
        """Encode lines, in UTF-8 whatever the input is in; a gzipped file may consist of any number of such pieces."""
        data = text.encode("utf-8", "surrogateescape")
        return gzip.compress(data, mtime=0) if is_packed(self.path) else data

    def finish(self, appended: Path, output: Path) -> None:
        """Put what was appended in place."""
        appended.replace(output)

    def close(self) -> None:
        """Close the file."""
        self.raw.close()


class CsvTable(LineTable):
    """Comma-separated values, as Python's `csv` reads them; the first row names the columns."""

    def begin(self) -> None:
        """Read the names of the columns."""
        csv.field_size_limit(CSV_FIELD_LIMIT)
        suffixes = [suffix.lower() for suffix in self.path.suffixes]
        self.delimiter = self.options.delimiter or ("\t" if ".tsv" in suffixes[-2:] else ",")
        self.reader = csv.reader(self.lines, delimiter=self.delimiter, strict=True)
        with self.explained():
            try:
                self.columns = next((row for row in self.reader if row), [])
            except csv.Error as error:
                raise CommandError(f"{self.path}: the first row can't be read: {error}") from error
        if not self.columns:
            raise CommandError(f"{self.path} is empty: it has no row that names its columns")
        check_columns(self.path, self.columns, self.options)
        self.place = self.columns.index(self.options.text_column)

    def pieces(self, size: int, skip: int = 0) -> Iterator[Piece[list[list[str]]]]:
        """Read the rows after the first `skip`, so many at a time."""
        rows = islice(self._rows(), skip, None)
        while True:
            with self.explained():
                piece = list(islice(rows, size))
            if not piece:
                return
            yield Piece(
                [row for row, _ in piece],
                [row[self.place] for row, _ in piece],
                [problem or find_undecoded(row[self.place]) for row, problem in piece],
            )

    def _rows(self) -> Iterator[tuple[list[str], str | None]]:
        width = len(self.columns)
        while True:
            try:
                row = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.row += 1
                at = f"row {self.row} (it ends in line {self.reader.line_num})"
                if "unexpected end" in str(error) or "field limit" in str(error):
                    raise CommandError(
                        f"{self.path}, {at}: a quote is opened and never closed, so the rest of the file can't be told "
                        "apart. Close it, or double the quote if it belongs to the text"
                    ) from error
                yield [""] * width, f"the row can't be read: {error}"
                continue
            if not row:
                continue  # a blank line is no row, as for every reader of CSV
            self.row += 1
            if len(row) != width:
                yield (row + [""] * width)[:width], f"fields in this row: {len(row)}, not {width}"
            else:
                yield row, None

    def header(self) -> bytes:
        """Encode what the output begins with."""
        return self._encode([[*self.columns, *self.options.columns]])

    def encode(self, piece: Piece[list[list[str]]], results: list[Outcome]) -> bytes:
        """Encode rows with their results."""
        return self._encode(
            [*row, result["label"] or "", "" if result["score"] is None else f"{result['score']:.6f}", error or ""]
            for row, result in zip(piece.rows, results, strict=True)
            for error in [result["error"]]
        )

    def _encode(self, rows: Iterable[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter, lineterminator="\r\n").writerows(rows)
        return self.pack(text.getvalue())


class JsonLinesTable(LineTable):
    """One JSON object a line. A line is written as it was read, with three more names before its last brace."""

    def pieces(self, size: int, skip: int = 0) -> Iterator[Piece[list[str]]]:
        """Read the rows after the first `skip`, so many at a time."""
        rows = islice(self._rows(), skip, None)
        first = True
        while True:
            with self.explained():
                piece = list(islice(rows, size))
            if not piece:
                return
            objects = [value for value, _, _ in piece if isinstance(value, dict)]
            if first and objects and not any(self.options.text_column in value for value in objects):
                raise CommandError(
                    no_column(self.path, sorted({name for value in objects for name in value}), self.options)
                )
            first = False
            yield self._piece(piece)

    def _piece(self, rows: list[tuple[object, str, str | None]]) -> Piece[list[str]]:
        name = self.options.text_column
        texts: list[object] = []
        problems: list[str | None] = []
        for value, line, problem in rows:
            text = value.get(name) if problem is None and isinstance(value, dict) else None
            if problem is None and text is None:
                problem = f"the row has no {name!r}"
            if isinstance(text, str) and not line.isascii():
                problem = find_undecoded(text)
            texts.append(text)
            problems.append(problem)
        return Piece([line for _, line, _ in rows], texts, problems)

    def _rows(self) -> Iterator[tuple[object, str, str | None]]:
        for line in self.lines:
            line = line.strip()
            if not line:
                continue
            self.row += 1
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield None, "", f"the line is no JSON: {error}"
                continue
            if not isinstance(value, dict):
                yield value, "", "the line is JSON, but no object in braces"
                continue
            taken = [name for name in self.options.columns if name in value]
            if taken:
                raise CommandError(f"{self.path}, row {self.row}: {name_taken(taken)}")
            yield value, line, None

    def header(self) -> bytes:
        """Nothing: every line names its columns."""
        return b""

    def encode(self, piece: Piece[list[str]], results: list[Outcome]) -> bytes:
        """Encode rows with their results."""
        lines = []
        for line, result in zip(piece.rows, results, strict=True):
            score = None if result["score"] is None else round(result["score"], 6)
            values = dict(zip(self.options.columns, (result["label"], score, result["error"]), strict=True))
            added = json.dumps(values, ensure_ascii=False)
            kept = line[:-1].rstrip() if line else "{"
            lines.append(f"{kept}{'' if kept == '{' else ', '}{added[1:]}\n")
        return self.pack("".join(lines))


class ParquetTable:
    """Apache Parquet, by pyarrow."""

    def __init__(self, path: Path, options: Options) -> None:
        """Open the file and read its schema."""
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise CommandError(
                "Parquet needs pyarrow, which is in the course's layer scale. Install it from the course's folder: "
                + layer_command("scale")
            ) from error
        self.path, self.options = path, options
        try:
            self.file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise CommandError(f"{path} is no Parquet file, or is damaged: {error}") from error
        schema = self.file.schema_arrow
        check_columns(path, schema.names, options)
        kind = schema.field(options.text_column).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            raise CommandError(f"{path}: the column {options.text_column!r} holds {kind}, not texts")
        label, score, error = options.columns
        self.schema = pa.schema(
            [*schema, pa.field(label, pa.string()), pa.field(score, pa.float64()), pa.field(error, pa.string())],
            metadata=schema.metadata,
        )
        self.read = 0

    def total(self) -> int:
        """Return how many rows there are."""
        return self.file.metadata.num_rows

    def share_read(self) -> float | None:
        """Return which share of the rows has been read, from 0 to 1."""
        return self.read / self.total() if self.total() else None

    def pieces(self, size: int, skip: int = 0) -> Iterator[Piece[pa.RecordBatch]]:
        """Read the rows after the first `skip`, at most so many at a time."""
        import pyarrow as pa

        try:
            for batch in self.file.iter_batches(batch_size=size):
                seen, self.read = self.read, self.read + batch.num_rows
                rows = batch.slice(max(0, skip - seen))
                if rows.num_rows:
                    column = rows.column(rows.schema.get_field_index(self.options.text_column))
                    texts, problems = self._texts(column)
                    yield Piece(rows, texts, problems)
        except (OSError, pa.ArrowException) as error:
            raise CommandError(f"{self.path}, after row {self.read}: the file is damaged: {error}") from error

    def _texts(self, column: pa.Array) -> tuple[list[str | None], list[str | None]]:
        texts: list[str | None] = []
        problems: list[str | None] = []
        try:
            texts = column.to_pylist()
            return texts, [None if text is not None else "the row has no text" for text in texts]
        except UnicodeDecodeError:
            for value in column:
                try:
                    texts.append(value.as_py())
                    problems.append(None)
                except UnicodeDecodeError as error:
                    texts.append(None)
                    problems.append(f"the text is no UTF-8: {error}")
            return texts, problems

    def header(self) -> bytes:
        """Encode what the Arrow stream begins with."""
        return self.schema.serialize().to_pybytes()

    def encode(self, piece: Piece[pa.RecordBatch], results: list[Outcome]) -> bytes:
        """Encode rows with their results as one message of the Arrow stream."""
        import pyarrow as pa

        added = [
            pa.array([result[name] for result in results], type=kind)
            for name, kind in (("label", pa.string()), ("score", pa.float64()), ("error", pa.string()))
        ]
        batch = pa.RecordBatch.from_arrays([*piece.rows.columns, *added], schema=self.schema)
        sink = pa.BufferOutputStream()
        pa.ipc.new_stream(sink, self.schema).write_batch(batch)
        return sink.getvalue().to_pybytes()[len(self.header()) :]  # a stream begins with its schema

    def finish(self, appended: Path, output: Path) -> None:
        """Write the Arrow stream as Parquet, and put that in place."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        written = appended.with_name("finished.parquet")
        with pa.OSFile(str(appended), "rb") as source, pq.ParquetWriter(written, self.schema) as writer:
            for batch in pa.ipc.open_stream(source):
                writer.write_batch(batch)
        with written.open("rb") as file:
            os.fsync(file.fileno())
        written.replace(output)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def find_undecoded(text: str) -> str | None:
    """Return what is wrong with a text in which bytes were left that are no UTF-8, or None."""
    if text.isascii():
        return None
    for place, character in enumerate(text, start=1):
        if "\udc80" <= character <= "\udcff":
            byte = ord(character) - 0xDC00
            return f"the text is not UTF-8 (byte 0x{byte:02x} at place {place}); name the encoding with --encoding"
    return None


def check_columns(path: Path, names: list[str], options: Options) -> None:
    """Make sure that the text column is there once, and none of the new ones is.

    Raises:
        CommandError: it isn't.
    """
    if options.text_column not in names:
        raise CommandError(no_column(path, names, options))
    if names.count(options.text_column) > 1:
        raise CommandError(f"{path} has {names.count(options.text_column)} columns called {options.text_column!r}")
    taken = [name for name in options.columns if name in names]
    if taken:
        raise CommandError(f"{path}: {name_taken(taken)}")


def no_column(path: Path, names: list[str], options: Options) -> str:
    """Say that the text column is missing, and which columns there are."""
    shown = ", ".join(repr(name) for name in names[:20]) + (" and more" if len(names) > 20 else "")
    return f"{path} has no column {options.text_column!r}. It has {shown}: name one of them with --text-column"


def name_taken(names: list[str]) -> str:
    """Say that columns of the input have the names of new ones."""
    return (
        f"there is a column called {' and '.join(map(repr, names))} already. "
        "Choose what the new ones' names begin with: --prefix predicted_"
    )
