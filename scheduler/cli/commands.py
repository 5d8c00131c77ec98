"""The command line: one small file a command.

This one parses, runs, and turns errors into sentences and exit codes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ..errors import StepDistillError, Stopped
from .console import PACKAGE, as_started, program

OK, MISTAKE, USAGE, STOPPED, INTERRUPTED = 0, 1, 2, 3, 130
NEEDS = ("torch", "numpy", "safetensors", "matplotlib", "tqdm", "sklearn")
PIP_NAMES = {"sklearn": "scikit-learn"}
COMMANDS = (
    "demo", "distill", "check", "pair", "library", "draw", "show", "compare", "plot", "bake", "swap",
    "fingerprint", "store",
)  # fmt: skip

DESCRIPTION = """\
Distils, from a diffusion checkpoint, the few-step sampling recipe that best reproduces what it would
draw with many steps, and proves the gain on seeds that it did not train on.

A recipe is a noise schedule (N + 1 sigmas for N steps) for a named sampler, and perhaps a few numbers a
step. The recipes of one checkpoint, with their evidence, are a record: one JSON file. Every cost is in
model calls: one evaluation of the model for one sample."""

EPILOG = """\
examples
  python -m scheduler demo                                    all of it on a small checkpoint, in two minutes
  python -m scheduler distill flow --samplers euler,distilled -o my.json    a checkpoint's recipes
  python -m scheduler show my.json                            what was found, beside every stock schedule
  python -m scheduler plot my.json -o errors.png              the same as curves
  python -m scheduler bake my.json --sampler euler --steps 6  the sigmas, for ComfyUI's ManualSigmas node
  python -m scheduler swap workflow.json --record my.json     a workflow's schedulers for distilled ones
  python -m scheduler library plan.toml                       many checkpoints overnight, by a plan
  python -m scheduler COMMAND --help                          more on a command

exit codes
  0 done                    1 something to put right: one sentence says what    2 wrong usage
  3 stopped from outside    130 stopped by Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Results go to stdout, everything said on the way to stderr.
    """
    _forgiving_streams()
    root = parser()
    asked, unknown = root.parse_known_args(arguments)
    lacking = getattr(asked, "missing", None)
    if lacking is not None:
        return _said(_without(lacking), MISTAKE)
    if unknown:
        root.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        return asked.run(asked) or OK
    except KeyboardInterrupt:
        return _said("stopped.", INTERRUPTED)
    except Stopped as stop:
        return _said(str(stop), INTERRUPTED if stop.by_keyboard else STOPPED)
    except StepDistillError as problem:
        return _said(str(problem), MISTAKE)
    except ModuleNotFoundError as missing:
        if not _needed(missing):
            raise
        return _said(_without(missing), MISTAKE)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        _silence_stdout()
        return OK
    except MemoryError:
        return _said("there is not enough memory; ask for fewer samples.", MISTAKE)


def _needed(missing: ModuleNotFoundError) -> bool:
    """Whether it is one of the packages that the set-up brings."""
    return (missing.name or "").split(".")[0] in NEEDS


def _without(missing: ModuleNotFoundError) -> str:
    name = (missing.name or "").split(".")[0]
    return f"this Python ({sys.executable}) has no {name}: {_cure(name)}."


def _cure(module: str) -> str:
    if PACKAGE == "scheduler":
        return "run `python install.py --demo` once, and then use the Python in its .venv"
    return f"install it, with `{sys.executable} -m pip install {PIP_NAMES.get(module, module)}`"


def parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    root = argparse.ArgumentParser(
        prog=program(),
        description=DESCRIPTION,
        epilog=as_started(EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        try:
            import_module(f".{name}", __package__).add(commands)
        except ModuleNotFoundError as missing:
            if not _needed(missing):
                raise
            # Help and swap work without numpy; what does not says what it lacks when it is asked for.
            stand_in = commands.add_parser(name, help=f"(needs {missing.name})", add_help=False)
            stand_in.set_defaults(missing=missing)
    return root


def _said(sentence: str, code: int) -> int:
    print(f"StepDistill: {sentence}", file=sys.stderr)
    return code


def _forgiving_streams() -> None:
    """A console that cannot show a character (Windows' cp1252) gets a substitute for it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _silence_stdout() -> None:
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
