"""The Content-Security-Policy of a rendered page: what it may load and run, whatever its server says or leaves out.

Nothing comes from another host, and no script runs but the site's own files and the inline ones that the renderer
wrote, which are named by their hashes. (W3C, "Content Security Policy Level 3".)
"""

import base64
import hashlib
import html
import re
from pathlib import Path

from bs4 import BeautifulSoup

from course_build.html_elements import attribute

RULES = {
    "default-src": "'none'",
    "connect-src": "'self'",
    "font-src": "'self' data:",
    "img-src": "'self' data:",
    "manifest-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # both renderers, and Bootstrap's own script, write style attributes
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "object-src": "'none'",
}
HEAD = re.compile(r"<head>\s*(?:<meta charset=[^>]*>)?")
"""Where the policy goes after: the encoding has to stand in a page's first 1,024 bytes, and a policy is long."""

DATA = ("json", "text/plain", "text/template")
"""What the type of a <script> ends with that holds data, which never runs."""


def add(page: str) -> str:
    """Return the page with its policy at the start of its head. A page that has one, or no head, stays."""
    head = HEAD.search(page)
    if not head or 'http-equiv="Content-Security-Policy"' in page:
        return page
    content = html.escape(policy(page))
    return f'{page[: head.end()]}<meta http-equiv="Content-Security-Policy" content="{content}">{page[head.end() :]}'


def policy(page: str) -> str:
    """Return the policy that lets the page run what is in it now, and nothing else."""
    soup = BeautifulSoup(page, "html.parser")
    scripts = [
        script.string or ""
        for script in soup.find_all("script", src=False)
        if not attribute(script, "type").endswith(DATA)
    ]
    handlers = [attribute(tag, name) for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
    allowed = ["'self'", "'wasm-unsafe-eval'"]  # the demo's runtime is WebAssembly
    allowed += ["'unsafe-hashes'"] if handlers else []
    allowed += sorted({f"'sha256-{digest(code)}'" for code in scripts + handlers})
    return "; ".join(f"{name} {value}" for name, value in {**RULES, "script-src": " ".join(allowed)}.items())


def digest(code: str) -> str:
    """Return the hash of an inline script as a policy names it: SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def add_to_site(site: Path) -> None:
    """Give every page of a rendered site its policy."""
    for path in site.rglob("*.html"):
        path.write_bytes(add(path.read_bytes().decode()).encode())
