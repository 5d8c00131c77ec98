"""A record's parts as the plain data that a file holds, and back: what differs between the two.

In memory a choice and a stock schedule are labels ("beta + dpmpp_2m"), because tables are kept by
them; in a file they are data, and nobody else's program has to take a label apart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .choice import Choice, label_of, settled_label


def plain(value: Any, blank: bool = False) -> Any:
    """numpy and torch values, tuples and keys as plain JSON data; with `blank`, a number that is
    not finite becomes None.

    Whatever is left that JSON does not know is refused later, by the schema.
    """
    kind = type(value)
    if kind is float:  # the usual ones first: a record holds thousands
        return value if not blank or math.isfinite(value) else None
    if kind is str or kind is int or value is None:
        return value
    if isinstance(value, str):
        return str(value)
    if kind is dict or isinstance(value, Mapping):
        return {str(key): plain(entry, blank) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry, blank) for entry in value]
    return plain(value.tolist(), blank) if hasattr(value, "tolist") else value


def choice_data(label: str) -> dict:
    """{"schedule"} or {"schedule", "sampler"} of a label."""
    choice = Choice.read(label)
    sampler = {} if choice.sampler is None else {"sampler": choice.sampler}
    return {"schedule": choice.schedule, **sampler}


def choice_of(data: Mapping) -> Choice:
    """The choice that such data names."""
    return Choice(data["schedule"], data.get("sampler"))


def evidence_in_memory(evidence: Any) -> Any:
    """A recipe's evidence as it is kept in memory: plain data, its stock schedules by the label
    that a file's names would give."""
    found = plain(evidence, blank=True)
    if not isinstance(found, dict):  # the schema says so, when it is saved
        return found
    if isinstance(found.get("best_stock"), str):
        found["best_stock"] = settled_label(found["best_stock"])
    if isinstance(found.get("stock"), dict):
        found["stock"] = {settled_label(label): errors for label, errors in found["stock"].items()}
    return found


def evidence_data(evidence: Any) -> Any:
    """A recipe's evidence as a file holds it; what is not of the right kind is left to the schema
    to refuse."""
    if not isinstance(evidence, dict):
        return evidence
    found = dict(evidence)
    if isinstance(found.get("best_stock"), str):
        found["best_stock"] = choice_data(found["best_stock"])
    if isinstance(found.get("stock"), dict):
        found["stock"] = [
            choice_data(label) | (errors if isinstance(errors, dict) else {"rms": errors})
            for label, errors in found["stock"].items()
        ]
    return found


def evidence_of(data: Mapping) -> dict:
    """The reverse of `evidence_data`, for data that has passed the schema."""
    found = dict(data)
    if found.get("best_stock") is not None:
        found["best_stock"] = label_of(**found["best_stock"])
    if "stock" in found:
        found["stock"] = dict(map(_labelled, found["stock"]))
    return found


def _labelled(entry: Mapping) -> tuple[str, dict]:
    errors = dict(entry)
    return label_of(errors.pop("schedule"), errors.pop("sampler", None)), errors


def laid_out(data: dict) -> str:
    """A record's data as text: a line a part, and one a recipe."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def lines(values: list) -> str:
        if not values:
            return "[]"
        return "[\n" + ",\n".join("  " + text(value) for value in values) + "\n ]"

    parts = (
        f"{text(key)}: {lines(value) if key == 'recipes' else text(value)}"
        for key, value in data.items()
    )
    return "{" + ",\n ".join(parts) + "}\n"
