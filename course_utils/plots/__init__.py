"""The figures that more than one lesson draws: the same look everywhere, readable on a light and on a dark page."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "style": ["COLOURS", "INK", "LINES", "PAPER", "PIECES", "STYLE", "format_bytes"],
        "bars": ["plot_bars", "plot_choices", "plot_memory", "plot_stacks", "plot_trade_offs"],
        "token_boxes": ["plot_tokens"],
        "training_curves": ["plot_curves"],
        "classifier_quality": ["plot_accuracies", "plot_calibration", "plot_confusion"],
        "attention_maps": ["plot_attention", "plot_heads"],
        "weight_errors": ["plot_block_levels", "plot_histograms", "plot_layer_errors"],
        "batches_and_devices": ["plot_fit", "plot_runs"],
    },
)
