"""Where records lie in ComfyUI: the store in the host's user folder, its revision and resume folders."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from ...scheduler.lookup.key import Key
from ...scheduler.store import Store
from ...scheduler.store.folder import store_folder
from .settings import user_folder

UNFINISHED = ".unfinished"  # hidden, so that the store does not look into it

_stores: dict[Path, Store] = {}
_lock = Lock()


def store() -> Store:
    """The store, one object for each folder.

    STEPDISTILL_STORE, else `stepdistill` in the host's user folder, else the platform's.
    """
    user = user_folder()
    folder = store_folder(None, user and user / "stepdistill")
    with _lock:
        if folder not in _stores:
            _stores[folder] = Store(folder)
        return _stores[folder]


def revision() -> int:
    """For IS_CHANGED: another number whenever a record in the store is another."""
    return store().revision()


def unfinished(key: Key, stage: str = "") -> Path:
    """Where a distillation under this key, or a stage of it that goes on by itself, keeps finished
    parts until it is done; it need not exist."""
    return store().folder / UNFINISHED / f"{key.digest()}{stage}"
