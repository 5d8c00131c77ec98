"""The workflow in a video: the metadata of MP4 (MOV) and WebM (MKV), as ComfyUI's own nodes write it.

Read by hand, piece by piece from the file: nothing of the pictures is loaded, and no size that a
file states is believed beyond its own end. Forms: ISO/IEC 14496-12 boxes with QuickTime's metadata
(`meta`, `keys`, `ilst`), and EBML (RFC 8794) with Matroska's tags (RFC 9559).
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from typing import BinaryIO

from ..files import PathLike
from .pictures import MAX_TEXT, decoded, unnamed

MOST_PARTS = 100_000  # boxes or elements that are looked at
_COMMENT = ("comment", "\u00a9cmt", "description")
_EBML = b"\x1aE\xdf\xa3"
_SEGMENT, _TAGS, _TAG, _SIMPLE, _NAME, _TEXT = (
    0x18538067, 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487,
)  # fmt: skip
_HOLDERS = {_SEGMENT, _TAGS, _TAG, _SIMPLE}


def video_texts(path: PathLike) -> list[tuple[str, str]] | None:
    """(name, text) of a video's metadata, names in small letters; None for what is no video."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            head = file.read(12)
            part = _Part(file, 0, os.fstat(file.fileno()).st_size)
            if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis", b"heic", b"mif1"):
                return list(_named(_mp4(part)))
            if head.startswith(_EBML):
                return list(_named(_matroska(part)))
    except OSError:  # said by who reads the file as a whole
        return None
    return None


class _Part:
    """A stretch of a file."""

    def __init__(self, file: BinaryIO, start: int, end: int):
        self.file, self.start, self.end = file, start, end

    def read(self, start: int, size: int) -> bytes:
        """At most `size` bytes from `start`, never from beyond the part's end."""
        self.file.seek(start)
        return self.file.read(max(min(size, self.end - start), 0))

    def inside(self, start: int, size: int | None) -> _Part:
        """A stretch of this one; None: up to its end."""
        end = self.end if size is None else min(start + size, self.end)
        return _Part(self.file, start, end)

    def text(self, skip: int = 0) -> bytes:
        return self.read(self.start + skip, MAX_TEXT)


def _named(texts: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Texts by name; a comment may hold both, as VideoHelperSuite writes them."""
    for name, text in texts:
        if name.lower() in _COMMENT:
            yield from unnamed(text)
        else:
            yield name.lower(), text


def _mp4(part: _Part) -> Iterator[tuple[str, str]]:
    for kind, body in _boxes(part):
        if kind == b"moov":
            yield from _moov(body)


def _moov(part: _Part) -> Iterator[tuple[str, str]]:
    for kind, body in _boxes(part):
        if kind == b"udta":
            yield from _moov(body)
        elif kind == b"meta":
            yield from _meta(body)


def _meta(part: _Part) -> Iterator[tuple[str, str]]:
    """Metadata with a table of names, or with names of four letters."""
    full = part.read(part.start + 4, 4) not in (b"hdlr", b"keys", b"ilst")
    names: list[str] = []
    for kind, body in _boxes(part.inside(part.start + 4 * full, None)):
        if kind == b"keys":
            names = [decoded(each.text()) for _, each in _boxes(body.inside(body.start + 8, None))]
        elif kind == b"ilst":
            yield from _listed(body, names)


def _listed(part: _Part, names: list[str]) -> Iterator[tuple[str, str]]:
    for kind, item in _boxes(part):
        place = int.from_bytes(kind, "big") - 1
        name = names[place] if 0 <= place < len(names) else kind.decode("latin-1")
        for inner, body in _boxes(item):
            if inner == b"data":
                yield name, decoded(body.text(8))


def _boxes(part: _Part) -> Iterator[tuple[bytes, _Part]]:
    """The boxes of a stretch: size, four letters, content."""
    at = part.start
    for _ in range(MOST_PARTS):
        head = part.read(at, 16)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head[:8])
        skip = 8
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:], "big")
            skip = 16
        if size == 0:
            size = part.end - at
        if size < skip:
            return
        yield kind, part.inside(at + skip, size - skip)
        at += size


def _matroska(part: _Part) -> Iterator[tuple[str, str]]:
    """The tags. A live recording's pieces of unknown size are looked into, not skipped."""
    waiting, left = [part], MOST_PARTS
    while waiting and left:
        here = waiting.pop()
        at = here.start
        name = ""
        while left and at < here.end:
            left -= 1
            code, at = _number(here, at, marked=True)
            size, at = _number(here, at, marked=False)
            if code is None or at > here.end:
                break
            body = here.inside(at, size)
            if code == _NAME:
                name = decoded(body.text())
            elif code == _TEXT and name:
                yield name, decoded(body.text().rstrip(b"\0"))
            elif code in _HOLDERS:
                waiting.append(body)
            at = body.end if size is not None or code in _HOLDERS else at


def _number(part: _Part, at: int, marked: bool) -> tuple[int | None, int]:
    """(a number of variable length, what comes after it); None for one that is unknown or none.

    marked: with the bit that says how long it is, as codes are written.
    """
    head = part.read(at, 8)
    length = 9 - head[0].bit_length() if head and head[0] else 9
    if len(head) < length or length > 8:
        return None, part.end + 1
    value = int.from_bytes(head[:length], "big")
    if marked:
        return value, at + length
    value &= (1 << 7 * length) - 1
    unknown = value == (1 << 7 * length) - 1
    return (None if unknown else value), at + length
