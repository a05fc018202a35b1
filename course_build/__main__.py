"""Prepare, execute, render and check the course. `python3 -m course_build site` does all that a newcomer needs.

On a bare interpreter every command first makes the project's environment, and goes on inside it.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

if sys.version_info < (3, 11):  # noqa: UP036 - before anything is imported that an old Python can't even read
    sys.exit("The course needs Python 3.11, 3.12 or 3.13. Install one and name it: make site PYTHON=python3.12")

from course_build import BuildError, foreground
from course_build.paths import ROOT
from course_build.setup import environment, pip_and_uv_settings

LEARN = ("learn", "site")
"""What a lesson imports, and what runs, renders and checks it: lesson 2 renders a page."""
RUN = (*LEARN, "scale")
"""And what the last section of lesson 8 runs, where every output is to be made."""
ALL = (*RUN, "test")

COMMANDS = {
    "site": ("course_build.site.build", "do all the set-up and render the site; again, render what changed", LEARN),
    "models": ("course_build.models.prepare", "prepare the models that the lessons use, without the Hub", LEARN),
    "execute": ("course_build.notebooks.execute", "run lessons and save what they put out", RUN),
    "preview": ("course_build.preview.local_server", "serve the rendered site on this machine", LEARN),
    "check": ("course_build.check", "prove everything: lint, tests, and every output of every notebook", ALL),
    "lab": ("course_build.classroom.lab", "open your own copies of the lessons in JupyterLab", LEARN),
    "bench": ("course_build.bench", "measure speed beside the peers, into benchmarks/", RUN),
    "clean": ("course_build.clean", "delete what was built; the environment and the models stay", None),
    "demo": ("course_build.site.demo", "fetch and make what the demo in the browser needs", LEARN),
    "blog": ("course_build.site.learners_blog", "make a small Quarto blog of your own, ready to render", LEARN),
    "train": ("course_build.training.train", "train the adapters that the embedded models are made of", RUN),
    "new-lesson": ("course_build.lessons.new", "make all that a new lesson needs, working from the start", ALL),
    "rename-lesson": ("course_build.lessons.rename", "give a lesson another title, everywhere", ALL),
    "retire-lesson": ("course_build.lessons.retire", "take a lesson out, with all that belongs to it", LEARN),
    "exercises": (
        "course_build.lessons.exercise_stubs",
        "write the stubs of the exercises from their solutions",
        LEARN,
    ),
    "mutants": ("course_build.exercises.mutants", "try each check on wrong answers that are made by machine", ALL),
    "syllabus": ("course_build.lessons.syllabus", "write the syllabus from the lessons' front matter", LEARN),
    "cards": ("course_build.lessons.social_cards", "draw the pictures that shared links to the lessons show", ALL),
    "upgrade-report": (
        "course_build.notebooks.upgrade_report",
        "run the lessons with other versions of the packages, and say what breaks",
        ALL,
    ),
    "reviews": (
        "course_build.training.rated_snippets",
        "make the file of labelled reviews again from its source",
        LEARN,
    ),
    "lock": ("course_build.setup.lock", "resolve the dependencies again and write requirements.lock", ()),
}
"""Each command with its module, what it does, and the layers of the environment that it wants (`None`: none at all)."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    if not (ROOT / "_quarto.yml").is_file():
        print(
            f"course_build: {ROOT} is no checkout of the course, which this package works on. Clone the course, "
            "and run the command in its folder. (A lesson needs course_utils alone.)",
            file=sys.stderr,
        )
        return 1
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m course_build", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    try:
        for name, (_, text, layers) in COMMANDS.items():
            command = commands.add_parser(name, help=text, description=text)
            if name in arguments[:1]:
                if layers is not None and (status := _enter(arguments, layers)) is not None:
                    return status
                module(name).add_arguments(command)
        parsed = parser.parse_args(arguments)
        return module(parsed.command).run(parsed)
    except BuildError as error:
        print(f"course_build: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "course_build").startswith("course_"):
            raise
        print(
            f"course_build: {sys.executable} has no package {error.name}. Install what the course needs: "
            f'{sys.executable} -m pip install -c requirements.lock -e ".[{",".join(ALL[1:])}]"',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("course_build: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def module_name(command: str) -> str:
    """Return the name of the module that is a command."""
    return COMMANDS[command][0]


def module(command: str) -> ModuleType:
    """Import the module that is a command."""
    return importlib.import_module(module_name(command))


ENTERED = "COURSE_BUILD_ENTERED"
"""A variable that says that an environment was made for this process, or for the one that it serves."""


def _enter(arguments: list[str], layers: Sequence[str]) -> int | None:
    """Have an environment with these layers. Run the command inside it, or return None where this process is inside.

    Raises:
        BuildError: it can't be made, or it isn't to be changed and lacks something.
    """
    if environment.is_own():
        if not environment.is_whole(layers):
            if ENTERED not in os.environ:
                # Another interpreter adds to this one's environment, or makes it anew. Not in the middle of a command.
                return _run(environment.base_interpreter(), arguments)
            environment.require(layers, arguments[0])
        elif environment.outdated(layers, environment.read_stamp()):
            print("course_build: .venv is older than the lock; `make site` renews it", file=sys.stderr, flush=True)
        return None
    if environment.is_conda():
        environment.require(layers, arguments[0])
        return None
    environment.ensure(layers)
    return _run(str(environment.python()), arguments)


def _run(interpreter: str, arguments: list[str]) -> int:
    """Run the same command with another interpreter (a child, for Windows has no exec)."""
    # Without bytecode every process would compile torch anew.
    environ = {**pip_and_uv_settings.environ("PYTHONDONTWRITEBYTECODE"), ENTERED: "1"}
    return foreground.run([interpreter, "-m", "course_build", *arguments], environ)


if __name__ == "__main__":
    sys.exit(main())
