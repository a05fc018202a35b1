"""`SentimentPipeline`: what lesson 3 builds by hand, grown up to take many texts and odd input, and to be quick."""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, overload

from course_utils.classifier import tokens
from course_utils.text.padding import batch_by_length

if TYPE_CHECKING:
    import numpy as np
    from transformers import BatchEncoding, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from transformers.modeling_outputs import SequenceClassifierOutput

    from course_utils.classifier.backends import Backend, Compute

MAX_TOKENS = {"torch": 512, "onnx": 256}
"""For each backend the quickest of 128, 256, 384 and 512 positions, on two cores of an AMD EPYC."""

BACKENDS = tuple(MAX_TOKENS)

WINDOW_TEXTS = 2048
"""How many texts of a stream are put in order of length together."""

WINDOW_CHARACTERS = 4_000_000
"""How many characters a window may have, so that long texts don't fill the memory. A longer text is one of its own."""


class Result(TypedDict):
    """The classification of a text: its most probable label, and the probability of that, from 0 to 1."""

    label: str
    score: float


class Outcome(TypedDict):
    """A `Result`, or the reason why there is none. Either `label` and `score` are None, or `error` is."""

    label: str | None
    score: float | None
    error: str | None


class SentimentPipeline:
    """A tokenizer, a model and the step from logits to a label, composed by the Auto classes.

    >>> name = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
    >>> classify = SentimentPipeline(checkpoint(name))  # doctest: +SKIP
    >>> classify("HuggingFace pipelines are awesome!")  # doctest: +SKIP
    {'label': 'POSITIVE', 'score': 0.99...}

    Many texts are classified in the order of their lengths, in batches with next to no padding, one batch a core, each
    distinct text once. The results come in the order of the texts.
    """

    def __init__(
        self, model_name: str | os.PathLike[str], *, backend: str = "torch", max_tokens: int | None = None
    ) -> None:
        """Load config, tokenizer and model, in evaluation mode.

        Args:
            model_name: a folder that holds a checkpoint, or a name on the Hugging Face Hub.
            backend: `"torch"` computes in fp32, as the library does; `"onnx"` in int8, which is far quicker and changes
                a label in a hundred at most, and needs the model's export to ONNX, which set-up makes.
            max_tokens: how many positions, padding included, go through the model at once on each core; by default as
                many as are quickest with the backend (`MAX_TOKENS`).

        Raises:
            TypeError: `model_name` is not a name or a path.
            ValueError: there is no such backend, or `max_tokens` is not a positive whole number.
            OSError: there is no checkpoint of that name.
            CheckpointError: the backend is `"onnx"`, and there is no export of that model.
        """
        from course_utils.classifier.backends import OnnxBackend, TorchBackend, find_onnx_folder

        if not hasattr(model_name, "__fspath__") and not isinstance(model_name, str):
            raise TypeError(f"model_name is a folder or a name on the Hub, not a {type(model_name).__name__}")
        if backend not in BACKENDS:
            raise ValueError(f"backend is {' or '.join(map(repr, BACKENDS))}, not {backend!r}")
        if max_tokens is None:
            max_tokens = MAX_TOKENS[backend]
        if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
            raise ValueError(f"max_tokens is a whole number from 1 up, not {max_tokens!r}")
        self.max_tokens = max_tokens
        if backend == "onnx":  # without transformers and torch, as where no more than the exported file is at hand
            folder = find_onnx_folder(model_name)
            self.model_name: str | os.PathLike[str] = folder
            self.model: PreTrainedModel | None = None
            self._backend: Backend = OnnxBackend(folder)
            self._tokens = tokens.of_folder(folder) or tokens.of_tokenizer(self.tokenizer)
            self._labels: dict[int, str] = read_labels(folder) or labels_of(self.config)
            return
        from transformers import AutoModelForSequenceClassification

        self.model_name = model_name
        try:
            self._labels = labels_of(self.config)
        except OSError as error:
            raise OSError(f"There is no checkpoint {str(model_name)!r} that could be loaded here: {error}") from error
        self.model = AutoModelForSequenceClassification.from_pretrained(model_name, config=self.config).eval()
        self._backend = TorchBackend(self.model)
        self._tokens = tokens.of_tokenizer(self.tokenizer)

    @functools.cached_property
    def config(self) -> PretrainedConfig:
        """The model's configuration, as `AutoConfig` loads it."""
        from transformers import AutoConfig

        return AutoConfig.from_pretrained(self.model_name)

    @functools.cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer, as `AutoTokenizer` loads it."""
        from course_utils.models import load_tokenizer

        return load_tokenizer(self.model_name)

    def preprocess(self, texts: str | list[str]) -> BatchEncoding:
        """Turn n texts into tensors of token ids, shape (n, t): t is the longest text's length in tokens.

        Shorter texts are padded, and what a text has beyond the model's limit (512 tokens for DistilBERT) is cut off.
        """
        return self.tokenizer(texts, return_tensors="pt", padding=True, truncation=True)

    def forward(self, texts: str | list[str]) -> SequenceClassifierOutput:
        """Run n texts through the model; the output's `logits` have the shape (n, number of labels)."""
        import torch

        if self.model is None:
            from transformers.modeling_outputs import SequenceClassifierOutput

            inputs = self.preprocess([texts] if isinstance(texts, str) else texts)
            arrays = (inputs[name].numpy() for name in ("input_ids", "attention_mask"))
            return SequenceClassifierOutput(logits=torch.from_numpy(self._backend.logits(*arrays)))
        with torch.inference_mode():
            return self.model(**self.preprocess(texts))

    def process_outputs(self, outs: SequenceClassifierOutput) -> list[Result]:
        """Turn logits into the most probable label and its probability (softmax) for each text."""
        if outs.logits is None:
            raise ValueError("there are no logits to turn into labels")
        return self._read(outs.logits.float().numpy())

    @overload
    def __call__(self, texts: str) -> Result: ...

    @overload
    def __call__(self, texts: Iterable[str]) -> list[Result]: ...

    def __call__(self, texts: str | Iterable[str]) -> Result | list[Result]:
        """Classify one text, or any number of them in their order.

        Args:
            texts: a string, or an iterable of strings.

        Returns:
            For a string a dict of `label` and `score` (0 to 1); for an iterable a list of such dicts.

        Raises:
            TypeError: something in there is not a string.
            ValueError: a text is empty, or no Unicode: there is nothing to classify.
        """
        if isinstance(texts, str):
            problem = find_text_problem(texts)
            if problem:
                raise ValueError(f"the text {problem}")
            return self._classify([texts])[0]
        _check_iterable(texts)
        texts = list(texts)
        for number, text in enumerate(texts, start=1):
            _check(text, number)
        return [result for window in _windows(texts) for result in self._classify(window)]

    def stream(self, texts: Iterable[str]) -> Iterator[Result]:
        """Classify texts as they come, and give their results in the same order; memory stays flat.

        At most one window of texts is read ahead (2,048 of them, or 4 million characters). Errors are those of a call,
        raised when their window is reached: the texts before that have their results by then.
        """
        _check_iterable([] if isinstance(texts, str) else texts)
        if isinstance(texts, str):
            raise TypeError("stream takes an iterable of texts, and this is one str; call the pipeline with it instead")
        return self._stream(texts)

    def _stream(self, texts: Iterable[str]) -> Iterator[Result]:
        numbered = itertools.count(start=1)
        for window in _windows(texts):
            good = []
            try:
                for text, number in zip(window, numbered, strict=False):
                    _check(text, number)
                    good.append(text)
            finally:
                yield from self._classify(good)

    def report(self, texts: Iterable[object], progress: Callable[[int], object] = lambda count: None) -> list[Outcome]:
        """Classify what can be classified, and say of everything else why it can't.

        Args:
            texts: anything; what isn't a text, or is an empty one, gets no label.
            progress: is told how many results have been added, from one thread at a time.

        Returns:
            For each one, in order, a dict of `label`, `score` and `error`. Either the first two are `None`, or `error`.
        """
        texts = list(texts)
        problems = [find_text_problem(text) for text in texts]
        results: list[Outcome] = [
            {"label": None, "score": None, "error": problem and f"the text {problem}"} for problem in problems
        ]
        good = [place for place, problem in enumerate(problems) if problem is None]
        progress(len(texts) - len(good))
        start = 0
        for window in _windows(text for text in map(texts.__getitem__, good) if isinstance(text, str)):
            answers = self._classify(window, progress)
            for place, answer in zip(good[start : start + len(window)], answers, strict=True):
                results[place] = {"label": answer["label"], "score": answer["score"], "error": None}
            start += len(window)
        return results

    def _classify(self, texts: list[str], progress: Callable[[int], object] = lambda count: None) -> list[Result]:
        """Classify the texts of one window, which are known to be texts."""
        import numpy as np

        if not texts:
            return []
        times = Counter(texts)
        distinct, repeats = list(times), list(times.values())
        logits = np.empty((len(distinct), len(self._labels)), dtype=np.float32)
        with self._backend.working(len(distinct)) as spread:
            slices = [distinct[start : start + ENCODED_AT_ONCE] for start in range(0, len(distinct), ENCODED_AT_ONCE)]
            ids = [row for rows in spread(self._tokens.encode, slices) for row in rows]

            def run(batch: list[int], compute: Compute = self._backend.logits) -> list[int]:
                logits[batch] = compute(*self._pad([ids[index] for index in batch]))
                return batch

            for batch in spread(run, self._batches(ids, range(len(ids)))):
                progress(sum(repeats[index] for index in batch))
            if self._backend.close_call:
                highest = np.sort(logits, axis=-1)[:, -2:]
                close = np.flatnonzero(highest[:, -1] - highest[:, 0] < self._backend.close_call).tolist()
                for _ in spread(
                    functools.partial(run, compute=self._backend.precise_logits), self._batches(ids, close)
                ):
                    pass
        answers = dict(zip(distinct, self._read(logits), strict=True))
        return [{**answers[text]} for text in texts]

    def _batches(self, ids: list[list[int]], places: Sequence[int]) -> list[list[int]]:
        """Put some of the texts into batches, the longest first, so that what is left for the end is little."""
        batches = batch_by_length([len(ids[place]) for place in places], self.max_tokens)
        return [[places[index] for index in batch] for batch in reversed(batches)]

    def _pad(self, rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Return token ids and attention mask of n texts, int64 of shape (n, t)."""
        import numpy as np

        width = max(len(row) for row in rows)
        ids = np.full((len(rows), width), self._tokens.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            where = slice(width - len(row), None) if self._tokens.pads_left else slice(len(row))
            ids[index, where] = row
            mask[index, where] = 1
        return ids, mask

    def _read(self, logits: np.ndarray) -> list[Result]:
        """Turn logits, shape (n, labels), into labels and scores."""
        import numpy as np

        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        scores = powers.max(axis=-1) / powers.sum(axis=-1)
        return [
            {"label": self._labels[index], "score": score}
            for index, score in zip(logits.argmax(axis=-1).tolist(), scores.tolist(), strict=True)
        ]


def find_text_problem(text: object) -> str | None:
    """Return why something can't be classified, as the rest of a sentence that begins "the text", or None."""
    if not isinstance(text, str):
        return f"is a {type(text).__name__} ({text!r:.40}), not a str"
    if not text.strip():
        return "is empty: there is nothing to classify"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"has half a character (a lone surrogate, U+{ord(text[error.start]):04X}) at place {error.start + 1}"
    return None


ENCODED_AT_ONCE = 256


def read_labels(folder: Path) -> dict[int, str]:
    """Return the labels that the `config.json` in a folder names, by their numbers; none where it names none."""
    said = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
    return {int(number): label for number, label in said.items()}


def labels_of(config: PretrainedConfig) -> dict[int, str]:
    """Return the labels of a configuration that is loaded, by their numbers."""
    return {int(number): label for number, label in (config.id2label or {}).items()}


def _check_iterable(texts: object) -> None:
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"a text is a str; this is a {type(texts).__name__}. Pass one str or a list of them")


def _check(text: object, number: int) -> None:
    problem = find_text_problem(text)
    if problem:
        raise (ValueError if isinstance(text, str) else TypeError)(f"text number {number} {problem}")


def _windows(texts: Iterable[str]) -> Iterator[list[str]]:
    """Cut texts into lists, in order, of so many texts and characters that they can be put in order of length."""
    window: list[str] = []
    characters = 0
    for text in texts:
        size = len(text) if isinstance(text, str) else 0
        if window and (len(window) == WINDOW_TEXTS or characters + size > WINDOW_CHARACTERS):
            yield window
            window = []
            characters = 0
        window.append(text)
        characters += size
    if window:
        yield window
