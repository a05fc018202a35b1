"""The checks of lesson 7's exercises."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from course_utils.exercises import WrongAnswerError, checker, need_function

if TYPE_CHECKING:
    import numpy as np
    import torch

LARGEST, TOP = 25.4, 127


@checker
def check_largest_error(largest_error: float) -> str:
    """Exercise 1: half a step, for a matrix whose largest magnitude is 25.4, at 8 bits."""
    if isinstance(largest_error, bool) or not isinstance(largest_error, int | float):
        raise WrongAnswerError(f"The answer is a number, such as 0.5. Yours is {largest_error!r:.60}.")
    step = LARGEST / TOP

    def is_about(value: float) -> bool:
        return abs(largest_error - value) < 1e-6

    if is_about(step) or is_about(LARGEST / 128):
        raise WrongAnswerError("That is the whole step. A number between two levels is rounded to the nearer one.")
    if is_about(LARGEST / 128 / 2):
        raise WrongAnswerError("Nearly: the largest integer of 8 bits with a sign is 127, so divide by that.")
    if is_about(LARGEST / 255):
        raise WrongAnswerError("Nearly: absmax uses the integers from -127 to 127. Between 0 and 25.4 lie 127 steps.")
    if is_about(step / 4) or is_about(LARGEST / 255 / 2) or is_about(LARGEST / 256 / 2):
        raise WrongAnswerError("Too small by half: the levels of both sides of 0 can't all serve one side.")
    if is_about(0):
        raise WrongAnswerError("Only a weight that lies on a level has no error. What of one halfway between two?")
    if not abs(largest_error - step / 2) < 1e-6:
        raise WrongAnswerError(
            f"No: divide 25.4 by the largest integer to get the scale, then think of a number halfway between two "
            f"levels. With an error of {largest_error:g} it would be "
            f"{'nearer to another level' if largest_error > step / 2 else 'nearer than the worst case'}."
        )
    return "A scale of 0.2, and half of it. The bound holds for each weight, whatever the matrix looks like."


@checker
def check_file_megabytes(file_megabytes: Callable[[float, float, int, float], float]) -> str:
    """Exercise 2: weights in blocks with an overhead, in MB."""
    need_function(file_megabytes, "file_megabytes")
    for parameters, bits, block, overhead in (
        (135_000_000, 4, 32, 4),
        (7_000_000_000, 8, 32, 2),
        (1_000_001, 4, 32, 4),
        (100, 3, 64, 12),
        (589_824, 8, 1536, 4),
    ):
        weights, blocks = parameters * bits / 8, parameters / block
        expected = (weights + math.ceil(blocks) * overhead) / 1e6
        found = file_megabytes(parameters, bits, block, overhead)
        if isinstance(found, bool) or (not isinstance(found, int | float) and not hasattr(found, "__float__")):
            raise WrongAnswerError(f"Return a number of megabytes. Yours returned {found!r:.60}.")
        found = float(found)
        call = f"file_megabytes({parameters}, {bits}, {block}, {overhead})"

        def is_about(value: float, found: float = found) -> bool:
            return math.isclose(found, value, rel_tol=1e-9)

        if is_about(expected):
            continue
        if is_about(weights / 1e6):
            raise WrongAnswerError("Those are the weights alone. Every block brings its overhead.")
        if is_about(expected * 1e6):
            raise WrongAnswerError("Those are bytes. A megabyte is 1,000,000 of them.")
        if is_about(expected * 1e6 / 2**20):
            raise WrongAnswerError("Those are MiB, of 1,048,576 bytes. Divide by 1,000,000.")
        if is_about((parameters * bits + math.ceil(blocks) * overhead) / 1e6) or is_about(expected * 8):
            raise WrongAnswerError("bits are bits and overhead is bytes: divide the bits by 8 to add them.")
        if is_about((weights + math.ceil(blocks) * overhead / 8) / 1e6):
            raise WrongAnswerError("The overhead is in bytes already. Only the weights are given in bits.")
        if is_about((weights + overhead) / 1e6):
            raise WrongAnswerError("You count the overhead once. Every block has one; how many blocks are there?")
        if is_about((weights + math.floor(blocks) * overhead) / 1e6) or is_about((weights + blocks * overhead) / 1e6):
            raise WrongAnswerError(
                f"{parameters:,} weights in blocks of {block} leave a last block that isn't full, and it takes its "
                "whole overhead. Round the number of blocks up."
            )
        raise WrongAnswerError(f"{call} should be {expected:,.6g} MB. Yours is {found:,.6g}.")
    return "Now you can read a catalogue: 4 bits in blocks of 32 with 4 bytes each are 5 bits a weight."


@checker
def check_pack(pack: Callable[[np.ndarray], np.ndarray]) -> str:
    """Exercise 3: 32 levels in 16 bytes, in the order of Q4_1."""
    import numpy as np

    need_function(pack, "pack")
    random = np.random.default_rng(7)
    cases = [random.integers(0, 16, 32), np.arange(32) % 16, np.full(32, 15), random.integers(0, 16, 32)]
    for levels in (case.astype(np.uint8) for case in cases):
        low, high = levels[:16], levels[16:]
        expected = low | (high << 4)
        found = np.asarray(pack(levels.copy()))
        if found.dtype.kind not in "iu":
            raise WrongAnswerError(f"Return an array of whole numbers, of type uint8. Yours is {found!r:.60}.")
        if found.shape == (32,) and np.array_equal(found, levels):
            raise WrongAnswerError("Those are still 32 numbers, a byte each. Two of them share a byte.")
        if found.shape != (16,):
            raise WrongAnswerError(f"32 halves make 16 bytes; yours has the shape {found.shape}.")
        found = found.astype(np.int64)
        if np.array_equal(found, high | (low << 4)) and not np.array_equal(low, high):
            raise WrongAnswerError(
                "Turned round: the first 16 levels are the lower halves, the last 16 the upper ones."
            )
        neighbours = levels[0::2], levels[1::2]
        if any(np.array_equal(found, a | (b << 4)) for a, b in (neighbours, neighbours[::-1])) and not np.array_equal(
            found, expected
        ):
            raise WrongAnswerError("You put neighbours together. In a Q4_1 block byte 0 holds the levels 0 and 16.")
        if np.array_equal(found, (low + high).astype(np.int64)) or np.array_equal(found, low | high):
            raise WrongAnswerError("The upper half has to move up before you join the two: high << 4.")
        if np.array_equal(found, low) or np.array_equal(found, high):
            raise WrongAnswerError("Half of the levels got lost: each byte holds two.")
        if not np.array_equal(found, expected):
            raise WrongAnswerError(
                f"The levels {levels.tolist()} should become {expected.tolist()}. Yours are {found.tolist()}."
            )
    return "decode_q4_1 would read them back. On paper: one hexadecimal digit for each weight."


@checker
def check_most_hurt(most_hurt: Callable[[torch.nn.Module], str]) -> str:
    """Exercise 4: the linear layer with the largest relative error after absmax at 8 bits."""
    need_function(most_hurt, "most_hurt")
    for module, errors in _modules():
        expected = max(errors, key=lambda name: errors[name].relative)
        found = most_hurt(module)
        if isinstance(found, tuple) and found and found[0] == expected:
            raise WrongAnswerError("Return the name alone, without its error.")
        if not isinstance(found, str):
            raise WrongAnswerError(f"Return the name of a layer, a text such as 'ffn.lin2'. Yours is {found!r:.60}.")
        if found == expected:
            continue
        if f"{found}.weight" in dict(module.named_parameters()) and found not in errors:
            raise WrongAnswerError(f"{found!r} is not a linear layer. Look at torch.nn.Linear only.")
        if found.endswith(".weight"):
            raise WrongAnswerError("That is the name of a parameter. named_modules() gives the name of the layer.")
        if found not in errors:
            raise WrongAnswerError(f"The module has no linear layer called {found!r}: {', '.join(errors)}.")
        if found == min(errors, key=lambda name: errors[name].relative):
            raise WrongAnswerError("That is the layer that is hurt the least: max, not min.")
        if found == max(errors, key=lambda name: errors[name].largest):
            raise WrongAnswerError(
                f"{found!r} has the largest weight, but there the others are large, too, so the ruler suits them. "
                "Compare relative errors."
            )
        if found == max(errors, key=lambda name: errors[name].absolute):
            raise WrongAnswerError(
                f"{found!r} has the largest error as a number. But its weights are large, too: divide by them."
            )
        raise WrongAnswerError(
            f"Relative errors: {', '.join(f'{name} {of.relative:.2%}' for name, of in errors.items())}. "
            f"The largest is that of {expected!r}; yours is {found!r}."
        )
    return "It is the shape of a matrix that counts, not its size: one outlier among small weights hurts the most."


class _Error:
    """A weight's error by rounding, and the numbers that a wrong answer may compare instead."""

    def __init__(self, weight: torch.Tensor) -> None:
        from course_utils.modeling.quantization import dequantize, quantize_absmax

        difference = dequantize(*quantize_absmax(weight)) - weight
        self.largest = weight.abs().max().item()
        self.absolute = difference.norm().item()
        self.relative = self.absolute / weight.norm().item()


def _modules() -> list[tuple[torch.nn.Module, dict[str, _Error]]]:
    """Small modules in which the layer that is hurt the most is not the one with the largest weights."""
    import torch

    random = torch.Generator().manual_seed(7)

    def linear(size: int, spread: float, outlier: float = 0.0) -> torch.nn.Linear:
        layer = torch.nn.Linear(size, size)
        layer.weight.data = spread * torch.randn(size, size, generator=random)
        if outlier:
            layer.weight.data[1, 2] = outlier
        return layer

    calm, even = linear(16, 1.0), linear(16, 1.0)
    calm.weight.data = 127 / 1024 * calm.weight.data.sign()  # every weight lies on a level
    even.weight.data = 100 * even.weight.data.sign()  # the largest weights, and hardly an error
    flat = torch.nn.Sequential(
        linear(16, 0.1), calm, even, torch.nn.GELU(), linear(16, 0.1, 2.0), linear(16, 20.0), linear(16, 0.01, 0.05)
    )
    block = torch.nn.ModuleDict(
        {"first": linear(12, 0.05, 1.5), "second": linear(12, 3.0), "norm": torch.nn.LayerNorm(4)}
    )
    table = torch.nn.Embedding(64, 32)  # hurt more than any linear layer
    table.weight.data = torch.randn(64, 32, generator=random)
    table.weight.data[0, 0] = 60.0
    nested = torch.nn.ModuleDict({"table": table, "layers": torch.nn.ModuleList([block]), "head": linear(12, 0.2, 1.0)})
    return [
        (module, {n: _Error(m.weight.detach()) for n, m in module.named_modules() if isinstance(m, torch.nn.Linear)})
        for module in (flat, nested)
    ]


@checker
def check_quantize_block(quantize_block: Callable[[np.ndarray], tuple[float, float, np.ndarray]]) -> str:
    """Exercise 5: step, minimum and levels of 32 weights."""
    import numpy as np

    need_function(quantize_block, "quantize_block")
    random = np.random.default_rng(7)
    blocks = [
        random.normal(size=32),
        random.normal(size=32) / 1000 + 5,
        np.append(random.normal(size=31) / 50, -2.5),
        np.full(32, 0.25),
        np.zeros(32),
    ]
    for weights in (block.astype(np.float32) for block in blocks):
        found = quantize_block(weights.copy())
        if not isinstance(found, (tuple, list)) or len(found) != 3:
            raise WrongAnswerError(f"Return three things: d, m and the levels. Yours returned {found!r:.60}.")
        try:
            step, minimum, levels = float(found[0]), float(found[1]), np.asarray(found[2], dtype=np.float64)
        except (TypeError, ValueError):
            raise WrongAnswerError("d and m are numbers, and the levels are 32 numbers. Look at their order.") from None
        spread = float(weights.max() - weights.min())
        if not np.isfinite([step, minimum]).all() or not np.isfinite(levels).all():
            raise WrongAnswerError(
                "For 32 equal weights something is divided by 0. Then one level will do: all levels are 0."
                if spread == 0
                else "d, m or a level is NaN or infinite for ordinary weights."
            )
        if levels.shape != (32,):
            raise WrongAnswerError(
                f"There are 32 weights, so there are 32 levels. Yours have the shape {levels.shape}."
            )
        if (levels != np.round(levels)).any():
            raise WrongAnswerError("Levels are whole numbers: round them.")
        if levels.min() < 0:
            raise WrongAnswerError(
                "A level is from 0 to 15, and one of yours is negative. Take m off before you divide."
            )
        if levels.max() > 15:
            raise WrongAnswerError(
                f"A level is from 0 to 15, and one of yours is {levels.max():.0f}. 16 levels are 15 steps apart."
            )
        returned = minimum + step * levels
        error = float(np.abs(returned - weights).max())
        if spread == 0 and error > 1e-6:
            raise WrongAnswerError("32 equal weights should come back exactly: m is that weight.")
        if abs(minimum - float(weights.min())) > 1e-5 + 1e-3 * spread:
            raise WrongAnswerError(f"m is the smallest weight, here {weights.min():.4g}. Yours is {minimum:.4g}.")
        if spread and math.isclose(step, spread / 16, rel_tol=1e-3):
            raise WrongAnswerError("You divide by 16. From level 0 to level 15 there are 15 steps.")
        if error > spread / 15 / 2 * 1.01 + 1e-6:
            if (returned <= weights + 1e-6).all():
                raise WrongAnswerError("All errors go in one direction: round to the nearest level, don't cut off.")
            raise WrongAnswerError(
                f"The largest error is {error:.3g}, and half a step would be {spread / 30:.3g}. Does d fit 15 steps?"
            )
    return "No weight is further than half a step away, and equal weights come back exactly."
