"""`python -m course_build site`: everything between a fresh clone and a rendered blog, a line for each step."""

import argparse

from course_build import demo, models, render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The same choice of renderer as `render`."""
    render.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prepare the models and the demo, execute the notebooks, render the site (the environment is there)."""
    models.prepare()
    demo.prepare_if_possible()
    return render.run(arguments)
