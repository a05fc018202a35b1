"""`python -m course_build bench`: measure speed beside the peers, all in one run, into `benchmarks/`."""

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from course_build.models import prepare
from course_build.paths import ROOT

PACKAGES = ("torch", "transformers", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: each script in `benchmarks/` has its own."""


def run(arguments: argparse.Namespace) -> int:
    """Run every script in `benchmarks/`; return 1 when one fails."""
    prepare.prepare()
    scripts = sorted((ROOT / "benchmarks").glob("*.py"))
    failed = [script.name for script in scripts if subprocess.run([sys.executable, script], cwd=ROOT).returncode]
    return 1 if failed else 0


def describe_machine() -> str:
    """Return when and where it is, for the line above a table: a figure without them says nothing."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    where = f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"
    load = f"; load average at the start {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{datetime.date.today()}; {where}{load}."


def write_table(name: str, lines: Sequence[str]) -> None:
    """Print a Markdown page, and write it to `benchmarks/`."""
    print("\n".join(lines))
    (ROOT / "benchmarks" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _processor() -> str:
    """Return the processor's name, and which of the instructions that count for int8 it has, where Linux says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    parted = (line.partition(":") for line in lines)
    facts = {key.strip(): value.strip() for key, colon, value in parted if colon}
    flags = facts.get("flags", "").split()
    has = [flag for flag in ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8") if flag in flags]
    return f"{facts.get('model name', platform.machine())} ({', '.join(has)})"
