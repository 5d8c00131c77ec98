"""Load, Save and Record from Text: how records come into a graph and leave it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from ..scheduler.lookup.words import origin_words
from ..scheduler.record.verdict_words import about_fully as about
from ..scheduler.sources import by_hand
from .fields import CATEGORY
from .host.picture_records import attach
from .host.workflow_records import carried
from .page.card_data import payload

NO_RECORDS = "(no records yet: run Distill Schedule)"
MOST_EXPECTED = 100
PUBLISHED = "published: "
PREFIX_HELP = (
    "Name of the file in ComfyUI's output folder; a number and .json follow it. "
    "It may name a folder inside output, such as recipes/flux."
)
TEXT_HELP = (
    "A record as text: what Save Record shows, or what a .json file of StepDistill holds. "
    "It travels inside the workflow."
)


class StepDistillLoad:
    """A record of the store by its name."""

    DESCRIPTION = "Loads a record from StepDistill's store, by name."
    SEARCH_ALIASES = ("ays", "align your steps", "gits", "optimalsteps", "published schedules")
    CATEGORY, FUNCTION, HAS_INTERMEDIATE_OUTPUT = (
        CATEGORY,
        "load",
        True,
    )  # newer hosts then show the text of a cached run too
    RETURN_TYPES, RETURN_NAMES = ("RECORD", "STRING"), ("record", "info")
    OUTPUT_TOOLTIPS = (
        "The record, for any StepDistill node that takes one.",
        "What the record holds, in words.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        tooltip = (
            "A record of the store, the newest first: model, cfg, size, steps, when it was made. "
        )
        tooltip += "What is distilled meanwhile joins the list after the run."
        tooltip += (
            " Records of sources come after them, and nobody has checked those on your models: choosing one "
            "is asking for it. "
            "The published tables at its end need no distilling, and are measured on no model."
        )
        return {"required": {"name": (choices(), {"tooltip": tooltip})}}

    @classmethod
    def VALIDATE_INPUTS(cls, name=None):
        """In the place of the host's own check, which can only say that the value is not in the
        list; None: a link feeds the name."""
        return True if name is None or name in _expected else why_not(name) or True

    @classmethod
    def IS_CHANGED(cls, name=None):
        """The file's own content: another record of the store may change without this node running again."""
        if name in published_names():
            return name
        try:
            if by_hand.is_entry(name):
                return hashlib.sha256(_held(name).to_json().encode()).hexdigest()
            return hashlib.sha256(_store().path(name).read_bytes()).hexdigest()
        except Exception:
            return float("nan")  # equal to nothing: look again next time

    def load(self, name):
        """Read it; raises ValueError with a sentence for a name that cannot be loaded."""
        record, where = _found(name)
        source = "published" if name in published_names() else "record" if where else "exact"
        if record.origin is not None:
            source, where = "record", f"Unchecked, from {origin_words(record.origin)}. "
        attach(record, name)  # a saved picture has the name alone otherwise
        text = where + about(record)
        return {
            "ui": {
                "text": [text],
                "stepdistill": [payload(record, info=text) | {"source": source}],
            },
            "result": (record, text),
        }


class StepDistillSave:
    """A record into the store and as a file of its own."""

    DESCRIPTION = (
        "Keeps a record in StepDistill's store, writes it as a .json file into the output folder, "
        "and hands out its text."
    )
    CATEGORY, FUNCTION, OUTPUT_NODE = CATEGORY, "save", True
    RETURN_TYPES, RETURN_NAMES = ("STRING",), ("text",)
    OUTPUT_TOOLTIPS = (
        "The record as JSON text: paste it into Record from Text to carry it in a workflow.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        record = (
            "RECORD",
            {
                "tooltip": "The record to keep: from Distill Schedule, Load Record or Record from Text."
            },
        )
        return {
            "required": {
                "record": record,
                "filename_prefix": (
                    "STRING",
                    {"default": "stepdistill/record", "tooltip": PREFIX_HELP},
                ),
            }
        }

    def save(self, record, filename_prefix="stepdistill/record"):
        """Write both; raises ValueError for a prefix that leads out of the output folder, and OutputError."""
        from ..scheduler.errors import OutputError

        text = record.to_json()
        path = output_path(filename_prefix)
        _write(path, text)  # first: where the store cannot be written to, this is what is left
        try:
            _, place = keep(record)
            kept = f"Kept in your store{place}."
        except OutputError as problem:
            kept = f"Not kept in your store: {problem}"
        shown = f"Written to {path.name} in the output folder. {kept}\n{about(record)}"
        return {
            "ui": {"text": [shown], "stepdistill": [payload(record, info=shown)]},
            "result": (text,),
        }


class StepDistillFromText:
    """A record that stands in the workflow itself."""

    DESCRIPTION = (
        "Reads a record from text, so that a shared workflow carries its recipes in itself "
        "and needs no file."
    )
    CATEGORY, FUNCTION, HAS_INTERMEDIATE_OUTPUT = CATEGORY, "read", True
    RETURN_TYPES, RETURN_NAMES = ("RECORD",), ("record",)
    OUTPUT_TOOLTIPS = ("The record, for any StepDistill node that takes one.",)

    @classmethod
    def INPUT_TYPES(cls):
        # dynamicPrompts would take the braces of JSON for choices
        return {
            "required": {
                "text": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "dynamicPrompts": False,
                        "tooltip": TEXT_HELP,
                    },
                )
            }
        }

    def read(self, text):
        """Parse it strictly; raises RecordError, or ValueError where there is no text."""
        from ..scheduler.record import Record

        if not text.strip():
            raise ValueError(
                "There is no text; paste a record here: what Save Record shows, or the content "
                "of a record's .json file."
            )
        record = Record.from_json(text)
        shown = about(record)
        return {
            "ui": {"text": [shown], "stepdistill": [payload(record, info=shown)]},
            "result": (record,),
        }


def expect(names: Iterable[str]) -> None:
    """Names of records that a prompt which is being queued carries: Load Record may name them."""
    _expected.update(dict.fromkeys(names))
    while len(_expected) > MOST_EXPECTED:
        del _expected[next(iter(_expected))]


_expected: dict[str, None] = {}


def _found(name: str):
    """(the store's record of a name, or the one that the workflow carries, where it is from in
    words); raises ValueError with a sentence."""
    if name in published_names():
        return _published(name), ""
    reason = why_not(name)
    if reason is None:
        return _held(name), ""
    record = carried(name)
    if record is None:
        raise ValueError(reason)
    return record, "The record that this workflow carries; the store has none of this name. "


def choices() -> list[str]:
    """What Load Record's list holds: the store's records, those of sources, the published tables."""
    return [*(record_names() or [NO_RECORDS]), *source_entries(), *published_names()]


def source_entries() -> list[str]:
    """The records of sources, which nobody has checked here; empty where none can be read."""
    try:
        return by_hand.entries(_sources())
    except Exception:  # the host asks at every page load
        return []


def published_names() -> list[str]:
    """What papers and vendors have published, by name, as records to be had without distilling."""
    from ..scheduler.presets import PRESETS

    return [PUBLISHED + name for name in PRESETS]


def _published(name: str):
    from ..scheduler.presets import preset

    return preset(name.removeprefix(PUBLISHED))


def record_names() -> list[str]:
    """The names of the store's records, the newest first; empty where the store cannot be read: the
    host asks at every page load."""
    try:
        return [brief.file.removesuffix(".json") for brief in _store().records()]
    except Exception:
        return []


def why_not(name: str) -> str | None:
    """A sentence that says why a record cannot be loaded, or None."""
    from ..scheduler.errors import RecordError, SourceError, UnknownNameError

    if name in published_names():
        return None
    if name == NO_RECORDS:
        return (
            "The store has no records yet; run Distill Schedule first, "
            "or paste a record into Record from Text."
        )
    try:
        _held(name)
    except UnknownNameError as problem:
        broken = dict(_store().problems())
        reason = broken.get(name) or broken.get(f"{name}.json")
        return f"The record {name} cannot be used: {reason}" if reason else str(problem)
    except (RecordError, SourceError) as problem:
        return f"The record {name} cannot be used: {problem}"
    return None


def _held(name: str):
    """The record of an entry, of the store or of a source; raises StepDistillError."""
    if by_hand.is_entry(name):
        return by_hand.record_of(_sources(), name)
    return _store().load(name)


def stored_name(record) -> str | None:
    """The name of the store's file that holds this very record, or None."""
    store = _store()
    for brief in store.records():
        if brief.created == record.provenance.get("created") and brief.title == (
            record.model.name or ""
        ):
            try:
                if record.is_within(store.load(brief.file)):
                    return brief.file
            except Exception:  # changed or removed meanwhile
                continue
    return None


def gram_of(record):
    """The inner products of a record, or None. (To be asked of the record itself.)"""
    return record.gram


def keep(record) -> tuple[str, str]:
    """Put a record into the store, unless it lies there already with its inner products: (its
    file's name, what else must be said)."""
    name = stored_name(record)
    if name:
        return name, ""
    before = {brief.file for brief in _store().records()}
    name = _store().put(record)
    return (
        name,
        " (in the place of an earlier record of this model under the same conditions, whose recipes for "
        "other steps and starts stay)"
        if name in before
        else "",
    )


def output_path(prefix: str):
    """The next free file of a name in the output folder; raises ValueError with a sentence for a
    prefix that leads out of it."""
    from pathlib import Path

    import folder_paths

    root = os.path.realpath(folder_paths.get_output_directory())
    wanted = os.path.realpath(os.path.join(root, prefix.replace("\0", "")))
    outside = wanted == root or Path(root) not in Path(wanted).parents
    if outside or "\0" in prefix:
        raise ValueError(
            f"The file name {prefix!r} does not lead into ComfyUI's output folder; use a plain "
            "name such as recipes/flux."
        )
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, root)
    return Path(folder) / f"{name}_{counter:05}_.json"


def _write(path, text: str) -> None:
    from ..scheduler.files import write_text

    write_text(path, text)


def _sources():
    from ..scheduler.sources import beside

    return beside(_store().folder)


def _store():
    from .host.store import store

    return store()
