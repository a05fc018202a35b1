"""Accuracy and its error, groups, confusion, calibration, and the logits of many texts; the figures of all these."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint, plots
from course_utils.modeling import evaluation

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1)


@pytest.fixture(scope="module")
def parts() -> tuple:
    folder = checkpoint("distilbert-base-uncased-finetuned-sst-2-english")
    return AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_logits_come_in_the_order_of_the_texts_whatever_shares_their_batch(parts) -> None:
    model, tokenizer = parts
    texts = ["Fine.", "very " * 600 + "good", "", "A dull, stupid film.", "naïve 漢字 😀", "It broke on the third day."]
    together = evaluation.predict_logits(model.train(), tokenizer, texts)
    assert not model.training
    assert together.shape == (6, 2)
    for text, row in zip(texts, together, strict=True):
        with torch.inference_mode():
            alone = model(**tokenizer(text, truncation=True, return_tensors="pt")).logits[0]
        np.testing.assert_allclose(row, alone, atol=1e-4)
    small = evaluation.predict_logits(model, tokenizer, texts, max_tokens=1)
    np.testing.assert_allclose(small, together, atol=1e-4)


@pytest.mark.parametrize(("texts", "error"), [("one", TypeError), (["one", 2], TypeError), ([], ValueError)])
def test_what_is_no_list_of_texts_is_refused(parts, texts, error) -> None:
    with pytest.raises(error, match="text"):
        evaluation.predict_logits(*parts, texts)


@given(PAIRS)
def test_groups_and_confusion_add_up_to_the_accuracy(pairs) -> None:
    predicted, expected = zip(*pairs, strict=True)
    overall = evaluation.accuracy(predicted, expected)
    matrix = evaluation.confusion_matrix(predicted, expected, 4)
    assert matrix.sum() == len(pairs)
    assert overall == pytest.approx(np.trace(matrix) / len(pairs))
    by_label = evaluation.accuracy_by(expected, predicted, expected)
    assert sum(share * size for share, size in by_label.values()) == pytest.approx(overall * len(pairs))
    for label, (share, size) in by_label.items():
        assert matrix[label].sum() == size
        assert matrix[label, label] == pytest.approx(share * size)


def test_groups_keep_the_order_they_appear_in() -> None:
    found = evaluation.accuracy_by(["b", "a", "b"], [1, 1, 0], [1, 0, 1])
    assert list(found.items()) == [("b", (0.5, 2)), ("a", (0.0, 1))]


def test_a_confusion_has_rows_for_what_people_said() -> None:
    assert evaluation.confusion_matrix(np.array([1, 1, 0]), [0, 0, 0], 2).tolist() == [[1, 2], [0, 0]]
    with pytest.raises(ValueError, match="from 0 to 1"):
        evaluation.confusion_matrix([2], [0], 2)


@pytest.mark.parametrize(("predicted", "expected"), [([], []), ([1], [1, 0])])
def test_what_does_not_match_is_refused(predicted, expected) -> None:
    for judge in (
        evaluation.accuracy,
        lambda one, other: evaluation.accuracy_by(other, one, other),
        lambda one, other: evaluation.confusion_matrix(one, other, 2),
        evaluation.calibration,
    ):
        with pytest.raises(ValueError, match="each text needs one of each"):
            judge(predicted, expected)


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    samples = np.random.default_rng(0).binomial(300, 0.8, 20_000) / 300
    assert evaluation.standard_error(0.8, 300) == pytest.approx(samples.std(), rel=0.03)
    for share, size in ((1.1, 5), (0.5, 0), (math.nan, 3)):
        with pytest.raises(ValueError, match="from 0 to 1"):
            evaluation.standard_error(share, size)


def test_calibration_sees_whether_scores_are_meant() -> None:
    random = np.random.default_rng(0)
    scores = random.uniform(0.5, 1, 20_000)
    honest = evaluation.calibration(scores, random.uniform(size=20_000) < scores, lowest=0.5)
    assert [b.size for b in honest] == pytest.approx([2000] * 10, rel=0.1)
    assert all(abs(b.accuracy - b.score) < 0.04 for b in honest)
    assert evaluation.calibration_error(honest) < 0.02
    boastful = evaluation.calibration(scores, random.uniform(size=20_000) < scores - 0.2, lowest=0.5)
    assert evaluation.calibration_error(boastful) == pytest.approx(0.2, abs=0.02)
    assert evaluation.calibration([1.0, 1.0], [True, False]) == [(2, 1.0, 0.5)]
    for scores, bins in (([1.2], 10), ([0.5], 0)):
        with pytest.raises(ValueError, match="at least one range"):
            evaluation.calibration(scores, [True], bins)


def test_plot_curves_draws_each_line_with_its_name() -> None:
    axes = plots.plot_curves(
        {"one": ([0, 1], [0.7, 0.5]), "two": ([0, 1, 2], [0.7, 0.6, 0.65])},
        "step",
        "loss",
        "T",
        level=(0.69, "guessing"),
    )
    one, two, level = axes.lines
    assert (one.get_label(), two.get_label()) == ("one", "two")
    assert list(two.get_ydata()) == [0.7, 0.6, 0.65]
    assert one.get_color() != two.get_color()
    assert one.get_linestyle() != two.get_linestyle()
    assert set(level.get_ydata()) == {0.69}
    assert {"one", "two", "guessing"} <= {text.get_text() for text in axes.texts}
    for curves in ({}, {"one": ([], [])}, {"one": ([1], [1, 2])}):
        with pytest.raises(ValueError, match="as many x values"):
            plots.plot_curves(curves, "x", "y")


def test_plot_confusion_writes_counts_and_shares_of_the_row() -> None:
    axes = plots.plot_confusion([[90, 10], [0, 0]], ["NEG", "POS"], "T")
    assert [text.get_text() for text in axes.texts] == ["90\n90%", "10\n10%", "0\n0%", "0\n0%"]
    with pytest.raises(ValueError, match="square"):
        plots.plot_confusion([[1, 2]], ["NEG", "POS"])


def test_plot_calibration_draws_a_point_a_group() -> None:
    axes = plots.plot_calibration([evaluation.Bin(40, 0.6, 0.55), evaluation.Bin(1200, 0.97, 0.99)], "T")
    (points,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(points.get_xdata()) == [0.6, 0.97]
    assert list(points.get_ydata()) == [0.55, 0.99]
    assert {"40", "1,200"} <= {text.get_text() for text in axes.texts}
    with pytest.raises(ValueError, match="at least one group"):
        plots.plot_calibration([])


def test_plot_accuracies_draws_a_dot_a_name_from_top_to_bottom() -> None:
    axes = plots.plot_accuracies({"rules": 0.75, "model": 0.9}, size=500)
    (dots,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(dots.get_xdata()) == [0.75, 0.9]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["rules", "model"]
    assert axes.yaxis_inverted()
    for accuracies, size in (({}, 5), ({"one": 1.2}, 5), ({"one": 0.5}, 0)):
        with pytest.raises(ValueError, match="from 0 to 1"):
            plots.plot_accuracies(accuracies, size)
