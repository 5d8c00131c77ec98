"""The user's guider as denoisers, in one sampling run: guidance, areas, ControlNet, hooks, LoRA,
masks and offloading are the host's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...scheduler.errors import DenoiserError
from .hook_keyframes import keyframed, settle
from .model_facts import cfg_of
from .sample_sigmas import NAME, Ladder
from .step_caches import without_caches

if TYPE_CHECKING:
    import torch

KEY = "stepdistill_guided"
EXTRA = "stepdistill_extra_positive"
RATIOS = ("downscale_ratio_spacial", "downscale_ratio_temporal")
Heard = Callable[
    [int, Any, float], None
]  # (rows, what the model drew (rows, ...), sigma) after each evaluation


@dataclass(frozen=True)
class Guided:
    """A guider, and the LATENT (with the channels that its model has) whose batch it draws."""

    guider: Any
    latent: Mapping
    left_out: tuple[str, ...] = ()

    @property
    def patcher(self):
        """The guider's MODEL."""
        return self.guider.model_patcher

    @property
    def samples(self):
        return self.latent["samples"]

    @property
    def batch(self) -> int:
        return parts_of(self.samples)[0].shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """One sample's latent shape while it is sampled: latents of several kinds (video and sound)
        are packed flat then."""
        parts = parts_of(self.samples)
        return (
            tuple(parts[0].shape[1:])
            if len(parts) == 1
            else (1, sum(part[0].numel() for part in parts))
        )

    @property
    def streams(self) -> tuple[dict, ...] | None:
        """The parts of a packed latent by name, in their order, or None for one of one kind."""
        parts = parts_of(self.samples)
        if len(parts) == 1:
            return None
        sizes = [part[0].numel() for part in parts]
        names = _stream_names(parts)
        return tuple({"name": n, "elements": size} for n, size in zip(names, sizes, strict=True))

    @property
    def frames(self) -> int:
        """Latent frames of a video, 0 for anything else."""
        return self.shape[1] if len(self.shape) == 4 else 0

    @property
    def cfg(self) -> float | None:
        """The guidance scale (of guiders with two, the first), as it is looked up by when the model
        is sampled; None: not stated."""
        return cfg_of(self.guider)


def guided(
    model, positive, negative, cfg: float, latent: Mapping, guider=None, caches: bool = False
) -> Guided:
    """The guider of a graph: the one given, else the stock one of model, conditioning and cfg. What
    answers from memory is left out, but for caches."""
    import comfy.samplers

    if guider is None:
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
    own = copy.copy(guider)  # attributes are set below, and the user's may be in use elsewhere
    patcher, left_out = guider.model_patcher, ()
    if not caches:
        patcher, left_out = without_caches(patcher)
    if patcher is not guider.model_patcher:
        own.model_patcher, own.model_options = patcher, patcher.model_options
    return Guided(own, with_channels(patcher, latent), left_out)


def with_channels(patcher, latent: Mapping) -> dict:
    """The LATENT as every sampler node takes it: an empty one with as many channels (and
    dimensions) as the model has."""
    import comfy.sample

    samples = latent["samples"]
    ratios = {
        name: latent[name] for name in RATIOS if latent.get(name) is not None
    }  # newer hosts' empty latents alone have them
    fixed = (
        samples
        if _nested(samples)
        else comfy.sample.fix_empty_latent_channels(patcher, samples, **ratios)
    )
    return {**latent, "samples": fixed}


def with_frames(of: Guided, frames: int) -> Guided:
    """The same video with its first latent frames alone; conditioning that carries a value for each
    frame is cut likewise."""
    guider = copy.copy(of.guider)
    guider.original_conds = first_frames(guider.original_conds, of.frames, frames)
    return Guided(guider, first_frames(dict(of.latent), of.frames, frames), of.left_out)


def first_frames(value, full: int, frames: int):
    """A value with every tensor of `full` frames in it, (B, C, T, H, W), cut to the first ones;
    lists and mappings are looked into."""
    if hasattr(value, "ndim"):
        return value[:, :, :frames] if value.ndim == 5 and value.shape[2] == full else value
    if isinstance(value, dict):
        return {key: first_frames(each, full, frames) for key, each in value.items()}
    return (
        [first_frames(each, full, frames) for each in value] if isinstance(value, list) else value
    )


def parts_of(samples) -> list:
    """The tensors of a latent: one, or those of a nested one."""
    return list(samples.unbind()) if _nested(samples) else [samples]


def _stream_names(parts: list) -> list[str]:
    """What people call the parts: a video's latent has five axes, its sound's fewer."""
    if len(parts) == 2 and parts[0].ndim == 5 > parts[1].ndim:
        return ["video", "sound"]
    return [f"part {place}" for place in range(1, len(parts) + 1)]


def _nested(samples) -> bool:
    return bool(getattr(samples, "is_nested", False))


def run(
    of: Guided,
    work: Callable[[tuple], Any],
    sigma_max: float,
    seed: int = 0,
    extra_positive=None,
    heard: Heard | None = None,
):
    """What `work(denoisers)` returns, run inside one sampling call of the guider; the model is
    loaded before and let go after.

    A denoiser for the guider's own conditioning and, where given, one with extra_positive in the
    place of its positive. Each takes x (rows, ...) and sigma (rows,) on the CPU, any number of
    rows: the model is called for as many at a time as the LATENT's batch has, row i with the
    conditioning and the mask of the batch's row i % batch. `heard` follows each of these calls and
    may raise. Raises the host's InterruptProcessingException within one of them.
    """
    import comfy.sample
    import comfy.samplers
    import torch

    guider, scene = copy.copy(of.guider), _Scene(of.batch, heard)
    guider.original_conds = dict(guider.original_conds)
    if extra_positive is not None:
        _add_extra(guider, extra_positive)
    guider.model_options = scene.watched(guider.model_options)
    found = []

    def sampler_stepdistill(model, x, sigmas, extra_args=None, callback=None, disable=None):
        conds = guider.conds
        found.append(work(scene.denoisers(guider, model, x, dict(extra_args or {}))))
        guider.conds = conds  # the host lets go of all that it prepared
        return torch.zeros_like(
            x
        )  # what was distilled is in `found`; the host only wants a latent back

    noise = comfy.sample.prepare_noise(of.samples, seed)
    sigmas = torch.tensor([sigma_max, 0.0])
    guider.sample(
        noise,
        of.samples,
        comfy.samplers.KSAMPLER(sampler_stepdistill),
        sigmas,
        denoise_mask=of.latent.get("noise_mask"),
        seed=seed,
    )
    return found[0]


def _add_extra(guider, extra_positive) -> None:
    import comfy.sampler_helpers

    if "positive" not in guider.original_conds:
        raise DenoiserError(
            "This guider has no positive conditioning that extra_positive could stand in for; "
            "leave extra_positive free."
        )
    guider.original_conds[EXTRA] = comfy.sampler_helpers.convert_cond(extra_positive)


class _Scene:
    """One sampling run: what its denoisers share."""

    def __init__(self, batch: int, heard: Heard | None):
        self.batch, self.heard = batch, heard
        self.raw: dict[str, list] = {}
        self.named: dict[str, Any] = {}

    def watched(self, model_options: dict) -> dict:
        """Model options that tell of the conditioning as it is before the host prepares it for the latent."""
        import comfy.model_patcher
        from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

        options = comfy.model_patcher.create_model_options_clone(model_options)
        add_wrapper_with_key(
            WrappersMP.OUTER_SAMPLE, KEY, self._outer_sample, options, is_model_options=True
        )
        return options

    def _outer_sample(self, execute, *arguments, **named):
        self.raw = {name: list(listed) for name, listed in execute.class_obj.conds.items()}
        self.named = {name: value for name, value in named.items() if name == "latent_shapes"}
        return execute(*arguments, **named)

    def denoisers(self, guider, model, x, extra_args: dict) -> tuple:
        """A denoiser for each set of conditioning."""
        if EXTRA not in self.raw:
            return (_Denoiser(self, guider, guider.conds, model, x.device, extra_args),)
        own = {name: listed for name, listed in self.raw.items() if name != EXTRA}
        sets = own, own | {"positive": self.raw[EXTRA]}
        prepared = [self._prepared(guider, each, model, x.device, extra_args) for each in sets]
        return tuple(
            _Denoiser(self, guider, conds, model, x.device, extra_args) for conds in prepared
        )

    def _prepared(
        self, guider, conds: Mapping[str, Sequence], model, device, extra_args: dict
    ) -> dict:
        """Each set by itself: the host gives every area of one conditioning to all others that it
        prepares beside it."""
        import comfy.samplers

        listed = {name: [dict(each) for each in entries] for name, entries in conds.items()}
        mask, seed = extra_args.get("denoise_mask"), extra_args.get("seed")
        return comfy.samplers.process_conds(
            guider.inner_model,
            model.noise,
            listed,
            device,
            model.latent_image,
            mask,
            seed,
            **self.named,
        )


class _Denoiser:
    """denoise(x (rows, ...), sigma (rows,)) -> x0, both on x's device: the host's model, in pieces
    of the user's own batch."""

    def __init__(
        self, scene: _Scene, guider, conds: Mapping, model, device: torch.device, extra_args: dict
    ):
        self.scene, self.guider, self.conds, self.model, self.device, self.extra_args = (
            scene,
            guider,
            conds,
            model,
            device,
            extra_args,
        )
        self.noise, self.latent_image, self.mask = (
            model.noise,
            model.latent_image,
            extra_args.get("denoise_mask"),
        )
        self.ladder = Ladder(guider.inner_model.model_sampling)
        self.asked = 0
        self.groups = keyframed(conds)

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        import torch

        self.asked += 1
        parts = [
            self._drawn(part, level)
            for part, level in zip(
                x.split(self.scene.batch), sigma.split(self.scene.batch), strict=True
            )
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _drawn(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        import comfy.model_management

        comfy.model_management.throw_exception_if_processing_interrupted()
        rows, level = len(x), float(sigma[0])
        self._enter(rows, sigma.to(self.device))
        named = self.extra_args | {"denoise_mask": None if self.mask is None else self.mask[:rows]}
        drawn = self.model(x.to(self.device), sigma.to(self.device), **named)
        if self.scene.heard is not None:
            self.scene.heard(rows, drawn, level)
        return drawn.to(x.device)

    def _enter(self, rows: int, sigma: torch.Tensor) -> None:
        """Set the stage for one call: this set's conditioning, as many rows of the batch, and a
        schedule that the sigma belongs to."""
        self.guider.conds = self.conds
        self.model.noise, self.model.latent_image = self.noise[:rows], self.latent_image[:rows]
        settle(self.groups, self.guider.model_patcher, float(sigma[0]))
        options = self.extra_args["model_options"].setdefault("transformer_options", {})
        options[NAME] = self.ladder.around(sigma, second=self.asked % 2 == 0)
