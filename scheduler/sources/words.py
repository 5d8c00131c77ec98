"""A source and its records in words, for the command line and for both hosts' lists."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from ..record import Record
from ..record.verdict_words import recommendation
from ..record.words import distinguished, made, size
from .kept import Source
from .signing import key_name


def trust(source: Source) -> str:
    """How it is known that its records are its publisher's."""
    if source.note.key is None:
        return "not signed"
    return f"signed, key {key_name(source.note.key)}"


def records_words(count: int) -> str:
    """ "1 record", "12 records"."""
    return f"{count:,} record{'' if count == 1 else 's'}"


def source_row(source: Source) -> dict:
    """A source as plain data: for --json, and for the hosts' lists."""
    return {
        "name": source.name,
        "title": source.index.name,
        "by": source.index.by,
        "address": source.note.address.text,
        "records": len(source.entries),
        "left_out": [list(each) for each in source.note.left_out],
        "published": source.index.created,
        "updated": source.note.updated,
        "trust": trust(source),
        "signed": source.signed,
        "line": source_line(source),
    }


def source_line(source: Source) -> str:
    """ "12 records · by Ann · 2026-11-29 · not signed"."""
    parts = [
        records_words(len(source.entries)),
        f"by {source.by}",
        source.index.created[:10],
        trust(source),
    ]
    return " · ".join(parts)


def entry_row(source: Source, entry: Mapping) -> dict:
    """A record of a source as plain data."""
    shape = entry["latent_shape"]
    return {
        "file": entry["file"],
        "model": source.index.models[entry["fingerprint"]]["name"] or "",
        "steps": entry["steps"],
        "samplers": entry["samplers"],
        "cfg": entry["cfg"],
        "size": size(shape) if shape else "",
        "created": entry["created"],
        "version": entry["version"],
        "by": entry.get("by") or source.by,
        "errors": entry.get("errors"),
    }


def measured(entry: Mapping) -> str:
    """What its publisher says was measured: "6 steps .040, stock .102, 16 pictures"."""
    errors = entry.get("errors")
    if not errors or errors.get("rms") is None:
        return "nothing"
    parts = [f"{errors['steps']} steps {errors['rms']:.3g}"]
    if errors.get("stock_rms") is not None:
        parts.append(f"stock {errors['stock_rms']:.3g}")
    if errors.get("samples"):
        parts.append(f"{errors['samples']} pictures")
    return ", ".join(parts)


def provenance(source: Source, record: Record) -> str:
    """Who says so, what was measured, and by which version, in sentences."""
    said = [
        f"{_sentence(source.by)} says so ({trust(source)}; {source.note.address.text}).",
        f"{_sentence(distinguished(record))}.",
        f"Made {made(record)}.",
        recommendation(record),
    ]
    return " ".join(each for each in said if each)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def adding(store: Path) -> str:
    """The command that adds a source to this very store, with this very Python, from any folder."""
    pack = Path(__file__).resolve().parents[2]
    if os.name == "nt":
        change, quoted = f'cd /d "{pack}"', lambda text: f'"{text}"'
    else:
        change, quoted = f"cd {shlex.quote(str(pack))}", lambda text: shlex.quote(str(text))
    python = quoted(sys.executable or "python")
    return f"{change} && {python} -m scheduler store source add ADDRESS --folder {quoted(store)}"
