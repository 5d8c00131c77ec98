"""Kin of the bundled checkpoints: finetunes and a merge (tools/train_kin.py), rounded weights, a LoRA at
three strengths; and strangers that share nothing but the shape of their latents; their pictures, and the
records made of one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.beds import Bed, Mixture
from benchmarks.runs import Counted
from benchmarks.subjects import FEWER_NODES, Subject
from benchmarks.trial import Setting
from scheduler.checkpoints import Checkpoint, digits, load_checkpoint
from scheduler.denoiser import start_state
from scheduler.distilling.run import distill
from scheduler.fingerprint import Fingerprint, fingerprint_tensors
from scheduler.fingerprint.kinship import Kinship
from scheduler.kin import Kin
from scheduler.learning.fitting import calls_from
from scheduler.lookup.match import NEAREST, STORE, Match
from scheduler.lookup.model_facts import ModelFacts
from scheduler.record import Conditions, Record
from scheduler.recordings import Recording, record_run
from scheduler.sigmas.noise_table import table_for
from tools.train_kin import made
from tools.train_kin import strangers as trained_strangers

STEPS, CFG = 6, 3.0
SETTINGS = {"flow": Setting("dpmpp_2m", "beta", 24), "ve": Setting("dpmpp_2m", "karras", 24)}
PICTURE_SEED = 4_000_037  # of the artist's noise, added to the seed
RANK = 4
STRENGTHS = (0.5, 1.0, 1.5)
SIDES, SHIFT = (6, 12), 4.5  # of latents that were trained at 8x8 and shift 3
# Of mixtures: scale, variance.
# fmt: off
TILE, TILES = 8, (
    (4.0, 0.05), (2.0, 0.05), (1.5, 0.02), (1.0, 0.005), (1.0, 0.05), (1.0, 0.1), (1.0, 0.5), (0.7, 0.05),
    (0.5, 0.01), (0.5, 0.2), (0.3, 0.05), (0.1, 0.01), (0.1, 1.0),
)
# fmt: on
BLOCK = 32  # weights that share a scale in GGUF's Q4_0


def kin_of(name: str, folder: Path) -> Iterator[tuple[str, Checkpoint]]:
    """(label, model) of all kin of a bundled checkpoint; the finetunes are trained where the folder has
    none."""
    base = load_checkpoint(name)
    files = made(name, folder)
    for label, file in files.items():
        yield label, load_checkpoint(file)
    yield "fp8", changed(base, fp8)
    yield "int8", changed(base, int8)
    yield "Q4", changed(base, q4)
    yield "half noise", changed(base, half_noise)
    style = load_checkpoint(files["style"])
    for strength in STRENGTHS:
        yield f"LoRA {strength:g}", with_lora(base, style, strength)
    channels = base.latent_shape[0]
    for side in SIDES:
        yield f"{side}x{side}", replace(base, latent_shape=(channels, side, side))
    if base.shift is not None:
        larger = replace(base, latent_shape=(channels, SIDES[-1], SIDES[-1]))
        yield f"{SIDES[-1]}x{SIDES[-1]} shift {SHIFT:g}", replace(larger, shift=SHIFT)


def strangers(name: str, folder: Path) -> Iterator[tuple[str, Checkpoint | Tiles]]:
    """Models that are no kin: trained from other weights on the same pictures and on others, weights
    shuffled or drawn anew, and mixtures that have none."""
    base = load_checkpoint(name)
    for label, file in trained_strangers(name, folder).items():
        yield label, load_checkpoint(file)
    yield "shuffled weights", changed(base, shuffled)
    yield "random weights", changed(base, drawn_anew)
    for scale, variance in TILES:
        yield f"mixture {scale:g} {variance:g}", Tiles(base, scale, variance)


@dataclass(frozen=True)
class Tiles:
    """Independent mixtures of TILE numbers each, on another model's clock and of its latents' shape: the
    ideal denoiser of means so far apart, with so much variance around each."""

    base: Checkpoint
    scale: float
    variance: float

    def __getattr__(self, name: str):
        if name == "model":
            raise AttributeError(name)  # a mixture has no weights
        return getattr(self.base, name)  # range, clock, shape

    def denoiser(self, classes: Tensor, cfg: float = 1.0) -> Callable:
        """Whatever the classes and the guidance."""
        generator = torch.Generator().manual_seed(5)
        means = self.scale * torch.randn(5, TILE, generator=generator, dtype=torch.float64)
        rest = torch.full((5,), self.variance, dtype=torch.float64)
        mixture = Mixture(means, torch.zeros(5, dtype=torch.long), rest)

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            s = float(sigma[0])
            alpha = 1 - s if self.base.parametrisation == "flow" else 1.0
            tiles = x.double().reshape(-1, TILE)
            return mixture.posterior_mean(tiles, s, alpha, None).reshape(x.shape).to(x.dtype)

        return denoise


def changed(base: Checkpoint, change: Callable[[Tensor], Tensor]) -> Checkpoint:
    """A checkpoint with every matrix changed."""
    model = copy.deepcopy(base.model)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(change(weight))
    return with_model(base, model)


def with_model(base: Checkpoint, model: nn.Module) -> Checkpoint:
    return replace(base, model=model)


def fp8(weight: Tensor) -> Tensor:
    return weight.to(torch.float8_e4m3fn).to(weight.dtype)


def int8(weight: Tensor) -> Tensor:
    """With one scale a row."""
    rows = weight.flatten(1)
    scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
    return ((rows / scale).round() * scale).reshape(weight.shape)


def q4(weight: Tensor) -> Tensor:
    """As GGUF's Q4_0: blocks of 32 share a scale, 16 levels."""
    flat = weight.flatten()
    padded = torch.cat([flat, flat.new_zeros(-len(flat) % BLOCK)]).reshape(-1, BLOCK)
    peak = padded.gather(1, padded.abs().argmax(1, keepdim=True))
    scale = torch.where(peak == 0, torch.ones_like(peak), peak / -8)
    levels = (padded / scale).round().clamp(-8, 7)
    return (levels * scale).flatten()[: len(flat)].reshape(weight.shape)


def shuffled(weight: Tensor) -> Tensor:
    order = torch.randperm(weight.numel(), generator=torch.Generator().manual_seed(3))
    return weight.flatten()[order].reshape(weight.shape)


def drawn_anew(weight: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(weight.shape, generator=generator) * weight.std()


def half_noise(weight: Tensor) -> Tensor:
    return weight + 0.5 * drawn_anew(weight)


def with_lora(base: Checkpoint, other: Checkpoint, strength: float) -> Checkpoint:
    """The base with the difference to another model at RANK, so much of it."""
    model = copy.deepcopy(base.model)
    parts = dict(other.model.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                apart = (parts[name] - weight).flatten(1)
                u, s, v = torch.linalg.svd(apart, full_matrices=False)
                low = (u[:, :RANK] * s[:RANK]) @ v[:RANK]
                weight.add_(strength * low.reshape(weight.shape))
    return with_model(base, model)


class KinSubject(Subject):
    """With a shorter reference for what is no bundled checkpoint: there are many."""

    @property
    def reference_nodes(self) -> int:
        return super().reference_nodes if self.learned else FEWER_NODES


def subject_of(model: Checkpoint | Tiles, name: str, cfg: float) -> Subject:
    return KinSubject(name, cfg, model, digits.CLASSES)


def facts_of(model: Checkpoint | Tiles | Bed, name: str) -> ModelFacts:
    """As a host would say it."""
    table = table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)
    return ModelFacts(
        print_of(model),
        name,
        model.parametrisation,
        getattr(model, "prediction", model.parametrisation),
        model.shift,
        model.sigma_min,
        model.sigma_max,
        table,
    )


def print_of(model: Checkpoint | Tiles | Bed) -> Fingerprint | None:
    """Of a network; a mixture has no weights to be known by."""
    network = getattr(model, "model", None)
    return None if network is None else fingerprint_tensors(network.state_dict())


def claimed(record: Record, of: Subject, kind: str, place: str = STORE) -> Kin:
    """A record as kin of a model, whatever its weights are: what the check alone must judge."""
    related = Kinship(kind, None, "claimed")
    return Kin(Match(record, NEAREST, related, place=place), facts_of(of.model, of.name))


def picture(of: Subject, seed: int) -> tuple[Recording, Counted]:
    """A recorded picture of a model, and the denoiser that drew it."""
    sigmas = SETTINGS[of.parametrisation].sigmas(of)
    denoise = of.fitting(1, seed=seed)
    noise = of.noise(1, PICTURE_SEED + seed)
    x = start_state(noise, float(sigmas[0]), of.parametrisation)
    return record_run(denoise, x, sigmas, "dpmpp_2m", of.parametrisation), Counted(denoise)


def own_record(of: Subject, seed: int) -> tuple[Record, int]:
    """A recipe of its own from one recorded picture, as the one-node way makes it."""
    run, denoise = picture(of, seed)
    about = facts_of(of.model, of.name)
    low, high = of.sigma_range
    known = about.fingerprint
    record = distill(
        denoise,
        of.latent_shape,
        high,
        low,
        of.parametrisation,
        steps=STEPS,
        budget=calls_from(1, STEPS),
        evidence_budget=0,
        recordings=(run,),
        conditions=Conditions(
            cfg=of.cfg,
            shift=of.model.shift,
            name=of.name,
            fingerprint=known.id if known else None,
            samples=known.samples if known else None,
        ),
    )
    return record, denoise.calls
