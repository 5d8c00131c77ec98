"""distill --pipeline: the record of a diffusers pipeline, through its own call."""

from __future__ import annotations

import argparse

from ..errors import UnknownNameError
from ..record import Record
from .console import Progress, say, say_plan, stoppable
from .pipelines import call_of, loaded_pipeline, prompts_in


def distilled_pipeline(arguments: argparse.Namespace) -> Record:
    """Distil with the plan said beforehand and a progress bar; Ctrl-C ends it between two model calls."""
    if arguments.model or arguments.denoiser or arguments.own_sigmas:
        raise UnknownNameError(
            "--pipeline is a model of its own; leave the checkpoint, --denoiser and --own-sigmas out."
        )
    if arguments.prompts is None:
        raise UnknownNameError("--pipeline needs --prompts FILE, with a prompt a line.")
    texts = prompts_in(arguments.prompts)
    pipe = loaded_pipeline(arguments)
    call = call_of(arguments, pipe)
    from ..diffusers import distill_pipeline
    from ..diffusers.facts import guidance_of
    from ..distilling.effort import effort_named

    rows = arguments.samples or effort_named(arguments.effort).rows
    used = texts[:rows]
    if not arguments.quiet and len(used) < len(texts):
        say(f"{len(used)} of {len(texts)} prompts: as many as there are noise samples (--samples).")
    cfg, _ = guidance_of(pipe, call)
    with stoppable() as should_stop, Progress(not arguments.quiet) as progress:
        return distill_pipeline(
            pipe,
            used,
            arguments.steps,
            samplers=arguments.samplers,
            effort=arguments.effort,
            budget=arguments.budget,
            evidence_budget=arguments.evidence_budget,
            samples=arguments.samples,
            seed=arguments.seed,
            store=False if arguments.store is None else arguments.store or True,
            again=True,
            resume=arguments.resume,
            progress=progress,
            should_stop=should_stop,
            on_plan=None if arguments.quiet else lambda plan: say_plan(plan, cfg),
            **call,
        )
