"""Export a prepared checkpoint to ONNX, in fp32 and in int8: `python -m course_build.models.onnx_export SOURCE TARGET`.

`course_build.models.prepare` runs it in a process of its own: exporting takes 1.5 GB of memory for some seconds, and
torch's exporter says a lot that helps nobody who sets up a course.

Both files hold graph and weights in one piece, take `input_ids` and `attention_mask` of any batch and length that the
model takes, and give `logits`. Their bytes depend on the versions of torch and of ONNX's packages, so no manifest can
hold them to a hash: `export.json` beside them (`write_record`) says what they were made from and what came out.

The graph leaves out what the classifier doesn't read: in the last layer, what follows the attention is computed for
the first position alone (`course_utils.classifier.backends.read_first_position`), which saves a ninth of the work.

int8 means ONNX Runtime's dynamic quantization, with two choices made by measurement and by arithmetic:

* a scale for every output channel of a weight, because one for the whole matrix lets a few large weights coarsen all;
* weights of 7 bits in 8 (`reduce_range`). Processors without VNNI add two products of 8-bit numbers in 16 bits, which
  overflows; with 7 bits it can't. So the integers are the same on every processor, at a cost too small to measure here.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from course_build.models.hashed_files import write_json
from course_utils.models import EXPORT_RECORD, ONNX_FP32, ONNX_INT8, Model, load_tokenizer

if TYPE_CHECKING:
    import onnx
    import onnxruntime
    import torch
    from transformers import PreTrainedModel

OPSET = 18
COPIED = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")
"""What the bytes of an export depend on, beside its source and this file."""

TOLERANCE = 1e-4
"""How far the fp32 export's logits may be from torch's."""

CLEAR = [
    "What a wonderful, moving film.",
    "A dull, stupid waste of money.",
    "I love it, it works perfectly and looks great!",
    "Terrible service. Never again, I want my money back.",
]
"""Opinions that leave no doubt, whose labels int8 must not change."""

LONG = "The best purchase of the year, and a joy to use every single day " * 40
"""A text longer than the model takes."""

PROBES = [[*CLEAR, "no"], ["no", LONG], *([text] for text in (*CLEAR, "no", LONG))]
"""The batches that an export is tried on before it is used: padded to the longest text, and of one text alone."""

CARD = """\
---
license: {licence}
language: en
pipeline_tag: text-classification
library_name: onnx
---

# {name}

`{fp32}` is the model `{source}` exported to ONNX (opset {opset}), in fp32, its logits within {tolerance} of torch's.
`{int8}` is the same after ONNX Runtime's dynamic quantization: 8-bit integers, a scale for every output channel.
What the model is, what it was trained on and how well it does stands in the card of the model it was exported from.
Lesson 7 of *LLMs, Hands On* measures what int8 costs.

`python -m course_build models` made this folder, on this machine.
"""


def made_with() -> dict[str, str]:
    """Return what the bytes of an export depend on, beside its source: versions, and the hash of this recipe."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return {**{package: version(package) for package in PACKAGES}, "recipe": recipe}


def write_record(folder: Path, source: str, hash_file: Callable[[Path], str]) -> None:
    """Write `export.json`: what the export was made of and with, and size and sha256 of every file in `folder`.

    Args:
        folder: a finished export.
        source: what `course_utils.models.Export.source` says of the model.
        hash_file: returns the sha256 of a file.
    """
    files = {path.name: {"size": path.stat().st_size, "sha256": hash_file(path)} for path in sorted(folder.iterdir())}
    record = {"source": source, "made_with": made_with(), "files": files}
    write_json(folder / EXPORT_RECORD, record)


def write_card(folder: Path, name: str, model: Model, source: str) -> None:
    """Write the README.md of an export called `name`, of the checkpoint called `source`."""
    card = CARD.format(
        name=name,
        source=source,
        licence=model.licence.lower(),
        fp32=ONNX_FP32,
        int8=ONNX_INT8,
        opset=OPSET,
        tolerance=TOLERANCE,
    )
    (folder / "README.md").write_bytes(card.encode())


def export(source: Path, target: Path) -> None:
    """Write the checkpoint in `source` to `target` as ONNX, in fp32 and in int8, and try both.

    Args:
        source: folder of a sequence classifier with its tokenizer.
        target: folder to write into; it exists, and is empty.

    Raises:
        ValueError: an exported file doesn't answer as torch does.
    """
    import numpy as np
    import torch
    from transformers import AutoModelForSequenceClassification

    # Eager attention is the plainest graph: matrix products and a softmax, which every runtime can fuse its own way.
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        source, attn_implementation="eager"
    ).eval()
    _write_fp32(model, target / ONNX_FP32)
    _write_int8(target / ONNX_FP32, target / ONNX_INT8)
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    tokenizer = load_tokenizer(source)
    fp32, int8 = _session(target / ONNX_FP32), _session(target / ONNX_INT8)
    for texts in PROBES:
        batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            expected = model(**inputs).logits.numpy()
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        error = abs(fp32.run(["logits"], arrays)[0] - expected).max()
        if not error <= TOLERANCE:
            raise ValueError(f"{ONNX_FP32} differs from torch's logits by {error:.1e}, more than {TOLERANCE}")
        found = np.asarray(int8.run(["logits"], arrays)[0])
        clear = [place for place, text in enumerate(texts) if text in CLEAR]
        if not (found.argmax(-1) == expected.argmax(-1))[clear].all():
            raise ValueError(f"{ONNX_INT8} gives other labels than torch, for texts that leave no doubt")


def _write_fp32(model: PreTrainedModel, path: Path) -> None:
    import onnx
    import torch

    from course_utils.classifier.backends import read_first_position

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = read_first_position(model)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.classifier(input_ids=input_ids, attention_mask=attention_mask).logits

    batch = torch.export.Dim("batch", min=1, max=4096)
    length = torch.export.Dim("length", min=2, max=model.config.max_position_embeddings)
    ids = torch.ones(2, 7, dtype=torch.int64)  # sizes other than 1, which would be taken for constant
    # With padding in it: of a mask of ones transformers leaves out the masking, and so would the graph.
    mask = ids.clone()
    mask[1, 4:] = 0
    program: torch.onnx.ONNXProgram | None = torch.onnx.export(
        Logits().eval(),
        (ids, mask),
        dynamo=True,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes=({0: batch, 1: length},) * 2,
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:  # as it is without dynamo
        raise ValueError("torch exported nothing")
    onnx.save_model(_strip(program.model_proto), path)


def _strip(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Take out what the exporter notes about its own work: it names paths of this machine, and nothing reads it."""
    for message in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        message.ClearField("metadata_props")
        message.ClearField("doc_string")
    for value in (*proto.graph.input, *proto.graph.output):
        value.ClearField("metadata_props")
    return proto


def _write_int8(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)  # it advises a preparation that changes nothing here
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


def _session(path: Path) -> onnxruntime.InferenceSession:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
