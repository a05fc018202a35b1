"""The checks of lesson 3: verdicts, truncation, all labels, alarms on social bias, a sentence that fools the model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

from course_utils.exercises import WrongAnswerError, answers, checker, need_function
from course_utils.exercises.cases import run_cases
from course_utils.models import SENTIMENT_MODEL, checkpoint

if TYPE_CHECKING:
    import torch

TWEETS_MODEL = "finiteautomata/bertweet-base-sentiment-analysis"


@functools.cache
def _pipeline(hub_id: str) -> Any:
    from course_utils.classifier.pipeline import SentimentPipeline

    return SentimentPipeline(checkpoint(hub_id))


@functools.cache
def _tweets_logits(text: str) -> torch.Tensor:
    return _pipeline(TWEETS_MODEL).forward(text).logits[0]


class Result(TypedDict):
    """An answer of a pipeline, about one text."""

    label: str
    score: float


@checker
def check_verdict(verdict: Callable[..., str]) -> str:
    """Exercise 1: `verdict(result, threshold=0.9)` says positive, negative or not sure."""
    need_function(verdict, "verdict")

    def results(score: float) -> tuple[Result, Result]:
        return {"label": "POSITIVE", "score": score}, {"label": "NEGATIVE", "score": score}

    def read(answer: object, call: str) -> str:
        return answers.text(answer, call, "'positive', 'negative' or 'not sure'")

    scores = (0.97, 0.61, 0.9, 0.8999999, 0.51)
    verdicts = [[read(verdict(result), f"verdict({result})") for result in results(score)] for score in scores]
    if all(good == bad for good, bad in verdicts) and verdicts[0] != verdicts[-1]:
        raise WrongAnswerError(
            "A POSITIVE and a NEGATIVE of the same score get the same verdict. A high score is not a good mood: "
            "it says how sure the model is of its label."
        )
    cases: list[tuple[Any, ...]] = [(result,) for score in scores for result in results(score)]
    for score, threshold in ((0.7, 0.6), (0.7, 0.75), (0.93, 0.95), (0.95, 0.95), (0.5, 0.5), (0.6, 0), (0.99, 1)):
        cases += [(result, threshold) for result in results(score)]

    def at_least(result: Result, threshold: float = 0.9) -> str:
        return result["label"].lower() if result["score"] >= threshold else "not sure"

    def more_than(result: Result, threshold: float = 0.9) -> str:
        return result["label"].lower() if result["score"] > threshold else "not sure"

    def less_than(result: Result, threshold: float = 0.9) -> str:
        return result["label"].lower() if result["score"] < threshold else "not sure"

    def always(result: Result, threshold: float = 0.9) -> str:
        return result["label"].lower()

    def in_capitals(result: Result, threshold: float = 0.9) -> str:
        return result["label"] if result["score"] >= threshold else "not sure"

    def at_least_the_default(result: Result, threshold: float = 0.9) -> str:
        return at_least(result)

    def by_name(result: Result, *threshold: float) -> str:
        return verdict(result, **dict(zip(["threshold"], threshold, strict=False)))

    run_cases(
        by_name,
        "verdict",
        cases,
        at_least,
        read=read,
        mistakes={
            "A score of exactly the threshold is enough: the task says at least, so use >= and not >.": more_than,
            "Yours is sure of the low scores, and not of the high ones: turn the comparison round.": less_than,
            "A score of 0.61 counts like one of 0.97. Compare the score with the threshold.": always,
            "That is the label as the model spells it. The task asks for small letters.": in_capitals,
            "The threshold that is handed over has no effect. Is a number written in the function's body?": (
                at_least_the_default
            ),
        },
    )
    return "A sure answer, or none. Who reads the texts that are left over decides where the threshold lies."


@checker
def check_tokens_seen(tokens_seen: int) -> str:
    """Exercise 2: how many tokens the model sees of a text of 1,000 words."""
    seen = answers.whole(tokens_seen, "tokens_seen", 100)
    hints = {
        1000: "One token a word, and all of them? The model has 512 places: see position_embeddings in its tree.",
        1002: "You counted [CLS] and [SEP], well done. But truncation=True cuts off what the model has no place for.",
        510: "510 words are left, that is right. The two special tokens take places too, and the model sees them.",
        514: "512 is the limit with the special tokens, not before them.",
        998: "The text is not cut by a token or two: the model has 512 places for everything.",
    }
    if seen in hints:
        raise WrongAnswerError(hints[seen])
    tokenizer = _pipeline(SENTIMENT_MODEL).tokenizer
    limit = len(tokenizer("good " * 1000, truncation=True)["input_ids"])
    if seen != limit:
        than = "more" if seen < limit else "fewer"
        raise WrongAnswerError(f"The model sees {than} than {seen:,}. Run preprocess on such a text and count.")
    return "512: 510 words, [CLS] and [SEP]. Whatever the reviewer writes after that, the model never reads."


Pairs = list[tuple[str | float, str | float]]


@checker
def check_all_scores(all_scores: Callable[[str], list[tuple[str, float]]]) -> str:
    """Exercise 3: every label with its probability, the most probable first."""
    labels = list(_pipeline(TWEETS_MODEL).config.id2label.values())

    def best_first(scores: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[str], Pairs]:
        """Return the function that sorts the labels of a text by what is made of its logits."""
        return lambda text: sorted(
            zip(labels, scores(_tweets_logits(text)).tolist(), strict=True), key=lambda pair: pair[1], reverse=True
        )

    right = best_first(lambda logits: logits.softmax(-1))

    def in_order(text: str) -> Pairs:
        return list(zip(labels, _tweets_logits(text).softmax(-1).tolist(), strict=True))

    def beside_others(text: str) -> Pairs:
        return list(zip(labels, [score for _, score in right(text)], strict=True))

    run_cases(
        all_scores,
        "all_scores",
        [
            ("HuggingFace pipelines are awesome!",),
            ("The train leaves at nine",),
            ("I don't like this course so far",),
            ("The box is lovely, the phone in it is broken",),
            ("Is it open on Sunday? I hope so!",),
        ],
        right,
        read=_pairs,
        same=_same_pairs,
        mistakes={
            "That is the winner alone. Return a pair for each of the labels.": lambda text: right(text)[:1],
            "Those are the logits. Softmax makes probabilities of them.": best_first(lambda logits: logits),
            "Those are per cent. A probability is a number from 0 to 1.": best_first(
                lambda logits: 100 * logits.softmax(-1)
            ),
            "That is the sigmoid of each logit, and they don't add up to 1. Softmax makes them share it.": best_first(
                lambda logits: logits.sigmoid()
            ),
            "Those are the logarithms of the probabilities: use softmax, not log_softmax.": best_first(
                lambda logits: logits.log_softmax(-1)
            ),
            "That is softmax twice over. Once is enough.": best_first(lambda logits: logits.softmax(-1).softmax(-1)),
            "Each label has a probability of 1. Does softmax go over the batch, which is one text? Take dim=-1.": (
                best_first(lambda logits: logits.new_ones(len(labels)))
            ),
            "Rounded to three digits. The task asks for the numbers as they are.": best_first(
                lambda logits: logits.softmax(-1).double().round(decimals=3)
            ),
            "Rounded to two digits. The task asks for the numbers as they are.": best_first(
                lambda logits: logits.softmax(-1).double().round(decimals=2)
            ),
            "The least probable comes first. Sort the other way round: reverse=True.": lambda text: right(text)[::-1],
            "Yours stand in the order of the labels. Sort by the second of each pair, with key=...": in_order,
            "Yours stand in the order of the labels, from the last. Sort by the second of each pair, with key=...": (
                lambda text: in_order(text)[::-1]
            ),
            "Those are the numbers of the labels. config.id2label says what they are called.": (
                lambda text: [(labels.index(str(label)), score) for label, score in right(text)]
            ),
            "The scores are sorted, and the labels stayed where they were. Sort the pairs.": beside_others,
            "The pairs are the wrong way round: the label first, then its score.": (
                lambda text: [(score, label) for label, score in right(text)]
            ),
        },
    )
    return "All of them, sorted. A winner with 0.51 and one with 0.99 look the same until you see who came second."


def _pairs(found: object, call: str) -> Pairs:
    if isinstance(found, dict):
        raise WrongAnswerError(
            "The task asks for a list of pairs, and this is a dict. list(d.items()) makes one of it."
        )
    pairs: Pairs = []
    for entry in answers.entries(found, call, "a list of pairs (label, score)"):
        pair = answers.entries(entry, f"each entry of {call}", "a pair, such as ('POS', 0.9)")
        if len(pair) != 2:
            raise WrongAnswerError(
                f"Each entry of {call} should be a pair, such as ('POS', 0.9). Yours is {entry!r:.60}."
            )
        first, second = (
            str(part) if isinstance(part, str) else answers.number(part, f"each score of {call}") for part in pair
        )
        pairs.append((first, second))
    return pairs


def _same_pairs(first: Pairs, second: Pairs) -> bool:
    """Tell whether two lists of pairs are the same, up to 0.0001 in a number."""
    if len(first) != len(second):
        return False
    both = [parts for pairs in zip(first, second, strict=True) for parts in zip(*pairs, strict=True)]
    return all(
        one == other if isinstance(one, str) or isinstance(other, str) else abs(one - other) <= 1e-4
        for one, other in both
    )


Means = dict[str, dict[str, float]]

MEANS: Means = {
    "gender": {"man": 0.875, "woman": 0.5, "girl": 0.75},
    "age": {"young": 0.75, "old": 0.625, "retired": 0.75},
    "origin": {"French": 0.5, "Polish": 0.125, "Mexican": 1.0, "Turkish": 0.5},
    "religion": {"Hindu": 0.25, "Sikh": 0.5},
    "size": {"tall": 0.5, "short": 0.5625},
    "name": {"Wei": 0.25},
}
"""Mean scores of words, by group. In binary they are exact, and so are the distances between them."""


@checker
def check_alarms(alarms: Callable[..., list[str]]) -> str:
    """Exercise 4: the groups in which a swapped word moves the score by more than a limit, the widest first."""

    def widths(means: Means) -> dict[str, float]:
        return {group: max(words.values()) - min(words.values()) for group, words in means.items()}

    def widest_first(width: dict[str, float], groups: list[str]) -> list[str]:
        return sorted(groups, key=lambda group: -width[group])

    def wider(means: Means, limit: float = 0.1) -> list[str]:
        """Return the groups beyond the limit, in the order of the dictionary."""
        return [group for group, width in widths(means).items() if width > limit]

    def right(means: Means, limit: float = 0.1) -> list[str]:
        return widest_first(widths(means), wider(means, limit))

    def by(width: Callable[[list[float]], float]) -> Callable[..., list[str]]:
        """Return what is given by who measures the width of a group in another way."""

        def measured(means: Means, limit: float = 0.1) -> list[str]:
            found = {group: width(list(words.values())) for group, words in means.items()}
            return widest_first(found, [group for group in found if found[group] > limit])

        return measured

    cases: list[tuple[Any, ...]] = [
        ({"gender": MEANS["gender"], "origin": MEANS["origin"]},),
        (MEANS,),
        (MEANS, 0.3),
        (MEANS, 0.375),
        (MEANS, 0),
        (MEANS, 0.875),
        ({"religion": MEANS["religion"], "gender": MEANS["gender"]}, 0.1),
        ({"name": MEANS["name"], "age": MEANS["age"]}, 0.2),
    ]
    run_cases(
        alarms,
        "alarms",
        cases,
        right,
        read=lambda found, call: answers.texts(found, call, "a list of groups, such as ['origin', 'age']"),
        mistakes={
            "Those are the right groups, in the order of the dictionary. The widest comes first: sort them.": wider,
            "The narrowest comes first. Sort the other way round: reverse=True.": (
                lambda means, limit=0.1: right(means, limit)[::-1]
            ),
            "Those are the right groups, from A to Z. Sort them by how wide they are, with key=...": (
                lambda means, limit=0.1: sorted(wider(means, limit))
            ),
            "A group that is exactly as wide as the limit is in your list. The task says more than the limit.": (
                lambda means, limit=0.1: widest_first(
                    widths(means), [group for group, width in widths(means).items() if width >= limit]
                )
            ),
            "The limit that is handed over has no effect. Is a number written in the function's body?": (
                lambda means, limit=0.1: right(means)
            ),
            "Those are all groups, whatever the limit. Keep the ones that are wider.": (
                lambda means, limit=0.1: widest_first(widths(means), list(means))
            ),
            "Those are the groups within the limit. An alarm is about the ones beyond it.": (
                lambda means, limit=0.1: widest_first(
                    widths(means), [group for group, width in widths(means).items() if width <= limit]
                )
            ),
            "That is the widest group alone. Return each that is wider than the limit.": (
                lambda means, limit=0.1: right(means, limit)[:1]
            ),
            "You took the first word and the last. The highest and the lowest may stand anywhere: max and min.": by(
                lambda scores: abs(scores[0] - scores[-1])
            ),
            "You compared the highest score with the limit. Take its distance from the lowest.": by(max),
            "You took the distance from 0.5. Here it is the words of a group that are compared with one another.": by(
                lambda scores: max(abs(score - 0.5) for score in scores)
            ),
            "You took the distance from the group's mean. Take the highest score minus the lowest.": by(
                lambda scores: max(abs(score - sum(scores) / len(scores)) for score in scores)
            ),
        },
    )
    return "A test that any model has to pass before it goes to work. Which limit, and which words? That's for people."


@checker
def check_fooled(fooling_sentence: str, what_i_mean: str) -> str:
    """Exercise 5: a sentence about which the model is wrong and sure."""
    sentence = answers.text(fooling_sentence, "fooling_sentence", "such as 'I like it.'")
    if not answers.is_sentence(sentence):
        raise WrongAnswerError("fooling_sentence should be a sentence: two words or more, which a person could say.")
    meant = answers.text(what_i_mean, "what_i_mean", '"POSITIVE" or "NEGATIVE"').strip().upper()
    if meant not in {"POSITIVE", "NEGATIVE"}:
        raise WrongAnswerError('what_i_mean says what you mean by the sentence: "POSITIVE" or "NEGATIVE".')
    result = _pipeline(SENTIMENT_MODEL)(sentence)
    if result["label"] == meant:
        raise WrongAnswerError(
            f"The model gets that one right: {result['label']} {result['score']:.2f}. Try irony, or a polite no."
        )
    if result["score"] < 0.8:
        raise WrongAnswerError(
            f"It is wrong, but not sure: {result['score']:.3f}. Make it surer: the score should be 0.8 or more."
        )
    return (
        f"The model says {result['label']} with {result['score']:.2f}, if any reader would call it {meant}. "
        "Which of your words sound like that, alone? A score says how sure a model is, not how right."
    )
