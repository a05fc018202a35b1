"""The helpers that the notebooks of *LLMs, Hands On* import.

Importing this package loads neither torch nor transformers: its modules are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["models", "notebook", "plots", "reviews"],
    submod_attrs={
        "classifier.pipeline": ["SentimentPipeline"],
        "classroom.progress_record": ["progress"],
        "modeling": ["evaluation", "generation", "parameters", "quantization"],
        "modeling.evaluation": ["calibration", "calibration_error", "predict_logits"],
        "modeling.parameters": ["count_parameters", "parameter_table"],
        "models": ["checkpoint"],
        "text": ["padding", "unicode_categories"],
        "text.padding": ["batch_by_length", "padding_share"],
    },
)
