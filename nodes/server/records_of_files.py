"""Which record of the store a workflow's node will be served by, as far as its file tells: by the
weights in the model files that it names."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..host.running_prompt import stem

FOLDERS = ("diffusion_models", "checkpoints", "unet", "unet_gguf")
MOST_FILES = 64


def record_for(facts):
    """The store's record for a site (scheduler.workflow.facts.SiteFacts): of its model's weights or,
    where either states none, of the name; the nearest in cfg, the newest of those. None: no record."""
    from ..host.store import store

    prints = {_fingerprint(path, path.stat().st_mtime_ns) for path in _files(facts.files)} - {None}
    briefs = [
        brief
        for brief in store().records()
        if brief.fingerprint in prints
        or (brief.title in facts.files and not (prints and brief.fingerprint))
    ]
    if not briefs:
        return None
    nearest = min(briefs, key=lambda brief: (_apart(brief.numbers[3], facts.cfg), _others(brief)))
    return store().load(nearest.file)


def _apart(made: float | None, here: float | None) -> float:
    return abs(made - here) if made is not None and here is not None else 0.0


def _others(brief) -> bool:
    """Whether a record is for other samplers than ours."""
    return "distilled" not in brief.samplers


def _files(names: tuple[str, ...]) -> list[Path]:
    """The model files of these names, without folder and ending."""
    import folder_paths

    found = []
    for folder in FOLDERS:
        try:
            listed = folder_paths.get_filename_list(folder)
        except KeyError:  # not every host has every folder
            continue
        paths = [folder_paths.get_full_path(folder, name) for name in listed if stem(name) in names]
        found += [Path(path) for path in paths if path]
    return list(dict.fromkeys(found))[:MOST_FILES]


@lru_cache(MOST_FILES)
def _fingerprint(path: Path, stamp: int) -> str | None:
    """Of a file in the state that its time says; None where it has none."""
    from ...scheduler.errors import StepDistillError
    from ...scheduler.fingerprint import fingerprint_file

    try:
        return fingerprint_file(path).id
    except (StepDistillError, OSError):
        return None
