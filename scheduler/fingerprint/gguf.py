"""The header of a GGUF file: names, shapes and places.

As far as they are needed to recognise a quantised relative.

Layout: github.com/ggml-org/ggml, docs/gguf.md (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import CheckpointError
from ..files import PathLike
from ..record.parser import shown_path
from .number_formats import RAW
from .tensor_file import MOST_TENSORS, StoredTensor, TensorFile, mapped

MOST_ENTRIES = 1_000_000
LONGEST_TEXT = 1 << 20
# As ComfyUI's loader hands them out; it keeps BF16 and all the others as bytes.
PLAIN = {0: "F32", 1: "F16"}
# Values and bytes of one block, by type number.
# fmt: off
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2),
}
SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B",
    10: "<Q", 11: "<q", 12: "<d",
}
# fmt: on
TEXT, ARRAY = 8, 9


@contextmanager
def open_gguf(path: PathLike) -> Iterator[TensorFile]:
    """A GGUF file, its header read and checked and nothing else; raises CheckpointError."""
    with mapped(path) as data:
        try:
            tensors = _Reader(data).tensors()
        except (struct.error, ValueError, KeyError, IndexError, OverflowError):
            raise CheckpointError(
                f"{shown_path(path)} has no GGUF header that is understood; "
                "it is known by its hash alone."
            ) from None
        yield TensorFile(data, tensors, {})


class _Reader:
    def __init__(self, data: mmap.mmap):
        self.data = data
        self.place = 4
        self.alignment = 32

    def tensors(self) -> dict[str, StoredTensor]:
        if self.data[:4] != b"GGUF" or self.number("<I") not in (2, 3):
            raise ValueError("not GGUF")
        tensors = self.count(MOST_TENSORS)
        entries = self.count(MOST_ENTRIES)
        for _ in range(entries):
            self.entry()
        found = [
            (self.text(), self.shape(), self.number("<I"), self.number("<Q"))
            for _ in range(tensors)
        ]
        base = -(-self.place // self.alignment) * self.alignment
        return {
            name: self.stored(shape, kind, base + offset) for name, shape, kind, offset in found
        }

    def stored(self, shape: tuple[int, ...], kind: int, start: int) -> StoredTensor:
        values, length = BLOCKS[kind]
        for size in shape:
            length *= size
        length //= values
        if start + length > len(self.data):
            raise ValueError("a tensor lies outside the file")
        return StoredTensor(PLAIN.get(kind, RAW), shape, start, length)

    def shape(self) -> tuple[int, ...]:
        sizes = [self.number("<Q") for _ in range(self.count(8, "<I"))]
        if any(size > len(self.data) * 16 for size in sizes):
            raise ValueError("a size is out of bounds")
        return tuple(reversed(sizes))  # GGUF lists the fastest axis first

    def entry(self) -> None:
        key = self.text()
        value = self.value(self.number("<I"))
        if key == "general.alignment":
            self.alignment = min(max(int(value), 1), 1 << 16)

    def value(self, kind: int):
        if kind == TEXT:
            return self.text()
        if kind != ARRAY:
            return self.number(SCALARS[kind])
        inner = self.number("<I")
        count = self.count(MOST_ENTRIES)
        if inner == TEXT:
            for _ in range(count):
                self.text()
        else:
            self.place += struct.calcsize(SCALARS[inner]) * count
        return 0

    def text(self) -> str:
        length = self.count(LONGEST_TEXT)
        self.place += length
        return self.data[self.place - length : self.place].decode("utf-8")

    def count(self, most: int, form: str = "<Q") -> int:
        found = self.number(form)
        if found > most:
            raise ValueError("a count is out of bounds")
        return found

    def number(self, form: str):
        (found,) = struct.unpack_from(form, self.data, self.place)
        self.place += struct.calcsize(form)
        return found
