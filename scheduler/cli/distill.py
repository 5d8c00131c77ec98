"""distill: the recipes of a model, as a record file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import OutputError, StepDistillError
from ..files import PathLike, make_folder
from ..record import Conditions, Recipe, Record
from .console import (
    Progress,
    add_json,
    command,
    names,
    positive,
    positive_or_zero,
    print_json,
    say,
    say_plan,
    step_counts,
    stoppable,
)
from .models import add_model, asked_model
from .pipeline_record import distilled_pipeline
from .pipelines import add_pipeline
from .show import show_record

if TYPE_CHECKING:
    from ..checkpoints.asked import Asked
    from ..distilling.plan import Plan

EFFORTS = ("instant", "standard", "thorough")
DESCRIPTION = """\
Distils recipes for every sampler and step count asked, and writes them, with their evidence, as one record
file.

First a teacher is recorded: a sample or a few, drawn with many steps. Recipes are then made to imitate
it within the calls of --effort, or --budget (one evaluation of the model for one sample; all are
counted): the first is there after tens of calls, and the calls that follow refine it. From `standard` up
they are measured last, on noise and conditioning that the distilling never saw, beside stock schedules,
with a budget of its own, --evidence-budget; `instant` says what its own rows show. What will be done,
what has to be left out and after how many pictures it pays is said beforehand. A recipe that does not
beat the stock schedules is replaced by the best of them, and says so."""
EXAMPLES = """\
  python -m scheduler distill flow --steps 6 -o flow.json
  python -m scheduler distill eps --samplers euler,distilled --steps 4-8 --effort standard -o eps.json
  python -m scheduler distill --denoiser mymodel:denoise --latent-shape 4x64x64 --parametrisation ve \\
         --sigma-min 0.0292 --sigma-max 14.61 --budget 2000 --evidence-budget 0 -o mine.json
  python -m scheduler distill --pipeline my-sdxl --prompts prompts.txt --size 1024x1024 --cfg 5 -o sdxl.json
  python -m scheduler distill flow -o flow.json --resume work   Ctrl-C is safe: the same line goes on"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "distill",
        "distil the recipes of a model into a record file",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    add_model(parser)
    add_pipeline(parser)
    parser.add_argument(
        "--prompts", metavar="FILE", help="of a pipeline: a text file, a prompt a line"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the record file to write"
    )
    parser.add_argument(
        "--samplers",
        type=names,
        default=["distilled"],
        metavar="A,B",
        help="default: distilled",
    )
    parser.add_argument(
        "--steps",
        type=step_counts,
        default=[6],
        metavar="6",
        help="step counts, such as 6 or 4-12 (default 6)",
    )
    parser.add_argument(
        "--own-sigmas",
        type=own_sigmas,
        metavar="1,0.9,...,0",
        help="of a step-distilled model (Turbo, Lightning, ...): its maker's own sigmas, or a published "
        "table such as sdxl-lightning:8; its own run is imitated, in fewer steps",
    )
    spend = parser.add_mutually_exclusive_group()
    spend.add_argument(
        "--effort",
        choices=EFFORTS,
        default="instant",
        help="how hard to try; the model calls that it means are said beforehand (default: instant, "
        "tens of calls a recipe)",
    )
    spend.add_argument("--quality", dest="effort", type=former, help=argparse.SUPPRESS)
    spend.add_argument(
        "--budget", type=positive, help="most model calls for teacher, fits and guard together"
    )
    parser.add_argument(
        "--evidence-budget",
        type=positive_or_zero,
        help="most model calls for the evidence, apart; 0: none (default: a stated one)",
    )
    parser.add_argument(
        "--samples",
        type=positive,
        help="noise samples of the teacher (default: what suits the budget)",
    )
    parser.add_argument(
        "--resume",
        metavar="FOLDER",
        help="keep finished parts here, and go on from those that are there",
    )
    parser.add_argument(
        "--store",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="keep the record in the store too, and begin with related models' recipes that are there",
    )
    parser.add_argument("--quiet", action="store_true", help="no plan and no progress bar")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Distil, save, and show what was found."""
    check_target(arguments.output)
    if arguments.pipeline is not None:
        return written(distilled_pipeline(arguments), arguments)
    asked = asked_model(arguments)
    settings = Settings(
        samplers=arguments.samplers,
        steps=arguments.steps,
        budget=arguments.budget,
        effort=arguments.effort,
        evidence_budget=arguments.evidence_budget,
        conditions=asked.conditions(arguments.cfg, arguments.seed),
        samples=arguments.samples,
        seed=arguments.seed,
        device=arguments.device,
        resume=arguments.resume,
        own_sigmas=arguments.own_sigmas or (),
        starts=_kin(asked, arguments),
    )
    record = distilled(asked, settings, quiet=arguments.quiet)
    return written(record, arguments)


def written(record: Record, arguments: argparse.Namespace) -> int:
    """Save a record where it is asked for, and show it."""
    record.save(arguments.output)
    if arguments.store is not None:
        from ..store import Store

        store = Store.open(arguments.store or None)
        say(f"Kept in the store {store.folder} as {store.put(record)}")
    if arguments.json:
        print_json(
            {
                "record": str(arguments.output),
                "recipes": len(record.recipes),
                "evidence": record.evidence,
                "provenance": record.provenance,
            }
        )
    else:
        show_record(record)
        say(f"\nWritten: {arguments.output}")
    return 0


@dataclass(frozen=True)
class Settings:
    """What is asked of `distill` beside the model; the fields are its arguments."""

    samplers: Sequence[str]
    steps: Sequence[int]
    conditions: Conditions
    budget: int | None = None
    effort: str = "instant"
    evidence_budget: int | None = None
    samples: int | None = None
    seed: int = 0
    device: str = "cpu"
    resume: PathLike | None = None
    own_sigmas: Sequence[float] = ()
    plan_words: Callable[[Plan], str] | None = None  # in the place of the plan's own
    starts: Sequence[Recipe] = ()


def distilled(asked: Asked, settings: Settings, quiet: bool = False) -> Record:
    """Run `distill` on a model with the plan said beforehand and a progress bar.

    Ctrl-C ends it between two model calls.
    """
    from ..distilling.own_run import distill_own_run
    from ..distilling.run import distill

    with stoppable() as should_stop, Progress(not quiet) as progress:
        about: dict[str, Any] = {
            "steps": settings.steps,
            "sigma_max": asked.sigma_max,
            "sigma_min": asked.sigma_min,
            "parametrisation": asked.parametrisation,
            "budget": settings.budget,
            "conditions": settings.conditions,
            "samples": settings.samples,
            "seed": settings.seed,
            "device": settings.device,
            "progress": progress,
            "should_stop": should_stop,
            "on_plan": None if quiet else lambda plan: _say(plan, settings),
        }
        if settings.own_sigmas:
            return distill_own_run(asked.denoise, asked.latent_shape, settings.own_sigmas, **about)
        return distill(
            asked.denoise,
            asked.latent_shape,
            samplers=settings.samplers,
            effort=settings.effort,
            evidence_budget=settings.evidence_budget,
            evidence_denoise=asked.evidence_denoise,
            resume=settings.resume,
            starts=settings.starts,
            **about,
        )


def _kin(asked: Asked, arguments: argparse.Namespace) -> Sequence[Recipe]:
    """Related models' recipes in the store that the record is kept in, to begin with, and said so. Without
    a store nothing is looked at: the same line then makes the same record everywhere."""
    if arguments.store is None or arguments.own_sigmas:
        return ()
    from ..kin.starts import starts_from
    from ..sources import beside
    from ..store import Store
    from .check import facts_of

    store, facts = Store.open(arguments.store or None), facts_of(asked)
    shelves, key = (store, beside(store.folder)), facts.key(arguments.cfg, asked.latent_shape)
    found = starts_from(shelves, facts, key, arguments.samplers, arguments.steps)
    if found.words and not arguments.quiet:
        say(found.words)
    return found.recipes


def _say(plan: Plan, settings: Settings) -> None:
    if settings.plan_words is not None:
        say(f"{settings.plan_words(plan)}\n")
    else:
        say_plan(plan, settings.conditions.cfg)


def own_sigmas(text: str) -> tuple[float, ...]:
    """--own-sigmas: numbers, or a preset and one of its step counts."""
    name, _, steps = text.partition(":")
    from ..presets import preset_recipe

    try:
        if steps:
            return preset_recipe(name.strip(), int(steps)).sigmas
        return tuple(float(number) for number in text.split(","))
    except StepDistillError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither sigmas such as 1,0.9,0.75,0.5,0 nor a table such as sdxl-lightning:8"
        ) from None


def former(name: str) -> str:
    """An effort by its former name, --quality quick, or its own."""
    from ..distilling.effort import effort_named

    return effort_named(name).name


def check_target(path: str) -> None:
    """Raise OutputError, before any work, where a file could not be written at the end."""
    from pathlib import Path

    target = Path(path)
    if target.is_dir() or not target.name:
        raise OutputError(f"{path} is a folder; give the name of the file to write.")
    if not target.parent.is_dir():
        raise OutputError(
            f"The folder {target.parent} does not exist; make it first, or choose another place."
        )
    make_folder(target.parent)  # it exists: this tries that it can be written to
