"""draw: a picture of a diffusers pipeline, with a recipe."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError, RecipeError, UnknownNameError
from ..lookup.words import match_sentence
from ..record import load_record
from .console import command, positive, positive_or_zero, say
from .distill import check_target
from .pipelines import add_pipeline, call_of, loaded_pipeline

if TYPE_CHECKING:
    from ..lookup.key import Key
    from ..lookup.match import Match
    from ..store import Store

DESCRIPTION = """\
Draws with a diffusers pipeline and a recipe: that of a record file, or the one that the store has for this
model, guidance and size. What ran is said. With --stock the pipeline's own scheduler draws, from the same
noise, to lay beside it."""
EXAMPLES = """\
  python -m scheduler draw --pipeline my-sdxl --record my.json --prompt "a fox" --steps 6 -o fox.png
  python -m scheduler draw --pipeline my-sdxl --store --prompt "a fox" --size 1024x1024 --cfg 5 -o fox.png
  python -m scheduler draw --pipeline my-sdxl --stock --prompt "a fox" --steps 25 -o stock.png"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "draw",
        "draw a picture of a diffusers pipeline with a recipe",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--record", metavar="FILE", help="a record file")
    which.add_argument(
        "--store", nargs="?", const="", metavar="FOLDER", help="what the store has of this model"
    )
    parser.add_argument(
        "--unchecked",
        action="store_true",
        help="with --store: else what a source of other people's records has, though nobody has "
        "checked it on this model",
    )
    which.add_argument("--stock", action="store_true", help="the pipeline's own scheduler")
    add_pipeline(parser)
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="what to draw")
    parser.add_argument("--steps", type=positive, default=6, help="default 6")
    parser.add_argument("--sampler", default="distilled", help="whose recipe (default: distilled)")
    parser.add_argument("--cfg", type=float, help="guidance scale (default: the pipeline's)")
    parser.add_argument("--seed", type=positive_or_zero, default=0, help="of the noise (default 0)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, ...")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the picture; .png, .jpg, ..., of a video .gif",
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw, save, and say what ran."""
    import torch

    if arguments.pipeline is None:
        raise UnknownNameError("Name what to draw with: --pipeline FOLDER_OR_FILE.")
    check_target(arguments.output)
    record = load_record(arguments.record) if arguments.record else None
    pipe = loaded_pipeline(arguments)
    call = call_of(arguments, pipe)
    if not arguments.stock:
        record = record or _stored(arguments, pipe, call)
        _use(pipe, record, arguments.sampler, call)
    drawn = pipe(
        prompt=arguments.prompt,
        num_inference_steps=arguments.steps,
        generator=torch.Generator().manual_seed(arguments.seed),
        **call,
    )
    say(_what_ran(pipe, arguments.steps))
    _save(drawn, Path(arguments.output))
    say(f"Written: {arguments.output}")
    return 0


def _stored(arguments: argparse.Namespace, pipe: Any, call: dict) -> Any:
    """The nearest record of the store that may serve; raises RecipeError where there is none."""
    from ..diffusers import key_of_pipeline
    from ..store import Store

    store = Store.open(arguments.store or None)
    key = key_of_pipeline(pipe, **call)
    match = nearest(store, key, arguments.unchecked, arguments.pipeline)
    say(match_sentence(match))
    return match.record


def nearest(store: Store, key: Key, unchecked: bool, pipeline: str) -> Match:
    """The nearest record that may serve a model, of the store or, where that is asked for, of a source.

    Raises RecipeError, which says what a source has and how to use it.
    """
    from ..lookup.selection import first_match
    from ..sources import Sources

    match, refused = first_match(key, (store, Sources(store.folder, unchecked)))
    if match is not None:
        return match
    other = "" if refused is None or refused.origin is None else match_sentence(refused)
    raise RecipeError(
        f"The store {store.folder} has no record of this pipeline's model; distil one: "
        f"python -m scheduler distill --pipeline {pipeline} --store ..."
        + (f" {other} --unchecked uses it." if other else "")
    )


def _use(pipe: Any, record: Any, sampler: str, call: dict) -> None:
    from ..diffusers import StepDistillScheduler

    pipe.scheduler = StepDistillScheduler.for_pipeline(pipe, record, sampler, **call)


def _what_ran(pipe: Any, steps: int) -> str:
    from ..lookup.words import info

    found = getattr(pipe.scheduler, "selection", None)
    return info(found) if found else f"{steps} steps of {type(pipe.scheduler).__name__}."


def _save(drawn: Any, target: Path) -> None:
    frames = getattr(drawn, "frames", None)
    try:
        if frames is None:
            drawn.images[0].save(target)
        else:
            _save_video(frames[0], target)
    except (OSError, ValueError) as problem:
        raise OutputError(
            f"{target} could not be written ({problem}); choose another name."
        ) from None


def _save_video(frames: Any, target: Path) -> None:
    """Frames as one moving picture (.gif, .webp, .png)."""
    from PIL import Image

    pictures = [
        each
        if isinstance(each, Image.Image)
        else Image.fromarray((each * 255).round().astype("uint8"))
        for each in frames
    ]
    pictures[0].save(target, save_all=True, append_images=pictures[1:], duration=62, loop=0)
