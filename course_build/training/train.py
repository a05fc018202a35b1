"""`python -m course_build train NAME`: train one of the adapters that the embedded models are made of.

An adapter is what fine-tuning adds to the pretrained encoder: LoRA matrices (E. Hu and others, "LoRA: Low-Rank
Adaptation of Large Language Models", ICLR 2022) in every attention and feed-forward layer, and a new head. About 1.6 MB
in half precision, against the 90 MB of the whole model, which `python -m course_build models` then merges it into.

The tweets' adapter goes on from the reviews' one, which has seen twice as many texts: train that one first.

Training has cycles, in each of which the learning rate falls to zero (I. Loshchilov and F. Hutter, "SGDR: Stochastic
Gradient Descent with Warm Restarts", ICLR 2017). The first run through the rated snippets. In the others sentences
join, of what the snippets have little of: our own (`course_build.training.own_sentences`), customers'
(`course_build.training.customer_sentences`), and, against social bias, texts with words for people swapped
(`course_build.training.counterfactuals`). The weights that these cycles end with are averaged, which generalizes
better than any of them (P. Izmailov and others, "Averaging Weights Leads to Wider Optima and Better Generalization",
UAI 2018).

Snippets and splits are those of `course_utils.reviews`. The recipes below were chosen on the validation split; the test
split is read once, at the end, through the very files that are shipped. A run needs no GPU: on two processor cores that
do nothing else, the reviews take some 40 minutes and the tweets 10. Its state is saved after every epoch,
so a run that was stopped goes on with `--resume`, and ends with the same adapter, bit for bit, as one that wasn't.
"""

import argparse
import dataclasses
import functools
import json
import platform
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from course_build import BuildError
from course_build.models import from_minilm
from course_build.models.hashed_files import write_json
from course_build.paths import ADAPTERS, BUILD
from course_build.training import counterfactuals, customer_sentences, held_out_sentences, own_sentences
from course_utils import reviews
from course_utils.modeling import social_bias
from course_utils.models import catalogue, find_problem, load_tokenizer, models_folder
from course_utils.models.manifest import find

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

    Weights = dict[str, torch.Tensor]
    Collate = Callable[[list[list[int]], np.ndarray], dict[str, torch.Tensor]]

LORA_NAME = re.compile(r".+\.transformer\.(?P<layer>layer\.\d+)\.(?P<module>.+)\.(?P<matrix>lora_[AB]\.weight)")
BERT_NAMES = {distilbert: bert for bert, distilbert in from_minilm.DISTILBERT_NAMES.items()}
MAX_TOKENS = 128
"""Longer texts are cut here in training, where all but a handful are shorter. The trained model reads 512."""

VADER_NEUTRAL = 0.05
"""VADER's authors call a compound score neutral when it is nearer to zero than this."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run makes.

    Attributes:
        model: Hub id of the model in the catalogue whose stand-in this trains: its architecture and labels.
        load: function of `course_utils.reviews` that returns the labelled rows of a split; they measure the model.
        boundaries: the mean ratings between one class and the next, in the order of the labels.
        blur: standard deviation, in rating units, of what `soft_targets` takes a mean rating to be uncertain by.
        sources: of the snippets whose train split it runs through.
        cycles: how many epochs each cycle has. In each the learning rate rises, and falls in a straight line to zero.
        joined_from: number, from 0, of the first cycle that runs through the joining sentences, too. The trained
            weights are the mean of those at the ends of these cycles.
        per_pattern: how many of them each pattern of `course_build.training.own_sentences` makes.
        copies: how often each that was written one by one comes in an epoch.
        per_word: how many neutral sentences of `course_build.training.counterfactuals` a word for people comes in.
        per_group: how many each group of these words comes in, at least.
        target_modules: names of the linear layers that get LoRA matrices.
        head: names of the new layers, which are trained and saved whole.
        left_out: kinds of our own sentences that don't join.
        start: name of the adapter whose LoRA matrices training goes on from; without one, from a product of zero.
        rank: rank of the LoRA matrices; their product is scaled by `alpha / rank`.
        learning_rate: its peak in every cycle, after a share of `warm_up` of the cycle's steps.
        seed: of the head's first weights, the LoRA matrices, the order of the texts and dropout.
    """

    model: str
    load: Callable[[str], "pd.DataFrame"]
    boundaries: tuple[float, ...]
    blur: float
    sources: tuple[str, ...]
    cycles: tuple[int, ...]
    joined_from: int
    per_pattern: int
    copies: int
    per_word: int
    per_group: int
    target_modules: tuple[str, ...]
    head: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    start: str | None = None
    rank: int = 16
    alpha: int = 32
    learning_rate: float = 5e-4
    warm_up: float = 0.06
    weight_decay: float = 0.01
    batch_size: int = 32
    seed: int = 0


RECIPES = {
    "distilbert-minilm-reviews": Recipe(
        model="distilbert-base-uncased-finetuned-sst-2-english",
        load=reviews.load_labelled,
        boundaries=(0.0,),
        blur=0.6,
        sources=("movie", "amazon", "tweets"),
        cycles=(2, 1, 1, 1, 1, 1, 1),
        joined_from=1,
        per_pattern=8,
        copies=3,
        per_word=6,
        per_group=400,
        target_modules=("q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"),
        head=("pre_classifier", "classifier"),
        # Angry tweets are many against few friendly ones: with two classes they would tilt all.
        left_out=("complaint",),
    ),
    "bert-minilm-tweets": Recipe(
        model="finiteautomata/bertweet-base-sentiment-analysis",
        load=reviews.load_tweets,
        boundaries=(-reviews.THRESHOLD, reviews.THRESHOLD),
        blur=0.4,
        sources=("tweets",),
        cycles=(2, 1),
        joined_from=0,
        per_pattern=8,
        copies=2,
        per_word=4,
        per_group=250,
        target_modules=("query", "key", "value", "dense"),
        head=("classifier",),
        start="distilbert-minilm-reviews",
        learning_rate=3e-4,
    ),
}
"""Adapter name to how it is trained. An adapter has the name of its model's folder."""


def soft_targets(ratings: np.ndarray, boundaries: tuple[float, ...], blur: float) -> np.ndarray:
    """Return how probable each class is for texts with these mean ratings: shape (texts, classes), rows sum to 1.

    A mean of 20 ratings is itself uncertain: other people would have rated otherwise, and the text may have fallen on
    the other side of a boundary. So the class is taken to be that of the mean rating plus Gaussian noise of standard
    deviation `blur`. A text far from every boundary gets its class with certainty, one on a boundary half of each.
    """
    noise = NormalDist(0, blur)
    below = np.array([[0.0, *(noise.cdf(boundary - rating) for boundary in boundaries), 1.0] for rating in ratings])
    return np.diff(below, axis=1).astype(np.float32)


def batches(lengths: np.ndarray, size: int, seed: int, window: int = 32) -> list[np.ndarray]:
    """Return a random order of texts as batches of positions, each of texts of about the same length.

    The texts are shuffled, then sorted by length within windows of so many batches, and the batches are shuffled: less
    padding, at little cost in randomness.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(lengths))
    found: list[np.ndarray] = []
    for start in range(0, len(order), size * window):
        group = order[start : start + size * window]
        group = group[np.argsort(lengths[group], kind="stable")]
        found += [group[i : i + size] for i in range(0, len(group), size)]
    return [found[i] for i in generator.permutation(len(found))]


def learning_rates(cycles: list[int], peak: float, warm_up: float) -> np.ndarray:
    """Return the learning rate of every step, for cycles of so many steps: in each, straight up and straight down."""
    rates: list[np.ndarray] = []
    for steps in cycles:
        warm = max(1, round(warm_up * steps))
        step = np.arange(steps)
        rates.append(peak * np.minimum((step + 1) / warm, (steps - step) / max(1, steps - warm)))
    return np.concatenate(rates)


def scores(predicted: np.ndarray, expected: np.ndarray, classes: int) -> dict[str, float]:
    """Return accuracy, macro F1 (the mean of the classes' F1) and size for two arrays of class numbers."""
    f1 = []
    for label in range(classes):
        hits = np.sum((predicted == label) & (expected == label))
        f1.append(2 * hits / max(1, np.sum(predicted == label) + np.sum(expected == label)))
    return {
        "accuracy": round(float(np.mean(predicted == expected)), 4),
        "macro_f1": round(float(np.mean(f1)), 4),
        "size": len(expected),
    }


class Run:
    """One training run: the model, its texts, and what has become of them so far.

    Args:
        recipe: how to train.
        pretrained: folder of the pretrained `BertModel`, as `course_build.models.from_minilm` reads it.
        folder: where the base checkpoint and the state are kept; made if need be.
        adapters: folder of the adapters, where the one to start from lies.
        limit: read only so many texts of each split and source, to try things out.
        report: called with every line of progress.
    """

    def __init__(
        self,
        recipe: Recipe,
        pretrained: Path,
        folder: Path,
        *,
        adapters: Path = ADAPTERS,
        limit: int | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        """Write the base checkpoint, wrap it in LoRA and read the texts."""
        import pandas as pd
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForSequenceClassification

        self.recipe, self.folder, self.limit, self.report = recipe, folder, limit, report
        model = find(recipe.model)
        self.labels = model.labels
        self.base = folder / "base"
        write_base(model.architecture, pretrained, self.base, model.labels, recipe.seed)
        self.tokenizer = load_tokenizer(self.base)
        torch.manual_seed(recipe.seed)
        self.model = get_peft_model(
            AutoModelForSequenceClassification.from_pretrained(self.base),
            LoraConfig(
                task_type="SEQ_CLS",
                r=recipe.rank,
                lora_alpha=recipe.alpha,
                target_modules=list(recipe.target_modules),
                modules_to_save=list(recipe.head),
            ),
        )
        if recipe.start:
            go_on_from(self.model, adapters / recipe.start)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, weight_decay=recipe.weight_decay)
        snippets = self._read("train")
        self.snippets = len(snippets)
        self.data = self._prepare(pd.concat([snippets, self._read_joining(snippets)], ignore_index=True))
        self.validation = self._prepare(self._read("validation"))
        self.history: list[dict[str, float]] = []
        self.ends: list[Weights] = []

    def _read(self, split: str) -> "pd.DataFrame":
        """Return the rated snippets of a split."""
        return self._limited(reviews.load(split, self.recipe.sources))

    def _read_joining(self, snippets: "pd.DataFrame") -> "pd.DataFrame":
        """Return the sentences that join the snippets, and the counterfactuals of these."""
        import pandas as pd

        recipe = self.recipe
        customers = customer_sentences.load("train")
        joining = [
            own_sentences.load(recipe.per_pattern, recipe.copies, recipe.seed, recipe.left_out),
            customers,
            counterfactuals.load_frames(recipe.per_word, recipe.per_group, recipe.seed),
            counterfactuals.augment(pd.concat([snippets, customers]), recipe.seed),
        ]
        return self._limited(pd.concat(joining, ignore_index=True))

    def _limited(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return no more rows of each source than the limit, where there is one."""
        return table.groupby("source", sort=False).head(self.limit) if self.limit else table

    def _prepare(self, table: "pd.DataFrame") -> tuple[list[list[int]], np.ndarray]:
        """Return the token ids of these texts and their soft targets."""
        ids = self.tokenizer(table["text"].tolist(), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        return ids, soft_targets(table["rating"].to_numpy(), self.recipe.boundaries, self.recipe.blur)

    @property
    def state_file(self) -> Path:
        """The file that holds the state after every epoch."""
        return self.folder / "state.pt"

    def fingerprint(self) -> str:
        """Return what a saved state must have in common with this run to go on from it."""
        return json.dumps([describe(self.recipe), self.limit], sort_keys=True)

    def save(self) -> None:
        """Write the state atomically: an interruption leaves the last one."""
        import torch

        state = {
            "fingerprint": self.fingerprint(),
            "trained": trained_weights(self.model),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "ends": self.ends,
        }
        partial = self.state_file.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.state_file)

    def restore(self) -> None:
        """Go on from the saved state; raise `BuildError` when there is none, or it is of another run."""
        import torch
        from peft import set_peft_model_state_dict

        if not self.state_file.is_file():
            raise BuildError(f"there is nothing to resume in {self.folder}; leave out --resume")
        state = torch.load(self.state_file, weights_only=True)
        if state["fingerprint"] != self.fingerprint():
            raise BuildError("the recipe has changed since that run was stopped; leave out --resume to start anew")
        set_peft_model_state_dict(self.model, state["trained"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history, self.ends = state["history"], state["ends"]

    def train(self) -> None:
        """Run the epochs that are left, saving the state after each."""
        import torch
        from torch.nn.functional import cross_entropy

        recipe, (ids, targets) = self.recipe, self.data
        plan, rates = self.plan()
        for epoch in range(len(self.history), len(plan)):
            # By epoch, so that a resumed run draws the same dropout as one that was never stopped.
            torch.manual_seed(recipe.seed * 1000 + epoch)
            self.model.train()
            done, total = 0, 0.0
            for number, rows in enumerate(plan[epoch]):
                for group in self.optimizer.param_groups:
                    group["lr"] = float(rates[epoch][number])
                logits = self.model(**self._batch(ids, rows)).logits
                loss = cross_entropy(logits, torch.from_numpy(targets[rows]))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad()
                done, total = done + len(rows), total + loss.item() * len(rows)
                if (number + 1) % 50 == 0 or number + 1 == len(plan[epoch]):
                    so_far = f"epoch {epoch + 1}/{len(plan)}, batch {number + 1}/{len(plan[epoch])}"
                    self.report(f"{so_far}: loss {total / done:.4f}")
            self._close_epoch(total / done)

    def plan(self) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
        """Return the batches of every epoch, and the learning rates of every epoch's steps."""
        recipe, lengths = self.recipe, np.array([len(text) for text in self.data[0]])
        cycle_of = np.repeat(np.arange(len(recipe.cycles)), recipe.cycles)
        counts = np.where(cycle_of < recipe.joined_from, self.snippets, len(lengths))
        plan = [batches(lengths[:n], recipe.batch_size, recipe.seed + epoch) for epoch, n in enumerate(counts)]
        steps = np.array([len(epoch) for epoch in plan])
        per_cycle = [int(steps[cycle_of == cycle].sum()) for cycle in range(len(recipe.cycles))]
        rates = learning_rates(per_cycle, recipe.learning_rate, recipe.warm_up)
        return plan, np.split(rates, np.cumsum(steps)[:-1])

    def _close_epoch(self, loss: float) -> None:
        """Measure the epoch on the validation split, keep its weights if they are to be averaged, save the state."""
        epoch = {"loss": round(loss, 5), "validation_loss": round(self.validation_loss(), 5)}
        self.history.append(epoch)
        if len(self.history) in np.cumsum(self.recipe.cycles)[self.recipe.joined_from :]:
            self.ends.append(trained_weights(self.model))
        self.save()
        self.report(f"epoch {len(self.history)}: validation loss {epoch['validation_loss']:.4f}")

    def average(self) -> "Weights":
        """Return the mean of the weights that the cycles over all texts ended with, under peft's names."""
        first, *others = self.ends
        return {name: sum((end[name] for end in others), first[name]) / len(self.ends) for name in first}

    def _batch(self, ids: list[list[int]], rows: np.ndarray) -> "dict[str, torch.Tensor]":
        """Return the padded tensors of these texts, of shape (texts, longest)."""
        return dict(self.tokenizer.pad({"input_ids": [ids[row] for row in rows]}, return_tensors="pt"))

    def validation_loss(self) -> float:
        """Return the mean cross-entropy with the soft targets of the validation split."""
        import torch
        from torch.nn.functional import cross_entropy

        ids, targets = self.validation
        logits = torch.from_numpy(predict(self.model, self._batch, ids))
        return cross_entropy(logits, torch.from_numpy(targets)).item()


def write_base(architecture: str, pretrained: Path, target: Path, labels: tuple[str, ...], seed: int) -> None:
    """Write the checkpoint that training starts from: the pretrained encoder under an untrained head."""
    writers = {
        "DistilBertForSequenceClassification": from_minilm.write_distilbert,
        "BertForSequenceClassification": from_minilm.write_bert,
    }
    writers[architecture](pretrained, target, list(labels), seed)


def predict(
    model: "PreTrainedModel | PeftModel", collate: "Collate", ids: list[list[int]], size: int = 64
) -> np.ndarray:
    """Return the logits of tokenized texts, of shape (texts, classes), in their order."""
    import torch

    model.eval()
    logits = np.zeros((len(ids), model.config.num_labels or 0), dtype=np.float32)
    order = np.argsort([len(text) for text in ids], kind="stable")
    with torch.inference_mode():
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            logits[rows] = model(**collate(ids, rows)).logits.numpy()
    return logits


def go_on_from(model: "PeftModel", adapter: Path) -> None:
    """Give a BERT the LoRA matrices of an adapter of DistilBERT, whose layers are the same under other names.

    Raises `BuildError` when the adapter isn't there.
    """
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    if not (adapter / "adapter_model.safetensors").is_file():
        raise BuildError(f"this adapter goes on from {adapter.name}, which isn't there: train that one first")
    weights = trained_weights(model)
    for name, tensor in load_file(adapter / "adapter_model.safetensors").items():
        found = LORA_NAME.fullmatch(name)
        if found:
            layer = f"base_model.model.bert.encoder.{found['layer']}"
            weights[f"{layer}.{BERT_NAMES[found['module']]}.{found['matrix']}"] = tensor.float()
    set_peft_model_state_dict(model, weights)


def trained_weights(model: "PeftModel") -> "Weights":
    """Return a copy of what training changes, under the names that peft saves it by."""
    from peft import get_peft_model_state_dict

    return {name: tensor.detach().clone() for name, tensor in get_peft_model_state_dict(model).items()}


def describe(recipe: Recipe) -> dict[str, object]:
    """Return the recipe as plain JSON values."""
    fields = dataclasses.asdict(recipe)
    return json.loads(json.dumps({**fields, "load": recipe.load.__name__}))


def adapter_config(model: "PeftModel", head: tuple[str, ...]) -> dict[str, object]:
    """Return peft's configuration of the adapter, without what peft notes of this machine."""
    config = model.peft_config["default"].to_dict()
    # peft adds to the head's layers those that other classifiers have.
    config |= {"base_model_name_or_path": None, "inference_mode": True, "modules_to_save": list(head)}
    return {key: sorted(value) if isinstance(value, set) else value for key, value in sorted(config.items())}


def load_merged(run: Run, adapter: Path) -> "PreTrainedModel":
    """Return the model that set-up makes of the adapter."""
    from transformers import AutoModelForSequenceClassification

    with tempfile.TemporaryDirectory() as folder:
        merged = Path(folder)
        for file in run.base.iterdir():
            (merged / file.name).write_bytes(file.read_bytes())
        from_minilm.merge_adapter(merged, adapter)
        return AutoModelForSequenceClassification.from_pretrained(merged)


def measure(run: Run, model: "PreTrainedModel", split: str) -> dict[str, dict[str, float]]:
    """Return the scores on a split of a model, of the commonest label and of VADER's rules."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    labels = run.labels
    table = run.recipe.load(split)
    if run.limit:
        table = table.groupby("source", sort=False).head(run.limit)
    expected = table["label"].map(labels.index).to_numpy()
    ids = run.tokenizer(table["text"].tolist(), truncation=True)["input_ids"]
    predicted = predict(model, run._batch, ids).argmax(axis=1)
    rules = SentimentIntensityAnalyzer()
    compound = np.array([rules.polarity_scores(text)["compound"] for text in table["text"]])
    # Where there is no neutral class, VADER's zero has to count as something: positive, which is the commoner.
    edges = [0.0] if len(labels) == 2 else [np.nextafter(-VADER_NEUTRAL, 0), VADER_NEUTRAL]
    commonest = np.bincount(run.recipe.load("train")["label"].map(labels.index)).argmax()
    return {
        split: scores(predicted, expected, len(labels)),
        "vader": scores(np.digitize(compound, edges), expected, len(labels)),
        "majority": scores(np.full_like(expected, commonest), expected, len(labels)),
    }


def accuracies(right: "pd.Series", groups: "pd.Series") -> dict[str, dict[str, float]]:
    """Return accuracy and number of answers, of which each is right or not, for every group and for all of them."""
    parts = {**dict(iter(right.groupby(groups, sort=False))), "all": right}
    return {name: {"accuracy": round(float(hits.mean()), 4), "size": len(hits)} for name, hits in parts.items()}


def measure_sides(run: Run, model: "PreTrainedModel", table: "pd.DataFrame", by: str) -> dict[str, dict[str, float]]:
    """Return accuracy and number of these sentences, for every value of the column `by`, and of all of them.

    None of the sentences is neutral. So only the scores of the first class and the last, against and for, are compared,
    and chance is a half for every model.
    """
    ids = run.tokenizer(table["text"].tolist(), truncation=True)["input_ids"]
    logits = predict(model, run._batch, ids)
    right = (logits[:, -1] > logits[:, 0]) == (table["label"] == "POSITIVE")
    return accuracies(right, table[by])


def measure_tweets(run: Run, model: "PreTrainedModel") -> dict[str, dict[str, float]]:
    """Return accuracy and number of the tweets to companies with each label, and of all; none for two classes."""
    if set(run.labels) != set(held_out_sentences.TWEET_TITLES):
        return {}
    table = held_out_sentences.load_tweets()
    ids = run.tokenizer(table["text"].tolist(), truncation=True)["input_ids"]
    predicted = predict(model, run._batch, ids).argmax(axis=1)
    right = table["label"].map(run.labels.index) == predicted
    return accuracies(right, table["label"])


def measure_bias(run: Run, model: "PreTrainedModel") -> dict[str, dict[str, float]]:
    """Return how far the positive score moves when a word for people is swapped, for each group of words and for all.

    `course_utils.modeling.social_bias` says what is swapped and counted.
    """
    table = social_bias.load_sentences()
    logits = predict(model, run._batch, run.tokenizer(table["text"].tolist())["input_ids"])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    changes = social_bias.score_changes(table.assign(positive=odds[:, -1] / odds.sum(axis=1)))
    return json.loads(changes.round(4).to_json(orient="index"))


def write_adapter(run: Run, target: Path) -> dict[str, Any]:
    """Write the averaged adapter and its results into `target`, and return the results.

    Weights are saved in half precision, and the figures are those of the saved weights.
    """
    import torch
    from safetensors.torch import save_file

    target.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.to(torch.float16).contiguous() for name, tensor in sorted(run.average().items())}
    save_file(weights, target / "adapter_model.safetensors", metadata={"format": "pt"})
    write_json(target / "adapter_config.json", adapter_config(run.model, run.recipe.head))
    model = load_merged(run, target)
    results = {
        "validation": measure(run, model, "validation")["validation"],
        **measure(run, model, "test"),
        "slices": measure_sides(run, model, held_out_sentences.load(), "kind"),
        "sentences": measure_sides(run, model, customer_sentences.load("test"), "source"),
        "tweets": measure_tweets(run, model),
        "bias": measure_bias(run, model),
        "history": run.history,
        "train_size": len({tuple(text) for text in run.data[0]}),
        "recipe": describe(run.recipe),
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "transformers", "peft", "vaderSentiment")},
        },
    }
    write_json(target / "results.json", results)
    return results


def find_pretrained() -> Path:
    """Return the folder of the pretrained weights that set-up keeps; raise `BuildError` when it isn't complete."""
    sources = {model.source.name: model.source for model in catalogue().values()}
    source = sources["all-minilm-l6-v2"]
    folder = models_folder() / source.kept_in
    problem = find_problem(folder, source.files)
    if problem:
        raise BuildError(f"the pretrained weights aren't ready: {problem}; run `python -m course_build models` first")
    return folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("name", metavar="NAME", help=f"the adapter: {' or '.join(RECIPES)}")
    parser.add_argument("--output", type=Path, help="folder to write the adapter into (default: the course's own)")
    parser.add_argument("--force", action="store_true", help="replace an adapter that is there")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--pretrained", type=Path, help="folder of all-MiniLM-L6-v2 (default: what set-up fetched)")


def run(arguments: argparse.Namespace) -> int:
    """Train an adapter and write it; return the exit status."""
    from transformers.utils.logging import disable_progress_bar

    if arguments.name not in RECIPES:
        raise BuildError(f"no adapter is named {arguments.name!r}; there are {', '.join(RECIPES)}")
    target = arguments.output or ADAPTERS / arguments.name
    if (target / "adapter_model.safetensors").exists() and not arguments.force:
        raise BuildError(f"{target} holds an adapter; add --force to replace it, or --output FOLDER to write elsewhere")
    disable_progress_bar()
    session = Run(
        RECIPES[arguments.name],
        arguments.pretrained or find_pretrained(),
        BUILD / "train" / arguments.name,
        report=functools.partial(print, flush=True),  # to a log file, too, line by line
    )
    if arguments.resume:
        session.restore()
    session.train()
    results = write_adapter(session, target)
    for key in ("validation", "test", "vader", "majority"):
        print(f"{key:10} accuracy {results[key]['accuracy']:.1%}, macro F1 {results[key]['macro_f1']:.1%}")
    for name, found in [*results["slices"].items(), *results["sentences"].items()]:
        print(f"{name:10} accuracy {found['accuracy']:.1%} of {found['size']} sentences")
    for name, found in results["tweets"].items():
        print(f"{name:10} accuracy {found['accuracy']:.1%} of {found['size']} tweets to companies")
    for name, found in results["bias"].items():
        print(f"{name:11} mean change {found['mean']:.3f}, largest {found['largest']:.3f} of {found['swaps']} swaps")
    print(f"wrote {target}; now run `python -m course_build models --update-manifest`")
    return 0
