"""Where records lie in ComfyUI: the store in the host's user folder, its revision, inner products
and resume folders."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Lock

from ...scheduler.lookup.key import Key
from ...scheduler.lookup.match import Match
from ...scheduler.record import Record
from ...scheduler.store import SETTLED, Store
from ...scheduler.store.folder import store_folder
from .settings import setting, user_folder

__all__ = ["best", "gram_for", "revision", "setting", "store", "unfinished", "user_folder"]

UNFINISHED = ".unfinished"  # hidden, so that the store does not look into it

MATCHES = 64  # answers of the store that are

_matches: dict[tuple, tuple] = {}
_stores: dict[Path, Store] = {}
_lock = Lock()


def store() -> Store:
    """The store, one object for each folder: STEPDISTILL_STORE, else `stepdistill` in the host's
    user folder, else the platform's."""
    user = user_folder()
    folder = store_folder(None, user and user / "stepdistill")
    with _lock:
        if folder not in _stores:
            _stores[folder] = Store(folder)
        return _stores[folder]


def revision() -> int:
    """For IS_CHANGED: another number whenever a record in the store is another."""
    return store().revision()


def gram_for(record: Record, name: str = ""):
    """The teacher's inner products of a record, or None. (To be asked of the record itself.)"""
    return record.gram


def best(key: Key, sampler: str | None) -> Match | None:
    """The store's best match for a key and a sampler's recipes, else for the key alone; remembered
    while nothing there changes.

    A run asks for it two or three times, and for the same one as the run before.
    """
    here = store()
    known = (
        here.folder,
        sampler,
        key.fingerprint and key.fingerprint.id,
        repr(replace(key, fingerprint=None)),
    )
    changed, match, stamp = _matches.get(known, (None, None, None))
    if changed is None or changed != _settled(here.folder) or stamp != _stamp(here.folder, match):
        changed = _settled(here.folder)
        match = here.lookup(replace(key, sampler=sampler), "near") or here.lookup(key, "near")
        while len(_matches) >= MATCHES:
            del _matches[next(iter(_matches))]
        _matches[known] = changed, match, _stamp(here.folder, match)
    return match


def _settled(folder: Path) -> int | None:
    """When the folder changed last, or None where that was so recently that a coarse clock might
    hide another change."""
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return None
    return changed if time.time_ns() - changed > SETTLED else None


def _stamp(folder: Path, match: Match | None) -> tuple[int, int] | None:
    try:
        found = (folder / match.name).stat() if match is not None else None
    except OSError:
        return 0, 0
    return None if found is None else (found.st_size, found.st_mtime_ns)


def unfinished(key: Key) -> Path:
    """The folder where a distillation under this key keeps finished parts until it is done; it need
    not exist."""
    return store().folder / UNFINISHED / key.digest()
