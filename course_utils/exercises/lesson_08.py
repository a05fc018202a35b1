"""The checks of lesson 8's exercises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_utils.exercises import WrongAnswerError, answers, checker, need_function
from course_utils.exercises.cases import run_cases

if TYPE_CHECKING:
    import torch

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
    given = answers.wholes(batch_sizes, "batch_sizes", "a list with a number for each run, such as [2, 4]")
    if not given or min(given) < 1:
        raise WrongAnswerError("Each run has at least one request: the list has a whole number from 1 up for each.")
    if sum(given) != len(ARRIVALS):
        raise WrongAnswerError(
            f"Six requests come, and each is in one run. The numbers of yours add up to {sum(given)}."
        )
    if max(given) > MOST:
        raise WrongAnswerError(f"A run takes at most {MOST} requests. One of yours has {max(given)}.")
    if given == [MOST, MOST]:
        raise WrongAnswerError(
            "The second run would have to wait until three are there. It waits for its window, no longer: who is in "
            "line at 28 ms?"
        )
    if given == [len(run) for run in schedule(ARRIVALS, 0.0, SECONDS, MOST)]:
        raise WrongAnswerError("So it would be without a window. The first request waits 4 ms before its run starts.")
    if given == [1] * len(ARRIVALS):
        raise WrongAnswerError("That is no batching: a run for each. Who arrives while the first one waits?")
    if given != [len(run) for run in schedule(ARRIVALS, WINDOW, SECONDS, MOST)]:
        raise WrongAnswerError(
            "Play it through: the first run starts at 0 + 4 ms and ends at 24 ms. Who has arrived by 4 ms? The next "
            "one starts 4 ms after the model is free and somebody is there."
        )
    return "Runs at 4, 28 and 52 ms. The fourth request waits longest: it came while the model was at work."


DEEP = 100_000
BODIES = [
    (b'{"texts": ["good", "bad"]}', 100, 200, "Two texts are fine."),
    (b'{"texts": ["good"]}', 100, 200, "A list of one text is fine."),
    ('{"texts": ["né à Genève"]}'.encode(), 100, 200, "A text may have any letters."),
    (b'{"id": 7, "texts": ["good"]}', 100, 200, "It may have other keys beside texts."),
    (b'{"texts": [" good "]}', 100, 200, "Blanks around a text do no harm."),
    (b'{"texts": "good"}', 100, 422, "Its texts is a string, and no list."),
    (b'{"texts": {"good": "bad"}}', 100, 422, "Its texts is an object, and no list."),
    (b'{"texts": null}', 100, 422, "Its texts is null, and no list."),
    (b'{"texts": true}', 100, 422, "Its texts is true, and no list."),
    (b'{"texts": []}', 100, 422, "Its list is empty: there is nothing to classify."),
    (b'{"texts": ["good", ""]}', 100, 422, "Its second text is empty."),
    (b'{"texts": ["", "good"]}', 100, 422, "Its first text is empty."),
    (b'{"texts": ["good", "  \\n", "bad"]}', 100, 422, "Its second text is all whitespace."),
    (b'{"texts": ["good", 42, "bad"]}', 100, 422, "Its second text is a number."),
    (b'{"texts": [null]}', 100, 422, "Its only text is null."),
    (b'{"texts": [["good"]]}', 100, 422, "Its only text is a list."),
    (b'{"text": ["good"]}', 100, 422, "It has no texts: the key is text."),
    (b'{"Texts": ["good"]}', 100, 422, "It has no texts: the key is Texts."),
    (b"{}", 100, 422, "It has no texts."),
    (b'["good"]', 100, 422, "It is a list, and no object."),
    (b'["texts"]', 100, 422, "It is a list, and no object."),
    (b'"texts"', 100, 422, "It is a string, and no object."),
    (b"null", 100, 422, "It is null, and no object."),
    (b"42", 100, 422, "It is a number, and no object."),
    (b'{"texts": ["good"', 100, 422, "It isn't JSON: it ends too early."),
    (b'{"texts": ["\xff\xfe"]}', 100, 422, "It isn't JSON: its bytes are no UTF-8."),
    (b"", 100, 422, "It is empty, and no JSON."),
    (b'{"texts": ["' + b"x" * 85 + b'"]}', 100, 200, "It has 100 bytes, as many as are allowed."),
    (b'{"texts": ["' + b"x" * 86 + b'"]}', 100, 413, "It has 101 bytes, and 100 are allowed."),
    (b'{"texts": ["good"]}' + b" " * 90, 100, 413, "It has 109 bytes, and 100 are allowed: blanks are bytes, too."),
    (b"[" * 101, 100, 413, "It has 101 bytes, and 100 are allowed, whatever is in it."),
    (
        b'{"texts": ["' + "é".encode() * 45 + b'"]}',
        100,
        413,
        "It has 105 bytes, and 100 are allowed. (Its characters are fewer: é takes two bytes.)",
    ),
    (b'{"texts": ["good"]}', 18, 413, "It has 19 bytes, and 18 are allowed."),
    (b'{"texts": ["good"]}', 19, 200, "It has 19 bytes, as many as are allowed."),
    (b'{"texts": ["' + b"good " * 40 + b'"]}', 1000, 200, "It has 215 bytes, and 1000 are allowed."),
    (
        b"[" * DEEP,
        1_000_000,
        422,
        f"It is {DEEP:,} brackets, one inside the other. json.loads gives up with a RecursionError, which is no "
        "ValueError.",
    ),
    (b'{"texts": ["good", "bad"]}', 100, 200, "Two texts are fine."),
]
"""Bodies, the bytes that are allowed, the status, and what is true of the body."""


@checker
def check_status_of(status_of: Callable[[bytes, int], int]) -> str:
    """Exercise 2: 200, 413 or 422 for the body of a request."""
    need_function(status_of, "status_of")
    for body, most_bytes, expected, why in BODIES:
        try:
            answer = status_of(body, most_bytes)
        except WrongAnswerError as error:
            raise WrongAnswerError(f"A service answers, whatever comes: here with {expected}. {why} {error}") from None
        call = f"status_of({body!r:.50}, {most_bytes})"
        found = answers.whole(answer, call, "200, 413 or 422")
        if found != expected:
            raise WrongAnswerError(f"{call} should be {expected}. {why} Yours is {found}.")
    return "It has an answer to all of them, and the size comes first."


Run = Callable[[list[str]], "torch.Tensor"]
Fidelity = tuple[Run, Run, list[list[str]], float, bool, str]
"""What `faithful` is given, what it should say, and what is true of the copy."""


@checker
def check_faithful(faithful: Callable[..., bool]) -> str:
    """Exercise 3: does one function give the logits of another, on every batch?"""
    need_function(faithful, "faithful")

    def ask(copy: Run, original: Run, batches: list[list[str]], tolerance: float, *_: object) -> bool:
        return faithful(copy, original, batches, tolerance)

    def explain(found: bool, right: bool, *case: Any) -> str:
        return f"With a tolerance of {case[3]:g} it should be {right}. {case[5]}"

    run_cases(
        ask,
        "faithful",
        _copies(),
        lambda *case: bool(case[4]),
        read=answers.truth,
        mistakes=FAITHFUL_MISTAKES,
        write_call=lambda *case: f"faithful(copy, original, {case[2]}, {case[3]:g})",
        explain=explain,
    )
    return "It finds the low logit, the NaN, the wrong shape and the one bad text in the last batch."


def _copies() -> list[Fidelity]:
    import torch

    random = torch.Generator().manual_seed(8)
    batches: list[list[str]] = [["a"], ["a", "b", "c"], ["a", "b"], list("abcde")]
    table = {len(texts): torch.randn(len(texts), 2, generator=random) for texts in batches}

    def original(texts: list[str]) -> torch.Tensor:
        return table[len(texts)].clone()

    def large(texts: list[str]) -> torch.Tensor:
        return 1000 + original(texts)

    def whole(texts: list[str]) -> torch.Tensor:
        return original(texts).round()

    def moved(reference: Run, by: float, where: int, row: int = 0, column: int | slice = 1) -> Run:
        def run(texts: list[str]) -> torch.Tensor:
            logits = reference(texts)
            if len(texts) == where:
                logits[row, column] += by
            return logits

        return run

    def closer(texts: list[str]) -> torch.Tensor:
        """Change the last batch by 0.01, towards the higher label."""
        logits = original(texts)
        return logits + 0.01 * logits.sign() if len(texts) == 5 else logits

    def first_row(texts: list[str]) -> torch.Tensor:
        return original(texts)[:1].expand(len(texts), 2).clone()

    def one_row(texts: list[str]) -> torch.Tensor:
        return torch.zeros(1, 2)

    def zeros(texts: list[str]) -> torch.Tensor:
        return torch.zeros(len(texts), 2)

    def one_column(texts: list[str]) -> torch.Tensor:
        return torch.zeros(len(texts), 1)

    def case(
        copy: Run, right: bool, why: str, tolerance: float = 1e-4, of: Run = original, texts: list[list[str]] = batches
    ) -> Fidelity:
        return copy, of, texts, tolerance, right, why

    nan, inf = math.nan, math.inf
    return [
        case(original, True, "The same function on both sides is faithful."),
        case(moved(original, 0.00005, 3), True, "One logit is off by 0.00005, which is within it."),
        case(moved(original, 0.5, 1), False, "One logit of the first batch is too high by 0.5."),
        case(moved(original, -0.5, 1), False, "One logit of the first batch is too low by 0.5."),
        case(moved(original, 0.5, 3, 1, 0), False, "One logit of a batch in the middle is too high by 0.5."),
        case(moved(original, -0.5, 5, 4), False, "One logit of the last text in the last batch is too low by 0.5."),
        case(moved(original, 5.0, 3, 0, slice(None)), False, "Two logits are too high by 5."),
        case(
            moved(moved(original, 5.0, 3, 0), -5.0, 3, 2),
            False,
            "One logit is too high by 5 and another too low by 5, which is 0 in their mean.",
        ),
        case(moved(original, 0.00015, 5), False, "One logit of ten is off by 0.00015, and all others are the same."),
        case(moved(original, 0.0003, 5), True, "One logit is off by 0.0003.", 0.01),
        case(moved(original, 0.05, 1), False, "One logit is off by 0.05.", 0.01),
        case(closer, False, "The logits of the last batch are off by 0.01, and the labels are the same."),
        case(moved(large, 0.005, 2), False, "Logits of about 1000 are off by 0.005.", of=large),
        case(moved(whole, 0.5, 3), True, "One logit is off by exactly 0.5.", 0.5, whole),
        case(original, True, "The same function on both sides is faithful.", 0.0),
        case(moved(original, nan, 3, 1), False, "One logit of the copy is NaN."),
        case(moved(original, nan, 1, 0, slice(None)), False, "The logits of the first batch are NaN."),
        case(moved(original, inf, 2), False, "One logit of the copy is infinite."),
        case(first_row, False, "The copy gives every text the logits of the first one."),
        case(one_row, False, "The copy has one row for several texts, and subtraction stretches it to fit.", of=zeros),
        case(one_column, False, "The copy has one column for two, and subtraction stretches it to fit.", of=zeros),
        case(zeros, False, "The copy has several rows for one, and subtraction stretches that to fit.", of=one_row),
        case(lambda texts: original(texts) + 0.00008, True, "All logits are off by 0.00008, which is within it."),
        case(large, True, "The same function on both sides is faithful.", of=large),
        case(moved(original, 0.5, 3), True, "All of these batches agree.", texts=[["a"], ["a", "b"]]),
    ]


def _by(
    measure: Callable[[torch.Tensor, torch.Tensor], Any],
    *,
    shapes: bool = True,
    batches: slice = slice(None),
    nan: bool = False,
    factor: float = 1.0,
    tolerance: float | None = None,
) -> Callable[..., bool]:
    """Return an answer that compares a measure of each batch with the tolerance, and has a mistake or two."""

    def faithful(copy: Run, original: Run, every: list[list[str]], allowed: float, *_: object) -> bool:
        allowed = factor * (allowed if tolerance is None else tolerance)
        for texts in every[batches]:
            found, wanted = copy(texts), original(texts)
            if shapes and found.shape != wanted.shape:
                return False
            off = float(measure(found, wanted))
            if off > allowed or (math.isnan(off) and not nan):
                return False
        return True

    return faithful


def _largest(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (found - wanted).abs().max()


FAITHFUL_MISTAKES: Mapping[str, Callable[[Run, Run, list[list[str]], float, bool, str], bool]] = {
    "A logit that is too low is as wrong as one too high: take abs() first.": _by(lambda a, b: (a - b).max()),
    "Take abs() of the differences first, and compare the shapes before that.": _by(
        lambda a, b: (a - b).max(), shapes=False
    ),
    "You look at the mean of the differences, where one bad logit drowns, and +5 and -5 cancel.": (
        _by(lambda a, b: (a - b).mean())
    ),
    "You look at the size of the mean difference, where one bad logit drowns, and +5 and -5 cancel.": (
        _by(lambda a, b: (a - b).mean().abs())
    ),
    "You look at the mean of the differences, where one bad logit drowns. Take the largest.": (
        _by(lambda a, b: (a - b).abs().mean())
    ),
    "You look at the first batch alone.": _by(_largest, batches=slice(1)),
    "You look at the last batch alone.": _by(_largest, batches=slice(-1, None)),
    "NaN slips through: every comparison with NaN is False. Ask what is true of a good copy, difference "
    "<= tolerance, and not what is true of a bad one.": _by(_largest, nan=True),
    "The shapes are not compared, so one row passes for several: look at the shapes, too.": _by(_largest, shapes=False),
    "Compare the shapes first, and ask for difference <= tolerance: no comparison with NaN is true.": _by(
        _largest, shapes=False, nan=True
    ),
    "You compare with 0.0001, whatever the tolerance.": _by(_largest, tolerance=1e-4),
    "You allow ten times the tolerance.": _by(_largest, factor=10),
    "allclose adds a part of the size of the logits to the tolerance. Say rtol=0.": (
        lambda copy, original, batches, allowed, *_: all(
            copy(texts).shape == original(texts).shape and copy(texts).allclose(original(texts), atol=allowed)
            for texts in batches
        )
    ),
    "A difference as large as the tolerance is within it: <=, and not <.": (
        lambda copy, original, batches, allowed, *_: all(
            copy(texts).shape == original(texts).shape and bool(_largest(copy(texts), original(texts)) < allowed)
            for texts in batches
        )
    ),
    "You ask for equal logits. Floats that are added up in another order differ in the last digits.": (
        lambda copy, original, batches, allowed, *_: all(copy(texts).equal(original(texts)) for texts in batches)
    ),
    "You compare the labels. They stay the same when the logits are a little wrong, until a text is a close call.": (
        lambda copy, original, batches, allowed, *_: all(
            copy(texts).argmax(-1).equal(original(texts).argmax(-1)) for texts in batches
        )
    ),
}


MACHINES = (
    (16_000, 400, 90, 510, 8),
    (16_000, 700, 90, 410, 200),
    (8_000, 1_000, 5_000, 500, 4),
    (4_000, 400, 25, 275, 4),
    (3_999, 400, 25, 275, 4),
    (64_000, 300, 2_000, 700, 64),
    (1_000, 300, 400, 100, 2),
    (10_000, 300, 300, 400, 3),
    (20_000, 350, 250, 400, 40),
    (2_000, 300, 60, 150, 1),
)
"""Memory, program, model and batch in MB, and cores: one or the other ends first, exact fits, none at all."""


def _workers(room: float, each: float, cores: float) -> int:
    return min(int(cores), int(room // each))


WORKERS_MISTAKES: Mapping[str, Callable[[int, int, int, int, int], float]] = {
    "There are only so many cores, and a worker keeps one busy. More than that only wait.": (
        lambda memory, program, model, batch, cores: 7 * memory / 10 // (program + model + batch)
    ),
    "Use at most 70 % of the memory. The system needs some, too.": (
        lambda memory, program, model, batch, cores: _workers(memory, program + model + batch, cores)
    ),
    "70 % may be used, and you use 30 %.": (
        lambda memory, program, model, batch, cores: _workers(3 * memory / 10, program + model + batch, cores)
    ),
    "The last worker would not fit any more. Round down, not up.": (
        lambda memory, program, model, batch, cores: min(cores, math.ceil(7 * memory / 10 / (program + model + batch)))
    ),
    "Round down: the nearest whole number may be one worker too many.": (
        lambda memory, program, model, batch, cores: min(cores, round(7 * memory / 10 / (program + model + batch)))
    ),
    "You count the program once. Each worker is a process and brings its own.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10 - program, model + batch, cores)
    ),
    "You count the model once. Each worker is a process and loads its own.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10 - model, program + batch, cores)
    ),
    "You count the batch once. Each worker has one in memory.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10 - batch, program + model, cores)
    ),
    "You count program and model once. Each worker is a process and has its own.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10 - program - model, batch, cores)
    ),
    "A worker is more than its model: add the program and the batch.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10, model, cores)
    ),
    "A worker has a program of its own, too. Add it to the model and the batch.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10, model + batch, cores)
    ),
    "A worker has a batch in memory, too. Add it to the program and the model.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10, program + model, cores)
    ),
    "A worker loads the model, too. Add it to the program and the batch.": (
        lambda memory, program, model, batch, cores: _workers(7 * memory / 10, program + batch, cores)
    ),
    "The memory may end before the cores do. How many workers fit into 70 % of it?": (
        lambda memory, program, model, batch, cores: cores
    ),
    "Take the smaller of the two numbers: both limits have to be kept.": (
        lambda memory, program, model, batch, cores: max(cores, int(7 * memory / 10 // (program + model + batch)))
    ),
    "Where not even one worker fits, the answer is 0.": (
        lambda memory, program, model, batch, cores: max(1, _workers(7 * memory / 10, program + model + batch, cores))
    ),
}


@checker
def check_workers(workers: Callable[..., float]) -> str:
    """Exercise 4: how many workers a machine takes."""
    run_cases(
        workers,
        "workers",
        MACHINES,
        lambda memory, program, model, batch, cores: min(cores, 7 * memory // (10 * (program + model + batch))),
        read=_count,
        mistakes=WORKERS_MISTAKES,
        explain=_explain_workers,
    )
    return "Memory or cores, whichever ends first. And where not even one fits, it says so."


def _explain_workers(found: int, right: int, memory: int, program: int, model: int, batch: int, cores: int) -> str:
    machine = (memory, program, model, batch, cores)
    return (
        f"workers{machine} should be {right}: each takes {program + model + batch:,} of {7 * memory // 10:,} MB, and "
        f"there are {cores} cores. Yours is {found}."
    )


def _count(answer: object, call: str) -> int:
    count = answers.number(answer, call, 3)
    if not count.is_integer():
        raise WrongAnswerError(f"There is no part of a worker: {call} returned {count:g}. Round down.")
    return int(count)


class _PowerCutError(Exception):
    """Raised by the classifier of exercise 5 when the plug is pulled."""


@dataclass
class _Job:
    """A job of exercise 5: texts, the results of an earlier run, and a classifier that notes what it is given.

    `cut` is the number of the call at which the classifier fails; None lets all of them through.
    """

    count: int
    size: int
    done: int
    cut: int | None = None
    calls: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the texts, some of which come twice, and the results."""
        self.texts = [f"text {number % 7}" for number in range(self.count)]
        self.before = [f"label {number} of an earlier run" for number in range(self.done)]
        self.pieces = [self.texts[at : at + self.size] for at in range(self.done, self.count, self.size)]
        self.results = list(self.before)
        self.handed = list(self.texts)

    def classify(self, texts: list[str]) -> list[str]:
        if self.cut == len(self.calls):
            raise _PowerCutError("the plug was pulled")
        self.calls.append(texts)
        return [f"label of {text}" for text in texts]

    def expected(self, pieces: int | None = None) -> list[str]:
        """Return what should be in the results after so many pieces, or after all."""
        return self.before + [f"label of {text}" for piece in self.pieces[:pieces] for text in piece]

    def __str__(self) -> str:
        return f"With {self.done} of {self.count} texts done and a size of {self.size}"


JOBS = [
    (count, size, done)
    for count, size in ((10, 3), (7, 7), (12, 4), (1, 5), (9, 2), (5, 1), (0, 3))
    for done in (0, *range(1, count + 1))
]
"""How many texts, the size of a piece, and how many are done: every place at which the earlier run may have ended."""


@checker
def check_go_on(go_on: Callable[..., Any]) -> str:
    """Exercise 5: a job that goes on after an interruption, piece by piece."""
    need_function(go_on, "go_on")
    for count, size, done in JOBS:
        job = _Job(count, size, done)
        go_on(job.handed, job.results, job.classify, size)
        _check_whole_run(job)
        for cut in range(len(job.pieces)):
            job = _Job(count, size, done, cut)
            _pull_the_plug(go_on, job)
            _check_what_is_kept(job)
    return "Nothing is lost, nothing is done twice, and a job that is done stays done."


def _check_whole_run(job: _Job) -> None:
    """Compare the pieces, and the results.

    Raises:
        WrongAnswerError: something was left out, done twice, in other pieces, or not kept.
    """
    _check_texts(job)
    if not all(isinstance(call, (list, tuple)) for call in job.calls):
        raise WrongAnswerError(f"{job}, classify should be given a list. It was given {answers.said(job.calls[0])}.")
    calls = [list(call) for call in job.calls]
    if job.done and calls == _Job(job.count, job.size, 0).pieces:
        raise WrongAnswerError(f"{job}, all texts were classified again. Go on after those that are in results.")
    if any(len(call) > job.size for call in calls):
        raise WrongAnswerError(f"{job}, a piece had {max(map(len, calls))} texts. Give classify {job.size} at once.")
    if [] in calls:
        raise WrongAnswerError(f"{job}, classify was given an empty list: an empty piece is no piece.")
    if calls != job.pieces:
        place = next(
            place for place in range(len(calls) + 1) if calls[place : place + 1] != job.pieces[place : place + 1]
        )
        wanted, came = (pieces[place] if place < len(pieces) else "none" for pieces in (job.pieces, calls))
        raise WrongAnswerError(f"{job}, piece {place + 1} of this run should be {wanted}. Yours was {came}.")
    if job.results == job.before and calls:
        raise WrongAnswerError(
            "All texts were classified, and results is as it was. Add to the list itself: results = results + ... "
            "makes another one."
        )
    if job.results != job.expected():
        raise WrongAnswerError(f"{job}, results should be {job.expected()} in the end. It is {job.results!r:.300}.")


def _pull_the_plug(go_on: Callable[..., Any], job: _Job) -> None:
    """Run a job whose classifier fails.

    Raises:
        WrongAnswerError: the answer hid that.
    """
    try:
        go_on(job.handed, job.results, job.classify, job.size)
    except WrongAnswerError as error:
        if isinstance(error.__cause__, _PowerCutError):
            return
        raise
    raise WrongAnswerError(
        "classify raised an exception, and your function hid it. Let it through: who called it has to know that the "
        "job isn't done."
    )


def _check_what_is_kept(job: _Job) -> None:
    """Compare the results with the pieces that were done before the power cut.

    Raises:
        WrongAnswerError: they are others.
    """
    _check_texts(job)
    expected = job.expected(job.cut)
    if job.results == job.before and expected != job.before:
        raise WrongAnswerError(
            f"After {job.cut} pieces the plug was pulled, and results is as it was before them. Add each piece as soon "
            "as it is done."
        )
    if job.results != expected:
        raise WrongAnswerError(
            f"{job}, the plug was pulled after {job.cut} pieces. Then results should be {expected}. It is "
            f"{job.results!r:.300}."
        )


def _check_texts(job: _Job) -> None:
    if job.handed != job.texts:
        raise WrongAnswerError("Leave the list of texts as it was: whoever calls you still needs it.")
