"""What Apply hangs around a sampling run.

Where the run brings a schedule of ours, its own sampler's recipe takes that schedule's place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ...scheduler.lookup.selection import STOCK, Selection
from ...scheduler.lookup.words import info
from ...scheduler.samplers.k_diffusion import SAME_SIGMA
from ...scheduler.samplers.query_offsets import asked_sigma
from ...scheduler.sigmas.hand_over import continued_from
from ..halves.handed_on import handed_over, note
from ..host.guider_facts import facts_under
from ..host.model_facts import cfg_of, guidance_of
from ..host.running_prompt import running_node, scheduler_before
from ..host.sample_sigmas import Listed
from ..lookup import find
from ..names import DISTILLED
from ..page.log import log_once, problem
from ..page.what_ran import tell_ran
from .apply_mark import KEY, Applied, applied_of
from .issued_schedules import Slice, recognised

# Functions that are not called as their sampler is.
SAMPLERS = {"unipc": "uni_pc", "unipc_bh2": "uni_pc_bh2"}


@dataclass(frozen=True)
class Planned:
    """What runs in the place of what was brought."""

    sigmas: torch.Tensor
    found: Selection


def hang(model: Any) -> None:
    """Put the wrapper on a clone of a MODEL, once."""
    from comfy.patcher_extension import WrappersMP

    model.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, outer_sample)


def outer_sample(execute: Callable, noise, latent_image, sampler, sigmas, *arguments, **named):
    """Around the guider's outer_sample: with the recipe of this very sampler, steps, start and
    guidance; else as it was."""
    guider = execute.class_obj
    try:
        planned = plan(guider, noise, sampler, sigmas)
    except Exception as error:  # ours must not end a run
        problem("the recipe could not be looked up, so the sigmas that were there run", error)
        planned = None

    def draw(sigmas: torch.Tensor) -> torch.Tensor:
        note(float(sigmas[-1]) if len(sigmas) else 0.0)
        return execute(noise, latent_image, sampler, sigmas, *arguments, **named)

    if planned is None:
        with _kept(guider, sampler, offsets=False):
            return draw(_gone_on(noise, sigmas))
    recipe = planned.found.recipe
    with _kept(guider, sampler, offsets=recipe.offsets is not None):
        if recipe.offsets is None or recipe.sampler == DISTILLED:
            return draw(planned.sigmas)
        with _Shifted(guider, recipe, planned.found.table.process):
            return draw(planned.sigmas)


@contextmanager
def _kept(guider: Any, sampler: Any, offsets: bool) -> Iterator[None]:
    """While it is entered, a run of a sampler with a name is kept where it is one in full, if Apply
    is to learn. offsets: as of `run_heard`."""
    name = sampler_name(sampler)
    if name is None or not applied_of(guider.model_patcher).learn:
        yield
        return
    from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

    from ..few_step.full_runs import run_heard

    def sample(execute, model, sigmas, extra_args, callback, noise, *more, **also):
        """Around the sampler's sample: its end is in the model's own space."""

        def draw() -> torch.Tensor:
            return execute(model, sigmas, extra_args, callback, noise, *more, **also)

        mask = more[1] if len(more) > 1 else also.get("denoise_mask")
        levels, seed = sigmas.clone(), extra_args.get("seed")  # uni_pc writes into its sigmas
        return run_heard(draw, model, noise, levels, name, seed, mask, offsets)

    options, kind = guider.model_options, WrappersMP.SAMPLER_SAMPLE
    add_wrapper_with_key(kind, KEY, sample, options, is_model_options=True)
    try:
        yield
    finally:
        options["transformer_options"]["wrappers"][kind].pop(KEY, None)


def plan(guider: Any, noise: torch.Tensor, sampler: Any, sigmas: torch.Tensor) -> Planned | None:
    """What should run, or None where the sigmas are not ours, are cut short, or go on with what
    another run left."""
    name = sampler_name(sampler)
    part = recognised(sigmas)
    if name is None or part is None or _goes_on(part, noise):
        return None
    model = guider.model_patcher
    applied = applied_of(model)
    found = find(
        facts_under(guider),
        name,
        part.steps,
        **_start(part),
        **_use(applied, name),
        **_under(guider, noise),
        before=scheduler_before(running_node()),
    )
    log_once(info(found), warn=found.source == STOCK)
    tell_ran(applied.node, found, info(found))
    return Planned(
        torch.tensor(found.recipe.sigmas, dtype=sigmas.dtype, device=sigmas.device), found
    )


def _goes_on(part: Slice, noise: torch.Tensor) -> bool:
    """Whether it is the second half of a run: its schedule was led on when it was asked for."""
    return not noise.any() and (not part.whole or handed_over() is not None)


def _gone_on(noise: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    """What a run goes on with whose latent was left at another sigma than its own first: a schedule of
    ours is led on from there; one that is not is never altered, and the gap is said once."""
    handed = handed_over() if len(sigmas) > 1 and not noise.any() else None
    if handed is None or handed == float(sigmas[0]):
        return sigmas
    if recognised(sigmas) is not None:
        led = continued_from(sigmas.double().tolist(), handed)
        return torch.tensor(led, dtype=sigmas.dtype, device=sigmas.device)
    if not math.isclose(handed, float(sigmas[0]), rel_tol=1e-5):
        log_once(
            f"The latent was left at sigma {handed:.4g} and this sampler begins at "
            f"{float(sigmas[0]):.4g}, so the two halves do not meet; choose 'distilled' as the "
            "scheduler of the second half, or the same schedule for both.",
            True,
        )
    return sigmas


def sampler_name(sampler: Any) -> str | None:
    """The host's name of a SAMPLER, by its function's; None for one that has none."""
    function = getattr(sampler, "sampler_function", None)
    name = getattr(getattr(function, "func", function), "__name__", "")
    if not name.startswith("sample_"):
        return None
    return SAMPLERS.get(name[7:], name[7:])


def _start(part: Slice) -> dict:
    """Where a slice begins: as it was issued for, or at the sigma that the share of the steps that
    are left stands for as a denoise."""
    if part.whole:
        return {}
    if part.steps == part.issued.steps and part.issued.start is not None:
        return {"start_sigma": part.issued.start}
    return {"denoise": part.steps / part.of}


def _use(applied: Applied, name: str) -> dict:
    return {
        "record": applied.record,
        "offsets": name == DISTILLED or (applied.offsets and _can_shift()),
    }


def _can_shift() -> bool:
    from comfy.patcher_extension import WrappersMP

    return hasattr(WrappersMP, "PREDICT_NOISE")


def _under(guider: Any, noise: torch.Tensor) -> dict:
    """The run's own conditions."""
    guidance = guidance_of(getattr(guider, "conds", {}).get("positive"))
    return {"cfg": cfg_of(guider), "latent_shape": tuple(noise.shape[1:]), "guidance": guidance}


class _Shifted:
    """While it is entered, the guider's model is asked at the recipe's shifted noise levels: whole,
    guidance and all, so that what other nodes do with x and sigma fits together. A sigma that is
    not the recipe's is asked as it is."""

    def __init__(self, guider: Any, recipe, process: str):
        self.options = guider.model_options
        self.process = process
        self.listed = Listed(recipe, process)
        self.known = list(zip(recipe.sigmas, recipe.offsets, strict=False))

    def __enter__(self) -> None:
        from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

        add_wrapper_with_key(
            WrappersMP.PREDICT_NOISE, KEY, self.predict, self.options, is_model_options=True
        )

    def __exit__(self, *_) -> None:
        from comfy.patcher_extension import WrappersMP

        self.options["transformer_options"]["wrappers"][WrappersMP.PREDICT_NOISE].pop(KEY, None)

    def predict(
        self,
        execute: Callable,
        x: torch.Tensor,
        timestep: torch.Tensor,
        model_options=None,
        seed=None,
    ):
        """Around the guider's predict_noise(x, sigma, model_options, seed)."""
        model_options = model_options or {}
        sigma = float(timestep.flatten()[0])
        own, offset = min(self.known, key=lambda entry: abs(entry[0] - sigma))
        asked = asked_sigma(own, offset, self.process)
        if asked == own or not math.isclose(own, sigma, rel_tol=SAME_SIGMA):
            return execute(x, timestep, model_options, seed)
        if self.process == "flow":
            x = x * ((1 - asked) / (1 - own))
        level = torch.full_like(timestep, asked)
        return execute(x, level, self.listed.options(model_options, level), seed)
