"""What a distillation keeps while it runs, so that the next run goes on where this one stopped: a
folder of plain data files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ..files import PathLike, make_folder, write_bytes, write_text


class FinishedParts:
    """Finished parts of one run, named by a key of everything they depend on; without a folder
    nothing is kept beyond the run.

    `spent` tells the model calls made so far; each part is kept with its cost, and `earlier` is
    what the parts used in this run cost in earlier ones. Raises OutputError when the folder cannot
    be written. Files of another key, or broken ones, are ignored and replaced.
    """

    def __init__(self, folder: PathLike | None, key: object, spent: Callable[[], int] = int):
        self.folder: Path | None = None if folder is None else make_folder(folder)
        self.key = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self.earlier = 0
        self._spent = spent
        self._finished: dict[str, dict] = self._read()
        self._unused = set(self._finished)
        self._paid: set[str] = set()  # answers of this run: asked again, a query is asked

    def finished(self, name: str, work: Callable[[], dict]) -> dict:
        """The result of `work` (plain data), done now or in an earlier run."""
        if name not in self._finished:
            before = self._spent()
            result = work()
            self._finished[name] = {"result": result, "calls": self._spent() - before}
            self._write()
        elif name in self._unused:
            self._unused.remove(name)
            self.earlier += self._finished[name]["calls"]
        return self._finished[name]["result"]

    def load_tensors(self, name: str) -> dict[str, torch.Tensor] | None:
        """Tensors saved under a name by a run with this key, or None."""
        if self.folder is None:
            return None
        path = self.folder / self._tensor_file(name)
        try:
            return load_file(path) if path.is_file() else None
        except (SafetensorError, OSError, ValueError):
            return None

    def save_tensors(self, name: str, tensors: dict[str, torch.Tensor]) -> None:
        """Keep tensors under a name, whole or not at all; raises OutputError."""
        if self.folder is not None:
            whole = save({key: value.contiguous() for key, value in tensors.items()})
            write_bytes(self.folder / self._tensor_file(name), whole)

    def answer(
        self, of: int, x: torch.Tensor, sigma: float, ask: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """The answer of trajectory set `of` to one query: asked now, or kept by an earlier run."""
        if self.folder is None:
            return ask()
        name = _query_name(of, x, sigma)
        kept = None if name in self._paid else self.load_tensors(name)
        self._paid.add(name)
        if kept is not None and "denoised" in kept and kept["denoised"].shape == x.shape:
            self.earlier += len(x)
            return kept["denoised"].to(x)
        denoised = ask()
        self.save_tensors(name, {"denoised": denoised.cpu()})
        return denoised

    def knows(self, of: int, x: torch.Tensor, sigma: float) -> bool:
        """Whether `answer` would give that of an earlier run."""
        if self.folder is None:
            return False
        name = _query_name(of, x, sigma)
        return name not in self._paid and (self.folder / self._tensor_file(name)).is_file()

    def clear(self) -> None:
        """Forget everything that was kept: the model is not the one that drew it."""
        self._finished.clear()
        self._unused.clear()
        self._paid.clear()
        if self.folder is not None:
            for path in self.folder.glob(self._tensor_file("answer-*")):
                path.unlink(missing_ok=True)

    def _tensor_file(self, name: str) -> str:
        return f"{name}-{self.key[:16]}.safetensors"

    def _read(self) -> dict[str, dict]:
        try:
            data = (
                json.loads((self.folder / "finished.json").read_text(encoding="utf-8"))
                if self.folder
                else {}
            )
            return dict(data["parts"]) if data.get("key") == self.key else {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def _write(self) -> None:
        if self.folder is not None:
            write_text(
                self.folder / "finished.json",
                json.dumps({"key": self.key, "parts": self._finished}),
            )


def _query_name(of: int, x: torch.Tensor, sigma: float) -> str:
    digest = hashlib.sha256(f"{of} {sigma!r} {tuple(x.shape)} ".encode())
    digest.update(x.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return f"answer-{digest.hexdigest()[:24]}"
