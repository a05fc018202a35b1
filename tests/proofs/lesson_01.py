"""Lesson 1: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import subprocess
import sys
from pathlib import Path

import torch

from course_utils import checkpoint
from proofs import Proofs

proves = Proofs()

LUCKY = {"check_shape": [[5, 2]]}


def megabytes(expression: str) -> str:
    return f"def megabytes(parameters, bits):\n    return {expression}"


def best(test: str, answer: str = "p", otherwise: str = "None", order: str = "BITS") -> str:
    """Return an answer to exercise 3 that goes through an order, and stops where a test holds."""
    return (
        f"def best_precision(parameters, memory):\n    for p in {order}:\n        if {test}:\n"
        f"            return {answer}\n    return {otherwise}"
    )


FITS = "memory_in_bytes(parameters, p) <= memory"

WRONG = {
    ("check_shape", ("product_shape",)): {
        "turned round": ("product_shape = (2, 5)", "turned round"),
        "the inner numbers": ("product_shape = (7, 7)", "in common"),
        "entry by entry": ("product_shape = (35, 14)", "not multiplied"),
        "how many numbers": ("product_shape = 10", "should be a shape, such as (1, 2). It is 10."),
        "how many numbers, as a tuple": ("product_shape = (10,)", "How are they laid out"),
        "the first one's own": ("product_shape = (5, 7)", "first tensor's own"),
        "the second one's own": ("product_shape = (7, 2)", "second tensor's own"),
        "three dimensions": ("product_shape = [5, 7, 2]", "added up"),
        "added": ("product_shape = (12, 9)", "(12, 9) isn't it"),
        "the product": (
            "product_shape = torch.zeros(5, 7) @ torch.zeros(7, 2)",
            "Is it the tensor, and not its shape?",
        ),
        "a text": ("product_shape = '(5, 2)'", "It is the text '(5, 2)'"),
    },
    ("check_megabytes", ("megabytes",)): {
        "bits for bytes": (megabytes("parameters * bits / 1e6"), "megabits"),
        "bytes": (megabytes("parameters * bits / 8"), "Those are bytes"),
        "powers of two": (megabytes("parameters * bits / 8 / 1024**2"), "MiB"),
        "gigabytes": (megabytes("parameters * bits / 8e9"), "gigabytes"),
        "forgets the bits": (megabytes("parameters / 8e6"), "Where are the bits"),
        "four bytes each": (megabytes("parameters * 4 / 1e6"), "Four bytes for each"),
        "one byte each": (megabytes("parameters / 1e6"), "One byte for each"),
        "whole bytes each": (megabytes("parameters * (bits // 8) / 1e6"), "half a byte"),
        "whole bytes": (megabytes("parameters * bits // 8 / 1e6"), "Whole bytes only"),
        "whole bytes, by int()": (megabytes("int(parameters * bits / 8) / 1e6"), "Whole bytes only"),
        "whole megabytes": (megabytes("parameters * bits // 8_000_000"), "Whole megabytes only"),
        "rounded": (megabytes("round(parameters * bits / 8e6)"), "That is rounded"),
        "to one digit": (megabytes("round(parameters * bits / 8e6, 1)"), "to one digit"),
        "to two digits": (megabytes("round(parameters * bits / 8e6, 2)"), "to two digits"),
        "to three digits": (megabytes("round(parameters * bits / 8e6, 3)"), "to three digits"),
        "with the bytes of the exponent": (
            megabytes("parameters * 2**bits / 8e6"),
            "should give 267.82004. Yours gave",
        ),
        "a text": (megabytes("f'{parameters * bits / 8e6} MB'"), "It is the text '267.82004 MB'"),
        "prints": ("def megabytes(parameters, bits):\n    print(parameters)", "Is there a return in the function?"),
        "counts its calls": (
            "calls = []\n\ndef megabytes(parameters, bits):\n    calls.append(bits)\n"
            "    return parameters * bits / 8e6 + (len(calls) > 7)",
            "the second time",
        ),
    },
    ("check_best_precision", ("best_precision",)): {
        "the coarsest that fits": (best(FITS, order="reversed(BITS)"), "int4 wherever that fits"),
        "the last that fits": (
            "def best_precision(parameters, memory):\n    found = None\n    for p in BITS:\n"
            f"        if {FITS}:\n            found = p\n    return found",
            "int4 wherever that fits",
        ),
        "less than, not at most": (best("memory_in_bytes(parameters, p) < memory"), "with <="),
        "looks at the memory alone": (
            "def best_precision(parameters, memory):\n"
            "    for p, enough in zip(BITS, (4e9, 2e9, 1e9, 0.5e9)):\n"
            "        if memory >= enough:\n            return p",
            "Use both",
        ),
        "always an answer": (best(FITS, otherwise="'int4'"), "the task asks for None"),
        "None in quotes": (best(FITS, otherwise="'None'"), "without quotes"),
        "bits for a name": (best(FITS, answer="BITS[p]"), "name of the precision"),
        "turned round": (best("memory_in_bytes(parameters, p) >= memory"), "as much as there is, or more"),
        "turned round, and not equal": (best("memory_in_bytes(parameters, p) > memory"), "first that does not fit"),
        "bits beside bytes": (best("parameters * BITS[p] <= memory"), "bits with bytes"),
        "megabytes beside bytes": (best("memory_in_bytes(parameters, p) / 1e6 <= memory"), "megabytes with bytes"),
        "whole bytes": (best("parameters * BITS[p] // 8 <= memory"), "best_precision(3, 1) should give None"),
        "a list": (
            f"def best_precision(parameters, memory):\n    return [p for p in BITS if {FITS}]",
            "one of fp32, bf16, int8, int4, or None. It is a list",
        ),
        "for one model": (best("BITS[p] * 1e9 / 8 <= memory and parameters == 10**9"), "best_precision(7000000000, "),
    },
}

RIGHT = {
    ("check_shape", ("product_shape",)): {
        "a list": "product_shape = [5, 2]",
        "torch's": "product_shape = (torch.zeros(5, 7) @ torch.zeros(7, 2)).shape",
        "a tensor of two numbers": "product_shape = torch.tensor([5, 2])",
        "numbers of NumPy": "import numpy as np\n\nproduct_shape = (np.int64(5), np.float64(2))",
    },
    ("check_megabytes", ("megabytes",)): {
        "NumPy's": "import numpy as np\n\n" + megabytes("np.float32(parameters * bits / 8e6)"),
        "torch's": megabytes("torch.tensor(parameters) * bits / 8 / 1_000_000"),
        "an exact fraction": "from fractions import Fraction\n\n" + megabytes("Fraction(parameters * bits, 8_000_000)"),
        "by way of the lesson's function": megabytes(
            "memory_in_bytes(parameters, {32: 'fp32', 16: 'bf16', 8: 'int8', 4: 'int4'}[bits]) / 1e6"
        ),
    },
    ("check_best_precision", ("best_precision",)): {
        "by maximum": (
            "def best_precision(parameters, memory):\n"
            f"    return max([p for p in BITS if {FITS}], key=BITS.get, default=None)"
        ),
        "in megabytes": best("parameters * BITS[p] / 8 / 1e6 <= memory / 1e6"),
        "in whole bits": best("parameters * BITS[p] <= memory * 8"),
        "NumPy's": "import numpy as np\n\n" + best(FITS, answer="np.str_(p)"),
    },
}


@proves("isolation", "alone")
def what_is_installed_into_one_environment_is_in_no_other(tmp_path):
    pythons = []
    for name in ("llm-env", "other"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / name], check=True)
        pythons.append(tmp_path / name / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([pythons[0], "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    (Path(packages) / "one_package.py").write_text("", encoding="utf-8")
    found = [subprocess.run([python, "-c", "import one_package"], capture_output=True).returncode for python in pythons]
    assert found == [0, 1]


@proves("kernel", "remembers")
def a_name_outlives_the_cell_that_made_it(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_cell("x_of_the_quiz = 3")  # and then the cell is deleted: nothing is sent to the kernel
    shell.run_cell("print(x_of_the_quiz)")
    shell.reset()
    assert "x_of_the_quiz" not in shell.user_ns
    assert "3\n" in capsys.readouterr().out


@proves("dtype", "float32")
def one_float_makes_a_float_tensor():
    assert torch.tensor([1, 2.5]).dtype is torch.float32
    assert torch.tensor([1, 2]).dtype is torch.int64


@proves("bf16", "250 MB")
def half_the_bits_are_half_the_memory():
    floats = torch.zeros(125_000_000 // 1000)
    assert floats.numel() * floats.element_size() * 1000 == 500_000_000
    assert floats.numel() * floats.to(torch.bfloat16).element_size() * 1000 == 250_000_000


@proves("file", "model.safetensors")
def the_weights_are_nearly_all_of_a_checkpoint():
    files = Path(checkpoint("distilbert-base-uncased-finetuned-sst-2-english")).iterdir()
    sizes = {path.name: path.stat().st_size for path in files}
    assert sizes["model.safetensors"] > 0.95 * sum(sizes.values())


EQUIVALENT: dict[str, dict[str, str]] = {}
