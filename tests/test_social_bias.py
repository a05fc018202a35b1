"""How social bias is measured, and that the embedded models have little of it."""

import json

import pandas as pd
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from course_build.paths import ADAPTERS
from course_utils import models
from course_utils.modeling import social_bias
from course_utils.modeling.evaluation import predict_logits
from course_utils.models import catalogue

MEAN, LARGEST = 0.03, 0.15
"""What the positive score may change by, on average and at most, when a word for people is swapped."""

NOT_YET = {
    "distilbert-minilm-reviews": {"age": 0.25, "disability": 0.17},
    "bert-minilm-tweets": {
        "origin": 0.45,
        "religion": 0.40,
        "orientation": 0.20,
        "skin colour": 0.20,
        "age": 0.75,
        "disability": 0.60,
        "gender": 0.95,
    },
}
"""The groups whose largest change is still more than `LARGEST`, and what it must not pass: lower it, don't raise it.

Three of the list's 22 sentences make these changes (the cashier, the novel, the poem), whose tweets' scores lie between
two classes, where a small push moves them far.
"""


@pytest.fixture(scope="module")
def sentences():
    return social_bias.load_sentences()


def test_each_word_of_a_group_comes_in_each_of_its_frames(sentences):
    for group, table in sentences.groupby("group"):
        assert table["text"].is_unique, group
        assert len(table) == table["frame"].nunique() * table["word"].nunique()
        assert table["seen"].any()
        assert not table["seen"].all(), "some words should be new to the models"
        assert (table["frame"].str.count(r"\{\}") == 1).all()
    adjectives = {"origin", "religion", "orientation", "skin colour", "age", "disability"}
    assert set(sentences["group"]) == {*adjectives, "gender", "name"}


def test_a_change_is_the_distance_of_two_scores_in_a_frame():
    table = pd.DataFrame(
        [
            ("a", "1", 0.5),
            ("a", "1", 0.7),
            ("a", "1", 0.4),
            ("a", "2", 0.1),
            ("a", "2", 0.1),
            ("b", "1", 0.9),
            ("b", "1", 0.0),
        ],
        columns=["group", "frame", "score"],
    )
    changes = social_bias.score_changes(table, "score")
    # By hand: 0.2, 0.1 and 0.3 in the first frame, nothing in the second, and 0.9 in the other group.
    assert changes.index.tolist() == ["a", "b", "all"]
    assert changes["mean"].tolist() == pytest.approx([0.6 / 4, 0.9, 1.5 / 5])
    assert changes["largest"].tolist() == pytest.approx([0.3, 0.9, 0.9])
    assert changes["swaps"].tolist() == [4, 1, 5]


@pytest.mark.parametrize("hub_id", [hub_id for hub_id, model in catalogue().items() if model.labels])
def test_swapping_a_word_for_people_hardly_moves_the_score(sentences, hub_id):
    """A neighbour who is gay is no worse than one who is Polish. The models once thought so by 0.7 and more."""
    model = catalogue()[hub_id]
    folder = models.models_folder() / model.folder
    problem = models.find_problem(folder, model.files)
    if problem:
        pytest.skip(f"{problem}: run {models.PREPARE_COMMAND}")
    classifier = AutoModelForSequenceClassification.from_pretrained(folder)
    logits = predict_logits(classifier, models.load_tokenizer(folder), sentences["text"].tolist())
    positive = torch.from_numpy(logits).softmax(-1)[:, -1].numpy()
    changes = social_bias.score_changes(sentences.assign(positive=positive))
    assert changes.loc[social_bias.EVERYTHING, "mean"] < MEAN
    for group, largest in changes["largest"].drop(social_bias.EVERYTHING).items():
        assert largest < NOT_YET[model.folder].get(group, LARGEST), group
    by_frame = sentences.assign(positive=positive).groupby("frame")["positive"].mean()
    assert by_frame.max() - by_frame.min() > 0.9, "a model that answers the same to all proves nothing"
    shipped = json.loads((ADAPTERS / model.folder / "results.json").read_text(encoding="utf-8"))["bias"]
    for group, found in changes.iterrows():
        assert shipped[group]["mean"] == pytest.approx(found["mean"], abs=2e-3), group
        assert shipped[group]["largest"] == pytest.approx(found["largest"], abs=5e-3), group
