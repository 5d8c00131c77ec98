"""The schedule and the sampler in a make-believe host: lists, lengths, starts, and what the
parameters say."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.sigmas import sd_table, stock_schedule
from scheduler.store import Store
from tests.a1111 import made

KEY = "StepDistill"


def picture(**options):
    """As much of the host's processing as matters."""
    given = {
        "scheduler": "Distilled",
        "cfg_scale": 7.0,
        "steps": 4,
        "fixed": False,
        "denoising_strength": 0.5,
        "is_hr_pass": False,
    }
    return SimpleNamespace(extra_generation_params={}, comments=[], **(given | options))


def sampler(webui, checkpoint, name="sample_euler", **options):
    """One of the host's samplers."""
    made_ = webui.sampler(name, checkpoint)
    made_.config = made.SamplerData("", None, [], options)
    return made_


def drawn(webui, checkpoint, p, name="sample_euler", image=False, steps=None, **options):
    """The sigmas that the host would run."""
    x, found = torch.zeros(1, 4, 8, 8), sampler(webui, checkpoint, name, **options)
    sigmas = (
        found.sample_img2img(p, x, x, None, None, steps)
        if image
        else found.sample(p, x, None, None, steps)
    )
    return sigmas.double().numpy()


def test_the_lists_have_each_entry_once_however_often_the_script_runs(webui):
    """Appended in place; nothing of the host's is replaced, and its methods are wrapped once."""
    modules = webui.modules
    before = (
        modules.sd_schedulers.schedulers,
        modules.sd_samplers.all_samplers,
        webui.sampler.get_sigmas,
    )
    for _ in range(2):
        made.run_script()
    assert before == (
        modules.sd_schedulers.schedulers,
        modules.sd_samplers.all_samplers,
        webui.sampler.get_sigmas,
    )
    assert [each.label for each in modules.sd_schedulers.schedulers] == [
        "Automatic",
        "Karras",
        "Distilled",
    ]
    assert [each.name for each in modules.sd_samplers.all_samplers] == ["Euler", "Distilled"]
    assert (
        modules.sd_schedulers.schedulers_map["distilled"]
        is modules.sd_schedulers.schedulers_map["Distilled"]
    )


def test_another_extension_has_the_name(webui):
    """Its entries stay, and ours are not offered."""
    schedules, samplers = webui.modules.sd_schedulers, webui.modules.sd_samplers
    for name in ("distilled", "Distilled"):
        schedules.schedulers_map[name] = made.Scheduler("distilled", "Distilled", None)
    schedules.schedulers[2:] = [schedules.schedulers_map["Distilled"]]
    theirs = made.SamplerData("Distilled", None, [], {})
    samplers.all_samplers[1:], samplers.all_samplers_map["Distilled"] = [theirs], theirs
    made.run_script()
    assert [each.function for each in schedules.schedulers if each.name == "distilled"] == [None]
    assert [each for each in samplers.all_samplers if each.name == "Distilled"] == [theirs]


def test_the_settings_take_the_entries_out(monkeypatch, tmp_path):
    """And leave the host's own."""
    host = made.install(monkeypatch, {"stepdistill_dropdowns": False})
    assert [each.label for each in host.modules.sd_schedulers.schedulers] == ["Automatic", "Karras"]
    assert "Distilled" not in host.modules.sd_schedulers.schedulers_map


def test_the_recipe_runs_and_says_so(webui, checkpoint, record, stored):
    """Exactly the record's sigmas."""
    p = picture()
    assert np.allclose(
        drawn(webui, checkpoint, p), record.recipe("euler", 4, offsets=False).sigmas, rtol=1e-5
    )
    assert p.extra_generation_params[KEY] == f"exact | {stored} | 4 steps of euler"
    assert set(p.extra_generation_params) == {KEY, "StepDistill recipe"}


def test_samplers_that_drop_a_sigma(webui, checkpoint, record, stored):
    """Are left with the recipe."""
    found = drawn(
        webui, checkpoint, picture(), "sample_dpmpp_3m_sde", discard_next_to_last_sigma=True
    )
    assert np.allclose(found, record.recipe("dpmpp_2m", 4, offsets=False).sigmas, rtol=1e-5)


@pytest.mark.parametrize("drops", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("fixed", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "strength",
    [
        0.0,
        0.05,
        0.5,
        0.999,
        1.0,
        *(pytest.param(s, marks=pytest.mark.slow) for s in (0.3, 0.75, 0.99)),
    ],
)
@pytest.mark.parametrize("steps", [1, 2, 5, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_every_img2img_pass_is_a_valid_schedule(
    webui, checkpoint, stored, steps, strength, fixed, drops
):
    """As many steps as the host says, strictly decreasing, ending in 0, from the strength's own
    noise level."""
    p = picture(steps=steps, fixed=fixed, denoising_strength=strength)
    total, last = made.setup_img2img_steps(p)
    found = drawn(webui, checkpoint, p, image=True, discard_next_to_last_sigma=drops)
    assert len(found) == (min(last + 1, total) if total else 0) + 1
    assert found[-1] == 0 and (np.diff(found) < 0).all()
    if len(found) > 1 and 0.05 <= strength < 0.999:
        assert np.isclose(found[0], sd_table().percent_to_sigma(1 - strength), rtol=1e-3)


def test_no_model_and_no_context_still_give_a_schedule(webui):
    """Whoever asks, and whatever is broken: n + 1 sigmas."""
    schedule = made.ours("a1111.schedule")
    for n in (0, 1, 2, 7):
        found = schedule.sigmas_for(n, 0.03, 14.6, inner_model=None, device="cpu")
        assert len(found) == n + 1 and found[-1] == 0 and (np.diff(found) < 0).all()


def test_without_a_record_stock_runs_as_it_does_in_the_host(webui, checkpoint):
    """Cut by the host as it would cut its own."""
    p = picture(steps=8)
    found = drawn(webui, checkpoint, p, image=True)
    assert np.allclose(found, stock_schedule("normal", sd_table(), 8)[3:], rtol=1e-4)
    assert p.extra_generation_params[KEY] == "stock | Automatic | 5 steps of euler"


def test_a_named_record_and_none(webui, checkpoint, stored):
    """The panel's choice goes first, and is told."""
    for choice, source in ((stored, "named"), ("Stock schedule", "stock"), ("gone", "stock")):
        p = picture(stepdistill_record=choice)
        drawn(webui, checkpoint, p)
        assert (
            p.extra_generation_params[KEY].startswith(source)
            and p.extra_generation_params["StepDistill record"] == choice
        )


def test_parameters_read_back(webui, stored):
    """A choice that is known here, else Automatic."""
    read = made.ours("a1111.infotext").record_of
    label_of = made.ours("a1111.record_list").label_of
    assert read({"StepDistill record": stored}) == label_of(stored) != stored
    assert read({"StepDistill record": "gone"}) == read({}) == "Automatic"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.integers(1, 12),
    more=st.integers(0, 30),
    drops=st.booleans(),
    start=st.floats(0.05, 14.614643),
)
def test_filled_gives_the_recipe_when_cut(webui, steps, more, drops, start):
    """Whatever is put before and between never runs."""
    filled = made.ours("scheduler.lookup.cutting").filled
    recipe = [start * 0.7**k for k in range(steps)] + [0.0]
    asked = steps + drops + more
    found = filled(recipe, asked, drops, 14.614643)
    assert len(found) == asked + 1 and (np.diff(found) < 0).all()
    kept = found[:-2] + found[-1:] if drops else found
    assert kept[-steps - 1 :] == recipe


@pytest.mark.slow  # a Python of its own, which loads torch
def test_the_script_loads_nothing_heavy(tmp_path):
    """The host's start pays for names and callbacks only."""
    code = (
        "import sys\nfrom tests.a1111 import made\n"
        "class Patch:\n    def setitem(self, mapping, key, value): mapping[key] = value\n"
        "made.install(Patch())\n"
        "print(*(name for name in sys.modules if name.startswith((made.ALIAS, 'matplotlib', 'safetensors'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=made.ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert f"{made.ALIAS}.a1111.panel" in loaded
    assert not {
        "matplotlib",
        "safetensors",
        f"{made.ALIAS}.scheduler.record",
        f"{made.ALIAS}.scheduler.sigmas",
    } & set(loaded)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sample_euler_ancestral", "borrowed | {} | 4 steps of euler_ancestral"),
        ("sample_dpm_2", "stock | "),  # nothing was distilled for heun
        ("sample_euler", "exact | {} | 4 steps of euler"),
        ("sample_distilled", "exact | {} | 4 steps of distilled"),
    ],
)
def test_only_what_was_distilled_is_exact(webui, checkpoint, stored, name, says):
    """A borrowed schedule is near, and the picture says whose it is."""
    p = picture(comment=lambda text: p.comments.append(text))
    drawn(webui, checkpoint, p, name)
    assert p.extra_generation_params[KEY].startswith(says.format(stored))
    (line,) = p.comments
    assert line.count(".") <= 2 + line.count("0.")  # one short line
    words = {"exact": "learnt for just this", "borrowed": "borrowed", "stock": "4 steps on "}
    assert words[says.split(" | ")[0]] in line
    assert name != "sample_euler_ancestral" or "not tried with this sampler" in line


def test_what_is_gained_stands_below_the_picture_and_once_in_the_panel(
    webui, checkpoint, stored, monkeypatch
):
    """Whose first line says it already."""
    notes = made.ours("a1111.notes")
    monkeypatch.setattr(made.ours("a1111.truth"), "gain_of", lambda found, here: "so near")
    p = picture(comment=lambda text: p.comments.append(text))
    notes.begin(p)
    drawn(webui, checkpoint, p)
    assert p.comments == ["StepDistill: 4 steps, learnt for just this: so near."]
    notes.finished(p)
    assert notes.last_note() == "4 steps, learnt for just this."


@pytest.mark.parametrize(
    ("cfg", "words", "gain"),
    [
        (7.5, "4 steps, learnt at CFG 7: as near", "as near to the full picture as 9 steps"),
        (3.0, "4 steps, learnt at CFG 7, checked from 1 to 7.", ""),
        (1.0, "4 steps, learnt at CFG 7, checked from 1 to 7: 2 times nearer", "than 4 steps of"),
    ],
)
def test_what_holds_at_another_cfg_says_what_was_measured_there(
    webui, checkpoint, record, monkeypatch, cfg, words, gain
):
    """Never what was measured where it was learnt, as if it were of here."""
    module = webui.modules.sd_samplers_kdiffusion
    listed = [("Euler", "sample_euler", [], {"scheduler": "karras"})]
    monkeypatch.setattr(module, "samplers_k_diffusion", listed, raising=False)
    check = {"cfg": 1.0, "holds": True, "rms": 0.1, "stock_rms": 0.2, "stock": "karras + euler"}
    evidence = {"rms": 0.1, "best_stock": "karras + euler", "equals_stock_steps": 9}
    won = replace(
        record.recipe("euler", 4), choice="ours", evidence=evidence | {"cfg_checks": [check]}
    )
    Store(made.ours("a1111.stores").store().folder).put(replace(record, recipes=(won,)))
    assert "CFG 7, checked from 1 to 7, 64x64" in made.ours("a1111.record_list").listed()[2]
    p = picture(comment=lambda text: p.comments.append(text), cfg_scale=cfg)
    made.ours("a1111.notes").begin(p)
    drawn(webui, checkpoint, p)
    (told,) = p.comments
    assert words in told and gain in told and p.extra_generation_params[KEY].startswith("exact")


def test_what_was_checked_at_another_size_says_where_it_was_learnt(webui, checkpoint, record):
    kin = {"name": "tiny", "kinship": "same", "steps": 4, "latent_shape": [4, 16, 16], "cfg": 7.0}
    kin |= {"verdict": "holds", "rms": 0.1, "stock_rms": 0.2, "stock": "karras + euler", "rows": 1}
    kin |= {"calls": 20, "sampler": "euler"}
    evidence = {"rms": 0.1, "rows": {"checked": 1}}
    held = replace(record.recipe("euler", 4), choice="ours", evidence=evidence)
    about = record.provenance | {"kin": [kin]}
    Store(made.ours("a1111.stores").store().folder).put(
        replace(record, recipes=(held,), provenance=about)
    )
    p = picture(comment=lambda text: p.comments.append(text))
    made.ours("a1111.notes").begin(p)
    drawn(webui, checkpoint, p)
    assert p.comments == ["StepDistill: 4 steps, learnt at 128x128, checked at 64x64."]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"steps": 5, "denoising_strength": 0.5, "image": True},
            "5 steps (3 of them run at denoising 0.5), ",
        ),
        (
            {"steps": 12},
            "worked out for so many steps, not tried; no Distilled is learnt in so many, so",
        ),
    ],
)
def test_the_line_says_plainly_what_runs(webui, checkpoint, stored, options, words):
    image = options.pop("image", False)
    p = picture(comment=lambda text: p.comments.append(text), **options)
    made.ours("a1111.notes").begin(p)
    drawn(webui, checkpoint, p, "sample_distilled", image=image)
    assert words in p.comments[0]


def test_what_stands_in_for_distilled_is_said_to(webui, checkpoint):
    p = picture(comment=lambda text: p.comments.append(text))
    made.ours("a1111.notes").begin(p)
    drawn(webui, checkpoint, p, "sample_distilled")
    assert ", which stands in for Distilled: nothing is learnt of this model yet" in p.comments[0]


def test_with_a_mask_nothing_is_exact(webui, checkpoint, stored):
    p = picture(comment=lambda text: p.comments.append(text), mask="a mask")
    made.ours("a1111.notes").begin(p)
    drawn(webui, checkpoint, p)
    told = "not learnt for just this: made for whole pictures, without a mask"
    assert p.comments == [f"StepDistill: 4 steps, {told}."]
    assert p.extra_generation_params[KEY].startswith(f"nearest | {stored} | ")


def test_what_is_solved_is_not_exact(webui, checkpoint, stored):
    """Other steps, and a start of its own."""
    for options in ({"steps": 9}, {"image": True}):
        p = picture(steps=options.get("steps", 4))
        drawn(webui, checkpoint, p, image="image" in options)
        assert p.extra_generation_params[KEY].startswith(f"nearest | {stored} | ")


def test_a_stock_schedule_that_won_is_told(webui, checkpoint, record):
    won = replace(record, recipes=tuple(_won(each) for each in record.recipes))
    name = Store(made.ours("a1111.stores").store().folder).put(won).removesuffix(".json")
    p = picture()
    drawn(webui, checkpoint, p)
    assert p.extra_generation_params[KEY] == f"exact | {name} | 4 steps of euler | stock's karras"


def _won(recipe):
    return replace(recipe, choice="karras") if recipe.sampler == "euler" else recipe


@pytest.mark.parametrize(
    ("name", "steps", "unused"),
    [
        ("sample_dpm_adaptive", 4, True),
        ("sample_dpm_fast", 4, True),
        ("restart_sampler", 20, True),
        ("restart_sampler", 8, False),
    ],
)
def test_samplers_that_make_their_own_schedule(webui, checkpoint, name, steps, unused):
    """The parameters don't name what didn't run."""
    p = picture(steps=steps)
    drawn(webui, checkpoint, p, name)
    says = f"not used | {name.removeprefix('sample_')} makes its own schedule"
    assert (p.extra_generation_params[KEY] == says) == unused


def test_samplers_that_are_asked_for_no_sigmas(webui):
    """UniPC, DDIM and PLMS: told of when the picture is done, unless a schedule of ours has run."""
    comments = []
    p = picture(sampler_name="UniPC", comment=comments.append)
    script = made.ours("a1111.panel").StepDistillScript()
    script.postprocess_batch(p, "Automatic", images=None, batch_number=0)
    assert p.extra_generation_params == {
        KEY: "not used | UniPC makes its own schedule",
        "Schedule type": None,  # the host leaves out what is None
    }
    assert "UniPC makes its own schedule" in comments[0]
    for other in (picture(scheduler="Karras"), picture(extra={KEY: "exact"})):
        other.extra_generation_params.update(getattr(other, "extra", {}))
        before = dict(other.extra_generation_params)
        script.postprocess_batch(other)
        assert other.extra_generation_params == before


def test_our_sampler_on_another_schedule_says_so_below_the_picture(webui):
    comments = []
    p = picture(comment=comments.append)
    here = made.ours("a1111.sampling_pass").Pass(None, p)
    made.ours("a1111.infotext").foreign(here, 4)
    assert p.extra_generation_params[KEY].startswith("no recipe") and "Distilled" in comments[0]


def test_the_stand_in_is_the_samplers_own_before_the_usual(webui, checkpoint):
    """And what the user has set before both."""
    for fallback, own, name in (
        (None, "karras", "Automatic (Karras)"),
        (None, "distilled", "Automatic"),
        ("beta", "karras", "beta"),
    ):
        if fallback:
            webui.opts.stepdistill_fallback = fallback
        p = picture(steps=8)
        found = drawn(webui, checkpoint, p, scheduler=own)
        assert p.extra_generation_params[KEY] == f"stock | {name} | 8 steps of euler"
        runs = {"Automatic (Karras)": "karras", "Automatic": "normal"}.get(name, name)
        assert np.allclose(found, stock_schedule(runs, sd_table(), 8), rtol=1e-4)


def test_the_users_highest_sigma_counts_for_the_stand_in_too(webui, checkpoint):
    schedule = made.ours("a1111.schedule")
    inner = SimpleNamespace(inner_model=checkpoint)
    identity = made.ours("a1111.identity")
    facts = identity.facts_of(checkpoint)
    sigmas = schedule._stock("simple", 6, facts, 5.0)
    assert len(sigmas) == 7 and sigmas[0] == pytest.approx(5.0, rel=1e-2) and inner
    assert schedule._stock("simple", 6, facts, 14.7)[0] == facts.sigma_max


def test_families_by_the_hosts_own_marks(checkpoint):
    of = made.ours("a1111.identity")._host_class
    assert of(SimpleNamespace(is_sd1=True)) == "SD15" and of(SimpleNamespace()) == ""
    assert of(SimpleNamespace(is_sdxl=True, is_ssd=True)) == "SSD1B"
    flux = type("Flux", (), {})()
    assert of(SimpleNamespace(model_config=flux, is_sd1=True)) == "Flux"


def test_what_other_extensions_hang_into_the_model_is_a_patch(webui, checkpoint, monkeypatch):
    """FreeU on Forge: the record was made without it, so it is near."""
    weights = made.ours("a1111.weights")

    def free_u(h):
        return h

    options = {"transformer_options": {"patches": {"output_block_patch": [free_u]}}}
    unet = SimpleNamespace(model_options=options, lora_patches={})
    forge = SimpleNamespace(forge_objects=SimpleNamespace(unet=unet))
    (patch,) = weights.patches_of(forge)
    assert patch["name"].startswith("output_block_patch: ") and patch["name"].endswith("free_u")
    assert weights.lora_names(forge) == () and weights.patches_of(checkpoint) == ()


def test_extensions_in_the_place_of_parts_of_the_model_are_no_exact_hit(
    webui, checkpoint, stored, monkeypatch
):
    """ControlNet takes the diffusion model's forward on A1111, Dynamic Thresholding the guidance."""
    diffusion = checkpoint.model.diffusion_model
    monkeypatch.setattr(diffusion, "forward", lambda *_: None, raising=False)
    p = picture()
    drawn(webui, checkpoint, p)
    assert p.extra_generation_params[KEY].startswith("nearest | ")


def test_another_extensions_guidance_is_no_exact_hit(webui, checkpoint):
    pass_of = made.ours("a1111.sampling_pass").Pass
    guide = type("CustomDenoiser", (), {"__module__": "dynamic_thresholding.py"})()
    own = type("CFGDenoiser", (), {"__module__": "modules.sd_samplers_kdiffusion"})()
    facts_of_pass = made.ours("a1111.identity").facts_of_pass
    for wrapped, names in ((guide, ["guidance: CustomDenoiser"]), (own, [])):
        here = pass_of(SimpleNamespace(model_wrap_cfg=wrapped), None)
        found = facts_of_pass(here, checkpoint)
        assert [each["name"] for each in found.patches] == names
