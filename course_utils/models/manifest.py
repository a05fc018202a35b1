"""The manifest, `models.toml`: each model of the course, its stand-in, and the package that the weights come in."""

import difflib
import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_name("models.toml")


SOURCE = ".source"
"""The folder under the models' folder for what set-up took out of packages."""


@dataclass(frozen=True)
class File:
    """A file's size in bytes and its sha256, in hexadecimal digits."""

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
    `legacy_id` is the name without an owner that the Hub gave the model in its first years, and still accepts.
    """

    hub_id: str
    folder: str
    source: Source
    architecture: str
    labels: tuple[str, ...]
    licence: str
    trained_on: str
    files: dict[str, File]
    revision: str | None = None
    onnx: bool = False
    legacy_id: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The names that the Hub accepts for the model, its present one first."""
        return (self.hub_id, self.legacy_id) if self.legacy_id else (self.hub_id,)

    @property
    def size(self) -> int:
        """Size of all prepared files, in bytes."""
        return sum(file.size for file in self.files.values())


@functools.cache
def sources(manifest: Path = MANIFEST) -> dict[str, Source]:
    """Return every package that weights come in, by its name in `models.toml`."""
    tables = tomllib.loads(manifest.read_text(encoding="utf-8"))["sources"]
    return {name: Source(name=name, files=read_files(table), **_but(table, "files")) for name, table in tables.items()}


@functools.cache
def catalogue(manifest: Path = MANIFEST) -> dict[str, Model]:
    """Return every model of the course by its Hub id, as `models.toml` describes it."""
    tables = tomllib.loads(manifest.read_text(encoding="utf-8"))
    return {
        hub_id: Model(
            hub_id=hub_id,
            source=sources(manifest)[table["source"]],
            labels=tuple(table["labels"]),
            files=read_files(table),
            **_but(table, "source", "labels", "files"),
        )
        for hub_id, table in tables["models"].items()
    }


def look_up(name: str) -> Model | None:
    """Return the model that has this name on the Hub, with its owner or as in the Hub's first years, or None."""
    return next((model for model in catalogue().values() if name in model.ids), None)


def find(hub_id: str) -> Model:
    """Return the model of a Hub id, with its owner or as in the Hub's first years.

    Raises:
        TypeError: when `hub_id` isn't a text.
        ValueError: when the course doesn't know the model; the message names the nearest one that it knows.
    """
    if not isinstance(hub_id, str):
        raise TypeError(f"A model is named by a text such as 'owner/name', not by {type(hub_id).__name__}.")
    model = look_up(hub_id)
    if model is None:
        models = catalogue()
        nearest = difflib.get_close_matches(hub_id, models, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(
            f"The course doesn't know the model {hub_id!r}.{hint} It knows: {', '.join(models)}. "
            "Any other model of the Hub can be handed to from_pretrained() by its own name."
        )
    return model


def _but(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}


def read_files(table: dict[str, Any]) -> dict[str, File]:
    """Return what each file of a table of `models.toml`, or of an export's record, has to be."""
    return {name: File(**entry) for name, entry in table["files"].items()}
