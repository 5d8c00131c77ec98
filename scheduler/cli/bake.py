"""bake: a recipe as the explicit sigmas that ComfyUI's own nodes take."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from ..counted import counted
from ..errors import RecipeError
from ..presets import PRESETS, preset_recipe
from ..record import load_record
from ..workflow.recipes import Plain, decimals, plain_recipe
from .console import add_json, command, positive, print_json, say

DESCRIPTION = """\
Prints a recipe's sigmas in the form that ComfyUI's ManualSigmas node takes: decimals, separated by
commas. The workflow then opens anywhere, without StepDistill. `--to sdcpp` prints what
stable-diffusion.cpp is started with instead. Only sigmas go through either: query offsets and
coefficients stay behind, so the recipe that was made without them is taken; for the sampler
`distilled` the best of a stock sampler. What the record does not hold is solved from its inner
products, where it has them. In a record's place a preset may be named, for the sigmas that the
maker of a step-distilled model published:
{presets}."""
EXAMPLES = """\
  python -m scheduler bake my.json --sampler euler --steps 6
  python -m scheduler bake my.json --sampler dpmpp_2m --steps 8 --json
  python -m scheduler bake my.json --sampler dpmpp_2m --steps 6 --to sdcpp    for stable-diffusion.cpp
  python -m scheduler bake sdxl-lightning --steps 4"""
# What stable-diffusion.cpp calls the samplers that it has of ours.
SDCPP = {
    "euler": "euler",
    "dpmpp_2m": "dpm++2m",
    "heun": "heun",
    "ipndm": "ipndm",
    "lms": "lms",
    "res_multistep": "res_multistep",
}


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
    parser.add_argument(
        "--to",
        choices=("comfyui", "sdcpp"),
        default="comfyui",
        help="for ComfyUI's ManualSigmas (default), or as options of stable-diffusion.cpp",
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
    place = f"paste the line into ManualSigmas and use the sampler {plain.sampler}"
    if arguments.to == "sdcpp":
        text = sdcpp_options(plain.sampler, arguments.steps, text)
        place = "start stable-diffusion.cpp with these options"
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
    say(f"{plain.sampler}, {counted(arguments.steps)} ({plain.words}); {place}:")
    for note in plain.notes:
        say(f"{note}.")
    print(text)
    return 0


def sdcpp_options(sampler: str, steps: int, sigmas: str) -> str:
    """What stable-diffusion.cpp is started with; raises RecipeError for a sampler that it lacks."""
    if sampler not in SDCPP:
        raise RecipeError(
            f"stable-diffusion.cpp has no sampler {sampler}; name one of these with --sampler: "
            f"{', '.join(SDCPP)}."
        )
    compact = sigmas.replace(" ", "")
    return f"--sampling-method {SDCPP[sampler]} --steps {steps} --sigmas {compact}"
