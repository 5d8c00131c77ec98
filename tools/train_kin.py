"""Trains kin of a bundled checkpoint: what artists have beside a model, small and quickly made.

    python -m tools.train_kin flow|eps --out FOLDER
    python -m tools.train_kin flow|eps --out FOLDER --strangers

Three files beside the checkpoint's own: `digits` (every prompt shows another digit), `style` (white on black
becomes black on white, thickened), and `merged`, half of each. Short finetunes from the bundled weights, one
to two minutes of CPU each. `--strangers`: two of the same architecture from weights drawn anew, which are no
kin whatever they draw: `twin`, on the very pictures, and `clouds`, on others; two to four minutes each.
Seeded. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scheduler.checkpoints import digits, load_checkpoint
from scheduler.files import make_folder
from tools.train import TASKS, Run, write

STEPS = {"flow": 500, "eps": 300}
ANEW = {"flow": 1500, "eps": 600}  # of strangers
RATE = 3e-4
WARM_UP = 20
THICKNESS = 3  # pixels of the square whose brightest one is taken
ANOTHER = 3  # digits further
CLOUD = 5  # pixels that a cloud's white noise is averaged over
SCRATCH = 8  # a seed that no bundled checkpoint was drawn from


def thickened_inverse(pictures: Tensor) -> Tensor:
    """Pictures (B, S, S) with thicker strokes, and dark where they were light."""
    thick = F.max_pool2d(pictures[:, None], THICKNESS, stride=1, padding=THICKNESS // 2)[:, 0]
    return 1 - thick


def same(pictures: Tensor) -> Tensor:
    """Pictures as they are."""
    return pictures


def clouds(pictures: Tensor) -> Tensor:
    """Smooth noise, as bright on average, in the place of each picture; the same for the same pictures."""
    seed = int(pictures.double().sum() * 1e6) % 2**31
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))
    smooth = F.avg_pool2d(noise[:, None], CLOUD, stride=1, padding=CLOUD // 2)[:, 0]
    return (pictures.mean() + smooth / smooth.std() * pictures.std()).clamp(0, 1)


class Elsewhere(Run):
    """A run for the latents of a bundled checkpoint, on other pictures. style: of rendered pictures (B, S,
    S). moved: by how many digits a prompt means another."""

    def __init__(
        self,
        name: str,
        seed: int,
        steps: int,
        style: Callable[[Tensor], Tensor] = same,
        moved: int = 0,
    ):
        super().__init__(TASKS[name], seed=seed, steps=steps)
        self.base, self.style, self.moved = load_checkpoint(name), style, moved
        self.latents = self.base.latents

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


class Finetune(Elsewhere):
    """From a bundled checkpoint's weights."""

    def __init__(self, name: str, **how):
        super().__init__(name, seed=1, steps=STEPS[name], **how)
        for model in (self.model, self.average):
            model.load_state_dict(self.base.model.state_dict())
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=RATE, betas=(0.9, 0.99))

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


def trained(run: Run) -> nn.Module:
    """The averaged weights at its end."""
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

    def models() -> dict[str, nn.Module]:
        digit = trained(Finetune(name, moved=ANOTHER))
        style = trained(Finetune(name, style=thickened_inverse))
        return {"digits": digit, "style": style, "merged": merged(digit, style, name)}

    return _files(name, folder, ("digits", "style", "merged"), models)


def strangers(name: str, folder: Path) -> dict[str, Path]:
    """{stranger: its file}, as of `made`."""

    def models() -> dict[str, nn.Module]:
        styles = {"twin": same, "clouds": clouds}
        return {
            label: trained(Elsewhere(name, SCRATCH, ANEW[name], style))
            for label, style in styles.items()
        }

    return _files(name, folder, ("twin", "clouds"), models)


def _files(
    name: str, folder: Path, labels: Sequence[str], models: Callable[[], dict[str, nn.Module]]
) -> dict[str, Path]:
    make_folder(folder)
    files = {label: folder / f"{name}-{label}.safetensors" for label in labels}
    if all(file.exists() for file in files.values()):
        return files
    about = load_checkpoint(name).metadata
    for label, model in models().items():
        write(model, about | {"name": f"{name}-{label}"}, files[label])
    return files


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(TASKS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--strangers", action="store_true", help="no kin, to be told from them")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    make = strangers if asked.strangers else made
    for label, file in make(asked.name, asked.out).items():
        print(f"{label}: {file}")


if __name__ == "__main__":
    main()
