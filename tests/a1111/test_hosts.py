"""Hosts that differ: one without schedule types, and Forge Neo by its published interface."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest

from tests.a1111 import made
from tests.a1111.test_schedule import drawn, picture


def test_a_host_without_schedule_types_gets_one_sentence_and_nothing_else(monkeypatch, capsys):
    """forge-classic's 1.x and SD.Next: no half of us is registered."""
    host = made.install(monkeypatch, without=("sd_schedulers",))
    told = capsys.readouterr().out.strip().splitlines()
    assert len(told) == 1 and "no list of schedule types" in told[0]
    assert host.script.StepDistillScript is None
    assert [each.name for each in host.modules.sd_samplers.all_samplers] == ["Euler"]
    assert not getattr(host.sampler, "_stepdistill_wrapped", False)
    made.run_script()  # Reload UI
    assert capsys.readouterr().out.strip() == ""  # said once


def neo_samplers() -> dict:
    """As much of Forge Neo's modules/sd_samplers.py as its published file has: the map is made anew by
    `add_sampler`, names are looked up through an lru_cache of ten."""
    samplers = [made.SamplerData("Euler", None, ["k_euler"], {})]

    def here():
        return sys.modules["modules.sd_samplers"]

    def set_samplers():
        here().samplers = here().all_samplers

    def add_sampler(sampler):
        module = here()
        if sampler.name not in [each.name for each in module.all_samplers]:
            module.all_samplers.append(sampler)
            module.all_samplers_map = {each.name: each for each in module.all_samplers}
            module.set_samplers()

    @functools.lru_cache(maxsize=10, typed=False)
    def get_sampler_and_scheduler(sampler_name, scheduler_name, *, status=False):
        schedules = sys.modules["modules.sd_schedulers"]
        found = schedules.schedulers_map.get(scheduler_name, schedules.schedulers[0])
        sampler = here().all_samplers_map.get(sampler_name, here().samplers[0])
        return (sampler.name, found.label, False) if status else (sampler.name, found.label)

    return {
        "all_samplers": samplers,
        "all_samplers_map": {each.name: each for each in samplers},
        "samplers": samplers,
        "set_samplers": set_samplers,
        "add_sampler": add_sampler,
        "get_sampler_and_scheduler": get_sampler_and_scheduler,
    }


@pytest.fixture
def neo(monkeypatch, tmp_path):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    return made.install(monkeypatch, others={"sd_samplers": neo_samplers()})


def test_forge_neo_has_both_entries_once_whatever_others_add(neo):
    samplers, schedules = neo.modules.sd_samplers, neo.modules.sd_schedulers
    samplers.get_sampler_and_scheduler("Distilled", "Distilled")  # remembered from before
    samplers.add_sampler(made.SamplerData("Another", None, [], {}))
    made.run_script()
    assert [each.name for each in samplers.all_samplers].count("Distilled") == 1
    assert samplers.all_samplers_map["Distilled"] in samplers.all_samplers
    assert [each.name for each in schedules.schedulers].count("distilled") == 1
    found = samplers.get_sampler_and_scheduler("Distilled", "Distilled", status=True)
    assert found[:2] == ("Distilled", "Distilled")


def test_forge_neo_draws_with_a_record(neo, checkpoint, record):
    store = made.ours("a1111.stores").store()
    store.put(record)
    p = picture()
    found = drawn(neo, checkpoint, p)
    assert np.allclose(found, record.recipe("euler", 4, offsets=False).sigmas, rtol=1e-5)
    assert p.extra_generation_params["StepDistill"].startswith("exact | ")
