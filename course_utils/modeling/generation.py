"""Writing text with a decoder: what lesson 9 builds by hand, grown up to say what it can't do.

The order of the filters, and the arithmetic of each, are those of transformers' `generate`, so that the same seed gives
the same tokens. Keeping the most likely tokens that together reach a probability is from A. Holtzman and others, "The
Curious Case of Neural Text Degeneration" (ICLR 2020).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def with_temperature(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Divide logits by a temperature: below 1 the likely tokens get likelier, above 1 less so.

    Raises:
        ValueError: the temperature is not a positive number.
    """
    if not _is_number(temperature) or not 0 < temperature < math.inf:
        raise ValueError(f"a temperature is a positive number, not {temperature!r}; for 0, take the likeliest token")
    return logits / temperature


def keep_top_k(logits: torch.Tensor, k: int) -> torch.Tensor:
    """Set all but the k highest logits of the last dimension to minus infinity; all that tie with the k-th stay.

    Raises:
        ValueError: k is not a whole number of at least 1.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"k says how many tokens to keep, a whole number of at least 1, not {k!r}")
    lowest = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < lowest, -math.inf)


def keep_top_p(logits: torch.Tensor, p: float) -> torch.Tensor:
    """Set all logits to minus infinity but those of the fewest tokens whose probabilities add up to p or more.

    The last dimension is the vocabulary. The likeliest token always stays.

    Raises:
        ValueError: p is not a number above 0 and up to 1.
    """
    if not _is_number(p) or not 0 < p <= 1:
        raise ValueError(f"p is a probability, above 0 and up to 1, not {p!r}")
    ordered, order = logits.sort()  # the least likely first, so that what is cut off is a sum of small numbers
    unlikely = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
    unlikely[..., -1] = False
    return logits.masked_fill(unlikely.scatter(-1, order, unlikely), -math.inf)


def generate(
    model: PreTrainedModel,
    ids: torch.Tensor,
    max_new_tokens: int,
    *,
    sample: bool = False,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    cache: bool = True,
) -> torch.Tensor:
    """Write on from a prompt, one token at a time, until the model ends the text or the limit is reached.

    Args:
        model: a decoder, with the token that ends its texts in its generation config.
        ids: the prompt, int64 of shape (1, tokens).
        max_new_tokens: how many tokens to add, at the most.
        sample: draw each token by its probability, from torch's own random numbers; else take the likeliest.
        temperature: as for `with_temperature`; this and the next two only count where `sample` is true.
        top_k: as for `keep_top_k`, after the temperature; None keeps all.
        top_p: as for `keep_top_p`, after `top_k`; None keeps all.
        cache: keep the keys and values of past tokens, so that each step computes the new token alone.

    Returns:
        The prompt and what was written, int64 of shape (1, tokens), with the token that ended it.

    Raises:
        ValueError: the prompt is empty or no single text, the limit is below 1, together they exceed what the model can
            take, or an option is out of its range.
    """
    import torch

    _check_prompt(model, ids, max_new_tokens)
    end = model.generation_config.eos_token_id
    ends = torch.tensor([] if end is None else end, device=ids.device).reshape(-1)
    past, fresh = None, ids
    with torch.inference_mode():
        for _ in range(max_new_tokens):
            output = model(input_ids=fresh if cache else ids, past_key_values=past, use_cache=cache, logits_to_keep=1)
            logits = output.logits[:, -1].float()
            if sample:
                logits = with_temperature(logits, temperature)
                logits = logits if top_k is None else keep_top_k(logits, top_k)
                logits = logits if top_p is None else keep_top_p(logits, top_p)
                fresh = torch.multinomial(logits.softmax(dim=-1), num_samples=1)
            else:
                fresh = logits.argmax(dim=-1, keepdim=True)
            past = output.past_key_values if cache else None
            ids = torch.cat([ids, fresh], dim=1)
            if torch.isin(fresh, ends).any():
                break
    return ids


def perplexity(model: PreTrainedModel, ids: torch.Tensor) -> float:
    """Return the exponential of the mean surprise: how many tokens the model hesitates between, on average.

    Args:
        model: a decoder.
        ids: a text, int64 of shape (1, tokens), of at least two tokens; the first is given, not predicted.

    Raises:
        ValueError: the text has fewer than two tokens, or more than the model can take.
    """
    return surprise(model, ids).mean().exp().item()


def surprise(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Return minus the natural logarithm of the probability of each token but the first, float32, (tokens - 1,).

    Arguments and errors are those of `perplexity`.
    """
    import torch

    if ids.ndim != 2 or ids.shape[0] != 1 or ids.shape[1] < 2:
        raise ValueError(f"a text of at least two tokens is needed, of shape (1, tokens), not {tuple(ids.shape)}")
    _check_length(model, ids.shape[1])
    with torch.inference_mode():
        scores = model(input_ids=ids, use_cache=False).logits[0, :-1].float().log_softmax(dim=-1)
    return -scores.gather(1, ids[0, 1:, None])[:, 0]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_prompt(model: PreTrainedModel, ids: torch.Tensor, max_new_tokens: int) -> None:
    if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, int) or max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is a whole number of at least 1, not {max_new_tokens!r}")
    if ids.ndim != 2 or ids.shape[0] != 1:
        raise ValueError(f"one prompt at a time, as ids of shape (1, tokens), not {tuple(ids.shape)}")
    if ids.shape[1] == 0:
        raise ValueError("the prompt is empty: a decoder needs at least one token to write on from")
    _check_length(model, ids.shape[1] + max_new_tokens)


def _check_length(model: PreTrainedModel, tokens: int) -> None:
    longest = model.config.max_position_embeddings
    if tokens > longest:
        raise ValueError(f"{tokens:,} tokens are more than the {longest:,} that this model can take: shorten the text")
