"""Where records lie: the settings' folder, else STEPDISTILL_STORE, else the platform's folder for
users' data."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from ..scheduler.lookup.key import Key
from ..scheduler.store import Store
from ..scheduler.store.folder import store_folder
from .host import option
from .names import AUTOMATIC, STOCK_ONLY

UNFINISHED = ".unfinished"  # hidden, so that the store does not look into it

_stores: dict[Path, Store] = {}
_lock = Lock()


def store() -> Store:
    """The store, one object for each folder."""
    folder = store_folder(str(option("stepdistill_store", "")).strip() or None)
    with _lock:
        if folder not in _stores:
            _stores[folder] = Store(folder)
        return _stores[folder]


def choices() -> list[str]:
    """What the panel's list of records offers."""
    return [AUTOMATIC, STOCK_ONLY, *(stem(brief.file) for brief in store().records())]


def stem(file: str) -> str:
    """A record's name for people and infotexts: its file's, without .json."""
    return file.removesuffix(".json")


def unfinished(key: Key) -> Path:
    """The folder where a distillation under this key keeps finished parts until it is done; it need
    not exist."""
    return store().folder / UNFINISHED / key.digest()
