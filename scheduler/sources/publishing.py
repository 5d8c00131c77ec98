"""Publishing: the index of a folder of records, made or brought up to date, and signed if asked.

The folder is then a source as it is: on a disk, in a git repository, or on a static web page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, RecordError, SourceError
from ..files import PathLike, read_bytes, write_bytes
from ..record import now
from ..record.checkers import Misfit
from ..record.parser import MAX_BYTES
from ..version import VERSION as PROGRAM
from .entries import entry_of, settled
from .index_form import (
    BOUNDS,
    INDEX_FILE,
    MOST_RECORDS,
    PATH,
    SIGNATURE_FILE,
    VERSION,
    SourceIndex,
    read_index,
)
from .signing import BOUNDS as SIGNATURE_BOUNDS
from .signing import key_name, private_key, public_of, read_signature, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DEPTH = 3  # folders inside the folder


@dataclass(frozen=True)
class Publication:
    """What was published. left_out: (file, reason) of what is no record that others could find.
    changed: whether the index is another than before. key: the public key, or None."""

    folder: Path
    name: str
    records: int
    left_out: tuple[tuple[str, str], ...]
    changed: bool
    key: str | None


def publish(
    folder: PathLike,
    name: str | None = None,
    by: str | None = None,
    sign_with: PathLike | None = None,
    other_key: bool = False,
) -> Publication:
    """Make or update the index of the records in a folder and its folders.

    name: what it is called; by: who says so; both default to what the index says already. sign_with:
    the file of a private key, made where there is none. An index that was signed is signed again, or
    refused: with another key only where `other_key` says that this is meant. Raises SourceError and
    OutputError.
    """
    place = Path(folder)
    if not place.is_dir():
        raise SourceError(f"{str(folder)[:200]!a} is no folder; give the folder of your records.")
    before = _before(place)
    key = _key(place, sign_with, other_key)
    records, models, left_out = _entries(place)
    title = name or _earlier(before, "name") or place.resolve().name[:100] or "records"
    whose = _earlier(before, "by") if by is None else by
    data = {
        "stepdistill_source": VERSION,
        "name": title,
        **({"by": whose} if whose else {}),
        "created": now(),
        "version": PROGRAM,
        "models": models,
        "records": records,
    }
    changed = _write(place, data, key)
    public = public_of(key) if key is not None else None
    return Publication(place, title, len(records), tuple(left_out), changed, public)


def _before(folder: Path) -> SourceIndex | None:
    """The index that is there; None for none, or one that is unusable."""
    try:
        return read_index(read_bytes(folder / INDEX_FILE, BOUNDS.bytes, SourceError))
    except SourceError:
        return None


def _earlier(before: SourceIndex | None, what: str) -> str:
    """What the index said before, or ""."""
    return getattr(before, what) if before is not None else ""


def _key(folder: Path, sign_with: PathLike | None, other_key: bool) -> Ed25519PrivateKey | None:
    signed = _signed_with(folder)
    if sign_with is None:
        if signed is not None and not other_key:
            raise SourceError(
                f"This source is signed (key {key_name(signed)}): sign it again, with --sign KEY; "
                "--other-key takes the signature away, and whoever added the source has to add it anew."
            )
        return None
    path = Path(sign_with)
    if folder.resolve() in path.resolve().parents:
        raise SourceError(
            "The private key lies in the folder that is published; keep it elsewhere, where nobody "
            "else reads it."
        )
    key = private_key(path, make=signed is None or other_key)
    if signed is not None and public_of(key) != signed and not other_key:
        raise SourceError(
            f"This source was signed with another key ({key_name(signed)}); use that one, or say "
            "--other-key, and whoever added the source has to add it anew."
        )
    return key


def _signed_with(folder: Path) -> str | None:
    path = folder / SIGNATURE_FILE
    if not os.path.lexists(path):
        return None
    return read_signature(read_bytes(path, SIGNATURE_BOUNDS.bytes, SourceError)).key


def _entries(folder: Path) -> tuple[list[dict], dict[str, dict], list[tuple[str, str]]]:
    records: list[dict] = []
    models: dict[str, dict] = {}
    left_out: list[tuple[str, str]] = []
    twice: dict[str, str] = {}
    for name in _files(folder):
        try:
            entry, model = _entry(folder, name)
        except (RecordError, Misfit) as problem:
            left_out.append((name, str(problem)))
            continue
        if entry["sha256"] in twice:
            left_out.append((name, f"it is {twice[entry['sha256']]} once more"))
            continue
        twice[entry["sha256"]] = name
        records.append(entry)
        models.setdefault(entry["fingerprint"], model)
    if len(records) > MOST_RECORDS:
        raise SourceError(
            f"The folder holds {len(records):,} records, and a source at most {MOST_RECORDS:,}; make two."
        )
    return records, dict(sorted(models.items())), left_out


def _entry(folder: Path, name: str) -> tuple[dict, dict]:
    PATH.check(name)
    content = read_bytes(folder / name, MAX_BYTES, RecordError)
    entry, model = entry_of(name, settled(content))
    if not entry["fingerprint"]:
        raise RecordError("it names no model's weights, so nobody could find it")
    return entry, model


def _files(folder: Path) -> Iterator[str]:
    """The .json files, sorted, by relative names with "/"; nothing hidden, and no links."""
    found = []
    for place, folders, files in os.walk(folder):
        inside = Path(place).relative_to(folder)
        deep = len(inside.parts) >= DEPTH
        folders[:] = [] if deep else [each for each in folders if not each.startswith(".")]
        for each in files:
            plain = each.endswith(".json") and not each.startswith(".")
            ours = each in (INDEX_FILE, SIGNATURE_FILE) and not inside.parts
            if plain and not ours and not os.path.islink(os.path.join(place, each)):
                found.append((inside / each).as_posix())
    yield from sorted(found)


def _write(folder: Path, data: dict, key: Ed25519PrivateKey | None) -> bool:
    """Write what is another than before, the signature last; returns whether anything was."""
    content = _laid_out(data)
    read_index(content)  # whatever is published can be read
    known = _content(folder / INDEX_FILE)
    if known is not None and _alike(known, data):
        content = known
    changed = content != known
    if changed:
        write_bytes(folder / INDEX_FILE, content)
    beside = folder / SIGNATURE_FILE
    if key is None:
        changed = changed or os.path.lexists(beside)
        _take_away(beside)
        return changed
    signature = sign(content, key)
    if _content(beside) != signature:
        write_bytes(beside, signature)
        changed = True
    return changed


def _take_away(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise OutputError(f"{path.name} could not be removed: {reason}.") from problem


def _content(path: Path) -> bytes | None:
    try:
        return settled(read_bytes(path, BOUNDS.bytes, SourceError))
    except SourceError:
        return None


def _alike(known: bytes, data: dict) -> bool:
    """Whether an index says the same but for when it was made and by which version."""
    try:
        read_index(known)
    except SourceError:
        return False
    times = ("created", "version")
    there = json.loads(known)
    return {**there, **{name: data[name] for name in times}} == data


def _laid_out(data: dict) -> bytes:
    """A line a record and a model, so that a repository's differences are read easily."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def lines(value: object) -> str:
        if isinstance(value, dict) and value:
            return "{\n" + ",\n".join(f"  {text(k)}: {text(v)}" for k, v in value.items()) + "\n }"
        if isinstance(value, list) and value:
            return "[\n" + ",\n".join("  " + text(each) for each in value) + "\n ]"
        return text(value)

    parts = (f"{text(key)}: {lines(value)}" for key, value in data.items())
    return ("{" + ",\n ".join(parts) + "}\n").encode()
