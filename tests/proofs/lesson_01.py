"""Lesson 1: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import subprocess
import sys

import torch

from course_utils import checkpoint
from proofs import Proofs

proves = Proofs()

WRONG = {
    ("check_shape", ("product_shape",)): {
        "turned round": ("product_shape = (2, 5)", "turned round"),
        "the inner numbers": ("product_shape = (7, 7)", "in common"),
        "entry by entry": ("product_shape = (35, 14)", "not multiplied"),
        "how many numbers": ("product_shape = 10", "answer with a pair"),
        "the first one's own": ("product_shape = (5, 7)", "first tensor's own"),
        "three dimensions": ("product_shape = [5, 7, 2]", "added up"),
    },
    ("check_megabytes", ("megabytes",)): {
        "bits for bytes": ("def megabytes(parameters, bits):\n    return parameters * bits / 1e6", "megabits"),
        "bytes": ("def megabytes(parameters, bits):\n    return parameters * bits / 8", "Those are bytes"),
        "powers of two": ("def megabytes(parameters, bits):\n    return parameters * bits / 8 / 1024**2", "MiB"),
        "gigabytes": ("def megabytes(parameters, bits):\n    return parameters * bits / 8e9", "gigabytes"),
        "forgets the bits": ("def megabytes(parameters, bits):\n    return parameters / 8e6", "Where are the bits"),
        "prints": ("def megabytes(parameters, bits):\n    print(parameters)", "returned None"),
    },
    ("check_best_precision", ("best_precision",)): {
        "the coarsest that fits": (
            "def best_precision(parameters, memory):\n    for p in reversed(BITS):\n"
            "        if memory_in_bytes(parameters, p) <= memory:\n            return p",
            "coarsest up",
        ),
        "less than, not at most": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) < memory:\n            return p",
            "with <=",
        ),
        "looks at the memory alone": (
            "def best_precision(parameters, memory):\n"
            "    for p, enough in zip(BITS, (4e9, 2e9, 1e9, 0.5e9)):\n"
            "        if memory >= enough:\n            return p",
            "use both",
        ),
        "always an answer": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) <= memory:\n            return p\n    return 'int4'",
            "return None",
        ),
        "bits for a name": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) <= memory:\n            return BITS[p]",
            "name of the precision",
        ),
        "turned round": (
            "def best_precision(parameters, memory):\n    for p in BITS:\n"
            "        if memory_in_bytes(parameters, p) >= memory:\n            return p",
            "do fit into",
        ),
    },
}


@proves("isolation", "Nothing")
def installing_into_one_environment_leaves_another_alone(tmp_path):
    places = []
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / name], check=True)
        python = tmp_path / name / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        places.append(subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip())
    assert len(set(places)) == 2
    assert all(str(tmp_path) in place for place in places)


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
    from pathlib import Path

    files = Path(checkpoint("distilbert-base-uncased-finetuned-sst-2-english")).iterdir()
    sizes = {path.name: path.stat().st_size for path in files}
    assert sizes["model.safetensors"] > 0.95 * sum(sizes.values())


EQUIVALENT: dict[str, dict[str, str]] = {}
