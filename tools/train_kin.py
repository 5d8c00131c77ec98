"""Trains kin of a bundled checkpoint: what artists have beside a model, small and quickly made.

    python -m tools.train_kin flow|eps --out FOLDER

Three files beside the checkpoint's own: `digits` (every prompt shows another digit), `style` (white on black
becomes black on white, thickened), and `merged`, half of each. Short finetunes from the bundled weights, one
to two minutes of CPU each. Seeded. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scheduler.checkpoints import digits, load_checkpoint
from scheduler.files import make_folder
from tools.train import TASKS, Run, write

STEPS = {"flow": 500, "eps": 300}
RATE = 3e-4
WARM_UP = 20
THICKNESS = 3  # pixels of the square whose brightest one is taken
ANOTHER = 3  # digits further


def thickened_inverse(pictures: Tensor) -> Tensor:
    """Pictures (B, S, S) with thicker strokes, and dark where they were light."""
    thick = F.max_pool2d(pictures[:, None], THICKNESS, stride=1, padding=THICKNESS // 2)[:, 0]
    return 1 - thick


def same(pictures: Tensor) -> Tensor:
    """Pictures as they are."""
    return pictures


class Finetune(Run):
    """A run from a bundled checkpoint's weights, on other pictures. style: of rendered pictures (B, S,
    S). moved: by how many digits a prompt means another."""

    def __init__(self, name: str, style: Callable[[Tensor], Tensor] = same, moved: int = 0):
        super().__init__(TASKS[name], seed=1, steps=STEPS[name])
        base = load_checkpoint(name)
        self.base, self.style, self.moved = base, style, moved
        self.latents = base.latents
        for model in (self.model, self.average):
            model.load_state_dict(base.model.state_dict())
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=RATE, betas=(0.9, 0.99))

    def examples(self) -> tuple[Tensor, Tensor, torch.Generator]:
        """As of `Run`, in another style and under other prompts."""
        before = self.latents
        try:
            self.latents = _Styled(before, self.style)  # type: ignore[assignment]
            latents, classes, generator = super().examples()
        finally:
            self.latents = before
        known = classes >= 0
        return (
            latents,
            torch.where(known, (classes + self.moved) % digits.CLASSES, classes),
            generator,
        )

    def advance(self) -> None:
        """One step at a constant rate after a short warm-up."""
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * min((self.step + 1) / WARM_UP, 1.0)
        loss = self.task.loss(self.model, *self.examples())
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self._average()
        self.step += 1


class _Styled:
    """Latents of pictures that a style was put on."""

    def __init__(self, latents: digits.Latents, style: Callable[[Tensor], Tensor]):
        self._latents, self._style = latents, style

    def encode(self, pictures: Tensor) -> Tensor:
        return self._latents.encode(self._style(pictures))


def trained(name: str, **how) -> nn.Module:
    """The averaged weights of a finetune."""
    run = Finetune(name, **how)
    while run.step < run.steps:
        run.advance()
    return run.average


@torch.no_grad()
def merged(one: nn.Module, other: nn.Module, name: str) -> nn.Module:
    """Half of each."""
    found = TASKS[name].build()
    parts = other.state_dict()
    found.load_state_dict({key: (each + parts[key]) / 2 for key, each in one.state_dict().items()})
    return found


def made(name: str, folder: Path) -> dict[str, Path]:
    """{kin: its file} of a bundled checkpoint; what lies there already is not trained again."""
    make_folder(folder)
    files = {kin: folder / f"{name}-{kin}.safetensors" for kin in ("digits", "style", "merged")}
    if all(file.exists() for file in files.values()):
        return files
    models = {
        "digits": trained(name, moved=ANOTHER),
        "style": trained(name, style=thickened_inverse),
    }
    models["merged"] = merged(*models.values(), name)
    about = load_checkpoint(name).metadata
    for kin, model in models.items():
        write(model, about | {"name": f"{name}-{kin}"}, files[kin])
    return files


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(TASKS))
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for kin, file in made(asked.name, asked.out).items():
        print(f"{kin}: {file}")


if __name__ == "__main__":
    main()
