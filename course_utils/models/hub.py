"""The models of the Hugging Face Hub itself, for `COURSE_MODELS=hub`."""

import functools
from pathlib import Path

from course_utils.errors import CheckpointError
from course_utils.models.manifest import Model

HUB_FILES = ["*.json", "*.txt", "*.codes", "*.jinja", "*.safetensors"]
"""What is downloaded of a model on the Hub: configuration, tokenizer (bertweet's has a file of codes, and a chat's
template may be a file of its own), weights."""


def download(model: Model) -> str:
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


def find_download(model: Model) -> Path | None:
    """Return the folder of the Hub's model in the Hub's cache, or None where it isn't: nothing is asked of the Hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model.hub_id, revision=model.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
