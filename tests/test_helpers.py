"""The small helpers: parameters, plots, and what makes a notebook behave."""

import itertools
import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import count_parameters, notebook, parameter_table, plots
from course_utils.models import models_folder
from course_utils.plots import training_curves
from course_utils.plots.style import HIGHEST


def test_importing_the_package_loads_no_library():
    heavy = {"torch", "transformers", "pandas", "matplotlib"}
    code = f"import sys, course_utils, course_utils.models, course_utils.reviews; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_every_advertised_name_is_there():
    import course_utils

    assert {"SentimentPipeline", "checkpoint", "count_parameters", "reviews"} <= set(dir(course_utils))
    assert all(getattr(course_utils, name) is not None for name in dir(course_utils))


def test_count_parameters_counts_each_trainable_number_once():
    import torch

    first, second = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4)
    second.weight = first.weight
    both = torch.nn.Sequential(first, second)
    assert count_parameters(both) == 3 * 4 + 4 + 4
    first.bias.requires_grad = False
    assert count_parameters(both) == 3 * 4 + 4
    assert count_parameters(both, trainable_only=False) == 3 * 4 + 4 + 4


def test_count_parameters_matches_the_lesson(lesson_3, reviews_checkpoint):
    from transformers import AutoModelForSequenceClassification

    (cell,) = [cell for cell in lesson_3.cells if "def count_parameters" in cell.source]
    model = AutoModelForSequenceClassification.from_pretrained(reviews_checkpoint)
    assert f"{count_parameters(model):,}\n" == cell.outputs[0].text


def test_count_parameters_points_from_a_pipeline_to_its_model():
    class Pipeline:
        model = None

    with pytest.raises(TypeError, match="attribute `model`"):
        count_parameters(Pipeline())
    with pytest.raises(TypeError, match="not a int"):
        count_parameters(3)


TINY = {
    "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("BertConfig", set()),
        ("RobertaConfig", set()),
        ("LlamaConfig", {"position embeddings", "token type embeddings"}),
        ("GPT2Config", {"token type embeddings"}),
    ],
)
def test_parameter_table_knows_the_names_of_other_architectures(kind, missing):
    import transformers

    sizes = {"vocab_size": 11, "n_embd": 8, "n_layer": 2, "n_head": 2} if kind == "GPT2Config" else TINY
    config = getattr(transformers, kind)(**sizes, num_labels=3, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    table = parameter_table(model)
    wanted = {"word embeddings", "position embeddings", "token type embeddings", "layer norms", "attention"}
    assert set(table) == (wanted | {"feed-forward", "head"}) - missing
    assert table["word embeddings"] == 11 * 8
    assert sum(table.values()) == count_parameters(model, trainable_only=False)


def test_parameter_table_counts_tied_weights_once_frozen_ones_too_and_names_the_rest():
    import torch
    import transformers

    tied = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**TINY, tie_word_embeddings=True))
    assert "head" not in parameter_table(tied)
    free = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**TINY, tie_word_embeddings=False))
    assert parameter_table(free)["head"] == 11 * 8
    tied.requires_grad_(False)
    assert sum(parameter_table(tied).values()) == count_parameters(tied, trainable_only=False) > 0
    assert parameter_table(torch.nn.Linear(2, 3)) == {"other": 9}
    with pytest.raises(TypeError, match="not a str"):
        parameter_table("a name")


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_figures_are_readable_on_their_paper():
    assert contrast(plots.INK, plots.PAPER) >= 4.5
    assert all(contrast(colour, plots.PAPER) >= 3 for colour in plots.COLOURS.values())


TOKENS = ["[CLS]", "una", "##ffa", "##ble", "$5", "中", "[SEP]"]


def test_plot_tokens_draws_a_box_a_token_and_its_number_below():
    axes = plots.plot_tokens(TOKENS, dict(zip(TOKENS, range(7), strict=True)), title="Seven")
    assert [text.get_text() for text in axes.texts if text.get_text()][::2] == [*TOKENS[:5], "U+4E2D", "[SEP]"]
    assert [text.get_text() for text in axes.texts if text.get_text()][1::2] == list("0123456")
    colours = [patch.get_facecolor() for patch in axes.patches]
    assert colours[0] == colours[-1] != colours[1]
    assert colours[1] == colours[2] == colours[3] != colours[4]
    axes.figure.canvas.draw()


def test_plot_tokens_goes_on_in_the_next_line_and_stays_on_the_page():
    axes = plots.plot_tokens({"long": ["word"] * 60 + ["x" * 300], "short": ["one"]})
    edges = [patch.get_bbox() for patch in axes.patches]
    assert len({box.y0 for box in edges}) > 5
    assert max(box.x1 for box in edges) <= 7
    assert {"long", "short"} <= {text.get_text() for text in axes.texts}


def test_plot_tokens_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="at least one token"):
        plots.plot_tokens([])
    with pytest.raises(ValueError, match="no number for the token '##ffa'"):
        plots.plot_tokens(["una", "##ffa"], {"una": 1})


def test_plot_memory_marks_what_is_beyond_the_limit():
    sizes, bits = {"small": 10**9, "large": 7 * 10**9}, {"fp32": 32, "int8": 8, "int4": 4}
    axes = plots.plot_memory(sizes, bits, limit=4e9)
    hatched = [bar.get_width() for bars in axes.containers for bar in bars if bar.get_hatch()]
    assert hatched == [28e9, 7e9], "what takes exactly the memory at hand does fit"
    assert sum("too large" in text.get_text() for text in axes.texts) == len(hatched)
    assert not any(bar.get_hatch() for bars in plots.plot_memory(sizes, bits).containers for bar in bars)


def test_plot_bars_writes_each_value_at_its_bar():
    axes = plots.plot_bars({"one": 0.25, "two": 0.5}, "share", title="Two", write="{:.0%}")
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.5]
    assert [text.get_text() for text in axes.texts] == ["25%", "50%"]
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.plot_bars({}, "share")


def test_papers_of_tokens_let_ink_be_read():
    assert all(contrast(plots.INK, colour) >= 4.5 for colour in plots.PIECES.values())


def test_plot_attention_names_every_token_and_draws_every_share():
    shares = [[0.7, 0.3, 0.0], [0.2, 0.3, 0.5], [0.0, 0.001, 0.999]]
    axes = plots.plot_attention(shares, ["[CLS]", "good", "good"], title="One head")
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["[CLS]", "good", "good"]
    assert axes.images[0].get_array().tolist() == shares
    assert [text.get_text() for text in axes.texts] == [".70", ".30", ".20", ".30", ".50", "1.00"]
    assert axes.images[0].get_clim() == (0, 1)


def test_plot_attention_stays_readable_at_twenty_tokens():
    import torch

    tokens = [f"token{n}" for n in range(20)]
    axes = plots.plot_attention(torch.randn(20, 20).softmax(-1), tokens)
    figure = axes.figure
    figure.canvas.draw()
    for labels, side in ((axes.get_xticklabels(), "x"), (axes.get_yticklabels(), "y")):
        boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: getattr(box, f"{side}0"))
        assert len(boxes) == 20
        for first, second in itertools.pairwise(boxes):
            assert getattr(first, f"{side}1") <= getattr(second, f"{side}0") + 0.5, "two names overlap"
        assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes), "a name leaves the picture"
    assert all(label.get_fontsize() >= 8 for label in axes.get_xticklabels())
    assert not axes.texts
    assert figure.get_figheight() <= HIGHEST
    assert figure.get_facecolor()[:3] == (1, 1, 1), "its own paper, on a dark page, too"


@pytest.mark.parametrize(
    ("weights", "tokens", "says"),
    [
        ([[1.0]], ["a", "b"], "shape"),
        ([[[1.0]]], ["a"], "one head of one text"),
        ([], [], "shape"),
        ([[0.9, 0.2], [0.5, 0.5]], ["a", "b"], "add up to 1"),
        ([[1.5, -0.5], [0.5, 0.5]], ["a", "b"], "from 0 to 1"),
        ([[float("nan"), 1.0], [0.5, 0.5]], ["a", "b"], "from 0 to 1"),
    ],
)
def test_plot_attention_refuses_what_is_no_map(weights, tokens, says):
    with pytest.raises(ValueError, match=says):
        plots.plot_attention(weights, tokens)


def test_plot_heads_draws_a_row_a_layer_and_a_column_a_head():
    axes = plots.plot_heads([[0.0, 0.5, 0.1], [0.2, 0.0, 0.3]], label="share", title="Six heads")
    assert axes.images[0].get_array().shape == (2, 3)
    assert axes.images[0].get_clim() == (0, 0.5)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("head", "layer", "Six heads")
    assert plots.plot_heads([[0.0, 0.0]], label="all off").images[0].get_clim() == (0, 1)
    for bad in ([], [1.0, 2.0], [[-1.0]], [[float("nan")]]):
        with pytest.raises(ValueError, match="layers, heads"):
            plots.plot_heads(bad, label="x")


def test_plot_heads_frames_the_heads_that_are_marked_and_names_them_on_the_picture():
    marks = {"looks back": (0, 0), "moves most": (1, 3)}
    axes = plots.plot_heads([[0.0, 0.5, 0.1, 0.2], [0.2, 0.0, 0.3, 0.4]], label="share", marks=marks)
    assert [frame.get_xy() for frame in axes.patches] == [(-0.5, -0.5), (2.5, 0.5)]
    assert [text.get_text() for text in axes.texts] == list(marks)
    axes.figure.canvas.draw()
    for text in axes.texts:
        box = text.get_window_extent().transformed(axes.transData.inverted())
        assert -0.5 <= box.x0 < box.x1 <= 3.5, "a name leaves the map"
    for outside in ((2, 0), (0, 4), (-1, 0)):
        with pytest.raises(ValueError, match="there are 2 layers of 4 heads"):
            plots.plot_heads([[0.0] * 4] * 2, label="x", marks={"nobody": outside})


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6), st.floats(0.1, 30))
def test_names_at_the_ends_of_lines_are_moved_apart_and_keep_their_order(heights, gap):
    moved = training_curves._spread(heights, gap)
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    assert all(moved[after] - moved[before] > gap * 0.999 for before, after in itertools.pairwise(order))
    assert abs(sum(moved) - sum(heights)) < 1e-6 * len(heights), "they move up as much as down"
    if all(heights[after] - heights[before] > gap for before, after in itertools.pairwise(order)):
        assert moved == pytest.approx(heights)


def test_a_question_mark_prints_neither_colours_nor_paths(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    notebook.answer_in_page()
    shell.run_cell("from course_utils import count_parameters\ncount_parameters??")
    printed = capsys.readouterr().out
    assert "numel()" in printed
    assert "\x1b" not in printed
    assert "File:" not in printed
    assert os.sep + "course_utils" not in printed


def test_prepare_makes_random_numbers_repeat():
    import random

    import numpy as np
    import torch

    def draw() -> tuple:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    notebook.prepare(seed=3)
    first = draw()
    notebook.prepare(seed=3)
    assert draw() == first
    notebook.prepare(seed=4)
    assert draw() != first


SAID = """
import os, sys
from pathlib import Path
from course_utils import checkpoint, models, notebook
notebook.prepare()
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
base = checkpoint("distilbert-base-uncased")
for _ in range(2):
    AutoModelForSequenceClassification.from_pretrained(base)
    AutoTokenizer.from_pretrained(base)("good " * 600)
models.use_embedded_default()
pipeline("sentiment-analysis")
"""


def test_prepare_hides_no_warning_that_a_learner_needs():
    """Each is there once, and in the same words whatever the order of a set and this machine's folders are."""
    said = subprocess.run([sys.executable, "-c", SAID], capture_output=True, text=True, check=True).stderr
    assert said.count("newly initialized") == 1
    assert "classifier.bias       | MISSING\nclassifier.weight     | MISSING\npre_classifier.bias   | MISSING" in said
    assert said.count("(602 > 512)") == 1
    assert "defaulted to distilbert-minilm-reviews and revision main" in said
    assert os.sep not in said.replace("task/architecture", "")
    assert "\x1b" not in said
    assert "Loading weights" not in said


def test_a_maintainer_sees_the_warnings_as_the_libraries_write_them(monkeypatch):
    record = logging.makeLogRecord({"msg": "\x1b[1mM\x1b[0m from %s/m", "args": (models_folder(),)})
    notebook.quiet()
    handler = logging.getLogger("transformers").handlers[0]  # behind it may stand one of pytest's
    assert [bool(handler.filter(record)) for _ in range(2)] == [True, False]
    assert record.getMessage() == "M from m"
    notebook.quiet()  # a notebook that is run again hears it again
    assert handler.filter(record)
    monkeypatch.setenv("COURSE_WARNINGS", "show")
    notebook.quiet()
    assert handler.filters == []


def test_a_report_with_details_or_of_an_unknown_form_loses_nothing():
    rows = "b | MISMATCH | 2 vs 3 \na | MISSING | \n\nNotes:\n- x:\ty"
    table = f"M LOAD REPORT from: m\nKey | Status | \n----+--------+-\n{rows}"
    assert notebook.plainly(table) == "M LOAD REPORT from: m\na | MISSING\nb | MISMATCH | 2 vs 3\n- x: y"
    errors = table.replace("2 vs 3", "\n\nTraceback:\n  line\n\n")
    assert notebook.plainly(errors) == errors


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", True, None])
def test_a_bad_seed_is_named(seed):
    with pytest.raises(ValueError, match="whole number"):
        notebook.seed_everything(seed)


def test_plot_histograms_draws_a_panel_each_with_its_marks():
    one, two = plots.plot_histograms({"one": [1, 2, 2], "two": [[0.5, 1.5]]}, {"two": (0.6, 1.4)}, title="Two")
    assert sum(bar.get_height() for bar in one.patches) == 3
    assert [line.get_xdata()[0] for line in two.lines] == [0.6, 1.4]
    for values, marks in (({}, {}), ({"none": []}, {}), ({"one": [1]}, {"two": (1,)})):
        with pytest.raises(ValueError, match="numbers for each panel"):
            plots.plot_histograms(values, marks)


def test_plot_layer_errors_names_the_worst_of_each_layer():
    errors = {
        "coarse": {"0.a": 0.1, "0.b": 0.4, "1.a": 0.3, "1.b": 0.2},
        "fine": {"0.a": 0.01, "0.b": 0.02, "1.a": 0.03, "1.b": 0.01},
    }
    axes = plots.plot_layer_errors(errors, ["a", "b"])
    assert [text.get_text() for text in axes.texts] == ["b", "a"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["layer 0", "layer 1"]
    assert [list(line.get_ydata()) for line in axes.lines] == [list(of.values()) for of in errors.values()]
    assert len({line.get_marker() for line in axes.lines}) == 2
    for wrong in ({}, {"one": {"0.a": 1.0}}, errors | {"fine": {"0.a": 0.1}}):
        with pytest.raises(ValueError, match="every kind of matrix"):
            plots.plot_layer_errors(wrong, ["a", "b"])


def test_plot_trade_offs_divides_by_the_first_variant():
    results = {"full": {"size": 200, "kept": 1.0}, "small": {"size": 50, "kept": 0.95}}
    size, kept = plots.plot_trade_offs(results, {"size": "size", "kept": "labels"}, relative=["size"])
    assert [bar.get_width() for bar in size.patches] == [1, 0.25]
    assert [text.get_text() for text in size.texts] == ["1.00", "0.25"]
    assert [text.get_text() for text in kept.texts] == ["100.0%", "95.0%"]
    assert size.yaxis_inverted()
    assert kept.yaxis_inverted()
    assert len(plots.plot_trade_offs(results, {"size": "size"}, relative=["size"])) == 1
    five = plots.plot_trade_offs(dict.fromkeys("abcdef", dict.fromkeys("vwxyz", 1.0)), {name: name for name in "vwxyz"})
    assert [panel.get_title(loc="left") for panel in five] == [*"vwxyz"]
    assert five[0].figure.get_figheight() <= HIGHEST
    for wrong in ({}, {"full": {"size": 1}}):
        with pytest.raises(ValueError, match="each quantity"):
            plots.plot_trade_offs(wrong, {"size": "size", "kept": "labels"})


def test_plot_block_levels_draws_a_ruler_and_the_weights_of_each_block():
    axes = plots.plot_block_levels([[0.0, 1.5], [2.0, 5.0]], [[0.1, 0.0], [0.2, 2.0]])
    rulers = [[segment[0][1] for segment in of.get_segments()] for of in axes.collections]
    assert [len(ruler) for ruler in rulers] == [16, 16]
    assert rulers[1][0] == 2.0
    assert rulers[1][-1] == pytest.approx(5.0)
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.0, 1.5], [2.0, 5.0]]
    for weights, headers in (([1, 2], [[1, 2]]), ([[1, 2]], [[1, 2], [3, 4]])):
        with pytest.raises(ValueError, match="for each block"):
            plots.plot_block_levels(weights, headers)


def test_plot_runs_draws_each_request_and_names_each_run():
    axes = plots.plot_runs([0.0, 0.002, 0.03], [(0.005, 0.025, [0, 1]), (0.035, 0.055, [2])])
    assert [bar.get_x() for bar in axes.patches] == [5.0, 5.0, 35.0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([20.0] * 3)
    assert [text.get_text() for text in axes.texts] == ["run 1: 2 requests", "run 2: 1 request"]
    for runs in ([], [(0, 1, [0])], [(0, 1, [0, 1, 2]), (1, 2, [2])]):
        with pytest.raises(ValueError, match="exactly one run"):
            plots.plot_runs([0.0, 0.002, 0.03], runs)
    with pytest.raises(ValueError, match="at least one request"):
        plots.plot_runs([], [])


def test_plot_stacks_puts_parts_end_to_end():
    axes = plots.plot_stacks({"a": {"x": 1, "y": 2}, "b": {"x": 1000, "y": 0}}, "MB")
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 1), (0, 1000), (1, 2), (1000, 0)]
    assert [text.get_text() for text in axes.texts] == ["3", "1,000"]
    for wrong in ({}, {"a": {}}, {"a": {"x": 1}, "b": {"y": 1}}):
        with pytest.raises(ValueError, match="the same parts"):
            plots.plot_stacks(wrong, "MB")


def test_plot_fit_writes_the_precision_into_each_square():
    axes = plots.plot_fit({"small": {"phone": "a", "GPU": "a"}, "large": {"phone": None, "GPU": "b"}}, ["a", "b"])
    assert [text.get_text() for text in axes.texts] == ["a", "a", "no", "b"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["small", "large"]
    for wrong in ({}, {"small": {}}, {"small": {"phone": "c"}}, {"x": {"phone": "a"}, "y": {"GPU": "a"}}):
        with pytest.raises(ValueError, match="plot_fit needs"):
            plots.plot_fit(wrong, ["a", "b"])


def test_plot_choices_draws_each_distribution_over_the_same_rows():
    choices = {"as it is": {"a": 0.5, "b": 0.3, "c": 0.2}, "top-k 2": {"b": 0.4, "a": 0.6}}
    axes = plots.plot_choices(choices, title="Two")
    first, second = axes.figure.axes
    assert [bar.get_width() for bar in first.patches] == [0.5, 0.3, 0.2]
    assert [bar.get_width() for bar in second.patches] == [0.6, 0.4, 0]
    assert [text.get_text() for text in second.texts] == ["60%", "40%"]
    assert first.get_xlim() == second.get_xlim()
    for bad in ({}, {"empty": {}}, {"much": {"a": 1.5}}):
        with pytest.raises(ValueError, match="probabilities from 0 to 1"):
            plots.plot_choices(bad)
