"""The sampler named `Distilled`: runs the recipe that our schedule found, whole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from . import infotext
from .host import option, say
from .names import LABEL, NAME
from .sampling_pass import last_of


def register() -> None:
    """Put the entry into the host's lists, in place; or take it out again where the settings say so."""
    from modules import sd_samplers
    from modules.sd_samplers_common import SamplerData
    from modules.sd_samplers_kdiffusion import KDiffusionSampler

    known = sd_samplers.all_samplers_map
    if known.get(LABEL) in _made:
        del known[LABEL]
    sd_samplers.all_samplers[:] = [each for each in sd_samplers.all_samplers if each not in _made]
    _made[:] = [
        SamplerData(
            LABEL,
            lambda model: KDiffusionSampler(sample_distilled, model),
            ["k_distilled"],
            {"scheduler": NAME},
        )
    ]
    if LABEL in known:
        say(f"another extension has a sampling method named {LABEL}, so ours is not offered")
    elif option("stepdistill_dropdowns", True):
        sd_samplers.all_samplers += _made
        known[LABEL] = _made[0]
    sd_samplers.set_samplers()


_made: list[Any] = []  # our entry in the host's lists


def sample_distilled(
    model: Any,
    x: Any,
    sigmas: Any,
    extra_args: dict | None = None,
    callback: Callable | None = None,
    disable=None,
):
    """The host's form of a sampler: the recipe of this pass on its own sigmas.

    Other sigmas run as dpmpp_2m on exactly those.
    """
    from ..scheduler.lookup.selection import STOCK
    from ..scheduler.samplers.k_diffusion import same_sigmas

    here = last_of(getattr(model, "sampler", None))
    found = here.found if here is not None else None
    if len(sigmas) < 2:
        return x
    if found is None or found.source == STOCK or not same_sigmas(found.recipe, sigmas):
        return _foreign(here, found, model, x, sigmas, extra_args or {}, callback, disable)
    process = found.facts.process
    return _run(found.recipe, process, model, x, extra_args or {}, callback, disable)


def _is_flow(model: Any) -> bool:
    from .host import loaded_model
    from .identity import facts_of

    inner = getattr(getattr(model, "inner_model", None), "inner_model", None)
    return facts_of(inner or loaded_model()).process == "flow"


def _foreign(here: Any, found: Any, model, x, sigmas, extra_args: dict, callback, disable):
    """dpmpp_2m on exactly these sigmas."""
    from ..scheduler.record import Recipe

    if found is None and here is not None:
        infotext.foreign(here, len(sigmas) - 1)
        say(
            "the sampler Distilled was given sigmas of another schedule; it ran as dpmpp_2m on "
            f"exactly those ({len(sigmas) - 1} steps)"
        )
    given = sigmas.tolist()
    repeats = any(one <= other for one, other in pairwise(given))
    if given[-1] != 0 or repeats:  # the host's own schedules repeat sigmas at times
        names = ("k_diffusion.sampling", "ldm_patched.k_diffusion.sampling")
        hosts = next(sys.modules[name] for name in names if name in sys.modules)
        return hosts.sample_dpmpp_2m(
            model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable
        )
    process = "flow" if given[0] <= 1 and _is_flow(model) else "ve"
    recipe = Recipe("dpmpp_2m", len(given) - 1, given[0], given)
    return _run(recipe, process, model, x, extra_args, callback, disable)


def _run(recipe: Any, process: str, model, x, extra_args: dict, callback, disable):
    """A recipe, by the library's own loops.

    `model(x, sigma)` is the host's denoiser, with its interrupt and previews inside.
    """
    from ..scheduler.samplers.k_diffusion import run_in_host

    def denoise(x, sigma):
        return model(x, sigma, **extra_args)

    return run_in_host(recipe, process, denoise, x, callback, disable)
