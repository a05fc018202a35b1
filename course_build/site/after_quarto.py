"""After Quarto: make a site lighter that a plain `quarto render` made. Quarto calls it, by way of assets/lighten.lua.

It runs in whatever Python there is, which may lack what it takes, and then says so in a line.
"""

import sys
from pathlib import Path


def main(site: Path) -> None:
    """Lighten a site. Where a package for that is missing, exit with the status 1 and leave the site as it is."""
    try:
        from course_build.site import page_weight
    except ImportError as error:
        sys.exit(f"{sys.executable}: {error}")
    page_weight.lighten_site(site)
    print(f"{site.name}: pages and libraries are lighter now")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
