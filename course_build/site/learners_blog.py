"""Blog: make the folder of a small Quarto blog that the learner keeps, and render it if asked to.

The files lie in `blog_template/`, as they are: that folder is itself a blog that renders. Only the title changes.
"""

import argparse
import json
import shutil
import sys
import tempfile
import unicodedata
from pathlib import Path
from shutil import copyfile

from bs4 import BeautifulSoup

from course_build import BuildError
from course_build.site import render

TEMPLATE = Path(__file__).with_name("blog_template")
TITLE = "My notes on language models"
"""The title in the template's `_quarto.yml`, which `--title` replaces."""

UNRENDERED = shutil.ignore_patterns("_site", ".git", ".quarto", ".ipynb_checkpoints", ".venv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the blog's folder, its title, and whether it is rendered at once."""
    parser.add_argument("path", metavar="PATH", type=Path, help="the folder to make: new, or empty")
    parser.add_argument("--title", help=f"what the blog is called (default: {TITLE})")
    parser.add_argument("--render", action="store_true", help="render it, too, to PATH/_site; works again later")


def run(arguments: argparse.Namespace) -> int:
    """Make the blog and say what to do next. With `--render`, a blog that is already there is only rendered."""
    folder = arguments.path.resolve()
    if arguments.render and arguments.title is None and (folder / "_quarto.yml").is_file():
        say(f"blog: {folder.name} is there already; its files stay as they are")
    else:
        made = scaffold(folder, TITLE if arguments.title is None else arguments.title)
        say(f"blog: made {folder.name}, with these files:")
        for name in made:
            say(f"  {name}")
    if arguments.render:
        say(f"blog: rendering with {render_blog(folder)}")
        for name, title in pages(folder / "_site"):
            say(f"  _site/{name}: {title}")
    quoted = f'"{folder.name}"' if " " in folder.name else folder.name
    say(f"blog: to go on, from the folder that holds it:\n  cd {quoted}\n  quarto preview")
    return 0


def say(text: str) -> None:
    """Print a line, with a question mark for what the terminal has no character for."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def scaffold(folder: Path, title: str = TITLE) -> list[str]:
    """Make the blog in `folder`, whole or not at all; return its files, relative to it, in order.

    Raises:
        BuildError: something is in the way, the title can't be one, or the folder can't be written.
    """
    title = clean_title(title)
    refuse(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that putting it there is a rename on one file system.
        with tempfile.TemporaryDirectory(prefix=".blog-", dir=folder.parent) as temporary:
            fresh = Path(temporary) / "blog"
            # Contents only: an installed template may be read-only, and the learner's copy must not be.
            shutil.copytree(TEMPLATE, fresh, copy_function=copyfile, ignore=UNRENDERED)
            write_title(fresh / "_quarto.yml", title)
            names = sorted(path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.is_file())
            if folder.exists():
                folder.rmdir()  # it is empty, or this fails; Windows renames to no folder that is there
            fresh.rename(folder)
    except OSError as error:
        raise BuildError(
            f"{folder} can't be made: {error.strerror or error}. Name a folder in a place where you may write."
        ) from error
    return names


def refuse(folder: Path) -> None:
    """Raise a `BuildError` that names what is in the way of a new folder, if anything is."""
    if folder == Path.cwd():
        raise BuildError("that is the folder you are in. Name a new one: python -m course_build blog my-blog")
    try:
        if folder.is_dir():
            there = sorted(path.name for path in folder.iterdir())
        elif folder.exists():
            raise BuildError(f"{folder} is a file, and a blog is a folder. Name a new folder; the file stays as it is.")
        else:
            return
    except OSError as error:
        raise BuildError(f"{folder} can't be read: {error.strerror}. Name a new folder.") from error
    if there:
        named = ", ".join(there[:3]) + (f" and {len(there) - 3} more" if len(there) > 3 else "")
        raise BuildError(
            f"{folder} is not empty: it holds {named}. Nothing was changed. Name a new folder, or move that one away."
        )


def clean_title(title: str) -> str:
    """Return the title without the white space around it; raise a `BuildError` if it is no line of text."""
    title = title.strip()
    # What stands in no line of text, and can't stand in YAML as it is: control characters, half of an emoji, the two
    # Unicode line breaks, and two code points that are no characters.
    if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each in "\ufffe\uffff" for each in title):
        raise BuildError("the title must be one line of text, without tabs, line breaks and control characters.")
    # A title of invisible characters alone would be as good as none.
    if all(unicodedata.category(each) in ("Cf", "Zs") for each in title):
        raise BuildError('the title is empty. Give it words, such as "What I learn".')
    return title


def write_title(config: Path, title: str) -> None:
    """Put the title in the place of the template's, quoted so that YAML reads back every character of it."""
    # A JSON string is a YAML string, and leaves an emoji as it is.
    quoted = json.dumps(title, ensure_ascii=False)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(f'"{TITLE}"', quoted, 1), encoding="utf-8", newline="\n")


def render_blog(folder: Path) -> str:
    """Render the blog to its `_site`; return the renderer's name.

    It renders a copy, so that neither renderer leaves anything else in the learner's folder, and a render that fails
    leaves the old pages.
    """
    # No attempt to install Quarto: this takes what is here, and says the same each time.
    quarto = render.find_quarto(install=False)
    try:
        with tempfile.TemporaryDirectory(prefix="blog-") as temporary:
            # The folder's own name, for a renderer may show it.
            staged = Path(temporary) / folder.name
            shutil.copytree(folder, staged, ignore=UNRENDERED)
            render.render_with(quarto, staged, folder / "_site")
    except OSError as error:
        raise BuildError(f"{folder.name} can't be rendered: {error}") from error
    return "Quarto" if quarto else "the preview renderer"


def pages(site: Path) -> list[tuple[str, str]]:
    """Each page of a rendered site with its title, the home page first."""
    names = [path.relative_to(site).as_posix() for path in site.rglob("*.html")]
    names = [name for name in names if not name.startswith("site_libs/")]
    found = []
    for name in sorted(names, key=lambda name: (name != "index.html", name)):
        page = BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")
        title = page.select_one("h1.title") or page.title
        found.append((name, " ".join(title.get_text().split()) if title else name))
    return found
