"""Files of the store: their names, their removal, and what killed writers left."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from ..errors import OutputError

STALE = 3600  # seconds after which a killed writer's temporary file is swept away
TEMPORARY = re.compile(r"\..*\.[0-9a-f]{12}\.tmp(\.(json|safetensors))?")


def slug(name: str | None) -> str:
    """A model's name as the readable part of a file's: plain lower-case letters and digits, short,
    never empty."""
    return re.sub(r"[^a-z0-9]+", "-", (name or "").lower())[:48].strip("-") or "model"


def unlink(path: Path) -> None:
    """Remove a file, if it is there; raises OutputError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise OutputError(
            f"{path.name} could not be removed: {(problem.strerror or str(problem)).lower()}."
        ) from problem


def remove_stale(entry: os.DirEntry) -> None:
    """Remove a file that nobody has written to for so long that it is nobody's."""
    with suppress(OSError):
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE:
            os.unlink(entry.path)
