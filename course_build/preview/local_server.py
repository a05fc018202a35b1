"""`python -m course_build preview`: serve a rendered site on this machine."""

import argparse
import functools
import http.server
from pathlib import Path

from course_build import BuildError
from course_build.paths import SITE


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve a rendered site, and its own page for what isn't there."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a missing page with the site's 404 page."""
        missing = Path(self.directory) / "404.html"
        if code != 404 or not missing.is_file():
            super().send_error(code, message, explain)
            return
        body = missing.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def server(site: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server of the site for this machine only. Port 0 takes any free one."""
    if not (site / "index.html").is_file():
        raise BuildError(f"{site} holds no rendered site: `make site` makes it.")
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Handler, directory=str(site)))
    except OSError as error:
        raise BuildError(f"Port {port} can't be used ({error.strerror}): give another one with --port.") from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--port", type=int, default=8000, help="the port to listen on (default: %(default)s)")
    parser.add_argument("--site", type=Path, default=SITE, help="the rendered site (default: _site)")


def run(arguments: argparse.Namespace) -> int:
    """Serve the rendered site until the reader presses Ctrl+C."""
    with server(arguments.site, arguments.port) as site:
        print(f"The site is at http://127.0.0.1:{site.server_port}/. Press Ctrl+C to stop.", flush=True)
        try:
            site.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0
