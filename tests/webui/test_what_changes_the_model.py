"""Extensions and options of the real host that change what the model answers: no record made without
them is exact, and what is learnt with them is theirs."""

from __future__ import annotations

import pytest

from tests.webui.test_learning import FEW, FULL, KEY, with_learning

MERGING = {"override_settings": {"token_merging_ratio": 0.5}}


def free_u(host) -> dict:
    """The host's own FreeU, switched on, as the API asks for it."""
    found = [each for each in host.get("/sdapi/v1/script-info") if "freeu" in each["name"]]
    script = next(each for each in found if not each["is_img2img"])
    values = [each["value"] for each in script["args"]]
    return {"alwayson_scripts": {script["name"]: {"args": [True, *values[1:]]}}}


@pytest.mark.forge("extensions-builtin/sd_forge_freeu")
def test_a_record_made_without_free_u_is_near(host, stored):
    on = free_u(host)
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled", **on)
    assert told[KEY].startswith("nearest | "), told
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled")
    assert told[KEY].startswith("exact | ")


@pytest.mark.forge("extensions-builtin/sd_forge_freeu")
def test_free_u_is_learnt_with(host):
    on = free_u(host)
    both = {"alwayson_scripts": on["alwayson_scripts"] | with_learning()["alwayson_scripts"]}
    host.draw(**FULL, **both)
    told, _ = host.draw(**FEW, **on)
    assert told[KEY].startswith("exact | "), told
    told, _ = host.draw(**FEW)
    assert told[KEY].startswith("nearest | "), told


def test_token_merging_is_near(host, stored):
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled", **MERGING)
    host.post("/sdapi/v1/options", {"token_merging_ratio": 0.0})
    assert told[KEY].startswith("nearest | "), told


@pytest.mark.parametrize("sampler", ["DDIM", "PLMS"])
def test_what_cannot_be_heard_says_so_below_each_picture(host, sampler):
    asked, why = (
        {"sampler_name": sampler, "steps": 20},
        "Nothing is learnt from pictures drawn with",
    )
    for seed in (1, 5):
        host.draw(**asked, **with_learning(), seed=seed)
        assert host.heard["comments"].count(f"{why} {sampler}.") == 1


def test_a_second_pass_that_takes_no_schedule(host, stored):
    hires = {"enable_hr": True, "hr_upscaler": "Latent", "hr_scale": 2, "denoising_strength": 0.6}
    told, _ = host.draw(
        sampler_name="Euler", scheduler="Distilled", hr_sampler_name="DDIM", **hires
    )
    assert told[KEY].startswith("exact | ")
    assert told["StepDistill hires"] == "not used | DDIM makes its own schedule"


def test_zero_terminal_snr_is_another_range_of_noise(host, stored):
    """No record of the usual range is exact there, and the picture begins where the host's do."""
    asked = {"sampler_name": "Euler", "steps": 4}
    changed = {"override_settings": {"sd_noise_schedule": "Zero Terminal SNR"}}
    try:
        _, own = host.draw(**asked, scheduler="Karras", **changed)
        told, heard = host.draw(**asked, scheduler="Distilled", **changed)
    finally:
        host.post("/sdapi/v1/options", {"sd_noise_schedule": "Default"})
    assert own[0] > 100 and heard[0] == pytest.approx(own[0], rel=2e-3)
    assert not told[KEY].startswith("exact | "), told
    told, heard = host.draw(**asked, scheduler="Distilled")
    assert told[KEY].startswith("exact | ") and heard[0] == pytest.approx(14.6146, rel=1e-3)
