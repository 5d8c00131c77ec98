"""Made-up sources: folders of records with an index, and a web server that can misbehave."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from scheduler.record import Record
from scheduler.sources.publishing import publish
from tests.weights import record_of, weights

NAMES = ("one.json", "more/two.json", "more/three.json")


@cache
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
def served(folder: Path, certificate: Path | None = None) -> Iterator[Site]:
    """A folder as a static page, under /records/; certificate: of an https one, a file with its key."""
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
    scheme = "http"
    if certificate is not None:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    site.address = f"{scheme}://127.0.0.1:{server.server_port}/records/"
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


def certificate_of(place: Path) -> Path:
    """A file with a certificate of this machine that nobody has signed but itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    place.write_bytes(secret + made.public_bytes(pem))
    return place
