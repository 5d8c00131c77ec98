"""Pictures drawn by the real host: which noise levels its model was asked at, and what the picture
says of it."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest

from scheduler.samplers.query_offsets import asked_sigma
from scheduler.sigmas import sd_table, stock_schedule
from scheduler.store import Store

KEY, HIRES = "StepDistill", "StepDistill hires"


def same(found, expected) -> bool:
    return len(found) == len(expected) and np.allclose(found, expected, rtol=2e-4)


def test_each_entry_stands_in_its_list_once(host):
    """In both dropdowns, beside all of the host's own."""
    schedules = [entry["label"] for entry in host.get("/sdapi/v1/schedulers")]
    samplers = [entry["name"] for entry in host.get("/sdapi/v1/samplers")]
    assert schedules.count("Distilled") == 1 and {"Automatic", "Karras"} <= set(schedules)
    assert samplers.count("Distilled") == 1 and {"Euler", "DPM++ 2M"} <= set(samplers)


@pytest.mark.parametrize(
    ("sampler", "name"),
    [
        ("Euler", "Automatic"),
        ("Heun", "Automatic"),
        ("DPM2", "Automatic (Karras)"),
        ("DPM++ 2M", "Automatic (Karras)"),
        ("DPM++ 2M SDE", "Automatic (Exponential)"),
    ],
)
def test_without_a_record_the_samplers_own_automatic_runs_and_says_so(host, sampler, name):
    """The very sigmas that the host gives it where no schedule type is chosen."""
    _, own = host.draw(sampler_name=sampler, scheduler="Automatic")
    told, sigmas = host.draw(sampler_name=sampler, scheduler="Distilled")
    assert told[KEY] == f"stock | {name} | 4 steps of {sampler}"
    assert sigmas == own
    assert "StepDistill recipe" not in told
    assert f"4 steps on {name}: nothing is learnt of this model yet" in host.heard["comments"]


def test_our_sampler_without_a_record_is_dpmpp_2m_as_the_host_has_it(host):
    _, own = host.draw(sampler_name="DPM++ 2M", scheduler="Automatic")
    for schedule in ("Distilled", "Automatic"):
        told, sigmas = host.draw(sampler_name="Distilled", scheduler=schedule)
        assert told[KEY] == "stock | Automatic (Karras) | 4 steps of Distilled as DPM++ 2M"
        assert sigmas == own


def test_samplers_that_make_their_own_schedule_say_so(host):
    """UniPC and DDIM are asked for no sigmas, DPM adaptive takes their ends alone."""
    for sampler in ("UniPC", "DDIM", "PLMS", "DPM adaptive"):
        told, _ = host.draw(sampler_name=sampler, scheduler="Distilled")
        assert told[KEY].startswith("not used | ")
        assert "Schedule type" not in host.parameters  # in the picture's own file
    told, _ = host.draw(sampler_name="Restart", scheduler="Distilled", steps=20)
    assert told[KEY] == "not used | Restart makes its own schedule"
    assert "Schedule type" not in host.parameters


@pytest.mark.parametrize(
    ("sampler", "rule"), [("Euler", "euler"), ("DPM++ 2M", "dpmpp_2m"), ("Euler a", "euler")]
)
def test_the_record_of_the_loaded_checkpoint_runs(host, stored, record, sampler, rule):
    """A stock sampler runs on the recipe without offsets; an ancestral one takes the schedule of
    its likest."""
    told, sigmas = host.draw(sampler_name=sampler, scheduler="Distilled")
    source = "borrowed" if sampler == "Euler a" else "exact"
    assert told[KEY].startswith(f"{source} | {stored} | 4 steps of ")
    assert told["Schedule type"] == "Distilled"
    assert same(sigmas, record.recipe(rule, 4, offsets=False).sigmas[:-1])


def test_our_sampler_asks_where_the_recipe_says(host, stored, record):
    """Coefficients and query offsets from the record; Automatic means our own schedule."""
    told, sigmas = host.draw(sampler_name="Distilled", scheduler="Automatic")
    recipe = record.recipe("distilled", 4)
    offsets = recipe.offsets or [0.0] * 4
    assert told[KEY] == f"exact | {stored} | 4 steps of Distilled"
    assert same(
        sigmas,
        [
            asked_sigma(sigma, delta, "ve")
            for sigma, delta in zip(recipe.sigmas[:-1], offsets, strict=True)
        ],
    )


def test_our_sampler_on_another_schedule_runs_that_schedule(host, stored):
    """Sigmas that came from somewhere else are never altered."""
    _, karras = host.draw(sampler_name="DPM++ 2M", scheduler="Karras")
    told, sigmas = host.draw(sampler_name="Distilled", scheduler="Karras")
    assert told[KEY] == "no recipe | given sigmas | 4 steps of Distilled as DPM++ 2M"
    assert same(sigmas, karras)
    assert "ran as DPM++ 2M on the schedule type that is chosen" in host.heard["comments"]


def test_samplers_that_drop_a_sigma_run_the_whole_recipe(host, stored, record):
    """DPM++ 3M SDE leaves the last sigma above 0 out."""
    told, sigmas = host.draw(sampler_name="DPM++ 3M SDE", scheduler="Distilled")
    assert (
        same(sigmas, record.recipe("dpmpp_2m", 4, offsets=False).sigmas[:-1])
        and "4 steps of DPM++ 3M SDE" in told[KEY]
    )


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_step_counts_that_are_not_in_the_record_are_solved(host, stored, steps):
    """From the inner products beside it: as many steps as asked, from the top."""
    told, sigmas = host.draw(sampler_name="Euler", scheduler="Distilled", steps=steps)
    assert (
        len(sigmas) == steps
        and np.isclose(sigmas[0], 14.614643, rtol=1e-4)
        and (np.diff(sigmas) < 0).all()
    )
    assert told[KEY].startswith("nearest")  # of what was fitted


@pytest.mark.parametrize("sampler", ["Euler", "Distilled"])
def test_hires_runs_as_many_steps_as_asked_from_its_own_start(host, stored, sampler):
    """The second pass starts at the noise level of its denoising strength."""
    hires = {
        "enable_hr": True,
        "hr_upscaler": "Latent",
        "hr_scale": 2,
        "hr_second_pass_steps": 3,
        "denoising_strength": 0.6,
    }
    told, sigmas = host.draw(sampler_name=sampler, scheduler="Distilled", **hires)
    assert len(sigmas) == 4 + 3 and np.isclose(
        sigmas[4], sd_table().percent_to_sigma(0.4), rtol=1e-3
    )
    assert told[KEY].startswith("exact") and "3 steps" in told[HIRES]


@pytest.mark.parametrize(
    ("strength", "fixed", "runs"),
    [(0.5, False, 5), (0.5, True, 8), (1.0, False, 8), (0.02, False, 1)],
)
def test_img2img_starts_at_its_noise_level(host, stored, strength, fixed, runs):
    """The host cuts the end off; it is the optimum from there for as many steps as run."""
    options = {
        "override_settings": {"img2img_fix_steps": fixed},
        "denoising_strength": strength,
        "steps": 8,
    }
    told, sigmas = host.draw(
        "img2img", init_images=[_grey()], sampler_name="Euler", scheduler="Distilled", **options
    )
    start = sd_table().percent_to_sigma(1 - strength) if strength < 1 else 14.614643
    assert len(sigmas) == runs and (np.diff(sigmas) < 0).all() and f"{runs} step" in told[KEY]
    assert np.isclose(sigmas[0], start, rtol=1e-3)


def test_img2img_at_denoise_zero_draws(host, stored):
    """No step, or hardly one; no exception."""
    for fixed in (False, True):
        options = {"override_settings": {"img2img_fix_steps": fixed}, "denoising_strength": 0.0}
        _, sigmas = host.draw(
            "img2img", init_images=[_grey()], sampler_name="Euler", scheduler="Distilled", **options
        )
        assert len(sigmas) <= 1


@pytest.mark.parametrize("sampler", ["Euler", "Distilled"])
def test_a_mask_and_a_batch(host, stored, sampler):
    """Inpainting and more than one picture at a time draw as with any other schedule."""
    options = {"mask": _grey(), "denoising_strength": 0.75, "batch_size": 2}
    told, sigmas = host.draw(
        "img2img", init_images=[_grey()], sampler_name=sampler, scheduler="Distilled", **options
    )
    assert len(sigmas) == 4 and told[KEY].startswith("nearest")  # solved for its start


def test_a_record_can_be_named_and_left_out(host, stored):
    """By the panel's control, which the API reaches too."""
    for choice, expected in (
        (stored, "named | "),
        ("Stock schedule", "stock | "),
        ("none such", "stock | "),
    ):
        told, _ = host.draw(
            sampler_name="Euler",
            scheduler="Distilled",
            alwayson_scripts={"StepDistill": {"args": [choice]}},
        )
        assert told[KEY].startswith(expected) and told["StepDistill record"] == choice


def test_a_sources_record_that_is_named_serves_and_is_called_unchecked(host, record, tmp_path):
    """In the picture's own parameters, and below it; unasked it is not used."""
    from scheduler.sources import Sources
    from scheduler.sources.publishing import publish

    folder = tmp_path / "ann"
    folder.mkdir()
    record.save(folder / "a.json")
    publish(folder, by="Ann")
    sources = Sources(host.server.store)
    sources.add(str(folder))
    try:
        euler = {"sampler_name": "Euler", "scheduler": "Distilled"}
        told, _ = host.draw(**euler)
        assert told[KEY].startswith("stock | ")
        chosen = {"alwayson_scripts": {"StepDistill": {"args": ["unchecked, from ann: a"]}}}
        told, sigmas = host.draw(**euler, **chosen)
        assert told[KEY].startswith("unchecked | unchecked  from ann  a | 4 steps of Euler")
        assert f"{KEY}: unchecked | unchecked  from ann  a | " in host.parameters
        assert "4 steps, unchecked, from the source ann" in host.heard["comments"]
        assert same(sigmas, record.recipe("euler", 4, offsets=False).sigmas[:-1])
    finally:
        sources.remove("ann")


def test_a_lora_is_another_key_and_the_file_keeps_its_name(host, stored):
    """The record is near then, not exact; and the weights are known in spite of what was baked into them."""
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled", prompt="a cat <lora:bend:0.7>")
    prints = host.get("/witness/fingerprints")
    assert told[KEY].startswith("nearest") and prints["live"] == prints["file"]
    assert [(each["name"], each["strength"]) for each in prints["patches"]] == [("bend", 0.7)]
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled")
    assert told[KEY].startswith("exact") and host.get("/witness/fingerprints")["patches"] == []


def test_other_guidance_is_near(host, stored):
    """A record is for the guidance that it was made at."""
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled", cfg_scale=2.0)
    assert told[KEY].startswith("nearest")
    line = host.heard["comments"].strip()
    assert line == "StepDistill: 4 steps, not learnt for just this: learnt for CFG 7, you use 2."


@pytest.mark.parametrize(
    ("options", "kind"),
    [({"steps": 5}, "txt2img"), ({"denoising_strength": 0.5, "steps": 8}, "img2img")],
)
def test_a_record_that_cannot_serve_hides_none_that_can(host, stored, record, options, kind):
    """One without inner products, put later for the same model, cfg and size."""
    poor = replace(
        record,
        gram=None,
        recipes=record.recipes[:1],
        conditions=replace(record.conditions, cfg=7.2),
    )
    Store(host.server.store).put(poor)
    image = {"init_images": [_grey()]} if kind == "img2img" else {}
    told, _ = host.draw(kind, sampler_name="Euler", scheduler="Distilled", **options, **image)
    assert not told[KEY].startswith("stock"), told


def test_a_stock_schedule_that_won_is_told_below_the_picture(host, record):
    won = tuple(replace(each, choice="karras", coefficients=None) for each in record.recipes)
    Store(host.server.store).put(replace(record, recipes=won))
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled")
    assert told[KEY].endswith("stock's karras")
    assert (
        "it is stock's Euler with schedule type Karras, which nothing beat"
        in host.heard["comments"]
    )


def test_the_users_highest_sigma_counts_for_the_stand_in(host):
    options = {"override_settings": {"sigma_max": 5.0}, "steps": 8}
    _, own = host.draw(sampler_name="DPM++ 2M", scheduler="Karras", **options)
    told, sigmas = host.draw(sampler_name="DPM++ 2M", scheduler="Distilled", **options)
    assert sigmas == own and sigmas[0] < 5.1
    host.post("/sdapi/v1/options", {"sigma_max": 0.0})


def test_a_broken_record_is_left_alone(host, stored):
    """Named in the status, and no picture suffers."""
    path = Store(host.server.store).folder / "broken.json"
    path.write_text("{", encoding="utf-8")
    try:
        told, _ = host.draw(sampler_name="Euler", scheduler="Distilled")
        assert told[KEY].startswith("exact") and any(
            "broken.json" in each for each in host.get("/stepdistill/v1/status")["problems"]
        )
    finally:
        path.unlink()


def test_axes_of_the_grid(host, stored):
    """X/Y/Z: our schedule among the schedule types, and our axis of sources."""
    told, sigmas = host.draw(
        sampler_name="Euler", scheduler="Distilled", script_name="x/y/z plot",
        script_args=_grid(host, "[StepDistill] Source", "Distilled, Stock"),
    )  # fmt: skip
    assert len(sigmas) == 8 and same(sigmas[4:], stock_schedule("normal", sd_table(), 4)[:-1])
    _, sigmas = host.draw(
        sampler_name="Euler",
        script_name="x/y/z plot",
        script_args=_grid(host, "Schedule type", "Distilled, Karras"),
    )
    assert len(sigmas) == 8


def test_other_extensions_with_packages_of_our_names(host):
    """The rival's are the top-level ones, and everything here works beside them."""
    assert host.get("/witness/rivals") == {"scheduler": True, "a1111": True}


def test_parameters_are_read_back(host, stored, label):
    """What a picture says restores the panel's choice, and a record that is not there any more is
    Automatic."""
    line = (
        "Steps: 4, Sampler: Euler, Schedule type: Distilled, CFG scale: 7, Seed: 1, Size: 64x64, "
        "StepDistill record: {}"
    )
    for name, expected in (
        (stored, label),
        ("gone--0", "Automatic"),
        ("Stock schedule", "Stock schedule"),
    ):
        from urllib.parse import quote

        assert (
            host.get(f"/witness/pasted?text={quote('a cat' + chr(10) + line.format(name))}")[
                "record"
            ]
            == expected
        )


def _grid(host, axis: str, values: str) -> list:
    """The arguments of the host's grid script, by the labels that it tells."""
    scripts = host.get("/sdapi/v1/script-info")
    found = next(
        entry for entry in scripts if entry["name"] == "x/y/z plot" and not entry["is_img2img"]
    )
    arguments = [each["value"] for each in found["args"]]
    choices = next(each["choices"] for each in found["args"] if each["label"] == "X type")
    arguments[0:3] = [choices.index(axis), values, values.split(", ")]
    arguments[3:9] = [0, "", [], 0, "", []]
    return arguments


def _grey() -> str:
    from PIL import Image

    with io.BytesIO() as file:
        Image.new("RGB", (64, 64), (128, 128, 128)).save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode()
