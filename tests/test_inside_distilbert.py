"""Lesson 5's hand-made model, run from the notebook's own cells and held to the library on texts it does not show."""

import ast
import copy
import functools
import types

import nbformat
import pytest
import torch
from conftest import NOTEBOOKS
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, DistilBertConfig

from course_utils import count_parameters, parameter_table, reviews


@pytest.fixture(scope="module")
def model(reviews_checkpoint):
    return AutoModelForSequenceClassification.from_pretrained(reviews_checkpoint, attn_implementation="eager").eval()


@functools.cache
def taught_functions() -> types.CodeType:
    """All functions that lesson 5 defines, compiled."""
    cells = nbformat.read(NOTEBOOKS / "05_inside_distilbert.ipynb", as_version=4).cells
    sources = [c.source for c in cells if c.cell_type == "code" and not c.source.startswith(("#|", "%"))]
    nodes = [node for source in sources if "?" not in source for node in ast.parse(source).body]
    return compile(ast.Module([node for node in nodes if isinstance(node, ast.FunctionDef)], []), "lesson 5", "exec")


def run_lesson(model) -> dict:
    """Define the lesson's functions for a model, with the few names that they read."""
    namespace = {
        "torch": torch,
        "model": model,
        "heads": model.config.n_heads,
        "size": model.config.dim // model.config.n_heads,
    }
    exec(taught_functions(), namespace)
    return namespace


@pytest.fixture(scope="module")
def taught(model) -> dict:
    return run_lesson(model)


@pytest.fixture(scope="module")
def weights(model) -> dict:
    return model.state_dict()


def assert_whole_pass_matches(taught, model, weights, input_ids, mask, atol):
    with torch.inference_mode():
        library = model(input_ids=input_ids, attention_mask=mask, output_hidden_states=True, output_attentions=True)
        states, maps = taught["run_layers"](input_ids, mask, weights)
        logits = taught["forward"](input_ids, mask, weights)
    real = mask.bool()
    assert len(states) == len(library.hidden_states) == model.config.n_layers + 1
    for mine, theirs in zip(states, library.hidden_states, strict=True):
        torch.testing.assert_close(mine[real], theirs[real], atol=atol, rtol=0)
    for mine, theirs in zip(maps, library.attentions, strict=True):
        assert mine.shape == (len(input_ids), model.config.n_heads, input_ids.shape[1], input_ids.shape[1])
        torch.testing.assert_close(mine.transpose(1, 2)[real], theirs.transpose(1, 2)[real], atol=atol, rtol=0)
        assert (mine.transpose(1, 2)[real].sum(-1) - 1).abs().max() < 1e-5
        assert not mine.transpose(1, 3)[~real].any(), "somebody looked at padding"
    torch.testing.assert_close(logits, library.logits, atol=atol, rtol=0)


def test_held_out_reviews_in_padded_batches(taught, model, weights, sentiment_pipeline):
    texts = reviews.load("test")["text"].sample(40, random_state=5).tolist()
    batch = sentiment_pipeline.preprocess([*texts, "x", "👩‍👩‍👧‍👦 loved it ❤️", "这部电影太棒了"])
    assert (batch["attention_mask"] == 0).any()
    assert_whole_pass_matches(taught, model, weights, batch["input_ids"], batch["attention_mask"], atol=1e-5)


@pytest.fixture(scope="module")
def exact(model):
    """In double precision: no text drives the activations as high, where single precision rounds by more than 1e-5."""
    return copy.deepcopy(model).double()


def assert_random_ids_match(exact, length):
    random = torch.Generator().manual_seed(length)
    input_ids = torch.randint(exact.config.vocab_size, (2, length), generator=random)
    mask = torch.ones_like(input_ids)
    mask[1, max(1, length // 2) :] = 0
    assert_whole_pass_matches(run_lesson(exact), exact, exact.state_dict(), input_ids, mask, atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 3, 17])
def test_random_ids_of_any_length(exact, length):
    assert_random_ids_match(exact, length)


def test_random_ids_up_to_the_last_position():
    torch.manual_seed(0)
    config = DistilBertConfig(dim=48, hidden_dim=64, n_heads=4, n_layers=3)
    assert config.max_position_embeddings == 512
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").double().eval()
    assert_random_ids_match(model, 512)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 12), st.integers(0, 2**31))
def test_any_config_in_double_precision(heads, layers, texts, length, seed):
    """The lesson's code has no number of this checkpoint in it, and is off by nothing but rounding."""
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=30, max_position_embeddings=12, dim=heads * 6, hidden_dim=20, n_heads=heads, n_layers=layers
    )
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").double().eval()
    input_ids = torch.randint(30, (texts, length))
    mask = (torch.arange(length) < torch.randint(1, length + 1, (texts, 1))).long()
    assert_whole_pass_matches(run_lesson(model), model, model.state_dict(), input_ids, mask, atol=1e-10)


def test_a_head_switched_off_is_what_the_library_gives_without_its_columns(taught, model, weights):
    """The ablation changes one head and no weight of the model."""
    taught["weights"] = weights
    before = {name: tensor.clone() for name, tensor in weights.items()}
    off = taught["without_head"](2, 3)
    name = "distilbert.transformer.layer.2.attention.out_lin.weight"
    size = taught["size"]
    assert [key for key in weights if not torch.equal(off[key], weights[key])] == [name]
    assert not off[name][:, 3 * size : 4 * size].any()
    assert torch.equal(off[name][:, : 3 * size], weights[name][:, : 3 * size])
    assert all(torch.equal(before[key], weights[key]) for key in weights)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(2, 6), st.floats(0.5, 8), st.integers(0, 2**31))
def test_the_loss_of_distillation_is_torchs(taught, texts, labels, temperature, seed):
    random = torch.Generator().manual_seed(seed)
    student, teacher = (3 * torch.randn(texts, labels, generator=random).double() for _ in range(2))
    by_torch = torch.nn.functional.kl_div(
        (student / temperature).log_softmax(-1), (teacher / temperature).softmax(-1), reduction="batchmean"
    )
    mine = taught["distillation_loss"](student, teacher, temperature)
    torch.testing.assert_close(mine, temperature**2 * by_torch)
    assert taught["distillation_loss"](teacher, teacher, temperature).abs() < 1e-12


def test_the_parts_are_the_packages_parts(taught, model):
    table = parameter_table(model)
    assert sum(table.values()) == count_parameters(model)
    for name, parameter in model.named_parameters():
        table[taught["part_of"](name)] -= parameter.numel()
    assert not any(table.values())
