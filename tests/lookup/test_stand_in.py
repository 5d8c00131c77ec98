"""What runs where no recipe serves: measured best, what stood there before, published, the usual."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.fingerprint.step_distilled import detect
from scheduler.lookup import SIMPLE, selection, stand_in
from scheduler.lookup.families import published_for
from scheduler.lookup.rules import rule_for
from scheduler.lookup.selection import select
from scheduler.lookup.stand_in import StandIn, measured_best
from scheduler.lookup.wanted import Wanted
from scheduler.presets import PRESETS, preset_recipe
from scheduler.sigmas import STOCK, baselines, published_schedule, stock_schedule
from tests.examples import examples
from tests.lookup.made import Shelf, facts, measured, recipe, record, sd_facts

NO_ONE = "nobody"
EULER = Wanted("euler", 5)


def found(wanted=EULER, *records, here=None, **more):
    return select(wanted, here or facts(), shelves=(Shelf(*records),), **more)


def test_a_record_of_the_model_tells_the_best_stock_schedule():
    made = record(measured(steps=4, karras=0.2, beta=0.1), measured(steps=8, karras=0.1, beta=0.3))
    stock = found(EULER, made, before="exponential")
    assert stock.stand_in == StandIn(stand_in.MEASURED, "beta", 4)
    assert np.allclose(stock.recipe.sigmas, stock_schedule("beta", facts().table, 5))
    assert stock.recipe.choice == "beta" and stock.stock_won
    assert stock.measured == selection.HELD_OUT and not stock.substituted
    assert found(Wanted("euler", 7), made).stand_in.schedule == "karras"  # 8 is nearer than 4
    borrowed = found(Wanted("euler_ancestral", 5), made)
    assert borrowed.stand_in == stock.stand_in and borrowed.measured == selection.BORROWED
    assert borrowed.substituted[0].sampler == "euler"


def test_what_was_measured_here_goes_before_what_another_cfg_s_record_would_run():
    """Nobody asked for that one; for `distilled` somebody did."""
    here = record(measured(steps=4, karras=0.2, beta=0.1))
    there = record(recipe("euler", 5), recipe("distilled", 5), cfg=9.0)
    key = facts().key(4.0)
    stock = select(EULER, facts(), key, shelves=(Shelf(here, there),))
    assert stock.stand_in == StandIn(stand_in.MEASURED, "beta", 4)
    asked = select(replace(EULER, sampler="distilled"), facts(), key, shelves=(Shelf(here, there),))
    assert asked.match.record.conditions.cfg == 9.0
    alone = select(EULER, facts(), key, shelves=(Shelf(there),))
    assert alone.source == selection.NEAREST


def test_a_stochastic_sampler_s_own_measurements_go_before_those_of_the_one_like_it():
    made = record(
        measured(steps=4, karras=0.2, beta=0.1),
        measured("euler_ancestral", 4, choice="karras", karras=0.3, beta=0.4),
    )
    stock = found(Wanted("euler_ancestral", 5), made)
    assert stock.stand_in == StandIn(stand_in.MEASURED, "karras", 4, own_paths=True)
    assert stock.measured == selection.HELD_OUT and not stock.substituted
    assert found(EULER, made).stand_in.schedule == "beta"


def test_what_the_guard_chose_counts_where_nothing_was_measured():
    made = record(recipe(steps=4, choice="karras"))
    assert found(EULER, made).stand_in == StandIn(stand_in.MEASURED, "karras", 4)


def test_for_distilled_it_is_the_best_with_what_it_runs_as():
    made = record(
        measured(
            "distilled", 4, beta_with_euler=0.01, karras_with_dpmpp_2m=0.2, beta_with_dpmpp_2m=0.3
        )
    )
    stock = found(Wanted("distilled", 5), made)
    assert stock.stand_in == StandIn(stand_in.MEASURED, "karras", 4)
    assert stock.recipe.choice == "karras + dpmpp_2m" and stock.runs_as == "dpmpp_2m"
    assert found(Wanted("euler", 5), made).stand_in.schedule == "beta"


def test_published_tables_that_were_measured_count_too():
    sd = record(
        measured(steps=4, start=14.614641, gits=0.1, karras=0.2),
        parametrisation="ve", prediction="eps", shift=None, sigma_min=0.029167158, sigma_max=14.614641,
    )  # fmt: skip
    here = facts(sd)
    stock = found(EULER, sd, here=here)
    assert stock.stand_in.schedule == "gits"
    assert np.allclose(stock.recipe.sigmas, baselines(here.table, 5)["gits"])


@pytest.mark.parametrize(
    "made",
    [
        record(recipe(steps=4)),
        record(recipe("lms", 4, choice="karras")),  # of another sampler
        record(recipe(steps=4, start=0.75, choice="karras")),  # from another start
        record(measured(steps=4, karras=None)),  # an error that was not finite
        record(measured(steps=4, unheard_of=0.1)),
        record(recipe(steps=4, choice="karras"), sigma_max=0.5),  # of another range
    ],
)
def test_what_tells_nothing(made):
    assert found(EULER, made).stand_in == StandIn(stand_in.USUAL, SIMPLE)


def test_records_measure_whole_runs_only():
    made = record(measured(steps=4, karras=0.1))
    half = Wanted("euler", 5, 0.75, 0.5)
    assert found(half, made).stand_in.origin == stand_in.USUAL
    assert found(half, made, before="karras").stand_in.origin == stand_in.BEFORE
    assert found(Wanted("euler", 5, 1.0), made).stand_in.origin == stand_in.MEASURED


def test_measured_best_is_the_first_records_that_measured_any():
    rows = [
        record(recipe()),
        record(measured(steps=4, karras=0.2)),
        record(measured(steps=5, beta=0.1)),
    ]
    assert measured_best(rows, "euler", 5, STOCK) == ("karras", 4)
    assert measured_best(rows, "euler", 5, ["beta"]) == ("beta", 5)
    assert measured_best(rows, "heun", 5, STOCK) is None
    three = record(measured(steps=3, karras=0.1), measured(steps=8, beta=0.1))
    assert measured_best([three], "euler", 5, STOCK) == ("beta", 8)  # in ratio the nearer one


def test_what_stood_there_before_goes_before_what_is_published():
    here = sd_facts(published=published_for("SD15"))
    stock = found(here=here, before="karras", usual="beta")
    assert stock.stand_in == StandIn(stand_in.BEFORE, "karras")
    assert stock.measured == selection.NOT_MEASURED and not stock.stock_won
    assert found(here=here, before="unheard of").stand_in.origin == stand_in.PUBLISHED


@pytest.mark.parametrize(
    ("host_class", "sampler", "steps", "name"),
    [
        ("SD15", "euler", 5, "ays-sd1"),
        ("SD15", "euler", 3, "gits"),  # AYS publishes four steps and more
        ("SD15", "distilled", 5, "ays-sd1"),
        ("SDXL", "dpmpp_2m", 8, "ays-sdxl"),
        ("SDXL", "dpmpp_2m_sde", 8, "ays-sdxl"),
    ],
)
def test_published_tables_of_the_family(host_class, sampler, steps, name):
    here = sd_facts(published=published_for(host_class))
    stock = found(Wanted(sampler, steps), here=here)
    runs = {"distilled": "dpmpp_2m", "dpmpp_2m_sde": "dpmpp_2m"}.get(sampler, sampler)
    assert stock.stand_in == StandIn(stand_in.PUBLISHED, name)
    assert stock.measured == selection.PUBLISHED and not stock.stock_won
    assert np.allclose(stock.recipe.sigmas, preset_recipe(name, steps, runs).sigmas, rtol=1e-6)
    assert stock.recipe.sigmas[0] == here.sigma_max  # to the last digit
    assert bool(stock.substituted) == (sampler == "dpmpp_2m_sde")
    assert stock.runs_as in (sampler, "dpmpp_2m")


@pytest.mark.parametrize(
    ("host_class", "wanted", "changes"),
    [
        ("SD15", Wanted("euler", 200), {}),
        ("SD15", Wanted("heun", 5), {}),
        ("SD15", Wanted("res_2s", 5), {}),
        ("SD15", Wanted("euler", 5, 2.0, 0.5), {}),
        ("SD15", EULER, {"prediction": "v"}),
        ("SD15", EULER, {"sigma_max": 4518.0}),  # zero terminal SNR
        ("SSD1B", EULER, {}),
        ("", EULER, {}),
    ],
)
def test_what_nobody_published_is_the_hosts_usual(host_class, wanted, changes):
    here = sd_facts(published=published_for(host_class), **changes)
    assert found(wanted, here=here, usual="beta").stand_in == StandIn(stand_in.USUAL, "beta")
    assert found(wanted, here=here, usual=NO_ONE).stand_in.schedule == SIMPLE


def test_a_step_distilled_model_gets_its_vendors_and_no_other():
    turbo = detect(["sd_xl_turbo_1.0"])
    assert published_for("SDXL", turbo) == ("sdxl-turbo",)
    assert published_for("Flux", detect(["flux-hyper-sd-8steps"])) == ()
    stock = found(Wanted("euler", 4), here=sd_facts(published=published_for("SDXL", turbo)))
    assert stock.stand_in.schedule == "sdxl-turbo"


def test_every_family_has_tables_that_are_there():
    for name in ("SD15", "SDXL", "SVD_img2vid", "Flux", "WAN21_T2V", "Chroma"):
        assert published_for(name) and set(published_for(name)) <= set(PRESETS)
    flow = facts(published=published_for("Flux"))
    stock = found(Wanted("euler", 8), here=flow)
    assert stock.stand_in.schedule == "optimal-steps-flux"
    assert np.allclose(stock.recipe.sigmas, published_schedule("optimal_steps_flux", 8), rtol=1e-6)


def test_the_hosts_usual_is_cut_as_the_host_cuts_it():
    table = facts().table
    whole = stock_schedule(SIMPLE, table, 5)
    assert np.allclose(found().recipe.sigmas, whole)
    half = Wanted.of(facts(), "euler", 5, 0.5)
    assert np.allclose(found(half).recipe.sigmas, stock_schedule(SIMPLE, table, 10)[-6:])
    near = found(Wanted("euler", 5, 0.75)).recipe.sigmas
    assert near[0] == 0.75 and np.allclose(near, stock_schedule(SIMPLE, table, 10)[-6:], rtol=2e-2)
    karras = found(Wanted("euler", 5, 0.75), usual="karras").recipe.sigmas
    assert karras[0] == 0.75 and not np.allclose(karras, near, rtol=2e-2)


@examples(200)
@given(
    name=st.sampled_from([*STOCK, NO_ONE]),
    steps=st.integers(1, 60),
    start=st.one_of(st.none(), st.floats(1e-4, 1.0)),
    denoise=st.one_of(st.just(1.0), st.floats(0.01, 0.998)),
)
def test_a_stand_in_always_has_as_many_steps(name, steps, start, denoise):
    wanted = Wanted("euler", steps, start, 1.0 if start is None else denoise)
    sigmas = np.array(found(wanted, usual=name).recipe.sigmas, dtype=np.float32)
    assert len(sigmas) == steps + 1 and sigmas[-1] == 0 and (np.diff(sigmas) < 0).all()


def test_a_tiny_denoise_ends():
    sigmas = found(Wanted("euler", 20, 1e-4, 1e-12)).recipe.sigmas
    assert len(sigmas) == 21 and sigmas[-1] == 0


def test_every_rule_has_a_stand_in():
    for sampler in ("dpm_adaptive", "res_2s", "distilled", "euler_ancestral"):
        stock = found(Wanted(sampler, 4))
        assert stock.rule == rule_for(sampler) and stock.recipe.sampler == sampler
