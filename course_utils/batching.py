"""Dynamic batching: texts of different callers that wait at the same time go through the model together.

A model takes less time for many texts at once than for one after the other. So texts queue up while the model is busy,
and the next batch takes what has come. The idea is that of inference servers such as NVIDIA's Triton, whose name for it
is "dynamic batcher"; here it is one asyncio task and one thread.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator

Result = dict[str, str | float]
Classifier = Callable[[list[str]], list[Result]]

PADDED_CHARACTERS = 2_500
"""What one run of the model may hold, in characters, once every text is padded to the longest: some 500 tokens. More at
once makes a CPU no faster, and a long text among short ones makes all of them long."""

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
        """How many texts wait."""
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
            for group in _by_length(self._take()):
                await self._answer(classifier, group)

    def _take(self) -> list[tuple[asyncio.Future[Result], str]]:
        """Take the texts that came first out of the queue."""
        batch = list(itertools.islice(self._waiting.items(), self.max_batch))
        for future, _ in batch:
            del self._waiting[future]
        if not self._waiting:
            self._arrived.clear()
        if self.depth < self.max_batch:
            self._full.clear()
        return batch

    async def _answer(self, classifier: Classifier, group: list[tuple[asyncio.Future[Result], str]]) -> None:
        group = [(future, text) for future, text in group if not future.done()]  # the others' callers have gone
        if not group:
            return
        self.on_run(len(group))
        try:
            results = await asyncio.to_thread(classifier, [text for _, text in group])
            answers = list(zip(group, results, strict=True))
        except Exception:
            if len(group) > 1:  # one text must not fail the others, which may be another caller's
                for item in group:
                    await self._answer(classifier, [item])
                return
            log.exception("The model failed on a text of %d characters", len(group[0][1]))
            if not group[0][0].done():
                group[0][0].set_exception(ModelFailedError())
        else:
            for (future, _), result in answers:
                if not future.done():
                    future.set_result(result)


def _by_length(batch: Iterable[tuple[asyncio.Future[Result], str]]) -> Iterator[list]:
    """Cut a batch into groups of texts of like length, so that little of what the model computes is padding."""
    group: list[tuple[asyncio.Future[Result], str]] = []
    for item in sorted(batch, key=lambda item: len(item[1])):
        if group and (len(group) + 1) * len(item[1]) > PADDED_CHARACTERS:
            yield group
            group = []
        group.append(item)
    if group:
        yield group
