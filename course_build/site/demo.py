"""`python -m course_build demo`: what the demo in the browser is made of, and where it goes in the site.

The demo (`assets/demo/`) computes the sentiment model in the reader's browser. It takes three things that
are no source:

* onnxruntime-web, from the npm registry: one script and one WebAssembly program, held to the hashes below and kept with
  the models (`course_build.models.packages`).
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
from pathlib import Path

from course_build import BuildError
from course_build.models import packages
from course_build.models.hashed_files import find_corrupt_file, hash_file
from course_build.paths import BUILD
from course_utils.models import EXPORT_RECORD, ONNX_FP32, SENTIMENT_MODEL, CheckpointError, File, onnx_folder

RUNTIME = packages.Package(
    kind="npm",
    name="onnxruntime-web",
    version="1.30.0",
    size="33 MB; about a minute on a slow line",
    folder="package/dist",
    files={
        "ort.wasm.bundle.min.mjs": File(73054, "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90"),
        "ort-wasm-simd-threaded.wasm": File(
            14239897, "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
        ),
    },
)
"""What runs the model in the browser."""

PUBLISHED = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
"""Their names in the site: not every server knows that .mjs is a script."""

WEIGHTS = "model_weights_int8.onnx"
LARGE = 10_000
"""From how many elements on a matrix is stored in 8 bits; all else is a hundredth of the file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the command makes what is missing."""


def run(arguments: argparse.Namespace) -> int:
    """Fetch and make what is missing; here it is an error when that fails."""
    prepare()
    print(f"demo: ready ({RUNTIME})")
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
    packages.fetch(RUNTIME, "demo")
    make_model()
    (BUILD / "demo-attempt.log").unlink(missing_ok=True)


def add(staged: Path) -> bool:
    """Put the demo's files into a staged site, where they are ready; return whether they are."""
    runtime, target = RUNTIME.kept, staged / "assets" / "demo"
    if find_corrupt_file(runtime, RUNTIME.files) or not (model := model_file()).is_file():
        return False
    export = onnx_folder(SENTIMENT_MODEL)
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
    """Return the path of the browser's model that this module makes of the export as both are now.

    Where no file is there, the export isn't there either, or the model is still to be made.
    """
    try:
        record = (onnx_folder(SENTIMENT_MODEL) / EXPORT_RECORD).read_bytes()
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
        source = onnx_folder(SENTIMENT_MODEL) / ONNX_FP32
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
    graph = model.graph
    nodes: list[onnx.NodeProto] = []
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
