"""Lesson 4: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import json

import torch
from tokenizers import Tokenizer, models, trainers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint, padding_share
from proofs import Proofs

proves = Proofs()

MODEL = "distilbert-base-uncased-finetuned-sst-2-english"

NOTHING = "Is there a return in the function"
SHOWN = "Yours gave"
RAISES = "raised"

JOIN = "def join_pieces(pieces):\n    return "
KEEP = "def keep_the_end(input_ids, max_length):\n"
UNLESS_SHORT = f"{KEEP}    if len(input_ids) <= max_length:\n        return input_ids\n"
COUNT = (
    "def bpe_step(words):\n    counts = {}\n    for pieces, n in words.items():\n"
    "        for pair in zip(pieces, pieces[1:]):\n            counts[pair] = counts.get(pair, 0) + n\n"
)
BEST = f"{COUNT}    if not counts:\n        return dict(words)\n    best = max(counts, key=counts.get)\n"
MERGE = "    return {tuple(merge_pair(p, best)): n for p, n in words.items()}"
FILL = "def fill_batches(lengths, max_tokens):\n"
SORTED = "sorted(range(len(lengths)), key=lambda i: lengths[i])"
IN_ORDER = f"{FILL}    batches = []\n    for i in {SORTED}:\n"
OR_OPEN = ":\n            batches[-1].append(i)\n        else:\n            batches.append([i])\n    return batches"

WRONG = {
    ("check_pieces", ("pieces",)): {
        "as a person would cut": ("pieces = ['un', '##want', '##ed']", "longest entry that the word begins with"),
        "forgets the marks": ("pieces = ['unw', 'ant', 'ed']", "every piece but the first"),
        "marks the first, too": ("pieces = ['##unw', '##ant', '##ed']", "every piece but the first"),
        "gives up": ("pieces = ['[UNK]']", "can be cut"),
        "loses a letter": ("pieces = ['unw', '##ant', '##e']", "your pieces give 'unwante'"),
        "not in the vocabulary": ("pieces = ['unwant', '##ed']", "not in the vocabulary"),
        "too short a piece": ("pieces = ['unw', '##ant', '##e', '##d']", "longer one would have fitted"),
        "one text": ("pieces = 'unw ##ant ##ed'", "a list of texts"),
        "numbers": ("pieces = [1, 2, 3]", "entry 0 of pieces should be a text"),
        "in no order": ("pieces = {'unw', '##ant', '##ed'}", "a list of texts"),
    },
    ("check_join_pieces", ("join_pieces",)): {
        "leaves the marks": (f"{JOIN}' '.join(pieces)", "still there"),
        "glues it all": (f"{JOIN}''.join(p.removeprefix('##') for p in pieces)", "no space between"),
        "spaces inside of words": (f"{JOIN}' '.join(p.removeprefix('##') for p in pieces)", "without a space"),
        "a space in front": (
            "def join_pieces(pieces):\n    text = ''\n    for p in pieces:\n"
            "        text += p[2:] if p.startswith('##') else ' ' + p\n    return text",
            "a space too many",
        ),
        "removes every sign": (
            f"{JOIN}' '.join(pieces).replace(' ##', '').replace('#', '')",
            "token of its own was lost",
        ),
        "strips all signs from a piece": (
            f"{JOIN}''.join(p.lstrip('#') if p[:2] == '##' else ' ' + p for p in pieces).strip()",
            SHOWN,
        ),
        "takes a # for the mark": (
            f"{JOIN}''.join(p.lstrip('#') if p[:1] == '#' else ' ' + p for p in pieces).strip()",
            "token of its own was lost",
        ),
        "each piece once": (f"{JOIN}' '.join(dict.fromkeys(pieces)).replace(' ##', '')", SHOWN),
        "remembers the last text": (
            "def join_pieces(pieces, words=[]):\n    for p in pieces:\n        if p[:2] == '##':\n"
            "            words[-1] += p[2:]\n        else:\n            words.append(p)\n    return ' '.join(words)",
            SHOWN,
        ),
        "returns the words": (f"{JOIN}' '.join(pieces).replace(' ##', '').split()", "in a list"),
        "takes the pieces out of the list": (
            "def join_pieces(pieces):\n    text = ''\n    while pieces:\n        p = pieces.pop(0)\n"
            "        text += p[2:] if p[:2] == '##' else ' ' + p\n    return text.strip()",
            "changed the list",
        ),
        "prints": ("def join_pieces(pieces):\n    print(' '.join(pieces))", NOTHING),
        "calls it": ("join_pieces = 'huggingface is fun'", "without brackets"),
    },
    ("check_keep_the_end", ("keep_the_end",)): {
        "keeps the beginning": (f"{KEEP}    return input_ids[:max_length]", "is lost"),
        "keeps the beginning and the ends": (
            f"{UNLESS_SHORT}    return input_ids[: max_length - 1] + input_ids[-1:]",
            "you kept the beginning",
        ),
        "forgets the start": (f"{KEEP}    return input_ids[-max_length:]", "that of [CLS]"),
        "doesn't count the special tokens": (
            f"{KEEP}    return input_ids[:1] + input_ids[1:-1][-max_length:] + input_ids[-1:]",
            "special tokens came on top",
        ),
        "minus zero": (
            f"{UNLESS_SHORT}    return input_ids[:1] + input_ids[1:-1][-(max_length - 2):] + input_ids[-1:]",
            "x[-0:]",
        ),
        "one too few": (f"{UNLESS_SHORT}    return input_ids[:1] + input_ids[-max_length + 2:]", "one id too few"),
        "cuts what is short": (f"{KEEP}    return input_ids[:1] + input_ids[-max_length + 1:]", SHOWN),
        "fills what is short": (
            f"{KEEP}    ids = input_ids[:1] + input_ids[1:][1 - max_length:]\n"
            "    return ids + [0] * (max_length - len(ids))",
            SHOWN,
        ),
        "looks for [SEP]": (
            f"{UNLESS_SHORT}    end = input_ids.index(102)\n"
            "    return input_ids[:1] + input_ids[end - max_length + 2:end + 1]",
            SHOWN,
        ),
        "numbers with a point": (
            f"{UNLESS_SHORT}    return [float(i) for i in input_ids[:1] + input_ids[1 - max_length:]]",
            "not an int",
        ),
        "changes the list": (
            f"{KEEP}    while len(input_ids) > max_length:\n        del input_ids[1]\n    return input_ids",
            "changed the list",
        ),
        "prints": (f"{KEEP}    print(input_ids)", NOTHING),
    },
    ("check_bpe_step", ("bpe_step",)): {
        "counts each word once": (BEST.replace("+ n", "+ 1") + MERGE, "add the number, not 1"),
        "forgets that there may be no pair": (f"{COUNT}    best = max(counts, key=counts.get)\n{MERGE}", RAISES),
        "merges nothing": ("def bpe_step(words):\n    return dict(words)", "Nothing was merged"),
        "the first pair in a word only": (
            f"{BEST}    new = {{}}\n    for p, n in words.items():\n        p = list(p)\n"
            "        for i in range(len(p) - 1):\n            if (p[i], p[i + 1]) == best:\n"
            "                p[i : i + 2] = [p[i] + p[i + 1]]\n                break\n"
            "        new[tuple(p)] = n\n    return new",
            "In banana",
        ),
        "replaces in a text": (
            f"{BEST}    join = ' '.join\n"
            "    return {tuple(join(p).replace(join(best), ''.join(best)).split()): n for p, n in words.items()}",
            "another piece than n",
        ),
        "the rarest pair": (BEST.replace("max", "min") + MERGE, SHOWN),
        "either way round": (
            f"{BEST}    return {{tuple(merge_pair(merge_pair(p, best), best[::-1])): n for p, n in words.items()}}",
            SHOWN,
        ),
        "only words that had the pair": (
            f"{BEST}    new = {{tuple(merge_pair(p, best)): n for p, n in words.items()}}\n"
            "    return {p: n for p, n in new.items() if p not in words}",
            SHOWN,
        ),
        "the highest number, not the sum": (
            BEST.replace("counts.get(pair, 0) + n", "max(counts.get(pair, 0), n)") + MERGE,
            SHOWN,
        ),
        "the whole word": ("def bpe_step(words):\n    return {(''.join(p),): n for p, n in words.items()}", SHOWN),
        "returns the pair": (f"{BEST}    return best", "It is a tuple"),
        "texts for tuples": (
            "def bpe_step(words):\n    return {''.join(p): n for p, n in words.items()}",
            "stay tuples",
        ),
        "loses the numbers": (f"{BEST}{MERGE.replace(': n for', ': 1 for')}", "must not change"),
        "changes the dictionary": (
            f"{BEST}    for p in list(words):\n        words[tuple(merge_pair(p, best))] = words.pop(p)\n"
            "    return words",
            "changed the dictionary",
        ),
        "prints": ("def bpe_step(words):\n    print(words)", NOTHING),
    },
    ("check_fill_batches", ("fill_batches",)): {
        "lengths for places": (f"{FILL}    return [[n] for n in sorted(lengths)]", "Those are the lengths"),
        "does not sort": (f"{FILL}    return [[i] for i in range(len(lengths))]", "as they come"),
        "adds up the texts' own lengths": (
            f"{IN_ORDER}        if batches and sum(lengths[k] for k in [*batches[-1], i]) <= max_tokens{OR_OPEN}",
            "number of texts times its longest",
        ),
        "one text a batch": (f"{IN_ORDER}        if False{OR_OPEN}", "a batch of its own"),
        "less than the budget": (
            f"{IN_ORDER}        if batches and (len(batches[-1]) + 1) * lengths[i] < max_tokens{OR_OPEN}",
            "at most, not less than",
        ),
        "loses the last batch": (
            f"{FILL}    batches, batch = [], []\n    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):\n"
            "        if batch and (len(batch) + 1) * lengths[i] > max_tokens:\n            batches.append(batch)\n"
            "            batch = []\n        batch.append(i)\n    return batches",
            "The last batch is lost",
        ),
        "from the longest": (
            IN_ORDER.replace("lengths[i])", "-lengths[i])")
            + f"        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= max_tokens{OR_OPEN}",
            "begin with the longest",
        ),
        "does not count the one at hand": (
            f"{IN_ORDER}        if batches and len(batches[-1]) * lengths[i] <= max_tokens{OR_OPEN}",
            SHOWN,
        ),
        "leaves out what is over the budget": (
            f"{FILL}    return [b for b in batch_by_length(lengths, max_tokens) if lengths[b[0]] <= max_tokens]",
            SHOWN,
        ),
        "places by value": (
            f"{FILL}    batches = []\n    for n in sorted(lengths):\n        i = lengths.index(n)\n"
            f"        if batches and (len(batches[-1]) + 1) * n <= max_tokens{OR_OPEN}",
            SHOWN,
        ),
        "begins with an empty batch": (
            f"{IN_ORDER.replace('[]', '[[]]')}        if (len(batches[-1]) + 1) * lengths[i] <= max_tokens{OR_OPEN}",
            "empty batch",
        ),
        "sorts in place": (
            f"{FILL}    lengths.sort()\n    return batch_by_length(lengths, max_tokens)",
            "changed the list",
        ),
        "one flat list": (f"{FILL}    return list(range(len(lengths)))", "a list of places"),
        "places with a point": (
            f"{FILL}    return [[float(place) for place in batch] for batch in batch_by_length(lengths, max_tokens)]",
            "not an int",
        ),
        "prints": (f"{FILL}    print(lengths)", NOTHING),
    },
}

RIGHT = {
    ("check_pieces", ("pieces",)): {
        "a tuple": "pieces = ('unw', '##ant', '##ed')",
        "an array": "import numpy as np\n\npieces = np.array(['unw', '##ant', '##ed'])",
    },
    ("check_join_pieces", ("join_pieces",)): {
        "in one line": f"{JOIN}' '.join(pieces).replace(' ##', '')",
        "by a pattern": f"import re\n\n{JOIN}re.sub(' ##', '', ' '.join(pieces))",
    },
    ("check_keep_the_end", ("keep_the_end",)): {
        "a tuple": f"{KEEP}    return (101, *input_ids[1:][max(0, len(input_ids) - max_length):])",
        "a tensor": (
            f"{KEEP}    ids = torch.tensor(input_ids)\n    return ids if len(ids) <= max_length else "
            "torch.cat([ids[:1], ids[1 - max_length:]])"
        ),
    },
    ("check_bpe_step", ("bpe_step",)): {
        "with a Counter": (
            "from collections import Counter\n\n\ndef bpe_step(words):\n    counts = Counter()\n"
            "    for pieces, n in words.items():\n        for pair in zip(pieces, pieces[1:]):\n"
            "            counts[pair] += n\n    (best, _), *_ = counts.most_common(1) or [((), 0)]\n"
            "    return Counter({tuple(merge_pair(p, best)): n for p, n in words.items()})"
        ),
    },
    ("check_fill_batches", ("fill_batches",)): {
        "the course's own": "fill_batches = batch_by_length",
        "places of NumPy": (
            f"import numpy as np\n\n{IN_ORDER.replace(SORTED, 'np.argsort(lengths)')}"
            f"        if batches and (len(batches[-1]) + 1) * lengths[i] <= max_tokens{OR_OPEN}"
        ),
        "places of torch": (
            IN_ORDER.replace(SORTED, "torch.tensor(lengths).argsort()")
            + f"        if batches and (len(batches[-1]) + 1) * lengths[i] <= max_tokens{OR_OPEN}"
        ),
        "equal lengths the other way round": (
            IN_ORDER.replace("lengths[i])", "(lengths[i], -i))")
            + f"        if batches and (len(batches[-1]) + 1) * lengths[i] <= max_tokens{OR_OPEN}"
        ),
        "arrays, one by one": (
            f"import numpy as np\n\n{FILL}    for batch in batch_by_length(lengths, max_tokens):\n"
            "        yield np.array(batch)"
        ),
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
    masked, unmasked = model(**batch), model(input_ids=batch["input_ids"])
    moved = (masked.logits.softmax(-1) - unmasked.logits.softmax(-1)).abs().amax(dim=1)
    assert moved[0] > 1e-2
    assert moved[1] < 1e-5


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
        "line 5: piece.startswith('##') and words becomes piece.startswith('##')": "the task: no first piece begins with ##",
    },
    "keep_the_end": {
        "line 3: len(input_ids) <= max_length becomes len(input_ids) < max_length": "of max_length ids the first and the last max_length - 1 are all",
        "line 3: len(input_ids) becomes len(input_ids) + 1": "of max_length ids the first and the last max_length - 1 are all",
    },
    "merge": {
        "line 4: for pieces, times in words.items(): becomes for pieces, times in list(words.items())[::-1]:": "the task: there is no tie",
        "line 6: 0 becomes 1": "every pair's count is one more, so the order stays",
        "line 6: 0 becomes -1": "every pair's count is one less, so the order stays",
    },
}
