"""Where learning keeps the answers that it has paid for until it is done, so that one that was stopped
goes on with them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from ..errors import OutputError
from ..files import make_folder
from ..store import Store
from ..store.folder import UNFINISHED
from .situation import Situation

PARTS = ("answer-*", "teacher-*")  # files of a run (distilling/resume.py)
OLD = 86_400.0  # seconds: after a day nobody goes on


def is_begun(store: Store, situation: Situation, prompt: str | None) -> bool:
    """Whether learning that was stopped has left answers to go on with."""
    if prompt is None or situation.key.fingerprint is None:
        return False
    return any(_place(store, situation, prompt).glob("answer-*"))


def answers_folder(store: Store, situation: Situation, prompt: str | None) -> Path | None:
    """A folder for this model, these conditions and this prompt; None where nobody could tell that
    it belongs to them, or where it cannot be written."""
    if prompt is None or situation.key.fingerprint is None:
        return None
    _sweep(store.folder / UNFINISHED)
    try:
        return make_folder(_place(store, situation, prompt))
    except OutputError:
        return None


def finished(folder: Path | None) -> None:
    """Take away what was kept. The folder stays for another queue that may be writing into it."""
    if folder is None:
        return
    parts = [each for name in PARTS for each in folder.glob(name)]
    for path in [*parts, folder / "finished.json"]:
        try:
            path.unlink(missing_ok=True)
        except OSError:  # somebody reads it (Windows): it is swept when it is old
            continue


def _place(store: Store, situation: Situation, prompt: str) -> Path:
    return store.folder / UNFINISHED / f"{_mark(situation)}-{prompt[:40]}"


def _mark(situation: Situation) -> str:
    return f"learning-{situation.key.digest()}"


def _sweep(around: Path) -> None:
    """What nobody has gone on with for long; latents are large."""
    now = time.time()
    for folder in around.glob("learning-*"):
        try:
            old = now - folder.stat().st_mtime > OLD
        except OSError:  # another has just taken it away
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)
