"""The file of one recording: safetensors, with what it is said in its header, so that a list of many
reads no latents.

Tensors: "sigmas" (T + 1,) float64 and "0".."2T", each (B, ...) float32, in the order of a
recording's vectors. Metadata: one JSON text, checked by ABOUT.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save

from ..errors import RecordingError
from ..files import read_bytes
from ..fingerprint import Fingerprint
from ..lookup.key import Key
from ..record import now
from ..record.checkers import Misfit, fields, integer, items, text
from ..record.file_form import plain
from ..record.inner_products import MAX_NODES
from ..record.parser import read_json, shown_path
from ..record.schema import CONDITIONS, MODEL, NAME, SEED, TIME
from ..version import VERSION

if TYPE_CHECKING:  # what is listed needs no torch
    from torch import Tensor

    from ..recordings import Recording

FORMAT = 1
METADATA = "stepdistill_recording"
MOST_HEADER = 1 << 20  # bytes; a fingerprint's samples take most of the usual 50,000
ABOUT = fields(
    {
        "format": integer(FORMAT, FORMAT),
        "model": MODEL,
        "conditions": CONDITIONS,
        "latent_shape": items(integer(1, 10**6), 1, 6),
        "steps": integer(1, MAX_NODES),
        "rows": integer(1, 10**6),
        "created": TIME,
        "version": text(40),
    },
    {"sampler": NAME, "seed": SEED, "name": text(300), "prompt": text(200)},
)


@dataclass(frozen=True)
class KeptRecording:
    """A recording in brief, as its file says.

    bytes: of the file. title: the model's name or "". sampler, name, seed, prompt: as of
    `Recording`, None where not known.
    """

    file: str
    bytes: int
    created: str
    title: str
    key: Key
    latent_shape: tuple[int, ...]
    steps: int
    rows: int
    sampler: str | None = None
    name: str | None = None
    seed: int | None = None
    prompt: str | None = None


def encoded(key: Key, recording: Recording, title: str | None) -> bytes:
    """The file's content; raises RecordingError for what could not be read again."""
    known = {name: getattr(recording, name) for name in ("sampler", "seed", "name", "prompt")}
    about = {
        "format": FORMAT,
        **_key_data(key, title),
        "latent_shape": list(recording.latent_shape),
        "steps": recording.steps,
        "rows": recording.rows,
        "created": now(),
        "version": VERSION,
        **{name: plain(value) for name, value in known.items() if value is not None},
    }
    try:
        ABOUT.check(about)
    except Misfit as misfit:
        raise RecordingError(f"This recording cannot be kept: {misfit}.") from None
    arrays = {str(k): _array(vector) for k, vector in enumerate(recording.vectors)}
    arrays["sigmas"] = recording.sigmas
    return save(arrays, {METADATA: json.dumps(about, allow_nan=False)})


def brief_of(path: Path, size: int) -> KeptRecording:
    """What a file of `size` bytes says it is, without reading its latents; raises RecordingError."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            _need(len(start) == 8 and length <= MOST_HEADER, "it is no safetensors file")
            return _described(path.name, file.read(length), size)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise RecordingError(f"{shown_path(path)} could not be read: {reason}.") from problem
    except Misfit as misfit:
        raise _unreadable(path, misfit) from None


def decoded(path: Path, most: int) -> Recording:
    """The recording in a file of at most `most` bytes; raises RecordingError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from ..recordings import Recording

    data = read_bytes(path, most, RecordingError)
    try:
        length = int.from_bytes(data[:8], "little")
        brief = _described(path.name, data[8 : 8 + min(length, MOST_HEADER)], len(data))
        tensors = load(data)
    except (Misfit, SafetensorError) as problem:
        raise _unreadable(path, problem) from None
    return Recording.of(
        tensors["sigmas"].numpy(),
        [tensors[str(k)] for k in range(2 * brief.steps + 1)],
        latent_shape=brief.latent_shape,
        parametrisation=brief.key.process,
        sampler=brief.sampler,
        seed=brief.seed,
        name=brief.name,
        prompt=brief.prompt,
    )


def _described(name: str, header: bytes, size: int) -> KeptRecording:
    """The brief that a header holds, if its tensors are those of a recording and all are there."""
    listed = read_json(header)
    _need(type(listed) is dict, "its header is no object")
    metadata = listed.pop("__metadata__", None)
    told = metadata.get(METADATA) if type(metadata) is dict else None
    if type(told) is not str:
        raise Misfit("it is not a recording of StepDistill")
    about = read_json(told.encode("utf-8"))
    ABOUT.check(about)
    steps, shape = about["steps"], [about["rows"], *about["latent_shape"]]
    expected = {str(k): ("F32", shape) for k in range(2 * steps + 1)}
    expected["sigmas"] = ("F64", [steps + 1])
    _need(listed.keys() == expected.keys(), "it has other tensors than a recording")
    end = 0
    for tensor, (dtype, wanted) in expected.items():
        found = listed[tensor]
        same = type(found) is dict and (found.get("dtype"), found.get("shape")) == (dtype, wanted)
        _need(same, f"its tensor {tensor} has another form than a recording's")
        ends = found.get("data_offsets")
        _need(type(ends) is list and len(ends) == 2 and type(ends[1]) is int, "it has no offsets")
        end = max(end, ends[1])
    _need(size == 8 + len(header) + end, "it was cut short or has more than it says")
    return KeptRecording(
        name,
        size,
        about["created"],
        about["model"]["name"] or "",
        _key_of(about),
        tuple(about["latent_shape"]),
        steps,
        about["rows"],
        **{each: about.get(each) for each in ("sampler", "name", "seed", "prompt")},
    )


def _array(vector: Tensor) -> np.ndarray:
    return np.ascontiguousarray(vector.numpy(), dtype=np.float32)


def _key_data(key: Key, title: str | None) -> dict:
    """A key as the model and conditions of a record would say it."""
    fingerprint = key.fingerprint
    model: dict[str, object] = {
        "fingerprint": fingerprint.id if fingerprint else None,
        "name": title or None,
        "parametrisation": key.process,
        "prediction": key.prediction,
        "shift": key.shift,
        "sigma_min": key.sigma_min,
        "sigma_max": key.sigma_max,
        "patches": [dict(patch) for patch in key.patches],
    }
    if key.noise_scale != 1:
        model["noise_scale"] = key.noise_scale
    if fingerprint is not None and fingerprint.samples:
        model["samples"] = dict(fingerprint.samples)
    shape = list(key.latent_shape) if key.latent_shape else None
    conditions = {"cfg": key.cfg, "guidance": key.guidance, "latent_shape": shape}
    conditions |= {"prompts": None, "seed": None}
    return {"model": plain(model), "conditions": plain(conditions)}


def _key_of(about: dict) -> Key:
    model, under = about["model"], about["conditions"]
    known = model["fingerprint"]
    return Key(
        Fingerprint(known, model.get("samples", {})) if known else None,
        model["parametrisation"],
        model["sigma_min"],
        model["sigma_max"],
        model["prediction"],
        model["shift"],
        under["cfg"],
        under["guidance"],
        tuple(under["latent_shape"]) if under["latent_shape"] else None,
        tuple(model["patches"]),
        noise_scale=model.get("noise_scale", 1.0),
    )


def _need(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Misfit(otherwise)


def _unreadable(path: Path, problem: Exception) -> RecordingError:
    return RecordingError(
        f"{shown_path(path)} is not a recording that can be read ({str(problem)[:200]}); remove it."
    )
