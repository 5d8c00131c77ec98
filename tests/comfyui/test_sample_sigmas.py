"""The list that models look their step up in, in the real ComfyUI: right while drawing with query
offsets, on every route, and while distilling."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.comfyui.graphs import scene, video
from tests.comfyui.server import version
from tests.comfyui.test_few_step import few, tidy


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def steps_found(server, name: str) -> list[int]:
    """The places of the last run's calls, guidance's second ones once."""
    places = server.runs(name)[-1]["places"]
    return [place for k, place in enumerate(places) if not k or places[k - 1] != place]


def recipe_of(server, sampler: str):
    (brief,) = Store(server.store).records()
    return Store(server.store).load(brief.file).recipe(sampler, 5)


@pytest.mark.parametrize("sampler", ["distilled", "dpmpp_2m"])
def test_each_step_is_found_under_apply(server, client, sampler):
    s = scene()
    s.distill(sampler_name=sampler)
    client.run(s.graph)
    assert any(recipe_of(server, sampler).offsets)  # else there is nothing to be found
    s = scene()
    applied = s.add("StepDistillApply", model=s.recorded(sampler), use_offsets=True)
    s.ksampler(applied, "drawn", sampler_name=sampler, steps=5)
    client.run(s.graph)
    assert steps_found(server, sampler) == [0, 1, 2, 3, 4]


def test_each_step_is_found_in_the_few_step_ksampler(server, client):
    s = scene()
    few(s, model=s.recorded("few-places"), learn="now", steps=5)
    client.run(s.graph)
    assert any(recipe_of(server, "distilled").offsets)
    assert steps_found(server, "few-places") == [0, 1, 2, 3, 4]


def _newer(server) -> dict:
    """What newer hosts ask of the node too."""
    if version(server.checkout) < (0, 29):
        return {}
    more = {"freenoise": False, "cond_retain_index_list": "", "split_conds_to_windows": False}
    return more | {"latent_retain_index_list": "", "causal_window_fix": True}


def windowed(server, schedule: str, seed: int = 0):
    s = video(seed)
    s.latent = s.add("EmptyHunyuanLatentVideo", width=64, height=64, length=25, batch_size=1)
    s.model = s.add(
        "ContextWindowsManual",
        model=s.model,
        context_length=4,
        context_overlap=1,
        context_schedule=schedule,
        context_stride=1,
        closed_loop=False,
        fuse_method="pyramid",
        dim=2,
        **_newer(server),
    )
    return s


@pytest.mark.parametrize("schedule", ["standard_uniform", "standard_static"])
def test_context_windows_learn_and_draw(server, client, schedule):
    s = windowed(server, schedule)
    out = few(s, model=s.recorded(schedule), learn="now", steps=5, cfg=1.0)
    result = client.run(s.graph)
    told = result.ui(out)["stepdistill"][0]["learning"]
    assert told["action"] == "learn_first" and not told.get("problem")
    found = steps_found(server, schedule)
    assert found == sorted(found) and -1 not in found and len(found) in (5, 24)
    assert -1 not in [place for run in server.runs(schedule) for place in run["places"]]


def test_distilling_goes_through_the_steps(server, client):
    s = scene(rows=1, digits="3")
    s.distill(s.recorded("ladder"), max_steps=4)
    client.run(s.graph)
    places = server.runs("ladder")[0]["places"]
    assert -1 not in places and len(set(places)) > 12
