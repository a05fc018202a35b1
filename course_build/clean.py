"""`python -m course_build clean`: delete what was built. The environment and the models took longest, and stay."""

import argparse
import shutil

from course_build.paths import BUILD, ROOT, SITE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--all` deletes the models, too."""
    parser.add_argument(
        "--all", action="store_true", help="delete the models too; the environment stays: delete .venv by hand"
    )


def run(arguments: argparse.Namespace) -> int:
    """Delete the folders that can be made again."""
    for folder in [BUILD, SITE, *([ROOT / "models"] if arguments.all else [])]:
        if folder.exists():
            shutil.rmtree(folder)
            print(f"clean: deleted {folder.name}/")
    return 0
