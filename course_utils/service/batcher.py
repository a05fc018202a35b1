"""Dynamic batching: texts of different callers that wait at the same time go through the model together.

A model takes less time for many texts at once than for one after the other. So texts queue up while the model is busy,
and the next batch takes what has come. The idea is that of inference servers such as NVIDIA's Triton, whose name for it
is "dynamic batcher"; here it is one asyncio task and one thread.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from course_utils.classifier.pipeline import Result

Classifier = Callable[[list[str]], list[Result]]
Waiting = tuple[asyncio.Future[Result], str]

BATCH_CHARACTERS = 20_000
"""How many characters a batch may have, so that nobody waits long for other people's long texts. A longer text goes
alone."""

log = logging.getLogger(__name__)


class QueueFullError(Exception):
    """More texts wait already than the queue may hold."""


class ModelFailedError(Exception):
    """The model raised on a text; the log says what."""


class Batcher:
    """A queue of texts, and the loop that empties it into a model, one batch at a time."""

    def __init__(
        self,
        *,
        max_batch: int = 64,
        wait_seconds: float = 0.002,
        queue_texts: int = 1024,
        on_run: Callable[[int], object] = lambda texts: None,
    ) -> None:
        """Make an empty queue; `run` has to go on beside it.

        Args:
            max_batch: the most texts taken from the queue at once.
            wait_seconds: how long the first text of a batch waits for others to join it.
            queue_texts: the most texts that may wait.
            on_run: called before each run of the model, with the number of its texts.
        """
        self.max_batch = max_batch
        self.wait_seconds = wait_seconds
        self.queue_texts = queue_texts
        self.on_run = on_run
        self._waiting: dict[asyncio.Future[Result], str] = {}  # in the order of arrival
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()

    @property
    def depth(self) -> int:
        """The number of texts that wait."""
        return len(self._waiting)

    async def classify(self, texts: list[str]) -> list[Result]:
        """Queue texts and wait for their results. When the caller is cancelled, its texts leave the queue.

        Raises:
            QueueFullError: there is no room for all of them; none is queued.
            ModelFailedError: the model raised on one of them.
        """
        if self.depth + len(texts) > self.queue_texts:
            raise QueueFullError
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in texts]
        self._waiting.update(zip(futures, texts, strict=True))
        self._arrived.set()
        if self.depth >= self.max_batch:
            self._full.set()
        try:
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()
                self._waiting.pop(future, None)

    async def run(self, classifier: Classifier) -> None:
        """Answer what is queued, until cancelled. The classifier runs in a thread, never twice at the same time."""
        while True:
            await self._arrived.wait()
            if self.depth < self.max_batch:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.wait_seconds):
                        await self._full.wait()
            await self._answer(classifier, self._take())

    def _take(self) -> list[Waiting]:
        """Take the texts that came first out of the queue, and put them in order of length.

        So a classifier that cuts a list into smaller batches has little to pad.
        """
        batch: list[Waiting] = []
        characters = 0
        for future, text in self._waiting.items():
            characters += len(text)
            if batch and (len(batch) == self.max_batch or characters > BATCH_CHARACTERS):
                break
            batch.append((future, text))
        for future, _ in batch:
            del self._waiting[future]
        if not self._waiting:
            self._arrived.clear()
        if self.depth < self.max_batch:
            self._full.clear()
        return sorted(batch, key=lambda item: len(item[1]))

    async def _answer(self, classifier: Classifier, batch: list[Waiting]) -> None:
        batch = [(future, text) for future, text in batch if not future.done()]  # the others' callers have gone
        if not batch:
            return
        self.on_run(len(batch))
        try:
            results = await asyncio.to_thread(classifier, [text for _, text in batch])
            answers = list(zip(batch, results, strict=True))
        except Exception:
            if len(batch) > 1:  # one text must not fail the others, which may be another caller's
                half = len(batch) // 2
                await self._answer(classifier, batch[:half])
                await self._answer(classifier, batch[half:])
                return
            future, text = batch[0]
            log.exception("The model failed on a text of %d characters", len(text))
            if not future.done():
                future.set_exception(ModelFailedError())
        else:
            for (future, _), result in answers:
                if not future.done():
                    future.set_result(result)
