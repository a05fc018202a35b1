"""`python -m course_build COMMAND`: the commands a maintainer runs."""

import argparse
import importlib
import sys

from course_build.errors import BuildError

COMMANDS = {
    "models": "prepare the models that the lessons use, without the Hub",
    "train": "train the adapters that the embedded models are made of",
    "reviews": "make the file of labelled reviews again from its source",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_build", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    arguments = list(sys.argv[1:] if argv is None else argv)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name in arguments[:1]:
            importlib.import_module(f"course_build.{name}").add_arguments(command)
    parsed = parser.parse_args(arguments)
    try:
        return importlib.import_module(f"course_build.{parsed.command}").run(parsed)
    except BuildError as error:
        print(f"course_build {parsed.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
