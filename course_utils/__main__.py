"""Commands that put the course's model to work.

Each command is a module with `add_arguments(parser)` and `run(arguments)`, which is loaded only when it is named.
"""

import argparse
import importlib
import sys

from course_utils.errors import CommandError
from course_utils.models import CheckpointError

COMMANDS = {
    "classify": ("course_utils.files.classify", "classify a file of texts: CSV, JSON Lines or Parquet"),
    "serve": ("course_utils.service.server", "answer over HTTP, for many clients at once"),
}
"""A command's name, its module, and what it does in one line."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status: 0, 1 after an error that a sentence explains, 130 when interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m course_utils", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    try:
        for name, (module, text) in COMMANDS.items():
            command = commands.add_parser(name, help=text, description=text)
            if name in arguments[:1]:
                importlib.import_module(module).add_arguments(command)
        parsed = parser.parse_args(arguments)
        return importlib.import_module(COMMANDS[parsed.command][0]).run(parsed)
    except (CommandError, CheckpointError) as error:
        print(f"course_utils: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("course_utils: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
