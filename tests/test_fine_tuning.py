"""Lesson 6's own definitions, on other data than the lesson's: what a reader would copy has to hold elsewhere."""

import ast

import nbformat
import numpy as np
import pytest
import torch
from conftest import NOTEBOOKS
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoTokenizer,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    get_linear_schedule_with_warmup,
)

from course_utils import checkpoint, reviews
from course_utils.modeling import evaluation

WANTED = (
    *("TrainingLoop", "evaluate", "length_groups", "learning_rate"),
    *("accuracy", "standard_error", "normalise", "find_copies", "Memorizer", "LoRALinear", "optimizer_bytes"),
)


@pytest.fixture(scope="module")
def definitions() -> dict[str, str]:
    """The source of every function and class of the lesson, by its name."""
    notebook = nbformat.read(NOTEBOOKS / "06_fine_tuning.ipynb", as_version=4)
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "exercise" not in cell.metadata:
            try:
                nodes = ast.parse(cell.source).body
            except SyntaxError:  # magics
                continue
            made = [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
            found |= {node.name: ast.get_source_segment(cell.source, node) for node in made}
    return found


@pytest.fixture(scope="module")
def lesson(definitions) -> dict:
    """The lesson's definitions, ready to be called."""
    imports = (
        "import re, numpy as np, torch\nfrom collections import Counter\n"
        "from torch.nn.functional import cross_entropy\nfrom torch.nn.utils import clip_grad_norm_\n"
        "from course_utils.modeling.evaluation import predict_logits\n"
    )
    namespace = {}
    exec(imports + "\n\n".join(definitions[name] for name in WANTED), namespace)
    return namespace


LONGEST = 64
"""How many tokens the small models take: few, for each step pads to the longest text."""


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(checkpoint("distilbert-base-uncased"), model_max_length=LONGEST)


def small_model(labels: int) -> DistilBertForSequenceClassification:
    torch.manual_seed(0)
    sizes = {"n_layers": 1, "n_heads": 2, "dim": 32, "hidden_dim": 64, "max_position_embeddings": LONGEST}
    config = DistilBertConfig(**sizes, num_labels=labels)
    return DistilBertForSequenceClassification(config)


def test_the_loop_takes_fewer_than_40_lines(definitions) -> None:
    assert len([line for line in definitions["TrainingLoop"].splitlines() if line.strip()]) < 40


@pytest.mark.parametrize("size", [3, 7, 64])
def test_it_learns_three_labels_by_heart_whatever_the_size_of_a_batch(lesson, tokenizer, size) -> None:
    tweets = reviews.load_tweets("train").groupby("label").head(4)
    texts = [*tweets["text"], "word " * 700, "😀", "Ça alors, 漢字!"]
    labels = [*(["NEG", "NEU", "POS"].index(label) for label in tweets["label"]), 0, 1, 2]
    loop = lesson["TrainingLoop"](small_model(3), tokenizer, peak=5e-3, size=size)
    history = loop.run(texts, labels, (texts, labels), epochs=30, looks=2)
    assert len(history) == 2
    steps, *_, right = history[-1]
    assert steps == 30 * -(-len(texts) // size)
    assert right == 1


def test_one_text_is_enough_and_a_frozen_weight_stays(lesson, tokenizer) -> None:
    model = small_model(2)
    model.distilbert.requires_grad_(False)
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    history = lesson["TrainingLoop"](model, tokenizer).run(["It broke."], [0], (["It broke."], [0]))
    assert [step for step, *_ in history] == [1]
    changed = {name for name, weights in model.named_parameters() if not torch.equal(weights, before[name])}
    assert changed == {"pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"}


def test_the_same_seed_gives_the_same_weights(lesson, tokenizer) -> None:
    ends = []
    for _ in range(2):
        loop = lesson["TrainingLoop"](small_model(2), tokenizer, size=2)
        loop.run(["good", "bad", "not so good"], [1, 0, 0], (["fine"], [1]))
        ends.append(loop.model.classifier.weight.detach())
    assert torch.equal(*ends)


def test_a_step_clips_and_clears_and_a_label_out_of_range_is_an_error(lesson, tokenizer) -> None:
    loop = lesson["TrainingLoop"](small_model(2), tokenizer)
    before = loop.model.classifier.weight.detach().clone()
    loss = loop.step(["good", "bad"], [1, 0], rate=1e-3)
    assert loss == pytest.approx(np.log(2), abs=0.2)
    assert not torch.equal(loop.model.classifier.weight, before)
    assert all(weights.grad is None or not weights.grad.any() for weights in loop.model.parameters())
    with pytest.raises(IndexError, match="Target 2 is out of bounds"):
        loop.step(["a film"], [2], rate=0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 600), min_size=1, max_size=80), st.integers(1, 20))
def test_groups_hold_every_text_once_and_need_little_padding(lesson, lengths, size) -> None:
    batches = lesson["length_groups"](np.array(lengths), size, np.random.default_rng(0))
    assert sorted(place for rows in batches for place in rows) == list(range(len(lengths)))
    assert all(1 <= len(rows) <= size for rows in batches)
    if len(lengths) > size:
        ordered = sorted(lengths)
        ideal = sum(max(ordered[i : i + size]) * len(ordered[i : i + size]) for i in range(0, len(ordered), size))
        assert (
            sum(max(lengths[i] for i in rows) * len(rows) for rows in batches) <= ideal + 9 * len(lengths) + 600 * size
        )


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 100, 333])
def test_the_schedule_is_the_librarys(lesson, steps) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    for step in range(steps):
        assert lesson["learning_rate"](step, steps, 3e-4) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_what_the_lesson_builds_is_what_the_package_gives(lesson, tokenizer) -> None:
    predicted, expected = [1, 0, 1, 1], [1, 1, 1, 0]
    assert lesson["accuracy"](predicted, expected) == evaluation.accuracy(predicted, expected)
    assert lesson["standard_error"](0.85, 400) == evaluation.standard_error(0.85, 400)
    model, texts = small_model(2), ["good", "a bad film", "no"]
    logits = torch.tensor(evaluation.predict_logits(model, tokenizer, texts))
    loss, right = lesson["evaluate"](model, tokenizer, texts, [1, 0, 1])
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits, torch.tensor([1, 0, 1])).item())
    assert right == evaluation.accuracy(logits.argmax(1).tolist(), [1, 0, 1])


def test_copies_are_found_whatever_their_commas(lesson) -> None:
    assert lesson["find_copies"](["Great, phone!"], ["great phone", "great phones"]) == ["great phone"]
    parrot = lesson["Memorizer"](["Good one.", "So so", "ok"], ["POSITIVE", "NEGATIVE", "NEGATIVE"])
    assert parrot(["good one", "never seen"]) == ["POSITIVE", "NEGATIVE"]


@pytest.mark.parametrize("r", [1, 4])
def test_the_lora_layer_is_pefts(lesson, r) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 5))
    mine = lesson["LoRALinear"](torch.nn.Linear(6, 5), r=r, alpha=3)
    mine.linear.load_state_dict(net[0].state_dict())
    theirs = get_peft_model(net, LoraConfig(r=r, lora_alpha=3, target_modules=["0"]))
    x = torch.randn(7, 6)
    torch.testing.assert_close(mine(x), theirs(x))
    with torch.no_grad():
        mine.B.normal_()
        layer = theirs.base_model.model[0]
        layer.lora_A["default"].weight.copy_(mine.A)
        layer.lora_B["default"].weight.copy_(mine.B)
    torch.testing.assert_close(mine(x), theirs(x))
    trained = {name for name, weights in mine.named_parameters() if weights.requires_grad}
    assert trained == {"A", "B"}
    theirs.train()(x).sum().backward()
    optimizer = torch.optim.AdamW(theirs.parameters())
    optimizer.step()
    assert lesson["optimizer_bytes"](optimizer) == 2 * 4 * r * (6 + 5)
