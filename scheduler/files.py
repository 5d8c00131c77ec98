"""Reading and writing files safely: nothing half-written under a final name, nothing read without a bound."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError, StepDistillError

PathLike = str | os.PathLike
REPLACE_TRIES = 6  # on Windows a virus scanner or a reader may hold the old file for a moment


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """A temporary path beside `path` to write to, put in its place when the block ends well.

    It is flushed to disk first. It keeps the suffix of `path` (writers that choose a format by
    suffix go on working) and exists, empty, when handed out. If the block raises, or the program is
    stopped, an earlier file under `path` is left as it was; only a kill leaves the temporary file
    (`.name.<random>.tmp.suffix`) behind. Raises OutputError when the file cannot be written.
    """
    final = _as_path(path)
    if not final.name:
        raise OutputError(f"{_shown(path)} does not name a file; add a file name.")
    temporary = final.with_name(f".{final.stem[:40]}.{secrets.token_hex(6)}.tmp{final.suffix[:20]}")
    try:
        _create(temporary)
        yield temporary
        _flush(temporary)
        _replace(temporary, final)
    except OSError as problem:
        raise _unwritable(final, problem) from problem
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _flush_folder(final.parent)


def write_bytes(path: PathLike, data: bytes) -> None:
    """Write a whole file at once or not at all; raises OutputError."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: PathLike, text: str) -> None:
    """Write text as UTF-8 with the newlines as they are, whole or not at all; raises OutputError."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise _unwritable(path, problem) from problem
    write_bytes(path, data)


def make_folder(path: PathLike) -> Path:
    """Make a folder, with its parents, unless it exists, and try that it can be written to.

    Raises OutputError.
    """
    folder = _as_path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(6)}.tmp"
        _create(probe)
        probe.unlink()
    except OSError as problem:
        raise _unwritable(folder, problem) from problem
    return folder


def read_bytes(path: PathLike, most: int, error: type[StepDistillError]) -> bytes:
    """The content of an ordinary file of at most `most` bytes.

    Folders, pipes and devices are refused without waiting on them. Raises `error`.
    """
    try:
        return _read(path, most, error)
    except (OSError, ValueError, TypeError) as problem:
        raise error(f"{_shown(path)} could not be read: {_reason(problem)}.") from problem


def _read(path: PathLike, most: int, error: type[StepDistillError]) -> bytes:
    # O_NONBLOCK: opening a named pipe would otherwise wait for a writer for ever. Both flags are
    # missing on some systems.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(os.fspath(path), flags)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise error(f"{_shown(path)} is not an ordinary file; give the path of a file.")
        if found.st_size > most:
            raise error(f"{_shown(path)} has {found.st_size:,} bytes; at most {most:,} are read.")
        data = file.read(most + 1)  # once more bounded: the file may be growing
    if len(data) > most:
        raise error(f"{_shown(path)} has more than {most:,} bytes, the most that are read.")
    return data


def _as_path(path: PathLike) -> Path:
    try:
        final = Path(path)
    except TypeError as problem:
        raise OutputError(
            f"{_shown(path)} is not a path; give the name of the file to write."
        ) from problem
    if "\0" in str(final):
        raise OutputError(f"{_shown(path)} holds a NUL character; give a plain file name.")
    return final


def _create(path: Path) -> None:
    # Not tempfile: its files are readable by their owner alone, and a store may be shared; here the
    # umask decides.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def _flush(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    # The new name survives a power cut only once its folder is on disk too; Windows cannot open
    # folders and need not.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _replace(temporary: Path, final: Path) -> None:
    for attempt in range(REPLACE_TRIES):
        try:
            return os.replace(temporary, final)
        except PermissionError:
            if os.name != "nt" or attempt == REPLACE_TRIES - 1:
                raise
            time.sleep(0.02 * 2**attempt)


def _unwritable(path: PathLike, problem: Exception) -> OutputError:
    return OutputError(
        f"{_shown(path)} could not be written: {_reason(problem)}; "
        "choose a place that exists and that you may write to."
    )


def _reason(problem: Exception) -> str:
    reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return reason.rstrip(".").lower()


def _shown(path: object) -> str:
    text = str(path)
    text = text if len(text) <= 200 else f"{text[:150]}...{text[-40:]}"
    return text if text.isprintable() else ascii(text)
