"""Packs that copied the host's list of schedulers before StepDistill loaded, or after: the entry is
in both, and what they hand on connects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.comfyui.client import Refused
from tests.comfyui.graphs import scene
from tests.comfyui.server import Server

PACK = Path(__file__).parent / "copying_pack"
NAMES = tuple("abcdefghij")  # in whatever order the system lists folders, some come before ours


def started() -> Server:
    return Server(os.environ["COMFYUI_PATH"], packs={name: PACK for name in NAMES})


@pytest.fixture(scope="module")
def crowded():
    with started() as server:
        yield server


def before_ours(server) -> set[str]:
    return {
        name for name in NAMES if server.client.choices(f"Detailer_{name}", "before") == ["True"]
    }


def test_both_orders_are_there(crowded):
    assert 0 < len(before_ours(crowded)) < len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_selectors_connect_and_details_have_the_entry(crowded, name):
    client = crowded.client
    assert client.choices(f"Selector_{name}", "scheduler") == client.choices(
        "KSampler", "scheduler"
    )
    assert client.choices(f"Detailer_{name}", "scheduler").count("distilled") == 1
    assert client.choices(f"Detailer_{name}", "own") == ["simple", "of my own"]
    s = scene(rows=1, digits="3")
    chosen = s.add(f"Selector_{name}", scheduler="distilled", sampler="distilled")
    s.ksampler(name=name, scheduler=chosen, sampler_name=chosen[1], steps=2)
    s.add(
        f"Detailer_{name}",
        scheduler="distilled",
        before=client.choices(f"Detailer_{name}", "before")[0],
        own="simple",
    )
    client.run(s.graph)


def test_switched_off_nothing_is_touched(monkeypatch):
    monkeypatch.setenv("STEPDISTILL_DROPDOWNS", "0")
    with started() as server:
        client = server.client
        kinds = [f"{kind}_{name}" for kind in ("Selector", "Detailer") for name in NAMES]
        for kind in ("KSampler", *kinds):
            assert "distilled" not in client.choices(kind, "scheduler")
        s = scene(rows=1, digits="3")
        s.ksampler(name="off")
        with pytest.raises(Refused, match="value_not_in_list"):
            client.run(s.graph)
