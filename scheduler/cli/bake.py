"""bake: a recipe as the explicit sigmas that ComfyUI's own nodes take."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from ..errors import RecipeError
from ..presets import PRESETS, preset_recipe
from ..record import load_record
from ..record.words import counted
from ..workflow.recipes import Plain, decimals, plain_recipe
from .console import add_json, command, positive, print_json, say

DESCRIPTION = """\
Prints a recipe's sigmas in the form that ComfyUI's ManualSigmas node takes: decimals, separated by
commas. The workflow then opens anywhere, without StepDistill. Only sigmas go through that node:
query offsets and coefficients stay behind, so the recipe that was made without them is taken; for
the sampler `distilled` the best of a stock sampler. What the record does not hold is solved from its
inner products, where it has them. In a record's place a preset may be named, for the sigmas that the
maker of a step-distilled model published:
{presets}."""
EXAMPLES = """\
  python -m scheduler bake my.json --sampler euler --steps 6
  python -m scheduler bake my.json --sampler dpmpp_2m --steps 8 --json
  python -m scheduler bake sdxl-lightning --steps 4"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "bake",
        "print a recipe's sigmas for ComfyUI's ManualSigmas node",
        DESCRIPTION.format(presets=textwrap.fill(", ".join(PRESETS), 100)),
        EXAMPLES,
        run,
    )
    parser.add_argument("record", metavar="RECORD", help="a record file, or a preset's name")
    parser.add_argument(
        "--sampler",
        help="the sampler that it is for: euler, dpmpp_2m, ... (of a preset the maker's, if not given)",
    )
    parser.add_argument("--steps", type=positive, required=True, help="how many steps")
    parser.add_argument(
        "--start-sigma", type=float, help="where it starts (default: the model's sigma_max)"
    )
    add_json(parser)


def _plain(arguments: argparse.Namespace) -> Plain:
    """What is asked for, of a record or of a preset; raises StepDistillError."""
    name = arguments.record
    if name in PRESETS and not Path(name).exists():
        if arguments.start_sigma is not None:
            raise RecipeError(
                "A preset starts where its maker's schedule does; leave --start-sigma."
            )
        recipe = preset_recipe(name, arguments.steps, arguments.sampler)
        return Plain(recipe.sampler, recipe.sigmas, recipe.choice, f"the preset {name}", ())
    record = load_record(name)
    if arguments.sampler is None:
        raise RecipeError("A record has recipes for several samplers; name one with --sampler.")
    return plain_recipe(record, arguments.sampler, arguments.steps, start=arguments.start_sigma)


def run(arguments: argparse.Namespace) -> int:
    """Print the sigmas; what to do with them goes to stderr."""
    plain = _plain(arguments)
    text = decimals(plain.sigmas)
    if arguments.json:
        print_json(
            {
                "sampler": plain.sampler,
                "steps": arguments.steps,
                "choice": plain.choice,
                "text": text,
                "sigmas": list(plain.sigmas),
                "notes": list(plain.notes),
            }
        )
        return 0
    say(
        f"{plain.sampler}, {counted(arguments.steps)} ({plain.words}); paste the line into "
        f"ManualSigmas and use the sampler {plain.sampler}:"
    )
    for note in plain.notes:
        say(f"{note}.")
    print(text)
    return 0
