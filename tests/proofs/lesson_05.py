"""Lesson 5: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, GPT2Config

from course_utils import checkpoint
from proofs import Proofs

proves = Proofs()

NOTHING = "Is there a return in the function"
SHOWN = "Yours gave"

RMS = "def rms_norm(x, weight, eps=1e-6):\n    return "
COUNT = "def count_layer(width, wide):\n    return "
SOFTEN = "def soften(logits, temperature):\n    z = torch.tensor(logits)\n    return "
PLACES = "    p = torch.arange(length)\n    d = (p[:, None] - p[None, :]).abs()\n"
WINDOW = f"def window_mask(length, reach):\n{PLACES}    return "
AFTER = "looks = mean_share(torch.diag(torch.ones(maps.shape[-1] - 1), 1)[None])\n"
LAYER = "4 * (width**2 + width) + 2 * width * wide + wide + 5 * width"

WRONG = {
    ("check_attention_shape", ("attention_shape",)): {
        "forgets the heads": ("attention_shape = (8, 50, 50)", "a map of its own"),
        "heads first": ("attention_shape = (12, 8, 50, 50)", "the texts come first"),
        "heads last but one": ("attention_shape = (8, 50, 12, 50)", "for assert_same"),
        "the queries": ("attention_shape = (8, 12, 50, 32)", "the queries of all heads"),
        "a hidden state": ("attention_shape = (8, 50, 384)", "That is a hidden state"),
        "special tokens on top": ("attention_shape = [8, 12, 52, 52]", "counts all tokens"),
        "looks once": ("attention_shape = (8, 12, 50)", "takes two dimensions"),
        "layers for heads": ("attention_shape = (8, 6, 50, 50)", "number of layers"),
        "all layers": ("attention_shape = (6, 8, 12, 50, 50)", "all six layers"),
        "the lesson's own": ("attention_shape = library.attentions[0].shape", "own three texts"),
        "something else": ("attention_shape = (8, 12, 512, 512)", "It is not (8, 12, 512, 512)"),
        "the map itself": ("attention_shape = library.attentions[0]", "Is it the tensor, and not its shape"),
        "how many numbers": ("attention_shape = 240000", "It is 240000"),
    },
    ("check_soften", ("soften",)): {
        "forgets the temperature": (SOFTEN + "z.softmax(dim=-1).tolist()", "without the temperature"),
        "multiplies": (SOFTEN + "(z * temperature).softmax(dim=-1).tolist()", "multiplied"),
        "divides afterwards": (SOFTEN + "(z.softmax(dim=-1) / temperature).tolist()", "divided the probabilities"),
        "no softmax": (SOFTEN + "(z / temperature).tolist()", "Softmax makes probabilities"),
        "sigmoid": (SOFTEN + "(z / temperature).sigmoid().tolist()", "by itself"),
        "log_softmax": (SOFTEN + "(z / temperature).log_softmax(-1).tolist()", "the logarithms"),
        "percent": (SOFTEN + "(100 * (z / temperature).softmax(-1)).tolist()", "in percent"),
        "rounds": (SOFTEN + "[round(p, 2) for p in (z / temperature).softmax(-1).tolist()]", SHOWN),
        "always 2": (SOFTEN + "(z / 2).softmax(-1).tolist()", SHOWN),
        "shares without e": (SOFTEN + "(z / z.sum()).tolist()", SHOWN),
        "sorts": (SOFTEN + "(z / temperature).softmax(-1).sort(descending=True).values.tolist()", SHOWN),
        "too many": (SOFTEN + "[*(z / temperature).softmax(-1).tolist(), 0]", SHOWN),
        "the winner only": (SOFTEN + "(z / temperature).softmax(-1).max().item()", "It is 0."),
        "a batch of one": (SOFTEN + "(z / temperature).softmax(-1)[None]", "entry 0 of soften"),
        "changes the list": (
            "def soften(logits, temperature):\n    for i in range(len(logits)):\n        logits[i] /= temperature\n"
            "    return torch.tensor(logits).softmax(-1)",
            "changed the list",
        ),
        "prints": ("def soften(logits, temperature):\n    print(logits)", NOTHING),
    },
    ("check_rms_norm", ("rms_norm",)): {
        "layer norm": (
            "def rms_norm(x, weight, eps=1e-6):\n    c = x - x.mean(dim=-1, keepdim=True)\n"
            "    return c / ((c**2).mean(dim=-1, keepdim=True) + eps).sqrt() * weight",
            "That is layer norm",
        ),
        "layer norm in place": (
            "def rms_norm(x, weight, eps=1e-6):\n    x -= x.mean(dim=-1, keepdim=True)\n"
            "    return x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt() * weight",
            "changed the tensor",
        ),
        "right, and in place": (
            "def rms_norm(x, weight, eps=1e-6):\n    x /= ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()\n"
            "    return x.mul_(weight)",
            "changed the tensor",
        ),
        "no eps": (RMS + "x / (x**2).mean(dim=-1, keepdim=True).sqrt() * weight", "no eps under the root"),
        "eps outside of the root": (
            RMS + "x / ((x**2).mean(dim=-1, keepdim=True).sqrt() + eps) * weight",
            "outside of the root",
        ),
        "always the same eps": (
            RMS + "x / ((x**2).mean(dim=-1, keepdim=True) + 1e-6).sqrt() * weight",
            "Use the eps that it is given",
        ),
        "another default": (
            RMS.replace("1e-6", "1e-5") + "x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt() * weight",
            SHOWN,
        ),
        "forgets the root": (RMS + "x / ((x**2).mean(dim=-1, keepdim=True) + eps) * weight", "root is missing"),
        "forgets the weight": (RMS + "x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()", "weight is missing"),
        "adds the weight": (RMS + "x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt() + weight", SHOWN),
        "the mean of the sizes": (RMS + "x / (x.abs().mean(dim=-1, keepdim=True) + eps) * weight", SHOWN),
        "sum for mean": (RMS + "x / ((x**2).sum(dim=-1, keepdim=True) + eps).sqrt() * weight", "sum of the squares"),
        "the whole tensor": (RMS + "x / ((x**2).mean() + eps).sqrt() * weight", "over the whole tensor"),
        "the first dimension": (
            RMS + "x / ((x**2).mean(dim=0, keepdim=True) + eps).sqrt() * weight",
            "over the first dimension",
        ),
        "no keepdim": (RMS + "x / ((x**2).mean(dim=-1) + eps).sqrt() * weight", "raised RuntimeError"),
        "returns the root": (RMS + "((x**2).mean(dim=-1) + eps).sqrt()", SHOWN),
        "a list": (
            RMS + "(x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt() * weight).tolist()",
            "It is a list",
        ),
        "subtracts the mean": (
            RMS + "(x - x.mean(dim=-1, keepdim=True)) / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt() * weight",
            "subtract the mean before",
        ),
        "prints": ("def rms_norm(x, weight, eps=1e-6):\n    print(x)", NOTHING),
    },
    ("check_count_layer", ("count_layer",)): {
        "no biases": (COUNT + "4 * width * width + 2 * width * wide + 4 * width", "six biases are missing"),
        "no norms": (COUNT + "4 * (width * width + width) + 2 * width * wide + wide + width", "4 times width"),
        "no biases in attention": (COUNT + "4 * width**2 + 2 * width * wide + wide + 5 * width", "4 times width"),
        "tables only": (COUNT + "4 * width * width + 2 * width * wide", "the six tables"),
        "three tables": (
            COUNT + "3 * (width**2 + width) + 2 * width * wide + wide + 5 * width",
            "one of attention's four tables",
        ),
        "one norm": (COUNT + "4 * (width**2 + width) + 2 * width * wide + wide + 3 * width", "2 times width"),
        "norms without their bias": (COUNT + f"{LAYER} - 2 * width", "2 times width"),
        "all layers": (COUNT + f"6 * ({LAYER})", "six layers"),
        "two long biases": (
            COUNT + "4 * (width**2 + width) + 2 * (width * wide + wide) + 4 * width",
            "its bias has width numbers",
        ),
        "wide is always 4 times as wide": (COUNT + LAYER.replace("wide + 5", "4 * width + 5"), SHOWN),
        "only this model": (COUNT + "1774464", SHOWN),
        "half a number": (COUNT + f"{LAYER} + 0.5", "whole number"),
        "prints": ("def count_layer(width, wide):\n    print(width)", NOTHING),
    },
    ("check_window_mask", ("window_mask",)): {
        "turned round": (WINDOW + "d > reach", "Turned round"),
        "one short": (WINDOW + "d < reach", "<=, not <"),
        "looks back only": (WINDOW + "((d <= reach) & (p[:, None] >= p[None, :]))", "looks back only"),
        "looks ahead only": (WINDOW + "(d <= reach).triu()", "looks ahead only"),
        "the distance with its sign": (WINDOW + "p[None, :] - p[:, None] <= reach", "without its sign"),
        "not at itself": (WINDOW + "((d <= reach) & (d > 0))", "look at itself"),
        "everyone": (
            "def window_mask(length, reach):\n    return torch.ones(length, length) == 1",
            "Everyone sees everyone",
        ),
        "one row": ("def window_mask(length, reach):\n    return torch.arange(length) <= reach", "is a table"),
        "blocks": (WINDOW + "(p[:, None] // (reach + 1)) == (p[None, :] // (reach + 1))", SHOWN),
        "always 1": (WINDOW + "d <= 1", SHOWN),
        "scores": (WINDOW + "d", "turn those round with ~"),
        "numbers, 0 and 1": (WINDOW + "(d <= reach).int()", "turn those round with ~"),
        "numbers, 0.0 and 1.0": (WINDOW + "(d <= reach).float()", "turn those round with ~"),
        "a list of lists": (WINDOW + "(d <= reach).tolist()", "It is a list"),
        "an array": (WINDOW + "(d <= reach).numpy()", "a ndarray"),
        "prints": ("def window_mask(length, reach):\n    print(length)", NOTHING),
    },
    ("check_next_head", ("next_head",)): {
        "the one that looks back": ("next_head = (layer, head)", "token before"),
        "turned round": (
            AFTER + "next_head = divmod(looks.argmax().item(), heads)[::-1]",
            "turned round",
        ),
        "one number": ("next_head = 20", "It is 20"),
        "three numbers": ("next_head = (1, 8, 0)", "has 3 numbers"),
        "the flat number": (AFTER + "next_head = (0, looks.argmax().item())", "divmod"),
        "the second best": (
            AFTER + "next_head = divmod(looks.flatten().argsort()[-2].item(), heads)",
            "another gives",
        ),
        "some other head": (
            AFTER + "next_head = divmod(looks.flatten().argsort()[36].item(), heads)",
            "another gives",
        ),
    },
}

RIGHT = {
    ("check_attention_shape", ("attention_shape",)): {
        "a size": "attention_shape = torch.Size([8, 12, 50, 50])",
        "a tensor": "attention_shape = torch.tensor([8, 12, 50, 50])",
        "an array": "import numpy as np\n\nattention_shape = np.array([8, 12, 50, 50])",
    },
    ("check_soften", ("soften",)): {
        "a tensor": SOFTEN + "(z / temperature).softmax(0)",
        "an array": (
            "import numpy as np\n\n\ndef soften(logits, temperature):\n"
            "    powers = np.exp(np.float32(logits) / temperature)\n    return powers / powers.sum()"
        ),
        "by hand": (
            "from math import exp\n\n\ndef soften(logits, temperature):\n"
            "    powers = [exp(z / temperature) for z in logits]\n    return (power / sum(powers) for power in powers)"
        ),
    },
    ("check_rms_norm", ("rms_norm",)): {
        "torch's": RMS + "torch.nn.functional.rms_norm(x, x.shape[-1:], weight, eps)",
        "by rsqrt": RMS + "weight * (x * (x.pow(2).mean(-1, keepdim=True) + eps).rsqrt())",
        "by a norm": RMS
        + "x * weight / (torch.linalg.vector_norm(x, dim=-1, keepdim=True)**2 / x.shape[-1] + eps)**0.5",
        "with gradients": RMS + "torch.nn.Parameter(x) / ((x**2).mean(-1, keepdim=True) + eps).sqrt() * weight",
    },
    ("check_count_layer", ("count_layer",)): {
        "with a point": COUNT + f"float({LAYER})",
        "a tensor": COUNT + f"torch.tensor({LAYER})",
    },
    ("check_window_mask", ("window_mask",)): {
        "two triangles": (
            "def window_mask(length, reach):\n    all_true = torch.ones(length, length).bool()\n"
            "    return all_true.tril(reach) & all_true.triu(-reach)"
        ),
        "a loop": (
            "def window_mask(length, reach):\n"
            "    return torch.tensor([[abs(i - j) <= reach for j in range(length)] for i in range(length)])"
        ),
    },
    ("check_next_head", ("next_head",)): {
        "tensors": AFTER + "next_head = (looks.argmax() // heads, looks.argmax() % heads)",
        "a tensor": AFTER + "next_head = (looks == looks.max()).nonzero()[0]",
        "a list": AFTER + "next_head = [n.item() for n in torch.unravel_index(looks.argmax(), looks.shape)]",
    },
}


def teacher():
    """The lesson's model, and one of its texts."""
    folder = checkpoint("distilbert-base-uncased-finetuned-sst-2-english")
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    return model, AutoTokenizer.from_pretrained(folder)


@proves("value", "The value")
@torch.inference_mode()
def attention_of_one_hands_over_that_tokens_value():
    model, tokenizer = teacher()
    attention = model.distilbert.transformer.layer[0].attention
    heard = {}
    attention.v_lin.register_forward_hook(lambda _, given, result: heard.update(vectors=given[0], values=result))
    attention.k_lin.register_forward_hook(lambda *called: heard.update(keys=called[2]))
    attention.out_lin.register_forward_hook(lambda _, given, result: heard.update(taken=given[0]))
    ids = tokenizer("Too long", return_tensors="pt")["input_ids"][:, :3]
    outputs = model(ids, attention_mask=torch.tensor([[0, 1, 0]]), output_attentions=True)
    assert outputs.attentions[0][0, 0, 0].tolist() == [0, 1, 0]
    for taken in heard["taken"][0]:
        torch.testing.assert_close(taken, heard["values"][0, 1])
        assert not torch.allclose(taken, heard["keys"][0, 1])
        assert not torch.allclose(taken, heard["vectors"][0, 1])


@proves("scores", "stay as they were")
@torch.inference_mode()
def adding_to_a_row_of_scores_changes_no_share():
    model, tokenizer = teacher()
    attention = model.distilbert.transformer.layer[0].attention
    heard = {}
    attention.q_lin.register_forward_hook(lambda *called: heard.update(q=called[2]))
    attention.k_lin.register_forward_hook(lambda *called: heard.update(k=called[2]))
    library = model(**tokenizer("I don't like this course so far", return_tensors="pt"), output_attentions=True)
    q, k = (heard[name][0, :, :32] for name in "qk")
    scores = q @ k.T / 32**0.5
    shares = scores.softmax(-1)
    torch.testing.assert_close(shares, library.attentions[0][0, 0])
    torch.testing.assert_close((scores + 5).softmax(-1), shares)
    highest = shares.amax(-1)
    assert ((scores / 5).softmax(-1).amax(-1) < highest).all()
    assert (highest < (scores * 5).softmax(-1).amax(-1)).all()


@proves("square", "16")
@torch.inference_mode()
def maps_grow_with_the_square_of_the_length():
    model, _ = teacher()
    model.distilbert.transformer.layer = model.distilbert.transformer.layer[:1]  # one layer's maps are enough
    short, long = (
        model(torch.ones(1, length, dtype=torch.long), output_attentions=True, output_hidden_states=True)
        for length in (100, 400)
    )
    assert long.attentions[0].numel() == 16 * short.attentions[0].numel()
    assert long.hidden_states[0].numel() == 4 * short.hidden_states[0].numel()


@proves("causal", "itself")
@torch.inference_mode()
def the_first_token_of_a_decoder_looks_at_itself():
    config = GPT2Config(vocab_size=50, n_embd=48, n_head=12, n_layer=2, bos_token_id=0, eos_token_id=0)
    model = AutoModel.from_config(config, attn_implementation="eager").eval()
    for shares in model(torch.tensor([[2, 7, 9, 4, 3]]), output_attentions=True).attentions:
        assert shares[0, :, 0].tolist() == [[1, 0, 0, 0, 0]] * 12
        torch.testing.assert_close(shares.sum(-1), torch.ones(1, 12, 5))


@proves("temperature", "closer to one another")
@torch.inference_mode()
def a_temperature_keeps_the_label_and_shrinks_the_distances():
    model, tokenizer = teacher()
    texts = ["I don't like this course so far", "A joy from the first minute to the last", "Too long."]
    logits = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits
    plain, soft = logits.softmax(-1), (logits / 4).softmax(-1)
    assert torch.equal(plain.argmax(-1), soft.argmax(-1))
    assert (soft.max(-1).values < plain.max(-1).values).all()
    torch.testing.assert_close(soft.sum(-1), torch.ones(3))


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
