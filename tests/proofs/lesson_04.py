"""Lesson 4: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import json

import torch
from tokenizers import Tokenizer, models, trainers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint, padding_share
from proofs import Proofs

proves = Proofs()

MODEL = "distilbert-base-uncased-finetuned-sst-2-english"

WRONG = {
    ("check_pieces", ("pieces",)): {
        "as a person would cut": ("pieces = ['un', '##want', '##ed']", "longest entry that the word begins with"),
        "forgets the marks": ("pieces = ['unw', 'ant', 'ed']", "every piece but the first"),
        "marks the first, too": ("pieces = ['##unw', '##ant', '##ed']", "every piece but the first"),
        "gives up": ("pieces = ['[UNK]']", "can be cut"),
        "loses a letter": ("pieces = ['unw', '##ant', '##e']", "No letter may be lost"),
        "not in the vocabulary": ("pieces = ['unwant', '##ed']", "not in the vocabulary"),
        "too short a piece": ("pieces = ['unw', '##ant', '##e', '##d']", "longer one would have fitted"),
        "one text": ("pieces = 'unw ##ant ##ed'", "with a list"),
        "numbers": ("pieces = [1, 2, 3]", "list of texts"),
    },
    ("check_join_pieces", ("join_pieces",)): {
        "leaves the marks": ("def join_pieces(pieces):\n    return ' '.join(pieces)", "still there"),
        "glues it all": (
            "def join_pieces(pieces):\n    return ''.join(p.removeprefix('##') for p in pieces)",
            "no space between",
        ),
        "spaces inside of words": (
            "def join_pieces(pieces):\n    return ' '.join(p.removeprefix('##') for p in pieces)",
            "without a space",
        ),
        "a space in front": (
            "def join_pieces(pieces):\n    text = ''\n    for p in pieces:\n"
            "        text += p[2:] if p.startswith('##') else ' ' + p\n    return text",
            "a space too many",
        ),
        "removes every sign": (
            "def join_pieces(pieces):\n    return ' '.join(pieces).replace(' ##', '').replace('#', '')",
            "token of its own was lost",
        ),
        "returns the words": (
            "def join_pieces(pieces):\n    return ' '.join(pieces).replace(' ##', '').split()",
            "in a list",
        ),
        "prints": ("def join_pieces(pieces):\n    print(' '.join(pieces))", "returned None"),
        "calls it": ("join_pieces = 'huggingface is fun'", "without brackets"),
    },
    ("check_keep_the_end", ("keep_the_end",)): {
        "keeps the beginning": (
            "def keep_the_end(input_ids, max_length):\n    return input_ids[:max_length]",
            "is lost",
        ),
        "keeps the beginning and the ends": (
            "def keep_the_end(input_ids, max_length):\n    if len(input_ids) <= max_length:\n        return input_ids\n"
            "    return input_ids[: max_length - 1] + input_ids[-1:]",
            "you kept the beginning",
        ),
        "forgets the start": (
            "def keep_the_end(input_ids, max_length):\n    return input_ids[-max_length:]",
            "that of [CLS]",
        ),
        "doesn't count the special tokens": (
            "def keep_the_end(input_ids, max_length):\n    text = input_ids[1:-1]\n"
            "    return input_ids[:1] + text[-max_length:] + input_ids[-1:]",
            "special tokens count",
        ),
        "minus zero": (
            "def keep_the_end(input_ids, max_length):\n    text = input_ids[1:-1]\n"
            "    if len(input_ids) <= max_length:\n        return input_ids\n"
            "    return input_ids[:1] + text[-(max_length - 2):] + input_ids[-1:]",
            "x[-0:]",
        ),
        "cuts what is short": (
            "def keep_the_end(input_ids, max_length):\n    return input_ids[:1] + input_ids[-max_length + 2:]",
            "there is room for",
        ),
        "changes the list": (
            "def keep_the_end(input_ids, max_length):\n    while len(input_ids) > max_length:\n"
            "        del input_ids[1]\n    return input_ids",
            "changed the list",
        ),
        "prints": ("def keep_the_end(input_ids, max_length):\n    print(input_ids)", "returned None"),
    },
    ("check_bpe_step", ("bpe_step",)): {
        "counts each word once": (
            "def bpe_step(words):\n    counts = {}\n    for pieces in words:\n"
            "        for pair in zip(pieces, pieces[1:]):\n            counts[pair] = counts.get(pair, 0) + 1\n"
            "    if not counts:\n        return dict(words)\n    best = max(counts, key=counts.get)\n"
            "    return {tuple(merge_pair(p, best)): n for p, n in words.items()}",
            "add the number, not 1",
        ),
        "forgets that there may be no pair": (
            "def bpe_step(words):\n    counts = {}\n    for pieces, n in words.items():\n"
            "        for pair in zip(pieces, pieces[1:]):\n            counts[pair] = counts.get(pair, 0) + n\n"
            "    best = max(counts, key=counts.get)\n"
            "    return {tuple(merge_pair(p, best)): n for p, n in words.items()}",
            "raised ValueError",
        ),
        "merges nothing": ("def bpe_step(words):\n    return dict(words)", "Nothing was merged"),
        "returns the pair": ("def bpe_step(words):\n    return ('u', 'n')", "Return a dictionary"),
        "texts for tuples": (
            "def bpe_step(words):\n    return {''.join(p): n for p, n in words.items()}",
            "tuples of pieces",
        ),
        "the whole word": (
            "def bpe_step(words):\n    return {(''.join(p),): n for p, n in words.items()}",
            "should become",
        ),
        "loses the numbers": (
            "def bpe_step(words):\n    return {('f', 'un'): 1, ('r', 'un'): 1}",
            "must not change",
        ),
        "prints": ("def bpe_step(words):\n    print(words)", "returned None"),
    },
    ("check_fill_batches", ("fill_batches",)): {
        "lengths for places": (
            "def fill_batches(lengths, max_tokens):\n    return [[n] for n in sorted(lengths)]",
            "Those are the lengths",
        ),
        "does not sort": (
            "def fill_batches(lengths, max_tokens):\n    return [[i] for i in range(len(lengths))]",
            "from the shortest",
        ),
        "adds up the texts' own lengths": (
            "def fill_batches(lengths, max_tokens):\n    batches, used = [], 0\n"
            "    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):\n"
            "        if batches and used + lengths[i] <= max_tokens:\n            batches[-1].append(i)\n"
            "            used += lengths[i]\n        else:\n            batches.append([i])\n"
            "            used = lengths[i]\n"
            "    return batches",
            "number of texts times its longest",
        ),
        "one text a batch": (
            "def fill_batches(lengths, max_tokens):\n"
            "    return [[i] for i in sorted(range(len(lengths)), key=lambda i: lengths[i])]",
            "would have fitted",
        ),
        "less than the budget": (
            "def fill_batches(lengths, max_tokens):\n    batches = []\n"
            "    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):\n"
            "        if batches and (len(batches[-1]) + 1) * lengths[i] < max_tokens:\n"
            "            batches[-1].append(i)\n        else:\n            batches.append([i])\n    return batches",
            "would have fitted",
        ),
        "loses the last batch": (
            "def fill_batches(lengths, max_tokens):\n    batches, batch = [], []\n"
            "    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):\n"
            "        if batch and (len(batch) + 1) * lengths[i] > max_tokens:\n            batches.append(batch)\n"
            "            batch = []\n        batch.append(i)\n    return batches",
            "in no batch",
        ),
        "begins with an empty batch": (
            "def fill_batches(lengths, max_tokens):\n    batches = [[]]\n"
            "    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):\n"
            "        if (len(batches[-1]) + 1) * lengths[i] <= max_tokens:\n            batches[-1].append(i)\n"
            "        else:\n            batches.append([i])\n    return batches",
            "empty batch",
        ),
        "sorts in place": (
            "def fill_batches(lengths, max_tokens):\n    lengths.sort()\n    return [[0]]",
            "changed the list",
        ),
        "one flat list": ("def fill_batches(lengths, max_tokens):\n    return [0, 1, 2]", "list of batches"),
        "prints": ("def fill_batches(lengths, max_tokens):\n    print(lengths)", "returned None"),
    },
}


def load():
    folder = checkpoint(MODEL)
    return AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)


@proves("unknown", "`re`, `##watch` and `##able`")
def a_word_that_is_not_there_comes_in_pieces():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint(MODEL))
    assert "rewatchable" not in tokenizer.get_vocab()
    assert tokenizer.tokenize("rewatchable") == ["re", "##watch", "##able"]


@proves("mask", "short text")
@torch.inference_mode()
def only_the_short_text_misses_its_mask():
    tokenizer, model = load()
    texts = ["Not bad at all.", "Two hours of my life that I won't get back. " * 6]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    moved = (model(**batch).logits - model(input_ids=batch["input_ids"]).logits).abs().amax(dim=1)
    assert moved[0] > 1e-1
    assert moved[1] < 1e-4


@proves("share", "60 %")
def two_short_texts_beside_a_long_one():
    assert round(padding_share([[0, 1, 2]], [3, 3, 30]), 9) == 0.6


@proves("cut", "`[SEP]`")
def a_slice_loses_the_last_token_and_truncation_does_not():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint(MODEL))
    text = "good " * 698
    sliced = tokenizer(text)["input_ids"][:512]
    truncated = tokenizer(text, truncation=True)["input_ids"]
    assert len(tokenizer(text)["input_ids"]) == 700
    assert len(sliced) == len(truncated) == 512
    assert truncated[-1] == tokenizer.sep_token_id != sliced[-1]
    assert truncated[:-1] == sliced[:-1]


@proves("merge", "`a` and `r`")
def the_library_merges_a_and_r_first():
    toy = Tokenizer(models.BPE())
    words = ["cat"] * 5 + ["car"] * 4 + ["art"] * 6
    toy.train_from_iterator(words, trainers.BpeTrainer(vocab_size=5, show_progress=False))
    assert [list(pair) for pair in json.loads(toy.to_str())["model"]["merges"]] == [["a", "r"]]


EQUIVALENT: dict[str, dict[str, str]] = {
    "join_pieces": {
        "line 9: ' '.join(words) becomes ' '.join(words).strip()": "no piece has a space around it",
    },
    "keep_the_end": {
        "line 3: len(input_ids) <= max_length becomes len(input_ids) < max_length": "of max_length ids the first and the last max_length - 1 are all",
        "line 3: len(input_ids) becomes len(input_ids) + 1": "of max_length ids the first and the last max_length - 1 are all",
    },
    "merge": {
        "line 6: 0 becomes 1": "every pair's count is one more, so the order stays",
        "line 6: 0 becomes -1": "every pair's count is one less, so the order stays",
    },
}

HOLES = {
    "join_pieces": [
        "line 5: piece.startswith('##') and words becomes piece.startswith('##')",
        "line 9: ' '.join(words) becomes ' '.join(words).lower()",
    ],
    "keep_the_end": [
        "line 3: input_ids = list(dict.fromkeys(input_ids)) comes first",
        "line 4: list(input_ids) becomes list(dict.fromkeys(list(input_ids)))",
        "line 5: input_ids[:1] + input_ids[1 - max_length:] becomes list(dict.fromkeys(input_ids[:1] + input_ids[1 - max_length:]))",
    ],
    "merge": [
        "line 4: for pieces, times in words.items(): becomes for pieces, times in list(words.items())[::-1]:",
        "line 5: pairwise(pieces) becomes list(pairwise(pieces))[::-1]",
    ],
    "fill_batches": [
        "line 3: max_tokens += 1 comes first",
    ],
}
