"""The same classifier on several machines: a callable for Ray Data's `map_batches`.

Ray starts a copy of it, an actor, for every core of the cluster, hands each one block of rows after the other, and
starts another where one died, which does its block again: that is Ray Data's default. A row's result depends on no
other row's, so a block that is done twice gives the same answer and counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_utils.classifier.pipeline import SentimentPipeline

if TYPE_CHECKING:
    import numpy as np
    import ray.data


class ClassifyBatch:
    """A callable for batches of rows, a copy in each actor: columns in, columns out, with `label`, `score` and `error`.

    `error` says why a row has no label, and is empty otherwise.
    """

    def __init__(
        self,
        model_name: str,
        *,
        text_column: str = "text",
        prefix: str = "",
        backend: str = "torch",
        max_tokens: int | None = None,
    ) -> None:
        """Load the model, once for each actor.

        Args:
            model_name: a folder that every machine sees, or a name on the Hub.
            text_column: the column that holds the texts.
            prefix: what the names of the new columns begin with.
            backend: as of `SentimentPipeline`.
            max_tokens: as of `SentimentPipeline`.
        """
        self.classify = SentimentPipeline(model_name, backend=backend, max_tokens=max_tokens)
        self.text_column, self.prefix = text_column, prefix

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the batch with the new columns, each an array of n values.

        Raises:
            ValueError: there is no such text column, or a new column's name is taken.
        """
        import numpy as np

        if self.text_column not in batch:
            raise ValueError(f"there is no column {self.text_column!r}, only {', '.join(map(repr, batch))}")
        results = self.classify.report(batch[self.text_column].tolist())
        scores = [float("nan") if result["score"] is None else result["score"] for result in results]
        columns = {
            "label": np.array([result["label"] or "" for result in results], dtype=object),
            "score": np.array(scores, dtype=np.float64),
            "error": np.array([result["error"] or "" for result in results], dtype=object),
        }
        added = {self.prefix + name: column for name, column in columns.items()}
        taken = sorted(added.keys() & batch.keys())
        if taken:
            raise ValueError(f"there is a column called {taken[0]!r} already; choose another prefix for the new ones")
        return {**batch, **added}


def classify_dataset(
    dataset: ray.data.Dataset,
    model_name: str,
    *,
    actors: int,
    text_column: str = "text",
    batch_size: int = 1024,
    **options: object,
) -> ray.data.Dataset:
    """Return the dataset with `label`, `score` and `error` for each row, computed when it is read.

    Args:
        dataset: the rows, whatever they come from.
        model_name: a folder that every machine sees, or a name on the Hub.
        actors: how many copies of the model work side by side, one core each.
        text_column: the column that holds the texts.
        batch_size: how many rows a copy gets at once.
        options: further ones of `ClassifyBatch`.
    """
    import ray.data

    return dataset.map_batches(
        ClassifyBatch,
        fn_constructor_args=(model_name,),
        fn_constructor_kwargs={"text_column": text_column, **options},
        compute=ray.data.ActorPoolStrategy(size=actors),
        # Half of what they use: Ray Data starts the actors first, and where they hold every core of the cluster nothing
        # is left to read the rows with, and all wait for ever (ray-project/ray issue 44687).
        num_cpus=0.5,
        batch_size=batch_size,
    )
