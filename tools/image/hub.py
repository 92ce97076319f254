"""A fake Hugging Face hub: `python -m tools.image.hub DIR --port 8100`.

DIR contains checkpoints in folders named like our models, as `tools.synthetic_checkpoint` writes them. They are served
as the repositories and revisions that `layout.LAYOUTS` pins. Set HF_ENDPOINT to its URL. It implements what
`snapshot_download` of huggingface_hub 1.x uses: model info, the tree in a single page, HEAD and GET of a file with its
ETag, commit, linked size and byte ranges, the error codes in X-Error-Code. No LFS redirects, no xet, one revision per
repository.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS

_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(/(?P<what>revision|tree)/(?P<revision>[^/]+))?")
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_MOVING = "main"


@dataclass(frozen=True, slots=True)
class Repository:
    commit: str
    """40 hexadecimal digits."""
    files: Mapping[str, Path]


def repositories(folder: Path) -> dict[str, Repository]:
    """The checkpoints in `folder`, by repository; several models may share one."""
    found: dict[str, Repository] = {}
    for layout in LAYOUTS.values():
        home = folder / layout.name
        if not home.is_dir():
            continue
        known = found[layout.remote.repo].files if layout.remote.repo in found else {}
        own = {path.relative_to(home).as_posix(): path for path in sorted(home.rglob("*")) if path.is_file()}
        revision = layout.remote.revision
        commit = hashlib.sha1(layout.remote.repo.encode()).hexdigest() if revision == _MOVING else revision  # noqa: S324 - the length of a commit, not a signature
        found[layout.remote.repo] = Repository(commit, {**known, **own})
    return found


@dataclass(slots=True)
class Hub:
    """A running fake hub."""

    url: str
    requests: list[str] = field(default_factory=list)
    """All requests, oldest first: "GET /api/models/…"."""


@contextmanager
def serve(
    repos: Mapping[str, Repository], *, host: str = "127.0.0.1", port: int = 0, token: str | None = None
) -> Iterator[Hub]:
    """A hub of `repos`, on a free port unless one is given. With a `token`, it refuses requests without that token."""
    server = ThreadingHTTPServer((host, port), _Handler)
    server.daemon_threads = True
    hub = Hub(f"http://{host}:{server.server_address[1]}")
    answers = _Answers(repos, token, hub.requests)
    vars(server)["answers"] = answers
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="hub", daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class _Answers:
    repos: Mapping[str, Repository]
    token: str | None
    requests: list[str]

    def repository(self, name: str, revision: str) -> Repository:
        if name not in self.repos:
            raise _Refusal(HTTPStatus.NOT_FOUND, "RepoNotFound")
        if revision not in (self.repos[name].commit, _MOVING):
            raise _Refusal(HTTPStatus.NOT_FOUND, "RevisionNotFound")
        return self.repos[name]

    def check(self, authorization: str | None) -> None:
        if self.token is not None and authorization != f"Bearer {self.token}":
            raise _Refusal(HTTPStatus.UNAUTHORIZED, "GatedRepo")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Print nothing; `Hub.requests` records the requests."""

    @property
    def _answers(self) -> _Answers:
        return cast("_Answers", vars(self.server)["answers"])

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self._answers.requests.append(f"{self.command} {path}")
        try:
            self._answers.check(self.headers.get("Authorization"))
            self._send_resource(path)
        except _Refusal as refusal:
            self._send(refusal.status, b"", {"X-Error-Code": refusal.code, "X-Error-Message": refusal.code})

    def _send_resource(self, path: str) -> None:
        if match := _API.fullmatch(path):
            repo = self._answers.repository(match["repo"], match["revision"] or _MOVING)
            self._send_json(_tree(repo) if match["what"] == "tree" else _info(match["repo"], repo))
        elif match := _FILE.fullmatch(path):
            self._send_file(self._answers.repository(match["repo"], match["revision"]), match["name"])
        else:
            raise _Refusal(HTTPStatus.NOT_FOUND, "RepoNotFound")

    def _send_json(self, value: object) -> None:
        self._send(HTTPStatus.OK, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, repo: Repository, name: str) -> None:
        if name not in repo.files:
            raise _Refusal(HTTPStatus.NOT_FOUND, "EntryNotFound")
        path = repo.files[name]
        size = path.stat().st_size
        start = self._first_byte(size)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        self.send_header("ETag", f'"{_blob_id(path)}"')
        self.send_header("X-Repo-Commit", repo.commit)
        self.send_header("X-Linked-Size", str(size))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(size - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        if self.command != "HEAD":
            with path.open("rb") as file:
                file.seek(start)
                shutil.copyfileobj(file, self.wfile)

    def _first_byte(self, size: int) -> int:
        """Where an interrupted download resumes: `Range: bytes=N-`."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        if start > size:
            raise _Refusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "RangeNotSatisfiable")
        return start


def _info(name: str, repo: Repository) -> dict[str, object]:
    siblings = [{"rfilename": file} for file in repo.files]
    return {"id": name, "modelId": name, "sha": repo.commit, "private": False, "tags": [], "siblings": siblings}


def _tree(repo: Repository) -> list[dict[str, object]]:
    return [
        {"type": "file", "path": name, "size": path.stat().st_size, "oid": _blob_id(path)}
        for name, path in repo.files.items()
    ]


def _blob_id(path: Path) -> str:
    """40 digits that change with the file, like Git's blob ids. Git's own would need reading the whole file."""
    stat = path.stat()
    return hashlib.sha1(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()  # noqa: S324 - an id


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.image.hub", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args(arguments)
    with serve(repositories(chosen.folder), port=chosen.port) as hub:
        print(hub.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
