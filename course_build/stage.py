"""Stage: copy what the site is made of into a folder of its own, so that nothing after this touches a source."""

import shutil
from pathlib import Path

from course_build.paths import BUILD, ROOT

STAGED = BUILD / "site"

SOURCES = (
    "_quarto.yml",
    "*.qmd",
    "*.css",
    "assets/**/*",
    "notebooks/*.ipynb",
    "notebooks/images/**/*",
    "LICENSE",
    "NOTICE",
)
"""What the site is made of, as glob patterns relative to the checkout."""


def stage(target: Path = STAGED) -> Path:
    """Copy the site's sources into `target`, which afterwards holds them and nothing else. Returns `target`."""
    if target.exists():
        shutil.rmtree(target)
    for pattern in SOURCES:
        for source in sorted(ROOT.glob(pattern)):
            if source.is_file():
                copy = target / source.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)
    return target
