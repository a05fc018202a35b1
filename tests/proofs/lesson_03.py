"""Lesson 3: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import shutil

import torch
from tokenizers import Tokenizer, models, trainers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint
from proofs import Proofs

proves = Proofs()

LUCKY = {"check_tokens_seen": [512]}

WRONG = {
    ("check_verdict", ("verdict",)): {
        "forgets the threshold": (
            "def verdict(result, threshold=0.9):\n    return result['label'].lower()",
            "0.61 counts like one of 0.97",
        ),
        "takes the score for the mood": (
            "def verdict(result, threshold=0.9):\n    s = result['score']\n"
            "    return 'positive' if s >= threshold else 'negative' if s < 0.5 else 'not sure'",
            "the score belongs to the label",
        ),
        "more than, not at least": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'].lower() if result['score'] > threshold else 'not sure'",
            "use >= and not >",
        ),
        "keeps the model's capitals": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'] if result['score'] >= threshold else 'not sure'",
            "in small letters",
        ),
        "another threshold": (
            "def verdict(result, threshold=0.8):\n"
            "    return result['label'].lower() if result['score'] >= threshold else 'not sure'",
            "0.88 is below 0.9",
        ),
        "ignores the argument": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'].lower() if result['score'] >= 0.9 else 'not sure'",
            "threshold=0.6",
        ),
        "turned round": (
            "def verdict(result, threshold=0.9):\n"
            "    return result['label'].lower() if result['score'] < threshold else 'not sure'",
            "turn it round",
        ),
        "prints and returns nothing": ("def verdict(result, threshold=0.9):\n    print(result)", "end in a return"),
        "a misspelt key": ("def verdict(result, threshold=0.9):\n    return result['lable']", "KeyError"),
        "calls it": ("verdict = 'positive'", "without brackets"),
    },
    ("check_tokens_seen", ("tokens_seen",)): {
        "all the words": ("tokens_seen = 1000", "512 places"),
        "all the words and the special tokens": ("tokens_seen = 1002", "truncation=True"),
        "words instead of tokens": ("tokens_seen = 510", "special tokens take places"),
        "special tokens on top of the limit": ("tokens_seen = 514", "with the special tokens"),
        "a guess below": ("tokens_seen = 128", "sees more"),
        "a guess above": ("tokens_seen = 768", "sees fewer"),
        "a text": ("tokens_seen = '512'", "whole number"),
    },
    ("check_all_scores", ("all_scores",)): {
        "the winner only": (
            "def all_scores(text):\n    result = tweets_model(text)\n    return [(result['label'], result['score'])]",
            "Return all of them",
        ),
        "logits": (
            "def all_scores(text):\n    logits = tweets_model.forward(text).logits[0].tolist()\n"
            "    labels = tweets_model.config.id2label.values()\n"
            "    return sorted(zip(labels, logits), key=lambda pair: pair[1], reverse=True)",
            "Softmax",
        ),
        "the least probable first": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return sorted(zip(tweets_model.config.id2label.values(), scores), key=lambda pair: pair[1])",
            "other way round",
        ),
        "not sorted": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    pairs = sorted(zip(tweets_model.config.id2label.values(), scores), key=lambda pair: pair[1])\n"
            "    return [pairs[1], pairs[2], pairs[0]]",
            "not sorted",
        ),
        "numbers instead of labels": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return sorted(enumerate(scores), key=lambda pair: pair[1], reverse=True)",
            "id2label",
        ),
        "sorted scores beside unsorted labels": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return list(zip(tweets_model.config.id2label.values(), sorted(scores, reverse=True)))",
            "beside its own label",
        ),
        "a dict": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return dict(zip(tweets_model.config.id2label.values(), scores))",
            "list of pairs",
        ),
        "pairs the wrong way round": (
            "def all_scores(text):\n    scores = tweets_model.forward(text).logits[0].softmax(-1).tolist()\n"
            "    return sorted(zip(scores, tweets_model.config.id2label.values()), reverse=True)",
            "wrong way round",
        ),
    },
    ("check_count_padding", ("count_padding",)): {
        "counts the real tokens": (
            "def count_padding(texts):\n    batch = tokenizer(texts, padding=True, return_tensors='pt')\n"
            "    return batch['attention_mask'].sum(dim=1).tolist()",
            "ones of the attention mask",
        ),
        "one number for the batch": (
            "def count_padding(texts):\n    batch = tokenizer(texts, padding=True, return_tensors='pt')\n"
            "    return (batch['attention_mask'] == 0).sum().item()",
            "for each text",
        ),
        "forgets to pad": (
            "def count_padding(texts):\n    return [mask.count(0) for mask in tokenizer(texts)['attention_mask']]",
            "padding=True",
        ),
        "pads each text alone": (
            "def count_padding(texts):\n"
            "    return [tokenizer(text, padding=True)['attention_mask'].count(0) for text in texts]",
            "both at once",
        ),
        "takes special tokens for padding": (
            "def count_padding(texts):\n    batch = tokenizer(texts, padding=True)\n"
            "    return [sum(i in (0, 101, 102) for i in ids) for ids in batch['input_ids']]",
            "off by 2",
        ),
    },
    ("check_fooled", ("fooling_sentence", "what_i_mean")): {
        "the model is right": ("fooling_sentence, what_i_mean = 'I love this film', 'POSITIVE'", "gets that one right"),
        "a word is no sentence": ("fooling_sentence, what_i_mean = 'great', 'NEGATIVE'", "three words"),
        "an own label": ("fooling_sentence, what_i_mean = 'I love this film', 'ironic'", "POSITIVE"),
        "empty": ("fooling_sentence, what_i_mean = ' ', 'NEGATIVE'", "is a sentence"),
    },
}


@proves("argmax", "`POSITIVE`", "higher")
def the_place_of_the_highest_logit_is_the_label():
    assert {0: "NEGATIVE", 1: "POSITIVE"}[torch.tensor([-1.2, 3.4]).argmax().item()] == "POSITIVE"
    assert torch.tensor([3.5, 3.4]).argmax().item() == 0


@proves("softmax", "Nothing")
def adding_to_all_logits_changes_no_score():
    logits = torch.tensor([-1.2, 3.4], dtype=torch.float64)
    torch.testing.assert_close((logits + 10).softmax(0), logits.softmax(0))
    assert (logits * 10).softmax(0).max() > logits.softmax(0).max()


@proves("mask", "padding")
def zeros_of_the_mask_are_padding_and_nothing_else():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint("distilbert-base-uncased-finetuned-sst-2-english"))
    batch = tokenizer(["short", "a text with 漢 and much longer"], padding=True, return_tensors="pt")
    assert torch.equal(batch["attention_mask"] == 0, batch["input_ids"] == tokenizer.pad_token_id)
    assert tokenizer("\U00013000")["attention_mask"] == [1, 1, 1]
    assert tokenizer("\U00013000")["input_ids"][1] == tokenizer.unk_token_id


@proves("auto", "config")
def a_renamed_folder_still_loads(tmp_path):

    for hub_id in (
        "distilbert-base-uncased-finetuned-sst-2-english",
        "finiteautomata/bertweet-base-sentiment-analysis",
    ):
        original = AutoModelForSequenceClassification.from_pretrained(checkpoint(hub_id))
        renamed = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(checkpoint(hub_id), renamed)
        assert type(AutoModelForSequenceClassification.from_pretrained(renamed)) is type(original)


@proves("tokenizer", "meaningless")
def another_vocabularys_ids_are_read_as_other_words():
    folder = checkpoint("distilbert-base-uncased-finetuned-sst-2-english")
    own = AutoTokenizer.from_pretrained(folder)
    other = Tokenizer(models.BPE())
    other.train_from_iterator(["a wonderful film that I loved"] * 9, trainers.BpeTrainer(vocab_size=200))
    ids = other.encode("a wonderful film that I loved").ids
    logits = AutoModelForSequenceClassification.from_pretrained(folder)(torch.tensor([ids])).logits
    assert torch.isfinite(logits).all()
    assert "wonderful" not in own.decode(ids)


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
    "count_padding": {
        "line 4: batch['attention_mask'] == 0 becomes batch['attention_mask'] <= 0": "a mask has no number below 0",
        "line 4: 1 becomes -1": "a batch has two dimensions",
    },
    "fooled": {
        "line 1: 'What a masterpiece of boredom.' becomes 'WHAT A MASTERPIECE OF BOREDOM.'": "the model reads small and capital letters alike",
        "line 1: 'What a masterpiece of boredom.' becomes 'what a masterpiece of boredom.'": "the model reads small and capital letters alike",
        "line 1: 'What a masterpiece of boredom.' becomes 'What a masterpiece of boredom'": "it fools the model without a full stop, too",
        "line 2: 'NEGATIVE' becomes 'negative'": "a label is taken in any case",
    },
}

HOLES = {
    "count_padding": [
        "line 3: texts = list(dict.fromkeys(texts)) comes first",
    ],
}
