"""Lesson 3: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import shutil

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint
from course_utils.models import SENTIMENT_MODEL
from proofs import Proofs

proves = Proofs()

LUCKY = {"check_tokens_seen": [512]}


def verdict(test: str, word: str = "result['label'].lower()", default: str = "0.9") -> str:
    return f"def verdict(result, threshold={default}):\n    return {word} if {test} else 'not sure'"


def scores(
    of_the_logits: str, pairs: str = "sorted(zip(labels, scores), key=lambda pair: pair[1], reverse=True)"
) -> str:
    return (
        "def all_scores(text):\n    logits = tweets_model.forward(text).logits\n"
        f"    scores = {of_the_logits}.tolist()\n    labels = tweets_model.config.id2label.values()\n    return {pairs}"
    )


SOFTMAX = "logits[0].softmax(-1)"


SPREAD = "max(words.values()) - min(words.values())"


def alarms(
    test: str = "spread[group] > limit",
    width: str = SPREAD,
    give: str = "sorted(wide, key=spread.get, reverse=True)",
) -> str:
    return (
        f"def alarms(means, limit=0.1):\n    spread = {{group: {width} for group, words in means.items()}}\n"
        f"    wide = [group for group in spread if {test}]\n    return {give}"
    )


def fooled(sentence: object, meant: object) -> str:
    return f"fooling_sentence, what_i_mean = {sentence!r}, {meant!r}"


ENOUGH = "result['score'] >= threshold"

WRONG = {
    ("check_verdict", ("verdict",)): {
        "forgets the threshold": (verdict("True"), "0.61 counts like one of 0.97"),
        "takes the score for the mood": (
            verdict(f"{ENOUGH} or result['score'] < 0.52", "'positive' if result['score'] > 0.52 else 'negative'"),
            "of the same score get the same verdict",
        ),
        "never sure": (verdict("False"), "'score': 0.97}) should give 'positive'. Yours gave 'not sure'"),
        "more than, not at least": (verdict("result['score'] > threshold"), "use >= and not >"),
        "keeps the model's capitals": (verdict(ENOUGH, "result['label']"), "as the model spells it"),
        "another threshold": (
            verdict(ENOUGH, default="0.8"),
            "'score': 0.8999999}) should give 'not sure'. Yours gave 'positive'",
        ),
        "a threshold of its own": (verdict("result['score'] >= 0.9"), "has no effect"),
        "always asks for a little more": (
            verdict(ENOUGH.replace("threshold", "min(threshold, 0.9)")),
            "'score': 0.93}, 0.95) should give 'not sure'",
        ),
        "turned round": (verdict("result['score'] < threshold"), "turn the comparison round"),
        "bad ones only": (
            verdict(ENOUGH, "'negative' if result['label'] == 'NEGATIVE' else 'not sure'"),
            "'score': 0.97}) should give 'positive'. Yours gave 'not sure'",
        ),
        "another name for the threshold": (
            verdict(ENOUGH).replace("threshold", "limit"),
            "unexpected keyword argument 'threshold'",
        ),
        "takes the score out": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'].lower() if result.pop('score') >= threshold else 'not sure'",
            "changed the dictionary",
        ),
        "prints and returns nothing": ("def verdict(result, threshold=0.9):\n    print(result)", "Is there a return"),
        "a misspelt key": ("def verdict(result, threshold=0.9):\n    return result['lable']", "KeyError"),
        "calls it": ("verdict = 'positive'", "without brackets"),
    },
    ("check_tokens_seen", ("tokens_seen",)): {
        "all the words": ("tokens_seen = 1000", "One token a word"),
        "all the words and the special tokens": ("tokens_seen = 1002", "truncation=True"),
        "words instead of tokens": ("tokens_seen = 510", "special tokens take places"),
        "special tokens on top of the limit": ("tokens_seen = 514", "with the special tokens, not before"),
        "two too many": ("tokens_seen = 998", "not cut by a token or two"),
        "a guess below": ("tokens_seen = 128", "sees more than 128"),
        "a guess above": ("tokens_seen = 768", "sees fewer than 768"),
        "a text": ("tokens_seen = '512'", "It is the text '512'"),
        "the shape": ("tokens_seen = preprocess('good ' * 1000)['input_ids'].shape", "It is a Size of 2"),
        "a half": ("tokens_seen = 511.5", "should be a whole number"),
    },
    ("check_all_scores", ("all_scores",)): {
        "the winner only": (
            "def all_scores(text):\n    result = tweets_model(text)\n    return [(result['label'], result['score'])]",
            "the winner alone",
        ),
        "logits": (scores("logits[0]"), "Those are the logits"),
        "per cent": (scores(f"(100 * {SOFTMAX})"), "per cent"),
        "sigmoid": (scores("logits[0].sigmoid()"), "sigmoid of each logit"),
        "logarithms": (scores("logits[0].log_softmax(-1)"), "logarithms"),
        "softmax twice": (scores(f"{SOFTMAX}.softmax(-1)"), "twice over"),
        "softmax over the batch": (scores("logits.softmax(dim=0)[0]"), "go over the batch"),
        "rounded to two digits": (scores(f"{SOFTMAX}.double().round(decimals=2)"), "to two digits"),
        "rounded to three digits": (scores(f"{SOFTMAX}.double().round(decimals=3)"), "to three digits"),
        "the least probable first": (
            scores(SOFTMAX, "sorted(zip(labels, scores), key=lambda pair: pair[1])"),
            "other way round",
        ),
        "in the order of the labels": (scores(SOFTMAX, "list(zip(labels, scores))"), "order of the labels. Sort"),
        "sorted by the label": (scores(SOFTMAX, "sorted(zip(labels, scores))"), "order of the labels. Sort"),
        "sorted by the label, from the back": (
            scores(SOFTMAX, "sorted(zip(labels, scores), reverse=True)"),
            "order of the labels, from the last",
        ),
        "sorted by something else": (
            scores(SOFTMAX, "sorted(zip(labels, scores), key=lambda pair: abs(pair[1] - 0.4))"),
            "should give [('POS', 0.99",
        ),
        "numbers instead of labels": (
            scores(SOFTMAX, "sorted(enumerate(scores), key=lambda pair: pair[1], reverse=True)"),
            "id2label",
        ),
        "sorted scores beside unsorted labels": (
            scores(SOFTMAX, "list(zip(labels, sorted(scores, reverse=True)))"),
            "stayed where they were",
        ),
        "a dict": (scores(SOFTMAX, "dict(zip(labels, scores))"), "this is a dict"),
        "pairs the wrong way round": (scores(SOFTMAX, "sorted(zip(scores, labels), reverse=True)"), "wrong way round"),
        "scores alone": (
            scores(SOFTMAX, "sorted(scores, reverse=True)"),
            "should be a pair, such as ('POS', 0.9). It is 0.99",
        ),
        "triples": (scores(SOFTMAX, "[(0, *pair) for pair in zip(labels, scores)]"), "Yours is (0, 'NEG', "),
        "the first text's": (
            "kept = {}\n\n"
            + scores(SOFTMAX, "kept.setdefault(0, sorted(zip(labels, scores), key=lambda pair: -pair[1]))"),
            "all_scores('The train leaves at nine') should give",
        ),
    },
    ("check_alarms", ("alarms",)): {
        "in the order of the dictionary": (alarms(give="wide"), "in the order of the dictionary"),
        "the narrowest first": (alarms(give="sorted(wide, key=spread.get)"), "The narrowest comes first"),
        "from A to Z": (alarms(give="sorted(wide)"), "from A to Z"),
        "at least, not more than": (alarms("spread[group] >= limit"), "exactly as wide as the limit"),
        "a limit of its own": (alarms("spread[group] > 0.1"), "has no effect"),
        "all groups": (alarms("True"), "all groups, whatever the limit"),
        "turned round": (alarms("spread[group] <= limit"), "within the limit"),
        "the widest alone": (
            alarms(give="sorted(wide, key=spread.get, reverse=True)[:1]"),
            "the widest group alone",
        ),
        "the first word and the last": (
            alarms(width="abs(list(words.values())[0] - list(words.values())[-1])"),
            "the first word and the last",
        ),
        "the highest score": (alarms(width="max(words.values())"), "You compared the highest score"),
        "how far from a coin's toss": (
            alarms(width="max(abs(score - 0.5) for score in words.values())"),
            "the distance from 0.5",
        ),
        "how far from the mean": (
            "from statistics import mean\n\n"
            + alarms(width="max(abs(score - mean(words.values())) for score in words.values())"),
            "the distance from the group's mean",
        ),
        "the widths as well": (
            alarms(give="sorted(((group, spread[group]) for group in wide), key=lambda pair: -pair[1])"),
            "entry 0 of alarms",
        ),
        "a dictionary": (alarms(give="{group: spread[group] for group in wide}"), "It is a dict of 2"),
        "one name": (alarms(give="max(wide, key=spread.get)"), "the text 'origin'"),
        "the standard deviation": (
            "from statistics import pstdev\n\n" + alarms(width="pstdev(words.values())"),
            "should give",
        ),
        "forgets to return": (alarms().replace("    return ", "    wide = "), "Is there a return"),
        "takes a score out": (
            alarms(width="words.pop(max(words, key=words.get)) - min(words.values(), default=0)"),
            "changed the dict",
        ),
    },
    ("check_fooled", ("fooling_sentence", "what_i_mean")): {
        "the model is right": (fooled("I love this film", "POSITIVE"), "gets that one right"),
        "the model is not sure": (fooled("I would have liked to love it.", "NEGATIVE"), "wrong, but not sure"),
        "a word is no sentence": (fooled("great", "NEGATIVE"), "two words or more"),
        "an own label": (fooled("I love this film", "ironic"), "says what you mean"),
        "empty": (fooled(" ", "NEGATIVE"), "two words or more"),
        "a number": (fooled("I love this film", 1), "what_i_mean should be a text"),
        "several": (fooled(["I love this film"], "NEGATIVE"), "fooling_sentence should be a text"),
    },
}

RIGHT = {
    ("check_verdict", ("verdict",)): {
        "unsure first": (
            "def verdict(result, threshold=0.9):\n    if result['score'] < threshold:\n        return 'not sure'\n"
            "    return 'positive' if result['label'] == 'POSITIVE' else 'negative'"
        ),
        "by its name alone": verdict(ENOUGH).replace("result, ", "result, *, "),
        "NumPy's": f"import numpy as np\n\n{verdict(ENOUGH)}\n\nof_python = verdict\n\ndef verdict(*a, **b):\n"
        "    return np.str_(of_python(*a, **b))",
    },
    ("check_tokens_seen", ("tokens_seen",)): {
        "NumPy's": "import numpy as np\n\ntokens_seen = np.int64(512)",
        "torch's": "tokens_seen = torch.tensor(512)",
        "with a point": "tokens_seen = 512.0",
        "counted": "tokens_seen = preprocess('good ' * 1000)['input_ids'].numel()",
    },
    ("check_all_scores", ("all_scores",)): {
        "tensors, in lists": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits.softmax(dim=1)[0]\n"
            "    return [[tweets_model.config.id2label[i.item()], scores[i]] for i in scores.argsort(descending=True)]"
        ),
        "one by one": scores(SOFTMAX, "((label, score) for score, label in sorted(zip(scores, labels), reverse=True))"),
        "the items of a dict": scores(SOFTMAX, "dict(sorted(zip(labels, scores), key=lambda pair: -pair[1])).items()"),
        "rounded to four digits": scores(f"{SOFTMAX}.double().round(decimals=4)"),
    },
    ("check_alarms", ("alarms",)): {
        "a loop": (
            "def alarms(means, limit=0.1):\n    found = []\n    for group, words in means.items():\n"
            "        scores = sorted(words.values())\n        if scores[-1] - scores[0] > limit:\n"
            "            found.append((scores[0] - scores[-1], group))\n    return [group for _, group in sorted(found)]"
        ),
        "an iterator": alarms(give="reversed(sorted(wide, key=spread.get))"),
        "pandas": (
            "import pandas as pd\n\ndef alarms(means, limit=0.1):\n    table = pd.DataFrame(means)\n"
            "    spread = (table.max() - table.min()).sort_values(ascending=False)\n"
            "    return spread.index[spread > limit]"
        ),
    },
    ("check_fooled", ("fooling_sentence", "what_i_mean")): {
        "in small letters": fooled("If you like waiting, you will love this shop.", "negative "),
        "two words": fooled("Great doorstop.", "NEGATIVE"),
    },
}


@proves("argmax", "`POSITIVE`", "higher")
def the_place_of_the_highest_logit_is_the_label():
    names = AutoConfig.from_pretrained(checkpoint(SENTIMENT_MODEL)).id2label
    assert names == {0: "NEGATIVE", 1: "POSITIVE"}
    assert names[torch.tensor([-1.2, 3.4]).argmax().item()] == "POSITIVE"
    assert names[torch.tensor([3.5, 3.4]).argmax().item()] == "NEGATIVE"


@proves("softmax", "`[8.8, 13.4]`")
def adding_to_all_logits_changes_no_score():
    logits = torch.tensor([-1.2, 3.4], dtype=torch.float64)
    scores = logits.softmax(0)
    assert [f"{score:.2f}" for score in scores] == ["0.01", "0.99"]
    torch.testing.assert_close(torch.tensor([8.8, 13.4], dtype=torch.float64).softmax(0), scores)
    assert [f"{score:.4f}" for score in torch.tensor([-2.4, 6.8]).softmax(0)] == ["0.0001", "0.9999"]
    assert [f"{score:.2f}" for score in torch.tensor([1.2, 3.4]).softmax(0)] == ["0.10", "0.90"]


@proves("mask", "padding")
def zeros_of_the_mask_are_padding_and_nothing_else():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint(SENTIMENT_MODEL))
    batch = tokenizer(["short", "a text with 漢 and much longer"], padding=True, return_tensors="pt")
    assert torch.equal(batch["attention_mask"] == 0, batch["input_ids"] == tokenizer.pad_token_id)
    assert tokenizer("\U00013000")["attention_mask"] == [1, 1, 1]
    assert tokenizer("\U00013000")["input_ids"][1] == tokenizer.unk_token_id


@proves("auto", "config")
def a_renamed_folder_still_loads(tmp_path):

    for hub_id in (
        SENTIMENT_MODEL,
        "finiteautomata/bertweet-base-sentiment-analysis",
    ):
        original = AutoModelForSequenceClassification.from_pretrained(checkpoint(hub_id))
        renamed = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(checkpoint(hub_id), renamed)
        assert type(AutoModelForSequenceClassification.from_pretrained(renamed)) is type(original)


@proves("tokenizer", "meaningless")
def another_vocabularys_ids_are_read_as_other_words():
    folder = checkpoint(SENTIMENT_MODEL)
    own = AutoTokenizer.from_pretrained(folder)
    same = AutoTokenizer.from_pretrained(checkpoint("finiteautomata/bertweet-base-sentiment-analysis"))
    other = AutoTokenizer.from_pretrained(checkpoint("HuggingFaceTB/SmolLM2-135M-Instruct"))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    for text in ("I hope you're enjoying this course so far", "I don't like this course so far"):
        ids = other(text)["input_ids"]
        assert torch.isfinite(model(torch.tensor([ids])).logits).all()
        assert not {*own.decode(ids).split()} & {*text.lower().split()}
        assert same(text)["input_ids"] == own(text)["input_ids"]
    read = own.decode(other("HuggingFace pipelines are awesome!")["input_ids"])
    assert " ".join(word for word in read.split() if "[" not in word) == "rothschild panted wnba rests"


EQUIVALENT: dict[str, dict[str, str]] = {
    "verdict": {
        "line 4: result['label'].lower becomes result['label'].lower().strip": "no label has a space around it",
        "line 4: result['label'] becomes result['label'].lower()": "small letters are small already",
    },
    "all_scores": {
        "line 3: 0 becomes -1": "one text has one row",
        "line 3: -1 becomes 0": "one row has one dimension",
        "line 3: text = text.strip() comes first": "the tokenizer drops spaces around a text",
        "line 3: text = text.lower() comes first": "the tokenizer makes small letters itself",
        "line 5: sorted(zip(labels, scores, strict=True), key=lambda pair: pair[1], reverse=True) becomes list(dict.fromkeys(sorted(zip(labels, scores, strict=True), key=lambda pair: pair[1], reverse=True)))": "no label comes twice",
        "line 5: pair[1] becomes pair[-1]": "a pair has two entries",
    },
    "alarms": {
        "line 4:  for group in spread if spread[group] > limit becomes  for group in list(spread)[::-1] if spread[group] > limit": "no order is asked of groups that are equally wide",
        "line 5: sorted(wide, key=spread.get, reverse=True) becomes list(dict.fromkeys(sorted(wide, key=spread.get, reverse=True)))": "no group comes twice",
    },
    "fooled": {
        "line 1: 'A perfect cure for insomnia.' becomes 'A PERFECT CURE FOR INSOMNIA.'": "the model reads small and capital letters alike",
        "line 1: 'A perfect cure for insomnia.' becomes 'a perfect cure for insomnia.'": "the model reads small and capital letters alike",
        "line 1: 'A perfect cure for insomnia.' becomes 'A perfect cure for insomnia'": "it fools the model without a full stop, too",
        "line 2: 'NEGATIVE' becomes 'negative'": "a label is taken in any case",
    },
}
