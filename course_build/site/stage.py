"""Stage: copy what the site is made of into a folder of its own, so that nothing after this touches a source."""

import shutil
from pathlib import Path

from course_build.lessons import index as lessons
from course_build.paths import NOTEBOOKS, ROOT, STAGED

SOURCES = ("_quarto.yml", "*.qmd", "*.css", "assets/**/*", "LICENSE", "NOTICE")
"""What the site is made of beside the lessons, as glob patterns relative to the checkout."""


def stage(target: Path = STAGED) -> Path:
    """Copy the site's sources into `target`, which afterwards holds them and nothing else. Returns `target`."""
    if target.exists():
        shutil.rmtree(target)
    for source in sources():
        copy = target / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    return target


def sources() -> list[Path]:
    """Return the files that the site is made of: pages, assets, the lessons, and what lies beside the lessons.

    Beside them lie their pictures, and whatever a lesson opens or imports. Other notebooks, hidden files and Python's
    caches stay behind.
    """
    site = [path for pattern in SOURCES for path in sorted(ROOT.glob(pattern))]
    found = [*site, *lessons.paths()]
    return [path for path in found if path.is_file() and not _is_private(path.relative_to(ROOT))] + beside_the_lessons(
        NOTEBOOKS
    )


def beside_the_lessons(folder: Path) -> list[Path]:
    """Return what lies beside the lessons in their folder: pictures, and whatever a lesson opens or imports."""
    found = [path for path in sorted(folder.rglob("*")) if path.suffix != ".ipynb" and path.is_file()]
    return [path for path in found if not _is_private(path.relative_to(folder))]


def _is_private(path: Path) -> bool:
    """Tell whether a file is hidden or lies in a hidden folder, or is Python's own."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
