"""How big a model is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def count_parameters(model: torch.nn.Module, *, trainable_only: bool = True) -> int:
    """Count the numbers that a model has learned.

    Args:
        model: any torch module.
        trainable_only: leave out the frozen ones (those with `requires_grad=False`).

    Returns:
        How many there are. A parameter that two layers share counts once.

    Raises:
        TypeError: `model` is not a torch module (a pipeline, say, whose module is its attribute `model`).
    """
    if not callable(getattr(model, "parameters", None)):
        hint = " Its model is in its attribute `model`." if hasattr(model, "model") else ""
        raise TypeError(f"count_parameters takes a torch module, not a {type(model).__name__}.{hint}")
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)
