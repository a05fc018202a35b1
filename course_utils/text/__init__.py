"""What texts and their tokens are made of, and which texts share a batch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["padding", "unicode_categories"],
)
