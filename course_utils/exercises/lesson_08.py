"""The checks of lesson 8's exercises."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from course_utils.exercises import WrongAnswerError, checker, need_function

ARRIVALS = (0.0, 0.001, 0.002, 0.010, 0.030, 0.031)
WINDOW, SECONDS, MOST = 0.004, 0.020, 3


def schedule(arrivals: Sequence[float], window: float, seconds: float, most: int) -> list[list[int]]:
    """Return which requests each run of the model takes, by the rule of the lesson."""
    runs: list[list[int]] = []
    free, done = 0.0, 0
    while done < len(arrivals):
        start = max(free, arrivals[done]) + window
        here = [place for place, at in enumerate(arrivals) if place >= done and at <= start][:most]
        free = start + seconds
        runs.append(here)
        done += len(here)
    return runs


@checker
def check_batch_sizes(batch_sizes: Any) -> str:
    """Exercise 1: the sizes of the runs for six requests."""
    if isinstance(batch_sizes, str | bytes) or not hasattr(batch_sizes, "__iter__"):
        raise WrongAnswerError(
            f"The answer is a list with a number for each run, such as [2, 4]. It is {batch_sizes!r:.40}."
        )
    given = list(batch_sizes)
    if not given or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in given):
        raise WrongAnswerError("Each run has at least one request: the list has a whole number from 1 up for each.")
    if sum(given) != len(ARRIVALS):
        raise WrongAnswerError(
            f"Six requests come, and each is in one run. The numbers of yours add up to {sum(given)}."
        )
    if max(given) > MOST:
        raise WrongAnswerError(f"A run takes at most {MOST} requests. One of yours has {max(given)}.")
    right = [len(run) for run in schedule(ARRIVALS, WINDOW, SECONDS, MOST)]
    if given == [MOST, MOST]:
        raise WrongAnswerError(
            "The second run would have to wait until three are there. It waits for its window, no longer: who is in "
            "line at 28 ms?"
        )
    if given == [len(run) for run in schedule(ARRIVALS, 0.0, SECONDS, MOST)]:
        raise WrongAnswerError("So it would be without a window. The first request waits 4 ms before its run starts.")
    if given == [1] * len(ARRIVALS):
        raise WrongAnswerError("That is no batching: a run for each. Who arrives while the first one waits?")
    if given != right:
        raise WrongAnswerError(
            "Play it through: the first run starts at 0 + 4 ms and ends at 24 ms. Who has arrived by 4 ms? The next "
            "one starts 4 ms after the model is free and somebody is there."
        )
    return "Runs at 4, 28 and 52 ms. The fourth request waits longest: it came while the model was at work."


BODIES = [
    (b'{"texts": ["good", "bad"]}', 200),
    (b'{"texts": ["good"]}', 200),
    ('{"texts": ["né à Genève"]}'.encode(), 200),
    (b'{"texts": "good"}', 422),
    (b'{"texts": []}', 422),
    (b'{"texts": ["good", ""]}', 422),
    (b'{"texts": ["good", "  \\n"]}', 422),
    (b'{"texts": ["good", 42]}', 422),
    (b'{"texts": [null]}', 422),
    (b'{"texts": null}', 422),
    (b'{"text": ["good"]}', 422),
    (b'["good"]', 422),
    (b'"texts"', 422),
    (b'{"texts": ["good"', 422),
    (b'{"texts": ["\xff\xfe"]}', 422),
    (b"", 422),
    (b'{"texts": ["' + b"x" * 90 + b'"]}', 413),
    (b"[" * 101, 413),
    (b'{"texts": ["' + "é".encode() * 45 + b'"]}', 413),
]
"""Bodies and their status, for a limit of 100 bytes."""


@checker
def check_status_of(status_of: Callable[[bytes, int], int]) -> str:
    """Exercise 2: 200, 413 or 422 for the body of a request."""
    need_function(status_of, "status_of")
    hints = {
        b'{"texts": "good"}': "A str can be looped over like a list, letter by letter. Ask for a list.",
        b'{"texts": []}': "There is nothing to classify in an empty list.",
        b'{"texts": ["good", ""]}': "An empty text can't be classified.",
        b'{"texts": ["good", "  \\n"]}': "A text of blanks alone can't be classified. What does strip() leave of it?",
        b'["good"]': "JSON can be a list. Ask for a dict before you look for its key.",
        b'{"text": ["good"]}': "The key has to be texts.",
    }
    for body, expected in [*BODIES, (b'{"texts": ["' + b"x" * 85 + b'"]}', 200)]:
        try:
            found = status_of(body, 100)
        except WrongAnswerError as error:
            raise WrongAnswerError(f"A service answers, whatever comes. {error}") from None
        if isinstance(found, bool) or not isinstance(found, int) or found not in (200, 413, 422):
            raise WrongAnswerError(f"Return 200, 413 or 422. For {body!r:.40} yours returned {found!r:.40}.")
        if found == expected:
            continue
        if expected == 413:
            raise WrongAnswerError(
                f"The body has {len(body)} bytes and the limit is 100: 413. Count bytes, before you read them as JSON."
            )
        if found == 413:
            raise WrongAnswerError(f"The body has {len(body)} bytes, which is within the limit of 100.")
        raise WrongAnswerError(
            f"{body.decode(errors='replace')!r:.50} is {expected}, not {found}. " + hints.get(body, "")
        )
    return "It answers all of them, and reads no body that is too large."


@checker
def check_faithful(faithful: Callable[..., bool]) -> str:
    """Exercise 3: does one function give the logits of another, on every batch?"""
    import torch

    need_function(faithful, "faithful")
    random = torch.Generator().manual_seed(8)
    table = {n: torch.randn(n, 2, generator=random) for n in (1, 2, 3, 5)}
    batches = [["a"], ["a", "b", "c"], ["a", "b"], list("abcde")]

    def original(texts: list[str]) -> torch.Tensor:
        return table[len(texts)].clone()

    def moved(by: float, where: int, row: int = 0) -> Callable[[list[str]], torch.Tensor]:
        def run(texts: list[str]) -> torch.Tensor:
            logits = original(texts)
            if len(texts) == where:
                logits[row, 1] += by
            return logits

        return run

    def first_row(texts: list[str]) -> torch.Tensor:
        return original(texts)[:1] if len(texts) == 1 else original(texts)[:1].expand(len(texts), 2)

    def one_row(texts: list[str]) -> torch.Tensor:
        return torch.zeros(1, 2)

    def zeros(texts: list[str]) -> torch.Tensor:
        return torch.zeros(len(texts), 2)

    cases = [
        (original, original, True, "The same function on both sides is faithful."),
        (moved(0.00005, 3), original, True, "A difference of 0.00005 is within the tolerance."),
        (moved(0.5, 1), original, False, "One logit of the first batch is off by 0.5."),
        (moved(-0.5, 1), original, False, "A logit that is too low is as wrong as one too high: take abs() first."),
        (
            moved(0.5, 5, 4),
            original,
            False,
            "The last text of the last batch is off. Look at all batches and all texts.",
        ),
        (
            moved(0.5, 3, 1),
            original,
            False,
            "One text in the middle is off: it takes the largest difference, not the mean or the last.",
        ),
        (
            moved(0.01, 2, 1),
            original,
            False,
            "A logit is off by 0.01, and the labels are the same. Compare the logits.",
        ),
        (
            moved(math.nan, 3, 1),
            original,
            False,
            "A logit is NaN. No comparison with NaN is true, so ask what is true of "
            "a good export: not (difference > tolerance) lets it pass.",
        ),
        (moved(math.inf, 2), original, False, "A logit is infinite."),
        (first_row, original, False, "It gives every text the logits of the first one."),
        (
            one_row,
            zeros,
            False,
            "It returned one row for several texts. Tensors of other shapes are stretched to fit "
            "when you subtract them: compare the shapes, too.",
        ),
    ]
    for run, reference, expected, why in cases:
        found = faithful(run, reference, batches, 1e-4)
        if not isinstance(found, bool) and not (
            isinstance(found, torch.Tensor) and found.dtype == torch.bool and found.numel() == 1
        ):
            raise WrongAnswerError(f"Return True or False. Yours returned {found!r:.60}.")
        if bool(found) != expected:
            raise WrongAnswerError(f"It should be {expected}. {why}")
    return "It finds the low logit, the NaN, the wrong shape and the one bad text in the last batch."


@checker
def check_workers(workers: Callable[..., float]) -> str:
    """Exercise 4: how many workers a machine takes."""
    need_function(workers, "workers")
    # memory, program, model, batch (MB), cores
    cases = [
        (16_000, 400, 90, 510, 8),
        (16_000, 700, 90, 410, 200),
        (8_000, 1_000, 5_000, 500, 4),
        (4_000, 400, 25, 275, 4),
        (64_000, 300, 2_000, 700, 64),
        (1_000, 300, 400, 100, 2),
        (10_000, 300, 300, 400, 3),
    ]
    for memory, program, model, batch, cores in cases:
        one, room = program + model + batch, 7 * memory / 10
        expected = min(cores, int(room // one))
        found = workers(memory, program, model, batch, cores)
        call = f"workers({memory}, {program}, {model}, {batch}, {cores})"
        if isinstance(found, bool) or not isinstance(found, int | float) or found != found:
            raise WrongAnswerError(f"Return a whole number. {call} returned {found!r:.40}.")
        if found == expected:
            continue
        if found == 1 and expected == 0:
            raise WrongAnswerError(f"{call}: not even one fits. Then the answer is 0.")
        if found != int(found):
            raise WrongAnswerError(f"There is no part of a worker: {call} returned {found:g}. Round down.")
        if found == int(room // one):
            raise WrongAnswerError(f"{call}: there are {cores} cores, and a worker keeps one busy. More only wait.")
        if found == min(cores, memory // one):
            raise WrongAnswerError(f"{call}: use at most 70 % of the memory. The system needs some, too.")
        if found == min(cores, math.ceil(room / one)):
            raise WrongAnswerError(f"{call}: the last worker would not fit any more. Round down, not up.")
        if found == min(cores, int((room - program) // (model + batch))):
            raise WrongAnswerError(f"{call}: you count the program once. Each worker is a process and brings its own.")
        if found == min(cores, int(room // model)) or found == min(cores, int(room // (model + batch))):
            raise WrongAnswerError(f"{call}: a worker is a program, a model and a batch. Add up all three.")
        if found == cores and expected < cores:
            raise WrongAnswerError(f"{call}: {cores} workers take {cores * one:,} MB, and {room:,.0f} MB may be used.")
        raise WrongAnswerError(
            f"{call} should be {expected}: each worker takes {one:,} MB of {room:,.0f}. Yours is {found:g}."
        )
    return "Memory or cores, whichever ends first. And where not even one fits, it says so."


class _PowerCutError(Exception):
    """Raised by the classifier of exercise 5 when the plug is pulled."""


class _Classifier:
    """A classifier that notes its calls, and fails at the call with the number `cut`."""

    def __init__(self, cut: int | None = None) -> None:
        self.cut = cut
        self.calls: list[list[str]] = []

    def __call__(self, texts: list[str]) -> list[str]:
        if self.cut is not None and len(self.calls) == self.cut:
            raise _PowerCutError("the plug was pulled")
        self.calls.append(list(texts))
        return [f"label of {text}" for text in texts]


@checker
def check_go_on(go_on: Callable[..., Any]) -> str:
    """Exercise 5: a job that goes on after an interruption, piece by piece."""
    need_function(go_on, "go_on")
    run = getattr(go_on, "__wrapped__", go_on)
    for count, size, cut in ((10, 3, 2), (7, 7, 0), (12, 4, 1), (1, 5, None), (0, 3, None), (9, 2, 4)):
        texts = [f"text {number}" for number in range(count)]
        kept = list(texts)
        expected = [f"label of {text}" for text in texts]
        results: list[str] = []
        if cut is not None:
            classify = _Classifier(cut)
            try:
                returned = run(texts, results, classify, size)
            except _PowerCutError:
                pass
            else:
                if returned is ...:
                    go_on(texts, results, classify, size)  # says that nothing was answered
                if cut * size < count and len(classify.calls) == cut:
                    raise WrongAnswerError(
                        "The classifier failed, and your function hid it. Let the exception through: who called it has "
                        "to know that the job isn't done."
                    )
            if any(len(call) > size for call in classify.calls) or (not classify.calls and cut):
                raise WrongAnswerError(f"Give the classifier at most {size} texts at once, and all pieces in turn.")
            if results == [] and cut:
                raise WrongAnswerError(
                    f"After {cut} pieces the plug was pulled, and results is empty. Add each piece to results as soon "
                    "as it is done, and to the list itself: results = results + ... makes another one."
                )
            if results != expected[: cut * size]:
                raise WrongAnswerError(
                    f"After {cut} pieces of {size} and a power cut, results should have {cut * size} entries, those of "
                    f"the first texts. Yours has {len(results)}."
                )
        done = len(results)
        classify = _Classifier()
        go_on(texts, results, classify, size)
        if texts != kept:
            raise WrongAnswerError("Leave the list of texts as it was: whoever calls you still needs it.")
        again = [text for call in classify.calls for text in call]
        if again != texts[done:] or results != expected:
            if len(again) > count - done or len(results) > count:
                raise WrongAnswerError(
                    f"{done} of {count} texts were done already, and the second run gave {len(again)} to the "
                    "classifier. Go on after those that are in results."
                )
            raise WrongAnswerError(
                f"After the second run results should have all {count} labels, in the order of the texts. Yours has "
                f"{len(results)}, and {len(again)} texts were classified in that run."
            )
        if any(not 1 <= len(call) <= size for call in classify.calls):
            raise WrongAnswerError(f"Give the classifier from 1 to {size} texts at once: an empty piece is no piece.")
        if math.ceil((count - done) / size) != len(classify.calls):
            raise WrongAnswerError("Only the last piece may be shorter. Yours made more pieces than it takes.")
        classify = _Classifier()
        go_on(texts, results, classify, size)
        if classify.calls or results != expected:
            raise WrongAnswerError("All was done, and a third run began again. It should do nothing.")
    return "Nothing is lost, nothing is done twice, and a job that is done stays done."
