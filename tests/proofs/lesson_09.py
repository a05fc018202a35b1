"""Lesson 9: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

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
    "    turns = ''.join(f\"<|im_start|>{{m['role']}}\\n{{m['content']}}<|im_end|>{after}\" for m in messages)\n"
    "    return {result}"
)
PENALIZE = "def penalize(logits, ids, penalty):\n    said = ids[0].unique()\n    x = logits.clone()\n    "

WRONG = {
    ("check_kept", ("kept",)): {
        "stops before the limit": ("kept = 2", "has to reach 0.8"),
        "one too many": ("kept = 4", "Would fewer"),
        "all of them": ("kept = 5", "the tail"),
        "the likeliest alone": ("kept = 1", "likeliest alone"),
        "none": ("kept = 0", "always stays"),
        "a probability": ("kept = 0.85", "That is a probability"),
        "the tokens": ("kept = [0.5, 0.2, 0.15]", "a number of tokens"),
        "some other number": ("kept = 7", "Add up"),
    },
    ("check_perplexity_of", ("perplexity_of",)): {
        "the mean surprise": (f"{SURPRISE}return sum(s) / n", "the mean surprise"),
        "the sign": (f"{SURPRISE}return math.exp(-sum(s) / n)", "Turned round"),
        "the sum": (f"{SURPRISE}return math.exp(sum(s))", "Take their mean"),
        "the mean probability": (f"{SURPRISE}return n / sum(probabilities)", "mean probability"),
        "the mean of 1/p": (f"{SURPRISE}return sum(1 / p for p in probabilities) / n", "mean of 1/p"),
        "two bases": (f"{SURPRISE}return 2 ** (sum(s) / n)", "of one kind"),
        "prints": (f"{SURPRISE}print(n)", "Return a number"),
        "something else": (f"{SURPRISE}return n", "should be"),
        "calls it": ("perplexity_of = 2.0", "without brackets"),
    },
    ("check_min_p", ("min_p",)): {
        "a fixed limit": (f"{MIN_P}return logits.masked_fill(p < share, -torch.inf)", "share itself"),
        "compares logits": (
            f"{MIN_P}return logits.masked_fill(logits < share * logits.max(dim=-1, keepdim=True).values, -torch.inf)",
            "You compare logits",
        ),
        "turned round": (f"{MIN_P}return logits.masked_fill(p >= share * top, -torch.inf)", "the likely ones stay"),
        "zeros": (f"{MIN_P}return logits.masked_fill(p < share * top, 0)", "no small one"),
        "probabilities": (f"{MIN_P}return p.masked_fill(p < share * top, 0)", "Those are probabilities"),
        "one maximum for all rows": (
            f"{MIN_P}return logits.masked_fill(p < share * p.max(), -torch.inf)",
            "a likeliest token of its own",
        ),
        "in place": (f"{MIN_P}logits[p < share * top] = -torch.inf\n    return logits", "as they are"),
        "log probabilities": (f"{MIN_P}return p.log().masked_fill(p < share * top, -torch.inf)", "have changed"),
        "the tokens": (f"{MIN_P}return logits[p >= share * top]", "of the shape"),
    },
    ("check_render_chat", ("render_chat",)): {
        "no opening": (CHAT.format(after="\\n", result="turns"), "has to be opened"),
        "closes the last turn": (
            CHAT.format(after="\\n", result="turns + '<|im_start|>assistant\\n<|im_end|>'"),
            "Leave the last turn open",
        ),
        "no line break at the end": (CHAT.format(after="\\n", result="turns + '<|im_start|>assistant'"), "last role"),
        "no line break after a turn": (
            CHAT.format(after="", result="turns + '<|im_start|>assistant\\n'"),
            "line break, too",
        ),
        "backslash and n": (CHAT.format(after="\\\\n", result="turns + '<|im_start|>assistant\\n'"), "Right as far as"),
        "the default system turn": (
            CHAT.format(
                after="\\n",
                result="'<|im_start|>system\\nI am named SmolLM<|im_end|>\\n' + turns + '<|im_start|>assistant\\n'",
            ),
            "default system turn",
        ),
        "no signs": (
            "def render_chat(messages):\n    return '\\n'.join(m['content'] for m in messages)",
            "in the text",
        ),
        "the messages": ("def render_chat(messages):\n    return messages", "Return one text"),
    },
    ("check_penalize", ("penalize",)): {
        "divides all": (f"{PENALIZE}x[:, said] = x[:, said] / penalty\n    return x", "closer to 0"),
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
            "You changed the logits",
        ),
        "forbids": (f"{PENALIZE}x[:, said] = -torch.inf\n    return x", "That forbids"),
        "loses the change": (f"{PENALIZE}return logits.clone()", "Nothing has changed"),
        "only those said": (f"{PENALIZE}return x[:, said] / penalty", "of the shape"),
        "the other tokens": (
            f"{PENALIZE}y = torch.where(x > 0, x / penalty, x * penalty)\n    y[:, said] = x[:, said]\n    return y",
            "the ones to penalize",
        ),
    },
}


def small_decoder() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=60,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        eos_token_id=None,
    )
    return LlamaForCausalLM(config).eval()


@proves("greedy", "They don't")
def greedy_has_no_chance_in_it():
    model, ids = small_decoder(), torch.tensor([[3, 7, 9]])
    texts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        texts.append(generation.generate(model, ids, 20).tolist())
    assert texts[0] == texts[1]


@proves("temperature", "16")
def half_the_temperature_squares_a_ratio():
    logits = torch.tensor([0.8, 0.2]).log()
    first, second = generation.with_temperature(logits, 0.5).softmax(dim=-1)
    assert abs(first / second - 16) < 1e-4


@proves("cache", "Nothing", "same")
def the_cache_changes_no_token():
    model, ids = small_decoder(), torch.tensor([[3, 7, 9]])
    with_cache, without = (generation.generate(model, ids, 30, cache=cache) for cache in (True, False))
    assert torch.equal(with_cache, without)


@proves("template", "go on with", "no error")
def without_the_template_the_ids_are_only_those_of_the_text():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint("HuggingFaceTB/SmolLM2-135M-Instruct"))
    question = "What is the capital of France?"
    assert not set(tokenizer(question)["input_ids"]) & set(tokenizer.all_special_ids)
    chat = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False)
    assert set(tokenizer(chat)["input_ids"]) & set(tokenizer.all_special_ids)


@proves("few_shot", "Nothing", "more text")
def examples_leave_the_weights_as_they_are():
    model = small_decoder()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    question, examples = torch.tensor([[3, 7, 9]]), torch.tensor([[5, 6, 5, 6, 3, 7, 9]])
    with torch.inference_mode():
        alone = model(question).logits[0, -1]
        shown = model(examples).logits[0, -1]
        again = model(question).logits[0, -1]
    assert not torch.allclose(alone, shown)
    assert torch.equal(alone, again)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


EQUIVALENT: dict[str, dict[str, str]] = {
    "perplexity_of": {
        "line 3: probabilities.reverse() comes first": "a sum has no order",
        "line 3: probabilities *= 2 comes first": "twice as many have the same mean",
        "line 3:  for p in probabilities becomes  for p in list(probabilities)[::-1]": "a sum has no order",
    },
    "min_p": {
        "line 3: logits.softmax(dim=-1) becomes logits.softmax(dim=1)": "logits have two dimensions",
        "line 4: probabilities.max(dim=-1, keepdim=True) becomes probabilities.max(dim=1, keepdim=True)": "logits have two dimensions",
    },
    "penalize": {
        "line 3: ids[0] becomes ids[-1]": "there is one row",
        "line 3: ids[0].unique() becomes ids[0]": "a logit that is written twice gets the same value twice",
        "line 3: ids[0] becomes ids": "the index has a dimension more, and the values with it",
        "line 7: seen > 0 becomes seen >= 0": "0 stays 0 by both",
        "line 9: return changed becomes return changed[:1]": "there is one row",
    },
}

HOLES = {
    "perplexity_of": [
        "line 3: probabilities = list(dict.fromkeys(probabilities)) comes first",
    ],
    "min_p": [
        "line 6: probabilities < share * highest becomes probabilities <= share * highest",
    ],
}
