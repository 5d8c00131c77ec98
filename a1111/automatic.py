"""The schedule that the host gives a sampler where none is chosen: what stands in for a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .names import LABEL, NAME
from .schedule_labels import HOSTS_NAMES, schedule_label

if TYPE_CHECKING:
    from .sampling_pass import Pass

EVEN = "normal"  # evenly in the model's clock: the host's where a sampler names no schedule
TWIN = "dpmpp_2m"  # what our sampler runs as without a recipe


def schedule_of(here: Pass) -> str | None:
    """The host's name of a sampler's own schedule, or None for the model's even one."""
    return _of_options(getattr(getattr(here.sampler, "config", None), "options", None) or {})


def _of_options(options: dict) -> str | None:
    name = options.get("scheduler")
    if name in (NAME, LABEL):
        name = _options_of(TWIN).get("scheduler")
    return None if name in (None, NAME, LABEL) else str(name)


def stock_name(here: Pass) -> str:
    """The library's name of that schedule."""
    return _librarys(schedule_of(here))


def own_schedule(sampler: str) -> str:
    """The same of a sampler by its function's name."""
    return _librarys(_of_options(_options_of(sampler)))


def _librarys(found: str | None) -> str:
    ours = {theirs: name for name, theirs in HOSTS_NAMES.items()}
    return EVEN if found is None else ours.get(found, found)


def label_of(sampler: str) -> str:
    """ "Automatic (Karras)", of a sampler by its function's name."""
    return label_on(_of_options(_options_of(sampler)))


def label_on(schedule: str | None) -> str:
    """The same of a sampler whose own schedule the host calls so."""
    label = schedule_label(schedule) if schedule else ""
    return f"Automatic ({label})" if label else "Automatic"


def sigmas_of(
    here: Pass, n: int, sigma_min: float, sigma_max: float, inner_model: Any, device: Any
) -> list[float] | None:
    """n + 1 sigmas, made as the host makes them; None where it has nothing to make them with."""
    from modules import sd_schedulers, shared

    found = sd_schedulers.schedulers_map.get(schedule_of(here))
    if found is None or found.function is None:
        make = getattr(inner_model, "get_sigmas", None)
        return None if make is None else [float(each) for each in make(n)]
    about: dict[str, Any] = {"sigma_min": sigma_min, "sigma_max": sigma_max}
    rho = getattr(shared.opts, "rho", 0)
    if found.default_rho != -1 and rho not in (0, found.default_rho):
        about["rho"] = rho
    if found.need_inner_model:
        about["inner_model"] = inner_model
    return [float(each) for each in found.function(n=n, **about, device=device)]


def _options_of(sampler: str) -> dict:
    """What the host's list says of one of its samplers, by its function's name."""
    import sys

    module = sys.modules.get("modules.sd_samplers_kdiffusion")
    for _, function, _, options in getattr(module, "samplers_k_diffusion", ()):
        name = getattr(function, "__name__", function)
        if str(name).removeprefix("sample_") == sampler:
            return options
    return {}
