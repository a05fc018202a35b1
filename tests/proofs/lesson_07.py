"""Lesson 7: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import functools

import onnxruntime
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BatchEncoding,
    DistilBertForSequenceClassification,
)

from course_utils import checkpoint, reviews
from course_utils.modeling.quantization import dequantize, quantize_absmax, quantize_affine, quantize_per_channel
from course_utils.models import ONNX_FP32, ONNX_INT8, onnx_folder
from proofs import Proofs

proves = Proofs()

LUCKY = {"check_largest_error": [0.1]}

SIZE = "import math\ndef file_megabytes(parameters, bits, block, overhead):\n    "
BYTES = "parameters * bits / 8 + math.ceil(parameters / block) * overhead"
PACK = "def pack(levels):\n    "
HURT = (
    "def most_hurt(module):\n    errors = {{}}\n    for name, part in module.named_modules():\n"
    "        if isinstance(part, torch.nn.Linear):\n            w = part.weight.detach()\n"
    "            back = dequantize(*quantize_absmax(w))\n            errors[name] = {error}\n"
    "    return max(errors, key=errors.get)"
)
BLOCK = "def quantize_block(weights):\n    m = weights.min()\n    "
ONE = f"{BLOCK}d = (weights.max() - m) / 15 or 1\n    "

WRONG = {
    ("check_largest_error", ("largest_error",)): {
        "the whole step": ("largest_error = 0.2", "the whole step"),
        "a whole step of 128": ("largest_error = 25.4 / 128", "one of 128"),
        "divides by 128": ("largest_error = 25.4 / 128 / 2", "is 127, so"),
        "255 steps on both sides": ("largest_error = 50.8 / 255 / 2", "254 steps in all"),
        "halved twice": ("largest_error = 0.05", "a quarter of a step"),
        "all levels on one side": ("largest_error = 25.4 / 255 / 2", "Half a step of 255"),
        "256 levels on one side": ("largest_error = 25.4 / 256 / 2", "Half a step of 256"),
        "no error at all": ("largest_error = 0", "lies on a level"),
        "with a sign": ("largest_error = -0.1", "without a sign"),
        "half of the range": ("largest_error = 12.7", "It isn't 12.7"),
        "the integer": ("largest_error = 127", "It isn't 127"),
        "a text": ("largest_error = '0.1'", "the text '0.1'"),
        "a comparison": ("largest_error = 0.1 == 25.4 / 127 / 2", "should be a number, such as 0.5. It is False"),
    },
    ("check_file_megabytes", ("file_megabytes",)): {
        "no overhead": (f"{SIZE}return parameters * bits / 8 / 1e6", "the weights alone"),
        "bytes": (f"{SIZE}return {BYTES}", "Those are bytes"),
        "kilobytes": (f"{SIZE}return ({BYTES}) / 1000", "Those are kilobytes"),
        "MiB": (f"{SIZE}return ({BYTES}) / 2**20", "Those are MiB"),
        "megabits": (f"{SIZE}return ({BYTES}) / 1e6 * 8", "Those are megabits"),
        "bits and bytes": (
            f"{SIZE}return (parameters * bits + math.ceil(parameters / block) * overhead) / 1e6",
            "before you add the overhead",
        ),
        "the overhead in bits": (
            f"{SIZE}return (parameters * bits + math.ceil(parameters / block) * overhead) / 8e6",
            "in bytes already",
        ),
        "one overhead for all": (f"{SIZE}return (parameters * bits / 8 + overhead) / 1e6", "count the overhead once"),
        "an overhead for each weight": (
            f"{SIZE}return (parameters * bits / 8 + parameters * overhead) / 1e6",
            "an overhead for every weight",
        ),
        "full blocks only": (
            f"{SIZE}return (parameters * bits / 8 + parameters // block * overhead) / 1e6",
            "You leave out a last block",
        ),
        "parts of blocks": (
            f"{SIZE}return (parameters * bits / 8 + parameters / block * overhead) / 1e6",
            "You count parts of blocks",
        ),
        "a block too many": (
            f"{SIZE}return (parameters * bits / 8 + (parameters // block + 1) * overhead) / 1e6",
            "one block too many",
        ),
        "whole bytes": (
            f"{SIZE}return (parameters * bits // 8 + math.ceil(parameters / block) * overhead) / 1e6",
            "should give 0.6250045 MB",
        ),
        "rounded": (f"{SIZE}return round(({BYTES}) / 1e6, 2)", "should give 84.375 MB. Yours gave 84.38 MB"),
        "prints": (f"{SIZE}print(parameters)", "Is there a return"),
        "calls it": ("file_megabytes = 84.4", "without brackets"),
    },
    ("check_pack", ("pack",)): {
        "neighbours": (f"{PACK}return levels[0::2] | (levels[1::2] << 4)", "You put neighbours together. In"),
        "neighbours turned round": (f"{PACK}return levels[1::2] | (levels[0::2] << 4)", "the first of them into"),
        "halves turned round": (f"{PACK}return levels[16:] | (levels[:16] << 4)", "Turned round"),
        "no shift": (f"{PACK}return levels[:16] | levels[16:]", "before you join"),
        "a sum without a shift": (f"{PACK}return levels[:16] + levels[16:]", "before you add"),
        "a byte each": (f"{PACK}return levels", "still 32 numbers"),
        "the lower halves alone": (f"{PACK}return levels[:16] & 15", "The last 16 levels got lost"),
        "the last levels below": (f"{PACK}return levels[16:]", "The first 16 levels got lost: each byte holds two."),
        "the upper halves alone": (f"{PACK}return levels[16:] << 4", "the last 16 are the upper halves"),
        "a wrong shift": (f"{PACK}return levels[:16] | (levels[16:] << 3)", ") should give ["),
        "the type": (f"{PACK}return levels[:16].astype(int) | (levels[16:].astype(int) << 4)", "their type is int64"),
        "a list": (f"{PACK}return (levels[:16] | (levels[16:] << 4)).tolist()", "their type is list"),
        "floats": (f"{PACK}return levels[:16] + 16.0 * levels[16:]", "their type is float64"),
        "in place": (f"{PACK}levels[16:] <<= 4\n    return levels[:16] | levels[16:]", "changed the array"),
        "one number": (f"{PACK}return int(levels[0])", "32 halves make 16 bytes"),
        "bytes": (f"{PACK}return (levels[:16] | (levels[16:] << 4)).tobytes()", "It is a bytes of 16"),
    },
    ("check_most_hurt", ("most_hurt",)): {
        "the largest weight": (HURT.format(error="w.abs().max().item()"), "with the largest weight"),
        "the least hurt": (HURT.format(error="-relative_error(w, back)"), "max, not min"),
        "the absolute error": (HURT.format(error="(back - w).norm().item()"), "largest error as a number"),
        "one weight's error": (HURT.format(error="(back - w).abs().max().item()"), "largest single error"),
        "a scale for each row": (
            HURT.format(error="relative_error(w, dequantize(*quantize_per_channel(w)))"),
            "a scale for each row",
        ),
        "4 bits": (HURT.format(error="relative_error(w, dequantize(*quantize_absmax(w, 4)))"), "that fewer bits hurt"),
        "the outlier": (HURT.format(error="(w.abs().max() / w.abs().median()).item()"), "a good guess"),
        "beside what came back": (HURT.format(error="relative_error(back, w)"), "beside the original"),
        "the first one": (HURT.format(error="1"), "is the first linear layer"),
        "the last one": (HURT.format(error="len(errors)"), "is the last linear layer"),
        "the mean magnitude of the error": (
            HURT.format(error="(back - w).abs().mean().item()"),
            "largest error as a number",
        ),
        "7 bits": (HURT.format(error="relative_error(w, dequantize(*quantize_absmax(w, 7)))"), "that fewer bits hurt"),
        "the outlier beside the mean": (
            HURT.format(error="(w.abs().max() / w.abs().mean()).item()"),
            "a good guess",
        ),
        "the sizes forgotten": (HURT.format(error="(back - w).norm().item() / w.std().item()"), "Relative errors: "),
        "the error, not the name": (
            HURT.format(error="relative_error(w, back)").replace(
                "key=errors.get", "key=errors.get) and max(errors.values()"
            ),
            "should be a text",
        ),
        "name and error": (
            HURT.format(error="relative_error(w, back)").replace(
                "errors, key=errors.get", "errors.items(), key=lambda p: p[1]"
            ),
            "name alone",
        ),
        "every module with a weight": (
            HURT.format(error="relative_error(w, back)").replace(
                "isinstance(part, torch.nn.Linear)", "hasattr(part, 'weight')"
            ),
            "not a linear layer",
        ),
        "the parameter's name": (HURT.format(error="relative_error(w, back)") + " + '.weight'", "name of a parameter"),
        "always lin2": ("def most_hurt(module):\n    return 'ffn.lin2'", "has no linear layer"),
        "rounds the module": (
            HURT.format(error="relative_error(w, back)").replace(
                "    return",
                "    for part in module.modules():\n        if isinstance(part, torch.nn.Linear):\n"
                "            part.weight.data = dequantize(*quantize_absmax(part.weight.data))\n    return",
            ),
            "changed the module",
        ),
    },
    ("check_quantize_block", ("quantize_block",)): {
        "16 steps": (
            f"{BLOCK}d = (weights.max() - m) / 16 or 1\n    return d, m, np.round((weights - m) / d).astype(np.uint8)",
            "You divide by 16",
        ),
        "16 steps, cut to 15": (
            f"{BLOCK}d = (weights.max() - m) / 16 or 1\n"
            "    return d, m, np.round((weights - m) / d).clip(0, 15).astype(np.uint8)",
            "You divide by 16",
        ),
        "levels up to 16": (
            f"{ONE}return d, m, np.ceil((weights - m) / d + 0.5).astype(np.uint8)",
            "and one of yours is 16",
        ),
        "divides by zero": (
            f"{BLOCK}d = (weights.max() - m) / 15\n    with np.errstate(all='ignore'):\n"
            "        return d, m, np.round((weights - m) / d)",
            "Then one level will do: all levels are 0.",
        ),
        "NaN hidden by the cast": (
            f"{BLOCK}d = (weights.max() - m) / 15\n    return d, m, np.round((weights - m) / d).astype(np.uint8)",
            "Then one level will do: all levels are 0.",
        ),
        "cuts off": (
            f"{ONE}return d, m, ((weights - m) / d).astype(np.uint8)",
            "are cut off",
        ),
        "rounds up": (
            f"{ONE}return d, m, np.ceil((weights - m) / d).astype(np.uint8)",
            "Another level is nearer",
        ),
        "absmax": (
            "def quantize_block(weights):\n    d = abs(weights).max() / 7 or 1\n    return d, 0, np.round(weights / d)",
            "m is the smallest weight, here",
        ),
        "forgets to round": (
            f"{ONE}return d, m, (weights - m) / d",
            "whole numbers: round",
        ),
        "two things": (
            f"{ONE}return d, np.round((weights - m) / d)",
            "Yours returned 2",
        ),
        "the wrong order": (
            f"{ONE}return np.round((weights - m) / d), m, d",
            "d, the first of the three",
        ),
        "m before d": (
            f"{ONE}return m, d, np.round((weights - m) / d).astype(np.uint8)",
            "the step comes first",
        ),
        "the mean for a minimum": (
            "def quantize_block(weights):\n    m = weights.mean()\n    d = (weights.max() - weights.min()) / 15 or 1\n"
            "    return d, m, np.round((weights - m) / d).clip(0, 15)",
            "m is the smallest weight, here",
        ),
        "a step for 8 bits": (
            f"{BLOCK}d = (weights.max() - m) / 255 or 1\n    return d, m, np.round((weights - m) / d).astype(np.uint8)",
            "15 steps lie between the two",
        ),
        "equal weights lost": (
            f"{BLOCK}d = (weights.max() - m) / 15\n    if d == 0:\n        return 0.0, 0.0, np.zeros(32)\n"
            "    return d, m, np.round((weights - m) / d)",
            "come back exactly",
        ),
        "in place": (
            f"{BLOCK}weights -= m\n    d = weights.max() / 15 or 1\n"
            "    return d, m, np.round(weights / d).astype(np.uint8)",
            "You changed the weights",
        ),
        "levels as floats": (
            f"{ONE}return d, m, np.round((weights - m) / d)",
            "their type is float32",
        ),
    },
}

RIGHT = {
    ("check_largest_error", ("largest_error",)): {
        "torch": "largest_error = torch.tensor(.1)",
        "bfloat16": "largest_error = torch.tensor(.1).bfloat16()",
        "NumPy": "largest_error = np.float32(.1)",
        "computed": "largest_error = 25.4 / 127 / 2",
        "an array": "largest_error = np.array(0.1)",
        "just within": "largest_error = 0.1001",
    },
    ("check_file_megabytes", ("file_megabytes",)): {
        "rounds up by hand": f"{SIZE}return (parameters * bits / 8 + -(-parameters // block) * overhead) / 1_000_000",
        "float32": f"{SIZE}return np.float32(({BYTES}) / 1e6)",
        "torch": f"{SIZE}return torch.tensor(({BYTES}) / 1e6)",
    },
    ("check_pack", ("pack",)): {
        "a sum": f"{PACK}return levels[:16] + 16 * levels[16:]",
        "a loop": f"{PACK}return np.array([levels[i] + levels[i + 16] * 16 for i in range(16)], dtype=np.uint8)",
        "bytes read again": f"{PACK}return np.frombuffer((levels[:16] | levels[16:] << 4).tobytes(), dtype=np.uint8)",
        "torch": f"{PACK}return torch.from_numpy(levels[:16] | levels[16:] << 4)",
    },
    ("check_most_hurt", ("most_hurt",)): {
        "a loop": (
            "def most_hurt(module):\n    best, found = -1, None\n    for name, part in module.named_modules():\n"
            "        if type(part).__name__ == 'Linear':\n            w = part.weight.data\n"
            "            error = relative_error(w, dequantize(*quantize_absmax(w)))\n            if error > best:\n"
            "                best, found = error, name\n    return found"
        ),
        "sorted": HURT.format(error="relative_error(w, back)").replace(
            "max(errors, key=errors.get)", "sorted(errors, key=errors.get)[-1]"
        ),
    },
    ("check_quantize_block", ("quantize_block",)): {
        "a step of 1 for equal weights": (f"{ONE}return d, m, np.round((weights - m) / d).astype(np.uint8)"),
        "halves go up": (f"{ONE[:-5]}\n    return d, m, np.floor((weights - m) / d + 0.5).astype(np.uint8)"),
        "a division that isn't used": (
            f"{BLOCK}d = (weights.max() - m) / 15\n    levels = np.where(d == 0, 0, np.round((weights - m) / d))\n"
            "    return [float(d), torch.tensor(m), levels.astype(np.uint8)]"
        ),
        "the nearest of 16": (
            f"{BLOCK}d = (weights.max() - m) / 15\n"
            "    levels = abs(weights[:, None] - (m + d * np.arange(16))).argmin(axis=1)\n"
            "    return d, m, levels.astype('uint8')"
        ),
        "in float64": (
            "def quantize_block(weights):\n    w = weights.astype(np.float64)\n    m, d = w.min(), np.ptp(w) / 15\n"
            "    return d, m, np.rint((w - m) / (d or 1)).astype(np.uint8)"
        ),
    },
}


NAME = "distilbert-base-uncased-finetuned-sst-2-english"


@functools.cache
def lesson_model() -> DistilBertForSequenceClassification:
    return AutoModelForSequenceClassification.from_pretrained(checkpoint(NAME)).eval()


def lin2() -> torch.nn.Linear:
    """The layer with the outlier."""
    return lesson_model().distilbert.transformer.layer[0].ffn.lin2


@functools.cache
def lesson_texts() -> list[str]:
    """Every fifth test review, in the order of length."""
    table = reviews.load_labelled("test")
    return table.iloc[table["text"].str.len().argsort(kind="stable")][::5]["text"].tolist()


def first_batch() -> BatchEncoding:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint(NAME))
    return tokenizer(lesson_texts()[:32], padding=True, return_tensors="pt")


@proves("bf16", "float16", "infinite")
def bf16_has_the_range_and_float16_has_not():
    number = torch.tensor(70_000.0)
    assert number.half().isinf()
    assert 0 < abs(number.bfloat16().float() - number) < number / 256


@proves("bit", "twice as large")
def a_bit_less_doubles_the_error():
    matrix = lesson_model().distilbert.transformer.layer[1].attention.q_lin.weight.detach()
    errors = [(dequantize(*quantize_absmax(matrix, bits)) - matrix).norm() for bits in (8, 7)]
    assert 1.8 < errors[1] / errors[0] < 2.2


@proves("outlier", "each row")
def a_scale_for_each_row_contains_the_outlier():
    matrix = lin2().weight.detach()
    outlier = matrix.abs().max()
    assert outlier > 100 * matrix.abs().median()
    without = matrix.masked_fill(matrix.abs() == outlier, 0)

    def error(*quantized: torch.Tensor) -> float:
        return (dequantize(*quantized) - matrix).norm().item()

    absmax, affine, rows = (f(matrix) for f in (quantize_absmax, quantize_affine, quantize_per_channel))
    assert error(*rows) < error(*absmax) / 4
    assert error(*rows) < error(*affine) / 2
    assert error(absmax[0], 2 * absmax[1]) > error(*absmax)
    assert (absmax[0] == 0).float().mean() > 0.5
    assert error(*quantize_absmax(without)) > error(*rows)
    with torch.inference_mode():
        logits = lesson_model()(**first_batch()).logits
        lin2().weight.data = without
        changed = lesson_model()(**first_batch()).logits
        lin2().weight.data = matrix
    assert ((logits - changed).abs().amax(dim=1) > 1e-4).all()


@proves("zero", "zero point", "0.0")
def zero_comes_back_exactly():
    seen = []
    hook = lin2().register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        lesson_model()(**first_batch())
    hook.remove()
    assert abs(seen[0].min() + 0.17) < 0.005
    assert abs(seen[0].max() - 24) < 0.5
    q, scale, zero_point = quantize_affine(torch.cat([seen[0].flatten(), torch.zeros(1)]))
    assert q[-1] == zero_point != 0
    assert dequantize(q, scale, zero_point)[-1] == 0
    assert q.dtype == torch.uint8
    assert abs(dequantize(torch.zeros_like(q[:1]), scale, zero_point).item() + 0.19) < 0.005


@proves("batch", "one scale")
def a_neighbour_changes_the_logits_of_the_int8_model_only():
    tokenizer = AutoTokenizer.from_pretrained(checkpoint(NAME))
    # Of equal length, so that padding plays no part.
    texts = [text for text in lesson_texts() if len(tokenizer(text)["input_ids"]) == 12][:8]
    changes = {}
    for file in (ONNX_FP32, ONNX_INT8):
        session = onnxruntime.InferenceSession(onnx_folder(NAME) / file, providers=["CPUExecutionProvider"])
        alone, together = (
            session.run(["logits"], dict(tokenizer(some, return_tensors="np")))[0][0] for some in (texts[:1], texts)
        )
        changes[file] = abs(alone - together).max()
    assert changes[ONNX_FP32] < 1e-4
    assert changes[ONNX_INT8] > 1e-3


EQUIVALENT: dict[str, dict[str, str]] = {
    "pack": {
        "line 3: levels[:16] | levels[16:] << 4 becomes levels[:16] ^ levels[16:] << 4": "the two halves have no bit in common",
        "line 3: :16 becomes :-16": "16 is the middle of 32",
        "line 3: 16: becomes -16:": "16 is the middle of 32",
    },
    "most_hurt": {
        "line 4: module.named_modules() becomes list(module.named_modules())[1:]": "the layers are inside, so the module itself is none",
        "line 4: module.named_modules() becomes list(module.named_modules())[::-1]": "no two layers have the same error",
    },
    "quantize_block": {
        "line 6: np.zeros becomes np.ones": "with a step of 0 every level gives the minimum",
        "line 5: d == 0 becomes d <= 0": "a step is never negative",
    },
}
