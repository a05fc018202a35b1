"""The checks of lesson 6: a first loss, leaks, a schedule, LoRA's parameters, when to stop, the weakest group."""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from course_utils.exercises import WrongAnswerError, checker
from course_utils.exercises.answers import number, text, texts, whole
from course_utils.exercises.cases import run_cases


@checker
def check_first_loss(first_loss: float) -> str:
    """Exercise 1: the loss of a fresh model with five labels."""
    found = number(first_loss, "first_loss", 0.25)
    right = math.log(5)
    if abs(found - right) <= 0.01:
        return "1.61, the logarithm of 5. A fresh model that begins far from it has a bug, or has been trained before."
    hints = {
        math.log(2): "is the loss for two labels. This head has five.",
        -right: "is the logarithm of 1/5. The logarithm of a number below 1 is negative, and the loss is minus that.",
        0.2: "is the probability of each label. The loss is minus its logarithm.",
        0.8: "is the share of wrong guesses. The loss asks for the logarithm of the probability.",
        math.log2(5): "is the logarithm to the base 2. The loss takes the natural one, math.log.",
        math.log10(5): "is the logarithm to the base 10. The loss takes the natural one, math.log.",
    }
    if near := [f"{value:.3f} {hint}" for value, hint in hints.items() if abs(found - value) < 0.005]:
        raise WrongAnswerError(" And ".join(near))
    where = "low" if found < right else "high"
    raise WrongAnswerError(
        f"Too {where}. Each of five labels gets the same probability: which? Then take minus its logarithm."
    )


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _sentences(text: str, ends: str = "[.!?]") -> list[str]:
    return [words for part in re.split(ends, text) if (words := _words(part))]


@checker
def check_find_leaks(find_leaks: Callable[[list[str], list[str]], list[str]]) -> str:
    """Exercise 2: the texts of a split that are in the other split, too, or one of whose sentences is."""
    train = ["It broke. I sent it back.", "Great phone", "A dull film, and far too long!", "Wow", "Never again."]
    cases: list[tuple[list[str], list[str]]] = [
        (train, ["A fine film.", "I sent it back! What a pity."]),
        (train, ["Great  PHONE!!!", "A phone case"]),
        (train, ["It broke. And then?", "It broke down in tears"]),
        (train, ["Who knew? It broke.And then"]),
        (train, ["A great phone case", "phone", "again never", "Film"]),
        (train, ["Great phone, bad case", "A dull film"]),  # a comma ends no sentence
        (train, ["Great phone: it broke", "Great\nphone"]),
        (train, ["Wow! What a film."]),  # a sentence of one word
        (train, ["What a film", "Never again", "Never again", "Great phone"]),  # in their order, and each that came
        ([*train, "🙃", "!"], ["🙂", "", "...", "Great phone"]),
        (train, []),
        ([], ["Great phone"]),
    ]
    rng = random.Random(6)
    alphabet = ["good", "bad", "film", "phone", "broke", "it"]

    def some() -> list[str]:
        return [". ".join(" ".join(rng.choices(alphabet, k=2)) for _ in range(2)) for _ in range(4)]

    cases += [(some(), some()) for _ in range(10)]

    def leaks(known: list[str], texts: list[str], cut: Callable[[str], list[str]] = _sentences) -> list[str]:
        seen = {sentence for text in known for sentence in cut(text)}
        return [text for text in texts if seen & set(cut(text))]

    def by(cut: Callable[[str], list[str]]) -> Callable[[list[str], list[str]], list[str]]:
        return functools.partial(leaks, cut=cut)

    run_cases(
        find_leaks,
        "find_leaks",
        cases,
        leaks,
        read=functools.partial(texts, kind="a list of texts, in their order"),
        mistakes={
            "You compare whole texts. One of its sentences is enough for a leak.": by(lambda text: [_words(text)]),
            "You compare the texts word for word: commas, capitals and spaces should not count.": (
                by(lambda text: [text])
            ),
            "You compare the sentences as they were written: commas, capitals and spaces should not count.": (
                by(lambda text: [part for part in re.split("[.!?]", text) if _words(part)])
            ),
            "You look at the first sentence of a text. Look at all of them.": by(lambda text: _sentences(text)[:1]),
            "You compare single words. Compare whole sentences.": by(lambda text: _words(text).split()),
            "You find a sentence inside of a longer one. Compare whole sentences.": (
                lambda known, texts: [
                    text for text in texts if any(part in " | ".join(map(_words, known)) for part in _sentences(text))
                ]
            ),
            "Of some sentences normalise leaves nothing, and nothing equals nothing. Leave out what is empty.": (
                by(lambda text: [_words(part) for part in re.split("[.!?]", text)])
            ),
            "You cut at commas, too. A sentence ends at a full stop, an exclamation mark or a question mark.": (
                by(lambda text: _sentences(text, "[.!?,]"))
            ),
            "You cut at full stops only. A sentence ends at ! and ?, too.": by(lambda text: _sentences(text, "[.]")),
            "You cut only where a space follows. A sentence ends at its mark, with or without a space.": (
                by(lambda text: _sentences(text, r"[.!?]\s"))
            ),
            "You leave out sentences of one word. Leave out only those of which normalise leaves nothing.": (
                by(lambda text: [sentence for sentence in _sentences(text) if " " in sentence])
            ),
            "Return the texts as they came, not what is left of them after normalise.": (
                lambda known, texts: list(map(_words, leaks(known, texts)))
            ),
            "A text that comes twice is found once. Return each of the texts that leaks.": (
                lambda known, texts: list(dict.fromkeys(leaks(known, texts)))
            ),
            "Those are the texts that don't leak. Return the others.": (
                lambda known, texts: [text for text in texts if text not in leaks(known, texts)]
            ),
            "Those are the known texts. Return those of the other list.": lambda known, texts: leaks(texts, known),
        },
    )
    return "Copies and half copies, whatever their commas. Run it before you train, not after you have celebrated."


@checker
def check_cosine_rate(cosine_rate: Callable[[int, int, float], float]) -> str:
    """Exercise 3: warm up in a straight line, then fall along half a cosine."""

    def rate(step: int, steps: int, peak: float) -> float:
        warm = steps // 10
        return peak * step / warm if step < warm else peak * half_cosine((step - warm) / (steps - warm))

    def half_cosine(t: float) -> float:
        return (1 + math.cos(math.pi * t)) / 2

    def after_the_warm_up(fall: Callable[[float], float]) -> Callable[[int, int, float], float]:
        """Return a schedule that warms up as it should, and falls from there as `fall` does for t from 0 to 1."""

        def falling(step: int, steps: int, peak: float) -> float:
            warm = steps // 10
            return rate(step, steps, peak) if step < warm else peak * fall((step - warm) / (steps - warm))

        return falling

    places = [(32, 100), (5, 100), (10, 100), (55, 100), (0, 100), (99, 100), (100, 100), (0, 5), (3, 5), (0, 1)]
    cases = [(step, steps, peak) for step, steps in places for peak in (1.0, 3e-4)]
    cases += [(step, steps, 2.0) for steps in (9, 10, 19, 40, 333) for step in range(0, steps + 1, 1 + steps // 40)]
    run_cases(
        cosine_rate,
        "cosine_rate",
        cases,
        rate,
        read=number,
        same=lambda found, expected: abs(found - expected) <= 1e-6,
        write=lambda found: f"{found:.6g}",
        mistakes={
            "That falls in a straight line, as the lesson's does. The task asks for a cosine.": (
                after_the_warm_up(lambda t: 1 - t)
            ),
            "Your rate falls below zero: a cosine goes from 1 to -1. Add 1, and halve it.": (
                after_the_warm_up(lambda t: math.cos(math.pi * t))
            ),
            "After the warm-up yours is twice as high as it should be: 1 plus a cosine goes up to 2, so halve it.": (
                after_the_warm_up(lambda t: 1 + math.cos(math.pi * t))
            ),
            "You take degrees, 180, for pi. The cosine of math and of NumPy counts in radians.": (
                after_the_warm_up(lambda t: (1 + math.cos(180 * t)) / 2)
            ),
            "You begin to fall at step 0: your t is step / steps. It is 0 at the end of the warm-up.": (
                lambda step, steps, peak: (
                    rate(step, steps, peak) if step < steps // 10 else peak * half_cosine(step / steps)
                )
            ),
            "There is no warm-up in yours: the first tenth rises in a straight line from 0.": (
                lambda step, steps, peak: peak * half_cosine((step - steps // 10) / (steps - steps // 10))
            ),
            "The peak is missing: your rate goes up to 1, whatever the peak is.": (
                lambda step, steps, peak: rate(step, steps, 1.0)
            ),
            "The peak is missing after the warm-up: your rate falls from 1, whatever the peak is.": (
                lambda step, steps, peak: rate(step, steps, peak if step < steps // 10 else 1.0)
            ),
            "You fall to 0 at step steps - 1. t is 1 at steps.": (
                lambda step, steps, peak: (
                    rate(step, steps, peak)
                    if step < steps // 10
                    else peak * half_cosine((step - steps // 10) / (steps - 1 - steps // 10))
                )
            ),
            "Your warm-up is steps / 10 long. It is steps // 10: with 19 steps there is one.": (
                lambda step, steps, peak: (
                    peak * step / (steps / 10)
                    if step < steps / 10
                    else peak * half_cosine((step - steps / 10) / (steps - steps / 10))
                )
            ),
        },
    )
    return "Slowly down at first, then faster, then slowly again. It is the schedule of many large models."


Shapes = list[tuple[int, int]]


@checker
def check_lora_parameters(lora_parameters: Callable[[Shapes, int], int]) -> str:
    """Exercise 4: how many numbers LoRA trains for some matrices."""
    square, wide, tall = (384, 384), (384, 1536), (1536, 384)
    run_cases(
        lora_parameters,
        "lora_parameters",
        [
            ([square], 8),
            ([tall], 8),
            ([square, tall, wide], 4),
            ([square, square, square, square], 8),  # four of the same shape are four matrices
            ([(7, 3)], 1),
            ([(7, 3), (2, 5), (7, 3)], 16),
            ([], 8),
        ],
        lambda shapes, r: sum(r * (rows + columns) for rows, columns in shapes),
        read=whole,
        write=lambda count: f"{count:,}",
        mistakes={
            "That is what the matrices have themselves. LoRA leaves them alone.": (
                lambda shapes, r: sum(rows * columns for rows, columns in shapes)
            ),
            "Those are all the numbers. Count the trained ones only: A and B, not W.": (
                lambda shapes, r: sum(rows * columns + r * (rows + columns) for rows, columns in shapes)
            ),
            "That is B alone, which has r columns. A is trained, too.": (
                lambda shapes, r: sum(r * rows for rows, _ in shapes)
            ),
            "That is A alone, which has r rows. B is trained, too.": (
                lambda shapes, r: sum(r * columns for _, columns in shapes)
            ),
            "You counted the first matrix only. Sum over all the shapes.": (
                lambda shapes, r: r * sum(shapes[0]) if shapes else 0
            ),
            "You counted each shape once. Four matrices of the same shape are four matrices.": (
                lambda shapes, r: sum(r * (rows + columns) for rows, columns in set(shapes))
            ),
            "Where is r? A has r rows, and B has r columns.": (
                lambda shapes, r: sum(rows + columns for rows, columns in shapes)
            ),
            "A is r times columns, B is rows times r. Add the two; don't multiply them.": (
                lambda shapes, r: sum(r * rows * columns for rows, columns in shapes)
            ),
            "You multiply the two thin matrices' numbers, with r in both. Add them.": (
                lambda shapes, r: sum(r * rows * r * columns for rows, columns in shapes)
            ),
        },
    )
    return "r times rows plus columns, for each matrix. Double r, and you double the adapter; the model stays as it is."


History = list[tuple[int, float]]
"""The steps at which a training was looked at, and the loss on the held-out texts."""


@checker
def check_best_step(best_step: Callable[[History, int], int]) -> str:
    """Exercise 5: which weights to keep, with the patience to wait for so many looks."""

    def losses(*values: float) -> History:
        return [(25 * place, value) for place, value in enumerate(values, start=1)]

    falls_again = losses(0.6, 0.5, 0.55, 0.56, 0.57, 0.3)
    cases = [
        (falls_again, 2),
        (falls_again, 3),
        (falls_again, 4),
        (falls_again, 5),
        (losses(0.7, 0.6, 0.5), 1),
        (losses(0.5, 0.6, 0.4), 1),
        (losses(0.6, 0.62, 0.5, 0.52, 0.4, 0.42, 0.44), 2),
        (losses(0.6, 0.5, 0.5, 0.5, 0.4), 2),  # as high as the best is not below it
        (losses(0.6, 0.5, 0.5, 0.7), 3),
        (losses(0.6, 0.5, 0.58, 0.55, 0.52, 0.4), 3),  # falling, and never below the best
        ([(7, 0.9), (10, 0.8), (30, 0.85)], 2),
        ([(40, 2.5)], 1),
    ]
    rng = random.Random(6)
    for _ in range(40):
        steps = sorted(rng.sample(range(1, 500), rng.randint(1, 9)))
        cases.append(([(step, rng.randint(1, 20) / 10) for step in steps], rng.randint(1, 4)))

    def seen(history: History, patience: int) -> History:
        """Return the looks up to the one at which the training stops."""
        best, waited = math.inf, 0
        for place, (_, loss) in enumerate(history, start=1):
            best, waited = (loss, 0) if loss < best else (best, waited + 1)
            if waited == patience:
                return history[:place]
        return history

    def lowest(history: History) -> tuple[int, float]:
        return min(history, key=lambda look: look[1])

    def with_the_last_of_equals(history: History, patience: int) -> int:
        best, lowest, waited = 0, math.inf, 0
        for step, loss in history:
            best, lowest, waited = (step, loss, 0) if loss <= lowest else (best, lowest, waited + 1)
            if waited == patience:
                break
        return best

    def from_look_to_look(history: History, patience: int) -> int:
        waited = 0
        for place, (before, now) in enumerate(pairwise(history), start=2):
            waited = 0 if now[1] < before[1] else waited + 1
            if waited == patience:
                return lowest(history[:place])[0]
        return lowest(history)[0]

    def counting_through(history: History, patience: int) -> int:
        best, waited = math.inf, 0
        for place, (_, loss) in enumerate(history, start=1):
            waited += loss >= best
            best = min(best, loss)
            if waited == patience:
                return lowest(history[:place])[0]
        return lowest(history)[0]

    run_cases(
        best_step,
        "best_step",
        cases,
        lambda history, patience: lowest(seen(history, patience))[0],
        read=functools.partial(number, example=75),
        write=lambda step: f"{step:g}",
        mistakes={
            "That is the step with the lowest loss of all. The training had stopped before it: where patience "
            "looks in a row brought no new best.": lambda history, patience: lowest(history)[0],
            "You stop there, but the weights to keep are older: those of the step with the lowest loss so far.": (
                lambda history, patience: seen(history, patience)[-1][0]
            ),
            "That is a loss. Return the step at which it was measured.": (
                lambda history, patience: lowest(seen(history, patience))[1]
            ),
            "That is a place in the list. Return the step that stands there.": (
                lambda history, patience: history.index(lowest(seen(history, patience)))
            ),
            "You stop at the first look that is not better, whatever the patience is.": (
                lambda history, patience: lowest(seen(history, 1))[0]
            ),
            "Each new best sets your count back to 0. Yours goes on counting.": counting_through,
            "You wait for one look too many. Stop as soon as patience looks in a row brought no new best.": (
                lambda history, patience: lowest(seen(history, patience + 1))[0]
            ),
            "You compare each loss with the one before it. Compare it with the lowest so far.": from_look_to_look,
            "A loss as high as the best so far has not fallen below it: it is no new best, and the first counts.": (
                with_the_last_of_equals
            ),
        },
    )
    return "Early stopping: train until it gets worse for a while, and keep the best. Trainer has it as a callback."


@checker
def check_weakest_group(weakest_group: Callable[..., object]) -> str:
    """Exercise 6: the group with the lowest accuracy, of those that are large enough to say so."""

    def counts(groups: list[str], predicted: list[str], expected: list[str]) -> dict[str, list[bool]]:
        hits: dict[str, list[bool]] = {}
        for group, one, other in zip(groups, predicted, expected, strict=True):
            hits.setdefault(group, []).append(one == other)
        return hits

    def lowest(
        of: Callable[[list[bool]], float], least: Callable[[int], int] = lambda at_least: at_least
    ) -> Callable[..., str]:
        """Return what answers with the group of the lowest value, of those with `least` texts or more."""

        def answer(groups: list[str], predicted: list[str], expected: list[str], at_least: int = 20) -> str:
            every = counts(groups, predicted, expected)
            large = {name: of(hits) for name, hits in every.items() if len(hits) >= least(at_least)}
            return min(large, key=large.__getitem__)

        return answer

    def accuracy(hits: list[bool]) -> float:
        return sum(hits) / len(hits)

    def in_words(groups: list[str], predicted: list[str], expected: list[str], *at_least: int) -> str:
        shares = ", ".join(f"{name} {sum(of)} of {len(of)}" for name, of in counts(groups, predicted, expected).items())
        least = at_least[0] if at_least else "20, its default,"
        return f"With at_least={least} and so many right ({shares}), weakest_group"

    run_cases(
        weakest_group,
        "weakest_group",
        _group_cases(),
        lowest(accuracy),
        read=functools.partial(text, example="the name of a group, such as 'book'"),
        write_call=in_words,
        mistakes={
            "That is the strongest group. Look for the lowest accuracy.": lowest(lambda hits: -accuracy(hits)),
            "That is the group with the most mistakes, and a large group has many. Divide by its size.": (
                lowest(lambda hits: sum(hits) - len(hits))
            ),
            "That is the group with the fewest hits, and a small group has few. Divide by its size.": lowest(sum),
            "That is the smallest group of those that are large enough. Which is the least often right?": lowest(len),
            "Leave out groups smaller than at_least: three texts say nothing.": lowest(accuracy, lambda _: 0),
            "A group of exactly at_least texts counts: 'at least' is >=, not >.": (
                lowest(accuracy, lambda at_least: at_least + 1)
            ),
            "You ask for 20 texts, whatever at_least is.": lowest(accuracy, lambda _: 20),
            "A group of which no answer is right is lost in yours. It has an accuracy of 0.": (
                lowest(lambda hits: accuracy(hits) or math.inf)
            ),
        },
    )
    return "A model is as good as it is to the people whom it serves worst. Ask this of every model before you ship it."


@functools.cache
def _group_cases() -> list[tuple[Any, ...]]:
    """Return texts by group, with what was predicted and expected, and how many a group needs, in most of the cases."""
    rng = random.Random(60)

    def answers(*groups: tuple[str, int, int], mixed: bool = True) -> tuple[list[str], list[str], list[str]]:
        """Make the three lists for groups with a name, so many hits and so many misses, among three labels."""
        labels = ["NEGATIVE", "NEUTRAL", "POSITIVE"]
        rows = []
        for name, hits, misses in groups:
            for hit in [True] * hits + [False] * misses:
                label = rng.choice(labels)
                rows.append((name, label if hit else rng.choice([other for other in labels if other != label]), label))
        if mixed:
            rng.shuffle(rows)
        names, predicted, expected = (list(column) for column in zip(*rows, strict=True))
        return names, predicted, expected

    cases: list[tuple[Any, ...]] = [
        (*answers(("tweet", 45, 5), ("film", 30, 20), ("phone", 40, 10)), 20),
        (*answers(("film", 190, 30), ("phone", 15, 10), ("tweet", 50, 5)), 20),  # most mistakes, and not the weakest
        (*answers(("odd", 0, 3), ("film", 30, 20), ("tweet", 45, 5)), 20),
        (*answers(("film", 10, 10), ("tweet", 45, 5)), 20),
        (*answers(("tweet", 20, 5), ("film", 0, 25)), 20),  # nothing right at all
        (*answers(("tweet", 20, 10), ("one", 0, 1)), 1),
        (*answers(("tweet", 90, 11), ("film", 10, 20), ("phone", 60, 42)), 100),
        answers(("few", 0, 19), ("film", 11, 9), ("tweet", 45, 5)),  # at_least is 20 where nobody says it
        (
            ["b", "a", "a", "b"],
            ["POSITIVE"] * 4,
            ["NEGATIVE", "POSITIVE", "NEGATIVE", "NEGATIVE"],
            2,
        ),  # each text counts
        (*answers(("all right", 30, 0)), 20),
        (*answers(("small", 10, 10), ("large", 199, 201), mixed=False), 20),  # 50 % and 49.75 %
        (*answers(("large", 199, 201), ("small", 10, 10), mixed=False), 20),
        (*answers(("b", 30, 2), ("a", 31, 1), ("c", 60, 1)), 20),
    ]
    while len(cases) < 24:
        groups = [(f"g{name}", rng.randint(0, 30), rng.randint(0, 30)) for name in range(4)]
        large = sorted(hits / (hits + misses) for _, hits, misses in groups if hits + misses >= 30)
        if large and large[0] not in large[1:]:
            cases.append((*answers(*groups), 30))
    return cases
