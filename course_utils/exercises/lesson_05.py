"""The checks of lesson 5: shapes, temperature, RMS norm, a layer's parameters, windows, a head and its habit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from course_utils.exercises import WrongAnswerError, checker, need_function
from course_utils.models import SENTIMENT_MODEL, checkpoint

if TYPE_CHECKING:
    import torch

NEAR = 0.03
"""How far below the best head's share still counts as best: who averages a little differently is right, too."""


@checker
def check_attention_shape(attention_shape: tuple[int, int, int, int]) -> str:
    """Exercise 1: the shape of one layer's attention maps for 8 texts of at most 50 tokens."""
    try:
        shape = tuple(attention_shape)
    except TypeError:
        raise WrongAnswerError(
            f"Answer with a shape: whole numbers in brackets, such as (1, 2). This is {attention_shape!r:.60}."
        ) from None
    hints = {
        (8, 50, 50): "Each head has a map of its own, and there are 12 of them. Where does their number go?",
        (12, 8, 50, 50): "The right numbers, and the texts come first: the batch is always the first dimension.",
        (8, 50, 12, 50): "That is how you turned it for assert_same. The library has the heads right after the texts.",
        (8, 12, 50): "Each of 50 tokens looks at each of 50 tokens: that takes two dimensions.",
        (8, 12, 50, 32): "Those are the queries of all heads. The 32 numbers are added up when they meet the keys.",
        (8, 50, 384): "That is a hidden state. Attention maps say who looks at whom.",
        (8, 12, 52, 52): "The 50 tokens have [CLS] and [SEP] among them: the task counts all tokens.",
        (6, 8, 12, 50, 50): "That is all six layers at once. The task asks for one.",
        (8, 6, 50, 50): "6 is the number of layers. How many heads are there in each?",
    }
    if shape in hints:
        raise WrongAnswerError(hints[shape])
    if shape != (8, 12, 50, 50):
        raise WrongAnswerError("Which four things are counted: texts, heads, tokens that look, tokens looked at.")
    return "(8, 12, 50, 50): 240,000 numbers for one layer. With texts twice as long it would be four times as many."


@checker
def check_soften(soften: Callable[[list[float], float], list[float]]) -> str:
    """Exercise 2: probabilities at a temperature."""
    need_function(soften, "soften")
    for logits, temperature in (([2.0, -1.0, 0.5], 2.0), ([3.0, 1.0], 4.0), ([0.3, 0.1, -4.0, 2.0], 0.5)):
        found = _numbers(soften(logits, temperature), "soften", len(logits))
        expected = _softmax([logit / temperature for logit in logits])
        mistakes = {
            "That is softmax without the temperature. Divide the logits by it first.": _softmax(logits),
            "You multiplied by the temperature. Dividing makes the logits smaller, and the answer softer.": _softmax(
                [logit * temperature for logit in logits]
            ),
            "You divided the probabilities. They no longer add up to 1: divide the logits, then take softmax.": [
                p / temperature for p in _softmax(logits)
            ],
            "Those are the logits, divided. Softmax makes probabilities of them.": [
                logit / temperature for logit in logits
            ],
        }
        if not _close(found, expected):
            for hint, mistake in mistakes.items():
                if _close(found, mistake):
                    raise WrongAnswerError(hint)
            if abs(sum(found) - 1) > 1e-3:
                raise WrongAnswerError(f"Probabilities add up to 1. Yours for {logits} add up to {sum(found):.3f}.")
            shown = ", ".join(f"{p:.3f}" for p in expected)
            raise WrongAnswerError(f"At temperature {temperature} the logits {logits} give {shown}.")
    return "The order stays, the distances shrink: at a high temperature a teacher tells what it thinks of every label."


@checker
def check_rms_norm(rms_norm: Callable[..., torch.Tensor]) -> str:
    """Exercise 3: the norm of Llama and its kin, held to torch's."""
    import torch

    need_function(rms_norm, "rms_norm")
    random = torch.Generator().manual_seed(5)
    for shape in ((6,), (2, 3, 8), (4, 16)):
        x = torch.randn(shape, generator=random) * 3 + 1
        weight = torch.rand(shape[-1], generator=random) + 0.5
        eps = 1e-6
        found = rms_norm(x, weight)
        if found is None:
            raise WrongAnswerError("rms_norm returned None. Is there a return in your function?")
        if not isinstance(found, torch.Tensor):
            raise WrongAnswerError(f"Return a tensor of the shape of x. Yours returned {found!r:.60}.")
        if found.shape != x.shape:
            raise WrongAnswerError(
                f"x has the shape {tuple(x.shape)}, and your result {tuple(found.shape)}. Keep the dimension of the "
                "mean: keepdim=True."
            )
        square = (x**2).mean(dim=-1, keepdim=True)
        centred = x - x.mean(dim=-1, keepdim=True)
        expected = torch.nn.functional.rms_norm(x, (shape[-1],), weight, eps)
        mistakes = {
            "That is layer norm: it subtracts the mean first. RMS norm leaves the mean where it is.": centred
            / ((centred**2).mean(dim=-1, keepdim=True) + eps).sqrt()
            * weight,
            "You divide by the right root, and subtract the mean before. RMS norm leaves the mean.": centred
            / (square + eps).sqrt()
            * weight,
            "The weight is missing: multiply each number by its own at the end.": x / (square + eps).sqrt(),
            "The root is missing: you divide by the mean square itself.": x / (square + eps) * weight,
            "You took the sum of the squares. The mean divides it by how many there are.": x
            / ((x**2).sum(dim=-1, keepdim=True) + eps).sqrt()
            * weight,
            "You averaged over the whole tensor. Each vector has its own mean: dim=-1.": x
            / ((x**2).mean() + eps).sqrt()
            * weight,
        }
        if not torch.allclose(found.float(), expected, atol=1e-4):
            for hint, mistake in mistakes.items():
                if torch.allclose(found.float(), mistake, atol=1e-4):
                    raise WrongAnswerError(hint)
            raise WrongAnswerError(
                f"For a tensor of the shape {tuple(x.shape)} it differs from torch's rms_norm. Square, mean, root, "
                "divide, multiply by the weight: in this order?"
            )
    return "Torch's own rms_norm gives the same. It does without the mean and the bias: less to compute, less to learn."


@checker
def check_count_layer(count_layer: Callable[[int, int], int]) -> str:
    """Exercise 4: how many parameters one layer has, held to real models of several sizes."""
    need_function(count_layer, "count_layer")
    for width, wide in ((8, 20), (12, 48), (32, 40), (64, 64)):
        found = count_layer(width, wide)
        if found is None:
            raise WrongAnswerError("count_layer returned None. Is there a return in your function?")
        if isinstance(found, bool) or not isinstance(found, int | float) or found != found or found % 1:
            raise WrongAnswerError(f"Return a whole number. Yours returned {found!r:.60}.")
        attention, network, norms = 4 * width * width, 2 * width * wide, 4 * width
        biases = 4 * width + wide + width
        expected = _layer_parameters(width, wide)
        mistakes = {
            attention + network + norms: "The biases are missing: each linear layer has one for each number it makes.",
            attention + network + biases: "The two layer norms are missing: each has a weight and a bias.",
            attention + network: "Those are the six tables. Each has a bias, and there are two layer norms.",
            expected - width * width - width: "You counted three tables for attention. out_lin is the fourth.",
            expected - 2 * width: "One layer norm is missing: one stands after attention, one after the network.",
            expected - width + wide: "The second linear layer makes the vector short again, and its bias with it.",
            expected * 6: "That is six layers. The task asks for one.",
        }
        if found != expected:
            if found in mistakes:
                raise WrongAnswerError(mistakes[found])
            raise WrongAnswerError(
                f"A layer with width {width} and {wide} inside has {expected:,} parameters; yours: {found:,.0f}."
            )
    return "The tables grow with the square of the width: twice as wide is about four times as many."


@functools.cache
def _layer_parameters(width: int, wide: int) -> int:
    from transformers import AutoModel, DistilBertConfig

    from course_utils.modeling.parameters import count_parameters

    config = DistilBertConfig(vocab_size=5, max_position_embeddings=4, dim=width, hidden_dim=wide, n_heads=2)
    return count_parameters(AutoModel.from_config(config).transformer.layer[0])


@checker
def check_window_mask(window_mask: Callable[[int, int], torch.Tensor]) -> str:
    """Exercise 5: who may look at whom when nobody sees further than a few tokens."""
    import torch

    need_function(window_mask, "window_mask")
    for length, reach in ((6, 1), (5, 2), (7, 0), (4, 9), (1, 1)):
        found = window_mask(length, reach)
        if found is None:
            raise WrongAnswerError("window_mask returned None. Is there a return in your function?")
        try:
            table = torch.as_tensor(found)
        except (TypeError, ValueError, RuntimeError):
            raise WrongAnswerError(f"Return a tensor of True and False. Yours returned {found!r:.60}.") from None
        if tuple(table.shape) != (length, length):
            raise WrongAnswerError(
                f"For {length} tokens the mask has the shape ({length}, {length}): who looks, and at whom. Yours has "
                f"{tuple(table.shape)}."
            )
        if table.dtype != torch.bool and not set(table.flatten().tolist()) <= {0, 1}:
            raise WrongAnswerError("The mask has only two values: True where a look is allowed, else False.")
        table = table.bool()
        places = torch.arange(length)
        distance = (places[:, None] - places[None, :]).abs()
        expected = distance <= reach
        if torch.equal(table, expected):
            continue
        if torch.equal(table, ~expected):
            raise WrongAnswerError("Turned round: True is where a token may look, as in share_out's `allowed`.")
        if torch.equal(table, distance < reach):
            raise WrongAnswerError(f"With a reach of {reach} the token at distance {reach} is still seen: <=, not <.")
        if torch.equal(table, expected.tril()):
            raise WrongAnswerError("That one looks back only. The window is open on both sides.")
        if torch.equal(table, expected & (distance > 0)):
            raise WrongAnswerError("Each token may look at itself, too.")
        if table.all():
            raise WrongAnswerError(f"Everyone sees everyone. With a reach of {reach} that is too far.")
        raise WrongAnswerError(f"With {length} tokens and a reach of {reach} it should be {expected.int().tolist()}.")
    return "For long texts this saves nearly all of the work: the looks grow with the length, not with its square."


@checker
def check_next_head(next_head: tuple[float, float]) -> str:
    """Exercise 6: the (layer, head) that looks the most at the token after, computed by the learner."""
    try:
        layer, head = (int(number) for number in next_head)
        given = tuple(next_head)
    except (TypeError, ValueError):
        raise WrongAnswerError(
            f"Answer with a pair, such as (0, 11): layer, head. This is {next_head!r:.60}."
        ) from None
    after, before = _mean_shares()
    layers, heads = after.shape
    best = after.max().item()
    inside = 0 <= layer < layers and 0 <= head < heads and not any(isinstance(number, bool) for number in given)
    share = after[layer, head].item() if inside else 0.0
    if share >= best - NEAR:
        return f"Head {head} of layer {layer} gives the token after it {share:.0%} of its attention."
    if 0 <= head < layers and 0 <= layer < heads and after[head, layer] >= best - NEAR:
        raise WrongAnswerError("The right head, turned round: the layer first, then the head.")
    if not inside:
        raise WrongAnswerError(
            f"Layers go from 0 to {layers - 1} and heads from 0 to {heads - 1}; argmax() on the whole map gives one "
            f"number, of which divmod(number, {heads}) makes the two."
        )
    if before[layer, head] >= before.max() - NEAR:
        raise WrongAnswerError(
            "That one looks at the token before. For the one after, move the ones to the other side."
        )
    raise WrongAnswerError(
        f"Head {head} of layer {layer} gives the token after it {share:.0%} of its attention; another gives {best:.0%}."
    )


@functools.cache
def _mean_shares() -> tuple[torch.Tensor, torch.Tensor]:
    """Return how much of their attention words give to the token after and before them, for each (layer, head)."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from course_utils import reviews
    from course_utils.models import load_tokenizer

    folder = checkpoint(SENTIMENT_MODEL)
    tokenizer = load_tokenizer(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    table = reviews.load_labelled("validation")
    texts = table[table["text"].str.len().between(40, 110)]["text"].sample(60, random_state=1).tolist()
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        maps = torch.stack(model(**batch, output_attentions=True).attentions, dim=1)
    is_word = ~torch.isin(batch["input_ids"], torch.tensor(tokenizer.all_special_ids))
    shares = []
    for offset in (1, -1):
        looks = torch.nn.functional.pad(
            maps.diagonal(offset=offset, dim1=-2, dim2=-1), (0, 1) if offset == 1 else (1, 0)
        )
        shares.append((looks * is_word[:, None, None]).sum(dim=(0, 3)) / is_word.sum())
    return shares[0], shares[1]


def _numbers(found: Any, name: str, count: int) -> list[float]:
    if found is None:
        raise WrongAnswerError(f"{name} returned None. Is there a return in your function?")
    if hasattr(found, "tolist"):
        found = found.tolist()
    if not isinstance(found, (list, tuple)) or not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in found
    ):
        raise WrongAnswerError(f"Return a list of {count} numbers, or a tensor. Yours returned {found!r:.60}.")
    if len(found) != count:
        raise WrongAnswerError(f"There are {count} logits, and your answer has {len(found)} numbers.")
    return [float(number) for number in found]


def _softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(logit) for logit in logits]
    return [power / sum(powers) for power in powers]


def _close(found: list[float], expected: list[float]) -> bool:
    return all(abs(a - b) < 1e-4 for a, b in zip(found, expected, strict=True))
