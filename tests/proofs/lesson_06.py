"""Lesson 6: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from course_utils import checkpoint, count_parameters, reviews
from course_utils.modeling import evaluation
from proofs import Proofs

proves = Proofs()

NOTHING = "Is there a return in the function"
SHOWN = "Yours gave"

CUT = "def find_leaks(known, texts):\n    cut = lambda t: {normalise(p) for p in re.split('[.!?]', t)} - {''}\n"
FIND = "    seen = set().union(*map(cut, known))\n    return [t for t in texts if cut(t) & seen]"
RATE = "def cosine_rate(step, steps, peak):\n    warm = steps // 10\n"
WARM = f"{RATE}    if step < warm:\n        return peak * step / warm\n"
FALL = "    return peak * (1 + np.cos(np.pi * (step - warm) / (steps - warm))) / 2"
LORA = "def lora_parameters(shapes, r):\n    return "
STOP = (
    "def best_step(history, patience):\n    best, lowest, waited = None, float('inf'), 0\n"
    "    for step, loss in history:\n        if loss < lowest:\n            best, lowest, waited = step, loss, 0\n"
    "        else:\n            waited += 1\n        if waited == patience:\n            break\n    return best"
)
HITS = (
    "def weakest_group(g, p, e, at_least=20):\n    h = {}\n    for n, a, b in zip(g, p, e):\n"
    "        h.setdefault(n, []).append(a == b)\n"
)
LARGE = f"{HITS}    h = {{n: x for n, x in h.items() if len(x) >= at_least}}\n"
LOWEST = "    return min(h, key=lambda n: sum(h[n]) / len(h[n]))"

WRONG = {
    ("check_first_loss", ("first_loss",)): {
        "two labels": ("first_loss = 0.693", "two labels"),
        "two labels, rounded": ("first_loss = 0.69", "two labels"),
        "forgets the minus": ("first_loss = np.log(1 / 5)", "minus that"),
        "the probability": ("first_loss = 1 / 5", "probability of each label"),
        "one minus the probability": ("first_loss = 0.8", "share of wrong guesses"),
        "base 2": ("first_loss = np.log2(5)", "base 2"),
        "base 10": ("first_loss = np.log10(5)", "base 10"),
        "too low": ("first_loss = 0", "Too low"),
        "just too low": ("first_loss = np.log(5) - 0.0101", "Too low"),
        "too high": ("first_loss = 5", "Too high"),
        "just too high": ("first_loss = np.log(5) + 0.0101", "Too high"),
        "a text": ("first_loss = '1.61'", "should be a number"),
    },
    ("check_find_leaks", ("find_leaks",)): {
        "whole texts only": ("find_leaks = find_copies", "compare whole texts"),
        "word for word": (
            "def find_leaks(known, texts):\n    return [t for t in texts if t in known]",
            "the texts word for word",
        ),
        "sentences as they were written": (
            "def find_leaks(known, texts):\n    cut = lambda t: {p for p in re.split('[.!?]', t) if normalise(p)}\n"
            + FIND,
            "the sentences as they were written",
        ),
        "single words": (
            "def find_leaks(known, texts):\n    seen = {w for t in known for w in normalise(t).split()}\n"
            "    return [t for t in texts if set(normalise(t).split()) & seen]",
            "single words",
        ),
        "a part of a sentence": (
            "def find_leaks(known, texts):\n    every = ' | '.join(map(normalise, known))\n"
            "    return [t for t in texts if any(p and p in every for p in map(normalise, re.split('[.!?]', t)))]",
            "inside of a longer one",
        ),
        "keeps what is empty": (CUT.replace(" - {''}", "") + FIND, "Leave out what is empty"),
        "commas, too": (CUT.replace("[.!?]", "[.!?,]") + FIND, "at commas, too"),
        "full stops only": (CUT.replace("[.!?]", "[.]") + FIND, "at full stops only"),
        "where a space follows": (CUT.replace("[.!?]", "[.!?] ") + FIND, "where a space follows"),
        "at the ends of lines, too": (CUT.replace("[.!?]", r"[.!?\\n]") + FIND, SHOWN),
        "no sentence of one word": (CUT.replace("t)}", "t) if ' ' in normalise(p)}") + FIND, "sentences of one word"),
        "only the first sentence": (
            "def find_leaks(known, texts):\n    first = lambda t: normalise(re.split('[.!?]', t)[0])\n"
            "    seen = {first(t) for t in known}\n    return [t for t in texts if first(t) and first(t) in seen]",
            "the first sentence of a text",
        ),
        "all of its sentences": (CUT + FIND.replace("cut(t) & seen", "cut(t) and cut(t) <= seen"), SHOWN),
        "returns them normalised": (CUT + FIND.replace("[t for", "[normalise(t) for"), "as they came"),
        "returns the sentences": (CUT + FIND.replace("[t for t in texts if cut(t) & seen]", "[*seen]"), SHOWN),
        "each once": (CUT + FIND.replace("[t for", "list({t: 0 for").replace("seen]", "seen})"), "comes twice"),
        "the clean ones": (CUT + FIND.replace("if cut", "if not cut"), "that don't leak"),
        "the known ones": (
            CUT.replace("known, texts", "texts, known") + FIND,
            "those of the other list",
        ),
        "in no order": (CUT + FIND.replace("[t for", "{t for").replace("seen]", "seen}"), "It is a set"),
        "how many": (
            CUT + FIND.replace("return", "return len(").replace("seen]", "seen])"),
            "order. It is 1.",
        ),
        "prints": ("def find_leaks(known, texts):\n    print(known)", NOTHING),
    },
    ("check_cosine_rate", ("cosine_rate",)): {
        "a straight line": ("cosine_rate = learning_rate", "straight line, as"),
        "a whole cosine": (
            f"{WARM}    return peak * np.cos(np.pi * (step - warm) / (steps - warm))",
            "below zero",
        ),
        "t from the first step": (
            f"{WARM}    return peak * (1 + np.cos(np.pi * step / steps)) / 2",
            "begin to fall at step 0",
        ),
        "no warm-up": (f"{RATE}{FALL}", "no warm-up in yours"),
        "not halved": (WARM + FALL.removesuffix(" / 2"), "twice as high"),
        "forgets the peak": (
            WARM.replace("peak * ", "") + FALL.replace("peak * ", ""),
            "goes up to 1, whatever",
        ),
        "forgets the peak after the warm-up": (WARM + FALL.replace("peak * ", ""), "falls from 1, whatever"),
        "degrees": (WARM + FALL.replace("np.pi", "180"), "degrees"),
        "0 at the last step": (WARM + FALL.replace("(steps - warm)", "(steps - 1 - warm)"), "step steps - 1"),
        "a tenth that isn't whole": (WARM.replace("//", "/") + FALL, "steps / 10 long"),
        "a sine": (WARM + FALL.replace("np.cos", "np.sin"), SHOWN),
        "the warm-up begins at 1": (WARM.replace("peak * step /", "peak * (step + 1) /") + FALL, SHOWN),
        "never less than a tenth": (WARM + FALL.replace("return", "return max(peak / 10,") + ")", SHOWN),
        "a text": (WARM + FALL.replace("return", "return str(") + ")", "It is the text"),
        "prints": (f"{RATE}    print(warm)", NOTHING),
    },
    ("check_lora_parameters", ("lora_parameters",)): {
        "the matrix itself": (f"{LORA}sum(rows * columns for rows, columns in shapes)", "LoRA leaves them alone"),
        "frozen ones, too": (f"{LORA}sum(m * n + r * (m + n) for m, n in shapes)", "A and B, not W"),
        "B alone": (f"{LORA}sum(r * rows for rows, columns in shapes)", "B alone"),
        "A alone": (f"{LORA}sum(r * columns for rows, columns in shapes)", "A alone"),
        "without r": (f"{LORA}sum(rows + columns for rows, columns in shapes)", "Where is r"),
        "multiplies": (f"{LORA}sum(r * rows * columns for rows, columns in shapes)", "don't multiply"),
        "multiplies both": (f"{LORA}sum((r * rows) * (columns * r) for rows, columns in shapes)", "with r in both"),
        "the first matrix only": (f"{LORA}r * sum(shapes[0]) if shapes else 0", "first matrix only"),
        "each shape once": (f"{LORA}sum(r * (m + n) for m, n in set(shapes))", "each shape once"),
        "r of 8": (f"{LORA}sum(8 * (m + n) for m, n in shapes)", SHOWN),
        "twice the rows": (f"{LORA}sum(r * 2 * rows for rows, columns in shapes)", SHOWN),
        "with biases": (f"{LORA}sum(r * (m + n) + m for m, n in shapes)", SHOWN),
        "a list": (f"{LORA}[r * (m + n) for m, n in shapes]", "should be a number"),
    },
    ("check_best_step", ("best_step",)): {
        "the lowest of all": (
            "def best_step(history, patience):\n    return min(history, key=lambda pair: pair[1])[0]",
            "the lowest loss of all",
        ),
        "where it stops": (STOP.replace("return best", "return step"), "the weights to keep are older"),
        "the loss": (STOP.replace("return best", "return lowest"), "That is a loss"),
        "a place": (STOP.replace("return best", "return [s for s, _ in history].index(best)"), "a place in the list"),
        "both": (STOP.replace("return best", "return best, lowest"), "It is a tuple"),
        "stops at the first rise": (
            "def best_step(history, patience):\n    for one, other in zip(history, history[1:]):\n"
            "        if other[1] >= one[1]:\n            return one[0]\n    return history[-1][0]",
            "whatever the patience is",
        ),
        "never resets the count": (
            STOP.replace("best, lowest, waited = step, loss, 0", "best, lowest = step, loss"),
            "goes on counting",
        ),
        "one look too many": (STOP.replace("waited == patience", "waited > patience"), "one look too many"),
        "one look too few": (STOP.replace("waited == patience", "waited == patience - 1"), SHOWN),
        "as high is better": (STOP.replace("loss < lowest", "loss <= lowest"), "no new best, and the first counts"),
        "from look to look": (
            "def best_step(history, patience):\n    waited, last, seen = 0, float('inf'), []\n"
            "    for step, loss in history:\n        waited = 0 if loss < last else waited + 1\n        last = loss\n"
            "        seen.append((loss, step))\n        if waited == patience:\n            break\n"
            "    return min(seen)[1]",
            "with the one before it",
        ),
        "the last step": ("def best_step(history, patience):\n    return history[-1][0]", SHOWN),
        "counts steps by 25": (
            STOP.replace("return best", "return 25 * (1 + [s for s, _ in history].index(best))"),
            SHOWN,
        ),
        "takes the looks out of the list": (
            STOP.replace("for step, loss in history:", "while history:\n        step, loss = history.pop(0)"),
            "changed the list",
        ),
        "prints": (STOP.replace("return best", "print(best)"), NOTHING),
    },
    ("check_weakest_group", ("weakest_group",)): {
        "the strongest": (LARGE + LOWEST.replace("min", "max"), "the strongest group"),
        "the most mistakes": (f"{LARGE}    return max(h, key=lambda n: len(h[n]) - sum(h[n]))", "most mistakes"),
        "the fewest hits": (f"{LARGE}    return min(h, key=lambda n: sum(h[n]))", "fewest hits"),
        "the smallest": (f"{LARGE}    return min(h, key=lambda n: len(h[n]))", "the smallest group"),
        "small groups, too": (HITS + LOWEST, "Leave out groups smaller"),
        "more than, not at least": (LARGE.replace(">=", ">") + LOWEST, "'at least' is >="),
        "always 20": (LARGE.replace(">= at_least", ">= 20") + LOWEST, "You ask for 20 texts"),
        "another default": (LARGE.replace("=20", "=10") + LOWEST, SHOWN),
        "at least 20 hits": (LARGE.replace("len(x) >=", "sum(x) >=") + LOWEST, SHOWN),
        "loses a group without a hit": (
            "def weakest_group(g, p, e, at_least=20):\n    n, h = {}, {}\n    for group, a, b in zip(g, p, e):\n"
            "        n[group] = n.get(group, 0) + 1\n        if a == b:\n            h[group] = h.get(group, 0) + 1\n"
            "    return min((x for x in h if n[x] >= at_least), key=lambda x: h[x] / n[x])",
            "It has an accuracy of 0",
        ),
        "how much is positive": (LARGE.replace("a == b", "a == 'POSITIVE'") + LOWEST, SHOWN),
        "rounds": (LARGE + LOWEST.replace("sum(h[n]) / len(h[n])", "round(sum(h[n]) / len(h[n]), 2)"), SHOWN),
        "the first by name": (f"{LARGE}    return min(h)", SHOWN),
        "its accuracy": (
            LARGE + LOWEST.replace("min(h, key=", "min(map(").replace("len(h[n]))", "len(h[n]), h))"),
            "It is 0.",
        ),
        "a pair": (
            f"{LARGE}    return min((sum(x) / len(x), n) for n, x in h.items())[::-1]",
            "It is a tuple",
        ),
        "prints": (f"{LARGE}    print(h)", NOTHING),
    },
}

RIGHT = {
    ("check_first_loss", ("first_loss",)): {
        "rounded": "first_loss = 1.6",
        "a little too high": "first_loss = 1.618",
        "an array": "first_loss = np.array(np.log(5))",
        "a tensor": "first_loss = torch.tensor(5.0).log()",
        "in half precision": "first_loss = np.float32(np.log(5))",
    },
    ("check_find_leaks", ("find_leaks",)): {
        "a tuple": CUT + FIND.replace("[t for", "tuple(t for").replace("seen]", "seen)"),
        "a Series": (
            f"import pandas as pd\n\n{CUT}    known = set().union(*map(cut, known))\n"
            "    table = pd.Series(texts, dtype=str)\n"
            "    return table[[bool(cut(t) & known) for t in texts]]"
        ),
        "one by one": (
            f"{CUT}    seen = set().union(*map(cut, known))\n    for t in texts:\n        if cut(t) & seen:\n"
            "            yield t"
        ),
    },
    ("check_cosine_rate", ("cosine_rate",)): {
        "by torch": WARM + FALL.replace("np.cos(np.pi * (", "torch.cos(torch.pi * torch.tensor("),
        "by a squared cosine": f"{WARM}    return peak * np.cos(np.pi / 2 * (step - warm) / (steps - warm)) ** 2",
    },
    ("check_lora_parameters", ("lora_parameters",)): {
        "NumPy": f"{LORA}r * np.array(shapes, dtype=int).sum()",
        "a tensor": f"{LORA}torch.tensor(shapes).sum() * r",
    },
    ("check_best_step", ("best_step",)): {
        "a number of NumPy": STOP.replace("return best", "return np.int64(best)"),
        "from the first look on": (
            "def best_step(history, patience):\n    best = 0\n    for i, (_, loss) in enumerate(history):\n"
            "        if loss < history[best][1]:\n            best = i\n        if i - best == patience:\n"
            "            break\n    return history[best][0]"
        ),
    },
    ("check_weakest_group", ("weakest_group",)): {
        "by pandas": (
            "import pandas as pd\n\n\ndef weakest_group(groups, predicted, expected, at_least=20):\n"
            "    right = pd.Series(np.array(predicted) == np.array(expected)).groupby(pd.Series(groups))\n"
            "    return right.mean()[right.size() >= at_least].idxmin()"
        ),
        "a text of NumPy": LARGE + LOWEST.replace("min(", "np.str_(min(") + ")",
    },
}


def base(**options):
    """The lesson's model: a pretrained encoder with a new head, and its tokenizer."""
    torch.manual_seed(0)
    folder = checkpoint("distilbert-base-uncased")
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, **options)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


@proves("leak", "too high", "remembered")
def a_parrot_with_a_leak_scores_higher_and_knows_no_more():
    table = reviews.load_labelled("train")[["text", "label"]]
    random = np.random.default_rng(6)

    def parrot(known, asked):
        labels = dict(zip(known["text"], known["label"], strict=True))
        return evaluation.accuracy([labels.get(text, "POSITIVE") for text in asked["text"]], asked["label"].tolist())

    twice = pd.concat([table, table.sample(frac=0.25, random_state=6)])  # a fifth of all these is a copy
    shuffled = twice.iloc[random.permutation(len(twice))]
    validation, train = shuffled[:3000], shuffled[3000:]
    fresh = reviews.load_labelled("validation")
    assert parrot(train, validation) > parrot(train, fresh) + 0.05
    apart = train[~train["text"].isin(validation["text"])]
    assert abs(parrot(apart, validation) - parrot(apart, fresh)) < 0.03


@proves("zero_grad", "sum", "three")
def gradients_add_up_until_someone_clears_them():
    model, tokenizer = base()
    batches = [tokenizer(text, return_tensors="pt") for text in reviews.load_labelled("train")["text"][:3]]

    def gradient(*batches):
        model.zero_grad()
        for batch in batches:
            model(**batch, labels=torch.tensor([1])).loss.backward()
        return model.classifier.weight.grad.clone()

    torch.testing.assert_close(gradient(*batches), sum(gradient(batch) for batch in batches))


@proves("curves", "step 300", "lowest")
def the_weights_of_the_lowest_held_out_loss_do_best_on_other_data():
    model, tokenizer = base()
    words = model.get_input_embeddings().weight.detach()

    def draw(split, size):
        """Reviews as the means of the lesson's word embeddings, with their labels: what a small head can learn from."""
        table = reviews.load_labelled(split).sample(size, random_state=6)
        ids = tokenizer(table["text"].tolist(), truncation=True, max_length=64)["input_ids"]
        means = torch.stack([words[row].mean(dim=0) for row in ids])
        return 20 * means, torch.tensor((table["label"] == "POSITIVE").tolist()).long()

    both = draw("validation", 1400)
    (x, y), held_out, others = draw("train", 60), [part[:700] for part in both], [part[700:] for part in both]
    head = torch.nn.Sequential(torch.nn.Linear(words.shape[1], 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    losses = []
    for _ in range(90):
        loss = torch.nn.functional.cross_entropy(head(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            seen = [torch.nn.functional.cross_entropy(head(a), b).item() for a, b in ((x, y), held_out, others)]
        losses.append(seen)
    training, held, other = zip(*losses, strict=True)
    best = held.index(min(held))
    assert 0 < best < 45
    assert training[-1] < training[best]
    assert other[best] < other[-1] - 0.1


@proves("noise", "two points", "Hardly anything")
def a_point_on_400_texts_is_less_than_its_standard_error():
    assert 0.015 < evaluation.standard_error(0.85, 400) < 0.02
    random = np.random.default_rng(6)
    worse, better = random.binomial(400, 0.85, 10_000), random.binomial(400, 0.86, 10_000)
    assert (better > worse).mean() < 0.7


@proves("merge", "As many as the model had before")
def a_merged_model_is_as_large_as_it_was():
    from peft import LoraConfig, get_peft_model

    model, _ = base()
    before = count_parameters(model)
    adapted = get_peft_model(
        model, LoraConfig(r=8, target_modules=["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"])
    )
    assert count_parameters(adapted, trainable_only=False) > before
    assert count_parameters(adapted.merge_and_unload(), trainable_only=False) == before


EQUIVALENT: dict[str, dict[str, str]] = {
    "find_leaks": {
        "line 3: known = list(dict.fromkeys(known)) comes first": "what is known becomes a set",
    },
    "cosine_rate": {
        "line 6: steps - warm becomes warm - steps": "a cosine is the same on both sides of 0",
        "line 6: step - warm becomes warm - step": "a cosine is the same on both sides of 0",
    },
    "lora_parameters": {
        "line 3:  for rows, columns in shapes becomes  for columns, rows in shapes": "rows and columns are added",
    },
    "best_step": {
        "line 3: best, lowest, waited = (None, float('inf'), 0) becomes lowest, waited = (float('inf'), 0)": "the first loss is below infinity and sets it",
        "line 3: (None, float('inf'), 0) becomes (None, float('inf'), 1)": "the first loss is below infinity and sets it to 0",
        "line 3: (None, float('inf'), 0) becomes (None, float('inf'), -1)": "the first loss is below infinity and sets it to 0",
        "line 3: history = list(dict.fromkeys(history)) comes first": "no step comes twice",
        "line 3: best, lowest, waited = (None, float('inf'), 0) becomes best, lowest = (None, float('inf'))": "the first loss is below infinity and sets it to 0",
        "line 3: 'inf' becomes 'INF'": "float reads both",
        "line 9: waited == patience becomes waited >= patience": "it grows by one at a time",
    },
    "weakest_group": {
        "line 4: zip(groups, predicted, expected, strict=True) becomes list(zip(groups, predicted, expected, strict=True))[::-1]": "the task: one group is weaker than all others, in any order of the texts",
        "line 4: for group, one, other in zip(groups, predicted, expected, strict=True): becomes for group, other, one in zip(groups, predicted, expected, strict=True):": "equal is equal from both sides",
        "line 4: zip(groups, predicted, expected, strict=True) becomes zip(groups, expected, predicted, strict=True)": "equal is equal from both sides",
    },
}
