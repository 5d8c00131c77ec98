"""The scheduler and the sampler named `distilled`, added to the host's own lists in place, once."""

from __future__ import annotations

import sys
from typing import Any

from ..host.settings import setting
from ..names import DISTILLED
from .copied_lists import reach_when_loaded

SETTING = "Dropdowns"


def register() -> bool:
    """Add both entries where ComfyUI is there and the setting StepDistill.Dropdowns is not off;
    whether they are there now.

    Importing is cheap: what an entry needs is loaded when it is first used. A host of another make
    keeps the nodes and lacks the entries.
    """
    if not _is_host() or not setting(SETTING, True):
        return False
    try:
        _register()
    except (ImportError, AttributeError) as error:
        from ..page.log import problem

        problem(
            "the dropdown entries 'distilled' could not be added to this version of the host; "
            "the nodes work without them",
            error,
        )
        return False
    return True


def _register() -> None:
    import comfy.k_diffusion.sampling
    import comfy.samplers as host

    host.SCHEDULER_HANDLERS[DISTILLED] = host.SchedulerHandler(distilled_scheduler, True)
    comfy.k_diffusion.sampling.sample_distilled = distilled_sampler
    for names in (
        host.SCHEDULER_NAMES,
        host.KSAMPLER_NAMES,
        host.SAMPLER_NAMES,
        host.KSampler.SCHEDULERS,
        host.KSampler.SAMPLERS,
    ):
        if DISTILLED not in names:
            names.append(DISTILLED)
    reach_when_loaded()


def distilled_scheduler(model_sampling: Any, steps: int):
    """The dropdown's scheduler: exactly steps + 1 sigmas as a float32 tensor, whatever happens; it
    never raises."""
    from ...scheduler.lookup import SIMPLE
    from ..page.log import problem
    from .issued_schedules import issue

    if steps < 1:
        return issue([0.0], 0)
    try:
        return _schedule(model_sampling, int(steps))
    except Exception as error:  # of a host's or a model's kind that is not known: the run goes on
        problem(f"no schedule could be looked up, so the stock schedule '{SIMPLE}' runs", error)
        return _plain(model_sampling, int(steps))


def distilled_sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """The dropdown's sampler, in the host's form."""
    from .sampler_function import sample_distilled

    return sample_distilled(model, x, sigmas, extra_args, callback, disable)


distilled_sampler.__name__ = "sample_distilled"  # by which the host and others know a sampler


def _schedule(model_sampling: Any, asked: int):
    """The schedule for what the asking node will do with it. What it will cut away is filled so
    that what is left is the recipe's."""
    from ...scheduler.lookup import SIMPLE
    from ...scheduler.lookup.cutting import filled
    from ...scheduler.lookup.selection import STOCK
    from ...scheduler.lookup.words import info
    from ..halves.asked_part import part_asked
    from ..halves.handed_on import handed_over, note
    from ..halves.led_on import led_on
    from ..halves.pair_recipes import pair_record
    from ..host.asking_node import use_of
    from ..host.downstream import under_of
    from ..host.model_facts import facts_of
    from ..host.running_prompt import running_node, scheduler_before
    from ..lookup import find
    from ..page.log import log_once
    from .apply_mark import applied_of, is_marked, model_of
    from .issued_schedules import issue

    model = model_of(model_sampling)
    if model is None:
        log_once(
            f"the model is not known here, so the stock schedule '{SIMPLE}' runs; "
            "Apply Distilled Schedule before it helps.",
            True,
        )
        return _plain(model_sampling, asked)
    node, part = running_node(), part_asked()
    use, applied = use_of(node, asked), applied_of(model, model_sampling)
    offsets = use.sampler == DISTILLED  # of the others' offsets only Apply's wrapper can make use
    handed = handed_over() if part is not None and part.goes_on else None
    record = applied.record or pair_record(facts_of(model), part, use.sampler, use.steps, handed)
    found = find(
        model,
        use.sampler,
        use.steps,
        use.denoise,
        record=record,
        offsets=offsets,
        **under_of(node, model, use.cfg),
        before=scheduler_before(node),
    )
    if not is_marked(model):  # else Apply's wrapper says it, once it knows size and start too
        log_once(info(found), warn=found.source == STOCK)
    recipe = found.recipe
    start = None if use.denoise >= 1 else recipe.start_sigma
    sigmas, exact = led_on(recipe.sigmas, part, handed, found.table.sigma_max)
    whole = filled(sigmas, asked, use.drops, found.table.sigma_max)
    issued = issue(whole, recipe.steps, start, exact)
    if part is not None:
        kept = issued.tolist()
        note(part.left_at(kept[:-2] + kept[-1:] if use.drops else kept))
    return issued


def _plain(model_sampling: Any, steps: int):
    """The host's own `simple`, of which every model has one."""
    import comfy.samplers
    import torch

    sigmas = comfy.samplers.simple_scheduler(model_sampling, steps)
    return (
        sigmas
        if len(sigmas) == steps + 1
        else torch.linspace(float(model_sampling.sigma_max), 0.0, steps + 1)
    )


def _is_host() -> bool:
    return "comfy.samplers" in sys.modules or "folder_paths" in sys.modules
