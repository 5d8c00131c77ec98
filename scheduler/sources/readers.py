"""Reading a source's files by the names that its index states; here from a folder, in web.py from a page."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from ..errors import SourceError
from ..files import read_bytes


class Gone(SourceError):
    """A source has no file of a name."""


class Unreachable(SourceError):
    """A source did not answer, or not in time: nothing more is asked of it."""


class Reader(Protocol):
    """A source's files. Names are relative, with "/", and have passed the index's `PATH`."""

    def read(self, name: str, most: int) -> bytes:
        """The content of a file of at most `most` bytes; raises Gone, Unreachable and SourceError."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class FolderReader:
    """A folder's files. Links are not followed, neither of files nor of folders inside it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, name: str, most: int) -> bytes:
        path = self.folder
        for part in name.split("/"):
            path = path / part
            _refuse_link(path, name)
        return read_bytes(path, most, SourceError)

    def close(self) -> None:
        pass


def _refuse_link(path: Path, name: str) -> None:
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Gone(f"{name} is not there.") from None
    except OSError as problem:
        raise Unreachable(f"{name} could not be read ({_reason(problem)}).") from None
    # Windows' junctions are no symbolic links, but lead elsewhere too.
    junction = getattr(found, "st_reparse_tag", 0) != 0
    if stat.S_ISLNK(found.st_mode) or junction:
        raise SourceError(f"{name} is a link, and links in a source are not followed.")


def _reason(problem: OSError) -> str:
    return (problem.strerror or str(problem) or type(problem).__name__).lower()
