"""What the commands share: arguments, plain tables, the progress bar, and a clean stop."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import Stopped

if TYPE_CHECKING:
    from ..distilling.plan import Plan

MOST_STEPS = 1000
# "scheduler" in a checkout; "stepdistill" in an installed copy, which has a console command of that
# name.
PACKAGE = __package__.rpartition(".")[0]
IN_A_CHECKOUT = "python -m scheduler"


def program() -> str:
    """What to type to get here again: the command, or this Python's -m."""
    started = os.path.basename(sys.argv[0]) if sys.argv else ""
    return "stepdistill" if started.startswith("stepdistill") else f"python -m {PACKAGE}"


def as_started(text: str) -> str:
    """A help text, written for a checkout, with the command that works here."""
    return text.replace(IN_A_CHECKOUT, program())


def command(
    commands,
    name: str,
    summary: str,
    description: str,
    examples: str,
    run: Callable[[argparse.Namespace], int] | None,
) -> argparse.ArgumentParser:
    """A sub-command with a help that teaches; run: None where it has actions of its own."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"examples\n{as_started(examples)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json, for programs."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document instead, for programs"
    )


def step_counts(text: str) -> list[int]:
    """ "4-12", "4,6,8" or "4-6,10" as ascending step counts."""
    return _numbers(text, 1, MOST_STEPS, "step counts such as 6, 4-12 or 4,6,8")


def classes(text: str) -> list[int]:
    """ "0-4" or "1,3" as digits."""
    return _numbers(text, 0, 9, "digits such as 0-4 or 1,3")


def names(text: str) -> list[str]:
    """ "euler,dpmpp_2m" as a list."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("expected one or more names, separated by commas")
    return found


def positive(text: str) -> int:
    """A whole number of at least 1."""
    expected = "a whole number above 0"
    if not text.isdigit():
        _refuse(text, expected)
    return _numbers(text, 1, 10**12, expected)[0]


def positive_or_zero(text: str) -> int:
    """A whole number of at least 0."""
    return 0 if text == "0" else positive(text)


def noise_scale(text: str) -> float:
    """A number above 0, at most 1,000."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        _refuse(text, "a number above 0, at most 1000")
    return value


def shape(text: str) -> tuple[int, ...]:
    """ "16x64x64" as a latent's shape."""
    parts = text.lower().replace(",", "x").split("x")
    if not all(part.isdigit() and int(part) for part in parts):
        _refuse(text, "a latent's shape such as 16x64x64")
    return tuple(int(part) for part in parts)


def _numbers(text: str, low: int, high: int, expected: str) -> list[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            _refuse(text, expected)
        least = int(first)
        most = int(last or first)
        if not low <= least <= most <= high:
            _refuse(text, f"{expected}, from {low} to {high}")
        found.update(range(least, most + 1))
    return sorted(found)


def _refuse(text: str, expected: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"{text!r} was given; expected {expected}")


def say(sentence: str = "") -> None:
    """Tell the user something on stderr, so that stdout holds results only."""
    print(sentence, file=sys.stderr, flush=True)


def print_json(data: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(data, indent=1, allow_nan=False))


def print_exactly(text: str) -> None:
    """A text on stdout as UTF-8, with its newlines as they are on every system."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def say_plan(plan: Plan, cfg: float | None) -> None:
    """What will be done, before it is."""
    evaluations = plan.evaluations(cfg)
    say(f"{plan}\n" + (f"  {evaluations}\n" if evaluations else ""))


class Progress:
    """A bar in model calls with the time left; callable as `distill`'s `progress`."""

    def __init__(self, shown: bool = True):
        self.shown = shown
        self.bar: Any = None  # tqdm's

    def __call__(self, done: int, planned: int, phase: str) -> None:
        if not self.shown:
            return
        if self.bar is None:  # not `or`: an empty bar is falsy
            self.bar = self._new(planned, phase)
        if self.bar is None:
            return
        if (self.bar.total, self.bar.desc) != (planned, phase):
            self.bar.total = planned
            self.bar.set_description_str(phase, refresh=False)
        self.bar.update(max(done - self.bar.n, 0))

    def _new(self, planned: int, phase: str):
        try:
            from tqdm import tqdm
        except ImportError:
            say("(tqdm is not installed, so there is no progress bar.)")
            self.shown = False
            return None
        patience = 0.2 if sys.stderr.isatty() else 10.0
        shape = (
            "{desc:<12.12} {percentage:3.0f}% |{bar}| "
            "{n_fmt}/{total_fmt} model calls, {remaining} left"
        )
        return tqdm(
            total=planned,
            desc=phase,
            file=sys.stderr,
            bar_format=shape,
            mininterval=patience,
            dynamic_ncols=True,
            leave=False,
            ascii=" #",
        )

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        self.close()


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """While model calls run, Ctrl-C (or SIGTERM) asks for a stop between two of them.

    So what is finished is kept. A second one insists. Gives `should_stop`; a Stopped that this
    leads to carries by_keyboard.
    """
    heard: list[int] = []

    def listen(number: int, _frame) -> None:
        if heard:
            raise KeyboardInterrupt
        heard.append(number)

    before = {number: _listen(number, listen) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(heard)
        if signal.SIGINT in heard:  # it came after the last look
            raise KeyboardInterrupt
    except Stopped as stop:
        stop.by_keyboard = signal.SIGINT in heard
        raise
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _listen(number: int, handler: Callable):
    try:
        return signal.signal(number, handler)
    except ValueError:  # only the main thread may
        return None
