"""Texts to token ids, as a classifier reads them: by transformers' tokenizer, or by the files of a folder alone.

A tokenizer of transformers takes two seconds and torch to be imported. Where the folder has a `tokenizer.json`, the
library beneath it, tokenizers, gives the same ids without either.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

NO_LIMIT = 1_000_000
"""A tokenizer that knows no limit says 10**30."""


@dataclass
class Tokens:
    """The way from texts to token ids, and the padding of rows of ids."""

    encode: Callable[[list[str]], list[list[int]]]
    """From n texts to their token ids, special ones included, cut off at the model's limit."""

    pad_id: int = 0
    pads_left: bool = False


def of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> Tokens:
    """Do as a tokenizer of transformers does.

    Where it has a Rust one inside, a copy of that does it, without the offsets and types of tokens that nobody reads;
    it lets go of Python's lock, and truncation can be set on it without a side effect.
    """
    pads_left = tokenizer.padding_side == "left"
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return Tokens(
            lambda texts: tokenizer(texts, truncation=True)["input_ids"], tokenizer.pad_token_id or 0, pads_left
        )
    from tokenizers import Tokenizer

    copied = Tokenizer.from_str(backend.to_str())
    return Tokens(_encoder(copied, tokenizer.model_max_length), tokenizer.pad_token_id or 0, pads_left)


def of_folder(folder: Path) -> Tokens | None:
    """Do as the tokenizer in a folder does, by its files; None where there is no `tokenizer.json`."""
    if not (folder / "tokenizer.json").is_file():
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    said = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    pad = said.get("pad_token") or ""
    pad_id = tokenizer.token_to_id(pad["content"] if isinstance(pad, dict) else pad) or 0
    return Tokens(
        _encoder(tokenizer, said.get("model_max_length") or NO_LIMIT), pad_id, said.get("padding_side") == "left"
    )


def _encoder(tokenizer: Tokenizer, limit: int) -> Callable[[list[str]], list[list[int]]]:
    """Return a function from texts to ids. The tokenizer is this function's own from now on."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if limit < NO_LIMIT:
        tokenizer.enable_truncation(int(limit))
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
