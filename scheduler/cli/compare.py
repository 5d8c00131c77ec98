"""compare: schedules against each other on one model."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import RecipeError, Stopped, UnknownNameError
from ..evidence import verdicts
from ..record import Recipe, load_record
from ..record.evidence_table import error_text, table
from .console import (
    Progress,
    add_json,
    command,
    names,
    positive,
    print_json,
    step_counts,
    stoppable,
)
from .models import add_model, asked_model

if TYPE_CHECKING:  # torch is imported where a command first needs it
    import numpy as np

    from ..checkpoints.asked import Asked
    from ..sigmas import NoiseTable
    from ..sigmas.validity import Floats

    Rows = dict[str, dict[int, np.ndarray]]  # errors (R,) by schedule and steps

DESCRIPTION = """\
Measures schedules against each other: the error of each at each step count, against a fine teacher on the
same noise. Without --schedules every stock schedule, and the published tables that belong to the model, are
run; a record's recipes (without offsets) join them by --record. Nothing is distilled."""
EXAMPLES = """\
  python -m scheduler compare flow --steps 4,6,8
  python -m scheduler compare eps --samplers euler,dpmpp_2m --steps 5-8 --schedules karras,beta --cfg 3
  python -m scheduler compare flow --steps 6 --record my.json"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "compare",
        "measure schedules against each other on a model",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    add_model(parser)
    parser.add_argument(
        "--samplers",
        type=names,
        default=["euler", "dpmpp_2m"],
        metavar="A,B",
        help="default: euler,dpmpp_2m",
    )
    parser.add_argument(
        "--steps", type=step_counts, default=[4, 6, 8], metavar="4-12", help="default: 4,6,8"
    )
    parser.add_argument("--schedules", type=names, metavar="A,B", help="default: all")
    parser.add_argument("--record", metavar="FILE", help="a record whose recipes take part")
    parser.add_argument("--samples", type=positive, default=10, help="noise samples (default 10)")
    parser.add_argument(
        "--nodes", type=positive, default=100, help="of the reference teacher (default 100)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print: a table a sampler, least error first at the most steps."""
    from ..samplers import check_sampler

    for sampler in arguments.samplers:
        check_sampler(sampler)
    asked = asked_model(arguments)
    found = _measured(arguments, asked)
    if arguments.json:
        errors = {
            sampler: {
                name: {n: verdicts.summarised(each) for n, each in by.items()}
                for name, by in rows.items()
            }
            for sampler, rows in found.items()
        }
        print_json({"model": asked.name, "samples": arguments.samples, "errors": errors})
        return 0
    how = f"error against a {arguments.nodes}-node teacher, {arguments.samples} samples"
    for sampler, rows in found.items():
        print(f"\n{sampler}: {how}\n{_table(rows, arguments.steps)}")
    return 0


def _measured(arguments: argparse.Namespace, asked: Asked) -> dict[str, Rows]:
    """The errors by sampler, schedule and steps."""
    import torch

    from ..distilling.run import EVIDENCE_SEED
    from ..evidence.held_out import HeldOut
    from ..rows import noise_for
    from ..samplers import model_calls
    from ..sigmas import table_for

    noise_table = table_for(asked.sigma_min, asked.sigma_max, asked.parametrisation, asked.shift)
    runs = _planned(arguments, asked, noise_table)
    seed = arguments.seed + EVIDENCE_SEED
    device = torch.device(arguments.device)
    scale = asked.noise_scale
    noise = noise_for(asked.latent_shape, arguments.samples, seed, device, scale)
    calls = model_calls("heun", arguments.nodes)
    calls += sum(model_calls(sampler, steps) for sampler, _, steps in runs)
    found: dict[str, Rows] = {}
    with stoppable() as should_stop, Progress() as progress:
        held_out = HeldOut(
            asked.evidence_denoise or asked.denoise,
            noise,
            noise_table,
            asked.parametrisation,
            (asked.sigma_min, asked.sigma_max),
            arguments.nodes,
            _listener(calls * arguments.samples, progress, should_stop),
        )
        for (sampler, name, steps), sigmas in runs.items():
            errors = held_out.run(sampler, sigmas)
            found.setdefault(sampler, {}).setdefault(name, {})[steps] = errors
    return found


def _listener(
    planned: int, progress: Progress, should_stop: Callable[[], bool]
) -> Callable[[int], None]:
    """Tells the progress bar how many calls were made, and stops when asked to."""

    def heard(calls: int) -> None:
        progress(calls, planned, "comparing")
        if should_stop():
            raise Stopped("stopped; comparing keeps nothing.")

    return heard


def _planned(
    arguments: argparse.Namespace, asked: Asked, noise_table: NoiseTable
) -> dict[tuple[str, str, int], Floats]:
    """The runs: (sampler, schedule, steps) -> sigmas. Raises UnknownNameError and RecipeError."""
    from ..sigmas import baselines

    runs: dict[tuple[str, str, int], Floats] = {}
    for steps in arguments.steps:
        known = baselines(noise_table, steps, asked.sigma_min, asked.sigma_max)
        unknown = [name for name in arguments.schedules or () if name not in known]
        if unknown:
            raise UnknownNameError(
                f"Schedule {unknown[0]!r} is unknown for this model; "
                f"use some of: {', '.join(known)}."
            )
        runs |= {
            (sampler, name, steps): known[name]
            for sampler in arguments.samplers
            for name in arguments.schedules or known
        }
    for recipe in _recipes(arguments, asked):
        runs[recipe.sampler, "recipe", recipe.steps] = recipe.sigmas
    return runs


def _recipes(arguments: argparse.Namespace, asked: Asked) -> list[Recipe]:
    """The recipes of the record that take part, if one was named."""
    if not arguments.record:
        return []
    record = load_record(arguments.record)
    model = record.model
    near = abs(model.sigma_max / asked.sigma_max - 1) <= 0.01
    if model.parametrisation != asked.parametrisation or not near:
        raise RecipeError(
            f"The record is for a {model.parametrisation} model "
            f"that starts at sigma {model.sigma_max:g}, "
            f"and {asked.name} is a {asked.parametrisation} model "
            f"that starts at {asked.sigma_max:g}; compare it on a model of its own kind."
        )
    found = [
        recipe
        for recipe in record.recipes
        if recipe.offsets is None
        and recipe.coefficients is None
        and recipe.sampler in arguments.samplers
        and recipe.steps in arguments.steps
    ]
    if not found:
        raise RecipeError(
            "The record has no recipe, without offsets or coefficients, "
            "for these samplers and step counts; see it by: show RECORD."
        )
    return found


def _table(rows: Rows, steps: list[int]) -> str:
    errors = {
        name: {count: verdicts.summarised(each)["rms"] for count, each in by.items()}
        for name, by in rows.items()
    }
    least = {
        count: min((by[count] for by in errors.values() if by.get(count) is not None), default=None)
        for count in steps
    }

    def cell(error: float | None, count: int) -> str:
        star = "*" if error is not None and error == least[count] else " "
        return error_text(error) + star

    def at_most_steps(name: str) -> float:
        return errors[name].get(steps[-1]) or float("inf")

    lines = [
        (name, *(cell(errors[name].get(count), count) for count in steps))
        for name in sorted(errors, key=at_most_steps)
    ]
    header = ("schedule", *(f"{count} steps " for count in steps))
    return f"{table(header, lines)}\n* the least error of its column"
