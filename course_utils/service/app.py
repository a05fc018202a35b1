"""Sentiment analysis over HTTP, for many clients at once: `create_app` makes the application from any classifier.

`python -m course_utils serve` runs it.
"""

import asyncio
import contextlib
import dataclasses
import functools
import importlib.metadata
import logging
import time
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, TypeVar

import prometheus_client as prometheus
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi_offline import FastAPIOffline
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, create_model
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from course_utils.models import SENTIMENT_MODEL
from course_utils.service.batcher import Batcher, Classifier, ModelFailedError, QueueFullError, Result

CLIENT_GONE = 499
"""The status that nginx logs for a client that left before its answer; nobody receives it."""

log = logging.getLogger(__name__)


Number = TypeVar("Number", int, float)


def _limit(default: Number, text: str) -> Number:
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The service's limits. Each is an option of the command, too."""

    max_body_bytes: int = _limit(1_000_000, "largest body of a request, in bytes")
    max_texts: int = _limit(256, "most texts in a request")
    max_characters: int = _limit(10_000, "longest text, in characters")
    max_connections: int = _limit(500, "most connections at once; on further ones nothing is classified")
    queue_texts: int = _limit(1024, "most texts that wait for the model, of all clients")
    max_batch: int = _limit(64, "most texts that are taken from the queue at once")
    wait_ms: float = _limit(2, "how long the first text of a batch waits for others, in milliseconds")
    request_seconds: float = _limit(30, "longest wait for an answer")
    body_seconds: float = _limit(10, "longest time that a client may take to send a body")
    idle_seconds: float = _limit(5, "longest time that a client may keep a connection without a request")
    grace_seconds: float = _limit(10, "how long requests may go on after the service was told to stop")

    def __post_init__(self) -> None:
        """Refuse what can't work.

        Raises:
            ValueError: a limit is not above zero, or a full request could never find room in the queue.
        """
        for name, value in dataclasses.asdict(self).items():
            if not value > 0:
                raise ValueError(f"{name} has to be more than 0, not {value}")
        if self.queue_texts < self.max_texts:
            raise ValueError(f"queue_texts ({self.queue_texts}) has to be at least max_texts ({self.max_texts})")


class Classification(BaseModel):
    """The model's answer to one text."""

    label: str = Field(description="The most probable label.", examples=["POSITIVE"])
    score: float = Field(description="Its probability, from 0 to 1.", examples=[0.9987])


class Body(BaseModel):
    """The body of a request, to which `_body_model` adds the limits."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})
    texts: list[str]


class Answer(BaseModel):
    """The results, in the order of the texts."""

    results: list[Classification]
    model: str = Field(description="The model that said so.", examples=[SENTIMENT_MODEL])


class Health(BaseModel):
    """The state of the service, and the model that it answers with."""

    status: str = Field(description="`loading`, `ready` or `failed`.", examples=["ready"])
    model: str = Field(description="The model's name.", examples=[SENTIMENT_MODEL])
    backend: str = Field(description="What runs the model.", examples=["torch"])
    version: str = Field(description="The version of the service.", examples=["0.1.0"])


class Problem(BaseModel):
    """The reason why there is no answer."""

    detail: str = Field(description="What is wrong and what to do, in a sentence.", examples=["Text 2 is empty."])


PROBLEMS = {
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "The body is not what is asked for: no JSON, no list, too many texts, a text too long or empty.",
    500: "The model failed on a text.",
    503: "The model is loading, the service is stopping, or too many texts wait or clients are connected. "
    "`Retry-After` says when to try again, in seconds.",
    504: "The answer took too long.",
}

SENTENCES = {
    "json_invalid": "The body is not valid JSON in UTF-8: {error}.",
    "model_type": 'The body is not a JSON object. Send {{"texts": ["..."]}}.',
    "missing": 'The body lacks "texts". Send {{"texts": ["..."]}}.',
    "extra_forbidden": 'The body has a field that is not known. Send {{"texts": ["..."]}}, nothing else.',
    "list_type": '"texts" is not a list of strings. Send {{"texts": ["..."]}}, for one text, too.',
    "too_short": '"texts" is empty. Send at least one text.',
    "too_long": '"texts" may have at most {max_length} texts. Send the others in further requests.',
    "string_type": "Text {number} is not a string.",
    "string_too_long": "Text {number} may have at most {max_length} characters.",
    "value_error": "Text {number} is empty: there is nothing to classify.",
}
"""What to say for each type of error that pydantic finds in a body."""


class Service:
    """The state behind the routes: limits, queue, metrics, and whether the model is there."""

    def __init__(self, load: Callable[[], Classifier], settings: Settings, model: str, backend: str) -> None:
        """Make the queue and the metrics; `load` is called when the application starts."""
        self.load, self.settings = load, settings
        self.health = Health(status="loading", model=model, backend=backend, version=_version())
        self.failure: Exception | None = None
        self.on_failure: Callable[[], object] = lambda: None
        self.body_model = _body_model(settings)
        self.registry = prometheus.CollectorRegistry()
        counter = functools.partial(prometheus.Counter, registry=self.registry)
        histogram = functools.partial(prometheus.Histogram, registry=self.registry)
        self.requests = counter("sentiment_requests", "Requests by path and status", ["path", "status"])
        self.seconds = histogram("sentiment_request_seconds", "Time from a request's headers to its answer", ["path"])
        self.texts = counter("sentiment_texts", "Texts that were classified")
        self.runs = histogram("sentiment_batch_size", "Texts in one run of the model", buckets=[2**n for n in range(9)])
        self.batcher = Batcher(
            max_batch=settings.max_batch,
            wait_seconds=settings.wait_ms / 1000,
            queue_texts=settings.queue_texts,
            on_run=self.runs.observe,
        )
        depth = prometheus.Gauge("sentiment_queue_depth", "Texts that wait for the model", registry=self.registry)
        depth.set_function(lambda: self.batcher.depth)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncGenerator[None]:
        """Load the model beside the running server, and run it until the server stops."""
        running = asyncio.create_task(self._run())
        yield
        running.cancel()
        await asyncio.wait([running])

    async def _run(self) -> None:
        try:
            classifier = await asyncio.to_thread(self.load)
        except Exception as error:
            log.exception("The model can't be loaded")
            self.failure = error
            self.health.status = "failed"
            self.on_failure()
        else:
            self.health.status = "ready"
            await self.batcher.run(classifier)

    async def classify(self, request: Request) -> Answer:
        """Say for each text which label it gets, and how probable that is.

        Texts of all clients that wait at the same time go through the model together.
        """
        if getattr(request.state, "over_limit", False):
            headers = {"Retry-After": "5", "Connection": "close"}
            raise HTTPException(503, "Too many clients are connected. Try again later.", headers)
        try:
            texts = await self._read_texts(request)
            if self.health.status != "ready":
                raise HTTPException(503, f"The model is {self.health.status}. Try again later.", {"Retry-After": "5"})
            results = await self._await_results(request, texts)
        except asyncio.CancelledError:  # the grace period is over
            raise HTTPException(503, "The service is stopping.", {"Retry-After": "5"}) from None
        self.texts.inc(len(texts))
        return Answer(results=results, model=self.health.model)

    async def _await_results(self, request: Request, texts: list[str]) -> list[Result]:
        """Wait for the model, but no longer than the limit, nor than the client does."""
        answer = asyncio.ensure_future(self.batcher.classify(texts))
        gone = asyncio.ensure_future(_disconnect(request))
        try:
            await asyncio.wait(
                {answer, gone}, timeout=self.settings.request_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if answer.done():
                return answer.result()
            if gone.done():
                raise HTTPException(CLIENT_GONE, "The client has gone.")
            raise HTTPException(504, "The answer took too long. Send fewer texts, or try again later.")
        except QueueFullError:
            raise HTTPException(503, "Too many texts wait already. Try again.", {"Retry-After": "1"}) from None
        except ModelFailedError:
            raise HTTPException(500, "The model failed on one of the texts. The service's log says how.") from None
        finally:
            answer.cancel()
            gone.cancel()

    async def _read_texts(self, request: Request) -> list[str]:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "Send JSON, with the header Content-Type: application/json.")
        body = await self._read_body(request)
        try:
            return parse_texts(body, self.body_model)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    async def _read_body(self, request: Request) -> bytes:
        """Read no more than the limit, and for no longer than the limit, whatever the headers promise."""
        limit = self.settings.max_body_bytes
        too_large = HTTPException(
            413, f"The body may have at most {limit:,} bytes. Send the texts in several requests."
        )
        if int(request.headers.get("content-length", 0)) > limit:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.settings.body_seconds):
                async for part in request.stream():
                    body += part
                    if len(body) > limit:
                        raise too_large
        except TimeoutError:
            sentence = f"The body did not arrive within {self.settings.body_seconds:g} seconds."
            raise HTTPException(408, sentence, {"Connection": "close"}) from None
        except ClientDisconnect:
            raise HTTPException(CLIENT_GONE, "The client has gone.") from None
        return bytes(body)

    async def show_health(self, response: Response) -> Health:
        """Say whether the model is loaded: 200 if it is, 503 if not."""
        response.status_code = 200 if self.health.status == "ready" else 503
        return self.health

    async def show_metrics(self) -> Response:
        """Show counters and histograms in Prometheus' text format."""
        return Response(prometheus.generate_latest(self.registry), media_type=prometheus.CONTENT_TYPE_LATEST)


class CountRequests:
    """ASGI middleware that counts each request by path and status, and how long it took."""

    def __init__(self, app: ASGIApp, service: Service, paths: frozenset[str]) -> None:
        """Count for `service`; whatever is not among `paths` is counted as "other", for a client can invent paths."""
        self.app, self.service, self.paths = app, service, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and watch for the status of its response."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status, path = 500, scope["path"] if scope["path"] in self.paths else "other"

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        start = time.perf_counter()
        try:
            await self.app(scope, receive, watch)
        finally:
            self.service.requests.labels(path, status).inc()
            self.service.seconds.labels(path).observe(time.perf_counter() - start)


def create_app(
    load: Callable[[], Classifier], settings: Settings | None = None, *, model: str = "", backend: str = "torch"
) -> FastAPI:
    """Make the application.

    Args:
        load: returns what classifies a list of texts, such as a `SentimentPipeline`; called once, at the start.
        settings: the limits.
        model: the model's name, for the answers.
        backend: what runs the model, for `/health`.
    """
    service = Service(load, settings or Settings(), model, backend)
    app = FastAPIOffline(
        title="Sentiment analysis",
        description="The service of lesson 8 of *LLMs, Hands On*.",
        version=service.health.version,
        lifespan=service.lifespan,
        redoc_url=None,
    )
    app.state.service = service
    schema = service.body_model.model_json_schema()
    app.post(
        "/classify",
        summary="Classify texts",
        responses={status: {"model": Problem, "description": text} for status, text in PROBLEMS.items()},
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )(service.classify)
    app.get("/health", summary="Is it ready?", responses={503: {"model": Health, "description": "Not ready."}})(
        service.show_health
    )
    app.get("/metrics", summary="What has it done?", response_class=PlainTextResponse)(service.show_metrics)
    app.get("/", include_in_schema=False)(lambda: RedirectResponse("/docs"))
    app.add_middleware(CountRequests, service=service, paths=frozenset({"/classify", "/health", "/metrics"}))
    return app


def _body_model(settings: Settings) -> type[Body]:
    """Return the model of a request's body, with the settings' limits, so that the OpenAPI page states them."""

    def not_blank(text: str) -> str:
        if not text.strip():
            raise ValueError
        return text

    schema = {"type": "string", "minLength": 1, "maxLength": settings.max_characters, "pattern": r"\S"}
    text = Annotated[str, Field(max_length=settings.max_characters), AfterValidator(not_blank), WithJsonSchema(schema)]
    texts = Field(
        description="The texts to classify; none may be empty or all blanks.",
        examples=[["A joy from start to end.", "The battery died after a week."]],
        min_length=1,
        max_length=settings.max_texts,
    )
    return create_model("Texts", __base__=Body, texts=(list[text], texts))


def parse_texts(body: bytes, model: type[Body]) -> list[str]:
    """Return the texts of a body.

    Raises:
        ValueError: the body is not what is asked for; the message says in a sentence what is wrong with it first.
    """
    try:
        data = from_json(body)
    except ValueError as error:
        raise ValueError(SENTENCES["json_invalid"].format(error=error)) from None
    if isinstance(data, dict) and "texts" in data and len(data) > 1:
        # Not left to pydantic, which would make an error for each of a hundred thousand fields.
        raise ValueError(SENTENCES["extra_forbidden"].format())
    try:
        return model.model_validate(data).texts
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    number = next((place + 1 for place in first["loc"] if isinstance(place, int)), None)
    raise ValueError(SENTENCES[first["type"]].format(number=number, **first.get("ctx", {})))


async def _disconnect(request: Request) -> None:
    """Return when the client has gone. Its body has been read, so that nothing else is to come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _version() -> str:
    try:
        return importlib.metadata.version("llms-hands-on")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
