"""COURSE_MODELS=hub over real HTTP: huggingface_hub downloads from the small Hub of hub_server.py."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import HubServer

from course_utils.models import MANIFEST, catalogue, find_problem, models_folder

LEGACY_ID = "distilbert-base-uncased-finetuned-sst-2-english"
HUB_ID = f"distilbert/{LEGACY_ID}"
UNPINNED = "finiteautomata/bertweet-base-sentiment-analysis"
DECODER = "HuggingFaceTB/SmolLM2-135M-Instruct"
REVISION = catalogue()[HUB_ID].revision
CUT = 25_000_000
"""Where a download breaks off: within the weights, and after what huggingface_hub writes at a time (10 MiB)."""

CHECKPOINT = "import sys; from course_utils.models import checkpoint; print(checkpoint(sys.argv[1]))"
BOTH_WAYS = """
import json, os, sys
import torch
from course_utils import generation
from course_utils.models import checkpoint, use_embedded_default
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline
texts = ["HuggingFace pipelines are awesome!", "I don't like this course so far"]
messages = [{"role": "user", "content": "What is the capital of France?"}]
classifier_id, decoder_id = sys.argv[1:]
for choice in ("hub", "embedded"):
    os.environ["COURSE_MODELS"] = choice
    folder = checkpoint(classifier_id)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = {"labels": pipeline("text-classification", model=model, tokenizer=tokenizer)(texts)}
    use_embedded_default()
    bare = pipeline("sentiment-analysis")
    found |= {"bare": bare(texts), "bare model": bare.model.name_or_path}
    folder = checkpoint(decoder_id)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    written = generation.generate(model, ids, 6)
    found |= {"decoder": type(model).__name__, "written": tokenizer.decode(written[0]), "decoder's folder": folder}
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def embedded() -> Path:
    """The prepared model, which the server serves under its real id."""
    return prepared(HUB_ID)


def prepared(hub_id: str) -> Path:
    model = catalogue()[hub_id]
    folder = models_folder() / model.folder
    problem = find_problem(folder, model.files)
    if problem:
        pytest.skip(f"{problem}: run python -m course_build models")
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Start a fresh Python whose Hub is `server`, with a cache of its own that all processes of the test share."""

    def start(server: HubServer, code: str, *arguments: str, **environ: str) -> subprocess.Popen:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
        settings = {
            "COURSE_MODELS": "hub",
            "HF_ENDPOINT": server.endpoint,
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(MANIFEST.parents[2]),
        }
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**inherited, **settings, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def run(start: Callable[..., subprocess.Popen]) -> Callable[..., str]:
    """Run code to its end in such a process and return what it printed; its last line of errors when it failed."""

    def run(*arguments: object, **environ: str) -> str:
        process = start(*arguments, **environ)
        output, errors = process.communicate(timeout=120)
        return output.strip() if process.returncode == 0 else errors.strip().splitlines()[-1]

    return run


def serve(folder: Path, **options: int) -> HubServer:
    return HubServer({HUB_ID: folder}, commits={HUB_ID: REVISION}, **options)


def same_files(folder: str, expected: Path) -> bool:
    names = sorted(path.name for path in expected.iterdir() if path.name != "README.md")
    found = sorted(path.name for path in Path(folder).iterdir())
    return found == names and all(
        (expected / name).read_bytes() == (Path(folder) / name).read_bytes() for name in names
    )


def test_cold_then_cached_then_offline(run: Callable[..., str], embedded: Path) -> None:
    with serve(embedded) as hub:
        cold = run(hub, CHECKPOINT, HUB_ID)
        assert same_files(cold, embedded)
        assert Path(cold).name == REVISION
        assert hub.downloads("model.safetensors") == [None]
        assert hub.downloads("README.md") == []
        asked = [path for _, path, _ in hub.requests if HUB_ID in path]
        assert all(f"/{REVISION}" in path for path in asked)  # nothing of whatever `main` may be today
        hub.requests.clear()
        assert run(hub, CHECKPOINT, LEGACY_ID) == cold  # the name without its owner means the same, and asks the same
        assert not hub.downloads("model.safetensors")
    assert run(hub, CHECKPOINT, HUB_ID, HF_HUB_OFFLINE="1") == cold


def test_the_same_notebook_gets_the_same_answers_from_the_hub_and_embedded(
    run: Callable[..., str], embedded: Path, tmp_path: Path
) -> None:
    """A classifier, and a model that writes: with what else lies in its repository there, exports and logs of training,
    which nobody needs. In one process, for importing torch takes longest."""
    served = tmp_path / "served"
    shutil.copytree(prepared(DECODER), served, copy_function=os.link)
    for name in UNWANTED:
        (served / name).parent.mkdir(exist_ok=True)
        (served / name).write_bytes(b"not needed")
    settings = json.loads((served / "tokenizer_config.json").read_text(encoding="utf-8"))
    (served / "chat_template.jinja").write_text(
        settings.pop("chat_template"), encoding="utf-8"
    )  # as newer models have it
    (served / "tokenizer_config.json").unlink()  # a link, and the file itself stays as it is
    (served / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    revisions = {HUB_ID: REVISION, DECODER: catalogue()[DECODER].revision}
    with HubServer({HUB_ID: embedded, DECODER: served}, commits=revisions) as hub:
        from_hub, from_folder = map(json.loads, run(hub, BOTH_WAYS, HUB_ID, DECODER).splitlines())
        assert not any(hub.downloads(name) for name in UNWANTED)
        for hub_id, revision in revisions.items():
            asked = [path for _, path, _ in hub.requests if hub_id in path]
            assert asked
            assert all(f"/{revision}" in path for path in asked)
    assert [answer["label"] for answer in from_hub["labels"]] == ["POSITIVE", "NEGATIVE"]
    for found in (from_hub, from_folder):
        assert found["labels"] == found["bare"] == from_hub["labels"]
        assert found["decoder"] == "LlamaForCausalLM"
        assert found["written"] == from_hub["written"]
    assert "is Paris" in from_hub["written"]
    assert (from_hub["bare model"], from_folder["bare model"]) == (HUB_ID, str(embedded))
    assert Path(from_hub["decoder's folder"]).name == revisions[DECODER]
    assert from_folder["decoder's folder"] == str(prepared(DECODER))


UNWANTED = ("onnx/model.onnx", "runs/events.out", "training_args.bin", ".gitattributes")


def test_a_renamed_model_is_found_under_its_former_name(run: Callable[..., str], embedded: Path) -> None:
    renamed = {HUB_ID: "another/name"}
    with HubServer({"another/name": embedded}, commits={"another/name": REVISION}, renamed=renamed) as hub:
        assert same_files(run(hub, CHECKPOINT, HUB_ID), embedded)


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(run: Callable[..., str], embedded: Path) -> None:
    with serve(embedded, cut_after=CUT) as hub:
        answer = run(hub, CHECKPOINT, HUB_ID)
        if "broke off" in answer:  # version 0 of huggingface_hub leaves it to us to try again
            assert "Try again" in answer
            answer = run(hub, CHECKPOINT, HUB_ID)
        first, second = hub.downloads("model.safetensors")
    assert same_files(answer, embedded)
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= CUT


def test_a_half_download_is_never_taken_for_a_model(
    start: Callable[..., subprocess.Popen], run: Callable[..., str], embedded: Path
) -> None:
    with serve(embedded, cut_after=CUT) as hub:
        process = start(hub, CHECKPOINT, HUB_ID)
        for line in process.stderr:
            if "resume" in line:  # it noticed the break, and waits a second before it goes on
                process.kill()
        process.communicate()
        assert process.returncode != 0
        assert "this machine's cache" in run(hub, CHECKPOINT, HUB_ID, HF_HUB_OFFLINE="1")
        assert same_files(run(hub, CHECKPOINT, HUB_ID), embedded)
        config = hub.downloads("config.json")
    assert config == [None]  # what arrived whole isn't asked for again


def test_an_unknown_model_revision_and_an_empty_cache_are_said_plainly(run: Callable[..., str], tmp_path: Path) -> None:
    with HubServer({}) as hub:
        message = run(hub, CHECKPOINT, HUB_ID)
        assert f"The Hub has no {HUB_ID} at revision {REVISION}." in message
    with HubServer({HUB_ID: tmp_path}) as hub:
        assert f"The Hub has no {HUB_ID} at revision {REVISION}." in run(hub, CHECKPOINT, HUB_ID)
    message = run(hub, CHECKPOINT, HUB_ID, HF_HUB_OFFLINE="1")
    assert "CheckpointError" in message
    assert "isn't in this machine's cache, and the Hub can't be reached" in message
    assert "unset COURSE_MODELS" in message


def test_weights_that_are_only_a_pickle_are_downloaded_when_there_is_nothing_else(
    run: Callable[..., str], tmp_path: Path
) -> None:
    for name in ("config.json", "bpe.codes", "vocab.txt", "pytorch_model.bin", "tf_model.h5"):
        (tmp_path / "served" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "served" / name).write_bytes(name.encode())
    with HubServer({UNPINNED: tmp_path / "served"}) as hub:
        folder = Path(run(hub, CHECKPOINT, UNPINNED))
    assert sorted(path.name for path in folder.iterdir()) == [
        "bpe.codes",
        "config.json",
        "pytorch_model.bin",
        "vocab.txt",
    ]
