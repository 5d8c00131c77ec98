"""plot: a record as a picture."""

from __future__ import annotations

import argparse

from ..record import load_record
from .console import command, positive, say

DESCRIPTION = """\
Draws a record. "errors": held-out error against steps, ours beside the best stock schedule and the default
one, with the knee and the stock step count that ours equals. "schedules": sigma against step, over ComfyUI's
stock schedules."""
EXAMPLES = """\
  python -m scheduler plot my.json -o errors.png
  python -m scheduler plot my.json --kind schedules --steps 6 -o schedules.svg"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "plot",
        "draw a record: error against steps, or its schedules",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    parser.add_argument("record", metavar="RECORD", help="a record file")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the picture: .png, .svg or .pdf"
    )
    parser.add_argument(
        "--kind",
        choices=("errors", "schedules"),
        help="default: errors where the record has evidence",
    )
    parser.add_argument("--steps", type=positive, help="the step count to show (default: the knee)")


def run(arguments: argparse.Namespace) -> int:
    """Write the picture."""
    from .. import plots

    record = load_record(arguments.record)
    kind = arguments.kind or ("errors" if record.evidence.get("curve") else "schedules")
    draw = plots.plot_errors if kind == "errors" else plots.plot_schedules
    draw(record, arguments.output, arguments.steps)
    say(f"Drawn: {arguments.output}")
    return 0
