"""Lesson 6: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import numpy as np
import torch

from course_utils import count_parameters
from course_utils.modeling import evaluation
from proofs import Proofs

proves = Proofs()

LUCKY = {}

WRONG = {
    ("check_first_loss", ("first_loss",)): {
        "two labels": ("first_loss = 0.693", "two labels"),
        "forgets the minus": ("first_loss = np.log(1 / 5)", "minus that"),
        "the probability": ("first_loss = 1 / 5", "probability of each label"),
        "one minus the probability": ("first_loss = 0.8", "share of wrong guesses"),
        "base 2": ("first_loss = np.log2(5)", "base 2"),
        "too low": ("first_loss = 0", "Too low"),
        "too high": ("first_loss = 5", "Too high"),
        "a text": ("first_loss = '1.61'", "is a number"),
    },
    ("check_find_leaks", ("find_leaks",)): {
        "whole texts only": ("find_leaks = find_copies", "one of its sentences"),
        "word for word": (
            "def find_leaks(known, texts):\n    return [t for t in texts if t in known]",
            "commas, capitals and spaces",
        ),
        "single words": (
            "def find_leaks(known, texts):\n    seen = {w for t in known for w in normalise(t).split()}\n"
            "    return [t for t in texts if set(normalise(t).split()) & seen]",
            "Compare whole sentences",
        ),
        "a part of a sentence": (
            "def find_leaks(known, texts):\n    every = ' | '.join(map(normalise, known))\n"
            "    return [t for t in texts if any(p and p in every for p in map(normalise, re.split('[.!?]', t)))]",
            "Compare whole sentences",
        ),
        "keeps what is empty": (
            "def find_leaks(known, texts):\n    cut = lambda t: {normalise(p) for p in re.split('[.!?]', t)}\n"
            "    seen = set().union(*map(cut, known))\n    return [t for t in texts if cut(t) & seen]",
            "Leave out what is empty",
        ),
        "only the first sentence": (
            "def find_leaks(known, texts):\n    first = lambda t: normalise(re.split('[.!?]', t)[0])\n"
            "    seen = {first(t) for t in known}\n    return [t for t in texts if first(t) and first(t) in seen]",
            "one of its sentences",
        ),
        "returns them normalised": (
            "def find_leaks(known, texts):\n    return [normalise(t) for t in find_copies(known, texts)]",
            "as they came",
        ),
        "prints": ("def find_leaks(known, texts):\n    print(known)", "returned None"),
        "a number": ("def find_leaks(known, texts):\n    return 0", "Return a list"),
    },
    ("check_cosine_rate", ("cosine_rate",)): {
        "a straight line": ("cosine_rate = learning_rate", "straight line"),
        "a whole cosine": (
            "def cosine_rate(step, steps, peak):\n    warm = steps // 10\n"
            "    if step < warm:\n        return peak * step / warm\n"
            "    return peak * np.cos(np.pi * (step - warm) / (steps - warm))",
            "below zero",
        ),
        "t from the first step": (
            "def cosine_rate(step, steps, peak):\n    warm = steps // 10\n"
            "    if step < warm:\n        return peak * step / warm\n"
            "    return peak * (1 + np.cos(np.pi * step / steps)) / 2",
            "angle 0",
        ),
        "no warm-up": (
            "def cosine_rate(step, steps, peak):\n    t = (step - steps // 10) / (steps - steps // 10)\n"
            "    return peak * (1 + np.cos(np.pi * t)) / 2",
            "Half way through the warm-up",
        ),
        "not halved": (
            "def cosine_rate(step, steps, peak):\n    warm = steps // 10\n"
            "    if step < warm:\n        return peak * step / warm\n"
            "    return peak * (1 + np.cos(np.pi * (step - warm) / (steps - warm)))",
            "the rate is the peak",
        ),
        "forgets the peak": (
            "def cosine_rate(step, steps, peak):\n    warm = steps // 10\n"
            "    if step < warm:\n        return step / warm\n"
            "    return (1 + np.cos(np.pi * (step - warm) / (steps - warm))) / 2",
            "Multiply by peak",
        ),
        "degrees": (
            "def cosine_rate(step, steps, peak):\n    warm = steps // 10\n"
            "    if step < warm:\n        return peak * step / warm\n"
            "    return peak * (1 + np.cos(180 * (step - warm) / (steps - warm))) / 2",
            "Half way down",
        ),
    },
    ("check_lora_parameters", ("lora_parameters",)): {
        "the matrix itself": (
            "def lora_parameters(shapes, r):\n    return sum(rows * columns for rows, columns in shapes)",
            "LoRA leaves them alone",
        ),
        "frozen ones, too": (
            "def lora_parameters(shapes, r):\n    return sum(m * n + r * (m + n) for m, n in shapes)",
            "A and B, not W",
        ),
        "one of the two": (
            "def lora_parameters(shapes, r):\n    return sum(r * rows for rows, columns in shapes)",
            "one of the two thin",
        ),
        "without r": (
            "def lora_parameters(shapes, r):\n    return sum(rows + columns for rows, columns in shapes)",
            "Where is r",
        ),
        "multiplies": (
            "def lora_parameters(shapes, r):\n    return sum(r * rows * columns for rows, columns in shapes)",
            "don't multiply",
        ),
        "the first matrix only": (
            "def lora_parameters(shapes, r):\n    return r * sum(shapes[0]) if shapes else 0",
            "first matrix only",
        ),
        "a text": ("def lora_parameters(shapes, r):\n    return str(shapes)", "is a number"),
    },
    ("check_best_step", ("best_step",)): {
        "the lowest of all": (
            "def best_step(history, patience):\n    return min(history, key=lambda pair: pair[1])[0]",
            "you had stopped",
        ),
        "where it stops": (
            "def best_step(history, patience):\n    lowest, waited = float('inf'), 0\n"
            "    for step, loss in history:\n        waited = 0 if loss < lowest else waited + 1\n"
            "        lowest = min(lowest, loss)\n        if waited == patience:\n            break\n    return step",
            "the weights to keep are older",
        ),
        "the loss": (
            "def best_step(history, patience):\n    return min(loss for _, loss in history[: patience + 2])",
            "That is a loss",
        ),
        "a place": ("def best_step(history, patience):\n    return 1", "a place in the list"),
        "stops at the first rise": (
            "def best_step(history, patience):\n    for one, other in zip(history, history[1:]):\n"
            "        if other[1] >= one[1]:\n            return one[0]\n    return history[-1][0]",
            "With patience 5",
        ),
        "never resets the count": (
            "def best_step(history, patience):\n    best, lowest, waited = None, float('inf'), 0\n"
            "    for step, loss in history:\n        if loss < lowest:\n            best, lowest = step, loss\n"
            "        else:\n            waited += 1\n        if waited == patience:\n            break\n"
            "    return best",
            "set your count back",
        ),
    },
    ("check_weakest_group", ("weakest_group",)): {
        "the strongest": (
            "def weakest_group(g, p, e, at_least=20):\n    h = {}\n    for n, a, b in zip(g, p, e):\n"
            "        h.setdefault(n, []).append(a == b)\n    return max(h, key=lambda n: sum(h[n]) / len(h[n]))",
            "not the highest",
        ),
        "the most mistakes": (
            "def weakest_group(g, p, e, at_least=20):\n    h = {}\n    for n, a, b in zip(g, p, e):\n"
            "        h[n] = h.get(n, 0) + (a != b)\n    return max(h, key=h.get)",
            "Divide by the size",
        ),
        "small groups, too": (
            "def weakest_group(g, p, e, at_least=20):\n    h = {}\n    for n, a, b in zip(g, p, e):\n"
            "        h.setdefault(n, []).append(a == b)\n    return min(h, key=lambda n: sum(h[n]) / len(h[n]))",
            "Leave out groups smaller",
        ),
        "more than, not at least": (
            "def weakest_group(g, p, e, at_least=20):\n    h = {}\n    for n, a, b in zip(g, p, e):\n"
            "        h.setdefault(n, []).append(a == b)\n    h = {n: x for n, x in h.items() if len(x) > at_least}\n"
            "    return min(h, key=lambda n: sum(h[n]) / len(h[n]))",
            "'at least' is >=",
        ),
        "its accuracy": ("def weakest_group(g, p, e, at_least=20):\n    return 0.6", "Return the name of the group"),
        "a pair": ("def weakest_group(g, p, e, at_least=20):\n    return 'film', 0.6", "the name alone"),
    },
}


@proves("leak", "too high", "remembered")
def a_parrot_with_a_leak_scores_higher_and_knows_no_more():
    random = np.random.default_rng(6)
    labels = dict(enumerate(random.integers(0, 2, 2000).tolist()))
    train, validation, fresh = range(1000), range(1000, 1500), range(1500, 2000)

    def score(known, asked):
        return evaluation.accuracy([labels[i] if i in known else 1 for i in asked], [labels[i] for i in asked])

    leaky = {*train, *list(validation)[:100]}
    assert score(leaky, validation) > score(set(train), validation) + 0.05
    assert score(leaky, fresh) == score(set(train), fresh)


@proves("zero_grad", "sum", "three")
def gradients_add_up_until_someone_clears_them():
    weight = torch.nn.Parameter(torch.ones(3))
    batches = [torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6]), torch.tensor([0.5, 0, 1])]
    for batch in batches:
        (weight * batch).sum().backward()
    torch.testing.assert_close(weight.grad, sum(batches))


@proves("curves", "step 300", "lowest")
def the_weights_of_the_lowest_held_out_loss_do_best_on_other_data():
    generator = torch.Generator().manual_seed(6)
    torch.manual_seed(6)

    def draw(size):
        x = torch.randn(size, 20, generator=generator)
        noisy = x[:, 0] + 1.5 * torch.randn(size, generator=generator) > 0
        return x, noisy.long()

    (x, y), held_out, others = draw(60), draw(2000), draw(2000)
    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            seen = [torch.nn.functional.cross_entropy(model(a), b).item() for a, b in ((x, y), held_out, others)]
        losses.append(seen)
    training, held, other = zip(*losses, strict=True)
    assert training[-1] == min(training)
    best = held.index(min(held))
    assert 0 < best < 75
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

    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Linear(20, 2))
    before = count_parameters(model)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["0"]))
    assert count_parameters(adapted, trainable_only=False) > before
    assert count_parameters(adapted.merge_and_unload(), trainable_only=False) == before


EQUIVALENT: dict[str, dict[str, str]] = {
    "find_leaks": {
        "line 3: known.reverse() comes first": "what is known becomes a set",
        "line 3: known *= 2 comes first": "what is known becomes a set",
        "line 3: known = list(dict.fromkeys(known)) comes first": "what is known becomes a set",
    },
    "cosine_rate": {
        "line 6: steps - warm becomes warm - steps": "a cosine is the same on both sides of 0",
        "line 6: step - warm becomes warm - step": "a cosine is the same on both sides of 0",
    },
    "lora_parameters": {
        "line 3: shapes.reverse() comes first": "a sum has no order",
        "line 3:  for rows, columns in shapes becomes  for columns, rows in shapes": "rows and columns are added",
    },
    "best_step": {
        "line 3: (None, float('inf'), 0) becomes (None, float('inf'), 1)": "the first loss is below infinity and sets it to 0",
        "line 3: (None, float('inf'), 0) becomes (None, float('inf'), -1)": "the first loss is below infinity and sets it to 0",
        "line 3: history *= 2 comes first": "the second time round nothing is lower",
        "line 3: history = list(dict.fromkeys(history)) comes first": "no step comes twice",
        "line 3: best, lowest, waited = (None, float('inf'), 0) becomes best, lowest = (None, float('inf'))": "the first loss is below infinity and sets it to 0",
        "line 3: 'inf' becomes 'INF'": "float reads both",
        "line 9: waited == patience becomes waited >= patience": "it grows by one at a time",
    },
    "weakest_group": {
        "line 4: for group, one, other in zip(groups, predicted, expected, strict=True): becomes for group, other, one in zip(groups, predicted, expected, strict=True):": "equal is equal from both sides",
        "line 4: zip(groups, predicted, expected, strict=True) becomes zip(groups, expected, predicted, strict=True)": "equal is equal from both sides",
    },
}

HOLES = {
    "find_leaks": [
        "line 3: texts = list(dict.fromkeys(texts)) comes first",
        "line 4: '[.!?]' becomes '[.!]'",
        "line 7: [text for text in texts if sentences(text) & seen] becomes list(dict.fromkeys([text for text in texts if sentences(text) & seen]))",
    ],
    "lora_parameters": [
        "line 3: shapes *= 2 comes first",
        "line 3: shapes = list(dict.fromkeys(shapes)) comes first",
    ],
    "best_step": [
        "line 3: best, lowest, waited = (None, float('inf'), 0) becomes lowest, waited = (float('inf'), 0)",
    ],
    "weakest_group": [
        "line 1: 20 becomes 21",
        "line 1: 20 becomes 19",
        "line 1: groups, predicted, expected, at_least=20 becomes groups, predicted, expected, at_least",
        "line 1: 20 becomes 200",
        "line 1: 20 becomes 0",
        "line 1: 20 becomes -20",
        "line 3: expected.reverse() comes first",
        "line 4: zip(groups, predicted, expected, strict=True) becomes list(zip(groups, predicted, expected, strict=True))[::-1]",
        "line 5: one == other becomes one >= other",
        "line 6: sum(of) / len(of) becomes sum(of) / (len(of) - 1)",
    ],
}
