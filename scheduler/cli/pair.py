"""pair: one schedule over two models on one path, as two record files."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .console import (
    Progress,
    add_json,
    command,
    names,
    positive_or_zero,
    print_json,
    say,
    step_counts,
    stoppable,
)
from .distill import check_target
from .models import check_device, from_checkpoint

DESCRIPTION = """\
Distils two models on one path together (high and low noise, base and refiner, a model and its few-step
twin): one teacher is run through both, one schedule found over both with the hand-over on a node, and a
record written for each half. Their recipes are the same schedules, so the halves meet."""
EXAMPLES = """\
  python -m scheduler pair flow other.safetensors --hand-over 0.875 --steps 4-8 -o high.json -p low.json
  python -m scheduler pair flow other.safetensors --hand-over wan2.2-t2v --steps 6 -o high.json -p low.json
  python -m scheduler pair flow other.safetensors --hand-over 0.8 --within 0.6-0.9 -o high.json -p low.json"""

if TYPE_CHECKING:  # torch is imported where a command first needs it
    from ..checkpoints.asked import Asked


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "pair",
        "distil two models on one path together",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    parser.add_argument("first", metavar="FIRST", help="the checkpoint that begins")
    parser.add_argument("second", metavar="SECOND", help="the checkpoint that goes on")
    parser.add_argument(
        "--hand-over",
        type=hand_over,
        required=True,
        metavar="0.875",
        help="the sigma where the second takes over, or wan2.2-t2v, wan2.2-i2v, sdxl-refiner: as "
        "published",
    )
    parser.add_argument(
        "--within",
        type=sigma_range,
        metavar="0.6-0.9",
        help="sigmas between which the hand-over of the few steps is searched",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the first's record")
    parser.add_argument(
        "-p", "--second-output", required=True, metavar="FILE", help="the second's record"
    )
    parser.add_argument(
        "--samplers", type=names, default=["euler"], metavar="A,B", help="default: euler"
    )
    parser.add_argument(
        "--steps",
        type=step_counts,
        default=[6],
        metavar="6",
        help="step counts of both together, such as 6 or 4-12 (default 6)",
    )
    parser.add_argument("--cfg", type=float, default=2.0, help="the first's guidance (default 2)")
    parser.add_argument("--second-cfg", type=float, help="the second's (default: the same)")
    parser.add_argument("--seed", type=positive_or_zero, default=0, help="of the noise (default 0)")
    parser.add_argument("--device", default="cpu", help="where the models run: cpu (default), cuda")
    parser.add_argument("--no-evidence", action="store_true", help="measure nothing afterwards")
    parser.add_argument(
        "--store", nargs="?", const="", metavar="FOLDER", help="keep both in the store too"
    )
    parser.add_argument("--quiet", action="store_true", help="no plan and no progress bar")
    add_json(parser)


def hand_over(text: str) -> float | str:
    """A number, or a published name."""
    try:
        return float(text)
    except ValueError:
        return text


def sigma_range(text: str) -> tuple[float, float]:
    """Two sigmas, "0.6-0.9"."""
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no range of sigmas; write it as 0.6-0.9."
        ) from None
    return low, high


def run(arguments: argparse.Namespace) -> int:
    """Distil both, save, and say what was found."""
    from ..pairs.run import distill_pair
    from ..pairs.words import told

    for path in (arguments.output, arguments.second_output):
        check_target(path)
    check_device(arguments.device)
    first, second = _scales(arguments)
    one, two = _asked(arguments, "first", first), _asked(arguments, "second", second)
    with stoppable() as should_stop, Progress(not arguments.quiet) as progress:
        found = distill_pair(
            one.denoise,
            two.denoise,
            one.latent_shape,
            arguments.hand_over,
            one.sigma_max,
            one.sigma_min,
            one.parametrisation,
            samplers=arguments.samplers,
            steps=arguments.steps,
            within=arguments.within,
            conditions=(
                one.conditions(first, arguments.seed),
                two.conditions(second, arguments.seed),
            ),
            measure=not arguments.no_evidence,
            seed=arguments.seed,
            device=arguments.device,
            progress=progress,
            should_stop=should_stop,
            on_plan=None if arguments.quiet else _say_plan,
        )
    found.first.save(arguments.output)
    found.second.save(arguments.second_output)
    if arguments.store is not None:
        from ..store import Store

        store = Store.open(arguments.store or None)
        kept = " and ".join(store.put(each) for each in (found.first, found.second))
        say(f"Kept in the store {store.folder} as {kept}")
    if arguments.json:
        recipes = [_data(recipe) for recipe in found.first.recipes]
        print_json({"records": [arguments.output, arguments.second_output], "recipes": recipes})
    else:
        print(told(found.first, found.second))
    return 0


def _asked(arguments: argparse.Namespace, place: str, cfg: float) -> Asked:
    own = {"model": getattr(arguments, place), "cfg": cfg}
    digits = {"classes": list(range(5)), "test_classes": list(range(5, 10))}
    return from_checkpoint(argparse.Namespace(**vars(arguments) | own | digits))


def _scales(arguments: argparse.Namespace) -> tuple[float, float]:
    second = arguments.second_cfg
    return arguments.cfg, arguments.cfg if second is None else second


def _say_plan(calls: int) -> None:
    say(f"At most {calls:,} model calls, of both models together.")


def _data(recipe) -> dict:
    from ..record.pair_half import hand_over_step

    return {
        "sampler": recipe.sampler,
        "steps": recipe.steps,
        "hand_over_step": hand_over_step(recipe),
        "sigmas": list(recipe.sigmas),
        "choice": str(recipe.choice),
    }
