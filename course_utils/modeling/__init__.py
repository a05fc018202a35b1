"""The functions of lessons 5 to 9, grown up: parameters, evaluation, social bias, quantization, generation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["evaluation", "generation", "parameters", "quantization", "social_bias"],
)
