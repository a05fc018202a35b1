"""The checks of lesson 1: the shape of a product, megabytes, the best precision that fits."""

from __future__ import annotations

from collections.abc import Callable

from course_utils.exercises import WrongAnswerError, checker, need_function

BITS = {"fp32": 32, "bf16": 16, "int8": 8, "int4": 4}


@checker
def check_shape(product_shape: tuple[int, int]) -> str:
    """Exercise 1: the shape of a (5, 7) tensor times a (7, 2) one."""
    if isinstance(product_shape, int):
        raise WrongAnswerError("That is one number. The product is a table: answer with a pair, rows and columns.")
    try:
        shape = tuple(product_shape)
    except TypeError:
        raise WrongAnswerError(
            f"Answer with a pair of numbers, such as (1, 2). This is {product_shape!r:.60}."
        ) from None
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
        raise WrongAnswerError("How many rows has the first tensor, and how many columns the second?")
    return "(5, 2): a row for each row of the first, a column for each column of the second."


@checker
def check_megabytes(megabytes: Callable[[int, int], float]) -> str:
    """Exercise 2: parameters and bits to megabytes."""
    need_function(megabytes, "megabytes")
    for parameters, bits in ((66_955_010, 32), (7_000_000_000, 4), (1_000_000, 8), (1_001, 4)):
        expected = parameters * bits / 8e6
        found = _number(megabytes(parameters, bits), "megabytes")
        wrong = {
            parameters * bits / 1e6: "Those are megabits: eight bits are one byte.",
            parameters * bits / 8: "Those are bytes. A megabyte is 1,000,000 of them.",
            parameters
            * bits
            / 8
            / 2**20: "You divided by 1,048,576, which gives MiB. The task counts 1,000,000 for a MB.",
            parameters * bits / 8e9: "Those are gigabytes. A megabyte is 1,000,000 bytes.",
            parameters / 8e6: "Where are the bits? Each parameter takes `bits` of them.",
        }
        for mistake, hint in wrong.items():
            if _close(found, mistake) and not _close(expected, mistake):
                raise WrongAnswerError(hint)
        if not _close(found, expected):
            raise WrongAnswerError(
                f"{parameters:,} parameters of {bits} bits are {expected:,.2f} MB; yours: {found:,.2f}."
            )
    return "Parameters times bits, over eight: with this you can size any model before you download it."


@checker
def check_best_precision(best_precision: Callable[[int, float], str | None]) -> str:
    """Exercise 3: the most exact precision that fits."""
    need_function(best_precision, "best_precision")
    billion = 10**9
    cases = [(billion, 5e9, "fp32"), (billion, 3e9, "bf16"), (billion, 1.5e9, "int8"), (billion, 0.7e9, "int4")]
    found = [best_precision(parameters, memory) for parameters, memory, _ in cases]
    if all(isinstance(answer, int) and not isinstance(answer, bool) for answer in found):
        raise WrongAnswerError("Return the name of the precision, such as 'bf16', not its bits.")
    if found == ["int4"] * 4:
        raise WrongAnswerError("int4 always fits first when you go from the coarsest up. Begin with the most exact.")
    for (parameters, memory, expected), answer in zip(cases, found, strict=True):
        if answer is None:
            raise WrongAnswerError(
                f"A billion parameters do fit into {memory:,.0f} bytes, in {expected}; yours gave None."
            )
        if answer not in BITS:
            raise WrongAnswerError(f"Return one of {', '.join(BITS)} or None. Yours returned {answer!r:.60}.")
        if answer != expected:
            needs = parameters * BITS[answer] / 8
            fits = "does not fit" if needs > memory else "fits, but a more exact one does too"
            raise WrongAnswerError(
                f"In {answer} a billion parameters take {needs:,.0f} bytes: for {memory:,.0f} that {fits}."
            )
    if best_precision(10**7, 5e9) != "fp32" or best_precision(7 * billion, 5e9) != "int4":
        raise WrongAnswerError(
            "It is right for a billion parameters. For ten million and seven billion it is not: use both."
        )
    if best_precision(billion, 4e9) != "fp32":
        raise WrongAnswerError("4,000,000,000 bytes are just enough for a billion in fp32: compare with <=, not <.")
    if best_precision(billion, 4e9 - 1) != "bf16":
        raise WrongAnswerError("A billion parameters in fp32 take 4,000,000,000 bytes. With one byte less, it is bf16.")
    if best_precision(billion, 0.4e9) is not None:
        raise WrongAnswerError(
            "0.5 bytes for each of a billion parameters do not fit into 400,000,000 bytes: return None."
        )
    return "The most exact that fits. In practice leave some room for what the model computes while it runs."


def _number(value: object, name: str) -> float:
    if value is None:
        raise WrongAnswerError(f"{name} returned None. Is there a return in your function?")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongAnswerError(f"{name} should return a number. Yours returned {value!r:.60}.")
    return float(value)


def _close(first: float, second: float) -> bool:
    return abs(first - second) <= 1e-9 * max(abs(first), abs(second))
