"""The distilled sampler in the host's form, for SAMPLER values and the dropdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ...scheduler.lookup.key import guidance_bucket
from ...scheduler.lookup.selection import STOCK, Selection
from ...scheduler.lookup.words import info
from ...scheduler.record import Recipe
from ...scheduler.samplers.k_diffusion import SAME_SIGMA, run_in_host, same_sigmas
from ...scheduler.samplers.names import RELATIVE
from ...scheduler.sigmas.hand_over import continued_from
from ..halves.handed_on import handed_over, note
from ..host.guider_facts import facts_under
from ..host.masks import mask_of
from ..host.model_facts import cfg_of
from ..host.sample_sigmas import Listed
from ..lookup import find
from ..names import DISTILLED
from ..page.log import log_once, problem
from ..page.what_ran import tell_ran
from .apply_mark import applied_of
from .issued_schedules import recognised


def sample_distilled(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """The dropdown's sampler: the recipe that the model's record has for these sigmas.

    Other sigmas run as dpmpp_2m on exactly those.
    """
    try:
        found = _found(model, x, sigmas)
    except Exception as error:  # a lookup must not end a run
        problem("the recipe of the sampler 'distilled' could not be looked up", error)
        found = None
    if found is None or not _serves(found, sigmas):
        return _foreign(model, x, sigmas, extra_args, callback, disable)
    return _run(found.recipe, found.table.process, model, x, extra_args, callback, disable)


def bound(found: Selection, learn: bool = False, node: str | None = None) -> Callable:
    """The sampler function of one recipe: on its own sigmas it runs the recipe, on others as dpmpp_2m.

    learn: whether runs drawn in full are kept to learn from. node: the one that made it, whose card
    is told what runs under another guidance than the recipe was made at.
    """

    def sample_distilled(model, x, sigmas, extra_args=None, callback=None, disable=None):
        serves = _serves(found, sigmas)
        note(float(sigmas[-1]) if len(sigmas) else 0.0)
        handed = _handed(model, sigmas, found.table.process)

        def draw() -> torch.Tensor:
            if handed is not None:
                led, state = continued(x, sigmas, handed, found.table.process)
                return _foreign(model, state, led, extra_args, callback, disable)
            if not serves:
                return _foreign(model, x, sigmas, extra_args, callback, disable)
            _tell_guidance(found, cfg_of(getattr(model, "inner_model", None)), node)
            return _run(found.recipe, found.table.process, model, x, extra_args, callback, disable)

        if not learn or handed is not None:
            return draw()
        offsets = serves and found.recipe.offsets is not None
        return _heard(draw, found if serves else None, model, x, sigmas, extra_args or {}, offsets)

    return sample_distilled


def _heard(draw, found, model, x, sigmas, extra_args: dict, offsets: bool) -> torch.Tensor:
    """A run that is kept where it is one in full."""
    from ..few_step.full_runs import run_heard

    sampler = RELATIVE if found is None else found.recipe.sampler
    seed, mask = extra_args.get("seed"), extra_args.get("denoise_mask")
    return run_heard(draw, model.inner_model, x, sigmas, sampler, seed, mask, offsets)


def _tell_guidance(found: Selection, cfg: float | None, node: str | None) -> None:
    """Say where the recipe was made at another guidance: a SAMPLER does not always know it before it
    runs."""
    made = None if found.record is None else found.record.conditions.cfg
    if made is None or cfg is None:
        return
    if guidance_bucket(made) != guidance_bucket(cfg):
        told = f"The distilled sampler's recipe was made at cfg {made:g}, and you use {cfg:g}; "
        told += "distil at that for the best result."
        log_once(told)
        tell_ran(node, found, f"{info(found)} {told}")


def _found(model: Any, x: torch.Tensor, sigmas: torch.Tensor) -> Selection | None:
    """The recipe of `distilled` for the run's steps and start.

    None where there is none, or the run stops above sigma 0.
    """
    if len(sigmas) < 2 or float(sigmas[-1]) != 0:
        return None
    guider = model.inner_model
    patcher = guider.model_patcher
    start = min(float(sigmas[0]), float(patcher.get_model_object("model_sampling").sigma_max))
    under = {"cfg": cfg_of(guider), "latent_shape": tuple(x.shape[1:])}
    found = find(
        facts_under(guider),
        DISTILLED,
        len(sigmas) - 1,
        start_sigma=start,
        record=applied_of(patcher).record,
        **under,
    )
    return None if found.source == STOCK else found


def _serves(found: Selection, sigmas: torch.Tensor) -> bool:
    """Whether these sigmas are the recipe's, or all of what our own entry issued for that run.

    That is: for as many steps from the same start.
    """
    if same_sigmas(found.recipe, sigmas):
        return True
    start = torch.tensor(found.recipe.sigmas[0], dtype=torch.float64)
    there = len(sigmas) == len(found.recipe.sigmas)
    there = there and bool(torch.isclose(start, sigmas[0].cpu().double(), rtol=SAME_SIGMA, atol=0))
    known = recognised(sigmas) if there else None
    return known is not None and known.whole


def _handed(model: Any, sigmas: torch.Tensor, process: str) -> float | None:
    """The sigma that another sampler left this run's latent at, where it is not the run's own and the
    run can go on from there: above its last one, and with something of the latent left in x."""
    noise = getattr(model, "noise", None)
    if len(sigmas) < 2 or noise is None or noise.any() or bool((sigmas.diff() >= 0).any()):
        return None
    handed, first = handed_over(), float(sigmas[0])
    if handed is None or handed == first or handed <= float(sigmas[-1]):
        return None
    return None if process == "flow" and first >= 1 else handed


def continued(
    x: torch.Tensor, sigmas: torch.Tensor, handed: float, process: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """(the schedule from the sigma where a latent was left, the state there).

    x: (B, ...), the latent as the host scaled it for sigmas[0], in which a flow has the share
    1 - sigma. sigmas: (N+1,), which may stop above 0; the last sigma stays.
    """
    own = sigmas.double().tolist()
    led = continued_from(own if own[-1] == 0 else [*own, 0.0], handed).tolist()
    led = led if own[-1] == 0 else led[:-1]
    if own[-1] > 0:
        led[-1] = own[-1]
    state = x * ((1 - handed) / (1 - own[0])) if process == "flow" else x
    return torch.tensor(led, dtype=sigmas.dtype, device=sigmas.device), state


def _foreign(model, x, sigmas, extra_args, callback, disable):
    """dpmpp_2m, the host's own, on exactly these sigmas."""
    from comfy.k_diffusion.sampling import sample_dpmpp_2m

    if len(sigmas) < 2:
        return x
    log_once(
        "the sampler 'distilled' has no coefficients for the sigmas that it was given "
        f"({len(sigmas) - 1} steps from {float(sigmas[0]):.4g}); it ran as dpmpp_2m on exactly those."
    )
    return sample_dpmpp_2m(
        model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable
    )


def _run(recipe: Recipe, process: str, model, x, extra_args, callback, disable) -> torch.Tensor:
    """A recipe, by the library's own loops; it stops where the user interrupts."""
    from comfy.model_management import throw_exception_if_processing_interrupted

    extra_args = {} if extra_args is None else extra_args
    listed = Listed(recipe, process)

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        throw_exception_if_processing_interrupted()
        return model(x, sigma, **listed.arguments(extra_args, sigma))

    return run_in_host(recipe, process, denoise, x, callback, disable, mask_of(extra_args))
