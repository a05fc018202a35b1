"""What the notebooks of *LLMs, Hands On* import.

Importing this package loads neither torch nor transformers: its modules are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "batches",
        "characters",
        "evaluation",
        "generation",
        "models",
        "notebook",
        "parameters",
        "plots",
        "quantization",
        "reviews",
        "sentiment",
    ],
    submod_attrs={
        "batches": ["batch_by_length", "padding_share"],
        "models": ["checkpoint"],
        "parameters": ["count_parameters", "parameter_table"],
        "sentiment": ["SentimentPipeline"],
    },
)
