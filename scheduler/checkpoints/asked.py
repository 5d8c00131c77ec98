"""A checkpoint as distilling and comparing ask for it: under some of its classes, and under others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import fspath

import torch

from ..denoiser import Denoiser
from ..files import PathLike
from ..fingerprint import Fingerprint, fingerprint_file
from ..record import Conditions
from .load import BUNDLED, Checkpoint, load_checkpoint

USUAL_CFG = 2.0  # of the bundled checkpoints
CLASSES, TEST_CLASSES = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)


@dataclass(frozen=True)
class Asked:
    """What distilling and comparing need of a model.

    Two denoisers (under conditioning that is seen, and held out), its range, kind and name.
    prompts: how many are seen. checkpoint: None for one's own function.
    """

    denoise: Denoiser
    evidence_denoise: Denoiser | None
    latent_shape: tuple[int, ...]
    sigma_min: float
    sigma_max: float
    parametrisation: str
    name: str
    shift: float | None = None
    noise_scale: float = 1.0
    prediction: str | None = None
    prompts: int | None = None
    checkpoint: Checkpoint | None = None
    fingerprint: Fingerprint | None = None

    def conditions(self, cfg: float | None, seed: int) -> Conditions:
        """What the record will say of the run; of one's own function the guidance is not known."""
        return Conditions(
            cfg=cfg if self.checkpoint else None,
            latent_shape=self.latent_shape,
            prompts=self.prompts,
            seed=seed,
            name=self.name,
            shift=self.shift,
            noise_scale=self.noise_scale,
            prediction=self.prediction,
            fingerprint=self.fingerprint.id if self.fingerprint else None,
            samples=self.fingerprint.samples if self.fingerprint else None,
        )


def asked_checkpoint(
    path: PathLike,
    cfg: float = USUAL_CFG,
    classes: Sequence[int] = CLASSES,
    test_classes: Sequence[int] = TEST_CLASSES,
    device: str = "cpu",
) -> Asked:
    """A checkpoint, bundled ("flow", "eps") or a file of their layouts. Raises CheckpointError."""
    loaded = load_checkpoint(fspath(path), device)
    # So small are these networks that a second thread slowed them, up to five times on a busy
    # machine.
    torch.set_num_threads(1)
    return Asked(
        denoise=of_classes(loaded, classes, cfg),
        evidence_denoise=of_classes(loaded, test_classes, cfg),
        latent_shape=loaded.latent_shape,
        sigma_min=loaded.sigma_min,
        sigma_max=loaded.sigma_max,
        parametrisation=loaded.parametrisation,
        name=loaded.name,
        shift=loaded.shift,
        prediction=loaded.prediction,
        prompts=len(classes),
        checkpoint=loaded,
        fingerprint=fingerprint_file(BUNDLED.get(fspath(path), path)),
    )


def of_classes(checkpoint: Checkpoint, digits: Sequence[int], cfg: float) -> Denoiser:
    """The checkpoint's denoiser for any batch: row i is asked for class digits[i % len(digits)]."""
    ready: dict[int, Denoiser] = {}

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        count = len(x)
        if count not in ready:
            rows = torch.tensor([digits[i % len(digits)] for i in range(count)])
            ready[count] = checkpoint.denoiser(rows, cfg)
        return ready[count](x, sigma)

    return denoise
