"""demo: the whole job on the bundled flow checkpoint, in under two minutes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from .. import verdicts
from ..files import make_folder
from ..record import Recipe, Record
from .console import command, error_text, positive_or_default, say, table
from .distill import conditions_of, distilled
from .models import HELD_OUT, asked_model

DESCRIPTION = """\
Shows all of StepDistill on a small bundled checkpoint (handwritten digits, a flow model of SD3's kind): records a teacher
on the digits 0 to 4, distils recipes of 1 to 20 steps for euler and dpmpp_2m, measures them on other noise and the digits
5 to 9 beside every stock schedule at equal model calls, and writes the record and three pictures into a folder. It takes
under two minutes on two cores. Ctrl-C is safe: the same command goes on from the recorded teacher."""
EXAMPLES = """\
  python -m scheduler demo
  python -m scheduler demo --output somewhere/else --cfg 3"""
SAMPLERS, STEPS, PICTURE_STEPS = ("euler", "dpmpp_2m"), range(1, 21), 5
BUDGET = 6000
ROWS = 10


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "demo", "see the whole job on a bundled checkpoint, in two minutes", DESCRIPTION, EXAMPLES, run)
    parser.add_argument("--output", default="stepdistill-demo", metavar="FOLDER", help="where the results go (default: ./stepdistill-demo)")
    parser.add_argument("--cfg", type=float, default=2.0, help="guidance scale (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default 0)")


def run(arguments: argparse.Namespace) -> int:
    """Distil, measure, print the tables and draw the pictures."""
