"""bake: a recipe as the explicit sigmas that ComfyUI's own nodes take."""

from __future__ import annotations

import argparse

from ..record import Recipe, load_record
from ..record.choice import OURS, PUBLISHED
from ..record.verdict_words import verdict_if_any
from ..record.words import counted
from ..sigmas.decimals import baked
from .console import add_json, command, positive, print_json, say

DESCRIPTION = """\
Prints a recipe's sigmas in the form that ComfyUI's ManualSigmas node takes: decimals, separated by
commas. The workflow then opens anywhere, without StepDistill. Only sigmas go through that node: query
offsets and coefficients stay behind, so the recipe that was made without offsets is taken."""
EXAMPLES = """\
  python -m scheduler bake my.json --sampler euler --steps 6
  python -m scheduler bake my.json --sampler dpmpp_2m --steps 8 --json"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "bake",
        "print a recipe's sigmas for ComfyUI's ManualSigmas node",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    parser.add_argument("record", metavar="RECORD", help="a record file")
    parser.add_argument(
        "--sampler", required=True, help="the sampler that it is for: euler, dpmpp_2m, ..."
    )
    parser.add_argument("--steps", type=positive, required=True, help="how many steps")
    parser.add_argument(
        "--start-sigma", type=float, help="where it starts (default: the model's sigma_max)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the sigmas; what to do with them goes to stderr."""
    recipe = load_record(arguments.record).recipe(
        arguments.sampler, arguments.steps, arguments.start_sigma, offsets=False
    )
    text = baked(recipe.sigmas)
    if arguments.json:
        print_json(
            {
                "sampler": recipe.sampler,
                "steps": recipe.steps,
                "choice": recipe.choice,
                "text": text,
                "sigmas": list(recipe.sigmas),
            }
        )
        return 0
    sampler, steps = recipe.sampler, recipe.steps
    say(
        f"{sampler}, {counted(steps)} ({_origin(recipe)}); "
        f"paste the line into ManualSigmas and use the sampler {sampler}:"
    )
    if sampler == "distilled":
        say(
            "ComfyUI has no sampler of that name without StepDistill; "
            "for its own samplers, bake a recipe made for one of them."
        )
    print(text)
    return 0


def _origin(recipe: Recipe) -> str:
    known = {OURS: "distilled", PUBLISHED: "a published schedule"}
    origin = known.get(recipe.choice, f"stock won here: {recipe.choice}")
    said = verdict_if_any(recipe)
    return f"{origin}; {said}" if said else origin
