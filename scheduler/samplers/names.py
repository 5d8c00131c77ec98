"""The samplers by name; loads neither numpy nor torch, so that files are swapped without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

# The stock ones: the linear rules of multistep.py, and the others that stock.py runs.
LINEAR_NAMES = ("euler", "dpmpp_2m", "res_multistep", "lms", "ipndm", "deis")
SAMPLERS = (*LINEAR_NAMES, "heun", "uni_pc", "uni_pc_bh2")
DISTILLED = "distilled"  # ours
RELATIVE = "dpmpp_2m"  # what ours runs as without coefficients

# Stochastic samplers have no trajectory to imitate: the ODE sampler whose steps theirs are most
# like.
_ODE_SAMPLERS = {
    "euler_ancestral": "euler",
    "euler_ancestral_cfg_pp": "euler",
    "dpm_2_ancestral": "heun",
    "dpmpp_2s_ancestral": "dpmpp_2m",
    "dpmpp_2s_ancestral_cfg_pp": "dpmpp_2m",
    "dpmpp_sde": "dpmpp_2m",
    "dpmpp_2m_sde": "dpmpp_2m",
    "dpmpp_2m_sde_heun": "dpmpp_2m",
    "dpmpp_3m_sde": "dpmpp_2m",
    "res_multistep_ancestral": "res_multistep",
    "res_multistep_ancestral_cfg_pp": "res_multistep",
    "er_sde": "dpmpp_2m",
    "seeds_2": "dpmpp_2m",
    "seeds_3": "dpmpp_2m",
    "sa_solver": "dpmpp_2m",
    "sa_solver_pece": "dpmpp_2m",
    "ddpm": "euler",
    "lcm": "euler",
}
STOCHASTIC = tuple(_ODE_SAMPLERS)
# Those that stochastic.py runs on a path, so that they can be measured: model calls a step (the step
# to sigma 0 takes one).
ON_PATHS = {
    "euler_ancestral": 1,
    "dpm_2_ancestral": 2,
    "dpmpp_2s_ancestral": 2,
    "dpmpp_sde": 2,
    "dpmpp_2m_sde": 1,
    "dpmpp_2m_sde_heun": 1,
    "dpmpp_3m_sde": 1,
    "res_multistep_ancestral": 1,
    "er_sde": 1,
    "seeds_2": 2,
    "seeds_3": 3,
    "ddpm": 1,
}
# All that recipes are made for, whoever offers them: ours, and each of the others by its own means.
DISTILLABLE = (DISTILLED, *SAMPLERS, *ON_PATHS)
# The hosts' formulas of these add a VE model's noise, also to a flow's states, which it spoils.
VE_ONLY = ("res_multistep_ancestral", "ddpm")


def ode_sampler_for(name: str) -> str | None:
    """The ODE sampler whose schedule suits a stochastic sampler; None for any other name.

    name: ComfyUI's, with or without _gpu.
    """
    return _ODE_SAMPLERS.get(without_gpu(name))


def without_gpu(name: str) -> str:
    """The sampler whose noise the hosts also draw on the GPU, under a name of its own."""
    return str(name).removesuffix("_gpu")


class Chosen(Protocol):
    """What won, as a record says it: `sampler` where another than the recipe's own runs."""

    @property
    def sampler(self) -> str | None: ...


class Recipe(Protocol):
    """What samplers need of a record's recipe."""

    @property
    def sampler(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def sigmas(self) -> Sequence[float]: ...

    @property
    def offsets(self) -> Sequence[float] | None: ...

    @property
    def coefficients(self) -> Sequence[Sequence[float]] | None: ...

    @property
    def choice(self) -> Chosen: ...


def stock_sampler(recipe: Recipe) -> str:
    """The stock sampler that a recipe without coefficients runs with.

    Its own, or for "distilled" the one of the stock pair that won.
    """
    if recipe.sampler != DISTILLED:
        return recipe.sampler
    return recipe.choice.sampler or RELATIVE
