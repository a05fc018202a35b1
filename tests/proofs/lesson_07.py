"""Lesson 7: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import onnxruntime
import torch
from transformers import AutoTokenizer

from course_utils import checkpoint
from course_utils.modeling.quantization import dequantize, quantize_absmax, quantize_affine, quantize_per_channel
from course_utils.models import ONNX_FP32, ONNX_INT8, onnx_folder
from proofs import Proofs

proves = Proofs()

LUCKY = {"check_largest_error": [0.1]}

SIZE = "def file_megabytes(parameters, bits, block, overhead):\n    "
PACK = "def pack(levels):\n    "
HURT = (
    "def most_hurt(module):\n    errors = {{}}\n    for name, part in module.named_modules():\n"
    "        if isinstance(part, torch.nn.Linear):\n            w = part.weight.detach()\n"
    "            back = dequantize(*quantize_absmax(w))\n            errors[name] = {error}\n    {result}"
)
BLOCK = "def quantize_block(weights):\n    m = weights.min()\n    "

WRONG = {
    ("check_largest_error", ("largest_error",)): {
        "the whole step": ("largest_error = 0.2", "the whole step"),
        "divides by 128": ("largest_error = 25.4 / 128 / 2", "is 127"),
        "255 steps on both sides": ("largest_error = 50.8 / 255 / 2", "from -127 to 127"),
        "all levels on one side": ("largest_error = 25.4 / 255 / 2", "Too small by half"),
        "no error at all": ("largest_error = 0", "lies on a level"),
        "half of the range": ("largest_error = 12.7", "nearer to another level"),
        "the integer": ("largest_error = 127", "divide 25.4"),
        "a text": ("largest_error = '0.1'", "is a number"),
    },
    ("check_file_megabytes", ("file_megabytes",)): {
        "no overhead": (f"{SIZE}return parameters * bits / 8 / 1e6", "the weights alone"),
        "bytes": (
            f"import math\n{SIZE}return parameters * bits / 8 + math.ceil(parameters / block) * overhead",
            "Those are bytes",
        ),
        "MiB": (
            f"import math\n{SIZE}return (parameters * bits / 8 + math.ceil(parameters / block) * overhead) / 2**20",
            "Those are MiB",
        ),
        "bits and bytes": (
            f"import math\n{SIZE}return (parameters * bits + math.ceil(parameters / block) * overhead) / 1e6",
            "bits are bits",
        ),
        "the overhead in bits": (
            f"import math\n{SIZE}return (parameters * bits + math.ceil(parameters / block) * overhead) / 8e6",
            "in bytes already",
        ),
        "one overhead for all": (f"{SIZE}return (parameters * bits / 8 + overhead) / 1e6", "count the overhead once"),
        "full blocks only": (
            f"{SIZE}return (parameters * bits / 8 + parameters // block * overhead) / 1e6",
            "Round the number of blocks up",
        ),
        "parts of blocks": (
            f"{SIZE}return (parameters * bits / 8 + parameters / block * overhead) / 1e6",
            "Round the number of blocks up",
        ),
        "prints": (f"{SIZE}print(parameters)", "a number of megabytes"),
        "calls it": ("file_megabytes = 84.4", "without brackets"),
    },
    ("check_pack", ("pack",)): {
        "neighbours": (f"{PACK}return levels[0::2] | (levels[1::2] << 4)", "put neighbours together"),
        "halves turned round": (f"{PACK}return levels[16:] | (levels[:16] << 4)", "Turned round"),
        "no shift": (f"{PACK}return levels[:16] | levels[16:]", "has to move up"),
        "a byte each": (f"{PACK}return levels", "still 32 numbers"),
        "the lower halves alone": (f"{PACK}return levels[:16] & 15", "got lost"),
        "a wrong shift": (f"{PACK}return levels[:16] | (levels[16:] << 3)", "should become"),
        "floats": (f"{PACK}return levels[:16] + 16.0 * levels[16:]", "whole numbers"),
        "one number": (f"{PACK}return int(levels[0])", "16 bytes"),
    },
    ("check_most_hurt", ("most_hurt",)): {
        "the largest weight": (
            HURT.format(error="w.abs().max().item()", result="return max(errors, key=errors.get)"),
            "has the largest weight",
        ),
        "the least hurt": (
            HURT.format(error="relative_error(w, back)", result="return min(errors, key=errors.get)"),
            "max, not min",
        ),
        "the absolute error": (
            HURT.format(error="(back - w).norm().item()", result="return max(errors, key=errors.get)"),
            "divide by them",
        ),
        "the error, not the name": (
            HURT.format(error="relative_error(w, back)", result="return max(errors.values())"),
            "name of a layer",
        ),
        "name and error": (
            HURT.format(error="relative_error(w, back)", result="return max(errors.items(), key=lambda p: p[1])"),
            "name alone",
        ),
        "every module with a weight": (
            "def most_hurt(module):\n    errors = {}\n    for name, part in module.named_modules():\n"
            "        if hasattr(part, 'weight'):\n            w = part.weight.detach()\n"
            "            errors[name] = relative_error(w, dequantize(*quantize_absmax(w)))\n"
            "    return max(errors, key=errors.get)",
            "not a linear layer",
        ),
        "the parameter's name": (
            HURT.format(error="relative_error(w, back)", result="return max(errors, key=errors.get) + '.weight'"),
            "name of a parameter",
        ),
        "always lin2": ("def most_hurt(module):\n    return 'ffn.lin2'", "has no linear layer"),
        "the first one": (
            HURT.format(error="0", result="return next(iter(errors))"),
            "Relative errors",
        ),
    },
    ("check_quantize_block", ("quantize_block",)): {
        "16 steps": (
            f"{BLOCK}d = (weights.max() - m) / 16\n    return d, m, np.round((weights - m) / d)",
            "16 levels are 15 steps apart",
        ),
        "16 steps, cut off": (
            f"{BLOCK}d = (weights.max() - m) / 16\n    return d, m, np.round((weights - m) / d).clip(0, 15)",
            "divide by 16",
        ),
        "divides by zero": (
            f"{BLOCK}d = (weights.max() - m) / 15\n    with np.errstate(all='ignore'):\n"
            "        return d, m, np.round((weights - m) / d)",
            "divided by 0",
        ),
        "cuts off": (
            f"{BLOCK}d = (weights.max() - m) / 15 or 1\n    return d, m, np.floor((weights - m) / d)",
            "round to the nearest",
        ),
        "absmax": (
            "def quantize_block(weights):\n    d = abs(weights).max() / 7 or 1\n    return d, 0, np.round(weights / d)",
            "one of yours is negative",
        ),
        "forgets to round": (
            f"{BLOCK}d = (weights.max() - m) / 15 or 1\n    return d, m, (weights - m) / d",
            "whole numbers",
        ),
        "two things": (
            f"{BLOCK}d = (weights.max() - m) / 15 or 1\n    return d, np.round((weights - m) / d)",
            "three things",
        ),
        "the wrong order": (
            f"{BLOCK}d = (weights.max() - m) / 15 or 1\n    return np.round((weights - m) / d), m, d",
            "order",
        ),
        "the mean for a minimum": (
            "def quantize_block(weights):\n    m = weights.mean()\n    d = (weights.max() - weights.min()) / 15 or 1\n"
            "    return d, m, np.round((weights - m) / d).clip(0, 15)",
            "m is the smallest weight",
        ),
        "equal weights lost": (
            f"{BLOCK}d = (weights.max() - m) / 15\n    if d == 0:\n        return 0.0, 0.0, np.zeros(32)\n"
            "    return d, m, np.round((weights - m) / d)",
            "come back exactly",
        ),
    },
}


@proves("bf16", "float16", "infinite")
def bf16_has_the_range_and_float16_has_not():
    number = torch.tensor(70_000.0)
    assert number.half().isinf()
    assert 0 < abs(number.bfloat16().float() - number) < number / 256


@proves("bit", "twice as large")
def a_bit_less_doubles_the_error():
    matrix = torch.randn(300, 300, generator=torch.Generator().manual_seed(0))
    errors = [(dequantize(*quantize_absmax(matrix, bits)) - matrix).norm() for bits in (8, 7)]
    assert 1.8 < errors[1] / errors[0] < 2.2


@proves("outlier", "each row")
def a_scale_for_each_row_contains_an_outlier():
    matrix = torch.randn(50, 60, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    matrix[3, 4] = 100

    def error(*quantized: torch.Tensor) -> float:
        return (dequantize(*quantized) - matrix).norm().item()

    absmax, affine, rows = (f(matrix) for f in (quantize_absmax, quantize_affine, quantize_per_channel))
    assert error(*rows) < error(*absmax) / 4
    assert error(*rows) < error(*affine) / 2
    assert error(absmax[0], 2 * absmax[1]) > error(*absmax)
    assert (absmax[0] == 0).float().mean() > 0.2


@proves("zero", "zero point", "0.0")
def zero_comes_back_exactly():
    q, scale, zero_point = quantize_affine(torch.tensor([-0.17, 0.0, 5.0]))
    assert q.tolist() == [0, zero_point.item(), 255]
    assert zero_point != 0
    assert dequantize(q, scale, zero_point)[1] == 0


@proves("batch", "one scale")
def a_neighbour_changes_the_logits_of_the_int8_model_only():
    name = "distilbert-base-uncased-finetuned-sst-2-english"
    tokenizer = AutoTokenizer.from_pretrained(checkpoint(name))
    # Of equal length, so that padding plays no part.
    text, other = "a quiet film that stays with you", "a loud mess that goes on forever"
    assert len({len(ids) for ids in tokenizer([text, other])["input_ids"]}) == 1
    changes = {}
    for file in (ONNX_FP32, ONNX_INT8):
        session = onnxruntime.InferenceSession(onnx_folder(name) / file, providers=["CPUExecutionProvider"])
        alone, together = (
            session.run(["logits"], dict(tokenizer(texts, return_tensors="np")))[0][0]
            for texts in ([text], [text, other])
        )
        changes[file] = abs(alone - together).max()
    assert changes[ONNX_FP32] < 1e-4
    assert changes[ONNX_INT8] > 1e-3


EQUIVALENT: dict[str, dict[str, str]] = {
    "pack": {
        "line 4: levels[:16] | levels[16:] << 4 becomes levels[:16] ^ levels[16:] << 4": "the two halves have no bit in common",
        "line 4: :16 becomes :-16": "16 is the middle of 32",
        "line 4: 16: becomes -16:": "16 is the middle of 32",
    },
    "most_hurt": {
        "line 4: module.named_modules() becomes list(module.named_modules())[::-1]": "no two layers have the same error",
    },
    "quantize_block": {
        "line 5: d == 0 becomes d <= 0": "a step is never negative",
    },
}

HOLES = {
    "pack": [
        "line 3: levels = np.asarray(levels).astype(np.uint8) is dropped",
        "line 3: np.asarray(levels).astype(np.uint8) becomes np.asarray(levels)",
        "line 3: np.asarray(levels) becomes levels",
    ],
    "most_hurt": [
        "line 4: module.named_modules() becomes list(module.named_modules())[1:]",
        "line 4: module.named_modules() becomes list(module.named_modules())[:-1]",
        "line 8: relative_error(w, back) becomes relative_error(back, w)",
    ],
    "quantize_block": [
        "line 5: d == 0 becomes d < 0",
        "line 5: 0 becomes 1",
        "line 5: 0 becomes -1",
        "line 5: if d == 0: return (d, m, np.zeros(32, dtype=np.uint8)) is dropped",
        "line 6: return (d, m, np.zeros(32, dtype=np.uint8)) is dropped",
        "line 6: np.zeros becomes np.ones",
        "line 6: np.zeros(32, dtype=np.uint8) becomes np.zeros(32)",
        "line 8: levels.astype(np.uint8) becomes levels",
    ],
}
