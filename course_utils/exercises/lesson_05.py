"""The checks of lesson 5: shapes, temperature, RMS norm, a layer's parameters, windows, a head and its habit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from course_utils.exercises import WrongAnswerError, checker
from course_utils.exercises.answers import numbers, said, shape, whole, wholes
from course_utils.exercises.cases import run_cases, shown
from course_utils.models import SENTIMENT_MODEL, checkpoint

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-4
"""How far a number may be from the right one. The tasks say so."""


@checker
def check_attention_shape(attention_shape: tuple[int, int, int, int]) -> str:
    """Exercise 1: the shape of one layer's attention maps for 8 texts of at most 50 tokens."""
    found = shape(attention_shape, "attention_shape", (3, 4))
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
        (
            3,
            12,
            11,
            11,
        ): "That is the shape for the lesson's own three texts. Here there are 8, and the longest has 50.",
    }
    if found in hints:
        raise WrongAnswerError(hints[found])
    if found != (8, 12, 50, 50):
        raise WrongAnswerError(
            f"It is not {found}. Four things are counted: texts, heads, tokens that look, tokens that are looked at."
        )
    return "(8, 12, 50, 50): 240,000 numbers for one layer. With texts twice as long it would be four times as many."


@checker
def check_soften(soften: Callable[[list[float], float], list[float]]) -> str:
    """Exercise 2: probabilities at a temperature."""
    run_cases(
        soften,
        "soften",
        [
            ([2.0, -1.0, 0.5], 2.0),
            ([3.0, 1.0], 4.0),
            ([0.3, 0.1, -4.0, 2.0], 0.5),
            ([2.0, -1.0, 0.5], 1.0),
            ([2.0, -1.0, 0.5], 100),
            ([-3.0, -3.0, -1.5, -2.0, 0.0], 3.0),
            ([1.5], 2.0),
        ],
        lambda logits, temperature: _softmax([logit / temperature for logit in logits]),
        read=numbers,
        same=_close,
        write=_rounded,
        mistakes={
            "That is softmax without the temperature. Divide the logits by it first.": (
                lambda logits, _: _softmax(logits)
            ),
            "You multiplied by the temperature. Dividing makes the logits smaller, and the answer softer.": (
                lambda logits, temperature: _softmax([logit * temperature for logit in logits])
            ),
            "You divided the probabilities. They no longer add up to 1: divide the logits, then take softmax.": (
                lambda logits, temperature: [share / temperature for share in _softmax(logits)]
            ),
            "Those are the logits, divided. Softmax makes probabilities of them.": (
                lambda logits, temperature: [logit / temperature for logit in logits]
            ),
            "You take the sigmoid of each logit by itself. Softmax shares out 1 among all of them.": (
                lambda logits, temperature: [1 / (1 + math.exp(-logit / temperature)) for logit in logits]
            ),
            "Those are the logarithms of the right probabilities: log_softmax.": (
                lambda logits, temperature: [
                    math.log(share) for share in _softmax([logit / temperature for logit in logits])
                ]
            ),
            "The probabilities are right and in percent. Let them add up to 1.": (
                lambda logits, temperature: [
                    100 * share for share in _softmax([logit / temperature for logit in logits])
                ]
            ),
        },
    )
    return "The order stays, the distances shrink: at a high temperature a teacher tells what it thinks of every label."


def _softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(logit) for logit in logits]
    return [power / sum(powers) for power in powers]


def _close(found: list[float], expected: list[float]) -> bool:
    return len(found) == len(expected) and all(
        abs(one - other) <= TOLERANCE for one, other in zip(found, expected, strict=True)
    )


def _rounded(found: list[float]) -> str:
    return shown([round(number, 4) for number in found])


@checker
def check_rms_norm(rms_norm: Callable[..., torch.Tensor]) -> str:
    """Exercise 3: the norm of Llama and its kin, held to torch's."""
    import torch

    random = torch.Generator().manual_seed(5)

    def case(*size: int, scale: float = 3.0, shift: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        weight = torch.rand(size[-1], generator=random) * 2 - 0.5
        return torch.randn(size, generator=random) * scale + shift, weight

    with_zeros = case(2, 3, 5)
    with_zeros[0][0, 1] = 0
    cases: list[tuple[Any, ...]] = [
        case(6),
        case(2, 3, 8),
        case(4, 16),
        case(4, 4),
        case(2, 3, 2, 5),
        case(3, 1),
        with_zeros,
        case(4, scale=1e-3, shift=0),
        (*case(2, 8), 0.5),
        (*case(5), 1e-12),
    ]

    def mean(x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=-1, keepdim=True)

    def norm(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
        return torch.nn.functional.rms_norm(x, (x.shape[-1],), weight, eps)

    def layer_norm(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
        return norm(x - mean(x), weight, eps)

    run_cases(
        rms_norm,
        "rms_norm",
        cases,
        norm,
        read=_tensor,
        same=lambda found, expected: (
            found.shape == expected.shape
            and torch.allclose(found.to(expected), expected, rtol=0, atol=TOLERANCE, equal_nan=True)
        ),
        write=_tensor_as_text,
        mistakes={
            "That is layer norm: it subtracts the mean first. RMS norm leaves the mean where it is.": layer_norm,
            "You divide by the right root, and subtract the mean before. RMS norm leaves the mean.": (
                lambda x, weight, eps=1e-6: (x - mean(x)) / (mean(x**2) + eps).sqrt() * weight
            ),
            "The weight is missing: multiply each number by its own at the end.": (
                lambda x, weight, eps=1e-6: norm(x, torch.ones_like(weight), eps)
            ),
            "The root is missing: you divide by the mean square itself.": (
                lambda x, weight, eps=1e-6: x / (mean(x**2) + eps) * weight
            ),
            "You took the sum of the squares. The mean divides it by how many there are.": (
                lambda x, weight, eps=1e-6: x / ((x**2).sum(dim=-1, keepdim=True) + eps).sqrt() * weight
            ),
            "You averaged over the whole tensor. Each vector has its own mean: dim=-1.": (
                lambda x, weight, eps=1e-6: x / ((x**2).mean() + eps).sqrt() * weight
            ),
            "You averaged over the first dimension. The numbers of a vector lie in the last: dim=-1.": (
                lambda x, weight, eps=1e-6: x / ((x**2).mean(dim=0, keepdim=True) + eps).sqrt() * weight
            ),
            "There is no eps under the root. A vector of zeros becomes 0 / 0 without it, and eps moves small ones.": (
                lambda x, weight, eps=1e-6: x / mean(x**2).sqrt() * weight
            ),
            "eps stands outside of the root. In the formula it is added to the mean, under the root.": (
                lambda x, weight, eps=1e-6: x / (mean(x**2).sqrt() + eps) * weight
            ),
            "With another eps your function gives the same. Use the eps that it is given.": (
                lambda x, weight, eps=1e-6: norm(x, weight, 1e-6)
            ),
        },
    )
    return "Torch's own rms_norm gives the same. It does without the mean and the bias: less to compute, less to learn."


def _tensor(found: Any, call: str) -> torch.Tensor:
    import torch

    if not isinstance(found, torch.Tensor):
        end = said(found)
        raise WrongAnswerError(
            f"{call} should be a tensor of the shape of x. It is {end}{'' if end[-1] == '?' else '.'}"
        )
    return found.detach().clone()


def _tensor_as_text(found: torch.Tensor) -> str:
    first = ", ".join(f"{number:.4f}" for number in found.flatten()[:4].tolist())
    return f"{first}{', ...' if found.numel() > 4 else ''} in the shape {tuple(found.shape)}"


@checker
def check_count_layer(count_layer: Callable[[int, int], int]) -> str:
    """Exercise 4: how many parameters one layer has, held to real models of several sizes."""

    def missing(count: Callable[[int, int], int]) -> Callable[[int, int], int]:
        return lambda width, wide: _layer_parameters(width, wide) - count(width, wide)

    run_cases(
        count_layer,
        "count_layer",
        [(8, 20), (12, 48), (32, 40), (64, 64), (24, 10)],
        _layer_parameters,
        read=whole,
        mistakes={
            "The six biases are missing: each linear layer has one for each number that it makes.": (
                missing(lambda width, wide: 5 * width + wide)
            ),
            "4 times width is missing. That is the four biases of attention, or the two layer norms with a weight "
            "and a bias each.": missing(lambda width, wide: 4 * width),
            "Those are the six tables. Each has a bias, and there are two layer norms.": (
                lambda width, wide: 4 * width * width + 2 * width * wide
            ),
            "width times width + width is missing: as much as one of attention's four tables and its bias. Is it "
            "out_lin?": missing(lambda width, wide: width * width + width),
            "2 times width is missing: as much as one of the two layer norms, or the bias of both.": (
                missing(lambda width, wide: 2 * width)
            ),
            "You have the bias of the second linear layer as long as that of the first. It makes the vector short "
            "again, and its bias has width numbers.": missing(lambda width, wide: width - wide),
            "That is six layers. The task asks for one.": lambda width, wide: 6 * _layer_parameters(width, wide),
        },
        write=lambda count: f"{count:,}",
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

    def distance(length: int) -> torch.Tensor:
        """Return how many places after the one that looks the other is."""
        places = torch.arange(length)
        return places[None, :] - places[:, None]

    run_cases(
        window_mask,
        "window_mask",
        [(6, 1), (5, 2), (7, 0), (8, 3), (4, 9), (1, 1), (1, 0), (9, 8)],
        lambda length, reach: distance(length).abs() <= reach,
        read=_mask,
        same=torch.equal,
        write=lambda table: shown(table.int().tolist(), 200),
        signs={
            "The mask is a table of the shape (length, length): a row for each who looks, and a column for whom.": (
                lambda found, expected: found.dim() != 2
            )
        },
        mistakes={
            "Turned round: True is where a token may look, as in share_out's `allowed`.": (
                lambda length, reach: distance(length).abs() > reach
            ),
            "The token at the distance of reach is still seen: <=, not <.": (
                lambda length, reach: distance(length).abs() < reach
            ),
            "That one looks back only. The window is open on both sides.": (
                lambda length, reach: (distance(length).abs() <= reach).tril()
            ),
            "That one looks ahead only. The window is open on both sides.": (
                lambda length, reach: (distance(length).abs() <= reach).triu()
            ),
            "Each token may look at itself, too.": (
                lambda length, reach: (distance(length).abs() <= reach) & (distance(length) != 0)
            ),
            "One side of the window has no end: the distance counts on both sides, so take it without its sign.": (
                lambda length, reach: distance(length) <= reach
            ),
            "Everyone sees everyone. The window ends where the distance is more than reach.": (
                lambda length, reach: torch.ones(length, length).bool()
            ),
        },
    )
    return "For long texts this saves nearly all of the work: the looks grow with the length, not with its square."


def _mask(found: Any, call: str) -> torch.Tensor:
    import torch

    if not isinstance(found, torch.Tensor):
        end = said(found)
        raise WrongAnswerError(
            f"{call} should be a tensor of True and False. It is {end}{'' if end[-1] == '?' else '.'}"
        )
    if found.dtype != torch.bool:
        raise WrongAnswerError(
            f"{call} should be a tensor of True and False. Yours has numbers, of the kind {found.dtype}, and share_out "
            "can't turn those round with ~. A comparison, such as distance <= 3, makes True and False."
        )
    return found


@checker
def check_next_head(next_head: tuple[float, float]) -> str:
    """Exercise 6: the (layer, head) that looks the most at the token after, computed by the learner."""
    found = tuple(wholes(next_head, "next_head", "a pair, such as (0, 11): layer, head"))
    if len(found) != 2:
        raise WrongAnswerError(f"Answer with a pair, such as (0, 11): layer, head. Yours has {len(found)} numbers.")
    after, before = _mean_shares()
    layers, heads = after.shape
    best = divmod(int(after.argmax()), heads)
    share = after.max().item()
    if found == best:
        return f"Head {best[1]} of layer {best[0]} gives the token after it {share:.0%} of its attention."
    if found == best[::-1]:
        raise WrongAnswerError("The right head, turned round: the layer first, then the head.")
    layer, head = found
    if not (0 <= layer < layers and 0 <= head < heads):
        raise WrongAnswerError(
            f"Layers go from 0 to {layers - 1} and heads from 0 to {heads - 1}; argmax() on the whole map gives one "
            f"number, of which divmod(number, {heads}) makes the two."
        )
    if found == divmod(int(before.argmax()), heads):
        raise WrongAnswerError(
            "That one looks at the token before. For the one after, move the ones to the other side."
        )
    raise WrongAnswerError(
        f"Head {head} of layer {layer} gives the token after it {after[layer, head].item():.0%} of its attention; "
        f"another gives {share:.0%}."
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
