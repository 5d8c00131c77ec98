"""One identity for a diffusion model's weights, found again in every host.

It is taken from live tensors or straight from a file. A fingerprint keeps sampled values with their
names, shapes and formats; equality is judged by those (kinship.py), because hosts cast weights
while loading. Its id is a hash of them and only an index. Files that are never opened as weights
(.ckpt and other pickles) and GGUF files are known by a hash of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CheckpointError
from ..files import PathLike
from ..record.parser import shown_path
from .gguf import open_gguf
from .number_formats import RAW
from .sketch import RUN, chosen, diffusion_names, place
from .tensor_file import TensorFile, mapped, open_safetensors

if TYPE_CHECKING:  # files are fingerprinted without torch
    from torch import Tensor

PICKLED = (".ckpt", ".pt", ".pth", ".bin")
# Of a file that is known by its hash: how many pieces are read, of how many bytes each.
PIECES = 256
PIECE = 4096
_LABELS = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}


@dataclass(frozen=True)
class Fingerprint:
    """What a model is known by.

    id: text, an index. samples: {name: {"shape": [...], "dtype": "F16", "values": [...]}}, as a
    record keeps them; may be empty.
    """

    id: str
    samples: Mapping[str, Mapping] = field(default_factory=dict, hash=False, repr=False)

    @cached_property
    def structure(self) -> str:
        """A hash of the sampled names and shapes: equal for all models of one architecture.

        Empty where there are no samples.
        """
        shapes = [(name, list(sample["shape"])) for name, sample in sorted(self.samples.items())]
        return _digest(json.dumps(shapes).encode(), 6) if shapes else ""

    @classmethod
    def of_record(cls, model) -> Fingerprint | None:
        """The fingerprint that a record's model carries, or None."""
        return cls(model.fingerprint, model.samples or {}) if model.fingerprint else None


def fingerprint_tensors(tensors: Mapping) -> Fingerprint:
    """Of live weights, {name: tensor} such as a state_dict, on any device and in any order.

    Only the runs that are read are copied. Prefixes and other parts of a checkpoint are left out.
    Raises CheckpointError when there is nothing to sample.
    """
    return fingerprint_parts({name: (tensor,) for name, tensor in tensors.items()})


def fingerprint_parts(weights: Mapping[str, Sequence]) -> Fingerprint:
    """Of live weights that are kept in parts: {name: tensors that follow one another along the first
    axis}.

    So a host that keeps queries, keys and values apart is known by the one tensor of its file; they
    are never joined. The rest is as `fingerprint_tensors`.
    """
    given = {name: weights[there] for name, there in diffusion_names(weights).items()}
    shapes = {
        name: _joined_shape(parts)
        for name, parts in given.items()
        if all(hasattr(part, "shape") for part in parts)
    }
    held = {name: [_held(part) for part in given[name]] for name in chosen(shapes)}
    values = _live_runs(held)
    samples = {
        name: _sample(shapes[name], _label(parts[0]), values[name]) for name, parts in held.items()
    }
    return _made(samples, "these weights")


def _joined_shape(parts: Sequence) -> tuple[int, ...]:
    shape = tuple(int(size) for size in parts[0].shape)
    if len(parts) == 1:
        return shape
    return (sum(int(part.shape[0]) for part in parts), *shape[1:])


def fingerprint_file(path: PathLike) -> Fingerprint:
    """Of a checkpoint file, by its suffix.

    .gguf and pickles by a hash of pieces of the file, anything else as safetensors. The file is
    mapped, never loaded, and no pickle is ever opened as one. Raises CheckpointError.
    """
    suffix = Path(str(path)).suffix.lower()
    if suffix in PICKLED:
        return Fingerprint(_pieces_hash(path))
    if suffix == ".gguf":
        return Fingerprint(_pieces_hash(path), _gguf_samples(path))
    with open_safetensors(path) as file:
        return _made(_file_samples(file), shown_path(path))


def file_hash(path: PathLike, heard: Callable[[int], None] | None = None) -> str:
    """SHA-256 of every byte of a file, as the WebUIs state it; `heard` is told the bytes done.

    Raises CheckpointError.
    """
    total = hashlib.sha256()
    with mapped(path, scattered=False) as data:
        for start in range(0, len(data), 1 << 24):
            total.update(data[start : start + (1 << 24)])
            if heard:
                heard(min(start + (1 << 24), len(data)))
    return total.hexdigest()


def _made(samples: dict[str, dict], what: str) -> Fingerprint:
    if not samples:
        raise CheckpointError(
            f"There is nothing to know a model by in {what} (no weight of 16 values or more); "
            "give a model's own."
        )
    bare = Fingerprint("", samples)
    values = [value for sample in samples.values() for value in sample["values"]]
    digest = _digest(np.array(values, dtype="<f4").tobytes(), 10)
    return Fingerprint(f"w1-{bare.structure}-{digest}", samples)


def _file_samples(file: TensorFile) -> dict[str, dict]:
    names = diffusion_names(file.tensors)
    found = {}
    for name in chosen({name: file.tensors[given].shape for name, given in names.items()}):
        tensor = file.tensors[names[name]]
        values = file.values(names[name], place(name, tensor.count), min(RUN, tensor.count))
        found[name] = _sample(tensor.shape, tensor.dtype, values)
    return found


def _gguf_samples(path: PathLike) -> dict[str, dict]:
    try:
        with open_gguf(path) as file:
            return _file_samples(file)
    except CheckpointError:
        return {}


def _pieces_hash(path: PathLike) -> str:
    total = hashlib.sha256()
    with mapped(path) as data:
        total.update(str(len(data)).encode())
        for start in np.linspace(0, max(len(data) - PIECE, 0), PIECES).astype(int).tolist():
            total.update(data[start : start + PIECE])
    return f"f1-{total.hexdigest()[:32]}"


def _sample(shape: tuple[int, ...], dtype: str, values: np.ndarray) -> dict:
    # The shortest decimals that give the same float32 again.
    return {
        "shape": list(shape),
        "dtype": dtype,
        "values": [float(str(value)) for value in values.astype(np.float32)],
    }


def _digest(data: bytes, length: int) -> str:
    return hashlib.blake2b(data, digest_size=length).hexdigest()


def _held(tensor: Tensor) -> Tensor:
    """The tensor that holds the numbers: quantising hosts wrap them in classes of their own."""
    import torch

    held = getattr(tensor, "_qdata", tensor)
    return held.detach().as_subclass(torch.Tensor)


def _label(tensor: Tensor) -> str:
    return _LABELS.get(str(tensor.dtype).removeprefix("torch."), RAW)


def _live_runs(weights: Mapping[str, list[Tensor]]) -> dict[str, np.ndarray]:
    """One run of each weight, brought over in one piece for each device."""
    import torch

    runs = {name: _live_run(name, parts) for name, parts in weights.items()}
    devices: dict[torch.device, list[str]] = {}
    for name, parts in weights.items():
        devices.setdefault(parts[0].device, []).append(name)
    found: dict[str, np.ndarray] = {}
    for names in devices.values():
        together = torch.cat([runs[name] for name in names]).cpu().numpy()
        finite = np.where(np.isfinite(together), together, np.float32(0))
        edges = np.cumsum([len(runs[name]) for name in names])[:-1]
        found |= dict(zip(names, np.split(finite, edges), strict=True))
    return found


def _live_run(name: str, parts: list[Tensor]) -> Tensor:
    """One weight's run, float32, on its device, from whichever parts it lies in."""
    import torch

    if _label(parts[0]) == RAW:
        parts = [part.contiguous().view(torch.uint8) for part in parts]
    count = sum(part.numel() for part in parts)
    start = place(name, count)
    end = start + min(RUN, count)
    found = []
    for part in parts:
        if start < part.numel() and end > 0:
            found.append(_elements(part, max(start, 0), min(end, part.numel())))
        start, end = start - part.numel(), end - part.numel()
    return found[0] if len(found) == 1 else torch.cat(found)


def _elements(tensor: Tensor, start: int, end: int) -> Tensor:
    """Neighbouring values in row-major order; a tensor that is not laid out row by row is never
    copied whole."""
    import torch

    if tensor.is_contiguous():
        return tensor.view(-1)[start:end].float()
    axes = np.unravel_index(np.arange(start, end), tuple(tensor.shape))
    places = [tuple(int(axis) for axis in at) for at in zip(*axes, strict=True)]
    return torch.stack([tensor[at].float() for at in places])
