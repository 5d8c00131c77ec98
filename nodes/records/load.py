"""Load Record: a record of the store, of a source, or one that was published, by its name."""

from __future__ import annotations

import hashlib

from ...scheduler.lookup.words import origin_words
from ...scheduler.record.verdict_words import about_fully as about
from ..fields import CATEGORY
from ..host.picture_records import attach
from ..page.card_data import payload
from .names import choices, content, expected, found, published_names, why_not

HELP = (
    "A record of the store, the newest first: model, cfg, size, steps, when it was made. "
    "What is distilled meanwhile joins the list after the run. Records of sources come after them, and "
    "nobody has checked those on your models: choosing one is asking for it. "
    "The published tables at its end need no distilling, and are measured on no model."
)


class StepDistillLoad:
    """A record of the store by its name."""

    DESCRIPTION = "Loads a record from StepDistill's store, by name."
    SEARCH_ALIASES = ("ays", "align your steps", "gits", "optimalsteps", "published schedules")
    CATEGORY, FUNCTION = CATEGORY, "load"
    HAS_INTERMEDIATE_OUTPUT = True  # newer hosts then show the text of a cached run too
    RETURN_TYPES, RETURN_NAMES = ("RECORD", "STRING"), ("record", "info")
    OUTPUT_TOOLTIPS = (
        "The record, for any StepDistill node that takes one.",
        "What the record holds, in words.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": (choices(), {"tooltip": HELP})}}

    @classmethod
    def VALIDATE_INPUTS(cls, name=None):
        """In the place of the host's own check, which can only say that the value is not in the
        list; None: a link feeds the name."""
        return True if name is None or name in expected else why_not(name) or True

    @classmethod
    def IS_CHANGED(cls, name=None):
        """The file's own content: another record of the store may change without this node running again."""
        if name in published_names():
            return name
        try:
            return hashlib.sha256(content(name)).hexdigest()
        except Exception:
            return float("nan")  # equal to nothing: look again next time

    def load(self, name):
        """Read it; raises ValueError with a sentence for a name that cannot be loaded."""
        record, where = found(name)
        source = "published" if name in published_names() else "record" if where else "exact"
        if record.origin is not None:
            source, where = "record", f"Unchecked, from {origin_words(record.origin)}. "
        attach(record, name)  # a saved picture has the name alone otherwise
        text = where + about(record)
        card = payload(record, info=text) | {"source": source}
        return {"ui": {"text": [text], "stepdistill": [card]}, "result": (record, text)}
