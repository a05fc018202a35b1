"""What computes the logits: torch, or ONNX Runtime. `SentimentPipeline` prepares its input and reads its output.

Both work on one batch a thread, with as many threads as there are cores, where libraries would give all cores to one
batch after the other. A thread that works alone never waits for another, and what a library does besides the matrix
products (which no second core helps with) happens on all cores at once.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

Map = Callable[..., Iterator]
"""`map`, or what does the same on several threads."""

LAST_JOINS = {
    "distilbert": "distilbert.transformer.layer.{last}.sa_layer_norm",
    "bert": "bert.encoder.layer.{last}.attention.output.LayerNorm",
    "roberta": "roberta.encoder.layer.{last}.attention.output.LayerNorm",
}
"""For each `model_type` the module of the last layer after which no position looks at another."""


class Backend(Protocol):
    """What `SentimentPipeline` asks of a backend."""

    def logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the logits, float32 of shape (n, labels), for int64 arrays of shape (n, t)."""

    def second_opinion(self, logits: np.ndarray) -> np.ndarray:
        """Return the indices of the rows that are too close to call for this backend; none, where it is exact."""

    def precise_logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Do what `logits` does, in fp32."""

    def working(self, jobs: int) -> contextlib.AbstractContextManager[Map]:
        """Be ready for so many calls of `logits`, and give a `map` to make them with."""


class TorchBackend:
    """torch, in fp32 on the CPU: the same numbers as the library's pipeline, to the last few bits."""

    def __init__(self, model: torch.nn.Module) -> None:
        """Take the model as it is; nothing in it is changed."""
        self.model = model
        self._working = model

    def logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the logits, float32 of shape (n, labels), for int64 arrays of shape (n, t)."""
        import torch

        with torch.inference_mode():
            outs = self._working(input_ids=torch.from_numpy(input_ids), attention_mask=torch.from_numpy(attention_mask))
        return outs.logits.float().numpy()

    precise_logits = logits

    def second_opinion(self, logits: np.ndarray) -> np.ndarray:
        """Return no row: this backend is exact."""
        import numpy as np

        return np.empty(0, dtype=np.int64)

    @contextlib.contextmanager
    def working(self, jobs: int) -> Iterator[Map]:
        """Be ready for so many calls of `logits`, and give a `map` to make them with."""
        import torch

        threads = torch.get_num_threads()
        if jobs < 2 or threads < 2:
            yield map
            return
        try:
            self._working = read_first_position(self.model)
            with _threads(threads, initializer=torch.set_num_threads, initargs=(1,)) as threaded:
                yield threaded
        finally:
            self._working = self.model
            torch.set_num_threads(threads)  # OpenMP counts for each thread, but MKL has one number for all of them


def read_first_position(model: torch.nn.Module) -> torch.nn.Module:
    """Return a model with the same weights and logits that leaves out what its classifier doesn't read.

    The classifier of a BERT reads the first position alone. In the last layer the other positions matter to it up to
    the attention, and no further: what follows is done for the first one only, which saves two thirds of that layer.
    The model itself stays as it is; the two share their weights. A model of another family is returned unchanged.
    """
    config = model.config
    path = LAST_JOINS.get(getattr(config, "model_type", None))
    if path is None:
        return model
    tensors = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    twin = copy.deepcopy(model, tensors)
    try:
        join = twin.get_submodule(path.format(last=config.num_hidden_layers - 1))
    except AttributeError:  # another version of transformers has built it otherwise
        return model
    join.register_forward_pre_hook(lambda _module, inputs: (inputs[0][:, :1],))
    return twin


@contextlib.contextmanager
def _threads(count: int, **options: object) -> Iterator[Map]:
    """Give a `map` on so many threads; what it hasn't begun when the block is left is not done."""
    pool = ThreadPoolExecutor(count, **options)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
