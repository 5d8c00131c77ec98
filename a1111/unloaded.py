"""A checkpoint that is chosen and not loaded yet, as on Forge until the next picture: what the store
has for its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .host import loaded_model

if TYPE_CHECKING:
    from ..scheduler.record import Record

_prints: dict[tuple[str, int], str | None] = {}  # by path and time of its file


def waiting_file() -> Path | None:
    """The file of the checkpoint that the host will load with the next picture, where another one is
    loaded, or none."""
    from modules import sd_models

    chosen = getattr(sd_models.model_data, "forge_loading_parameters", None) or {}
    info = chosen.get("checkpoint_info")
    path = Path(str(getattr(info, "filename", "") or ""))
    if not path.is_file():
        return None
    model = loaded_model()
    here = model is not None and Path(str(model.sd_checkpoint_info.filename)) == path
    return None if here else path


def shown_model() -> Any | None:
    """The model that the next picture is drawn with, as far as it is loaded."""
    return None if waiting_file() is not None else loaded_model()


def waiting_records() -> list[tuple[str, Record]]:
    """(name, record) of that file's weights, the newest first."""
    from ..scheduler.errors import StepDistillError
    from .stores import stem, store

    path = waiting_file()
    known = _fingerprint(path) if path is not None else None
    found = []
    for brief in store().records() if known is not None else ():
        if brief.fingerprint == known:
            try:
                found.append((stem(brief.file), store().load(brief.file)))
            except StepDistillError:
                continue
    return found


def _fingerprint(path: Path) -> str | None:
    """Of a file's weights: its header and a few samples are read, once."""
    from ..scheduler.errors import CheckpointError
    from ..scheduler.fingerprint import fingerprint_file

    key = (str(path), path.stat().st_mtime_ns)
    if key not in _prints:
        try:
            _prints[key] = fingerprint_file(path).id
        except (CheckpointError, OSError):
            _prints[key] = None
    return _prints[key]
