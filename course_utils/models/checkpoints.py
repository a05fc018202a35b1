"""`checkpoint`: where on this machine a model lies that a lesson names.

A lesson names the real model on the Hugging Face Hub and loads what `checkpoint` answers, which is always a folder:

* by default (`COURSE_MODELS=embedded`) that of the stand-in that `python -m course_build models` made on this machine,
  without the Hub;
* with `COURSE_MODELS=hub` that of the real model in the Hub's own cache, downloaded at the revision of the catalogue.

So one notebook serves both: `from_pretrained(checkpoint(name))` needs no `revision=` beside it, and every file that it
reads is of that one revision. Importing this module loads neither torch nor transformers.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import CheckpointError, SettingError
from course_utils.models.hub import download, find_download
from course_utils.models.manifest import File, Model, catalogue, find, sources

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PREPARE_COMMAND = "python -m course_build models"


SENTIMENT_MODEL = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
"""The model that the course classifies texts with: the commands, the demo, the checks of the exercises."""

TASK_DEFAULTS = {"sentiment-analysis": SENTIMENT_MODEL}
"""The model that `pipeline(task)` loads when it is given no name, for the tasks that the lessons use so."""


RESULTS = "results.json"
"""The file in a fine-tuned stand-in's folder that has its recipe and its figures."""


def models_folder() -> Path:
    """Return the folder that holds the embedded models.

    That is `COURSE_MODELS_DIR` where it is set, else `models/` in the checkout, else, for a package installed without
    its checkout, a folder in the user's cache.
    """
    chosen = os.environ.get("COURSE_MODELS_DIR")
    if chosen:
        return Path(chosen).expanduser()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "models"
    return Path.home() / ".cache" / "llms-hands-on" / "models"


def models_from_hub() -> bool:
    """Tell whether `COURSE_MODELS` asks for the Hub's own models. It is read at every call.

    Raises:
        SettingError: it is neither `embedded` nor `hub`.
    """
    choice = os.environ.get("COURSE_MODELS", "embedded")
    if choice not in ("embedded", "hub"):
        raise SettingError(
            f"COURSE_MODELS is {choice!r}; it can be 'embedded' (the default) or 'hub'. Set it to one, or unset it."
        )
    return choice == "hub"


def checkpoint(hub_id: str) -> str:
    """Return what to hand to `from_pretrained` or `pipeline` for a model of the Hub: the path of a folder.

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course doesn't know the model.
        SettingError: when `COURSE_MODELS` is neither `embedded` nor `hub`.
        CheckpointError: when the embedded model isn't prepared, or the Hub's can't be downloaded.
    """
    model = find(hub_id)
    return download(model) if models_from_hub() else str(_prepared(model))


def load_tokenizer(name: str | os.PathLike[str]) -> PreTrainedTokenizerBase:
    """Load a checkpoint's tokenizer, of a folder or a name on the Hub.

    Raises:
        OSError: there is no checkpoint of that name, or no tokenizer in it.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerBase

    tokenizer = AutoTokenizer.from_pretrained(name)
    assert isinstance(tokenizer, PreTrainedTokenizerBase)  # transformers says that it may be None
    return tokenizer


def find_by_folder(folder: Path) -> Model | None:
    """Return the model that `checkpoint` answers with this folder, or None. Nothing is downloaded to find out."""
    place = find_download if models_from_hub() else lambda model: models_folder() / model.folder
    return next((model for model in catalogue().values() if place(model) == folder), None)


def read_results(hub_id: str) -> dict[str, Any]:
    """Return what `python -m course_build train` measured of the stand-in for a model of the Hub.

    That is the `results.json` of its folder: the recipe, the figures of the validation and the test split, and those of
    the baselines. It is the stand-in's also with `COURSE_MODELS=hub`; nobody measured the Hub's model.

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course doesn't know the model, or its stand-in was not fine-tuned here.
        CheckpointError: when the stand-in isn't prepared.
    """
    model = find(hub_id)
    if not model.labels:
        raise ValueError(f"{model.folder}, the stand-in for {hub_id}, was not fine-tuned: there is nothing to measure.")
    return json.loads((_prepared(model) / RESULTS).read_text(encoding="utf-8"))


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


def use_embedded_default(task: str = "sentiment-analysis") -> None:
    """Point the bare `pipeline(task)` at the same model as `checkpoint`, for the rest of this process.

    With `COURSE_MODELS=hub` the default stays the Hub's model, at the revision of the catalogue.

    Raises:
        ValueError: when the course has no default for `task`.
        CheckpointError: when the embedded model isn't prepared.
    """
    if task not in TASK_DEFAULTS:
        raise ValueError(f"The course has no default model for {task!r}, only for {', '.join(TASK_DEFAULTS)}.")
    model = find(TASK_DEFAULTS[task])
    default = (model.hub_id, model.revision or "main") if models_from_hub() else (checkpoint(model.hub_id), "main")

    from transformers.pipelines import PIPELINE_REGISTRY

    # Not through register_pipeline(): it warns that it overwrites the task, and marks the pipeline class as custom
    # code, which classifier.save_pretrained() would then copy beside the model.
    task_defaults = PIPELINE_REGISTRY.check_task(task)[1]["default"]
    # Version 4 of transformers has a model for each of several frameworks, version 5 has the model.
    per_framework = isinstance(task_defaults["model"], dict)
    task_defaults["model"] = dict.fromkeys(task_defaults["model"], default) if per_framework else default


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
