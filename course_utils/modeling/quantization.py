"""Numbers in fewer bits: what lesson 7 builds by hand, grown up to say what it can't do.

To quantize is to write a tensor of floats as small whole numbers and one float, the scale, that says how far apart two
of them are: `x` is about `(q - zero_point) * scale`. The schemes are those of B. Jacob and others, "Quantization and
Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (CVPR 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

BITS = range(2, 9)
"""The widths that fit into torch's 8-bit integers and leave a level beside zero."""

Q4_1_WEIGHTS = 32
"""How many weights a block of GGUF's Q4_1 holds."""

Q4_1_BYTES = 20
"""How many bytes such a block takes: two float16 numbers, and 4 bits for each weight."""


def quantize_absmax(x: torch.Tensor, bits: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Quantize with one scale, symmetrically about zero: the largest magnitude gets the largest integer.

    Args:
        x: floats of any shape, at least one.
        bits: width of the integers, 2 to 8; they run from -(2**(bits-1) - 1) to 2**(bits-1) - 1.

    Returns:
        The integers, int8 of x's shape, and the scale, a float32 tensor without dimensions. No value of
        `dequantize(q, scale)` is further than half a scale from its original. Zero stays zero.

    Raises:
        TypeError: x is not a tensor of floats.
        ValueError: x is empty or has a NaN or an infinity, or bits is out of range.
    """
    x = _checked(x, bits)
    return _quantize_symmetric(x, x.abs().max(), bits)


def quantize_per_channel(x: torch.Tensor, bits: int = 8, dim: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Quantize as `quantize_absmax` does, with a scale for every index of one dimension.

    Args:
        x: floats with at least one dimension; of a linear layer's weight, (out, in), dimension 0 is its outputs.
        bits: as for `quantize_absmax`.
        dim: the dimension whose every index gets a scale of its own.

    Returns:
        The integers, int8 of x's shape, and the scales, float32, in a shape that broadcasts against them: all sizes 1
        but that of `dim`.

    Raises:
        TypeError, ValueError: as `quantize_absmax`; a ValueError too when x has no dimension `dim`.
    """
    x = _checked(x, bits)
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"a tensor of shape {tuple(x.shape)} has no dimension {dim}")
    others = [other for other in range(x.ndim) if other != dim % x.ndim]
    largest = x.abs().amax(others, keepdim=True) if others else x.abs()
    return _quantize_symmetric(x, largest, bits)


def quantize_affine(x: torch.Tensor, bits: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Quantize with one scale and a zero point, so that the integers span what x spans and nothing else.

    Zero always gets an integer of its own, so a range that leaves it out is stretched to reach it: the zeros of padding
    and of ReLU stay exactly zero.

    Args:
        x: floats of any shape, at least one.
        bits: width of the integers, 2 to 8; they run from 0 to 2**bits - 1.

    Returns:
        The integers, uint8 of x's shape; the scale, a float32 tensor without dimensions; the zero point, the integer
        that stands for 0.0, likewise uint8.

    Raises:
        TypeError, ValueError: as `quantize_absmax`.
    """
    import torch

    x = _checked(x, bits)
    top = 2**bits - 1
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    span = high - low
    # The second form, which loses a bit more, is for a span beyond the largest float32.
    scale = _usable(torch.where(span.isfinite(), span / top, high / top - low / top))
    zero_point = (-low / scale).round().clamp(0, top)
    q = ((x / scale).round() + zero_point).clamp(0, top)
    return q.to(torch.uint8), scale, zero_point.to(torch.uint8)


def dequantize(q: torch.Tensor, scale: torch.Tensor | float, zero_point: torch.Tensor | int = 0) -> torch.Tensor:
    """Return the floats that integers stand for: (q - zero_point) * scale, float32 of q's shape.

    Raises:
        TypeError: q is not a tensor of integers.
    """
    if not hasattr(q, "is_floating_point") or q.is_floating_point() or q.is_complex():
        raise TypeError("dequantize takes a tensor of integers, as a quantize function returns it")
    import torch

    largest = torch.finfo(torch.float32).max  # a step beyond it is still a step, not an infinity
    return ((q.float() - float(zero_point)) * scale).clamp(-largest, largest)


def decode_q4_1(raw: np.ndarray) -> np.ndarray:
    """Decode blocks of GGUF's format Q4_1.

    A block is `Q4_1_BYTES` long and holds `Q4_1_WEIGHTS` weights: a step d and a minimum m, both float16, then 16 bytes
    whose low halves are the first 16 levels and whose high halves are the last 16. A weight is m + d * level.

    Args:
        raw: bytes, uint8 of any shape whose last size is a multiple of `Q4_1_BYTES`.

    Returns:
        The weights, float32; the last size is `Q4_1_WEIGHTS` for every block.

    Raises:
        TypeError: raw is not an array of uint8.
        ValueError: its last size is not a whole number of blocks.
    """
    import numpy as np

    if not isinstance(raw, np.ndarray) or raw.dtype != np.uint8:
        raise TypeError("decode_q4_1 takes the bytes of the blocks, as an array of uint8")
    if raw.ndim == 0 or raw.shape[-1] % Q4_1_BYTES:
        raise ValueError(f"a Q4_1 block is {Q4_1_BYTES} bytes; the last size of {raw.shape} is no multiple of that")
    blocks = np.ascontiguousarray(raw).reshape(-1, Q4_1_BYTES)
    step, minimum = blocks[:, :4].copy().view("<f2").astype(np.float32).T[:, :, None]
    levels = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    weights = levels * step + minimum
    return weights.reshape(*raw.shape[:-1], raw.shape[-1] // Q4_1_BYTES * Q4_1_WEIGHTS)


def _checked(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Return x as float32, or say why it can't be quantized."""
    import torch

    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        kind = f"a tensor of {x.dtype}" if isinstance(x, torch.Tensor) else f"a {type(x).__name__}"
        raise TypeError(f"only a tensor of floats can be quantized, not {kind}")
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in BITS:
        raise ValueError(f"bits is a whole number from {BITS[0]} to {BITS[-1]}, not {bits!r}")
    if x.numel() == 0:
        raise ValueError("an empty tensor has no largest value, and can't be quantized")
    x = x.detach().float()
    if not x.isfinite().all():
        raise ValueError(
            f"{int((~x.isfinite()).sum()):,} of {x.numel():,} numbers are NaN or infinite; a scale that covers them "
            "would leave no levels for the others. Find out where they come from first"
        )
    return x


def _quantize_symmetric(x: torch.Tensor, largest: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    top = 2 ** (bits - 1) - 1
    scale = _usable(largest / top)
    return (x / scale).round().clamp(-top, top).to(torch.int8), scale


def _usable(scale: torch.Tensor) -> torch.Tensor:
    """Replace scales that can't be divided by: 0, where all numbers are 0, and those below the normal float32 numbers.

    Any scale will do in the first case, the smallest normal one in the second.
    """
    import torch

    tiny = torch.finfo(torch.float32).tiny
    return torch.where(scale == 0, torch.ones_like(scale), scale.clamp(min=tiny))
