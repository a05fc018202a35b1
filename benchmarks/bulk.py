"""Measure how fast many texts are classified, beside `transformers.pipeline`, and whether the labels are the same."""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from course_utils import SentimentPipeline, checkpoint, notebook, reviews

HERE = Path(__file__).parent
MODEL = "distilbert-base-uncased-finetuned-sst-2-english"
LABELS = Callable[[list[str]], list[str]]


def main() -> None:
    """Measure, print, and write `results.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, help="a file with one text a line (default: the validation split)")
    parser.add_argument("--size", type=int, default=1000, help="how many texts, at most (1000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way takes its turn (3)")
    parser.add_argument("--memory", action="store_true", help="measure peak memory for short and long files instead")
    arguments = parser.parse_args()
    lines = memory_table() if arguments.memory else speed_table(arguments)
    print("\n".join(lines))
    name = "memory.md" if arguments.memory else "results.md"
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def ways() -> dict[str, LABELS]:
    """Return every way to classify, by its name; the first one is the measure of all."""
    from transformers import pipeline

    library = pipeline("sentiment-analysis", model=checkpoint(MODEL), device="cpu")
    own = {backend: SentimentPipeline(checkpoint(MODEL), backend=backend) for backend in ("torch", "onnx")}

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
        f"{len(texts):,} texts, {arguments.rounds} rounds, {platform.machine()}, Python {platform.python_version()}.",
        "",
        "| way | texts a second | times pipeline(list) | same labels, % |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, taken in seconds.items():
        median = statistics.median(taken)
        same = statistics.fmean(one == other for one, other in zip(labels[name], measure, strict=True))
        lines.append(f"| {name} | {len(texts) / median:.0f} | {base / median:.2f} | {100 * same:.2f} |")
    return lines


def memory_table(sizes: tuple[int, ...] = (10_000, 200_000)) -> list[str]:
    """Classify files of repeated short texts in processes of their own; return their peak memory as a table."""
    lines = ["| backend | rows | peak memory, MB |", "| --- | ---: | ---: |"]
    code = "import resource, runpy\ntry: runpy.run_module('course_utils', run_name='__main__')\n"
    code += "finally: print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    texts = reviews.load("train")["text"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            source, output = Path(folder, f"{size}.csv"), Path(folder, "out.csv")
            with source.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(
                    [["text"], *([" ".join(texts[n % len(texts)].split()[:4])] for n in range(size))]
                )
            for backend in ("torch", "onnx"):
                options = [source, "--output", output, "--backend", backend, "--force", "--quiet"]
                command = [sys.executable, "-c", code, "classify", *map(str, options)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                lines.append(f"| {backend} | {size:,} | {said.split()[-1]} |")
    return lines


if __name__ == "__main__":
    main()
