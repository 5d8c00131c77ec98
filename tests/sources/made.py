"""Made-up sources: folders of records with an index, and a web server that can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scheduler.record import Record
from scheduler.sources.publishing import publish
from tests.weights import record_of, weights

NAMES = ("one.json", "more/two.json", "more/three.json")


def records() -> dict[str, Record]:
    """Three records: two of one model at cfg 4 and 7, one of another model."""
    first, other = weights(blocks=4), weights(seed=1, blocks=4)
    found = (record_of(first), record_of(first, cfg=7.0), record_of(other, name="Other"))
    return dict(zip(NAMES, found, strict=True))


def folder_of(place: Path, **options) -> Path:
    """A folder of these records, published."""
    for name, record in records().items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        record.save(place / name)
    publish(place, **{"name": "Ann's", "by": "Ann"} | options)
    return place


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A folder served on this machine. answers: what stands in for a file, by its path; asked: the paths that
    were asked for, with their headers."""

    folder: Path
    address: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict]] = field(default_factory=list)


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """A folder as a static page, under /records/."""
    site = Site(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            site.asked.append((self.path, dict(self.headers)))
            answer = site.answers.get(self.path.removeprefix("/records/"), plain)
            answer(self)

        def log_message(self, *_):
            pass

    def plain(handler: BaseHTTPRequestHandler) -> None:
        path = folder / handler.path.removeprefix("/records/")
        if not handler.path.startswith("/records/") or not path.is_file():
            return send(handler, 404, b"gone")
        send(handler, 200, path.read_bytes())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_port}/records/"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    content: bytes,
    length: int | None = None,
    **headers: str,
) -> None:
    """An answer; length: what it says of itself."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)
    if length is not None:
        handler.close_connection = True
