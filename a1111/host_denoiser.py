"""The host's own denoiser, guidance and LoRAs and all, as StepDistill's: reached by having the host
draw one picture with our function in the place of a sampler."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .names import AUTOMATIC, TITLE

HIDDEN = (
    f"{TITLE} teacher"  # in the host's map of samplers while a distillation runs, never in its list
)
CLOCK = 20  # steps that prompt editing ([a:b:0.5]) is spread over
Heard = Callable[[int, float], None]  # (rows, sigma) after each evaluation


@dataclass(frozen=True)
class Scene:
    """What pictures are drawn of: prompts (a trajectory set each), negative prompt, the page's styles,
    cfg, size in pixels, and rows a model call."""

    prompts: tuple[str, ...]
    negative: str = ""
    cfg: float = 7.0
    width: int = 512
    height: int = 512
    rows: int = 1
    guidance: float | None = None
    styles: tuple[str, ...] = ()

    @property
    def batch(self) -> int:
        return max(self.rows, len(self.prompts))


@dataclass(frozen=True)
class Stage:
    """What `work` is given inside the host's sampling: the denoisers, one for each prompt; the
    model; one sample's latent shape."""

    denoisers: tuple
    model: Any
    p: Any
    shape: tuple[int, ...]
    device: Any


def run(scene: Scene, work: Callable[[Stage], Any], heard: Heard) -> Any:
    """What `work(stage)` returns, or None where the user interrupted; `heard` follows each
    evaluation. The caller holds the host's lock.

    The host decodes nothing afterwards, and what fails in it once `work` is done is told in its
    console alone.
    """
    from modules import sd_samplers
    from modules.processing import process_images
    from modules.sd_samplers_common import SamplerData
    from modules.sd_samplers_kdiffusion import KDiffusionSampler

    found: list[Any] = []

    def sample_stepdistill(model, x, sigmas, extra_args=None, callback=None, disable=None):
        found.append(work(_stage(scene, p, model, x, dict(extra_args or {}), heard)))
        return x

    p = _processing(scene)
    p.sample = _without_pictures(p.sample, scene.batch)
    entry = SamplerData(HIDDEN, lambda model: KDiffusionSampler(sample_stepdistill, model), [], {})
    sd_samplers.all_samplers_map[HIDDEN] = entry
    try:
        process_images(p)
    except Exception:
        if not found:
            raise
        traceback.print_exc()
    finally:
        sd_samplers.all_samplers_map.pop(HIDDEN, None)
        _closed(p)
    return found[0] if found else None


def _closed(p: Any) -> None:
    """Let the processing forget its model; what fails in that is nobody's loss."""
    try:
        p.close()
    except Exception:
        traceback.print_exc()


class _Decoded(list):
    """Pictures, in the place of latents, so that the host decodes none."""

    already_decoded = True


def _without_pictures(sample: Callable, count: int) -> Callable:
    """The processing's `sample`, after which there is nothing to decode."""

    def sampled(*arguments: Any, **named: Any) -> _Decoded:
        import torch

        sample(*arguments, **named)
        return _Decoded(torch.zeros(3, 8, 8) for _ in range(count))

    return sampled


def _processing(scene: Scene):
    """One picture's worth of the host's processing, which saves nothing and runs no other scripts."""
    import torch
    from modules import shared
    from modules.processing import StableDiffusionProcessingTxt2Img
    from modules.scripts import ScriptRunner

    count = scene.batch
    prompts = [scene.prompts[k % len(scene.prompts)] for k in range(count)]
    size = {
        "width": scene.width,
        "height": scene.height,
        "batch_size": count,
        "n_iter": 1,
        "steps": CLOCK,
        "cfg_scale": scene.cfg,
    }
    p = StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        prompt=prompts,
        negative_prompt=scene.negative,
        styles=list(scene.styles),
        seed=0,
        sampler_name=HIDDEN,
        scheduler=AUTOMATIC,  # the host warns of what it must correct
        **size,
        do_not_save_samples=True,
        do_not_save_grid=True,
        s_min_uncond=0,
    )
    if scene.guidance is not None:
        p.distilled_cfg_scale = scene.guidance
    p.sampler_noise_scheduler_override = lambda steps: torch.linspace(
        1.0, 0.0, 2
    )  # never used: `work` has its own
    p.scripts = ScriptRunner()  # an empty one: reForge looks into it
    return p


def _stage(scene: Scene, p: Any, model: Any, x: Any, extra_args: dict, heard: Heard) -> Stage:
    from .identity import facts_of

    inner = model.inner_model.inner_model
    table = facts_of(inner).table
    denoisers = tuple(
        _Denoiser(model, extra_args, index, scene.batch, table, heard)
        for index in range(len(scene.prompts))
    )
    return Stage(denoisers, inner, p, tuple(x.shape[1:]), x.device)


def one_prompt(model: Any, extra_args: dict, facts: Any, clock: int, heard: Heard) -> _Denoiser:
    """The model of a pass that the host has drawn, for the first picture of its batch. clock: the
    steps that prompt editing is spread over. heard: follows each call."""
    return _Denoiser(model, extra_args, 0, 1, facts.table, heard, clock)


class _Denoiser:
    """denoise(x (rows, ...), sigma (rows,)) -> x0 for one prompt: the host's model, for as many
    rows at a time as it was prepared for."""

    def __init__(
        self,
        model: Any,
        extra_args: dict,
        index: int,
        batch: int,
        table: Any,
        heard: Heard,
        clock: int = CLOCK,
    ):
        self.model, self.extra_args, self.index = model, extra_args, index
        self.batch, self.table, self.heard, self.clock = batch, table, heard, clock

    def __call__(self, x: Any, sigma: Any) -> Any:
        import torch

        parts = [
            self._drawn(part, level)
            for part, level in zip(x.split(self.batch), sigma.split(self.batch), strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _drawn(self, x: Any, sigma: Any) -> Any:
        level = float(sigma[0])
        done = 1 - float(self.table.timestep(level)) / float(
            self.table.timestep(self.table.sigma_max)
        )
        self.model.step = min(int(done * self.clock), self.clock - 1)  # prompt editing looks there
        drawn = self.model(x, sigma, **self._arguments(len(x)))
        self.heard(len(x), level)
        return drawn

    def _arguments(self, rows: int) -> dict:
        """The host's conditioning, cut to this prompt, for so many rows."""
        given, one = self.extra_args, slice(self.index, self.index + 1)
        cond, uncond, image = given["cond"], given.get("uncond"), given.get("image_cond")
        found = dict(
            given,
            cond=type(cond)(shape=(rows,), batch=list(cond.batch[one]) * rows),
            s_min_uncond=0,
        )
        if isinstance(uncond, Sequence):
            found["uncond"] = list(uncond[one]) * rows
        if hasattr(image, "shape") and len(image) > 0:
            found["image_cond"] = image[:1].expand(rows, *image.shape[1:])
        return found
