"""What lies in a store's folder: its records in brief, and what is no record, each with the reason.
Nothing there is ever changed.

Briefs are kept between runs in `.index/index.json`, which is a cache: an entry counts only while
its file's size and time are the same, and a hit is read again from the record itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import RecordError, StepDistillError
from ..files import read_bytes, write_text
from ..lookup.key import SAME_MAX, Key, active
from ..record import Record
from ..record.cfg_range import CHECKS, whole_span
from ..record.checkers import UNPRINTABLE
from ..record.counts import ranges
from ..record.parser import MAX_BYTES, parse_packed, shown_path
from ..record.schema import VERSION

INDEX = Path(".index") / "index.json"
RECORDINGS = "recordings"  # the folder of what runs left (recordings.py): no part of the catalogue
INDEX_BYTES = 256 << 20
INDEX_VERSION = 5
OUTLINE = (12, 12)  # matrices and vectors of a fingerprint that stand for it in a brief


@dataclass(frozen=True)
class Brief:
    """A record as the index holds it. stamp: size and time of its file. outline: [name's hash,
    first value] of some sampled weights. version: of the file's format. solvable: it has inner
    products that cover the model's range (whether these are any is not known until it is loaded)."""

    file: str
    stamp: tuple[int, int]
    title: str
    created: str
    samplers: tuple[str, ...]
    steps: tuple[int, int]
    fingerprint: str
    outline: tuple[tuple[int, float], ...]
    noise: tuple[str, str | None, float]  # process, prediction, noise_scale
    patches: str
    # sigma_min, sigma_max, shift, cfg, guidance
    numbers: tuple[float, float, float | None, float | None, float | None]
    latent_shape: tuple[int, ...] | None
    version: int = VERSION
    solvable: bool = False
    cfg_span: tuple[float, float] | None = None  # that some of its recipes were checked over
    step_counts: tuple[int, ...] = ()  # that it has recipes for, rising

    @property
    def steps_words(self) -> str:
        """ "6 steps", "6, 8 steps", "4-10 steps"."""
        least, most = self.steps
        counts = set(self.step_counts or range(least, most + 1))
        return f"{ranges(counts)} step{'s' if counts != {1} else ''}"


@dataclass(frozen=True)
class Scan:
    """briefs by file name; problems, (name, reason) of what is no usable record; sidecars, the
    names of the files of inner products that stand beside records of version 1."""

    briefs: dict[str, Brief]
    problems: tuple[tuple[str, str], ...]
    sidecars: frozenset[str]
    size: int


NOTHING = Scan({}, (), frozenset(), 0)  # before the first look


def brief_of(file: str, stamp: tuple[int, int], data: dict, version: int) -> Brief:
    """What the index holds of a record, from its checked data with the inner products still
    packed, and the version that its file states."""
    recipes = [recipe | {"evidence": _checks(recipe)} for recipe in data["recipes"]]
    record = Record.from_data(data | {"recipes": recipes})
    key, products = Key.of(record), data.get("inner_products")
    steps = [recipe.steps for recipe in record.recipes] or [0]
    return Brief(
        file,
        stamp,
        record.model.name or "",
        str(record.provenance["created"]),
        tuple(sorted({recipe.sampler for recipe in record.recipes})),
        (min(steps), max(steps)),
        key.fingerprint.id if key.fingerprint else "",
        outline(key.fingerprint.samples) if key.fingerprint else (),
        (key.process, key.prediction, key.noise_scale),
        patches_text(key),
        (key.sigma_min, key.sigma_max, key.shift, key.cfg, key.guidance),
        key.latent_shape,
        version,
        products is not None and products["sigmas"][0] >= key.sigma_max * (1 - SAME_MAX),
        whole_span(record),
        tuple(sorted(set(steps))),
    )


def _checks(recipe: dict) -> dict:
    """What an index needs of a recipe's evidence."""
    evidence = recipe.get("evidence", {})
    return {CHECKS: evidence[CHECKS]} if CHECKS in evidence else {}


def patches_text(key: Key) -> str:
    """The patches of a key as one text, equal for equal ones (up to strengths on a rounding edge)."""
    return "|".join(
        sorted(f"{patch['name']}@{patch['strength']:.2f}" for patch in active(key.patches))
    )


def outline(samples) -> tuple[tuple[int, float], ...]:
    """(hash of name and shape, first value) of a few sampled weights, by hash: enough to find
    relatives among many records."""
    found: dict[bool, list[tuple[int, float]]] = {True: [], False: []}
    for name, sample in samples.items():
        digest = hashlib.blake2b(f"{name}{list(sample['shape'])}".encode(), digest_size=6).digest()
        found[len(sample["shape"]) > 1].append(
            (int.from_bytes(digest, "big"), float(f"{sample['values'][0]:.4g}"))
        )
    return tuple(sorted(sorted(found[True])[: OUTLINE[0]] + sorted(found[False])[: OUTLINE[1]]))


def scan(folder: Path, known: dict[str, Brief]) -> Scan:
    """Look through a folder; briefs in `known` are taken over where their files have not changed. A
    missing folder is empty."""
    briefs, problems, sidecars, size = {}, [], set(), 0
    for name, found in _files(folder, lambda reason: problems.append((".", reason))):
        if _beside(name):
            continue
        size += found.st_size
        if name.endswith(".safetensors") and stat.S_ISREG(found.st_mode):
            sidecars.add(name)
            continue
        try:
            briefs[name] = _brief(folder, name, found, known.get(name))
        except FileNotFoundError:  # removed meanwhile
            pass
        except StepDistillError as problem:
            problems.append((name, str(problem)))
    for name in sorted(sidecars):
        brief = briefs.get(_record_name(name))
        if brief is None:
            problems.append((name, "inner products without a record of their name"))
        elif brief.version > 1:
            problems.append((name, "inner products that no record of this version reads"))
            sidecars.remove(name)
    return Scan(briefs, tuple(sorted(problems)), frozenset(sidecars), size)


def revision(folder: Path) -> int:
    """A number that changes when any record or sidecar does: of names, sizes and times, below 2^48."""
    listed = [
        f"{name}\0{found.st_size}\0{found.st_mtime_ns}"
        for name, found in _files(folder)
        if not _beside(name)
    ]
    return int.from_bytes(
        hashlib.blake2b(
            "\n".join(sorted(listed)).encode("utf-8", "surrogatepass"), digest_size=6
        ).digest(),
        "big",
    )


def saved_briefs(folder: Path) -> dict[str, Brief]:
    """The briefs that an earlier run left; empty where there are none that can be used."""
    try:
        data = json.loads(read_bytes(folder / INDEX, INDEX_BYTES, RecordError))
        if data["version"] != INDEX_VERSION:
            return {}
        outlines = {
            name: tuple((int(digest), float(value)) for digest, value in entry)
            for name, entry in data["outlines"].items()
        }
        return {entry["file"]: _settled(entry, outlines) for entry in data["briefs"]}
    except (RecordError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def save_briefs(folder: Path, briefs: dict[str, Brief]) -> None:
    """Leave the briefs for the next run, each outline once; a folder that cannot be written to does
    without."""
    outlines = {brief.fingerprint: brief.outline for brief in briefs.values()}
    entries = [
        {name: value for name, value in vars(brief).items() if name != "outline"}
        for brief in briefs.values()
    ]
    with suppress(StepDistillError, OSError):
        (folder / INDEX).parent.mkdir(exist_ok=True)
        write_text(
            folder / INDEX,
            json.dumps({"version": INDEX_VERSION, "outlines": outlines, "briefs": entries}),
        )


def _brief(folder: Path, name: str, found: os.stat_result, known: Brief | None) -> Brief:
    stamp = (found.st_size, found.st_mtime_ns)
    if known is not None and known.stamp == stamp:
        return known
    if stat.S_ISLNK(found.st_mode):
        raise RecordError("a link; links are not followed, so copy the file itself")
    if not stat.S_ISREG(found.st_mode):
        raise RecordError("a folder or a device, not a file")
    if not name.endswith(".json"):
        raise RecordError("not a record (no .json file)")
    if UNPRINTABLE.search(name):
        raise RecordError("its file's name holds control characters; rename it")
    if found.st_size > MAX_BYTES:
        raise RecordError(f"{found.st_size:,} bytes; a record has at most {MAX_BYTES:,}")
    path = folder / name
    data = read_bytes(path, MAX_BYTES, RecordError)
    return brief_of(name, stamp, *parse_packed(data, f"record {shown_path(path)}"))


def _settled(entry: dict, outlines: dict) -> Brief:
    entry = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    entry["outline"] = outlines[entry["fingerprint"]]
    texts = (entry[name] for name in ("file", "title", "created", "fingerprint", "patches"))
    counts = (*entry["stamp"], *entry["steps"], *(entry["latent_shape"] or (1,)))
    sigmas, others = entry["numbers"][:2], entry["numbers"][2:]
    sound = all(type(text) is str for text in (*texts, *entry["samplers"])) and all(
        type(count) is int and count >= 0 for count in counts
    )
    *kinds, scale = entry["noise"]
    sound &= len(kinds) == 2 and type(scale) is float
    sound &= all(value is None or type(value) is str for value in kinds)
    sound &= (
        all(type(sigma) is float for sigma in sigmas) and len(others) == 3 and 0 not in counts[4:]
    )
    sound &= type(entry["version"]) is int and type(entry["solvable"]) is bool
    sound &= all(type(count) is int and count >= 0 for count in entry["step_counts"])
    ends = entry["cfg_span"]
    sound &= ends is None or (len(ends) == 2 and all(type(end) is float for end in ends))
    if not sound or not all(value is None or type(value) in (int, float) for value in others):
        raise ValueError("not a brief")
    return Brief(**entry)


def _beside(name: str) -> bool:
    """Whether an entry of the store's folder is none of the records' business."""
    return name.startswith(".") or name == RECORDINGS


def _record_name(sidecar: str) -> str:
    return sidecar.removesuffix(".safetensors") + ".json"


def _files(folder: Path, broken: Callable[[str], None] = lambda reason: None):
    """(name, what lstat says) of everything in a folder."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):  # removed meanwhile
                    yield entry.name, entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as problem:
        broken(
            f"the store's folder could not be read: {(problem.strerror or str(problem)).lower()}"
        )
