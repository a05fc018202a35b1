"""The preview: a site that smalldocs renders, a Quarto project's pages without Quarto.

smalldocs is pinned exactly, and reads the same `_quarto.yml` as Quarto. What it shows otherwise is mended
(`course_build.preview.quarto_differences`): some of it on a private copy of the staged project before smalldocs reads
it, the rest on the pages that it wrote.
"""

import contextlib
import os
import posixpath
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup
from smalldocs.config import BuildError as SmalldocsBuildError
from smalldocs.config import ConfigError, as_list, glob_match
from smalldocs.site import Site, build

from course_build import BuildError
from course_build.preview import quarto_project
from course_build.preview.finished_pages import Kept, hash_files
from course_build.preview.quarto_differences import mend_config, mend_page, mend_source
from course_build.preview.quarto_project import CONFIG
from course_build.site import content_security_policy, page_weight

LOOKED_INTO = {".jpg", ".png", ".svg"}
"""What finishing a page reads besides the page: the sizes of pictures."""


def broken_links(site: Site, source: Path) -> list[str]:
    """Return where links of the project in `source` lead nowhere, each once.

    A file that the build itself makes, such as the feed, is not missing. What `_quarto.yml` links to, smalldocs names
    on each page, from the site's root.
    """
    found = []
    for name, link in site.broken:
        address, _, why = link.partition(" (")
        if (site.out / address.partition("#")[0].lstrip("/")).is_file():
            continue
        in_settings = quarto_project.line_of(source / CONFIG, address.lstrip("/"))
        line = in_settings or quarto_project.line_of(source / name, address)
        place = f"{CONFIG if in_settings else name}{f', line {line}' if line else ''}"
        found.append(f"{place}: {address.lstrip('/') if in_settings else address}{f' ({why}' if why else ''}")
    return list(dict.fromkeys(found))


@contextlib.contextmanager
def by_smalldocs(project: Path, source: Path) -> Generator[None]:
    """Turn what smalldocs says of a project that was made of the one in `source` into a sentence with a place.

    Raises:
        BuildError: smalldocs can't go on. The message names the line of `_quarto.yml` that smalldocs quotes, or the
            page that it was at when it fell over something that `quarto_project` lets pass.
    """
    try:
        yield
    except (ConfigError, SmalldocsBuildError) as error:
        quoted = re.search(r"'([^']+)'", str(error))
        line = quarto_project.line_of(source / CONFIG, quoted[1]) if quoted else None
        raise BuildError(f"{f'{CONFIG}, line {line}: ' if line else ''}{error}".replace(str(project), ".")) from error
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        pages = [frame.f_locals.get("page") for frame, _ in traceback.walk_tb(error.__traceback__)]
        name = next((str(page.src) for page in reversed(pages) if hasattr(page, "src")), CONFIG)
        raise BuildError(
            f"{name} holds something that the preview can't read ({type(error).__name__}: {error})."
            " Quarto may say what it is: quarto render"
        ) from error


def render_project(project: Path, source: Path, pages: Path | None = None) -> Path:
    """Render a private copy of the staged project in `source` in place; return the folder of the finished site.

    `pages` is a folder that keeps each finished page under a hash of all that it is made of. What smalldocs wrote is
    a second's work; mending and lightening it takes six times as long, and is done again for what changed.
    """
    settings = quarto_project.read_config(source)
    (project / CONFIG).write_text(yaml.safe_dump(mend_config(settings.value), sort_keys=False), encoding="utf-8")
    with by_smalldocs(project, source):
        sources = quarto_project.read_pages(project)
    patterns = [str(pattern) for pattern in as_list((settings.value.get("project") or {}).get("resources"))]
    originals = {
        path: path.read_bytes()
        for path in sorted(project.rglob("*.ipynb"))
        if any(glob_match(path.relative_to(project).as_posix(), pattern) for pattern in patterns)
    }
    for page in sources:
        path = project / page.name
        times = path.stat()
        path.write_text(mend_source(page), encoding="utf-8")
        # The cards and the sitemap carry it.
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with by_smalldocs(project, source):
        site = build(project, quiet=True)
    if broken := broken_links(site, source):
        raise BuildError("These links lead nowhere:\n  " + "\n  ".join(broken))
    for warning in site.warnings:
        if "broken link" not in warning:
            print(f"preview: {warning}", file=sys.stderr)
    fronts = {page.address: page.front for page in sources}
    base = posixpath.join(urlsplit(str(site.project.website.get("site-url") or "")).path or "/", "")
    kept, around = Kept(pages), hash_files(site.out, LOOKED_INTO)
    for written in sources:
        name, notebook = written.address, written.notebook
        path = site.out / name
        if not path.exists():  # a draft
            continue
        figures = path.with_name(f"{path.stem}_files")
        # A card's minutes are those of another page.
        own = fronts if b"quarto-grid-link" in path.read_bytes() else fronts[name]
        with kept.files(
            [path, figures], repr([name, base, around, own, notebook]).encode() + path.read_bytes()
        ) as made:
            if not made:
                page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
                try:
                    mend_page(page, name, fronts, notebook, base)
                except BuildError as error:
                    raise BuildError(f"{written.name}: {error}") from error
                page_weight.lighten_page(page, path)
                path.write_text(content_security_policy.add(str(page)), encoding="utf-8")
    names = page_weight.used_names(site.out)
    for path in sorted((site.out / page_weight.LIBRARIES).rglob("*.css")):
        with kept.files([path], repr(sorted(names)).encode() + path.read_bytes()) as made:
            if not made:
                path.write_text(page_weight.prune(path.read_text(encoding="utf-8"), names), encoding="utf-8")
    kept.forget_the_rest()
    for path, content in originals.items():
        (site.out / path.relative_to(project)).write_bytes(content)
    return site.out


def render(source: Path, output: Path, pages: Path | None = None) -> None:
    """Render the staged project in `source` to the new folder `output`.

    `source` is only read. `output` is replaced in one step and only by a finished site, so that a render which fails
    leaves the old one as it was. Raises `BuildError` with a sentence that says what to mend. `pages` is a folder in
    which finished pages are kept for the next time.
    """
    source, output = Path(source), Path(output)
    if output.exists() and (not output.is_dir() or (any(output.iterdir()) and not (output / "index.html").is_file())):
        raise BuildError(f"{output} is not a rendered site, and would be replaced by one: give another folder.")
    quarto_project.read_config(source)
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the output, so that the swap is a rename on one file system.
    with tempfile.TemporaryDirectory(prefix=".preview-", dir=output.parent) as folder:
        project = Path(folder) / "project"
        shutil.copytree(source, project, ignore=shutil.ignore_patterns("_site", ".ipynb_checkpoints"))
        swap(render_project(project, source, pages), output)


def swap(fresh: Path, output: Path) -> None:
    """Put a finished folder in the place of the old one, which comes back if that fails. Both are on one file system.

    Raises:
        OSError: a folder can't be renamed; `output` is as it was.
    """
    old = fresh.with_name(f"{fresh.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    try:
        fresh.rename(output)
    except OSError:
        if old.exists():
            old.rename(output)
        raise
    shutil.rmtree(old, ignore_errors=True)
