"""What dynamic batching is worth: the service under load, with it and without it, side by side.

    python benchmarks/service.py

Servers run the same model: one takes a text at a time, the others their usual batches, with both backends. They are
asked in turns, by one client and by many, so that whatever else the machine does hits all alike. Ratios are medians
over the rounds.
"""

import argparse
import asyncio
import contextlib
import statistics
import time
from itertools import count

import httpx
import numpy as np

from course_build.bench import describe_machine, write_table
from course_utils import reviews
from course_utils.background_programs import start_service

SERVERS = {
    "one at a time": ["--max-batch", "1", "--wait-ms", "0.001"],
    "batches": [],
    "batches, onnx": ["--backend", "onnx"],
}


def main() -> None:
    """Measure, print, and write `service.md`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=32, help="clients that ask at the same time (%(default)s)")
    parser.add_argument("--requests", type=int, default=400, help="requests in a round, of one text each (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (%(default)s)")
    options = parser.parse_args()
    machine = describe_machine()
    texts = reviews.load("test")["text"].sample(options.requests, random_state=0).tolist()
    cases = [(name, clients) for clients in (1, options.clients) for name in SERVERS]
    seconds: dict[tuple[str, int], list[np.ndarray]] = {case: [] for case in cases}
    totals: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    with contextlib.ExitStack() as stack:
        urls = {}
        for name, limits in SERVERS.items():
            service = start_service(*limits)
            stack.callback(service.stop)
            urls[name] = service.url
        for _ in range(options.rounds):
            for name, clients in cases:
                start = time.perf_counter()
                seconds[name, clients].append(asyncio.run(ask(urls[name], texts, clients)))
                totals[name, clients].append(time.perf_counter() - start)
    base = totals["one at a time", 1]
    reference = np.median(np.concatenate(seconds["one at a time", 1]))
    lines = [
        machine,
        f"1 is one client, one text at a time: {len(texts) / statistics.median(base):.0f} requests a second, half of "
        f"them answered within {reference * 1000:.0f} ms. {options.requests} requests of one text each, in "
        f"{options.rounds} rounds.",
        "",
        "| server | clients | throughput | p50 | p95 | p99 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, clients in cases:
        gain = statistics.median(first / own for first, own in zip(base, totals[name, clients], strict=True))
        latencies = np.percentile(np.concatenate(seconds[name, clients]), [50, 95, 99]) / reference
        lines.append(f"| {name} | {clients} | {gain:.2f} | " + " | ".join(f"{value:.1f}" for value in latencies) + " |")
    write_table("service.md", lines)


async def ask(url: str, texts: list[str], clients: int) -> np.ndarray:
    """Ask one text a request, by so many clients at a time; return each request's time in seconds."""
    seconds = np.empty(len(texts))
    turn = count()
    async with httpx.AsyncClient(base_url=url, timeout=300) as client:

        async def work() -> None:
            while (number := next(turn)) < len(texts):
                start = time.perf_counter()
                response = await client.post("/classify", json={"texts": [texts[number]]})
                seconds[number] = time.perf_counter() - start
                response.raise_for_status()

        await asyncio.gather(*(work() for _ in range(clients)))
    return seconds


if __name__ == "__main__":
    main()
