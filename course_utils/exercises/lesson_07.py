"""The checks of lesson 7's exercises."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from course_utils.exercises import WrongAnswerError, answers, checker, need_function
from course_utils.exercises.cases import about, refuse_known, run_cases

if TYPE_CHECKING:
    import numpy as np
    import torch

LARGEST, TOP = 25.4, 127
TOLERANCE = 1e-4 + 1e-9  # what the task says, and the rounding of 0.1 + 0.0001

NEARLY = {
    LARGEST / TOP: "That is the whole step. A number between two levels is rounded to the nearer one.",
    LARGEST / 128: "That is a whole step, and one of 128. A number between two levels is rounded to the nearer one.",
    LARGEST / 256: "Nearly: the largest integer of 8 bits with a sign is 127, so 127 steps lie between 0 and 25.4.",
    LARGEST / 255: "Nearly: absmax has the integers from -127 to 127, 254 steps in all and 127 between 0 and 25.4.",
    LARGEST / TOP / 4: "That is a quarter of a step. How far is the middle of a step from its two ends?",
    LARGEST
    / 255
    / 2: "Half a step of 255 would be right if all integers lay between 0 and 25.4. Half of them are below 0.",
    LARGEST
    / 256
    / 2: "Half a step of 256 would be right if all integers lay between 0 and 25.4. Half of them are below 0.",
    0.0: "Only a weight that lies on a level has no error. What of one halfway between two?",
    -LARGEST / TOP / 2: "The size is right. How large an error is, is said without a sign.",
}
"""What people answer to exercise 1, and the hint for each."""


@checker
def check_largest_error(largest_error: float) -> str:
    """Exercise 1: half a step, for a matrix whose largest magnitude is 25.4, at 8 bits."""
    found, right = answers.number(largest_error, "largest_error", 0.5), LARGEST / TOP / 2
    if abs(found - right) <= TOLERANCE:
        return "A scale of 0.2, and half of it. The bound holds for each weight, whatever the matrix looks like."
    for value, hint in NEARLY.items():
        if abs(found - value) < 5e-5:
            raise WrongAnswerError(hint)
    raise WrongAnswerError(
        f"It isn't {found:g}. Divide 25.4 by the largest integer to get the scale, which is one step. Then think of a "
        "number halfway between two levels."
    )


FILES = (
    (135_000_000, 4, 32, 4),
    (7_000_000_000, 8, 32, 2),
    (1_000_001, 4, 32, 4),
    (100, 3, 64, 12),
    (589_824, 8, 1536, 4),
    (31, 5, 32, 6),
    (33, 16, 32, 0),
    (4096, 2.5, 256, 7),
)
"""Parameters, bits, block, overhead: full blocks and others, bytes and parts of bytes."""


def _file(parameters: float, bits: float, block: float, overhead: float) -> float:
    return (parameters * bits / 8 + math.ceil(parameters / block) * overhead) / 1e6


FILE_MISTAKES: Mapping[str, Callable[[float, float, float, float], float]] = {
    "Those are the weights alone. Every block brings its overhead.": lambda n, bits, block, over: n * bits / 8e6,
    "Those are bytes. A megabyte is 1,000,000 of them.": lambda *file: 1e6 * _file(*file),
    "Those are kilobytes. A megabyte is 1,000,000 bytes.": lambda *file: 1e3 * _file(*file),
    "Those are MiB, of 1,048,576 bytes. Divide by 1,000,000.": lambda *file: 1e6 * _file(*file) / 2**20,
    "Those are megabits. Eight of them are a megabyte.": lambda *file: 8 * _file(*file),
    "The weights are given in bits. Divide those by 8 before you add the overhead, which is in bytes.": (
        lambda n, bits, block, over: (n * bits + math.ceil(n / block) * over) / 1e6
    ),
    "The overhead is in bytes already. Only the weights are given in bits.": (
        lambda n, bits, block, over: (n * bits + math.ceil(n / block) * over) / 8e6
    ),
    "You count the overhead once. Every block has one; how many blocks are there?": (
        lambda n, bits, block, over: (n * bits / 8 + over) / 1e6
    ),
    "You count an overhead for every weight. It is there once for every block.": (
        lambda n, bits, block, over: (n * bits / 8 + n * over) / 1e6
    ),
    "You leave out a last block that isn't full. It takes its whole overhead: round up.": lambda n, bits, block, over: (
        (n * bits / 8 + n // block * over) / 1e6
    ),
    "You count parts of blocks. A last block takes its whole overhead: round up.": lambda n, bits, block, over: (
        (n * bits / 8 + n / block * over) / 1e6
    ),
    "You count one block too many where the last one is full.": (
        lambda n, bits, block, over: (n * bits / 8 + (n // block + 1) * over) / 1e6
    ),
}


@checker
def check_file_megabytes(file_megabytes: Callable[[float, float, int, float], float]) -> str:
    """Exercise 2: weights in blocks with an overhead, in MB."""
    run_cases(
        file_megabytes,
        "file_megabytes",
        FILES,
        _file,
        read=functools.partial(answers.number, example=12.5),
        same=about,
        write=lambda megabytes: f"{megabytes:.10g} MB",
        mistakes=FILE_MISTAKES,
    )
    return "Now you can read a catalogue: 4 bits in blocks of 32 with 4 bytes each are 5 bits a weight."


PACK_MISTAKES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "Those are still 32 numbers, a byte each. Two of them share a byte.": lambda levels: levels,
    "Turned round: the first 16 levels are the lower halves, the last 16 the upper ones.": (
        lambda levels: levels[16:] | levels[:16] << 4
    ),
    "You put neighbours together. In a Q4_1 block byte 0 holds the levels 0 and 16.": (
        lambda levels: levels[0::2] | levels[1::2] << 4
    ),
    "You put neighbours together, the first of them into the upper half. In a Q4_1 block byte 0 holds the levels 0 "
    "and 16.": lambda levels: levels[1::2] | levels[0::2] << 4,
    "The upper half has to move up before you join the two: high << 4.": lambda levels: levels[:16] | levels[16:],
    "The upper half has to move up before you add the two: high << 4.": lambda levels: levels[:16] + levels[16:],
    "The last 16 levels got lost: each byte holds two.": lambda levels: levels[:16],
    "The first 16 levels got lost: each byte holds two.": lambda levels: levels[16:],
    "The first 16 levels got lost: each byte holds two, and the last 16 are the upper halves.": (
        lambda levels: levels[16:] << 4
    ),
}


@checker
def check_pack(pack: Callable[[np.ndarray], np.ndarray]) -> str:
    """Exercise 3: 32 levels in 16 bytes, in the order of Q4_1."""
    import numpy as np

    random = np.random.default_rng(7)
    blocks = [random.integers(0, 16, 32), np.arange(32) % 16, np.full(32, 15), np.zeros(32), random.integers(0, 16, 32)]
    types: set[str] = set()

    def read(answer: object, call: str) -> np.ndarray:
        packed = _array(answer, call, "an array of 16 bytes")
        if packed.shape not in {(16,), (32,)}:  # of 32 numbers there are mistakes below
            raise WrongAnswerError(f"32 halves make 16 bytes; yours has the shape {packed.shape}.")
        types.add(_type(answer))
        return packed

    run_cases(
        pack,
        "pack",
        [(block.astype(np.uint8),) for block in blocks],
        lambda levels: levels[:16] | levels[16:] << 4,
        read=read,
        same=np.array_equal,
        write=lambda packed: str(np.asarray(packed).tolist()),
        write_call=lambda levels: f"pack({levels.tolist()})",
        mistakes=PACK_MISTAKES,
    )
    if others := types - {"uint8"}:
        raise WrongAnswerError(
            f"The numbers are right, and their type is {others.pop()}. In a file each has to be one byte: uint8."
        )
    return "decode_q4_1 would read them back. On paper: one hexadecimal digit for each weight."


def _type(answer: object) -> str:
    """Return the type of an array's numbers, or else the kind of thing that an answer is: uint8, float32, list."""
    return str(getattr(answer, "dtype", type(answer).__name__)).removeprefix("torch.")


def _array(answer: object, what: str, kind: str) -> np.ndarray:
    """Return numbers in an array, whether they come from NumPy, torch, pandas or a list.

    Raises:
        WrongAnswerError: it is of another kind.
    """
    import numpy as np

    try:
        array = np.asarray(answer)
    except (TypeError, ValueError, RuntimeError):  # lists of different lengths, a tensor with a gradient
        array = np.asarray(None)
    if array.dtype.kind not in "iufb":
        end = answers.said(answer)
        raise WrongAnswerError(f"{what} should be {kind}. It is {end}{'' if end.endswith('?') else '.'}")
    return array


@checker
def check_most_hurt(most_hurt: Callable[[torch.nn.Module], str]) -> str:
    """Exercise 4: the linear layer with the largest relative error after absmax at 8 bits."""
    run_cases(
        most_hurt,
        "most_hurt",
        [(module,) for module in _modules()],
        lambda module: _hurt_most(module, _error),
        read=_read_name,
        mistakes=HURT_MISTAKES,
        write_call=lambda module: "most_hurt(module)",
        explain=_explain_name,
    )
    return "It is the shape of a matrix that counts, not its size: one outlier among small weights hurts the most."


def _read_name(answer: object, call: str) -> str:
    if isinstance(answer, tuple) and [type(part) for part in answer].count(str) == 1 < len(answer):
        raise WrongAnswerError("Return the name alone, without its error.")
    return answers.text(answer, call, "the name of a layer, such as 'ffn.lin2'")


def _explain_name(name: str, right: str, module: torch.nn.Module) -> str:
    import torch

    parts, weights = dict(module.named_modules()), _weights(module)
    if name.removesuffix(".weight") in weights and name not in parts:
        return "That is the name of a parameter. named_modules() gives the name of the layer."
    if name not in parts:
        return f"The module has no linear layer called {name!r}. It has {', '.join(weights)}."
    if not isinstance(parts[name], torch.nn.Linear):
        return f"{name!r} is not a linear layer. Look at torch.nn.Linear only."
    errors = ", ".join(f"{layer} {_error(weight):.2%}" for layer, weight in weights.items())
    return f"Relative errors: {errors}. The largest is that of {right!r}; yours is {name!r}."


def _weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    import torch

    return {n: part.weight.detach() for n, part in module.named_modules() if isinstance(part, torch.nn.Linear)}


def _hurt_most(module: torch.nn.Module, measure: Callable[[torch.Tensor], float]) -> str:
    """Return the linear layer whose weight has the most of something."""
    weights = _weights(module)
    return max(weights, key=lambda name: measure(weights[name]))


def _rounded(weight: torch.Tensor, bits: int = 8, *, rows: bool = False) -> torch.Tensor:
    from course_utils.modeling.quantization import dequantize, quantize_absmax, quantize_per_channel

    return dequantize(*(quantize_per_channel(weight, bits) if rows else quantize_absmax(weight, bits)))


def _relative(weight: torch.Tensor, returned: torch.Tensor) -> float:
    return float((returned - weight).norm() / weight.norm())


def _error(weight: torch.Tensor) -> float:
    return _relative(weight, _rounded(weight))


HURT_MISTAKES: Mapping[str, Callable[[torch.nn.Module], str]] = {
    "Those are the layers that are hurt the least: max, not min.": lambda m: _hurt_most(m, lambda w: -_error(w)),
    "Those are the layers with the largest weight. Where the others are large, too, the ruler suits them. Compare "
    "relative errors.": lambda m: _hurt_most(m, lambda w: w.abs().max().item()),
    "Those are the layers with the largest error as a number. Where the weights are large, too, it matters less: "
    "divide by their size.": lambda m: _hurt_most(m, lambda w: (_rounded(w) - w).norm().item()),
    "Those are the layers with the largest single error. The relative error takes in all weights of a layer.": (
        lambda m: _hurt_most(m, lambda w: (_rounded(w) - w).abs().max().item())
    ),
    "You quantize with a scale for each row. The task asks for quantize_absmax, which has one for the whole matrix.": (
        lambda m: _hurt_most(m, lambda w: _relative(w, _rounded(w, rows=True)))
    ),
    "Those are the layers that fewer bits hurt the most. The task asks for 8.": (
        lambda m: _hurt_most(m, lambda w: _relative(w, _rounded(w, 4)))
    ),
    "You compare the largest weight with the typical one. That is a good guess; the task asks for the error itself.": (
        lambda m: _hurt_most(m, lambda w: (w.abs().max() / w.abs().median()).item())
    ),
    "You divide by the size of the weights that came back. Relative means: beside the original ones.": (
        lambda m: _hurt_most(m, lambda w: _relative(_rounded(w), w))
    ),
    "That is the first linear layer of each module, whatever its error.": lambda m: next(iter(_weights(m))),
    "That is the last linear layer of each module, whatever its error.": lambda m: list(_weights(m))[-1],
}


def _modules() -> list[torch.nn.Module]:
    """Return small modules whose weights are spread in many ways, so that no other rule finds the same layers."""
    import torch

    random = torch.Generator().manual_seed(7)

    def linear(rows: int, columns: int, spread: float, outlier: float = 0.0) -> torch.nn.Linear:
        layer = torch.nn.Linear(columns, rows)
        layer.weight.data = spread * torch.randn(rows, columns, generator=random)
        if outlier:
            layer.weight.data[1, 2] = outlier
        return layer

    def two_valued(value: float, outlier: float) -> torch.nn.Linear:
        layer = linear(128, 128, 1.0)
        layer.weight.data = value * layer.weight.data.sign()
        layer.weight.data[1, 2] = outlier
        return layer

    def outliers(rows: int, columns: int) -> torch.nn.Linear:
        layer = linear(rows, columns, 0.1)
        layer.weight.data[:, 2] = 2.5
        return layer

    shifted = linear(16, 16, 0.1)
    shifted.weight.data += 1
    table = torch.nn.Embedding(64, 32)  # hurt more than any linear layer
    table.weight.data = torch.randn(64, 32, generator=random)
    table.weight.data[0, 0] = 60.0
    block = torch.nn.ModuleDict(
        {"lin1": linear(12, 8, 0.05, 1.5), "norm": torch.nn.LayerNorm(4), "lin2": linear(8, 12, 3)}
    )
    return [
        torch.nn.Sequential(
            linear(16, 16, 0.1),
            two_valued(100.0, 101.0),  # the largest weights, and hardly an error
            torch.nn.GELU(),
            linear(16, 16, 0.1, 2.0),
            linear(16, 8, 20.0, 60.0),
            linear(16, 16, 0.01, 0.05),
        ),
        torch.nn.ModuleDict({"table": table, "layers": torch.nn.ModuleList([block]), "head": linear(12, 12, 0.2, 1.0)}),
        # Many rows, of which an outlier spoils one if each has a scale, beside two rows with an outlier each.
        torch.nn.ModuleDict({"many": linear(64, 8, 0.05, 3.0), "few": outliers(2, 60), "even": linear(128, 128, 1.0)}),
        # All on levels of 8 bits, none on one of 4.
        torch.nn.Sequential(two_valued(63.0, 127.0), two_valued(100.0, 101.0)),
        # Weights just below half a step, which all become 0, and just above it, which all become 1.
        torch.nn.Sequential(two_valued(0.45, 127.0), two_valued(0.52, 127.0), linear(8, 8, 1.0)),
        # Of different sizes, and one far from 0: an error beside the spread, or for each weight, is another quantity.
        torch.nn.Sequential(linear(2, 2, 1.0), shifted, linear(64, 64, 1.0)),
        torch.nn.ModuleDict({"only": linear(6, 6, 1.0)}),
    ]


DIVIDED = "For 32 equal weights something is divided by 0. Then one level will do: all levels are 0."


def _quantized(weights: np.ndarray, steps: int = 15) -> tuple[float, float, np.ndarray]:
    """Return step, minimum, and what would be the levels if they weren't rounded."""
    weights = weights.astype(float)
    minimum = weights.min()
    step = (weights.max() - minimum) / steps
    return step, minimum, (weights - minimum) / step


def _cut_off(weights: np.ndarray) -> tuple[float, float, np.ndarray]:
    step, minimum, levels = _quantized(weights)
    return step, minimum, levels - 0.5


def _turned_round(weights: np.ndarray) -> tuple[float, float, np.ndarray]:
    step, minimum, levels = _quantized(weights)
    return minimum, step, levels


BLOCK_MISTAKES: Mapping[str, Callable[[np.ndarray], tuple[float, float, np.ndarray]]] = {
    "Your levels are cut off, so all errors go in one direction: round to the nearest level.": _cut_off,
    "You divide by 16. From level 0 to level 15 there are 15 steps.": lambda weights: _quantized(weights, 16),
    "The order is d, m, levels: the step comes first.": _turned_round,
}
"""For blocks of weights that are not all equal."""


def _rounded_alike(found: tuple[float, float, np.ndarray], other: tuple[float, float, np.ndarray]) -> bool:
    """Compare step, minimum and rounded levels of a block with others; levels above 15 may be cut to 15."""
    import numpy as np

    apart = np.minimum(found[2], 15) - np.minimum(other[2], 15)
    return np.allclose(found[:2], other[:2], rtol=1e-4) and bool((np.abs(apart) < 0.501).all())


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
        np.append(np.arange(31) / 2, 7.0) - 40,  # every second weight lies halfway between two levels
        np.full(32, 0.25),
        np.full(32, -3.0),
        np.zeros(32),
    ]
    blocks = [block.astype(np.float32) for block in [*blocks, blocks[0]]]
    found = []
    for weights in blocks:
        handed = weights.copy()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            answer = quantize_block(handed)
        if not np.array_equal(handed, weights):
            raise WrongAnswerError("You changed the weights that you were given. Make new arrays.")
        if any("encountered in cast" in str(warning.message) for warning in warned):
            raise WrongAnswerError(f"{DIVIDED} Yours are NaN, and which number uint8 makes of that is luck.")
        found.append(_read_block(answer, equal=bool(weights.max() == weights.min())))
    spread = [place for place, weights in enumerate(blocks) if weights.max() > weights.min()]
    refuse_known(
        [found[place] for place in spread], [(blocks[place],) for place in spread], BLOCK_MISTAKES, _rounded_alike
    )
    for weights, (step, minimum, levels) in zip(blocks, found, strict=True):
        _check_block(weights, step, minimum, levels)
    others = [str(levels.dtype) for *_, levels in found if levels.dtype != np.uint8]
    if others:
        equal = " where all weights are equal" if len(others) < len(spread) else ""
        raise WrongAnswerError(
            f"The levels are right, and their type is {others[0]}{equal}. pack needs them as uint8: astype(np.uint8)."
        )
    return "No weight is further than half a step away, and equal weights come back exactly."


def _read_block(answer: object, *, equal: bool) -> tuple[float, float, np.ndarray]:
    """Return step, minimum and 32 whole numbers.

    Raises:
        WrongAnswerError: the answer has another form.
    """
    import numpy as np

    kind = "three things: d, m and the levels"
    parts = answers.entries(answer, "what quantize_block returns", kind)
    if len(parts) != 3:
        raise WrongAnswerError(f"Return {kind}. Yours returned {len(parts)}.")
    step = answers.number(parts[0], "d, the first of the three,", 0.5)
    minimum = answers.number(parts[1], "m, the second of the three,", -0.5)
    levels = _array(parts[2], "the third of the three", "an array of 32 levels")
    if levels.shape != (32,):
        raise WrongAnswerError(f"There are 32 weights, so there are 32 levels. Yours have the shape {levels.shape}.")
    if not np.isfinite([step, minimum, *levels]).all():
        raise WrongAnswerError(DIVIDED if equal else "d, m or a level is NaN or infinite for ordinary weights.")
    if (levels != np.round(levels)).any():
        raise WrongAnswerError("Levels are whole numbers: round them.")
    return step, minimum, levels


def _check_block(weights: np.ndarray, step: float, minimum: float, levels: np.ndarray) -> None:
    """Compare with half a step.

    Raises:
        WrongAnswerError: the block comes back worse than 16 levels allow.
    """
    import numpy as np

    weights, levels = weights.astype(float), levels.astype(float)
    low, spread = weights.min(), weights.max() - weights.min()
    returned = minimum + step * levels
    if spread == 0:
        if not np.allclose(returned, low, rtol=1e-6):
            raise WrongAnswerError(
                f"32 equal weights should come back exactly. Those of {low:g} come back as {returned[0]:g}: "
                f"m is {minimum:g}, d is {step:g}, and the first level is {levels[0]:g}."
            )
        return
    if abs(minimum - low) > 1e-3 * spread / 15:
        raise WrongAnswerError(f"m is the smallest weight, here {low:.6g}. Yours is {minimum:.6g}.")
    if abs(step - spread / 15) > 1e-3 * spread / 15:
        raise WrongAnswerError(
            f"The smallest weight is {low:.6g}, the largest {weights.max():.6g}, and 15 steps lie between the two: "
            f"d is {spread / 15:.6g}. Yours is {step:.6g}."
        )
    if levels.min() < 0 or levels.max() > 15:
        odd = levels.min() if levels.min() < 0 else levels.max()
        raise WrongAnswerError(f"A level is from 0 to 15, and one of yours is {odd:.0f}.")
    errors = np.abs(returned - weights)
    if errors.max() > 0.51 * spread / 15:
        worst = int(errors.argmax())
        raise WrongAnswerError(
            f"The weight {weights[worst]:.4g} comes back as {returned[worst]:.4g}. Another level is nearer than "
            f"{levels[worst]:.0f}: the error is {errors[worst]:.3g}, and half a step is {spread / 30:.3g}."
        )
