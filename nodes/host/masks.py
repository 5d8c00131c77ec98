"""The mask that a run of the host is drawn under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mask_of(extra_args: Mapping[str, Any] | None) -> Any:
    """The mask of a sampler function's arguments, 0 where the original stays; None where there is none,
    or where it changes from step to step (Differential Diffusion), whose last one keeps nothing."""
    given = extra_args or {}
    if (given.get("model_options") or {}).get("denoise_mask_function") is not None:
        return None
    return given.get("denoise_mask")
