"""A file of tensors, memory-mapped, without torch.

The header tells where everything lies, and only what is asked for is touched.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError
from ..files import PathLike
from ..record.parser import shown_path
from .number_formats import ITEM_BYTES, RAW, decoded

LONGEST_HEADER = 16 << 20  # real ones are below 1 MB
MOST_TENSORS = 100_000


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies.

    Its format (RAW where only bytes are known), logical shape, first byte in the file, and length
    in bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    length: int

    @property
    def count(self) -> int:
        """How many values `TensorFile.values` can give: elements, or bytes of RAW ones."""
        return self.length // ITEM_BYTES[self.dtype]


class TensorFile:
    """An open file: `tensors` by name, `metadata` (text by text), and their values."""

    def __init__(self, data: mmap.mmap, tensors: dict[str, StoredTensor], metadata: dict[str, str]):
        self._data = data
        self.tensors = tensors
        self.metadata = metadata

    def values(self, name: str, start: int, count: int) -> np.ndarray:
        """`count` neighbouring values of a tensor, in row-major order from `start`, as float32."""
        tensor = self.tensors[name]
        size = ITEM_BYTES[tensor.dtype]
        first = tensor.start + start * size
        return decoded(self._data[first : first + count * size], tensor.dtype)


@contextmanager
def open_safetensors(path: PathLike) -> Iterator[TensorFile]:
    """A safetensors file, its header read and checked and nothing else; raises CheckpointError."""
    with mapped(path) as data:
        tensors, metadata = _header(data, shown_path(path))
        yield TensorFile(data, tensors, metadata)


@contextmanager
def mapped(path: PathLike, scattered: bool = True) -> Iterator[mmap.mmap]:
    """The bytes of an ordinary file without reading them; raises CheckpointError.

    scattered: few and distant ones are wanted, so that the system need not read ahead around each
    (thirty times as quick from a cold file).
    """
    # As in files.py: a named pipe is not waited for. Both flags are missing on some systems.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(os.fspath(path), flags)
    except (OSError, ValueError, TypeError) as problem:
        reason = (getattr(problem, "strerror", None) or str(problem)).lower()
        raise CheckpointError(
            f"{shown_path(path)} could not be read: {reason}; give the path of a checkpoint file."
        ) from problem
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or not found.st_size:
            raise CheckpointError(
                f"{shown_path(path)} is empty or not an ordinary file; "
                "give the path of a checkpoint file."
            )
        with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as data:
            if scattered and hasattr(mmap, "MADV_RANDOM"):  # not on Windows
                data.madvise(mmap.MADV_RANDOM)
            yield data
    finally:
        os.close(handle)


def _header(data: mmap.mmap, name: str) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    length = int.from_bytes(data[:8], "little")
    if length > min(LONGEST_HEADER, len(data) - 8) or data[8:9] != b"{":
        raise CheckpointError(
            f"{name} is not a safetensors file, or it was cut short; "
            "no other format is looked into."
        )
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
        if len(header) > MOST_TENSORS:
            raise ValueError("too many tensors")
        tensors = {key: _tensor(entry, 8 + length, len(data)) for key, entry in header.items()}
        return tensors, {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise CheckpointError(
            f"{name} has a broken safetensors header ({str(problem)[:80]}); fetch the file again."
        ) from None


def _tensor(entry: dict, base: int, size: int) -> StoredTensor:
    shape = tuple(entry["shape"])
    first, last = entry["data_offsets"]
    sound = all(type(n) is int and 0 <= n <= size for n in (*shape, first, last))
    if not sound or len(shape) > 16 or not first <= last <= size - base:
        raise ValueError("a tensor lies outside the file")
    dtype = entry["dtype"] if entry["dtype"] in ITEM_BYTES else RAW
    if dtype != RAW and math.prod(shape) * ITEM_BYTES[dtype] != last - first:
        raise ValueError("a tensor's shape and length differ")
    return StoredTensor(dtype, shape, base + first, last - first)
