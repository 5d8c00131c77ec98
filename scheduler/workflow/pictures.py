"""The workflow in a picture: PNG text chunks, and the EXIF of WebP, JPEG and AVIF.

Read by hand, so that no picture library is needed.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator

from ..errors import WorkflowError

PNG = b"\x89PNG\r\n\x1a\n"
RIFF = b"RIFF"
MAX_TEXT = 50_000_000  # bytes of one text, unpacked
JPEG = b"\xff\xd8\xff"
_EXIF = b"Exif\0\0"
_ASCII = 2  # the EXIF type
_EXIF_TAG = 0x8769  # leads to the directory with the user's comment
_COMMENT = 0x9286


def is_picture(data: bytes) -> bool:
    """Whether the bytes are a PNG, a WebP, a JPEG or an AVIF."""
    return _kind_of(data) is not None


def _kind_of(data: bytes) -> Callable[[bytes], Iterator[tuple[str, str]]] | None:
    """What reads the texts of such a picture."""
    if data.startswith(PNG):
        return _png_texts
    if data.startswith(RIFF) and data[8:12] == b"WEBP":
        return _webp_texts
    if data.startswith(JPEG) or data[4:12] in (b"ftypavif", b"ftypavis"):
        return _texts_anywhere
    return None


def embedded(data: bytes) -> str:
    """The text of the workflow in a picture: the page's graph, or else the prompt that was queued.

    Raises WorkflowError.
    """
    reader = _kind_of(data)
    return chosen(reader(data) if reader else (), "picture")


def chosen(found: Iterable[tuple[str, str]], what: str) -> str:
    """The workflow among the texts of a file: the page's graph, or else the prompt that was queued.

    what: the file, in a word. Raises WorkflowError.
    """
    texts: dict[str, str] = {}
    for name, text in found:
        if text.strip(" \t\r\n\0") not in ("", "null", "{}", "[]", "undefined"):
            texts.setdefault(name, text)
    for name in ("workflow", "prompt"):
        if name in texts:
            return texts[name]
    if "parameters" in texts:
        raise WorkflowError(
            f"This {what} was made by a WebUI and holds its parameters, not a ComfyUI workflow."
        )
    raise WorkflowError(
        f"This {what} holds no workflow: it was saved without one, or a website has taken it out."
    )


def _png_texts(data: bytes) -> Iterator[tuple[str, str]]:
    for kind, body in _png_chunks(data):
        name, _, rest = body.partition(b"\0")
        if kind in (b"tEXt", b"comf"):  # comf: animated PNGs
            yield _latin(name), decoded(rest)
        elif kind == b"zTXt":
            yield _latin(name), decoded(_unpacked(rest[1:]))
        elif kind == b"iTXt" and len(rest) >= 2:
            packed = rest[0]
            words = rest[2:].split(b"\0", 2)  # language, translated name, text
            if len(words) == 3:
                yield _latin(name), decoded(_unpacked(words[2]) if packed else words[2])


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
            yield from _named(data[at + 8 : at + 8 + size].removeprefix(_EXIF))
        at += 8 + size + size % 2


def _texts_anywhere(data: bytes) -> Iterator[tuple[str, str]]:
    """Those of the EXIF of a JPEG or an AVIF, which begins with its own mark, wherever that is."""
    for mark in (_EXIF, b"II*\0", b"MM\0*"):
        at = data.find(mark)
        if at >= 0:
            yield from _named(data[at:].removeprefix(_EXIF))


def _named(tiff: bytes) -> Iterator[tuple[str, str]]:
    """EXIF texts by the name that stands in them. A WebUI's parameters and some savers' workflows stand
    in the user's comment without one."""
    for text in _exif_texts(tiff):
        name, colon, rest = text.partition(":")
        if colon and name.lower() in ("workflow", "prompt"):
            yield name.lower(), rest
            continue
        yield from unnamed(text)


def unnamed(text: str) -> Iterator[tuple[str, str]]:
    """What a text without a name holds: a workflow, a prompt, both, or a WebUI's parameters."""
    if not text.lstrip().startswith("{"):
        if "Steps: " in text and "Sampler: " in text:
            yield "parameters", text
        return
    try:
        value = json.loads(text)
    except ValueError:
        return
    if isinstance(value, dict) and isinstance(value.get("nodes"), list):
        yield "workflow", text
        return
    for name in ("workflow", "prompt"):
        inner = value.get(name) if isinstance(value, dict) else None
        if isinstance(inner, (str, dict)):
            yield name, inner if isinstance(inner, str) else json.dumps(inner)
    if isinstance(value, dict) and any("class_type" in str(each) for each in value.values()):
        yield "prompt", text


def _exif_texts(tiff: bytes) -> Iterator[str]:
    """The texts of a TIFF's directories: of the first, and of the one that holds the user's comment."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return
    starts = [struct.unpack(order + "I", tiff[4:8])[0]]
    for start in starts[:1]:
        starts += [offset for tag, _, _, offset in _entries(tiff, order, start) if tag == _EXIF_TAG]
    for start in starts[:3]:
        for tag, kind, size, offset in _entries(tiff, order, start):
            body = tiff[offset : offset + size]
            if kind == _ASCII and size > 4:
                yield decoded(body.rstrip(b"\0"))
            elif tag == _COMMENT:
                yield _comment(body, order)


def _entries(tiff: bytes, order: str, start: int) -> Iterator[tuple[int, int, int, int]]:
    """Of each entry of a directory: tag, type, size, and its place."""
    count = struct.unpack(order + "H", tiff[start : start + 2])[0] if start + 2 <= len(tiff) else 0
    for k in range(count):
        entry = tiff[start + 2 + 12 * k : start + 14 + 12 * k]
        if len(entry) < 12:
            return
        yield struct.unpack(order + "HHII", entry)


def _comment(body: bytes, order: str) -> str:
    """A user's comment, which says its own encoding in eight bytes."""
    text = body[8:]
    if body.startswith(b"UNICODE\0"):
        first = "utf-16-be" if text[:1] == b"\0" or order == ">" else "utf-16-le"
        first = "utf-16-le" if text[1:2] == b"\0" else first
        return text.decode(first, errors="replace").rstrip("\0")
    return decoded(text.rstrip(b"\0"))


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


def decoded(text: bytes) -> str:
    """A text as UTF-8, or else byte by byte."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _latin(name: bytes) -> str:
    return name.decode("latin-1").lower()
