"""Measure how fast many texts are classified, beside `transformers.pipeline`, and whether the labels are the same."""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from course_build.bench import describe_machine, write_table
from course_utils import SentimentPipeline, checkpoint, models, notebook, reviews
from course_utils.files.classify import PIECE_ROWS, partial_folder

LABELS = Callable[[list[str]], list[str]]


def main() -> None:
    """Measure, print, and write `bulk.md`, or with `--memory` `memory.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, help="a file with one text a line (default: the validation split)")
    parser.add_argument("--size", type=int, default=1000, help="how many texts, at most (1000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way takes its turn (3)")
    parser.add_argument("--memory", action="store_true", help="measure memory on short and long files instead (Linux)")
    arguments = parser.parse_args()
    if arguments.memory:
        write_table("memory.md", memory_table())
    else:
        write_table("bulk.md", speed_table(arguments))


def ways() -> dict[str, LABELS]:
    """Return every way to classify, by its name; the first one is the measure of all."""
    from transformers import pipeline

    library = pipeline("sentiment-analysis", model=checkpoint(models.SENTIMENT_MODEL), device="cpu")
    own = {
        backend: SentimentPipeline(checkpoint(models.SENTIMENT_MODEL), backend=backend) for backend in ("torch", "onnx")
    }

    def call(**options: object) -> LABELS:
        return lambda texts: [result["label"] for result in library(texts, truncation=True, **options)]

    def call_sorted(texts: list[str]) -> list[str]:
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found = dict(zip(order, call(batch_size=32)([texts[place] for place in order]), strict=True))
        return [found[place] for place in range(len(texts))]

    def call_own(backend: str) -> LABELS:
        return lambda texts: [result["label"] for result in own[backend](texts)]

    return {
        "pipeline(list)": call(),
        **{f"pipeline, batch_size={size}": call(batch_size=size) for size in (8, 32, 64)},
        "pipeline, sorted, batch_size=32": call_sorted,
        "SentimentPipeline, torch (fp32)": call_own("torch"),
        "SentimentPipeline, onnx (int8)": call_own("onnx"),
    }


def speed_table(arguments: argparse.Namespace) -> list[str]:
    """Let all ways take turns on the same texts; return a Markdown table of their medians."""
    notebook.quiet()
    if arguments.texts:
        texts = [line for line in arguments.texts.read_text(encoding="utf-8").splitlines() if line.strip()]
        texts = texts[: arguments.size]
    else:
        table = reviews.load("validation")
        texts = table["text"].sample(min(arguments.size, len(table)), random_state=0).tolist()
    machine = describe_machine()
    all_ways, seconds, labels = ways(), {}, {}
    for way in all_ways.values():
        way(texts[:50])  # what is only done once isn't measured
    for turn in range(arguments.rounds):
        for name, way in all_ways.items():
            start = time.perf_counter()
            labels[name] = way(texts)
            seconds.setdefault(name, []).append(time.perf_counter() - start)
            print(f"round {turn + 1}: {name}: {len(texts) / seconds[name][-1]:.0f} texts a second", file=sys.stderr)
    first = next(iter(all_ways))
    base, measure = statistics.median(seconds[first]), labels[first]
    lines = [
        machine,
        f"{len(texts):,} texts, {arguments.rounds} rounds.",
        "",
        "| way | texts a second | times pipeline(list) | same labels, % |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, taken in seconds.items():
        median = statistics.median(taken)
        same = statistics.fmean(one == other for one, other in zip(labels[name], measure, strict=True))
        lines.append(f"| {name} | {len(texts) / median:.0f} | {base / median:.2f} | {100 * same:.2f} |")
    return lines


def memory_table(sizes: tuple[int, ...] = (20_000, 1_000_000)) -> list[str]:
    """Classify files of short rows, killing each run midway; return a table of how fast it began, and of its memory."""
    early, late = 2 * PIECE_ROWS, 6 * PIECE_ROWS
    lines = [
        describe_machine(),
        "",
        f"| backend | rows | seconds to the first rows | peak MB after {early:,} rows | after {late:,} |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    texts = [" ".join(text.split()[:4]) for text in reviews.load("train")["text"]]
    with tempfile.TemporaryDirectory() as folder:
        for size, backend in itertools.product(sizes, ("torch", "onnx")):
            source, output = Path(folder, f"{size}.csv"), Path(folder, f"{size}-{backend}.csv")
            with source.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([["text"], *([texts[n % len(texts)]] for n in range(size))])
            options = [source, "--output", output, "--backend", backend, "--quiet"]
            start = time.perf_counter()
            process = subprocess.Popen([sys.executable, "-m", "course_utils", "classify", *map(str, options)])
            try:
                wait_for_rows(process, output, 1)
                first = time.perf_counter() - start
                peaks = [wait_for_rows(process, output, rows) for rows in (early, late)]
            finally:
                process.kill()
                process.wait()
            lines.append(f"| {backend} | {size:,} | {first:.0f} | {peaks[0]} | {peaks[1]} |")
            print(lines[-1], file=sys.stderr)
    return lines


def wait_for_rows(process: subprocess.Popen, output: Path, rows: int) -> int:
    """Wait until so many rows are in the output's journal; return the most memory that the process had, in MB."""
    journal = partial_folder(output) / "journal.json"
    while not journal.exists() or json.loads(journal.read_text(encoding="utf-8"))["rows"] < rows:
        if process.poll() is not None:
            raise RuntimeError(f"classify ended with status {process.returncode} before it had {rows} rows")
        time.sleep(0.1)
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")  # Linux alone has it
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024


if __name__ == "__main__":
    main()
