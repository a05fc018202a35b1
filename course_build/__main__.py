"""Prepare, execute, render and check the course. `python3 -m course_build site` does all that a newcomer needs.

On a bare interpreter every command first makes the project's environment, and goes on inside it.
"""

import argparse
import importlib
import os
import subprocess
import sys
from types import ModuleType

if sys.version_info < (3, 11):  # noqa: UP036 - before anything is imported that an old Python can't even read
    sys.exit("The course needs Python 3.11, 3.12 or 3.13. Install one and name it: make site PYTHON=python3.12")

from course_build import environment
from course_build.errors import BuildError

COMMANDS = {
    "site": "do all the set-up and render the site; again, render what changed",
    "models": "prepare the models that the lessons use, without the Hub",
    "execute": "run lessons and save what they put out",
    "preview": "serve the rendered site on this machine",
    "check": "prove everything: lint, tests, and every output of every notebook",
    "lab": "open the lessons in JupyterLab",
    "bench": "measure speed beside the peers, into benchmarks/",
    "clean": "delete what was built; the environment and the models stay",
    "demo": "fetch and make what the demo in the browser needs",
    "blog": "make a small Quarto blog of your own, ready to render",
    "train": "train the adapters that the embedded models are made of",
    "new-lesson": "make all that a new lesson needs, working from the start",
    "rename-lesson": "give a lesson another title, everywhere",
    "retire-lesson": "take a lesson out, with all that belongs to it",
    "exercises": "write the stubs of the exercises from their solutions",
    "syllabus": "write the syllabus from the lessons' front matter",
    "cards": "draw the pictures that shared links to the lessons show",
    "upgrade-report": "run the lessons with other versions of the packages, and say what breaks",
    "reviews": "make the file of labelled reviews again from its source",
    "lock": "resolve the dependencies again and write requirements.lock",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m course_build", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    try:
        for name, text in COMMANDS.items():
            command = commands.add_parser(name, help=text, description=text)
            if name in arguments[:1]:
                if not environment.inside():
                    environment.ensure()
                    return _continue_inside(arguments)
                if environment.is_stale():
                    print("course_build: .venv is older than the lock; `make site` renews it", flush=True)
                module(name).add_arguments(command)
        parsed = parser.parse_args(arguments)
        return module(parsed.command).run(parsed)
    except BuildError as error:
        print(f"course_build: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("course_build: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def module(command: str) -> ModuleType:
    """Import the module that is a command."""
    return importlib.import_module(f"course_build.{command.replace('-', '_')}")


NOT_PASSED_ON = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
"""What would lead the environment's interpreter elsewhere; and without bytecode every process compiles torch anew."""


def _continue_inside(arguments: list[str]) -> int:
    """Run the same command with the environment's own interpreter (a child, for Windows has no exec)."""
    environ = {key: value for key, value in os.environ.items() if key not in NOT_PASSED_ON}
    command = [str(environment.python()), "-m", "course_build", *arguments]
    return subprocess.run(command, env=environ).returncode


if __name__ == "__main__":
    sys.exit(main())
