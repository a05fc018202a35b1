"""The models that lessons name, found on this machine: stand-ins or the Hub's own, as ONNX or GGUF, too."""

from course_utils.errors import CheckpointError, SettingError
from course_utils.models.checkpoints import (
    PREPARE_COMMAND,
    RESULTS,
    SENTIMENT_MODEL,
    TASK_DEFAULTS,
    checkpoint,
    find_by_folder,
    find_problem,
    gguf_file,
    models_folder,
    models_from_hub,
    read_results,
    use_embedded_default,
)
from course_utils.models.manifest import MANIFEST, SOURCE, File, Model, Source, catalogue, sources
from course_utils.models.onnx_exports import (
    EXPORT_RECORD,
    ONNX_FP32,
    ONNX_INT8,
    Export,
    export_of,
    find_export_problem,
    onnx_folder,
)

__all__ = [
    "EXPORT_RECORD",
    "MANIFEST",
    "ONNX_FP32",
    "ONNX_INT8",
    "PREPARE_COMMAND",
    "RESULTS",
    "SENTIMENT_MODEL",
    "SOURCE",
    "TASK_DEFAULTS",
    "CheckpointError",
    "Export",
    "File",
    "Model",
    "SettingError",
    "Source",
    "catalogue",
    "checkpoint",
    "export_of",
    "find_by_folder",
    "find_export_problem",
    "find_problem",
    "gguf_file",
    "models_folder",
    "models_from_hub",
    "onnx_folder",
    "read_results",
    "sources",
    "use_embedded_default",
]
