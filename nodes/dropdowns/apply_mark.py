"""What Apply leaves on a MODEL, and how the dropdown entry finds the MODEL that it is asked for:
the host tells it only the noise."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...scheduler.record import Record

KEY = "stepdistill"
MOST_FRAMES = 24
HOLDERS = ("model", "model_patcher")  # where samplers and guiders keep their MODEL


@dataclass(frozen=True)
class Applied:
    """The record to use (None: the store's best), whether stock samplers use its query offsets,
    whether runs drawn in full are kept to learn from, and the node's own id, to say there what ran."""

    record: Record | None = None
    offsets: bool = True
    learn: bool = False
    node: str | None = None


def mark(model: Any, applied: Applied) -> None:
    """Leave it on a clone of a MODEL: on the clone itself, which later clones inherit, and on a
    copy of its model_sampling, which is all that a scheduler is handed."""
    sampling = model.get_model_object("model_sampling")
    marked = copy.copy(sampling)
    marked._buffers = dict(
        sampling._buffers
    )  # of its own, so that moving one to a device leaves the other
    setattr(marked, KEY, applied)
    model.add_object_patch("model_sampling", marked)
    model.set_attachments(KEY, applied)


def applied_of(model: Any, model_sampling: Any = None) -> Applied:
    """What Apply left on a MODEL (or on its model_sampling), or the default: the store's best,
    without offsets in stock samplers."""
    found = model.get_attachment(KEY) if hasattr(model, "get_attachment") else None
    return found or getattr(model_sampling, KEY, None) or Applied(offsets=False)


def is_marked(model: Any) -> bool:
    """Whether Apply was there."""
    return hasattr(model, "get_attachment") and model.get_attachment(KEY) is not None


def model_of(model_sampling: Any) -> Any | None:
    """The MODEL whose noise this is, or None: whoever asks for its schedule holds it, so the
    calling functions' variables are looked through; then the host's list of loaded models. No
    function of the host is replaced for that, and nothing but identity decides."""
    frame = sys._getframe(1)
    for _ in range(MOST_FRAMES):
        if frame is None:
            break
        for value in list(frame.f_locals.values()):
            found = next((each for each in _models_in(value) if _is_of(each, model_sampling)), None)
            if found is not None:
                return found
        frame = frame.f_back
    return next((each for each in _loaded() if _is_of(each, model_sampling)), None)


def _models_in(value: Any) -> Iterator[Any]:
    """A value that is a MODEL, or holds one as samplers do; nothing is computed, no property is asked."""
    if hasattr(type(value), "get_model_object"):
        yield value
        return
    inside = getattr(value, "__dict__", None) if not isinstance(value, type) else None
    if isinstance(inside, dict):
        yield from (
            inside[name] for name in HOLDERS if hasattr(type(inside.get(name)), "get_model_object")
        )


def _is_of(model: Any, model_sampling: Any) -> bool:
    try:
        return model.get_model_object("model_sampling") is model_sampling
    except Exception:  # a text encoder or VAE, which has none
        return False


def _loaded() -> Iterator[Any]:
    management = sys.modules.get("comfy.model_management")
    for entry in list(getattr(management, "current_loaded_models", ())):
        if getattr(entry, "model", None) is not None:
            yield entry.model
