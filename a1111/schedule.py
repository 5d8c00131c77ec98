"""The schedule named `Distilled` in the host's list: looks up the loaded checkpoint's recipe
whenever the host asks for sigmas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from . import infotext
from .host import loaded_model, option, say
from .names import FALLBACK, LABEL, NAME, STOCK
from .sampling_pass import Pass, current

SAME_RANGE = 1e-4
WHOLE = 0.999  # a denoising strength that the host counts as all of it


def register() -> None:
    """Put the entry into the host's lists, in place; or take it out again where the settings say so."""
    from modules import sd_samplers, sd_schedulers

    names, known = (NAME, LABEL), sd_schedulers.schedulers_map
    for name in names:
        if name in known and known[name].function is sigmas_for:
            del known[name]
    if any(name in known for name in names):
        say(f"another extension has a schedule type named {LABEL}, so ours is not offered")
    wanted = bool(option("stepdistill_dropdowns", True)) and not any(
        name in known for name in names
    )
    entry = sd_schedulers.Scheduler(NAME, LABEL, sigmas_for, need_inner_model=True)
    for listed in filter(
        None, (getattr(sd_schedulers, name, None) for name in ("schedulers", "all_schedulers"))
    ):  # Forge Neo has both
        listed[:] = [each for each in listed if each.function is not sigmas_for] + [entry] * wanted
    known.update({name: entry for name in names} if wanted else {})
    forget = getattr(getattr(sd_samplers, "get_sampler_and_scheduler", None), "cache_clear", None)
    if forget is not None:
        forget()


def sigmas_for(
    n: int,
    sigma_min: float,
    sigma_max: float,
    inner_model: Any = None,
    device: Any = "cpu",
    **others: Any,
):
    """Exactly n + 1 sigmas as a float32 tensor, whatever happens: of which the host will run those
    of the recipe."""
    import torch

    n = int(n)
    try:
        sigmas = _sigmas(n, float(sigma_max), inner_model)
    except Exception as problem:  # of a host's or a model's kind that is not known: the picture is drawn all the same
        say(
            f"no schedule could be looked up, so a plain one runs ({type(problem).__name__}: {problem})"
        )
        sigmas = _plain(n, float(sigma_min), float(sigma_max))
    return torch.tensor(sigmas, dtype=torch.float32, device=device)


def filled(sigmas: Sequence[float], asked: int, drops: bool, sigma_max: float) -> list[float]:
    """`asked` + 1 strictly decreasing sigmas that become `sigmas` when the host takes away what it
    does not use.

    drops: it leaves out the last one above 0. What is missing then stands before, above the first,
    and never runs.
    """
    found = [float(sigma) for sigma in sigmas]
    if drops:
        found.insert(-1, found[-2] / 2)
    missing = asked + 1 - len(found)
    if missing > 0:
        step = max(math.log(sigma_max / found[0]) / missing, 1e-4)
        found = [*(found[0] * math.exp(step * k) for k in range(missing, 0, -1)), *found]
    return found


def _sigmas(n: int, sigma_max: float, inner_model: Any) -> list[float]:
    from .identity import cfg_of, facts_of, guidance_of, key_of
    from .recipes import Asked, find

    here = current()
    if n < 1:
        return [0.0]
    model = getattr(inner_model, "inner_model", None)
    model = model if getattr(model, "sd_checkpoint_info", None) is not None else loaded_model()
    facts = facts_of(model)
    if here is None:  # somebody else asks: what will run is not known
        asked = Asked("euler" if facts.parametrisation == "flow" else "dpmpp_2m", n)
        found = find(facts, key_of(facts), asked)
        return (
            _stock(n, facts)
            if found.recipe is None
            else filled(found.recipe.sigmas, n, False, facts.sigma_max)
        )
    key = key_of(facts, cfg_of(here.p), here.shape, guidance_of(model, here.p))
    return _for_pass(here, n, sigma_max, facts, key)


def _for_pass(here: Pass, n: int, sigma_max: float, facts: Any, key: Any) -> list[float]:
    from .recipes import Asked, Found, find

    steps, denoise = here.running(n - here.drops)
    start = _start(facts, denoise, sigma_max)
    if steps < 1:
        found = Found(None, FALLBACK, "No step runs.")
    elif start is not None and start <= facts.sigma_min:
        found = Found(None, FALLBACK, "The denoising strength is too small for a schedule.")
    else:
        found = find(facts, key, Asked(here.name, steps, start, here.choice))
    here.found = found
    infotext.write(here, steps)
    if found.recipe is not None:
        say(found.words)
        return filled(found.recipe.sigmas, n, here.drops, facts.sigma_max)
    say(f"the stock schedule '{stock_name()}' ran. {found.words}")
    return _stock(n, facts)


def _start(facts: Any, denoise: float, sigma_max: float) -> float | None:
    """Where the run begins: at the sigma of that part of the model's clock, below a highest sigma
    that the user may have set."""
    limited = abs(sigma_max / facts.sigma_max - 1) > SAME_RANGE and sigma_max < facts.sigma_max
    start = None if denoise >= WHOLE else facts.table.percent_to_sigma(1 - denoise)
    if not limited:
        return start
    return sigma_max if start is None else min(start, sigma_max)


def stock_name() -> str:
    """The schedule that stands in where nothing was distilled."""
    from ..scheduler.sigmas import STOCK as NAMES

    name = str(option("stepdistill_fallback", STOCK))
    return name if name in NAMES else STOCK


def _stock(n: int, facts: Any) -> list[float]:
    from ..scheduler.sigmas import stock_schedule

    return stock_schedule(stock_name(), facts.table, n).tolist()


def _plain(n: int, sigma_min: float, sigma_max: float) -> list[float]:
    """Evenly in log sigma: needs nothing but the two numbers."""
    if n < 1:
        return [0.0]
    ratio = (sigma_min / sigma_max) ** (1 / max(n - 1, 1))
    return [*(sigma_max * ratio**k for k in range(n)), 0.0]
