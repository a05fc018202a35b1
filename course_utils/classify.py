"""`python -m course_utils classify`: classify a file of texts. (Being written.)"""

import argparse

from course_utils.errors import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options yet."""


def run(arguments: argparse.Namespace) -> int:
    """Say that it isn't there yet."""
    raise CommandError("classify is being written")
