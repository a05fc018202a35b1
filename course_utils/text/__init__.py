"""Texts on their way to the model: the categories of their characters, and the batches that they share."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["padding", "unicode_categories"],
)
