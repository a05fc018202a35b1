"""Lesson 5: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, DistilBertConfig, LlamaConfig

from course_utils import checkpoint
from proofs import Proofs

proves = Proofs()

RMS = "def rms_norm(x, weight, eps=1e-6):\n    return "
COUNT = "def count_layer(width, wide):\n    return "
SOFTEN = "def soften(logits, temperature):\n    z = torch.tensor(logits)\n    return "
PLACES = "    p = torch.arange(length)\n    d = (p[:, None] - p[None, :]).abs()\n"
WINDOW = f"def window_mask(length, reach):\n{PLACES}    return "
AFTER = "looks = mean_share(torch.diag(torch.ones(maps.shape[-1] - 1), 1)[None])\n"

WRONG = {
    ("check_attention_shape", ("attention_shape",)): {
        "forgets the heads": ("attention_shape = (8, 50, 50)", "a map of its own"),
        "heads first": ("attention_shape = (12, 8, 50, 50)", "the texts come first"),
        "a hidden state": ("attention_shape = (8, 50, 384)", "That is a hidden state"),
        "special tokens on top": ("attention_shape = [8, 12, 52, 52]", "counts all tokens"),
        "looks once": ("attention_shape = (8, 12, 50)", "takes two dimensions"),
        "layers for heads": ("attention_shape = (8, 6, 50, 50)", "number of layers"),
        "all layers": ("attention_shape = (6, 8, 12, 50, 50)", "all six layers"),
        "how many numbers": ("attention_shape = 240000", "Answer with a shape"),
    },
    ("check_soften", ("soften",)): {
        "forgets the temperature": (SOFTEN + "z.softmax(dim=-1).tolist()", "without the temperature"),
        "multiplies": (SOFTEN + "(z * temperature).softmax(dim=-1).tolist()", "multiplied"),
        "divides afterwards": (SOFTEN + "(z.softmax(dim=-1) / temperature).tolist()", "divided the probabilities"),
        "no softmax": (SOFTEN + "(z / temperature).tolist()", "Softmax makes probabilities"),
        "prints": ("def soften(logits, temperature):\n    print(logits)", "returned None"),
        "shares without e": (SOFTEN + "(z / z.sum()).tolist()", "give"),
        "the winner only": (SOFTEN + "(z / temperature).softmax(-1).max().item()", "list of 3 numbers"),
    },
    ("check_rms_norm", ("rms_norm",)): {
        "layer norm": (
            "def rms_norm(x, weight, eps=1e-6):\n    c = x - x.mean(dim=-1, keepdim=True)\n"
            "    return c / ((c**2).mean(dim=-1, keepdim=True) + eps).sqrt() * weight",
            "That is layer norm",
        ),
        "forgets the root": (RMS + "x / ((x**2).mean(dim=-1, keepdim=True) + eps) * weight", "root is missing"),
        "forgets the weight": (RMS + "x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()", "weight is missing"),
        "sum for mean": (RMS + "x / ((x**2).sum(dim=-1, keepdim=True) + eps).sqrt() * weight", "sum of the squares"),
        "the whole tensor": (
            "def rms_norm(x, weight, eps=1e-6):\n    if x.dim() == 1:\n"
            "        return x / ((x**2).mean() + eps).sqrt() * weight\n"
            "    return x / ((x**2).mean() + eps).sqrt() * weight",
            "over the whole tensor",
        ),
        "no keepdim": (RMS + "x / ((x**2).mean(dim=-1) + eps).sqrt() * weight", "raised RuntimeError"),
        "returns the root": (RMS + "((x**2).mean(dim=-1) + eps).sqrt()", "keepdim=True"),
        "subtracts the mean": (
            RMS + "(x - x.mean(dim=-1, keepdim=True)) / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt() * weight",
            "subtract the mean before",
        ),
    },
    ("check_count_layer", ("count_layer",)): {
        "no biases": (COUNT + "4 * width * width + 2 * width * wide + 4 * width", "biases are missing"),
        "no norms": (COUNT + "4 * (width * width + width) + 2 * width * wide + wide + width", "norms are missing"),
        "tables only": (COUNT + "4 * width * width + 2 * width * wide", "the six tables"),
        "three tables": (
            COUNT + "3 * (width**2 + width) + 2 * width * wide + wide + 5 * width",
            "out_lin is the fourth",
        ),
        "one norm": (COUNT + "4 * (width**2 + width) + 2 * width * wide + wide + 3 * width", "One layer norm"),
        "all layers": (COUNT + "6 * (4 * (width**2 + width) + 2 * width * wide + wide + 5 * width)", "six layers"),
        "two long biases": (
            COUNT + "4 * (width**2 + width) + 2 * (width * wide + wide) + 4 * width",
            "its bias with it",
        ),
        "only this model": (COUNT + "1774464", "has 668 parameters"),
    },
    ("check_window_mask", ("window_mask",)): {
        "turned round": (WINDOW + "d > reach", "Turned round"),
        "one short": (WINDOW + "d < reach", "<=, not <"),
        "looks back only": (WINDOW + "((d <= reach) & (p[:, None] >= p[None, :]))", "looks back only"),
        "not at itself": (WINDOW + "((d <= reach) & (d > 0))", "look at itself"),
        "everyone": (
            "def window_mask(length, reach):\n    return torch.ones(length, length) == 1",
            "Everyone sees everyone",
        ),
        "one row": (
            "def window_mask(length, reach):\n    return torch.arange(length) <= reach",
            "has the shape (6, 6)",
        ),
        "scores": (WINDOW + "d", "only two values"),
    },
    ("check_next_head", ("next_head",)): {
        "the one that looks back": ("next_head = (layer, head)", "token before"),
        "turned round": (
            AFTER + "next_head = divmod(looks.argmax().item(), heads)[::-1]",
            "turned round",
        ),
        "one number": ("next_head = 20", "Answer with a pair"),
        "the flat number": (AFTER + "next_head = (0, looks.argmax().item())", "divmod"),
        "some other head": (
            AFTER + "next_head = divmod(looks.flatten().argsort()[36].item(), heads)",
            "another gives",
        ),
    },
}


@proves("value", "value")
def attention_of_one_hands_over_that_tokens_value():
    values = torch.randn(3, 4)
    torch.testing.assert_close(torch.tensor([0.0, 1.0, 0.0]) @ values, values[1])


@proves("scores", "Nothing")
def adding_to_a_row_of_scores_changes_no_share():
    scores = torch.randn(4, dtype=torch.float64)
    shares = scores.softmax(0)
    torch.testing.assert_close((scores + 5).softmax(0), shares)
    assert (scores / 5).softmax(0).max() < shares.max() < (scores * 5).softmax(0).max()


@proves("square", "16")
def maps_grow_with_the_square_of_the_length():
    config = DistilBertConfig(vocab_size=9, dim=8, hidden_dim=8, n_heads=2, n_layers=1)
    model = AutoModel.from_config(config, attn_implementation="eager").eval()
    short, long = (
        model(torch.ones(1, length, dtype=torch.long), output_attentions=True, output_hidden_states=True)
        for length in (100, 400)
    )
    assert long.attentions[0].numel() == 16 * short.attentions[0].numel()
    assert long.hidden_states[0].numel() == 4 * short.hidden_states[0].numel()


@proves("causal", "itself")
def the_first_token_of_a_decoder_looks_at_itself():
    config = LlamaConfig(vocab_size=9, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2)
    model = AutoModel.from_config(config, attn_implementation="eager").eval()
    for shares in model(torch.tensor([[1, 4, 2, 7]]), output_attentions=True).attentions:
        torch.testing.assert_close(shares[0, :, 0], torch.tensor([[1.0, 0, 0, 0]] * 2))
        torch.testing.assert_close(shares.sum(-1), torch.ones(1, 2, 4))


@proves("temperature", "closer to one another")
def a_temperature_keeps_the_label_and_shrinks_the_distances():
    model = AutoModelForSequenceClassification.from_pretrained(
        checkpoint("distilbert-base-uncased-finetuned-sst-2-english")
    ).eval()
    logits = model(torch.tensor([[101, 2204, 102], [101, 2919, 102]])).logits
    plain, soft = logits.softmax(-1), (logits / 4).softmax(-1)
    assert torch.equal(plain.argmax(-1), soft.argmax(-1))
    assert (soft.max(-1).values < plain.max(-1).values).all()
    torch.testing.assert_close(soft.sum(-1), torch.ones(2))


EQUIVALENT: dict[str, dict[str, str]] = {
    "soften": {
        "line 3: -1 becomes 0": "a list of logits has one dimension",
    },
    "window_mask": {
        "line 4: places[:, None] - places[None, :] becomes places[None, :] - places[:, None]": "a distance is the same in both directions",
        "line 4: places[None, :] becomes places": "one row is repeated for all of them by broadcasting",
        "line 4: places[None, :] becomes places[:,]": "one row is repeated for all of them by broadcasting",
        "line 4: places[None, :] becomes places[None,]": "one row is repeated for all of them by broadcasting",
    },
    "next_head": {
        "line 1: -1 becomes -2": "a map of attention is as high as it is wide",
    },
}

HOLES = {
    "soften": [
        "line 3: (torch.tensor(logits) / temperature).softmax(dim=-1).tolist() becomes list(dict.fromkeys((torch.tensor(logits) / temperature).softmax(dim=-1).tolist()))",
        "line 3: logits.reverse() comes first",
        "line 3: logits *= 2 comes first",
        "line 3: logits = list(dict.fromkeys(logits)) comes first",
    ],
    "rms_norm": [
        "line 1: 1e-06 becomes 1e-05",
        "line 1: 1e-06 becomes 0",
        "line 1: 1e-06 becomes -1e-06",
        "line 3: x += 1 comes first",
        "line 3: x *= 2 comes first",
        "line 3: x -= x.mean() comes first",
        "line 3: x[:1] *= 2 comes first",
        "line 3: weight += 1 comes first",
        "line 3: weight *= 2 comes first",
        "line 3: weight -= weight.mean() comes first",
        "line 3: weight[:1] *= 2 comes first",
        "line 4: mean_square + eps becomes mean_square - eps",
        "line 4: (mean_square + eps).sqrt() becomes mean_square.sqrt() + eps",
        "line 4: mean_square + eps becomes mean_square",
    ],
    "window_mask": [
        "line 5: distance <= reach becomes (distance <= reach).float()",
    ],
}
