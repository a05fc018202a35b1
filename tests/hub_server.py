"""A small Hugging Face Hub on this machine, for tests: what huggingface_hub asks of the real one to download a model.

    with HubServer({"owner/name": folder}) as hub:
        ...  # HF_ENDPOINT=hub.endpoint, in a fresh process: huggingface_hub reads it when it is imported

It answers, with the headers and error codes of the Hub's file protocol:

* `GET /api/models/<id>/revision/<revision>` and `GET /api/models/<id>/tree/<revision>`: what files there are;
* `HEAD` and `GET /<id>/resolve/<revision>/<file>`: a file, or from some byte on (`Range`).

Revisions are `main` and the one commit that it has of each model. A model that was renamed redirects, as the Hub does.
"""

import functools
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESOLVE = re.compile(r"/(?P<id>[\w./-]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
API = re.compile(r"/api/models/(?P<id>[\w./-]+)/(?P<what>revision|tree)/(?P<revision>[^/?]+).*")


class HubServer(ThreadingHTTPServer):
    """Serves folders under the ids of models; a context manager, listening on a free port while it is entered.

    Args:
        models: id of a model to the folder with its files.
        commits: id of a model to its commit hash, where that isn't to be `COMMIT`.
        renamed: former id of a model to its present one.
        cut_after: when set, the connection breaks after so many bytes of a longer file, `cuts` times in all.
        cuts: see above.
    """

    daemon_threads = True

    def __init__(
        self,
        models: dict[str, Path],
        commits: dict[str, str] | None = None,
        renamed: dict[str, str] | None = None,
        cut_after: int | None = None,
        cuts: int = 1,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = models
        self.commits = commits or {}
        self.renamed = renamed or {}
        self.cut_after = cut_after
        self.cuts_left = cuts if cut_after else 0
        self.lock = threading.Lock()
        self.requests: list[tuple[str, str, str | None]] = []
        """Every request so far: its method, its path, its `Range`."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def downloads(self, name: str) -> list[str | None]:
        """The `Range` of every GET of a file."""
        return [span for method, path, span in self.requests if method == "GET" and path.endswith(f"/{name}")]

    def take_cut(self, size: int) -> bool:
        """Tell whether this response of `size` bytes is to break off."""
        with self.lock:
            if self.cuts_left and size > self.cut_after:
                self.cuts_left -= 1
                return True
            return False

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client hangs up: here that is what is being tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *message: object) -> None:
        """Keep the tests' output clean."""

    def _answer(self) -> None:
        self.server.requests.append((self.command, self.path, self.headers.get("Range")))
        found = API.fullmatch(self.path) or RESOLVE.fullmatch(self.path)
        if not found:
            return self._refuse("EntryNotFound")
        hub_id = found["id"]
        if hub_id in self.server.renamed:
            return self._send(307, b"", {"Location": self.path.replace(hub_id, self.server.renamed[hub_id], 1)})
        if hub_id not in self.server.models:
            return self._refuse("RepoNotFound")
        commit = self.server.commits.get(hub_id, COMMIT)
        if found["revision"] not in ("main", commit):
            return self._refuse("RevisionNotFound")
        folder = self.server.models[hub_id]
        if found.re is API:
            return self._list(found["what"], hub_id, commit, folder)
        path = folder / found["file"]
        if not path.is_file():
            return self._refuse("EntryNotFound", {"X-Repo-Commit": commit})
        return self._send_file(path, commit)

    def _list(self, what: str, hub_id: str, commit: str, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in paths]
        if what == "tree":
            content = [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": sha256(path)[:40]}
                for name, path in zip(names, paths, strict=True)
            ]
        else:
            content = {"id": hub_id, "sha": commit, "siblings": [{"rfilename": name} for name in names]}
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send_file(self, path: Path, commit: str) -> None:
        size = path.stat().st_size
        headers = {"ETag": f'"{sha256(path)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        start = 0
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if span:
            start = int(span[1])
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        with path.open("rb") as file:
            file.seek(start)
            self._send(206 if span else 200, file.read(), headers)

    def _refuse(self, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(404, b"", {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.server.take_cut(len(content)):
            self.wfile.write(content[: self.server.cut_after])
            self.close_connection = True
        else:
            self.wfile.write(content)


@functools.cache
def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
