"""Latents of several kinds in one: each counts as much, and one that stock draws better is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler import Conditions, Record, distill
from scheduler.distilling.measuring import measure
from scheduler.errors import ScheduleError
from scheduler.record.verdict_words import evidence_words
from scheduler.recordings import record_run
from scheduler.rows import noise_for
from scheduler.sigmas import stock_schedule, table_for
from scheduler.streams import Streams
from tests.mixture import small_mixture

VIDEO, SOUND = 480, 16
STREAMS = ({"name": "video", "elements": VIDEO}, {"name": "sound", "elements": SOUND})
SHAPE = (1, VIDEO + SOUND)
ABOUT = {"latent_shape": SHAPE, "sigma_max": 1.0, "sigma_min": 0.002, "parametrisation": "flow"}


def denoise(x, sigma):
    """Mixtures of eight numbers side by side; the sound's are of a fifth of the size."""
    blocks = x.reshape(len(x), -1, 8).clone()
    first = VIDEO // 8
    exact, many = small_mixture("flow"), sigma.repeat_interleave(blocks.shape[1])
    answer = exact(blocks.reshape(-1, 1, 8), many).reshape(blocks.shape)
    small = sigma[:, None, None] / (sigma[:, None, None] + (1 - sigma[:, None, None]) / 5)
    scaled = (blocks[:, first:] * (small / sigma[:, None, None])).reshape(-1, 1, 8)
    level = small.flatten().repeat_interleave(SOUND // 8)
    answer[:, first:] = exact(scaled, level).reshape(len(x), -1, 8) / 5
    return answer.reshape(x.shape)


def conditions(streams=STREAMS) -> Conditions:
    return Conditions(latent_shape=SHAPE, streams=streams)


@pytest.fixture(scope="module")
def record() -> Record:
    return distill(
        denoise, **ABOUT, steps=[4], budget=90, evidence_budget=0, conditions=conditions()
    )


def own_errors(of: Record, steps: int = 4, seed: int = 0) -> dict[str, float]:
    """Each stream's error of a recipe from noise that it was fitted to, in latents as they are."""
    from scheduler.fit.teacher import record_teacher
    from scheduler.sigmas import log_snr_grid

    noise = noise_for(SHAPE, of.teacher["samples"], seed, torch.device("cpu"))
    grid = log_snr_grid(0.002, 1.0, of.teacher["nodes"], "flow")
    taught = record_teacher(denoise, noise, grid, "flow", "adams3", keep_states=True)
    end = of.sample(denoise, noise, "distilled", steps)
    apart = (end - taught.vectors[len(grid) - 1]).flatten(1)
    parts = apart[:, :VIDEO], apart[:, VIDEO:]
    return {
        each["name"]: float(part.square().mean().sqrt())
        for each, part in zip(STREAMS, parts, strict=True)
    }


def test_the_mean_square_is_the_mean_of_the_streams_own():
    kinds = Streams(("video", "sound"), (VIDEO, SOUND))
    x = torch.randn(3, *SHAPE)
    parts = x[..., :VIDEO], x[..., VIDEO:]
    wanted = sum(part.square().mean((1, 2)) for part in parts) / 2
    assert torch.allclose(kinds.weigh(x).square().mean((1, 2)), wanted, rtol=1e-5)
    assert torch.allclose(kinds.unweigh(kinds.weigh(x)), x)
    errors = kinds.row_errors(x, torch.zeros_like(x))
    assert np.allclose(errors, wanted.sqrt().numpy(), rtol=1e-5)


@pytest.mark.slow
def test_the_evidence_says_each_streams_error_as_it_is(record):
    told = {each["name"]: each for each in record.recipe("distilled", 4).evidence["streams"]}
    found = own_errors(record)
    for name, error in found.items():
        assert told[name]["rms"] == pytest.approx(error, rel=0.02) and told[name]["stock_rms"] > 0
    rms = record.recipe("distilled", 4).evidence["rms"]
    assert rms == pytest.approx((sum(e**2 for e in found.values()) / 2) ** 0.5, rel=0.02)


@pytest.mark.slow
def test_a_small_stream_is_heard(record):
    deaf = distill(
        denoise, **ABOUT, steps=[4], budget=90, evidence_budget=0, conditions=conditions(None)
    )
    assert own_errors(record)["sound"] < own_errors(deaf)["sound"]


@pytest.mark.slow
def test_the_record_keeps_them_and_is_measured_by_them(record):
    again = Record.from_json(record.to_json())
    assert again == record and again.conditions.streams == STREAMS
    measured = measure(again, denoise).recipe("distilled", 4).evidence
    assert [each["name"] for each in measured["streams"]] == ["video", "sound"]
    assert measured["verdict"] != "seen"


@pytest.mark.slow
def test_a_run_drawn_anyway_is_weighed_too(record):
    sigmas = stock_schedule("beta", table_for(0.002, 1.0, "flow"), 25)
    noise = noise_for(SHAPE, 1, 3, torch.device("cpu"))
    run = record_run(denoise, noise, sigmas, "dpmpp_2m", "flow", seed=3)
    made = distill(
        denoise, **ABOUT, steps=[4], recordings=[run], evidence_budget=0, conditions=conditions()
    )
    assert {each["name"] for each in made.recipe("distilled", 4).evidence["streams"]} == {
        "video",
        "sound",
    }


@pytest.mark.slow
def test_a_stream_worse_than_stock_is_named(record):
    from dataclasses import replace

    recipe = record.recipe("distilled", 4)
    beside = [
        {"name": "video", "rms": 0.1, "stock_rms": 0.2},
        {"name": "sound", "rms": 0.3, "stock_rms": 0.2},
    ]
    said = evidence_words(replace(recipe, evidence=recipe.evidence | {"streams": beside}))
    assert "but worse than stock by itself: sound 1.50 times its error" in said
    beside[1]["rms"] = 0.1
    said = evidence_words(replace(recipe, evidence=recipe.evidence | {"streams": beside}))
    assert "by itself" not in said


def test_streams_that_are_not_the_whole_latent_are_refused():
    wrong = ({"name": "video", "elements": 1}, {"name": "sound", "elements": 2})
    with pytest.raises(ScheduleError, match="have 3 numbers together, and it has 496"):
        distill(denoise, **ABOUT, steps=[4], conditions=conditions(wrong))
