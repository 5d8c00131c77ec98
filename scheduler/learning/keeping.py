"""Runs that somebody draws in full anyway, kept so that a recipe can be learnt from them."""

from __future__ import annotations

from ..errors import OutputError, RecordingError
from ..files import make_folder
from ..lookup.key import Key
from ..recordings import Recording
from ..store import Store
from . import deciding
from .deciding import Obstacle

LEAST_STEPS = 15  # of a run drawn in full; in fewer an artist wants few steps
KEPT = (
    "This run is kept to learn from: the next picture of the Few-Step KSampler with this prompt, cfg "
    "and size learns from it before it draws."
)
WILL_KEEP = (
    f"Pictures drawn in full ({LEAST_STEPS} steps or more, no noise added on the way) are kept to learn "
    "from."
)


def kept(store: Store, key: Key, recording: Recording, title: str | None = None) -> str:
    """Keep a run under its model's key; what came of it, a sentence. Nothing is raised: a picture must
    not fail because somebody listened."""
    try:
        store.keep_recording(key, recording, title)
    except (RecordingError, OutputError) as problem:
        return not_kept(str(problem))
    return KEPT


def not_kept(why: str) -> str:
    """Why nothing is learnt from a run."""
    return f"Nothing is learnt from this run: {why}"


def unwritable(store: Store) -> Obstacle | None:
    """What stands in the way where a store cannot keep anything."""
    try:
        make_folder(store.folder)
    except OutputError as problem:
        return Obstacle(deciding.UNWRITABLE, str(problem))
    return None
