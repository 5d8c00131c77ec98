"""Which recipe a pass of the host gets: the run that it is, asked of the library's one selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import automatic
from .names import NAME

if TYPE_CHECKING:
    from ..scheduler.lookup.key import Key
    from ..scheduler.lookup.model_facts import ModelFacts
    from ..scheduler.lookup.selection import Selection
    from ..scheduler.lookup.wanted import Wanted
    from .sampling_pass import Pass


def choose(here: Pass, n: int, sigma_max: float, facts: ModelFacts, model: Any) -> Selection:
    """What a pass gets whose host asks for n steps; kept in the pass."""
    from .identity import cfg_of, guidance_of
    from .pasted import match_of, pasted_for
    from .recipes import find

    steps, denoise = here.running(n - here.drops)
    key = facts.key(cfg_of(here.p), here.shape, guidance_of(model, here.p))
    recipe = pasted_for(here, facts, steps)
    here.pasted = recipe is not None
    if recipe is None:
        wanted = _wanted(here, max(steps, 1), denoise, sigma_max, facts, key)
        here.found = _found(here, steps, wanted, facts, key)
    else:
        wanted = _from(here, steps, recipe.start_sigma, facts)
        match = match_of(recipe, facts, key)
        here.found = find(facts, key, wanted, pasted=match)
    return here.found


def _wanted(
    here: Pass, steps: int, denoise: float, sigma_max: float, facts: ModelFacts, key: Key
) -> Wanted:
    """The run: it begins where pictures of this denoising strength began that were learnt from, else
    at what the strength stands for; below the user's highest sigma."""
    from ..scheduler.lookup.starts import same_start, start_for
    from ..scheduler.lookup.wanted import Wanted

    start = start_for(facts, denoise) if denoise > 0 else facts.sigma_min
    limited = sigma_max < facts.sigma_max and not same_start(sigma_max, facts.sigma_max)
    if limited and (start is None or sigma_max < start):
        return _from(here, steps, sigma_max, facts)
    learnt = _learnt_start(here, key) if start is not None and denoise > 0 else None
    if learnt is not None and learnt < facts.sigma_max:
        return _from(here, steps, learnt, facts)
    return Wanted(here.name, steps, start, 1.0 if start is None else denoise, _carries(here))


def _from(here: Pass, steps: int, start: float, facts: ModelFacts) -> Wanted:
    """A run from a sigma."""
    from ..scheduler.lookup.starts import same_start
    from ..scheduler.lookup.wanted import Wanted

    whole = same_start(start, facts.sigma_max)
    return Wanted(here.name, steps, None if whole else start, carries=_carries(here))


def _carries(here: Pass) -> str:
    from ..scheduler.lookup.wanted import COEFFICIENTS, SIGMAS

    return COEFFICIENTS if here.name == NAME else SIGMAS


def _learnt_start(here: Pass, key: Key) -> float | None:
    """Where pictures of the pass's strength began that were learnt from, by the nearest record of
    these very weights that knows."""
    from ..scheduler.errors import StepDistillError
    from ..scheduler.lookup.shelves import matches_on
    from .starts_learnt import start_learnt
    from .stores import store

    strength = here.strength
    if strength is None:
        return None
    try:
        for match in matches_on((store(),), key, (), "near"):
            start = start_learnt(match.record, strength) if match.same_weights else None
            if start is not None:
                return start
    except StepDistillError:
        return None
    return None


def _found(here: Pass, steps: int, wanted: Wanted, facts: ModelFacts, key: Key) -> Selection:
    from ..scheduler.lookup.serving import REFUSED, Reason
    from .recipes import find, kept_from

    own, why = automatic.stock_name(here), ""
    if steps < 1:
        why = "No step runs."
    elif wanted.start is not None and wanted.start <= facts.sigma_min:
        why = "The denoising strength is too small for a schedule."
    if why:
        return kept_from(facts, Reason(REFUSED, wanted, sentence=why), own)
    return find(facts, key, wanted, here.choice, own)
