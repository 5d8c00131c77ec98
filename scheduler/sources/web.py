"""Reading a static page's files: GET alone, http and https alone, within bounds of bytes and seconds.

Sent are the host, the path and the program's name: no cookie, no referrer, nothing of the user's
models. A redirection is followed only within its own site, and never from https to http. Answers
are taken as they are: none that is packed, so that none unpacks to more than was asked for.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, quote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import SourceError
from ..version import VERSION
from .readers import Gone, Unreachable

PATIENCE = 10.0  # seconds without a byte
MOST_SECONDS = 60.0  # for one file, whatever trickles in
MOST_REDIRECTIONS = 3
PIECE = 1 << 16
HEADERS = {
    "User-Agent": f"StepDistill/{VERSION}",
    "Accept": "application/json, */*",
    "Accept-Encoding": "identity",
}
MOVED = (301, 302, 303, 307, 308)
MISSING = (404, 410)


class WebReader:
    """A page's files, over one connection that is kept between them.

    patience, most_seconds: without a byte, and for one file.
    """

    def __init__(
        self, address: str, patience: float = PATIENCE, most_seconds: float = MOST_SECONDS
    ):
        self.address = address
        self.patience, self.most_seconds = patience, most_seconds
        self._open: tuple[str, HTTPConnection] | None = None

    def read(self, name: str, most: int) -> bytes:
        address = urljoin(self.address, quote(name))
        ends = time.monotonic() + self.most_seconds
        for _ in range(MOST_REDIRECTIONS + 1):
            found = self._asked(urlsplit(address), name, most, ends)
            if isinstance(found, bytes):
                return found
            address = _followed(address, found, name)
        raise SourceError(f"{name} is handed on more than {MOST_REDIRECTIONS} times; not followed.")

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _asked(self, url: SplitResult, name: str, most: int, ends: float) -> bytes | str:
        """The content, or the address that it is handed on to."""
        kept = self._open is not None
        try:
            return self._answer(url, name, most, ends)
        except (HTTPException, OSError, ValueError) as problem:
            self.close()
            # A server may end a kept connection at any time; a fresh one is asked once more.
            idle = isinstance(problem, (ConnectionError, HTTPException))
            if not (kept and idle) or time.monotonic() > ends:
                raise Unreachable(_said(url, name, problem)) from None
        try:
            return self._answer(url, name, most, ends)
        except (HTTPException, OSError, ValueError) as problem:
            self.close()
            raise Unreachable(_said(url, name, problem)) from None

    def _answer(self, url: SplitResult, name: str, most: int, ends: float) -> bytes | str:
        connection, target = self._connection(url)
        # Headers that trickle in are bounded by nothing else.
        watch = threading.Timer(max(ends - time.monotonic(), 0.01), _cut, [connection])
        watch.daemon = True
        watch.start()
        try:
            connection.request("GET", target, headers=HEADERS)
            with connection.getresponse() as response:
                return self._content(response, name, most, ends)
        finally:
            watch.cancel()

    def _content(self, response: HTTPResponse, name: str, most: int, ends: float) -> bytes | str:
        if response.status in MOVED:
            self.close()
            return response.headers.get("Location", "")
        if response.status != 200:
            self.close()
            if response.status in MISSING:
                raise Gone(f"{name} is not there.")
            raise Unreachable(f"{name}: the site answered {response.status}.")
        packed = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packed not in ("", "identity"):
            self.close()
            raise SourceError(f"{name} was sent packed ({packed[:20]!a}), which was not asked for.")
        stated = response.length
        if stated is not None and stated > most:
            self.close()
            raise SourceError(f"{name} has {stated:,} bytes; at most {most:,} are read.")
        return self._pieces(response, name, most, ends, stated)

    def _pieces(
        self, response: HTTPResponse, name: str, most: int, ends: float, stated: int | None
    ) -> bytes:
        found = bytearray()
        while piece := response.read1(PIECE):
            found += piece
            if len(found) > most:
                self.close()
                raise SourceError(f"{name} has more than {most:,} bytes, the most that are read.")
            if time.monotonic() > ends:
                raise TimeoutError
        if time.monotonic() > ends:
            raise TimeoutError
        if stated is not None and len(found) < stated:
            self.close()
            raise SourceError(f"{name} was cut short ({len(found):,} of {stated:,} bytes).")
        return bytes(found)

    def _connection(self, url: SplitResult) -> tuple[HTTPConnection, str]:
        """(the connection to a site, what to ask it for): kept from the file before, or new."""
        site = f"{url.scheme}://{url.netloc}"
        proxy = _proxy(url)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if proxy is not None and url.scheme == "http":
            target = f"{site}{target}"
        if self._open is None or self._open[0] != site:
            self.close()
            self._open = site, _made(url, proxy, self.patience)
        return self._open[1], target


def _made(url: SplitResult, proxy: SplitResult | None, patience: float) -> HTTPConnection:
    end = proxy or url
    host = end.hostname or ""
    if url.scheme == "http":
        return HTTPConnection(host, end.port, timeout=patience)
    context = ssl.create_default_context()
    secure = HTTPSConnection(host, end.port, timeout=patience, context=context)
    if proxy is not None:
        secure.set_tunnel(url.hostname or "", url.port or 443)
    return secure


def _proxy(url: SplitResult) -> SplitResult | None:
    """The proxy that the system or the environment names for a site."""
    named = getproxies().get(url.scheme)
    if not named or proxy_bypass(url.hostname or ""):
        return None
    found = urlsplit(named if "://" in named else f"http://{named}")
    return found if found.hostname else None


def _followed(address: str, location: str, name: str) -> str:
    """The address that a redirection leads to; raises SourceError where it leads out of its site."""
    with suppress(ValueError):  # no address at all
        there = urljoin(address, location)
        if _within(urlsplit(address), urlsplit(there)):
            return there
    raise SourceError(
        f"{name} is handed on to {ascii(location[:120])[1:-1]}, which is another site; "
        "add that address itself if you trust it."
    )


def _within(before: SplitResult, after: SplitResult) -> bool:
    """Whether an address is of the same site, and no less secret; raises ValueError for a bad port."""
    upgrade = (before.scheme, after.scheme) == ("http", "https")
    if before.scheme != after.scheme and not upgrade:
        return False
    same = _site(before) == _site(after) and (upgrade or before.port == after.port)
    return same and not after.username and (after.path + after.query).isascii()


def _site(url: SplitResult) -> str:
    return (url.hostname or "").removeprefix("www.")


def _cut(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _said(url: SplitResult, name: str, problem: Exception) -> str:
    late = isinstance(problem, TimeoutError)
    reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    if isinstance(problem, HTTPException):
        reason = "its answer was no proper one"
    why = "it was too slow" if late else ascii(str(reason)[:100])[1:-1].rstrip(".").lower()
    return f"{url.hostname} could not be read ({name}: {why}); try again later."
