"""What the routes do, as plain functions of plain data; each raises StepDistillError with one sentence."""

from __future__ import annotations

from typing import Any

from ..scheduler.errors import StepDistillError
from ..scheduler.record import Record
from .host_denoiser import Scene
from .job import THE_JOB
from .job_state import Wish
from .stores import stem, store

SCENE = {"negative": str, "cfg": float, "width": int, "height": int, "rows": int, "guidance": float}
OTHERS = {"quality": str, "seed": int, "measure": bool, "again": bool, "name": str}


def records() -> list[dict]:
    """All records in brief, the newest first."""
    return [
        {
            "name": stem(brief.file),
            "title": brief.title,
            "created": brief.created,
            "samplers": list(brief.samplers),
            "steps": brief.steps,
        }
        for brief in store().records()
    ]


def export(name: str) -> dict:
    """A record as its file has it."""
    import json

    return json.loads(store().load(name).to_json())


def remove(name: str) -> dict:
    store().remove(name)
    return {"removed": name}


def take(text: bytes) -> dict:
    """Keep a record that somebody sends."""
    return {"name": stem(store().put(Record.from_json(text)))}


def status() -> dict:
    """The loaded checkpoint, its records, and what would be used."""
    from .status_view import status_data

    return status_data()


def distil(wish: dict[str, Any]) -> dict:
    """Begin a distillation; see `wish_of`."""
    THE_JOB.start(wish_of(wish))
    return THE_JOB.progress.data()


def progress() -> dict:
    return THE_JOB.progress.data()


def interrupt() -> dict:
    THE_JOB.interrupt()
    return THE_JOB.progress.data()


def wish_of(data: dict[str, Any]) -> Wish:
    """A wish from plain data: prompt or prompts, negative, cfg, width, height, rows, guidance,
    samplers, steps ([least, most]), quality, seed, measure, again, name. Raises StepDistillError
    for any other key and for a value of another kind."""
    data = dict(data)
    try:
        prompts = data.pop("prompts", None) or [data.pop("prompt", "")]
        samplers = data.pop("samplers", Wish.samplers)
        steps = data.pop("steps", Wish.steps)
        scene = Scene(
            tuple(map(str, prompts)),
            **{key: SCENE[key](data.pop(key)) for key in list(data) if key in SCENE},
        )
        others = {key: OTHERS[key](data.pop(key)) for key in list(data) if key in OTHERS}
        least, most = (steps, steps) if isinstance(steps, int) else (int(steps[0]), int(steps[-1]))
        data.pop("prompt", None)
        if data:
            known = ", ".join((*SCENE, *OTHERS))
            raise StepDistillError(
                f"Unknown: {', '.join(sorted(data))}; known are prompt, prompts, samplers, steps, {known}."
            )
        return Wish(
            scene,
            tuple([samplers] if isinstance(samplers, str) else samplers),
            (least, most),
            **others,
        )
    except (TypeError, ValueError, IndexError, KeyError) as problem:
        raise StepDistillError(
            f"The wish could not be read ({problem}); see the README for what it may hold."
        ) from None
