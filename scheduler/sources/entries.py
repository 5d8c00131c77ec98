"""A record as an index lists it: made from the record's bytes, and turned into the brief that is
looked up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ..lookup.key import Key
from ..record import Recipe, Record
from ..record.checkers import shown
from ..record.parser import parse_packed
from ..record.schema import VERSION
from ..store.scan import Brief, brief_of, patches_text

# What an index may not say otherwise than its record does: what lookups go by.
LOOKED_UP = (
    "fingerprint", "noise", "patches", "numbers", "latent_shape", "samplers", "steps", "cfg_span",
)  # fmt: skip


def settled(content: bytes) -> bytes:
    """A file's content with its line ends as single line feeds: git may give a clone others, which mean
    nothing in JSON."""
    return content.replace(b"\r\n", b"\n")


def digest(data: bytes) -> str:
    """The sha256 that an index names a file's content by."""
    return hashlib.sha256(data).hexdigest()


def entry_of(file: str, content: bytes, by: str = "") -> tuple[dict, dict]:
    """(the entry of a record's file, the description of its model); raises RecordError.

    A record that names no weights has an empty fingerprint, and nobody can find it.
    """
    data, version = parse_packed(content, f"record {shown(file)}")
    brief = brief_of(file, (len(content), 0), data, version)
    record = Record.from_data({**data, "inner_products": None})
    model, under, origin = record.model, record.conditions, record.provenance
    entry = {
        "file": file,
        "sha256": digest(content),
        "bytes": len(content),
        "fingerprint": brief.fingerprint,
        "parametrisation": model.parametrisation,
        "prediction": model.prediction,
        "sigma_min": model.sigma_min,
        "sigma_max": model.sigma_max,
        "shift": model.shift,
        "cfg": under.cfg,
        "guidance": under.guidance,
        "latent_shape": list(under.latent_shape) if under.latent_shape else None,
        "patches": [dict(patch) for patch in model.patches],
        "samplers": list(brief.samplers),
        "steps": list(brief.steps),
        "created": origin["created"],
        "version": origin["version"],
        "solvable": brief.solvable,
    }
    extra = {
        "noise_scale": model.noise_scale,
        "checked_cfg": list(brief.cfg_span or ()),
        "errors": _errors(record),
        "by": by,
    }
    hashes, values = zip(*brief.outline, strict=True) if brief.outline else ((), ())
    about = {"name": model.name, "outline": {"hashes": list(hashes), "values": list(values)}}
    return {**entry, **{name: each for name, each in extra.items() if each}}, about


def brief_of_entry(entry: Mapping, models: Mapping[str, Mapping]) -> Brief:
    """The brief of an entry of a checked index; its `file` is the record's sha256."""
    model = models[entry["fingerprint"]]
    outline = model["outline"]
    low, high = float(entry["sigma_min"]), float(entry["sigma_max"])
    shape = entry["latent_shape"]
    key = Key(None, entry["parametrisation"], low, high, patches=tuple(entry["patches"]))
    return Brief(
        entry["sha256"],
        (entry["bytes"], 0),
        model["name"] or "",
        entry["created"],
        tuple(entry["samplers"]),
        tuple(entry["steps"]),
        entry["fingerprint"],
        tuple(zip(outline["hashes"], map(float, outline["values"]), strict=True)),
        (entry["parametrisation"], entry["prediction"], float(entry.get("noise_scale", 1.0))),
        patches_text(key),
        (low, high, entry["shift"], entry["cfg"], entry["guidance"]),
        tuple(shape) if shape else None,
        VERSION,
        entry.get("solvable", False),
        _span(entry),
    )


def _span(entry: Mapping) -> tuple[float, float] | None:
    if "checked_cfg" not in entry:
        return None
    low, high = map(float, entry["checked_cfg"])
    return low, high


def disagreement(entry: Mapping, models: Mapping[str, Mapping], content: bytes) -> str | None:
    """What an index says otherwise than the record itself, by name, or None; raises RecordError."""
    said = brief_of_entry(entry, models)
    found = brief_of("", (0, 0), *parse_packed(content, f"record {shown(entry['file'])}"))
    return next((name for name in LOOKED_UP if getattr(said, name) != getattr(found, name)), None)


def _errors(record: Record) -> dict | None:
    """What was measured of the recipe that the record recommends, else of its first measured one."""
    measured = [each for each in record.recipes if each.evidence.get("rms") is not None]
    if not measured:
        return None
    advice = record.evidence.get("recommendation", {})
    wanted = advice.get("sampler"), advice.get("steps")
    recipe = next((each for each in measured if (each.sampler, each.steps) == wanted), measured[0])
    found = {"sampler": recipe.sampler, "steps": recipe.steps, "rms": recipe.evidence["rms"]}
    if "samples" in recipe.evidence:
        found["samples"] = recipe.evidence["samples"]
    return found | _stock(recipe)


def _stock(recipe: Recipe) -> dict:
    best = recipe.evidence.get("best_stock")
    errors = recipe.evidence.get("stock", {}).get(best)
    if best is None or not errors or errors.get("rms") is None:
        return {}
    return {"stock": str(best)[:200], "stock_rms": errors["rms"]}
