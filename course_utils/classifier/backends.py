"""Backends, which compute the logits: torch, or ONNX Runtime. `SentimentPipeline` prepares input and reads output.

Both work on one batch a thread, with as many threads as there are cores, where libraries would give all cores to one
batch after the other. A thread that works alone never waits for another, and what a library does besides the matrix
products (which no second core helps with) happens on all cores at once.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from course_utils.models import ONNX_FP32, ONNX_INT8, CheckpointError, catalogue, find_by_folder, look_up, onnx_folder

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    import torch
    from transformers import PreTrainedModel

CLOSE_CALL = 0.5
"""Chosen on the validation split: 56 of 1,000 texts are within it, and of 20 labels that int8 changes 3 are left. Of
1,000 of the test split 60 are within it, and of 22 changed labels 5 are left."""

SLOW_OPTIMIZERS = ["SkipLayerNormFusion"]
"""It joins an addition and a normalization in one operator, whose kernel takes longer than the two: a tenth of int8."""

FEW_POSITIONS = 128
"""Up to here torch works with one thread. On two idle cores it takes as long with two; where other programs want the
cores, too, two take ten times as long, for after each operation the one waits, spinning, for the other's turn."""

Compute = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]
"""From token ids and attention mask to logits."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Map(Protocol):
    """`map`, or what does the same on several threads."""

    def __call__(self, function: Callable[[Item], Answer], items: Iterable[Item], /) -> Iterator[Answer]:
        """Call the function with each item; the answers come in the order of the items."""


LAST_JOINS = {
    "distilbert": "distilbert.transformer.layer.{last}.sa_layer_norm",
    "bert": "bert.encoder.layer.{last}.attention.output.LayerNorm",
    "roberta": "roberta.encoder.layer.{last}.attention.output.LayerNorm",
}
"""For each `model_type` the module of the last layer after which no position looks at another."""


class Backend(Protocol):
    """A backend, as `SentimentPipeline` needs it."""

    close_call: float
    """The difference between a text's two highest logits up to which `precise_logits` decides; 0 where all is exact."""

    def logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the logits, float32 of shape (n, labels), for int64 arrays of shape (n, t)."""

    def precise_logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Do what `logits` does, in fp32, for texts that are a close call."""

    def working(self, jobs: int) -> contextlib.AbstractContextManager[Map]:
        """Be ready for so many calls of `logits`, and give a `map` to make them with."""


class TorchBackend:
    """torch, in fp32 on the CPU: the same numbers as the library's pipeline, to the last few bits."""

    close_call = 0.0

    def __init__(self, model: PreTrainedModel) -> None:
        """Take the model as it is; nothing in it is changed."""
        self.model = model
        self._working = model

    def logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the logits, float32 of shape (n, labels), for int64 arrays of shape (n, t)."""
        import torch

        tensors = {
            "input_ids": torch.from_numpy(input_ids),
            "attention_mask": torch.from_numpy(attention_mask),
        }
        with _one_thread() if input_ids.size <= FEW_POSITIONS else contextlib.nullcontext(), torch.inference_mode():
            return self._working(**tensors).logits.float().numpy()

    precise_logits = logits

    @contextlib.contextmanager
    def working(self, jobs: int) -> Generator[Map]:
        """Be ready for so many calls of `logits`, and give a `map` to make them with."""
        import torch

        threads = torch.get_num_threads()
        if jobs < 2 or threads < 2:
            yield _in_turn
            return
        try:
            self._working = read_first_position(self.model)
            # OpenMP counts for each thread, but MKL has one number for all of them.
            with _one_thread(), _threads(threads, functools.partial(torch.set_num_threads, 1)) as threaded:
                yield threaded
        finally:
            self._working = self.model


class OnnxBackend:
    """ONNX Runtime: int8 for all texts, and fp32 again for those that int8 leaves nearly undecided.

    int8 moves a logit by a few tenths, which changes a label only where the two highest logits are near to each other.
    So a small share of the texts, computed twice, wins most of the changed labels back.
    """

    close_call = CLOSE_CALL

    def __init__(self, folder: Path) -> None:
        """Load both files of an export. Each session works in the thread that calls it, and is shared by all."""
        self._int8, self._fp32 = (self._load(folder / name) for name in (ONNX_INT8, ONNX_FP32))

    @staticmethod
    def _load(path: Path) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_mem_pattern = False  # it remembers a plan for every shape, and here every batch has its own
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_OPTIMIZERS
        )

    def logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the int8 model's logits, float32 of shape (n, labels), for int64 arrays of shape (n, t)."""
        return _run(self._int8, input_ids, attention_mask)

    def precise_logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the fp32 model's logits for the same arrays."""
        return _run(self._fp32, input_ids, attention_mask)

    @contextlib.contextmanager
    def working(self, jobs: int) -> Generator[Map]:
        """Be ready for so many calls of `logits`, and give a `map` to make them with."""
        threads = cores()
        if jobs < 2 or threads < 2:
            yield _in_turn
            return
        with _threads(threads) as threaded:
            yield threaded


def cores() -> int:
    """Return how many threads to work with: `OMP_NUM_THREADS` where it is set, else what this process may use."""
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    if chosen.isdecimal() and int(chosen):
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_onnx_folder(model_name: str | os.PathLike[str]) -> Path:
    """Return the folder of the export to ONNX: of a model's Hub name, of what `checkpoint` answers, or that folder.

    Raises:
        CheckpointError: the model has no export here; the message says how to make one, where the course does.
    """
    folder = Path(model_name)
    if (folder / ONNX_INT8).is_file():
        return folder
    model = look_up(str(model_name)) or find_by_folder(folder)
    if model and model.onnx:
        return onnx_folder(model.hub_id)
    exported = ", ".join(hub_id for hub_id, model in catalogue().items() if model.onnx)
    raise CheckpointError(
        f"{model_name} has no export to ONNX here. The course exports {exported}; for any other model take the torch "
        f"backend, or name a folder with {ONNX_INT8} and {ONNX_FP32}."
    )


def read_first_position(model: PreTrainedModel) -> PreTrainedModel:
    """Return a model with the same weights and logits that leaves out what its classifier doesn't read.

    The classifier of a BERT reads the first position alone. In the last layer the other positions matter to it up to
    the attention, and no further: what follows is done for the first one only, which saves two thirds of that layer.
    The model itself stays as it is; the two share their weights. A model of another family is returned unchanged.
    """
    config = model.config
    path = LAST_JOINS.get(getattr(config, "model_type", ""))
    if path is None:
        return model
    tensors = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    twin = copy.deepcopy(model, tensors)
    try:
        join = twin.get_submodule(path.format(last=config.num_hidden_layers - 1))
    except AttributeError:  # another version of transformers has built it otherwise
        return model

    def keep_first(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        return (inputs[0][:, :1],)

    join.register_forward_pre_hook(keep_first)
    return twin


def _run(session: onnxruntime.InferenceSession, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.asarray(session.run(["logits"], {"input_ids": input_ids, "attention_mask": attention_mask})[0])


@contextlib.contextmanager
def _one_thread() -> Generator[None]:
    """Have torch work with one thread, and then with as many as before."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_turn(function: Callable[[Item], Answer], items: Iterable[Item], /) -> Iterator[Answer]:
    """Do what `map` does."""
    return map(function, items)


@contextlib.contextmanager
def _threads(count: int, begin: Callable[[], object] = lambda: None) -> Generator[Map]:
    """Give a `map` on so many threads, each of which calls `begin` first; what is left at the end isn't begun."""
    pool = ThreadPoolExecutor(count, initializer=begin)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
