"""The maker's own run of a step-distilled MODEL, where Maker's Sigmas left it: clones inherit it."""

from __future__ import annotations

from typing import Any

from ...scheduler.lookup.makers_run import MakersRun, given_run

KEY = "stepdistill_makers_run"


def give(model: Any, sigmas: Any) -> None:
    """Leave sigmas, (N+1,), on a clone of a MODEL. Raises ScheduleError."""
    model.set_attachments(KEY, given_run(sigmas))


def given(model: Any) -> MakersRun | None:
    """What was left on a MODEL."""
    return model.get_attachment(KEY) if hasattr(model, "get_attachment") else None
