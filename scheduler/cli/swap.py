"""swap: a workflow file's schedulers for distilled ones, for explicit sigmas, or back."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from ..errors import OutputError
from ..files import write_text
from ..workflow import TARGETS, Report, open_workflow, swap
from .console import add_json, command, print_exactly, print_json, say

DESCRIPTION = """\
Swaps the schedulers of a ComfyUI workflow: JSON as the page saves it, the API format, or a picture
(PNG, WebP, JPEG, AVIF) or video (MP4, WebM) with one inside. Subgraphs, muted and bypassed nodes are
swapped too. All else keeps its values, order and layout, and what was changed is noted inside the
workflow, so that --to stock gives back the original, byte for byte; where it cannot, that is said.

  distilled  a node with a dropdown gets the entry 'distilled', which follows the loaded model; other nodes
             that make sigmas become Distilled Sigmas in place. The workflow carries --record as text and
             uses it; where it gains nothing, nothing is changed. Without a record nothing is known of the
             gain: --unmeasured swaps all the same, and the store of whoever runs it decides.
  few        KSampler becomes Few-Step KSampler, and other nodes get the sampler 'distilled' with the
             fewest steps that --record measured as good as theirs; what is gained is said, and where
             nothing is, nothing is changed. Without a record Few-Step KSampler learns as it draws.
  baked      explicit sigmas from --record in core's own nodes: runs where StepDistill is not installed.
             KSampler becomes SamplerCustom. Taken are the record's recipes without offsets, for each
             node's own sampler, steps and denoise.
  vendor     explicit sigmas in core's own nodes too, those that the maker of a step-distilled model (SDXL
             Turbo and Lightning, LCM, Hyper-SD, Wan 2.2 and Qwen-Image Lightning, FLUX.2 Turbo, LTX-2
             distilled, ...) published, where a node runs its steps.
  stock      what it was before.

Two samplers that share one run are changed together or not at all. Where they run two models, --record takes
a record of the pair (`pair`, Distil Pair): both get its schedule, and the step where the first hands over.

What is left is named, with the reason: values that come through links, samplers that choose their own
steps, models that seem step-distilled (--anyway swaps those too)."""
EXAMPLES = """\
  python -m scheduler swap portrait.json --record my.json         writes portrait.distilled.json
  python -m scheduler swap portrait.json --to few --check         only says what would be done
  python -m scheduler swap picture.png --to baked --record my.json -o baked.json
  python -m scheduler swap portrait.distilled.json --to stock -o portrait.json"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "swap",
        "swap the schedulers of a ComfyUI workflow file",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    parser.add_argument(
        "workflow", metavar="WORKFLOW", help="a workflow: JSON, or a picture with one inside"
    )
    parser.add_argument("--to", choices=TARGETS, default="distilled", help="default: distilled")
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="a record file: needed for baked; with distilled and few the workflow carries it",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write; - for stdout (default: beside WORKFLOW)",
    )
    parser.add_argument("--check", action="store_true", help="only say what would be done")
    parser.add_argument(
        "--node",
        metavar="ID",
        action="append",
        help="this node only, in a subgraph as the page names it (88:6); may be given again",
    )
    parser.add_argument("--anyway", action="store_true", help="models that seem step-distilled too")
    parser.add_argument(
        "--unmeasured",
        action="store_true",
        help="choose 'distilled' also where no record says what it gains",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Swap, write, and say what was done and what was left."""
    record = None
    if arguments.record:
        from ..record import load_record  # numpy, which a swap without a record does without

        record = load_record(arguments.record)
    document = open_workflow(arguments.workflow)
    known = not arguments.unmeasured
    report = swap(document, arguments.to, record, arguments.node, arguments.anyway, known=known)
    target = None if arguments.check else _target(arguments, report)
    if target == "-":
        print_exactly(document.text())
    elif target is not None:
        write_text(target, document.text())
    if arguments.json and target != "-":
        print_json(_data(arguments, report, target, document.layout.exact))
    else:
        _tell(arguments, report, target, document.layout.exact)
    return 0


def _target(arguments: argparse.Namespace, report: Report) -> str | None:
    """Where to write; None where nothing changed and no file was named.

    Raises OutputError where the default is taken already.
    """
    if arguments.output is not None:
        return arguments.output
    if not report.changed:
        return None
    path = Path(arguments.workflow)
    stem = path.stem
    for word in TARGETS:
        stem = stem.removesuffix(f".{word}")
    target = path.with_name(f"{stem}.{arguments.to}.json")
    if target.exists():
        raise OutputError(f"{target.name} exists already; name the file to write with -o.")
    return str(target)


def _tell(arguments: argparse.Namespace, report: Report, target: str | None, exact: bool) -> None:
    tell = say if target == "-" else print
    groups = {"left": "Left as they are", "already": "As asked already"}
    for action in dict.fromkeys(outcome.action for outcome in report.outcomes):
        tell(f"{groups.get(action, action.capitalize())}:")
        for outcome in (each for each in report.outcomes if each.action == action):
            tell(textwrap.fill(outcome.line, 118, initial_indent="  ", subsequent_indent="      "))
    if report.outcomes or report.samplers:
        tell(_summary(report))
    else:
        tell("There is no sampler in this workflow.")
    if report.warning:
        tell(report.warning)
    if report.needs:
        tell(f"To run it needs: {'; '.join(report.needs)}.")
    if report.exact is False:
        why = "" if exact else ", for the file is laid out in a way that is not kept"
        tell(
            f"Putting it back will not give the original byte for byte{why}: keep the original file."
        )
    if target not in (None, "-"):
        anew = " (its layout is not one that is known, so its lines were laid out anew)"
        tell(f"Written: {target}{'' if exact else anew}")
    elif arguments.check:
        tell("Nothing was written.")


def _summary(report: Report) -> str:
    left = sum(outcome.action == "left" for outcome in report.outcomes)
    samplers = f"{report.samplers} sampler{'s' if report.samplers != 1 else ''}"
    changed = f"{report.changed} node{'s' if report.changed != 1 else ''} changed"
    return f"{samplers}; {changed}, {left} left."


def _data(arguments: argparse.Namespace, report: Report, target: str | None, exact: bool) -> dict:
    return {
        "workflow": str(arguments.workflow),
        "to": arguments.to,
        "output": target,
        "samplers": report.samplers,
        "changed": report.changed,
        "can_be_put_back": report.exact,
        "layout_kept": exact,
        "needs": report.needs,
        "warning": report.warning,
        "nodes": [outcome.data() for outcome in report.outcomes],
    }
