"""Render: make `_site/` from the staged site, with Quarto where it can be had, else with the preview."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from course_build import BuildError, progress
from course_build.paths import BUILD, SITE
from course_build.preview import finished_pages, smalldocs_site
from course_build.setup import environment, pip_and_uv_settings
from course_build.site import content_security_policy, page_weight

PAGES = BUILD / "pages"
"""Pages that the preview renderer finished, kept for the next time."""

QUARTO = "quarto-cli==1.7.34"
DOWNLOADS = "https://github.com/quarto-dev/quarto-cli/releases"
"""Where its installer gets the program from."""

ANSWER_SECONDS = 10
"""How long to wait for that host's first answer: this is the network's time, which no slow machine makes longer."""


def render(staged: Path, output: Path = SITE, renderer: str = "auto") -> None:
    """Render a staged site, unless it was rendered before. A render that fails leaves the old site as it was.

    Raises:
        BuildError: the renderer failed, or Quarto was asked for and can't be had.
    """
    quarto = None if renderer == "preview" else find_quarto()
    if renderer == "quarto" and quarto is None:
        raise BuildError("Quarto was asked for and is not here. Get it from quarto.org, or use --renderer preview")
    note = BUILD / f"rendered-{output.name}.json"
    made_of = _made_of(staged, quarto)
    if _read(note) == {"made_of": made_of, "site": _stamps(output)}:
        print(f"render: nothing changed since the site was made; open {output / 'index.html'}", flush=True)
        return
    print(f"render: {quarto or 'no Quarto; the preview renderer'} makes the site", flush=True)
    note.unlink(missing_ok=True)
    render_with(quarto, staged, output, PAGES)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"made_of": made_of, "site": _stamps(output)}), encoding="utf-8")
    print(f"render: open {output / 'index.html'}, or serve it: python -m course_build preview", flush=True)


def _made_of(staged: Path, quarto: str | None) -> str:
    """Hash what a rendered site depends on: the staged files, the renderer, and the code that calls it."""
    digest = hashlib.sha256(f"{quarto} {finished_pages.code_version()}".encode())
    for path in sorted(path for path in staged.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(staged).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _stamps(site: Path) -> dict[str, list[int]]:
    """The size and the time of every file of a rendered site, so that one that was changed or lost is noticed."""
    files = sorted(path for path in site.rglob("*") if path.is_file())
    facts = {path.relative_to(site).as_posix(): path.stat() for path in files}
    return {name: [each.st_size, each.st_mtime_ns] for name, each in facts.items()}


def _read(note: Path) -> object:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def render_with(quarto: str | None, staged: Path, output: Path, pages: Path | None = None) -> None:
    """Render with the Quarto that is given, else with the preview, and say nothing but warnings.

    `pages` is a folder in which the preview keeps finished pages for the next time.
    """
    if quarto is None:
        smalldocs_site.render(staged, output, pages)
    else:
        _render_with_quarto(quarto, staged, output)


def find_quarto(install: bool = True) -> str | None:
    """Return the path of Quarto, on the PATH or in the environment, where one attempt is made to install it; else None.

    The attempt is made once for each environment, and only if `install`: its installer downloads the program from
    GitHub, which not every network allows.
    """
    beside = environment.python().parent
    found = shutil.which("quarto") or shutil.which("quarto", path=str(beside))
    attempt = BUILD / "quarto-attempt.log"
    if found or not install or attempt.exists() or not environment.inside():
        return found
    attempt.parent.mkdir(parents=True, exist_ok=True)
    attempt.write_text("begun\n", encoding="utf-8")
    try:
        # Asked first, for the installer itself would wait for ever where nothing answers.
        urllib.request.urlopen(DOWNLOADS, timeout=ANSWER_SECONDS).close()
    except OSError as error:
        attempt.write_text(f"{DOWNLOADS}: {error}\n", encoding="utf-8")
        return None
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--retries", "1", QUARTO]
    environ = pip_and_uv_settings.pip_environ()
    done = progress.run(command, "render: trying to install Quarto (once)", shown=False, env=environ)
    attempt.write_text(done.stdout, encoding="utf-8")
    return shutil.which("quarto", path=str(beside))


def _render_with_quarto(quarto: str, staged: Path, output: Path) -> None:
    environ = {**os.environ, "QUARTO_PYTHON": sys.executable}
    result = subprocess.run([quarto, "render", str(staged)], env=environ, capture_output=True, text=True)
    log = result.stdout + result.stderr
    warnings = [line for line in log.splitlines() if "WARN" in line]
    if result.returncode:
        raise BuildError(f"quarto render failed:\n{log[-3000:]}")
    for line in warnings:
        print(f"render: {line}", flush=True)
    if not (staged / "_site").is_dir():
        raise BuildError("Quarto made no folder _site: set output-dir to _site in _quarto.yml.")
    page_weight.lighten_site(staged / "_site")
    content_security_policy.add_to_site(staged / "_site")
    smalldocs_site.swap(staged / "_site", output)
