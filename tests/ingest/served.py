"""A store on this machine: files over HTTP with byte ranges, a bucket of S3, and the hub's few questions."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["COMMIT", "Store", "serving"]

COMMIT = "c" * 40


class Store:
    """What is served, and what was asked for.

    Attributes:
        files: path below the server's root → bytes; of a bucket `/bucket/key`, of a dataset
            `/datasets/<name>/resolve/<commit>/<path>`.
        cards: name of a dataset → the front matter of its card.
        asked: method, path and range of every request.
        url: where it is.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cards: dict[str, dict[str, object]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.url = ""

    def dataset(self, name: str, files: dict[str, bytes], card: dict[str, object] | None = None) -> None:
        """Serve a dataset."""
        self.files |= {f"/datasets/{name}/resolve/{COMMIT}/{path}": data for path, data in files.items()}
        self.cards[name] = card or {}

    def held(self, name: str) -> dict[str, bytes]:
        """The files of a dataset."""
        prefix = f"/datasets/{name}/resolve/{COMMIT}/"
        return {path.removeprefix(prefix): data for path, data in self.files.items() if path.startswith(prefix)}


@contextmanager
def serving() -> Iterator[Store]:
    """Serve a store until the end of the block."""
    store = Store()

    class Handler(_Handler):
        pass

    Handler.store = store
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        asked = self.rfile.read(size)
        path = unquote(urlsplit(self.path).path)
        self.store.asked.append(("POST", path, ""))
        if not path.startswith("/api/datasets/") or "/paths-info/" not in path:
            return self._send(404, b"")
        name = path.removeprefix("/api/datasets/").partition("/paths-info/")[0]
        try:
            paths = json.loads(asked)["paths"]
        except ValueError:
            paths = parse_qs(asked.decode()).get("paths", [])
        found = [_entry(one, data) for one, data in self.store.held(name).items() if one in paths]
        return self._send(200, json.dumps(found).encode(), "application/json")

    def _answer(self, *, body: bool) -> None:
        split = urlsplit(self.path)
        path, query = unquote(split.path), parse_qs(split.query)
        self.store.asked.append((self.command, path, self.headers.get("Range") or ""))
        if path.startswith("/api/datasets/"):
            return self._dataset(path.removeprefix("/api/datasets/"))
        if "list-type" in query:
            return self._send(200, self._listing(path.strip("/"), query.get("prefix", [""])[0]), "application/xml")
        path = path.replace("/resolve/main/", f"/resolve/{COMMIT}/", 1)
        if path not in self.store.files:
            return self._send(404, b"")
        data = self.store.files[path]
        return self._send(200, data, "application/octet-stream", body=body, ranges=True)

    def _tree(self, name: str, folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        held = {path: data for path, data in self.store.held(name).items() if path.startswith(prefix)}
        files = [_entry(path, data) for path, data in held.items() if "/" not in path.removeprefix(prefix)]
        below = sorted({prefix + path.removeprefix(prefix).partition("/")[0] for path in held} - set(held))
        folders = [{"type": "directory", "path": path, "size": 0, "oid": "0"} for path in below]
        return self._send(200, json.dumps(files + folders).encode(), "application/json")

    def _dataset(self, path: str) -> None:
        path = path.replace("/tree/main", f"/tree/{COMMIT}", 1)
        if f"/tree/{COMMIT}" in path:
            name, _, folder = path.partition(f"/tree/{COMMIT}")
            return self._tree(name, folder.strip("/"))
        name, _, rest = path.partition("/revision/")
        if name not in self.store.cards or rest not in ("", "main", COMMIT):
            return self._send(404, b'{"error":"Repository not found"}', "application/json")
        siblings = [
            {"rfilename": one, "blobId": hashlib.sha1(data).hexdigest(), "size": len(data)}
            for one, data in self.store.held(name).items()
        ]
        known = {"id": name, "sha": COMMIT, "siblings": siblings, "cardData": self.store.cards[name], "tags": []}
        return self._send(200, json.dumps(known).encode(), "application/json")

    def _listing(self, bucket: str, prefix: str) -> bytes:
        """Every key, without folders."""
        keys = [key.removeprefix(f"/{bucket}/") for key in sorted(self.store.files) if key.startswith(f"/{bucket}/")]
        contents = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(self.store.files[f'/{bucket}/{key}'])}</Size>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;{number}&quot;</ETag></Contents>"
            for number, key in enumerate(keys)
            if key.startswith(prefix)
        )
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{bucket}'
            f"</Name><Prefix>{prefix}</Prefix><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        ).encode()

    def _send(
        self, status: int, data: bytes, kind: str = "text/plain", *, body: bool = True, ranges: bool = False
    ) -> None:
        whole, wanted = len(data), self.headers.get("Range") if ranges else None
        tag = hashlib.sha1(data).hexdigest()
        if wanted:
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end) if end else whole - 1, whole - 1)
            data, status = data[first : last + 1], 206
        self.send_response(status)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        if ranges:
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{tag}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(data)


def _entry(path: str, data: bytes) -> dict[str, object]:
    return {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
