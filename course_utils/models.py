"""Where the lessons' models come from: the catalogue of all of them, and `checkpoint`.

A lesson names the real model on the Hugging Face Hub and loads what `checkpoint` answers, which is always a folder:

* by default (`COURSE_MODELS=embedded`) that of the stand-in that `python -m course_build models` made on this machine,
  without the Hub;
* with `COURSE_MODELS=hub` that of the real model in the Hub's own cache, downloaded at the revision of the catalogue.

So one notebook serves both: `from_pretrained(checkpoint(name))` needs no `revision=` beside it, and every file that it
reads is of that one revision. Importing this module loads neither torch nor transformers.

Two more forms of a model come out of the same set-up: its export to ONNX (`onnx_folder`), and weights that are
distributed as one GGUF file (`gguf_file`).
"""

import difflib
import functools
import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

MANIFEST = Path(__file__).with_name("models.toml")
PREPARE_COMMAND = "python -m course_build models"

TASK_DEFAULTS = {"sentiment-analysis": "distilbert-base-uncased-finetuned-sst-2-english"}
"""The model that `pipeline(task)` loads when it is given no name, for the tasks that the lessons use so."""

RESULTS = "results.json"
"""The file in a fine-tuned stand-in's folder that has its recipe and its figures."""

HUB_FILES = ["*.json", "*.txt", "*.codes", "*.jinja", "*.safetensors"]
"""What is downloaded of a model on the Hub: configuration, tokenizer (bertweet's has a file of codes, and a chat's
template may be a file of its own), weights."""


SOURCE = ".source"
"""The folder under the models' folder for what set-up took out of packages."""

ONNX_FP32, ONNX_INT8 = "model.onnx", "model_int8.onnx"
"""The two files of an export: the model as it is, and with its weights as 8-bit integers."""

EXPORT_RECORD = "export.json"
"""The file of an export that says what it was made of and with, and the sizes and hashes of the others."""


class CheckpointError(RuntimeError):
    """A model can't be had right now; the message says what is missing and what to do."""


@dataclass(frozen=True)
class File:
    """What a file has to be: its size in bytes and its sha256, in hexadecimal digits."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """The package that pretrained weights come in. `files` lie in `folder` inside its wheel.

    `gguf_of` names the Hub model whose weights are the one GGUF file in it, where they are.
    """

    name: str
    package: str
    version: str
    licence: str
    folder: str
    files: dict[str, File]
    gguf_of: str | None = None

    @property
    def kept_in(self) -> str:
        """The folder under the models' folder that set-up keeps the files in."""
        return f"{SOURCE}/{self.package}-{self.version}"

    @property
    def size(self) -> int:
        """Size of all files, in bytes."""
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True)
class Model:
    """One model: `hub_id` names the Hub's, all else but `revision` describes the embedded one that answers for it.

    A model without `labels` is an encoder that is still to be fine-tuned. `onnx` says whether set-up exports it.
    """

    hub_id: str
    revision: str | None
    folder: str
    source: Source
    architecture: str
    labels: tuple[str, ...]
    licence: str
    trained_on: str
    files: dict[str, File]
    onnx: bool = False

    @property
    def size(self) -> int:
        """Size of all prepared files, in bytes."""
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True)
class Export:
    """An export to ONNX: the name of its folder, and what says whether it is that of the model as it is now.

    `source` is the sha256 of the embedded model's weights, or the Hub's revision.
    """

    folder: str
    source: str


@functools.cache
def sources(manifest: Path = MANIFEST) -> dict[str, Source]:
    """Return every package that weights come in, by its name in `models.toml`."""
    tables = tomllib.loads(manifest.read_text(encoding="utf-8"))["sources"]
    return {name: Source(name=name, **{**table, "files": _files(table)}) for name, table in tables.items()}


@functools.cache
def catalogue(manifest: Path = MANIFEST) -> dict[str, Model]:
    """Return every model of the course by its Hub id, as `models.toml` describes it."""
    tables = tomllib.loads(manifest.read_text(encoding="utf-8"))
    return {
        hub_id: Model(
            hub_id=hub_id,
            **{
                "revision": None,
                **table,
                "source": sources(manifest)[table["source"]],
                "labels": tuple(table["labels"]),
                "files": _files(table),
            },
        )
        for hub_id, table in tables["models"].items()
    }


def models_folder() -> Path:
    """Return the folder that holds the embedded models.

    That is `COURSE_MODELS_DIR` where it is set, else `models/` in the checkout, else, for a package installed without
    its checkout, a folder in the user's cache.
    """
    chosen = os.environ.get("COURSE_MODELS_DIR")
    if chosen:
        return Path(chosen).expanduser()
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "models"
    return Path.home() / ".cache" / "llms-hands-on" / "models"


def checkpoint(hub_id: str) -> str:
    """Return what to hand to `from_pretrained` or `pipeline` for a model of the Hub: the path of a folder.

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course doesn't know the model, or `COURSE_MODELS` is neither `embedded` nor `hub`.
        CheckpointError: when the embedded model isn't prepared, or the Hub's can't be downloaded.
    """
    model = _find(hub_id)
    return _download(model) if models_from_hub() else str(_prepared(model))


def read_results(hub_id: str) -> dict:
    """Return what `python -m course_build train` measured of the stand-in for a model of the Hub.

    That is the `results.json` of its folder: the recipe, the figures of the validation and the test split, and those of
    the baselines. It is the stand-in's also with `COURSE_MODELS=hub`; nobody measured the Hub's model.

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course doesn't know the model, or its stand-in was not fine-tuned here.
        CheckpointError: when the stand-in isn't prepared.
    """
    model = _find(hub_id)
    if not model.labels:
        raise ValueError(f"{model.folder}, the stand-in for {hub_id}, was not fine-tuned: there is nothing to measure.")
    return json.loads((_prepared(model) / RESULTS).read_text(encoding="utf-8"))


def onnx_folder(hub_id: str) -> Path:
    """Return the folder with a model's export to ONNX, which set-up made of what `checkpoint` answers.

    It holds `model.onnx` (fp32), `model_int8.onnx`, the config and the tokenizer. Both models take `input_ids` and
    `attention_mask`, int64 of shape (texts, tokens), and give `logits`, float32 of shape (texts, labels).

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course doesn't know the model, or doesn't export it.
        CheckpointError: when the export isn't there, isn't whole, or is that of other weights.
    """
    model = _find(hub_id)
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


def gguf_file(hub_id: str) -> Path:
    """Return the GGUF file with a model's weights, as the package that distributes it has it.

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course has no such file of the model.
        CheckpointError: when the file isn't there or isn't whole.
    """
    if not isinstance(hub_id, str):
        raise TypeError(f"A model is named by a text such as 'owner/name', not by {type(hub_id).__name__}.")
    known = {source.gguf_of: source for source in sources().values() if source.gguf_of}
    if hub_id not in known:
        raise ValueError(f"The course has no GGUF file of {hub_id!r}, only of {', '.join(known)}.")
    source = known[hub_id]
    folder = models_folder() / source.kept_in
    problem = find_problem(folder, source.files)
    if problem:
        raise CheckpointError(
            f"The GGUF file of {hub_id} isn't ready: {problem}.\n"
            f"Fetch it with this command in the course's folder, then try again:\n\n    {PREPARE_COMMAND}"
        )
    return folder / next(iter(source.files))


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
        made_of, files = record["source"], _files(record)
    except (OSError, ValueError, KeyError, TypeError):
        return f"{folder / EXPORT_RECORD} is missing or damaged"
    if made_of != source:
        return f"{folder} was exported from other weights than the model has now"
    missing = [name for name in (ONNX_FP32, ONNX_INT8) if name not in files]
    return f"{folder / missing[0]} is missing" if missing else find_problem(folder, files)


def use_embedded_default(task: str = "sentiment-analysis") -> None:
    """Point the bare `pipeline(task)` at the same model as `checkpoint`, for the rest of this process.

    With `COURSE_MODELS=hub` the default stays the Hub's model, at the revision of the catalogue.

    Raises:
        ValueError: when the course has no default for `task`.
        CheckpointError: when the embedded model isn't prepared.
    """
    if task not in TASK_DEFAULTS:
        raise ValueError(f"The course has no default model for {task!r}, only for {', '.join(TASK_DEFAULTS)}.")
    model = _find(TASK_DEFAULTS[task])
    default = (model.hub_id, model.revision or "main") if models_from_hub() else (checkpoint(model.hub_id), "main")

    from transformers.pipelines import PIPELINE_REGISTRY

    # Not through register_pipeline(): it warns that it overwrites the task, and marks the pipeline class as custom
    # code, which classifier.save_pretrained() would then copy beside the model.
    task_defaults = PIPELINE_REGISTRY.check_task(task)[1]["default"]
    # Version 4 of transformers has a model for each of several frameworks, version 5 has the model.
    per_framework = isinstance(task_defaults["model"], dict)
    task_defaults["model"] = dict.fromkeys(task_defaults["model"], default) if per_framework else default


def models_from_hub() -> bool:
    """Tell whether `COURSE_MODELS` asks for the Hub's own models. It is read at every call."""
    choice = os.environ.get("COURSE_MODELS", "embedded")
    if choice not in ("embedded", "hub"):
        raise ValueError(f"COURSE_MODELS is {choice!r}; it can be 'embedded' (the default) or 'hub'.")
    return choice == "hub"


def find_problem(folder: Path, files: dict[str, File]) -> str | None:
    """Return what is wrong with `folder` at a glance, or None: no folder, a file missing, a file of another size.

    The files aren't read; `python -m course_build models --check` compares their hashes too.
    """
    if not folder.is_dir():
        return f"there is no folder {folder}"
    for name, file in files.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        size = path.stat().st_size
        if size != file.size:
            return f"{path} has {size:,} bytes instead of {file.size:,}"
    return None


def _files(table: dict) -> dict[str, File]:
    return {name: File(**entry) for name, entry in table["files"].items()}


def _find(hub_id: str) -> Model:
    if not isinstance(hub_id, str):
        raise TypeError(f"A model is named by a text such as 'owner/name', not by {type(hub_id).__name__}.")
    models = catalogue()
    if hub_id not in models:
        nearest = difflib.get_close_matches(hub_id, models, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(
            f"The course doesn't know the model {hub_id!r}.{hint} It knows: {', '.join(models)}. "
            "Any other model of the Hub can be handed to from_pretrained() by its own name."
        )
    return models[hub_id]


def _prepared(model: Model) -> Path:
    """Return the folder of the stand-in, if it is ready."""
    folder = models_folder() / model.folder
    problem = find_problem(folder, model.files)
    if problem:
        raise CheckpointError(
            f"The embedded model for {model.hub_id} isn't ready: {problem}.\n"
            f"Prepare it with this command in the course's folder, then try again:\n\n    {PREPARE_COMMAND}"
        )
    return folder


def _download(model: Model) -> str:
    """Return the folder of the Hub's model in the Hub's cache; what isn't there yet is downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    at = f"{model.hub_id} at revision {model.revision or 'main'}"
    download = functools.partial(snapshot_download, model.hub_id, revision=model.revision, ignore_patterns="*/*")
    try:
        folder = Path(download(allow_patterns=HUB_FILES))
        if not any(folder.glob("*.safetensors")):
            # Some older models are only there as a pickle. from_pretrained reads it with torch's restricted unpickler,
            # which runs no code.
            folder = Path(download(allow_patterns=[*HUB_FILES, "pytorch_model.bin"]))
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise CheckpointError(f"The Hub has no {at}. It may have been renamed or withdrawn.") from error
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{at} isn't in this machine's cache, and the Hub can't be reached. "
            "Go online, or use the course's own models: unset COURSE_MODELS."
        ) from error
    except Exception as error:
        # Every version of huggingface_hub brings another HTTP library, each with exceptions of its own.
        raise CheckpointError(
            f"The download of {at} broke off ({type(error).__name__}: {error}). Try again: it goes on where it stopped."
        ) from error
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model.bin")]
    if not weights or not (folder / "config.json").is_file():
        # Offline, older versions of huggingface_hub answer with the folder of a download that was cut off.
        raise CheckpointError(f"Only a part of {at} is in this machine's cache. Go online and try again.")
    return str(folder)
