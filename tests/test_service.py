"""The service: the real server, on a port of this machine, under load, bad input and clients that dawdle."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from course_utils import SentimentPipeline, reviews
from course_utils.service.app import PROBLEMS, Settings, create_app
from course_utils.service.batcher import BATCH_CHARACTERS, Batcher
from course_utils.service.server import listen, make_server

SECONDS = 300
"""How long a test waits for what has to happen before it fails: long, for a machine that is busy with other things."""


@contextlib.contextmanager
def serving(load: Callable, settings: Settings | None = None) -> Iterator[httpx.Client]:
    """Run the server in a thread; give a client of it."""
    app = create_app(load, settings, model="a model")
    server = make_server(app)
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive()


def ready(client: httpx.Client) -> httpx.Client:
    wait_until(lambda: client.get("/health").status_code == 200)
    return client


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(SECONDS * 50):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not come to pass")


def measured(client: httpx.Client, name: str, **labels: str) -> float:
    """One value of /metrics."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [
        s for family in families for s in family.samples if s.name == name and labels.items() <= s.labels.items()
    ]
    return sum(sample.value for sample in samples)


def classify(client: httpx.Client, *texts: str) -> httpx.Response:
    return client.post("/classify", json={"texts": texts})


class Gate:
    """A classifier that answers each text with its length, once the gate is open; "poison" makes it raise."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> list[dict]:
        self.batches.append(texts)
        assert self.gate.wait(SECONDS)
        if "poison" in texts:
            raise RuntimeError("secret of the inside")
        return [{"label": "LENGTH", "score": len(text)} for text in texts]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.gate.set()


@pytest.fixture(scope="module")
def pipeline(sentiment_pipeline: SentimentPipeline) -> SentimentPipeline:
    return sentiment_pipeline


@pytest.fixture(scope="module")
def client(pipeline: SentimentPipeline) -> Iterator[httpx.Client]:
    """A client of a server with the real model."""
    with serving(lambda: pipeline, Settings(request_seconds=SECONDS)) as client:
        yield ready(client)


def assert_answers(response: httpx.Response, expected: list[dict]) -> None:
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    assert [result["label"] for result in results] == [result["label"] for result in expected]
    np.testing.assert_allclose([r["score"] for r in results], [r["score"] for r in expected], atol=1e-5)


def assert_problem(response: httpx.Response, status: int, says: str = "") -> None:
    """A declared status, and one JSON object with a sentence."""
    assert response.status_code == status, response.text
    assert status in PROBLEMS
    assert list(response.json()) == ["detail"]
    assert re.search(says, response.json()["detail"])
    assert response.json()["detail"].endswith(".")


# ------------------------------------------------------------------------------------------------------------- answers


def test_fifty_clients_at_once_each_get_their_own_answers(client, pipeline):
    texts = reviews.load("test")["text"].sample(150, random_state=1).tolist()
    requests = [texts[start : start + 1 + start % 5] for start in range(50)]
    before = {name: measured(client, name) for name in ("sentiment_batch_size_count", "sentiment_texts_total")}

    async def ask_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=SECONDS) as together:
            return await asyncio.gather(*(together.post("/classify", json={"texts": some}) for some in requests))

    responses = asyncio.run(ask_all())
    for response, some in zip(responses, requests, strict=True):
        assert_answers(response, pipeline(some))
    runs = measured(client, "sentiment_batch_size_count") - before["sentiment_batch_size_count"]
    assert runs < len(requests)
    assert measured(client, "sentiment_texts_total") - before["sentiment_texts_total"] == sum(map(len, requests))


def test_bad_requests_among_good_ones_change_nothing(client, pipeline):
    bad = [b"", b"{", b'{"texts": [7]}', b'{"texts": ["\\ud800"]}', b"\xff" * 50, b'{"texts": []}']

    async def ask_all() -> tuple[list, list]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=SECONDS) as together:
            good = [together.post("/classify", json={"texts": [f"It works {n} times out of ten"]}) for n in range(12)]
            json_type = {"Content-Type": "application/json"}
            wrong = [together.post("/classify", content=body, headers=json_type) for body in bad * 2]
            answers = await asyncio.gather(*(one for pair in zip(good, wrong, strict=True) for one in pair))
            return answers[::2], answers[1::2]

    good, wrong = asyncio.run(ask_all())
    for n, response in enumerate(good):
        assert_answers(response, pipeline([f"It works {n} times out of ten"]))
    for response in wrong:
        assert_problem(response, 422)


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "a\x00\x07\x1b[2J b",
        "\u202eevil\u202c",
        "👩‍👩‍👧‍👦 loved it",
        "e" + "\u0301" * 50,
        "\ufffe\uffff",
        "a" * 10_000,
        "\ufeff",
    ],
    ids=ascii,
)
def test_odd_texts_are_texts(client, pipeline, text):
    assert_answers(classify(client, text), pipeline([text]))


def test_a_full_request_is_answered_in_its_order(client, pipeline):
    texts = [f"{n} stars. {'Wonderful' if n % 3 else 'A waste of money'}." for n in range(256)]
    assert_answers(classify(client, *texts), pipeline(texts))


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b'{"texts": ["a"', "not valid JSON"),
        (b'{"texts": ["\xff\xfe"]}', "not valid JSON"),
        (b'{"texts": ["\\ud800"]}', "not valid JSON"),
        (b'{"texts": ["\\udc00 x"]}', "not valid JSON"),
        (b'{"texts": ["a"]} {}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"1" * 100_000, "not"),
        (b"\x1f\x8b\x08\x00compressed", "not valid JSON"),
        ('{"texts": ["a"]}'.encode("utf-16"), "not valid JSON"),
        (b"null", "not a JSON object"),
        (b'["a"]', "not a JSON object"),
        (b'"a"', "not a JSON object"),
        (b"NaN", "not"),
        (b"{}", "lacks"),
        (b'{"text": ["a"]}', "lacks"),
        (b'{"texts": ["a"], "text": "a"}', 'not known. Send {"texts": .*}, nothing else'),
        (json.dumps({f"key {n}": n for n in range(40_000)}).encode(), "lacks"),
        (json.dumps({"texts": ["a"]} | {f"key {n}": n for n in range(40_000)}).encode(), "not known"),
        (b'{"texts": "a"}', "not a list"),
        (b'{"texts": null}', "not a list"),
        (b'{"texts": {"0": "a"}}', "not a list"),
        (b'{"texts": []}', "at least one"),
        (json.dumps({"texts": ["a"] * 257}).encode(), "at most 256 texts"),
        (json.dumps({"texts": [""] * 200_000}).encode(), "at most 256 texts"),
        (b'{"texts": ["a", 7]}', "Text 2 is not a string"),
        (b'{"texts": ["a", "b", null]}', "Text 3 is not a string"),
        (b'{"texts": [["a"]]}', "Text 1 is not a string"),
        (b'{"texts": ["a", ""]}', "Text 2 is empty"),
        (b'{"texts": ["\\u001c \\u00a0\\n"]}', "Text 1 is empty"),
        (json.dumps({"texts": ["a", "b" * 10_001]}).encode(), "Text 2 may have at most 10000 characters"),
        (json.dumps({"texts": ["a" * 900_000]}).encode(), "Text 1 may have at most"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)
def test_a_bad_body_is_told_what_is_wrong(client, body, says):
    response = client.post("/classify", content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert_problem(response, 422, says)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "junk", ""])
def test_what_is_not_declared_as_json_is_not_read(client, kind):
    response = client.post("/classify", content=b'{"texts": ["a"]}', headers={"Content-Type": kind})
    assert_problem(response, 415, "Content-Type: application/json")


@pytest.mark.parametrize("size", [1_000_001, 5_000_000])
def test_a_large_body_is_refused(client, size):
    body = json.dumps({"texts": ["a" * size]}).encode()
    assert_problem(client.post("/classify", content=body, headers=JSON), 413, "1,000,000 bytes")
    chunks = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
    assert_problem(client.post("/classify", content=chunks, headers=JSON), 413, "1,000,000 bytes")
    assert classify(client, "It goes on.").status_code == 200


JSON = {"Content-Type": "application/json"}


def test_a_large_body_is_refused_before_it_is_sent(client):
    """The promise of it is enough: neither a body nor its first bytes are waited for."""
    with raw(client) as connection:
        connection.sendall(head("Content-Length: 99999999999"))
        assert connection.recv(12) == b"HTTP/1.1 413"
    with raw(client) as connection:
        connection.sendall(head("Content-Length: 5000000", "Expect: 100-continue"))
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_paths_and_methods_that_are_not_there(client):
    assert client.get("/nowhere").status_code == 404
    assert client.get("/classify").status_code == 405
    assert client.get("/classify").headers["allow"] == "POST"
    for path in ("/%00", "/..%2f..%2fetc/passwd", "/static-offline-docs/../service.py", "/" + "a" * 5000):
        assert client.get(path).status_code == 404
    assert measured(client, "sentiment_requests_total", path="other", status="404") >= 5
    assert "etc/passwd" not in client.get("/metrics").text


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x00" * 99_999,
    ],
)
def test_what_is_not_http_is_refused(client, junk):
    with raw(client) as connection:
        connection.sendall(junk)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(12) in (b"HTTP/1.1 400", b"")
    assert classify(client, "It goes on.").status_code == 200


# --------------------------------------------------------------------------------------------------------- slow clients


@contextlib.contextmanager
def raw(client: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=SECONDS) as connection:
        yield connection


def head(*headers: str) -> bytes:
    lines = ["POST /classify HTTP/1.1", "Host: here", "Content-Type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode()


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


@pytest.fixture
def impatient(gate: Gate) -> Iterator[httpx.Client]:
    """A client of a server that soon loses patience."""
    settings = Settings(body_seconds=0.2, idle_seconds=0.2, request_seconds=0.2, max_body_bytes=1000, max_characters=99)
    with serving(lambda: gate, settings) as client:
        yield ready(client)


def test_a_body_that_never_comes_is_not_waited_for(impatient):
    for framing, start in [("Content-Length: 100", b'{"texts'), ("Transfer-Encoding: chunked", b"2\r\n{}\r\n")]:
        with raw(impatient) as connection:
            connection.sendall(head(framing) + start)
            answer = read_all(connection)  # until the server closes the connection
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"did not arrive within 0.2 seconds" in answer


@pytest.mark.parametrize("start", [b"", b"POST /cla", head()[:-2]], ids=["nothing", "half a line", "half the headers"])
def test_headers_that_never_come_are_not_waited_for(impatient, start):
    with raw(impatient) as connection:
        connection.sendall(start)
        assert read_all(connection) == b""


def test_a_refused_body_is_not_read_for_ever(impatient):
    with raw(impatient) as connection:
        connection.sendall(head("Content-Length: 100000000"))
        assert connection.recv(12) == b"HTTP/1.1 413"
        with pytest.raises(ConnectionError):  # noqa: PT012 - the server closes while the client sends
            for _ in range(SECONDS * 50):
                connection.sendall(b"a")
                threading.Event().wait(0.02)


def test_an_answer_that_takes_too_long_is_not_waited_for(impatient, gate):
    assert_problem(classify(impatient, "a"), 504, "too long")
    gate.gate.set()
    assert classify(impatient, "four").json()["results"] == [{"label": "LENGTH", "score": 4.0}]


def test_texts_of_a_client_that_has_gone_leave_the_queue(gate):
    with serving(lambda: gate) as client:
        ready(client)
        with raw(client) as first, raw(client) as second:
            body = b'{"texts": ["one", "two"]}'
            first.sendall(head(f"Content-Length: {len(body)}") + body)
            wait_until(lambda: gate.batches == [["one", "two"]])
            second.sendall(head(f"Content-Length: {len(body)}") + body)
            wait_until(lambda: measured(client, "sentiment_queue_depth") == 2)
            second.close()
            wait_until(lambda: measured(client, "sentiment_queue_depth") == 0)
            first.close()
            wait_until(lambda: measured(client, "sentiment_requests_total", status="499") == 2)
        gate.gate.set()
        assert classify(client, "three").status_code == 200
        assert gate.batches == [["one", "two"], ["three"]]


def test_an_answer_goes_out_at_once() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_beyond_the_limit_of_connections_only_the_last_to_come_are_refused(gate):
    gate.gate.set()
    with serving(lambda: gate, Settings(max_connections=2)) as client, raw(client) as idle:
        ready(client)
        with httpx.Client(base_url=client.base_url, timeout=SECONDS) as late:
            assert late.get("/health").status_code == 200
            refused = classify(late, "a")
            assert_problem(refused, 503, "Too many clients")
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["connection"] == "close"
            assert classify(client, "four").status_code == 200
            idle.close()
            wait_until(lambda: classify(late, "a").status_code == 200)


# ------------------------------------------------------------------------------------------------- a model in trouble


def test_a_full_queue_says_so_and_empties(gate):
    with serving(lambda: gate, Settings(queue_texts=4, max_texts=4)) as client:
        ready(client)
        with httpx.Client(base_url=client.base_url, timeout=SECONDS) as other:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(classify(other, "first")))]
            threads[0].start()
            wait_until(lambda: gate.batches == [["first"]])
            threads.append(threading.Thread(target=lambda: answers.append(classify(other, "a", "b", "c"))))
            threads[1].start()
            wait_until(lambda: measured(client, "sentiment_queue_depth") == 3)
            refused = classify(client, "d", "e")
            assert_problem(refused, 503, "Too many texts wait")
            assert int(refused.headers["retry-after"]) > 0
            gate.gate.set()
            for thread in threads:
                thread.join(SECONDS)
            assert [answer.status_code for answer in answers] == [200, 200]
            assert classify(client, "d", "e").status_code == 200


def test_a_text_that_breaks_the_model_breaks_no_other(gate, caplog):
    with serving(lambda: gate) as client:
        ready(client)
        answers = {}

        def ask(*texts: str) -> None:
            answers[texts] = classify(client, *texts)

        threads = [threading.Thread(target=ask, args=["held"])]
        threads[0].start()
        wait_until(lambda: len(gate.batches) == 1)
        threads += [threading.Thread(target=ask, args=texts) for texts in [("a", "bb"), ("poison", "c"), ("dddd",)]]
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: measured(client, "sentiment_queue_depth") == 5)
        gate.gate.set()
        for thread in threads:
            thread.join(SECONDS)
        assert [r["score"] for r in answers["a", "bb"].json()["results"]] == [1, 2]
        assert answers["dddd",].status_code == 200
        assert_problem(answers["poison", "c"], 500, "model failed")
        assert "secret" not in answers["poison", "c"].text
        assert "secret of the inside" in caplog.text
        assert max(map(len, gate.batches)) == 5


def test_a_wrong_number_of_results_is_a_failure():
    with serving(lambda: lambda texts: []) as client:
        assert_problem(classify(ready(client), "a"), 500, "model failed")


def test_it_says_that_it_loads():
    loaded = threading.Event()

    def load() -> Callable:
        assert loaded.wait(SECONDS)
        return lambda texts: [{"label": "A", "score": 1.0} for _ in texts]

    with serving(load) as client:
        assert client.get("/health").status_code == 503
        assert client.get("/health").json()["status"] == "loading"
        assert_problem(classify(client, "a"), 503, "loading")
        loaded.set()
        assert ready(client).get("/health").json() | {"version": ""} == {
            "status": "ready",
            "model": "a model",
            "backend": "torch",
            "version": "",
        }
        assert classify(client, "a").status_code == 200


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"max_texts": 0}, "max_texts has to be more than 0"),
        ({"wait_ms": float("nan")}, "wait_ms"),
        ({"queue_texts": 5}, "at least max_texts"),
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("lengths", "batches"),
    [
        ([1] * 8, [[1] * 3, [1] * 3, [1] * 2]),
        ([9, 1, 5, 2], [[1, 5, 9], [2]]),
        (
            [BATCH_CHARACTERS + 1, 7, BATCH_CHARACTERS - 1, 3],
            [[BATCH_CHARACTERS + 1], [7], [BATCH_CHARACTERS - 1], [3]],
        ),
    ],
)
def test_a_batch_is_not_larger_than_it_may_be(lengths, batches):
    seen = []

    async def ask() -> list:
        batcher = Batcher(max_batch=3)
        running = asyncio.create_task(batcher.run(lambda texts: seen.append(texts) or [{"label": t} for t in texts]))
        answers = await batcher.classify(["a" * length for length in lengths])
        running.cancel()
        return answers

    assert [len(answer["label"]) for answer in asyncio.run(ask())] == lengths
    assert [[len(text) for text in texts] for texts in seen] == batches


# ------------------------------------------------------------------------------------------------- its own description


def test_the_pages_name_no_other_host(client):
    page = client.get("/", follow_redirects=True)
    assert page.url.path == "/docs"
    links = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page.text)
    assert len(links) >= 4
    for link in links:
        assert not urlsplit(link).netloc, link
        assert client.get(link).status_code == 200
    assert client.get("/redoc").status_code == 404


def test_the_description_states_the_limits_in_force(client):
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/classify"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["texts"]["maxItems"] == Settings().max_texts
    assert body["properties"]["texts"]["items"]["maxLength"] == Settings().max_characters
    declared = schema["paths"]["/classify"]["post"]["responses"]
    assert set(declared) == {"200", *map(str, PROBLEMS)}
    assert all(response["description"] for response in declared.values())
    for example in body["properties"]["texts"]["examples"]:
        assert classify(client, *example).status_code == 200


def test_it_keeps_to_its_own_description(pipeline, tmp_path):
    """Schemathesis reads the description, makes requests that keep to it and that break it, and compares the answers.

    It runs as its own command, because its plug-in for pytest does not know pytest 9.2.
    """
    settings = Settings(max_texts=4, max_characters=40, request_seconds=SECONDS)  # low, so that they are soon tried
    with serving(lambda: pipeline, settings) as client:
        url = f"{ready(client).base_url}/openapi.json"
        options = ["--max-examples", "100", "--generation-deterministic", "--no-color"]
        tried = [sys.executable, "-m", "schemathesis.cli", "run", url, *options]
        result = subprocess.run(tried, capture_output=True, text=True, cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "Tested: 3" in result.stdout
        for status in ("200", "415", "422"):
            assert measured(client, "sentiment_requests_total", path="/classify", status=status) > 0


# -------------------------------------------------------------------------------------------------------- the command


def command(*options: str, program: str = "") -> subprocess.Popen:
    """Start `python -m course_utils serve`; `program` is run before it, in the same process."""
    code = f"{program}\nimport sys\nfrom course_utils.__main__ import main\nsys.exit(main())"
    arguments = [sys.executable, "-c", code, "serve", "--port", "0", *options]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


@contextlib.contextmanager
def started(*options: str, program: str = "") -> Iterator[tuple[subprocess.Popen, httpx.Client]]:
    process = command(*options, program=program)
    try:
        line = process.stdout.readline()
        with httpx.Client(base_url=re.search(r"http://\S+", line)[0], timeout=SECONDS) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


SLOW = """
import threading
from course_utils.service import server
def load(folder):
    def classifier(texts):
        threading.Event().wait(1)
        return [{"label": "SLOW", "score": 1.0} for _ in texts]
    return classifier
server.BACKENDS["torch"] = load
"""


def test_the_command_serves_the_real_model_until_it_is_told_to_stop(pipeline):
    with started() as (process, client):
        texts = ["A joy from start to end.", "The battery died after a week."]
        assert_answers(classify(ready(client), *texts), pipeline(texts))
        assert client.get("/health").json()["model"] == "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert out.strip().endswith("stopped")
    assert err == ""


def test_the_command_serves_the_quick_backend_too(reviews_checkpoint):
    with started("--backend", "onnx") as (_, client):
        texts = ["A joy from start to end.", "The battery died after a week."]
        assert_answers(classify(ready(client), *texts), SentimentPipeline(reviews_checkpoint, backend="onnx")(texts))
        assert client.get("/health").json()["backend"] == "onnx"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("clients", [1, 32])
def test_what_was_begun_is_finished(reviews_checkpoint, clients):
    options = ["--max-batch", "8", "--grace-seconds", str(SECONDS), "--model", reviews_checkpoint]
    with started(*options, program=SLOW) as (process, client), ThreadPoolExecutor(clients) as pool:
        ready(client)
        ask = partial(httpx.post, f"{client.base_url}/classify", json={"texts": ["a"]}, timeout=SECONDS)
        answers = [pool.submit(ask) for _ in range(clients)]
        metrics = ("sentiment_batch_size_sum", "sentiment_queue_depth")  # taken by the model, and waiting for it
        wait_until(lambda: sum(measured(client, name) for name in metrics) == clients)
        process.terminate()
        assert [answer.result().json()["results"][0]["label"] for answer in answers] == ["SLOW"] * clients
        assert process.wait(SECONDS) == 0
        with pytest.raises(httpx.ConnectError):
            client.get("/health")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_after_the_grace_period_it_stops_all_the_same(reviews_checkpoint):
    with started("--grace-seconds", "0.1", "--model", reviews_checkpoint, program=SLOW) as (process, client):
        ready(client)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(classify(client, "a")))
        asking.start()
        with httpx.Client(base_url=client.base_url) as other:
            wait_until(lambda: measured(other, "sentiment_batch_size_count") == 1)
        process.terminate()
        asking.join(SECONDS)
        assert process.wait(SECONDS) == 0
        assert_problem(answers[0], 503, "stopping")
        assert "Traceback" not in process.stderr.read()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_the_grace_period_ends_for_half_a_body_too(reviews_checkpoint):
    with started("--grace-seconds", "0.1", "--model", reviews_checkpoint, program=SLOW) as (process, client):
        with raw(ready(client)) as connection, raw(client) as idle:
            connection.sendall(head("Content-Length: 100", "Expect: 100-continue"))
            assert connection.recv(1024).startswith(b"HTTP/1.1 100")  # so it is being waited for
            connection.sendall(b'{"texts')
            process.terminate()
            answer = read_all(connection)
            assert read_all(idle) == b""
        assert process.wait(SECONDS) == 0
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"stopping" in answer
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("options", "program", "says"),
    [
        (["--port", "{taken}"], "", "port {taken} of 127.0.0.1 can't be had: .*--port"),
        (["--host", "203.0.113.1"], "", "of 203.0.113.1 can't be had"),
        (["--max-texts", "5000"], "", "queue_texts .1024. has to be at least max_texts .5000."),
        (["--model", "no-such-model"], "", "doesn't know the model"),
        (
            [],
            SLOW.replace("def load(folder):", "def load(folder):\n    raise OSError('torn')"),
            "can't be loaded: torn",
        ),
    ],
    ids=["port taken", "not our address", "limits", "unknown model", "broken model"],
)
def test_what_can_not_be_served_is_said_in_a_sentence(options, program, says):
    with listen("127.0.0.1", 0) as listener:
        taken = str(listener.getsockname()[1])
        process = command(*(option.format(taken=taken) for option in options), program=program)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert re.search("course_utils: .*" + says.format(taken=taken), err)
    assert program or "Traceback" not in err
