"""`SentimentPipeline`: what lesson 3 builds by hand, grown up to take many texts and odd input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import BatchEncoding
    from transformers.modeling_outputs import SequenceClassifierOutput


class SentimentPipeline:
    """A tokenizer, a model and the step from logits to a label, composed by the Auto classes.

    >>> classify = SentimentPipeline(checkpoint("distilbert-base-uncased-finetuned-sst-2-english"))  # doctest: +SKIP
    >>> classify("HuggingFace pipelines are awesome!")  # doctest: +SKIP
    {'label': 'POSITIVE', 'score': 0.99...}
    """

    def __init__(self, model_name: str, *, batch_size: int = 32) -> None:
        """Load config, tokenizer and model, in evaluation mode.

        Args:
            model_name: a folder that holds a checkpoint, or a name on the Hugging Face Hub.
            batch_size: how many texts go through the model at once.

        Raises:
            TypeError: `model_name` is not a name or a path.
            ValueError: `batch_size` is not a positive whole number.
            OSError: there is no checkpoint of that name.
        """
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

        if not hasattr(model_name, "__fspath__") and not isinstance(model_name, str):
            raise TypeError(f"model_name is a folder or a name on the Hub, not a {type(model_name).__name__}")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size is a whole number from 1 up, not {batch_size!r}")
        try:
            self.config = AutoConfig.from_pretrained(model_name)
        except OSError as error:
            raise OSError(f"There is no checkpoint {str(model_name)!r} that could be loaded here: {error}") from error
        self.tokenizer = AutoTokenizer.from_pretrained(model_name)
        self.model = AutoModelForSequenceClassification.from_pretrained(model_name, config=self.config).eval()
        self.batch_size = batch_size

    def preprocess(self, texts: str | list[str]) -> BatchEncoding:
        """Turn n texts into tensors of token ids, shape (n, t): t is the longest text's length in tokens.

        Shorter texts are padded, and what a text has beyond the model's limit (512 tokens for DistilBERT) is cut off.
        """
        return self.tokenizer(texts, return_tensors="pt", padding=True, truncation=True)

    def forward(self, texts: str | list[str]) -> SequenceClassifierOutput:
        """Run n texts through the model; the output's `logits` have the shape (n, number of labels)."""
        import torch

        with torch.inference_mode():
            return self.model(**self.preprocess(texts))

    def process_outputs(self, outs: SequenceClassifierOutput) -> list[dict[str, str | float]]:
        """Turn logits into the most probable label and its probability (softmax) for each text."""
        scores, indices = outs.logits.softmax(dim=-1).max(dim=-1)
        return [
            {"label": self.config.id2label[index], "score": score}
            for index, score in zip(indices.tolist(), scores.tolist(), strict=True)
        ]

    def __call__(self, texts: str | Iterable[str]) -> dict[str, str | float] | list[dict[str, str | float]]:
        """Classify one text, or any number of them in their order.

        Args:
            texts: a string, or an iterable of strings.

        Returns:
            For a string a dict of `label` and `score` (0 to 1); for an iterable a list of such dicts.

        Raises:
            TypeError: something in there is not a string.
            ValueError: a text is empty: there is nothing to classify.
        """
        if isinstance(texts, str):
            return self._classify([texts], where="the text")[0]
        if isinstance(texts, bytes) or not isinstance(texts, Iterable):
            raise TypeError(f"a text is a str; this is a {type(texts).__name__}. Pass one str or a list of them")
        return self._classify(list(texts), where="text number {}")

    def _classify(self, texts: list[str], where: str) -> list[dict[str, str | float]]:
        for number, text in enumerate(texts, start=1):
            if not isinstance(text, str):
                raise TypeError(f"{where.format(number)} is a {type(text).__name__} ({text!r:.40}), not a str")
            if not text.strip():
                raise ValueError(f"{where.format(number)} is empty: there is nothing to classify")
        batches = (texts[start : start + self.batch_size] for start in range(0, len(texts), self.batch_size))
        return [result for batch in batches for result in self.process_outputs(self.forward(batch))]
