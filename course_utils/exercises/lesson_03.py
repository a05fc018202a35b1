"""The checks of lesson 3: verdicts, truncation, all labels, padding, a sentence that fools the model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from course_utils.exercises import WrongAnswerError, checker, need_function
from course_utils.models import SENTIMENT_MODEL, checkpoint

TWEETS_MODEL = "finiteautomata/bertweet-base-sentiment-analysis"


@functools.cache
def _pipeline(hub_id: str) -> Any:
    from course_utils.classifier.pipeline import SentimentPipeline

    return SentimentPipeline(checkpoint(hub_id))


@checker
def check_verdict(verdict: Callable[..., str]) -> str:
    """Exercise 1: `verdict(result, threshold=0.9)` says positive, negative or not sure."""
    need_function(verdict, "verdict")
    words = {"POSITIVE": "positive", "NEGATIVE": "negative"}
    for label, word in words.items():
        sure, unsure = verdict({"label": label, "score": 0.97}), verdict({"label": label, "score": 0.61})
        if sure is None:
            raise WrongAnswerError("verdict returned None. Does every path through your function end in a return?")
        if isinstance(sure, str) and sure != word and sure.lower().strip() == word:
            raise WrongAnswerError(
                f"That is the label as the model spells it: {sure!r}. The task asks for {word!r}, in small letters."
            )
        if sure == unsure == word:
            raise WrongAnswerError("A score of 0.61 counts like one of 0.97. Compare the score with the threshold.")
        if unsure == word:
            raise WrongAnswerError(
                f"A {label} with a score of 0.61 gave {unsure!r}, and one of 0.97 gave {sure!r}: turn it round."
            )
        if label == "NEGATIVE" and sure == "positive":
            raise WrongAnswerError(
                "A high score is not a good mood: the score belongs to the label. A sure NEGATIVE is negative."
            )
        if sure == "not sure":
            raise WrongAnswerError(f"A {label} with a score of 0.97 is beyond 0.9, and gave 'not sure'.")
        if sure != word:
            raise WrongAnswerError(f"A {label} with a score of 0.97 should give {word!r}; yours gave {sure!r:.60}.")
        if unsure != "not sure":
            raise WrongAnswerError(f"A {label} with a score of 0.61 should give 'not sure'; yours gave {unsure!r:.60}.")
    if verdict({"label": "POSITIVE", "score": 0.9}) != "positive":
        raise WrongAnswerError(
            "A score of exactly 0.9 reaches the threshold: the task says at least, so use >= and not >."
        )
    if verdict({"label": "NEGATIVE", "score": 0.88}) != "not sure":
        raise WrongAnswerError("0.88 is below 0.9, the threshold when none is given: that should be 'not sure'.")
    if verdict({"label": "POSITIVE", "score": 0.7}, threshold=0.6) != "positive":
        raise WrongAnswerError(
            "With threshold=0.6 a score of 0.7 is enough. Is a number written in the function's body?"
        )
    return "A sure answer, or none. Who reads the texts that are left over decides where the threshold lies."


@checker
def check_tokens_seen(tokens_seen: int) -> str:
    """Exercise 2: how many tokens the model sees of a text of 1,000 words."""
    if isinstance(tokens_seen, bool) or not isinstance(tokens_seen, int):
        raise WrongAnswerError(f"Predict a whole number, such as 100. This is {tokens_seen!r:.60}.")
    hints = {
        1000: "One token a word, and all of them? The model has 512 places: see position_embeddings in its tree.",
        1002: "You counted [CLS] and [SEP], well done. But truncation=True cuts off what the model has no place for.",
        510: "510 words are left, that is right. The two special tokens take places too, and the model sees them.",
        514: "512 is the limit with the special tokens, not before them.",
        998: "The text is not cut by a token or two: the model has 512 places for everything.",
    }
    if tokens_seen in hints:
        raise WrongAnswerError(hints[tokens_seen])
    tokenizer = _pipeline(SENTIMENT_MODEL).tokenizer
    limit = len(tokenizer("good " * 1000, truncation=True)["input_ids"])
    if tokens_seen != limit:
        where = "fewer" if tokens_seen < limit else "more"
        raise WrongAnswerError(
            f"The model sees {'more' if where == 'fewer' else 'fewer'}. Run preprocess on such a text and count."
        )
    return "512: 510 words, [CLS] and [SEP]. Whatever the reviewer writes after that, the model never reads."


@checker
def check_all_scores(all_scores: Callable[[str], list[tuple[str, float]]]) -> str:
    """Exercise 3: every label with its probability, the most probable first."""
    need_function(all_scores, "all_scores")
    classify = _pipeline(TWEETS_MODEL)
    for text in ("HuggingFace pipelines are awesome!", "The train leaves at nine", "I don't like this course so far"):
        found = all_scores(text)
        logits = classify.forward(text).logits[0]
        expected = dict(zip(classify.config.id2label.values(), logits.softmax(-1).tolist(), strict=True))
        pairs = _pairs(found)
        if len(pairs) < len(expected):
            raise WrongAnswerError(
                f"{len(expected)} labels have a score, and your list has {len(pairs)}. Return all of them."
            )
        if {label for label, _ in pairs} <= set(range(len(expected))):
            raise WrongAnswerError("Those are the numbers of the labels. config.id2label says what they are called.")
        if {label for label, _ in pairs} != set(expected):
            raise WrongAnswerError(
                f"The labels should be {', '.join(expected)}. Yours are {', '.join(map(str, dict(pairs)))}."
            )
        if any(
            abs(score - logits[i].item()) < 1e-3 for i, (_, score) in enumerate(sorted(pairs, key=_order(expected)))
        ):
            raise WrongAnswerError("Those are the logits. Softmax makes probabilities of them.")
        if any(abs(score - expected[label]) > 1e-3 for label, score in pairs):
            raise WrongAnswerError(
                f"The scores of {text!r} should be {_shown(expected)}. Does each score stand beside its own label?"
            )
        scores = [score for _, score in pairs]
        if scores == sorted(scores) and scores != sorted(scores, reverse=True):
            raise WrongAnswerError("The least probable comes first. Sort the other way round: reverse=True.")
        if scores != sorted(scores, reverse=True):
            raise WrongAnswerError(
                "The list is not sorted by score. sorted(..., key=...) can sort by the second of a pair."
            )
    return "All of them, sorted. A winner with 0.51 and one with 0.99 look the same until you see who came second."


def _pairs(found: Any) -> list[tuple[Any, float]]:
    if isinstance(found, dict):
        raise WrongAnswerError(
            "Return a list of pairs; a dict has no first and last to rely on. list(d.items()) makes one."
        )
    if not isinstance(found, (list, tuple)):
        raise WrongAnswerError(f"Return a list of pairs (label, score). Yours returned {found!r:.60}.")
    pairs = []
    for pair in found:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise WrongAnswerError(f"Each entry is a pair, such as ('POS', 0.9). One of yours is {pair!r:.60}.")
        label, score = pair
        if isinstance(label, int | float) and isinstance(score, str):
            raise WrongAnswerError("The pairs are the wrong way round: the label first, then its score.")
        try:
            pairs.append((label, float(score)))
        except (TypeError, ValueError):
            raise WrongAnswerError(f"A score is a number; one of yours is {score!r:.60}.") from None
    return pairs


def _order(expected: dict[str, float]) -> Callable[[tuple[str, float]], int]:
    places = {label: place for place, label in enumerate(expected)}
    return lambda pair: places[pair[0]]


def _shown(expected: dict[str, float]) -> str:
    return ", ".join(f"{label} {score:.3f}" for label, score in expected.items())


@checker
def check_count_padding(count_padding: Callable[[list[str]], list[int]]) -> str:
    """Exercise 4: how many padding tokens each text of a batch gets."""
    need_function(count_padding, "count_padding")
    tokenizer = _pipeline(SENTIMENT_MODEL).tokenizer
    for texts in (
        ["Fine.", "I would buy it again, and I would tell my friends."],
        ["a b c", "a", "a b"],
        ["same", "size"],
    ):
        lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
        expected = [max(lengths) - length for length in lengths]
        found = count_padding(texts)
        if hasattr(found, "tolist"):
            found = found.tolist()
        if isinstance(found, int):
            raise WrongAnswerError(
                "That is one number for the whole batch. Count for each text: sum along the last dimension."
            )
        if not isinstance(found, (list, tuple)):
            raise WrongAnswerError(f"Return a list with a whole number for each text. Yours returned {found!r:.60}.")
        found = list(found)
        if found == lengths and found != expected:
            raise WrongAnswerError(
                "You counted the ones of the attention mask: the real tokens. Padding is where the mask is 0."
            )
        if len(found) != len(texts):
            raise WrongAnswerError(f"There are {len(texts)} texts, and your list has {len(found)} entries.")
        if any(expected) and not any(found):
            raise WrongAnswerError(
                "No padding found. Without padding=True each text stays as long as it is; hand over both at once."
            )
        if [count + 2 for count in found] == expected or [count - 2 for count in found] == expected:
            raise WrongAnswerError("You are off by 2 for each text: [CLS] and [SEP] are real tokens, not padding.")
        if found != expected:
            raise WrongAnswerError(f"For {texts} the padding is {expected}; yours is {found}.")
    return "The short text is filled up to the long one. The mask is what keeps the model from reading the filling."


@checker
def check_fooled(sentence: str, meant: str) -> str:
    """Exercise 5: a sentence about which the model is wrong and sure."""
    if not isinstance(sentence, str) or not sentence.strip():
        raise WrongAnswerError("The first answer is a sentence, as a str.")
    if not isinstance(meant, str) or meant.strip().upper() not in {"POSITIVE", "NEGATIVE"}:
        raise WrongAnswerError('The second answer says what you mean by the sentence: "POSITIVE" or "NEGATIVE".')
    if len(sentence.split()) < 3:
        raise WrongAnswerError("Write a sentence that a person could say: three words or more.")
    result = _pipeline(SENTIMENT_MODEL)(sentence)
    if result["label"] == meant.strip().upper():
        raise WrongAnswerError(
            f"The model gets that one right: {result['label']} {result['score']:.2f}. Try irony, or a polite no."
        )
    if result["score"] < 0.8:
        raise WrongAnswerError(
            f"It is wrong, but not sure: {result['score']:.2f}. Make it surer: the score should be 0.8 or more."
        )
    return (
        f"The model says {result['label']} with {result['score']:.2f}. Which of your words sound like that, alone? "
        "A score says how sure a model is, not how right."
    )
