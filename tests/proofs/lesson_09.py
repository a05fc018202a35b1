"""Lesson 9: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import functools

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from course_utils import checkpoint
from course_utils.modeling import generation
from proofs import Proofs

proves = Proofs()

LUCKY = {"check_kept": [3]}

SURPRISE = (
    "import math\ndef perplexity_of(probabilities):\n    s = [-math.log(p) for p in probabilities]\n"
    "    n = len(s)\n    "
)
MIN_P = "def min_p(logits, share):\n    p = logits.softmax(dim=-1)\n    top = p.max(dim=-1, keepdim=True).values\n    "
CHAT = (
    "def render_chat(messages):\n"
    "    turns = ''.join(f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\\n\" for m in messages)\n"
    "    opening = '<|im_start|>assistant\\n'\n    "
)
TEMPLATE = "tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)"
PENALIZE = "def penalize(logits, ids, penalty):\n    said = ids[0].unique()\n    x = logits.clone()\n    "


def filled(where: str, by: str = "-torch.inf") -> str:
    """An answer to the third exercise that fills these places."""
    return f"{MIN_P}return logits.masked_fill({where}, {by})"


WRONG = {
    ("check_kept", ("kept",)): {
        "stops before the limit": ("kept = 2", "has to reach 0.8"),
        "one too many": ("kept = 4", "Would fewer"),
        "all of them": ("kept = 5", "the tail"),
        "the likeliest alone": ("kept = 1", "likeliest alone"),
        "none": ("kept = 0", "always stays"),
        "a probability": ("kept = 0.85", "That is a probability"),
        "no whole number": ("kept = 2.5", "should be a whole number"),
        "the tokens": ("kept = [0.5, 0.2, 0.15]", "It is a list of 3"),
        "some other number": ("kept = 7", "7 can't stay"),
    },
    ("check_perplexity_of", ("perplexity_of",)): {
        "the mean surprise": (f"{SURPRISE}return sum(s) / n", "the mean surprise"),
        "the sign": (f"{SURPRISE}return math.exp(-sum(s) / n)", "Turned round"),
        "the sum": (f"{SURPRISE}return math.exp(sum(s))", "added up the surprises"),
        "the mean probability": (f"{SURPRISE}return n / sum(probabilities)", "1 by the mean probability"),
        "the mean of 1/p": (f"{SURPRISE}return sum(1 / p for p in probabilities) / n", "mean of 1/p"),
        "the median": (f"{SURPRISE}import statistics\n    return math.exp(statistics.median(s))", "the median"),
        "the largest": (f"{SURPRISE}return math.exp(max(s))", "the largest surprise"),
        "powers of 2": (f"{SURPRISE}return 2 ** (sum(s) / n)", "to base e, and the power is one of 2"),
        "powers of 10": (f"{SURPRISE}return 10 ** (sum(s) / n)", "to base e, and the power is one of 10"),
        "log2": (f"{SURPRISE}return math.exp(sum(-math.log2(p) for p in probabilities) / n)", "to base 2"),
        "log10": (f"{SURPRISE}return math.exp(sum(-math.log10(p) for p in probabilities) / n)", "to base 10"),
        "each once": (
            f"{SURPRISE}s = [-math.log(p) for p in set(probabilities)]\n    return math.exp(sum(s) / len(s))",
            "each probability once",
        ),
        "the first forgotten": (
            f"{SURPRISE}return math.exp(sum(s[1:]) / max(1, n - 1))",
            "perplexity_of([0.9, 0.1]) should be 3.33333",
        ),
        "the product": (f"{SURPRISE}return math.prod(probabilities) ** (-1 / n)", "Short texts are right"),
        "the product, in NumPy": (
            f"{SURPRISE}import numpy as np\n    with np.errstate(all='ignore'):\n"
            "        return np.prod(probabilities) ** (-1 / n)",
            "Short texts are right",
        ),
        "prints": (f"{SURPRISE}print(n)", "Is there a return"),
        "something else": (f"{SURPRISE}return n", "perplexity_of([0.5, 0.5, 0.5]) should be 2. Yours is 3"),
        "calls it": ("perplexity_of = 2.0", "without brackets"),
    },
    ("check_min_p", ("min_p",)): {
        "a fixed limit": (filled("p < share"), "share itself"),
        "compares logits": (filled("logits < share * logits.max(dim=-1, keepdim=True).values"), "You compare logits"),
        "turned round": (filled("p >= share * top"), "the likely ones stay"),
        "more than": (filled("p <= share * top"), "at least means >="),
        "a distance": (filled("p < top - share"), "take share off"),
        "the likeliest alone": (filled("p < top"), "the likeliest alone"),
        "zeros": (filled("p < share * top", "0"), "each gets the logit 0."),
        "a large number": (filled("p < share * top", "-1e9"), "each gets the logit -1e+09"),
        "the smallest number": (filled("p < share * top", "torch.finfo(logits.dtype).min"), "each gets the logit -3.4"),
        "probabilities": (f"{MIN_P}return p.masked_fill(p < share * top, 0)", "Those are probabilities. Return logits"),
        "all probabilities": (f"{MIN_P}return p", "Those are all probabilities"),
        "probabilities and infinity": (
            f"{MIN_P}return p.masked_fill(p < share * top, -torch.inf)",
            "Those are probabilities, with minus infinity",
        ),
        "one maximum for all rows": (filled("p < share * p.max()"), "a likeliest token of its own"),
        "softmax over the texts": (
            "def min_p(logits, share):\n    p = logits.softmax(dim=0)\n"
            "    return logits.masked_fill(p < share * p.max(dim=-1, keepdim=True).values, -torch.inf)",
            "softmax over dim=-1, and not",
        ),
        "the largest over the texts": (filled("p < share * p.amax(dim=0, keepdim=True)"), "the largest over dim=-1"),
        "a mask": (f"{MIN_P}return p >= share * top", "a mask of True and False"),
        "in place": (f"{MIN_P}logits[p < share * top] = -torch.inf\n    return logits", "changed the tensor"),
        "log probabilities": (f"{MIN_P}return p.log().masked_fill(p < share * top, -torch.inf)", "with the logarithms"),
        "the tokens": (f"{MIN_P}return logits[p >= share * top]", "Yours have the shape"),
        "NumPy": (f"{MIN_P}return logits.numpy()", "Return a tensor of logits"),
        "no change": (
            f"{MIN_P}logits.masked_fill(p < share * top, -torch.inf)\n    return logits",
            "Nothing has changed",
        ),
        "a share of its own": (filled("p < 0.3 * top"), "of the highest probability should"),
        "top-p": (f"{MIN_P}return keep_top_p(logits, share)", "of the highest probability should"),
    },
    ("check_render_chat", ("render_chat",)): {
        "no opening": (f"{CHAT}return turns", "has to be opened"),
        "closes the last turn": (f"{CHAT}return turns + opening + '<|im_end|>'", "says <|im_end|> itself"),
        "closes the last line, too": (f"{CHAT}return turns + opening + '<|im_end|>\\n'", "and a line break itself"),
        "no line break at the end": (f"{CHAT}return turns + opening.strip()", "After the last role"),
        "no line break after a turn": (
            f"{CHAT}return turns.replace('<|im_end|>\\n', '<|im_end|>') + opening",
            "comes a line break, too",
        ),
        "a space after the role": (
            f"{CHAT}return (turns + opening).replace('system\\n', 'system ')",
            "Right as far as",
        ),
        "backslash and n": (f"{CHAT}return (turns + opening).replace('\\n', '\\\\n')", "There is a backslash"),
        "the default system turn": (f"{CHAT}return {TEMPLATE}", "the tokenizer's own template puts in front"),
        "always the default": (
            f"{CHAT}default = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face'\n"
            "    return '<|im_start|>system\\n' + default + '<|im_end|>\\n' + turns + opening",
            "in front of each chat",
        ),
        "stripped": (
            CHAT.replace("m['content']", "m['content'].strip()") + "return turns + opening",
            "Put the contents in as they are",
        ),
        "the last message": (
            f"{CHAT}return ('<|im_start|>' + turns.split('<|im_start|>')[-1]) + opening",
            "Only the last message",
        ),
        "the first message": (
            f"{CHAT}return (turns.split('<|im_end|>\\n')[0] + '<|im_end|>\\n') + opening",
            "Only the first message",
        ),
        "opens every turn": (
            f"{CHAT}return turns.replace('<|im_end|>\\n', '<|im_end|>\\n' + opening)",
            "not after each",
        ),
        "everybody is the user": (
            CHAT.replace("{m['role']}", "user") + "return turns + opening",
            "Each turn says who speaks",
        ),
        "an empty turn is left out": (
            CHAT.replace("in messages)", "in messages if m['content'])") + "return turns + opening",
            "Right as far as",
        ),
        "no signs": (
            "def render_chat(messages):\n    return '\\n'.join(m['content'] for m in messages)",
            "the contents alone",
        ),
        "changes the messages": (
            f"{CHAT}messages.append({{'role': 'assistant', 'content': ''}})\n    return turns + opening",
            "changed the list",
        ),
        "the messages": ("def render_chat(messages):\n    return messages", "It is a list of 2"),
        "bytes": (f"{CHAT}return (turns + opening).encode()", "It is a bytes of"),
    },
    ("check_penalize", ("penalize",)): {
        "divides all": (f"{PENALIZE}x[:, said] = x[:, said] / penalty\n    return x", "closer to 0"),
        "multiplies all": (
            f"{PENALIZE}x[:, said] = x[:, said] * penalty\n    return x",
            "Multiplying makes a positive",
        ),
        "subtracts": (f"{PENALIZE}x[:, said] = x[:, said] - penalty\n    return x", "You subtract"),
        "every token": (f"{PENALIZE}return torch.where(x > 0, x / penalty, x * penalty)", "every token"),
        "turned round": (
            f"{PENALIZE}x[:, said] = torch.where(x[:, said] > 0, x[:, said] * penalty, x[:, said] / penalty)\n"
            "    return x",
            "likelier still",
        ),
        "once for each time": (
            f"{PENALIZE}for t in ids[0]:\n        x[0, t] = x[0, t] / penalty if x[0, t] > 0 else x[0, t] * penalty\n"
            "    return x",
            "penalized twice",
        ),
        "in place": (
            f"{PENALIZE}s = logits[:, said]\n    logits[:, said] = torch.where(s > 0, s / penalty, s * penalty)\n"
            "    return logits",
            "changed the tensor",
        ),
        "the ids in place": (f"{PENALIZE}ids.zero_()\n    return x", "changed the tensor"),
        "forbids": (f"{PENALIZE}x[:, said] = -torch.inf\n    return x", "That forbids"),
        "zeros": (f"{PENALIZE}x[:, said] = 0\n    return x", "That makes their logits 0"),
        "loses the change": (f"{PENALIZE}return logits.clone()", "Nothing has changed"),
        "the last token": (
            f"{PENALIZE}s = x[:, ids[0, -1]]\n    x[:, ids[0, -1]] = torch.where(s > 0, s / penalty, s * penalty)\n"
            "    return x",
            "the last token alone",
        ),
        "the first token": (
            f"{PENALIZE}s = x[:, ids[0, 0]]\n    x[:, ids[0, 0]] = torch.where(s > 0, s / penalty, s * penalty)\n"
            "    return x",
            "the first token alone",
        ),
        "a penalty of its own": (
            f"{PENALIZE}s = x[:, said]\n    x[:, said] = torch.where(s > 0, s / 1.5, s * 1.5)\n    return x",
            "With a penalty of",
        ),
        "the more often": (
            f"{PENALIZE}said, n = ids[0].unique(return_counts=True)\n    s = x[:, said]\n"
            "    x[:, said] = torch.where(s > 0, s / (penalty * n), s * penalty * n)\n    return x",
            "With a penalty of",
        ),
        "only those said": (f"{PENALIZE}return x[:, said] / penalty", "Yours have the shape"),
        "one row": (f"{PENALIZE}return x[0]", "Yours have the shape"),
        "the other tokens": (
            f"{PENALIZE}y = torch.where(x > 0, x / penalty, x * penalty)\n    y[:, said] = x[:, said]\n    return y",
            "the ones to penalize",
        ),
    },
}

RIGHT = {
    ("check_kept", ("kept",)): {
        "NumPy": "import numpy as np\nkept = np.int64(3)",
        "torch": "kept = torch.tensor(3)",
        "a float": "kept = 3.0",
    },
    ("check_perplexity_of", ("perplexity_of",)): {
        "torch": "def perplexity_of(probabilities):\n    return (-torch.tensor(probabilities).log().mean()).exp()",
        "NumPy": (
            "import numpy as np\ndef perplexity_of(probabilities):\n"
            "    return np.float32(np.exp(-np.mean(np.log(probabilities))))"
        ),
        "powers of 2 throughout": (
            "import math\ndef perplexity_of(probabilities):\n"
            "    return 2 ** (-sum(math.log2(p) for p in probabilities) / len(probabilities))"
        ),
        "roots": (
            "import math\ndef perplexity_of(probabilities):\n"
            "    return math.prod(p ** (-1 / len(probabilities)) for p in probabilities)"
        ),
    },
    ("check_min_p", ("min_p",)): {
        "in logits": (
            "import math\ndef min_p(logits, share):\n"
            "    low = logits.max(dim=-1, keepdim=True).values + math.log(share)\n"
            "    return torch.where(logits >= low, logits, -torch.inf)"
        ),
        "a copy": f"{MIN_P}new = logits.clone()\n    new[p < share * top] = float('-inf')\n    return new",
        "in double": f"{MIN_P}return logits.double().masked_fill(p < share * top, -torch.inf)",
        "each beside the likeliest": filled("p / top < share"),
    },
    ("check_render_chat", ("render_chat",)): {
        "a loop": (
            "def render_chat(messages):\n    text = ''\n    for message in messages:\n"
            "        text += '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'\n"
            "    text += '<|im_start|>assistant\\n'\n    return text"
        ),
        "format": (
            "def render_chat(messages):\n    turn = '<|im_start|>{role}\\n{content}<|im_end|>\\n'\n"
            "    return ''.join(turn.format(**m) for m in messages) + '<|im_start|>assistant\\n'"
        ),
    },
    ("check_penalize", ("penalize",)): {
        "as the library does": (
            "def penalize(logits, ids, penalty):\n    seen = logits.gather(1, ids)\n"
            "    seen = torch.where(seen < 0, seen * penalty, seen / penalty)\n    return logits.scatter(1, ids, seen)"
        ),
        "a loop": (
            "def penalize(logits, ids, penalty):\n    new = logits.clone()\n    for token in set(ids[0].tolist()):\n"
            "        new[0, token] *= 1 / penalty if new[0, token] > 0 else penalty\n    return new"
        ),
        "as double": (
            f"{PENALIZE}s = x[:, said]\n    x[:, said] = torch.where(s > 0, s / penalty, s * penalty)\n"
            "    return x.double()"
        ),
    },
}


@functools.cache
def lesson_model() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    folder = checkpoint("HuggingFaceTB/SmolLM2-135M-Instruct")
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(
        folder
    )


def ids_of(text: str) -> torch.Tensor:
    return lesson_model()[1](text, return_tensors="pt")["input_ids"]


def logits_after(text: str) -> torch.Tensor:
    with torch.inference_mode():
        return lesson_model()[0](ids_of(text)).logits[:, -1]


@proves("greedy", "They don't")
def greedy_has_no_chance_in_it():
    texts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        texts.append(generation.generate(lesson_model()[0], ids_of("The film was"), 10).tolist())
    assert texts[0] == texts[1]


@proves("temperature", "16")
def half_the_temperature_squares_a_ratio():
    logits = torch.tensor([0.8, 0.2]).log()
    first, second = generation.with_temperature(logits, 0.5).softmax(dim=-1)
    assert abs(first / second - 16) < 1e-4
    probabilities = logits_after("The film was").softmax(dim=-1)[0]
    sharper = generation.with_temperature(logits_after("The film was"), 0.5).softmax(dim=-1)[0]
    likeliest, other = probabilities.topk(50).indices[[0, -1]]
    squared = (probabilities[likeliest] / probabilities[other]) ** 2
    assert abs(sharper[likeliest] / sharper[other] / squared - 1) < 1e-3


@proves("cache", "Not a token", "costs less")
def the_cache_changes_no_token():
    model, ids = lesson_model()[0], ids_of("The capital of France is")
    with_cache, without = (generation.generate(model, ids, 8, cache=cache) for cache in (True, False))
    assert torch.equal(with_cache, without)


@proves("template", "go on with", "no error")
def without_the_template_no_answer_is_asked_for():
    model, tokenizer = lesson_model()
    question = "What is the capital of France?"
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    said = {}
    for text in (question, chat):
        ids = ids_of(text)
        said[text] = tokenizer.decode(generation.generate(model, ids, 10)[0, ids.shape[1] :])
    assert "Paris" in said[chat]
    assert "Paris" not in said[question]
    assert not set(ids_of(question)[0].tolist()) & set(tokenizer.all_special_ids)


@proves("few_shot", "more text to go on from", "weights the same")
def examples_change_the_logits_and_not_the_weights():
    question = "Review: I loved it.\nSentiment:"
    before = {name: tensor.clone() for name, tensor in lesson_model()[0].state_dict().items()}
    alone = logits_after(question)
    shown = logits_after(f"Review: Broke at once.\nSentiment: negative\n\n{question}")
    assert not torch.allclose(alone, shown)
    assert torch.equal(alone, logits_after(question))
    assert all(torch.equal(tensor, before[name]) for name, tensor in lesson_model()[0].state_dict().items())


EQUIVALENT: dict[str, dict[str, str]] = {
    "perplexity_of": {
        "line 3:  for p in probabilities becomes  for p in list(probabilities)[::-1]": "a sum has no order",
    },
    "penalize": {
        "line 3: ids[0] becomes ids[-1]": "there is one row",
        "line 3: ids[0].unique() becomes ids[0]": "a logit that is written twice gets the same value twice",
        "line 3: ids[0] becomes ids": "the index has a dimension more, and the values with it",
        "line 7: seen > 0 becomes seen >= 0": "0 stays 0 by both",
        "line 9: return changed becomes return changed[:1]": "there is one row",
    },
}
