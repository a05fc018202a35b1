"""The places of things in a checkout, all named here, so that no module counts parents of its own file."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout: the folder that holds `_quarto.yml`, `notebooks/` and both packages."""

NOTEBOOKS = ROOT / "notebooks"
"""The lessons, with their saved outputs."""

MY_LESSONS = ROOT / "my_lessons"
"""The learner's copies of the lessons. What lies there is the learner's: `copies` alone writes there."""

BUILD = ROOT / "_build"
"""Everything that is made on the way to the site and can be made again."""

STAGED = BUILD / "site"
"""The copy of the sources that is rendered."""

SITE = ROOT / "_site"
"""The rendered site."""

ADAPTERS = ROOT / "course_build" / "training" / "adapters"
"""What fine-tuning added, as `python -m course_build train` wrote it: a folder for every model, under its own name."""

LOCK = ROOT / "requirements.lock"
"""The exact version of every package that set-up installs."""
