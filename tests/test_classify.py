"""`python -m course_utils classify`: every format, bad rows, and going on after whatever ended a run."""

import csv
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils import __main__, reviews
from course_utils.classifier.pipeline import find_text_problem
from course_utils.files import classify, csv_json_parquet

NEW = ["label", "score", "error"]


class FakePipeline:
    """Answers by the length of a text, at once: what is tested here is everything around the model."""

    def report(self, texts, progress):
        results = []
        for text in texts:
            problem = find_text_problem(text)
            answer = {"label": "LONG" if problem is None and len(text) > 3 else "SHORT", "score": 0.75}
            results.append(
                {**answer, "error": None}
                if problem is None
                else {"label": None, "score": None, "error": f"the text {problem}"}
            )
        progress(len(texts))
        return results


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(classify, "load", lambda model, backend: FakePipeline())


def run(*arguments: object) -> int:
    return __main__.main(["classify", *map(str, arguments)])


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_csv(path: Path, **options) -> list[list[str]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.reader(io.StringIO(data.decode(), newline=""), **options))


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_real_file_gets_the_library_s_labels(tmp_path, library_pipeline):
    sample = reviews.load("validation").sample(60, random_state=9)[["id", "text"]]
    sample.to_csv(tmp_path / "in.csv", index=False)
    command = [sys.executable, "-m", "course_utils", "classify", "in.csv", "--text-column", "text"]
    root = str(Path(classify.__file__).parents[1])
    done = subprocess.run(
        [*command, "--output", "out.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out.csv: 60 rows\n"
    assert "rows/s" in done.stderr
    header, *rows = read_csv(tmp_path / "out.csv")
    assert header == ["id", "text", *NEW]
    assert [row[1] for row in rows] == sample["text"].tolist()
    expected = library_pipeline(sample["text"].tolist(), batch_size=30)
    assert [row[2] for row in rows] == [result["label"] for result in expected]
    assert all(abs(float(row[3]) - result["score"]) < 1e-5 for row, result in zip(rows, expected, strict=True))
    assert not (tmp_path / "out.csv.partial").exists()


def test_bad_rows_are_reported_and_not_fatal(tmp_path, fake, capsys):
    rows = b'id,text\n1,fine\n2,\n3,"two\nlines, ""quoted"""\n4\n5,a,b\n\n6,caf\xe9 bar\n7,a\x00b\n8,"x"y\n9,end\n'
    source = write(tmp_path / "in.csv", rows)
    assert run(source, "--output", tmp_path / "out.csv") == 0
    with (tmp_path / "out.csv").open(newline="", errors="surrogateescape") as file:
        header, *found = csv.reader(file)
    assert header == ["id", "text", *NEW]
    assert [row[0] for row in found] == ["1", "2", "3", "4", "5", "6", "7", "", "9"]
    assert found[2][1] == 'two\nlines, "quoted"'
    assert [row[2] != "" for row in found] == [True, False, True, False, False, False, True, False, True]
    assert all((row[2] == "") == (row[4] != "") for row in found)
    assert "byte 0xe9 at place 4" in found[5][4]
    assert found[5][1].encode(errors="surrogateescape") == b"caf\xe9 bar"  # written as it was
    out, err = capsys.readouterr()
    assert "9 rows; 5 of them could not be classified" in out
    assert "row 2: the text is empty" in err
    assert "row 4: fields in this row: 1, not 2" in err


def test_json_lines_are_written_as_they_were(tmp_path, fake):
    good = '{"n": 1.50, "big": 123456789012345678901234567890, "text" : "d\\u00e9j\\u00e0", "a": [1, {"b": null}]}'
    lines = [good, "", "{}", "[1]", "nonsense", '{"text": null}', '{"text": "\\ud800"}', '{"text": 5}', "{" * 3]
    assert run(write(tmp_path / "in.jsonl", "\n".join(lines)), "--output", tmp_path / "out.jsonl") == 0
    written = (tmp_path / "out.jsonl").read_text().splitlines()
    assert written[0] == good[:-1] + ', "label": "LONG", "score": 0.75, "error": null}'
    rows = read_jsonl(tmp_path / "out.jsonl")
    assert len(rows) == len(lines) - 1  # a blank line is no row
    assert all(row["label"] is None and row["error"] for row in rows[1:])


def test_parquet_keeps_types_and_metadata(tmp_path, fake):
    categories = pa.array(["b", "a", None, "b"]).dictionary_encode()
    table = pa.table(
        {"text": ["good", None, "", "ok"], "n": pa.array([1, None, 3, 4], pa.int16()), "kind": categories}
    ).replace_schema_metadata({"whence": "here"})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    assert run(tmp_path / "in.parquet", "--output", tmp_path / "out.parquet") == 0
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names == [*table.column_names, *NEW]
    assert found.select(table.column_names).to_pylist() == table.to_pylist()
    assert found.schema.field("n").type == pa.int16()
    assert found.schema.metadata[b"whence"] == b"here"
    assert found.column("label").to_pylist() == ["LONG", None, None, "SHORT"]


def test_parquet_without_its_package_names_the_layer_that_has_it(tmp_path, fake, monkeypatch, capsys):
    make_file(tmp_path / "in.parquet", 1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run(tmp_path / "in.parquet", "--output", tmp_path / "out.parquet") == 1
    assert "layer scale" in (told := capsys.readouterr().err)
    assert '-m pip install -c requirements.lock -e ".[scale]"' in told
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".jsonl", ".jsonl.gz", ".parquet"])
def test_many_pieces_make_one_file(tmp_path, fake, monkeypatch, suffix):
    monkeypatch.setattr(classify, "PIECE_ROWS", 7)
    source, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    make_file(source, 100)
    assert run(source, "--output", output) == 0
    assert read_texts(output) == [text_of(row) for row in range(100)]


def text_of(row: int) -> str:
    return f"text {row}, é\n" + "x" * (row % 5)


def make_file(path: Path, rows: int) -> None:
    texts = [text_of(row) for row in range(rows)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"text": texts}), path, row_group_size=30)
        return
    if ".jsonl" in path.suffixes:
        data = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    else:
        file = io.StringIO(newline="")
        delimiter = "\t" if ".tsv" in path.suffixes else ","
        csv.writer(file, delimiter=delimiter).writerows([["text"], *([text] for text in texts)])
        data = file.getvalue()
    path.write_bytes(gzip.compress(data.encode()) if path.suffix == ".gz" else data.encode())


def read_texts(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return pq.read_table(path).column("text").to_pylist()
    if ".jsonl" in path.suffixes:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            return [json.loads(line)["text"] for line in file]
    return [row[0] for row in read_csv(path, delimiter="\t" if ".tsv" in path.suffixes else ",")[1:]]


SLOW_RUN = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
sys.path[:0] = sys.argv[1:3]
from course_utils import __main__
from course_utils.files import classify
import test_classify

class Slow(test_classify.FakePipeline):
    def report(self, texts, progress):
        time.sleep(0.01)
        return super().report(texts, progress)

classify.load = lambda model, backend: Slow()
classify.PIECE_ROWS = 7
sys.exit(__main__.main(["classify", *sys.argv[3:]]))
"""


def start(*arguments: object) -> subprocess.Popen:
    folders = [Path(classify.__file__).parents[2], Path(__file__).parent]
    command = [sys.executable, "-c", SLOW_RUN, *map(str, [*folders, *arguments])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("suffix", [".csv", ".jsonl.gz", ".parquet"])
def test_a_killed_run_is_gone_on_with_and_nothing_is_lost_or_doubled(tmp_path, suffix):
    source, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    make_file(source, 1500)
    journal = tmp_path / f"out{suffix}.partial" / "journal.json"
    chance, kills = random.Random(suffix), 0
    for wait in (50, 600):
        process = start(source, "--output", output)
        while process.poll() is None:
            with_rows = journal.exists() and json.loads(journal.read_text() or '{"rows": 0}')["rows"]
            if with_rows and with_rows > wait:
                time.sleep(chance.random() / 50)
                process.kill()
                break
            time.sleep(0.002)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
        assert not output.exists()
    assert kills == 2
    with (journal.parent / "rows").open("ab") as file:
        file.write(b"what the journal does not vouch for")
    out, err = start(source, "--output", output).communicate()
    assert "going on after row" in err
    assert "1,500 rows" in out
    assert read_texts(output) == [text_of(row) for row in range(1500)]
    assert not journal.parent.exists()


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(tmp_path):
    make_file(tmp_path / "in.csv", 1500)
    process = start(tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    journal = tmp_path / "out.csv.partial" / "journal.json"
    while not journal.exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "run the same command again" in err


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_is_a_sentence_and_can_be_gone_on_from(tmp_path):
    import resource

    make_file(tmp_path / "in.csv", 800)
    arguments = (tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, {resource.RLIM_INFINITY}))\n{SLOW_RUN}"
    folders = [Path(classify.__file__).parents[2], Path(__file__).parent]
    full = subprocess.run(
        [sys.executable, "-c", code, *map(str, [*folders, *arguments])], capture_output=True, text=True
    )
    assert full.returncode == 1
    assert "no space left" in full.stderr
    assert "Traceback" not in full.stderr
    out, err = start(*arguments).communicate()
    assert "going on after row" in err
    assert read_texts(tmp_path / "out.csv") == [text_of(row) for row in range(800)], out


def test_two_runs_do_not_write_one_file(tmp_path, fake, capsys):
    from filelock import FileLock

    source = write(tmp_path / "in.csv", "text\na\n")
    folder = tmp_path / "out.csv.partial"
    folder.mkdir()
    with FileLock(folder / "lock"):
        assert run(source, "--output", tmp_path / "out.csv") == 1
    assert "another run is at work" in capsys.readouterr().err


def test_another_input_or_other_options_are_not_mixed_in(tmp_path, fake, capsys, monkeypatch):
    source, output = write(tmp_path / "in.csv", "text,t\na,b\n"), tmp_path / "out.csv"
    monkeypatch.setattr(csv_json_parquet.CsvTable, "finish", lambda *_: (_ for _ in ()).throw(OSError("broken")))
    assert run(source, "--output", output) == 1
    monkeypatch.undo()
    monkeypatch.setattr(classify, "load", lambda model, backend: FakePipeline())
    assert run(source, "--output", output, "--text-column", "t") == 1
    assert "the options changed" in capsys.readouterr().err
    write(source, "text,t\nlonger,b\n")
    assert run(source, "--output", output) == 1
    assert "the input changed" in capsys.readouterr().err
    assert run(source, "--output", output, "--force") == 0
    assert read_csv(output)[1][:3] == ["longer", "b", "LONG"]


def test_an_output_is_replaced_only_on_demand(tmp_path, fake, capsys):
    source, output = write(tmp_path / "in.csv", "text\na\n"), write(tmp_path / "out.csv", "mine")
    assert run(source, "--output", output) == 1
    assert "Add --force" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert run(source, "--output", output, "--force") == 0
    assert len(read_csv(output)) == 2


@pytest.mark.parametrize(
    ("name", "content", "options", "says"),
    [
        ("in.csv", "a,b\n1,2\n", [], "has no column 'text'. It has 'a', 'b'"),
        ("in.csv", "", [], "is empty"),
        ("in.csv", "text,text\n", [], "2 columns called 'text'"),
        ("in.csv", "text,label\na,b\n", [], "Choose what the new ones' names begin with: --prefix"),
        ("in.csv", 'text\nfine\n"never closed\nx\n', [], "row 2 (it ends in line 4): a quote is opened"),
        ("in.csv", "text\na\n".encode("utf-16"), [], "--encoding utf-16"),
        ("in.csv", "text\n", ["--encoding", "klingon"], "no encoding 'klingon'"),
        ("in.csv", b"text\n\xff\xff\n", ["--encoding", "ascii"], "is not ascii"),
        ("in.csv", "text\n", ["--delimiter", ",,"], "a delimiter is one character"),
        ("in.csv.gz", b"no gzip", [], "gzipped data is damaged"),
        ("in.csv.gz", gzip.compress(b"text\n" + b"word " * 999, mtime=0)[:-9], [], "gzipped data is damaged"),
        ("in.jsonl", '{"a": 1}\n{"b": 2}\n', [], "has no column 'text'. It has 'a', 'b'"),
        ("in.jsonl", '{"text": "a", "score": 2}\n', [], "a column called 'score' already"),
        ("in.parquet", b"no parquet", [], "is no Parquet file"),
        ("in.xlsx", "x", [], "no suffix that says what it is"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(tmp_path, fake, capsys, name, content, options, says):
    output = tmp_path / f"out{''.join(Path(name).suffixes)}"
    assert run(write(tmp_path / name, content), "--output", output, *options) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert not output.exists()


def test_mistakes_in_the_command_are_sentences(tmp_path, fake, capsys):
    source = write(tmp_path / "in.csv", "text\na\n")
    assert run(tmp_path / "none.csv", "--output", tmp_path / "out.csv") == 1
    assert run(source, "--output", tmp_path / "out.jsonl") == 1
    assert run(source, "--output", source, "--force") == 1
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "in.parquet")
    assert run(tmp_path / "in.parquet", "--output", tmp_path / "out.parquet") == 1
    said = capsys.readouterr().err
    for words in ("there is no file", "the same format", "are the same file", "holds int64, not texts"):
        assert words in said


def test_a_mistake_leaves_nothing_behind(tmp_path, fake):
    assert run(write(tmp_path / "in.csv", "a\n"), "--output", tmp_path / "out.csv") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_an_unknown_model_is_a_sentence(tmp_path, capsys):
    source = write(tmp_path / "in.csv", "text\na\n")
    assert run(source, "--output", tmp_path / "out.csv", "--model", str(tmp_path / "nothing")) == 1
    assert "There is no checkpoint" in capsys.readouterr().err


def test_a_file_without_rows_is_no_mistake(tmp_path, fake):
    assert run(write(tmp_path / "in.csv", "\ufefftext\n"), "--output", tmp_path / "out.csv") == 0
    assert read_csv(tmp_path / "out.csv") == [["text", *NEW]]
    assert run(write(tmp_path / "in.jsonl", ""), "--output", tmp_path / "out.jsonl") == 0
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_other_encodings_are_read_when_named(tmp_path, fake):
    source = write(tmp_path / "in.csv", "text;n\ncafé, s'il vous plaît;1\n".encode("cp1252"))
    assert run(source, "--output", tmp_path / "out.csv", "--encoding", "cp1252", "--delimiter", ";") == 0
    assert read_csv(tmp_path / "out.csv", delimiter=";")[1][:3] == ["café, s'il vous plaît", "1", "LONG"]


field = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(field, min_size=3, max_size=3), max_size=8))
def test_every_field_comes_out_as_it_went_in(tmp_path, fake, rows):
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "text", "note"], *rows])
    assert run(source, "--output", output, "--force", "--quiet") == 0
    with output.open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))[1:]
    assert [row[:3] for row in found] == rows


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=3), max_size=6), st.booleans())
def test_every_json_value_comes_out_as_it_went_in(tmp_path, fake, objects, ascii_only):
    rows = [{"text": "a text", **{name: value for name, value in row.items() if name not in NEW}} for row in objects]
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows)
    source = write(tmp_path / "in.jsonl", lines.encode("utf-8", "surrogatepass"))
    assert run(source, "--output", tmp_path / "out.jsonl", "--force", "--quiet") == 0
    written = (tmp_path / "out.jsonl").read_bytes().decode("utf-8", "surrogatepass")
    found = [json.loads(line) for line in written.split("\n")[:-1]]
    assert [{name: value for name, value in row.items() if name not in NEW} for row in found] == rows


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from([".csv", ".jsonl", ".parquet", ".csv.gz"]))
def test_junk_is_never_a_traceback(tmp_path, fake, junk, suffix):
    head = b"text,a\n" if suffix == ".csv" else b""
    source = write(tmp_path / f"in{suffix}", head + junk)
    assert run(source, "--output", tmp_path / f"out{suffix}", "--force", "--quiet") in (0, 1)
