"""The golden numbers (tests/golden), and what to do where a new schedule or sampler has none."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("golden")
# Schedules and samplers of ours that no host has: nothing to hold them to but their own tests.
HOSTLESS: tuple[str, ...] = ()


@cache
def golden(name: str) -> dict:
    """A golden file."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def numbers_of(name: str, known: dict, file: str) -> dict:
    """What the hosts' own `name` gives; fails with what to do where that was never recorded."""
    if name in HOSTLESS:
        pytest.skip(f"no host has {name}")
    if name not in known:
        pytest.fail(
            f"tests/golden/{file}.json has no numbers for {name}. Run `python -m "
            "tools.make_golden` on a host that "
            "has it; if none has, name it in HOSTLESS in tests/golden_numbers.py.",
            pytrace=False,
        )
    return known[name]
