"""The checks of lesson 6: a first loss, leaks, a schedule, LoRA's parameters, when to stop, the weakest group."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable

from course_utils.exercises import WrongAnswerError, checker, need_function


def _number(value: object, what: str) -> float:
    """Return a plain number out of whatever a learner computed it with (NumPy, torch), or say what is wanted."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WrongAnswerError(f"{what} is a number. This is {value!r:.60}.")
    return float(value)


@checker
def check_first_loss(first_loss: float) -> str:
    """Exercise 1: the loss of a fresh model with five labels."""
    found = _number(first_loss, "A loss")
    right = math.log(5)
    hints = {
        math.log(2): "That is the loss for two labels. This head has five.",
        -right: "The logarithm of a number below 1 is negative, and the loss is minus that.",
        0.2: "0.2 is the probability of each label. The loss is minus its logarithm.",
        0.8: "That is the share of wrong guesses. The loss asks for the logarithm of the probability.",
        math.log2(5): "That is the logarithm to the base 2. The loss takes the natural one, math.log.",
        math.log10(5): "That is the logarithm to the base 10. The loss takes the natural one, math.log.",
    }
    for value, hint in hints.items():
        if abs(found - value) < 0.004:
            raise WrongAnswerError(hint)
    if abs(found - right) > 0.006:
        where = "low" if found < right else "high"
        raise WrongAnswerError(
            f"Too {where}. Each of five labels gets the same probability: which? Then take minus its logarithm."
        )
    return "1.61, the logarithm of 5. A fresh model that begins far from it has a bug, or has been trained before."


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


@checker
def check_find_leaks(find_leaks: Callable[[list[str], list[str]], list[str]]) -> str:
    """Exercise 2: the texts of a split that are in the other split, too, or one of whose sentences is."""
    need_function(find_leaks, "find_leaks")
    train = ["It broke. I sent it back.", "Great phone", "A dull film, and far too long!", "Never again."]
    cases = [
        (["Great  PHONE!!!"], "commas, capitals and spaces"),
        (["I sent it back! What a pity."], "one of its sentences"),
        (["Great phone"], "word for word"),
        (["It broke. And then?"], "one of its sentences"),
    ]
    clean = ["A great phone case", "It broke down in tears", "Film", "again never", "🙂", ""]
    if (found := find_leaks(train, [])) is None:
        raise WrongAnswerError("find_leaks returned None. Does it end in a return?")
    if not isinstance(found, (list, tuple, set)):
        raise WrongAnswerError(f"Return a list of texts. Yours returned {found!r:.60}.")
    for texts, what in cases:
        found = list(find_leaks(train, [*clean[:2], *texts]))
        if found == list(map(_words, texts)) and found != texts:
            raise WrongAnswerError("Return the texts as they came, not what is left of them after normalise.")
        if not set(texts) & set(found):
            raise WrongAnswerError(f"{texts[0]!r} has a twin in {train}: compare {what}. Yours did not find it.")
    for text in clean:
        if text in list(find_leaks([*train, "🙃", "!"], [text, "Great phone"])):
            if not _words(text):
                raise WrongAnswerError(
                    f"Of {text!r} normalise leaves nothing, and nothing equals nothing. Leave out what is empty."
                )
            raise WrongAnswerError(
                f"{text!r} is no leak: no sentence of it is a train sentence. Compare whole sentences, not words."
            )
    generator = random.Random(6)
    alphabet = ["good", "bad", "film", "phone", "broke", "again", "never", "it"]
    for _ in range(30):
        known, texts = (
            [". ".join(" ".join(generator.choices(alphabet, k=2)) for _ in range(2)) for _ in range(4)] for _ in "12"
        )
        seen = {_words(part) for text in known for part in re.split(r"[.!?]", text)}
        expected = [text for text in texts if {_words(part) for part in re.split(r"[.!?]", text)} & seen]
        if list(find_leaks(known, texts)) != expected:
            raise WrongAnswerError(
                f"With the train texts {known}, the leaks in {texts} are {expected}, in their order."
            )
    return "Copies and half copies, whatever their commas. Run it before you train, not after you have celebrated."


@checker
def check_cosine_rate(cosine_rate: Callable[[int, int, float], float]) -> str:
    """Exercise 3: warm up in a straight line, then fall along half a cosine."""
    need_function(cosine_rate, "cosine_rate")

    def expected(step: int, steps: int, peak: float) -> float:
        warm = steps // 10
        if step < warm:
            return peak * step / warm
        return peak * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2

    def rate(step: int, steps: int, peak: float) -> float:
        return _number(cosine_rate(step, steps, peak), f"The rate at step {step}")

    if abs(rate(10, 100, 1.0) - 1) > 1e-6:
        raise WrongAnswerError(
            f"At the end of the warm-up, step 10 of 100, the rate is the peak. With a peak of 1 yours is "
            f"{rate(10, 100, 1.0):.3f}. Is the cosine's angle 0 there?"
        )
    if abs(rate(5, 100, 1.0) - 0.5) > 1e-6:
        raise WrongAnswerError(
            f"Half way through the warm-up the rate is half the peak; yours is {rate(5, 100, 1.0):.3f}."
        )
    if rate(60, 100, 1.0) < -1e-9 or rate(99, 100, 1.0) < -1e-9:
        raise WrongAnswerError("Your rate falls below zero: a cosine goes from 1 to -1. Add 1, and halve it.")
    middle = rate(55, 100, 1.0)
    if abs(middle - 0.5) > 1e-6:
        raise WrongAnswerError(f"Half way down, at step 55 of 100, the rate is half the peak; yours is {middle:.3f}.")
    if abs(rate(32, 100, 1.0) - (100 - 32) / 90) < 1e-6:
        raise WrongAnswerError("That falls in a straight line, as the lesson's does. The task asks for a cosine.")
    if abs(rate(50, 100, 3e-4) - 3e-4 * rate(50, 100, 1.0)) > 1e-9:
        raise WrongAnswerError("With three times the peak, every rate should be three times as high. Multiply by peak.")
    for steps in (10, 40, 100, 333):
        for step in range(steps):
            if abs(rate(step, steps, 2.0) - expected(step, steps, 2.0)) > 1e-6:
                raise WrongAnswerError(
                    f"At step {step} of {steps}, with a peak of 2, the rate is {expected(step, steps, 2.0):.4f}; "
                    f"yours is {rate(step, steps, 2.0):.4f}."
                )
    if abs(rate(0, 5, 1.0) - 1) > 1e-6:
        raise WrongAnswerError("With 5 steps there is no warm-up at all (5 // 10 is 0), so step 0 has the peak.")
    return "Slowly down at first, then faster, then slowly again. It is the schedule of many large models."


@checker
def check_lora_parameters(lora_parameters: Callable[[list[tuple[int, int]], int], int]) -> str:
    """Exercise 4: how many numbers LoRA trains for some matrices."""
    need_function(lora_parameters, "lora_parameters")
    cases: list[tuple[list[tuple[int, int]], int]]
    cases = [([(384, 384)], 8), ([(1536, 384)], 8), ([(384, 384), (1536, 384), (384, 1536)], 4), ([(7, 3)], 1), ([], 8)]
    for shapes, r in cases:
        found = _number(lora_parameters(shapes, r), "The count")
        right = sum(r * (rows + columns) for rows, columns in shapes)
        if found == right:
            continue
        both = sum(rows * columns for rows, columns in shapes)
        if found == both:
            raise WrongAnswerError(f"{found:,.0f} is what the matrices have themselves. LoRA leaves them alone.")
        if found == both + right:
            raise WrongAnswerError("Those are all the numbers. Count the trained ones only: A and B, not W.")
        if found in (sum(r * rows for rows, _ in shapes), sum(r * columns for _, columns in shapes)):
            raise WrongAnswerError(
                "That is one of the two thin matrices. B has r columns and A has r rows: count both."
            )
        if shapes and found == r * sum(shapes[0]):
            raise WrongAnswerError("You counted the first matrix only. Sum over all the shapes.")
        if found == sum(rows + columns for rows, columns in shapes):
            raise WrongAnswerError("Where is r? A has r rows, and B has r columns.")
        if found == sum(r * rows * columns for rows, columns in shapes):
            raise WrongAnswerError("A is r times columns, B is rows times r. Add the two; don't multiply them.")
        raise WrongAnswerError(f"For {shapes} and r = {r} it is {right:,}; yours is {found:,.0f}.")
    return "r times rows plus columns, for each matrix. Double r, and you double the adapter; the model stays as it is."


@checker
def check_best_step(best_step: Callable[[list[tuple[int, float]], int], int]) -> str:
    """Exercise 5: which weights to keep, with the patience to wait for so many looks."""
    need_function(best_step, "best_step")

    def expected(history: list[tuple[int, float]], patience: int) -> int:
        best, waited = history[0], 0
        for step, loss in history[1:]:
            best, waited = ((step, loss), 0) if loss < best[1] else (best, waited + 1)
            if waited == patience:
                break
        return best[0]

    def losses(*values: float) -> list[tuple[int, float]]:
        return [(25 * (place + 1), value) for place, value in enumerate(values)]

    falls_again = losses(0.6, 0.5, 0.55, 0.56, 0.57, 0.3)
    found = _number(best_step(falls_again, 2), "A step")
    if found in (0.5, 0.3):
        raise WrongAnswerError("That is a loss. Return the step at which it was measured.")
    if found in (1, 2):
        raise WrongAnswerError("That is a place in the list. Return the step that stands there.")
    if found == 150:
        raise WrongAnswerError(
            f"In {falls_again} the lowest loss comes last, but with patience 2 you had stopped at step 100: after two "
            "looks without a new best."
        )
    if found in (75, 100):
        raise WrongAnswerError(
            "You stop there, but the weights to keep are older: those of the step with the lowest loss so far."
        )
    if _number(best_step(falls_again, 5), "A step") != 150:
        raise WrongAnswerError("With patience 5 the training goes on to the end, and step 150 has the lowest loss.")
    if _number(best_step(losses(0.7, 0.6, 0.5), 1), "A step") != 75:
        raise WrongAnswerError("A loss that falls to the end never stops the training: the last step is the best.")
    interrupted = losses(0.6, 0.62, 0.5, 0.52, 0.4, 0.42, 0.44)
    if _number(best_step(interrupted, 2), "A step") != 125:
        raise WrongAnswerError(
            f"In {interrupted}, with patience 2, step 125 is the best. Does each new best set your count back to 0?"
        )
    generator = random.Random(6)
    for _ in range(200):
        history = losses(*(generator.randint(1, 60) / 60 for _ in range(generator.randint(1, 9))))
        patience = generator.randint(1, 4)
        if _number(best_step(history, patience), "A step") != expected(history, patience):
            raise WrongAnswerError(f"For {history} with patience {patience} it is step {expected(history, patience)}.")
    return "Early stopping: train until it gets worse for a while, and keep the best. Trainer has it as a callback."


@checker
def check_weakest_group(weakest_group: Callable[[list[str], list[str], list[str], int], object]) -> str:
    """Exercise 6: the group with the lowest accuracy, of those that are large enough to say so."""
    need_function(weakest_group, "weakest_group")
    right, wrong = ("POSITIVE", "POSITIVE"), ("NEGATIVE", "POSITIVE")

    def answers(*groups: tuple[str, int, int]) -> tuple[list[str], list[str], list[str]]:
        rows = [(name, *pair) for name, hits, misses in groups for pair in [right] * hits + [wrong] * misses]
        random.Random(6).shuffle(rows)
        names, predicted, expected = (list(column) for column in zip(*rows, strict=True))
        return names, predicted, expected

    plain = answers(("film", 30, 20), ("tweet", 45, 5), ("phone", 40, 10))
    found = weakest_group(*plain, 20)
    if isinstance(found, int | float) and not isinstance(found, bool):
        raise WrongAnswerError("Return the name of the group, not its accuracy.")
    if isinstance(found, (tuple, list)):
        raise WrongAnswerError("Return the name alone, not a pair.")
    if found == "tweet":
        raise WrongAnswerError(
            "'tweet' is the strongest group: 90 % right. Look for the lowest accuracy, not the highest."
        )
    if found != "film":
        raise WrongAnswerError(
            f"Of 'film' 60 %, 'tweet' 90 % and 'phone' 80 %, 'film' is the weakest; yours is {found!r:.40}."
        )
    many = answers(("film", 190, 30), ("phone", 15, 10), ("tweet", 50, 5))
    if weakest_group(*many, 20) == "film":
        raise WrongAnswerError(
            "'film' has the most mistakes, 30, because it has the most texts. Divide by the size of the group."
        )
    small = answers(("odd", 0, 3), ("film", 30, 20), ("tweet", 45, 5))
    if weakest_group(*small, 20) == "odd":
        raise WrongAnswerError("'odd' has three texts: that says nothing. Leave out groups smaller than at_least.")
    exact = answers(("film", 10, 10), ("tweet", 45, 5))
    if weakest_group(*exact, 20) != "film":
        raise WrongAnswerError("A group of exactly at_least texts counts: 'at least' is >=, not >.")
    generator = random.Random(60)
    for _ in range(50):
        groups = [(f"g{name}", generator.randint(0, 40), generator.randint(0, 40)) for name in range(4)]
        large = {name: hits / (hits + misses) for name, hits, misses in groups if hits + misses >= 30}
        if large and list(large.values()).count(min(large.values())) == 1:
            expected = min(large, key=large.__getitem__)
            if weakest_group(*answers(*groups), 30) != expected:
                shares = ", ".join(f"{name} {share:.2f}" for name, share in large.items())
                raise WrongAnswerError(f"Of the groups with at least 30 texts ({shares}) the weakest is {expected}.")
    return "A model is as good as it is to the people whom it serves worst. Ask this of every model before you ship it."
