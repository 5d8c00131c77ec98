"""Where records lie: the settings' folder, else STEPDISTILL_STORE, else the platform's folder for
users' data."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ..scheduler.lookup.key import Key
from ..scheduler.record import Record
from ..scheduler.store import Store
from ..scheduler.store.folder import UNFINISHED, store_folder
from .host import option
from .names import AUTOMATIC, STOCK_ONLY

DAY = 86400  # seconds
MOST_DAYS = 30  # that an interrupted distillation can be taken up again

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
    """What the panel's list of records offers, by their files' names."""
    from ..scheduler.sources import beside, by_hand

    files = (stem(brief.file) for brief in store().records())
    return [AUTOMATIC, STOCK_ONLY, *files, *by_hand.entries(beside(store().folder))]


def load(name: str) -> Record:
    """A record that was chosen in the panel's list: of the store, or of a source, with whose it is.
    Raises StepDistillError."""
    from ..scheduler.sources import beside, by_hand

    if by_hand.is_entry(name):
        return by_hand.record_of(beside(store().folder), name)
    return store().load(name)


def stem(file: str) -> str:
    """A record's name for people and infotexts: its file's, without .json."""
    return file.removesuffix(".json")


def tidy(days: float = MOST_DAYS) -> None:
    """Take away what interrupted distillations left that nobody has gone on with for so many days."""
    folder = store().folder / UNFINISHED
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False) and _age(entry) > days * DAY:
                shutil.rmtree(entry.path, ignore_errors=True)


def _age(entry: os.DirEntry) -> float:
    """Seconds since the newest of what lies in a folder was written."""
    newest = [entry.stat().st_mtime, *(each.stat().st_mtime for each in os.scandir(entry.path))]
    return time.time() - max(newest)


def unfinished(key: Key) -> Path:
    """The folder where a distillation under this key keeps finished parts until it is done; it need
    not exist."""
    return store().folder / UNFINISHED / key.digest()
