"""`python -m course_utils serve`: run the service until it is told to stop."""

import argparse
import asyncio
import dataclasses
import functools
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from course_utils.classifier import pipeline as sentiment
from course_utils.errors import CommandError
from course_utils.models import SENTIMENT_MODEL, checkpoint
from course_utils.service.app import Settings, create_app
from course_utils.service.batcher import Classifier


class PunctualProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with an end to clients that dawdle, and a mark on connections beyond the limit.

    uvicorn waits without limit for a request's headers, and for the rest of a body that was refused. Its own limit of
    connections refuses everybody once it is reached, in plain text: so the application does it, by the mark, for those
    that came last. They can still ask how the service is.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Give a new connection its time, and note whether there are too many."""
        super().connection_made(transport)
        assert isinstance(self.config.app, FastAPI)  # that of `make_server`
        limit = self.config.app.state.service.settings.max_connections
        self.app_state = {**self.app_state, "over_limit": len(self.connections) > limit}
        self._watch()

    def on_response_complete(self) -> None:
        """Give it the same time again after each response."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time."""
        super().connection_lost(exc)
        if self._deadline:
            self._deadline.cancel()

    def _watch(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self.config.timeout_keep_alive, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()


def make_server(app: FastAPI) -> uvicorn.Server:
    """Make what runs the application of `create_app`: `make_server(app).run(sockets=[listen(host, port)])`.

    It stops when its `should_exit` is set: by SIGINT, by SIGTERM, by a model that can't be loaded, or by the caller.
    """
    service = app.state.service
    config = uvicorn.Config(
        app,
        http=PunctualProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        server_header=False,
        timeout_keep_alive=service.settings.idle_seconds,
        timeout_graceful_shutdown=service.settings.grace_seconds,
    )
    server = uvicorn.Server(config)
    service.on_failure = functools.partial(setattr, server, "should_exit", True)
    return server


def listen(host: str, port: int) -> socket.socket:
    """Open the port; 0 takes a free one.

    What comes in by it sends at once (TCP_NODELAY). Else the second part of an answer, its body, would wait until the
    client acknowledged the first, which clients put off by 40 ms. asyncio sees to that itself, but not for a socket
    that it is given.

    Raises:
        CommandError: the port is taken, or is not this user's to take, or there is no such address here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0]
        advice = "Take another with --port; 0 takes any that is free."
        raise CommandError(f"port {port} of {host} can't be had: {reason}. {advice}") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where to listen, the model, and the limits."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s: this machine only)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (%(default)s; 0 takes a free one)")
    parser.add_argument("--model", default=SENTIMENT_MODEL, help="name of the model, or its folder (%(default)s)")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="torch", help="torch computes in fp32, onnx in int8 (%(default)s)"
    )
    for limit in dataclasses.fields(Settings):
        option = f"--{limit.name.replace('_', '-')}"
        help_text = f"{limit.metadata['help']} (%(default)s)"
        parser.add_argument(option, type=limit.type, default=limit.default, metavar="N", help=help_text)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; then finish what was begun.

    Raises:
        CommandError: the port is taken, a limit makes no sense, or the model can't be loaded.
    """
    try:
        settings = Settings(**{limit.name: getattr(arguments, limit.name) for limit in dataclasses.fields(Settings)})
        folder = arguments.model if Path(arguments.model).is_dir() else checkpoint(arguments.model)
    except ValueError as error:
        raise CommandError(str(error)) from None
    app = create_app(
        functools.partial(BACKENDS[arguments.backend], folder),
        settings,
        model=arguments.model,
        backend=arguments.backend,
    )
    server = make_server(app)
    listener = listen(arguments.host, arguments.port)
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    # uvicorn raises a signal again once it has stopped, which would end this process with another status than 0.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None if server.should_exit else sys.exit(0))
    print(f"serve: {url} answers POST /classify and describes itself at {url}/docs. Ctrl+C stops it.", flush=True)
    server.run(sockets=[listener])
    if app.state.service.failure:
        raise CommandError(f"the model can't be loaded: {app.state.service.failure}")
    print("serve: stopped", flush=True)
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text}")
    return port


def _load(backend: str, folder: str) -> Classifier:
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    classifier = sentiment.SentimentPipeline(folder, backend=backend)
    classifier(["The first run takes longer than any other: have it before the first request comes."])
    return classifier


BACKENDS = {backend: functools.partial(_load, backend) for backend in sentiment.BACKENDS}
"""What can run the model; each takes a folder and returns a classifier."""
