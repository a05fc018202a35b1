"""The checks of lesson 1: the shape of a product, megabytes, the best precision that fits."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from course_utils.exercises import WrongAnswerError, answers, checker
from course_utils.exercises.cases import run_cases

BITS = {"fp32": 32, "bf16": 16, "int8": 8, "int4": 4}


@checker
def check_shape(product_shape: tuple[int, int]) -> str:
    """Exercise 1: the shape of a (5, 7) tensor times a (7, 2) one."""
    shape = answers.shape(product_shape, "product_shape", (1, 2))
    hints = {
        (2, 5): "The right numbers, turned round: rows come from the first tensor, columns from the second.",
        (7, 7): "7 is what the two have in common: each row meets each column along it, and it vanishes.",
        (5, 7): "That is the first tensor's own shape. The second has 2 columns, and the product as many.",
        (7, 2): "That is the second tensor's own shape. The first has 5 rows, and the product as many.",
        (35, 14): "Shapes are not multiplied. Each of the 5 rows meets each of the 2 columns.",
        (5, 7, 2): "The product has two dimensions again: the 7 is added up.",
        (10,): "There are 10 numbers, that is right. How are they laid out?",
    }
    if shape in hints:
        raise WrongAnswerError(hints[shape])
    if shape != (5, 2):
        raise WrongAnswerError(
            f"{shape} isn't it. How many rows has the first tensor, and how many columns the second?"
        )
    return "(5, 2): a row for each row of the first, a column for each column of the second."


@checker
def check_megabytes(megabytes: Callable[[int, int], float]) -> str:
    """Exercise 2: parameters and bits to megabytes."""

    def rounded_to(digits: int) -> Callable[[int, int], float]:
        return lambda parameters, bits: round(parameters * bits / 8e6, digits)

    run_cases(
        megabytes,
        "megabytes",
        [(66_955_010, 32), (7_000_000_000, 4), (1_000_000, 8), (12_345_678, 16), (333, 4), (3, 4), (0, 32)],
        lambda parameters, bits: parameters * bits / 8e6,
        read=answers.number,
        same=_close,
        mistakes={
            "Those are megabits: eight bits are one byte.": lambda parameters, bits: parameters * bits / 1e6,
            "Those are bytes. A megabyte is 1,000,000 of them.": lambda parameters, bits: parameters * bits / 8,
            "You divided by 1,048,576, which gives MiB. The task counts 1,000,000 for a MB.": (
                lambda parameters, bits: parameters * bits / 8 / 2**20
            ),
            "Those are gigabytes. A megabyte is 1,000,000 bytes.": lambda parameters, bits: parameters * bits / 8e9,
            "Four bytes for each parameter, whatever the bits are. Use `bits`.": (
                lambda parameters, bits: parameters * 4 / 1e6
            ),
            "One byte for each parameter, whatever the bits are. Use `bits`.": (
                lambda parameters, bits: parameters / 1e6
            ),
            "Where are the bits? Each parameter takes `bits` of them.": lambda parameters, bits: parameters / 8e6,
            "Four bits are half a byte, and yours drops the half.": (
                lambda parameters, bits: parameters * (bits // 8) / 1e6
            ),
            "Whole bytes only: yours drops what is left over. Keep it.": (
                lambda parameters, bits: parameters * bits // 8 / 1e6
            ),
            "Whole megabytes only: yours drops the rest. The task asks for all digits.": (
                lambda parameters, bits: parameters * bits // 8_000_000
            ),
            "That is rounded. The task asks for all digits.": rounded_to(0),
            "Rounded to one digit. The task asks for all of them.": rounded_to(1),
            "Rounded to two digits. The task asks for all of them.": rounded_to(2),
            "Rounded to three digits. The task asks for all of them.": rounded_to(3),
        },
    )
    return "Parameters times bits, over eight: with this you can size any model before you download it."


@checker
def check_best_precision(best_precision: Callable[[int, float], str | None]) -> str:
    """Exercise 3: the most exact precision that fits."""
    billion = 10**9
    cases = [
        (parameters, memory)
        for parameters in (billion, 7 * billion, 10**7)
        for bits in (40, *BITS.values(), 3)
        for memory in (parameters * bits / 8, parameters * bits / 8 - 1, parameters * bits // 8 + 1)
    ]

    def first(fits: Callable[[float, float], bool], default: str | None = None) -> Callable[[int, float], str | None]:
        """Return the function that gives the first precision whose bytes fit."""

        def chosen(parameters: int, memory: float) -> str | None:
            return next((name for name, bits in BITS.items() if fits(parameters * bits / 8, memory)), default)

        return chosen

    best = first(operator.le)

    def read(answer: object, call: str) -> str | int | None:
        if answer is None or (isinstance(answer, int) and not isinstance(answer, bool)):
            return answer
        return answers.text(answer, call, f"one of {', '.join(BITS)}, or None")

    run_cases(
        best_precision,
        "best_precision",
        [*cases, (3, 1), (3, 2), (1, 0)],
        best,
        read=read,
        mistakes={
            "Yours gives int4 wherever that fits. Stop at the first that fits.": (
                lambda parameters, memory: "int4" if parameters / 2 <= memory else None
            ),
            "What takes exactly the memory there is fits, too: compare with <=, not <.": first(operator.lt),
            "A model needs more bytes if it has more parameters, and yours looks at the memory alone. Use both.": (
                lambda _, memory: best(billion, memory)
            ),
            "Where nothing fits, not even int4, the task asks for None.": first(operator.le, "int4"),
            "None is a value of its own, without quotes.": first(operator.le, "None"),
            "Return the name of the precision, such as 'bf16', not its bits.": (
                lambda parameters, memory: BITS.get(best(parameters, memory) or "")
            ),
            "Yours gives the first that takes as much as there is, or more: turn the comparison round.": first(
                operator.ge
            ),
            "Yours gives the first that does not fit: turn the comparison round.": first(operator.gt),
            "You compare bits with bytes: eight bits are one byte.": first(lambda needed, memory: 8 * needed <= memory),
            "You compare megabytes with bytes: `memory` is in bytes.": first(
                lambda needed, memory: needed / 1e6 <= memory
            ),
        },
    )
    return "The most exact that fits. In practice leave some room for what the model computes while it runs."


def _close(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=3e-7)
