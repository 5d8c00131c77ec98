"""The workflow in a picture that ComfyUI saved: PNG text chunks and WebP's EXIF.

Read by hand, so that no picture library is needed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ..errors import WorkflowError

PNG = b"\x89PNG\r\n\x1a\n"
RIFF = b"RIFF"
MAX_TEXT = 50_000_000  # bytes of one text, unpacked
_ASCII = 2  # the EXIF type


def is_picture(data: bytes) -> bool:
    """Whether the bytes are a PNG or a WebP."""
    return data.startswith(PNG) or (data.startswith(RIFF) and data[8:12] == b"WEBP")


def embedded(data: bytes) -> str:
    """The text of the workflow in a picture: the page's graph, or else the prompt that was queued.

    Raises WorkflowError.
    """
    texts: dict[str, str] = {}
    for name, text in _png_texts(data) if data.startswith(PNG) else _webp_texts(data):
        texts.setdefault(name, text)
    for name in ("workflow", "prompt"):
        if texts.get(name, "").strip():
            return texts[name]
    if "parameters" in texts:
        raise WorkflowError(
            "This picture was made by a WebUI and holds its parameters, not a ComfyUI workflow."
        )
    raise WorkflowError(
        "This picture holds no workflow: it was saved without one, or a website has taken it out."
    )


def _png_texts(data: bytes) -> Iterator[tuple[str, str]]:
    for kind, body in _png_chunks(data):
        name, _, rest = body.partition(b"\0")
        if kind in (b"tEXt", b"comf"):  # comf: animated PNGs
            yield _latin(name), _decoded(rest)
        elif kind == b"zTXt":
            yield _latin(name), _decoded(_unpacked(rest[1:]))
        elif kind == b"iTXt" and len(rest) >= 2:
            packed = rest[0]
            words = rest[2:].split(b"\0", 2)  # language, translated name, text
            if len(words) == 3:
                yield _latin(name), _decoded(_unpacked(words[2]) if packed else words[2])


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG)
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind in (b"tEXt", b"comf", b"zTXt", b"iTXt"):
            yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def _webp_texts(data: bytes) -> Iterator[tuple[str, str]]:
    """ComfyUI writes "workflow:{...}" and "prompt:{...}" as EXIF texts."""
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack("<4sI", data[at : at + 8])
        if kind == b"EXIF":
            for text in _exif_texts(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0")):
                name, colon, rest = text.partition(":")
                if colon:
                    yield name.lower(), rest
        at += 8 + size + size % 2


def _exif_texts(tiff: bytes) -> Iterator[str]:
    """The texts of a TIFF's first directory."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return
    start = struct.unpack(order + "I", tiff[4:8])[0]
    count = struct.unpack(order + "H", tiff[start : start + 2])[0] if start + 2 <= len(tiff) else 0
    for k in range(count):
        entry = tiff[start + 2 + 12 * k : start + 14 + 12 * k]
        if len(entry) < 12:
            return
        _, kind, size, offset = struct.unpack(order + "HHII", entry)
        if kind == _ASCII and size > 4:
            yield _decoded(tiff[offset : offset + size].rstrip(b"\0"))


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, MAX_TEXT)
    except zlib.error:
        raise WorkflowError("The text in this picture is damaged; use the original file.") from None
    if unpacker.unconsumed_tail:
        raise WorkflowError(
            f"The text in this picture unpacks to more than {MAX_TEXT // 1_000_000} MB, "
            "which no workflow needs."
        )
    return text


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _latin(name: bytes) -> str:
    return name.decode("latin-1").lower()
