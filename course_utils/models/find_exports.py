"""Exports to ONNX: where that of a model lies, and whether it is that of the model as it is now."""

import json
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import CheckpointError
from course_utils.models.checkpoints import PREPARE_COMMAND, find_problem, models_folder, models_from_hub
from course_utils.models.manifest import Model, catalogue, find, read_files

ONNX_FP32, ONNX_INT8 = "model.onnx", "model_int8.onnx"
"""The two files of an export: the model as it is, and with its weights as 8-bit integers."""


EXPORT_RECORD = "export.json"
"""The file of an export that says what it was made of and with, and the sizes and hashes of the others."""


@dataclass(frozen=True)
class Export:
    """An export to ONNX: the name of its folder, and what says whether it is that of the model as it is now.

    `source` is the sha256 of the embedded model's weights, or the Hub's revision.
    """

    folder: str
    source: str


def onnx_folder(hub_id: str) -> Path:
    """Return the folder with a model's export to ONNX, which set-up made of what `checkpoint` answers.

    It holds `model.onnx` (fp32), `model_int8.onnx`, the config and the tokenizer. Both models take `input_ids` and
    `attention_mask`, int64 of shape (texts, tokens), and give `logits`, float32 of shape (texts, labels).

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course doesn't know the model, or doesn't export it.
        CheckpointError: when the export isn't there, isn't whole, or is that of other weights.
    """
    model = find(hub_id)
    if not model.onnx:
        exported = ", ".join(other.hub_id for other in catalogue().values() if other.onnx)
        raise ValueError(f"The course has no ONNX export of {hub_id}, only of {exported}.")
    wanted = export_of(model)
    folder = models_folder() / wanted.folder
    problem = find_export_problem(folder, wanted.source)
    if problem:
        setting = "COURSE_MODELS=hub " if models_from_hub() else ""
        raise CheckpointError(
            f"The ONNX export of {hub_id} isn't ready: {problem}.\n"
            f"Prepare it with this command in the course's folder, then try again:\n\n    {setting}{PREPARE_COMMAND}"
        )
    return folder


def export_of(model: Model) -> Export:
    """Say where the export of a model lies and what it has to be made of: the embedded one's, or the Hub's."""
    if models_from_hub():
        return Export(f"{model.hub_id.replace('/', '--')}-onnx", f"{model.hub_id}@{model.revision or 'main'}")
    return Export(f"{model.folder}-onnx", model.files["model.safetensors"].sha256)


def find_export_problem(folder: Path, source: str) -> str | None:
    """Return what is wrong with an export at a glance, or None; `source` is what it has to be made of.

    As with `find_problem`, the large files aren't read.
    """
    if not folder.is_dir():
        return f"there is no folder {folder}"
    try:
        record = json.loads((folder / EXPORT_RECORD).read_text(encoding="utf-8"))
        made_of, files = record["source"], read_files(record)
    except (OSError, ValueError, KeyError, TypeError):
        return f"{folder / EXPORT_RECORD} is missing or damaged"
    if made_of != source:
        return f"{folder} was exported from other weights than the model has now"
    missing = [name for name in (ONNX_FP32, ONNX_INT8) if name not in files]
    return f"{folder / missing[0]} is missing" if missing else find_problem(folder, files)
