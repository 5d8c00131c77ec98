"""The schedule named `Distilled` in the host's list: the loaded checkpoint's recipe for each pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import automatic, infotext
from .host import loaded_model, option, say
from .names import LABEL, NAME
from .sampling_pass import Pass, current

if TYPE_CHECKING:
    from ..scheduler.lookup.model_facts import ModelFacts
    from ..scheduler.lookup.selection import Selection


def register() -> None:
    """Put the entry into the host's lists, in place; or take it out where the settings say so."""
    from modules import sd_samplers, sd_schedulers

    names, known = (NAME, LABEL), sd_schedulers.schedulers_map
    for name in names:
        if name in known and known[name].function is sigmas_for:
            del known[name]
    taken = any(name in known for name in names)
    if taken:
        say(f"another extension has a schedule type named {LABEL}, so ours is not offered")
    wanted = bool(option("stepdistill_dropdowns", True)) and not taken
    entry = sd_schedulers.Scheduler(NAME, LABEL, sigmas_for, need_inner_model=True)
    for place in ("schedulers", "all_schedulers"):  # Forge Neo has both
        listed = getattr(sd_schedulers, place, None)
        if listed:
            others = [each for each in listed if each.function is not sigmas_for]
            listed[:] = [*others, entry] if wanted else others
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
    """Exactly n + 1 sigmas as a float32 tensor, of which the host will run those of the recipe.

    Whatever happens: a picture is drawn.
    """
    import torch

    n = int(n)
    try:
        sigmas = _sigmas(n, float(sigma_min), float(sigma_max), inner_model, device)
    except Exception as problem:  # of a host's or a model's kind that is not known
        what = f"{type(problem).__name__}: {problem}"
        say(f"no schedule could be looked up, so a plain one runs ({what})")
        sigmas = _plain(n, float(sigma_min), float(sigma_max))
    return torch.tensor(sigmas, dtype=torch.float32, device=device)


def _sigmas(
    n: int, sigma_min: float, sigma_max: float, inner_model: Any, device: Any
) -> list[float]:
    from ..scheduler.lookup.cutting import filled
    from ..scheduler.lookup.wanted import SIGMAS, Wanted
    from .identity import facts_of, facts_of_pass
    from .recipes import find

    here = current()
    if n < 1:
        return [0.0]
    model = getattr(inner_model, "inner_model", None)
    model = model if getattr(model, "sd_checkpoint_info", None) is not None else loaded_model()
    facts = facts_of(model) if here is None else facts_of_pass(here, model)
    if here is None:  # somebody else asks: what will run is not known
        found = find(facts, facts.key(), Wanted(None, n, carries=SIGMAS))
        return filled(found.recipe.sigmas, n, False, facts.sigma_max)
    found = _for_pass(here, n, sigma_max, facts, model)
    if _is_cut_by_host(found):
        assert found.stand_in is not None
        own = None
        if found.stand_in.schedule == automatic.stock_name(here):
            own = automatic.sigmas_of(here, n, sigma_min, sigma_max, inner_model, device)
        return own or _stock(found.stand_in.schedule, n, facts, sigma_max)
    return filled(found.recipe.sigmas, n, here.drops, facts.sigma_max)


def _for_pass(here: Pass, n: int, sigma_max: float, facts: ModelFacts, model: Any) -> Selection:
    """What a pass gets, noted in its parameters."""
    from .pass_recipe import choose
    from .truth import line

    found = choose(here, n, sigma_max, facts, model)
    infotext.write(here, here.running(n - here.drops)[0])
    say(line(found, here, here.pasted))
    return found


def _is_cut_by_host(found: Selection) -> bool:
    """Whether a stock schedule stands in that the host has too, so that it is cut as the host does."""
    from ..scheduler.lookup.stand_in import BEFORE, USUAL

    return found.stand_in is not None and found.stand_in.origin in (BEFORE, USUAL)


def _stock(name: str, n: int, facts: ModelFacts, sigma_max: float) -> list[float]:
    """A stock schedule of n steps, below the user's highest sigma."""
    from dataclasses import replace

    from ..scheduler.sigmas import stock_schedule

    table = facts.table
    below = table.sigmas[table.sigmas <= sigma_max * (1 + 1e-6)]
    if 1 < len(below) < len(table.sigmas):
        table = replace(table, sigmas=below)
    return stock_schedule(name, table, n).tolist()


def _plain(n: int, sigma_min: float, sigma_max: float) -> list[float]:
    """Evenly in log sigma: needs nothing but the two numbers."""
    if n < 1:
        return [0.0]
    ratio = (sigma_min / sigma_max) ** (1 / max(n - 1, 1))
    return [*(sigma_max * ratio**k for k in range(n)), 0.0]
