"""check: whether a record's recipes hold on another model, or at another guidance."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import RecordError
from .console import Progress, add_json, command, print_json, stoppable
from .models import add_model, asked_model

if TYPE_CHECKING:
    from ..checkpoints.asked import Asked
    from ..kin import Kin
    from ..kin.every_recipe import Checked
    from ..lookup.model_facts import ModelFacts

DESCRIPTION = """\
Runs the recipes of a record for the sampler `distilled` on a model, beside the best-ranked stock choices on
the same noise, and says of each whether it holds there, is a start to refine, or loses to stock. The model
may be a relative of the record's (a finetune, a merge, a quantised twin) or the same one at another
guidance; a stranger's recipes are refused, and not run. It costs 38 model calls at 6 steps. With --keep a
check of the same weights at another guidance is noted in the record, which then serves every guidance between
those at which it holds."""
EXAMPLES = """\
  python -m scheduler check my.json flow --cfg 7
  python -m scheduler check my.json flow --cfg 7 --keep      and serve from its own guidance up to 7
  python -m scheduler check my.json finetune.safetensors --cfg 3"""


def add(commands) -> None:
    """Add the command to the parser."""
    title = "whether a record's recipes hold on another model or at another guidance"
    parser = command(commands, "check", title, DESCRIPTION, EXAMPLES, run)
    parser.add_argument("record", metavar="RECORD", help="the record file")
    add_model(parser)
    parser.add_argument(
        "--keep", action="store_true", help="note the checks in the record (the same weights only)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check, say what was found, and keep it where that is asked for."""
    from ..kin import Kin
    from ..kin.every_recipe import check_record, noted
    from ..record import load_record

    record = load_record(arguments.record)
    asked = asked_model(arguments)
    kin = Kin.of(record, facts_of(asked))
    if arguments.keep:
        _check_same(kin)
    with stoppable() as should_stop, Progress(not arguments.quiet) as progress:
        about = asked.denoise, asked.latent_shape, arguments.device
        found = check_record(kin, *about, progress, should_stop)
    if arguments.keep:
        noted(record, arguments.cfg, found).save(arguments.record)
    if arguments.json:
        print_json({"checks": [{"steps": each.steps, **verdict.data} for each, verdict in found]})
    else:
        _tell(found)
    return 0


def facts_of(asked: Asked) -> ModelFacts:
    """Who the model is, as a lookup knows it."""
    from ..lookup.model_facts import ModelFacts
    from ..sigmas.noise_table import table_for

    low, high, process = asked.sigma_min, asked.sigma_max, asked.parametrisation
    return ModelFacts(
        asked.fingerprint,
        asked.name,
        process,
        asked.prediction,
        asked.shift,
        low,
        high,
        table_for(low, high, process, asked.shift),
        noise_scale=asked.noise_scale,
    )


def _check_same(kin: Kin) -> None:
    """Raise RecordError unless a check may be noted in the record."""
    from ..fingerprint.kinship import SAME

    if kin.kinship != SAME:
        assert kin.match.kin is not None  # as of `Kin.of`
        raise RecordError(
            f"This record is of another model ({kin.match.kin.words}), so nothing can be noted in it: leave "
            "--keep out, or distil one of this model."
        )
    if kin.record.conditions.cfg is None:
        raise RecordError("This record does not say its guidance, so it can have no range of it.")


def _tell(found: list[Checked]) -> None:
    from ..counted import counted, model_calls

    for recipe, verdict in found:
        print(f"{counted(recipe.steps)}: {verdict.words} ({model_calls(verdict.calls)})")
