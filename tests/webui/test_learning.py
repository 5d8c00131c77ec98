"""Learning while the artist draws, by the real host: from an empty store to few steps, in every pass."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from scheduler.learning.fitting import calls_from
from scheduler.samplers.query_offsets import asked_sigma
from scheduler.store import Store
from tests.webui.patience import wait_for

KEY, HIRES = "StepDistill", "StepDistill hires"
FULL = {"sampler_name": "DPM++ 2M", "scheduler": "Karras", "steps": 20}
FEW = {"sampler_name": "Distilled", "scheduler": "Distilled", "steps": 6}


def with_learning(recipes: str = "", record: str = "Automatic") -> dict:
    """The panel's controls as the API sets them."""
    return {"alwayson_scripts": {"StepDistill": {"args": [record, True, recipes]}}}


def test_a_picture_drawn_in_full_is_learnt_from_and_the_next_takes_few_steps(host):
    _, heard = host.draw(**FULL, **with_learning())
    assert len(heard) > 20
    told, sigmas = host.draw(**FEW)
    assert told[KEY].startswith("exact | "), told
    assert len(sigmas) == 6 and as_the_record_has_it(host, told[KEY], sigmas)


def as_the_record_has_it(host, told: str, heard: list[float]) -> bool:
    """Whether the model was asked exactly where the record's recipe says, offsets and all."""
    _, name, _ = told.split(" | ")[:3]
    record = Store(host.server.store).load(name)
    found = [e for e in record.recipes if (e.sampler, e.steps) == ("distilled", len(heard))]
    near = min(found, key=lambda each: abs(each.start_sigma - heard[0]))
    offsets = near.offsets or [0.0] * near.steps
    asked = [asked_sigma(s, d, "ve") for s, d in zip(near.sigmas[:-1], offsets, strict=True)]
    return near.coefficients is not None and np.allclose(heard, asked, rtol=2e-4)


def grey() -> str:
    from tests.webui.test_pictures import _grey

    return _grey()


def test_the_second_pass_of_hires_is_learnt_with_coefficients(host):
    hires = {"enable_hr": True, "hr_upscaler": "Latent", "hr_scale": 2, "denoising_strength": 0.7}
    host.draw(**FULL, **hires, **with_learning())
    told, heard = host.draw(**FEW, **hires)
    for key in (KEY, HIRES):
        assert told[key].startswith("exact | "), told
        assert "as DPM++" not in told[key]  # coefficients and all
    assert len(heard) == 12
    assert as_the_record_has_it(host, told[KEY], heard[:6])
    assert as_the_record_has_it(host, told[HIRES], heard[6:])


def test_image_to_image_is_learnt_from_at_its_own_strength(host):
    """From where the picture in full began, in the steps that the host runs of six."""
    image = {"init_images": [grey()], "denoising_strength": 0.75}
    _, full = host.draw("img2img", **FULL, **image, **with_learning())
    told, heard = host.draw("img2img", **FEW, **image)
    assert told[KEY].startswith("exact | "), told
    assert heard[0] == pytest.approx(full[0], rel=2e-4)
    assert len(heard) == int(0.75 * 6) + 1
    assert as_the_record_has_it(host, told[KEY], heard)


def test_a_strength_near_a_learnt_one_takes_its_recipe_and_is_pasted_with_it(host):
    """And a picture in full there teaches nothing: it says what serves."""
    image = {"init_images": [grey()], "denoising_strength": 0.75}
    host.draw("img2img", **FULL, **image, **with_learning())
    near = image | {"denoising_strength": 0.8}
    told, heard = host.draw("img2img", **FEW, **near)
    assert told[KEY].startswith("nearest | ") and len(heard) == int(0.8 * 6) + 1
    assert "learnt at a denoising strength near this" in host.heard["comments"]
    before, pasted = host.pixels, host.pasted()
    host.draw("img2img", **FEW, **near, **with_learning(pasted["recipes"]))
    assert np.array_equal(host.pixels, before)
    _, heard = host.draw("img2img", **FULL, **near, **with_learning())
    assert len(heard) == int(0.8 * 20) + 1
    assert "Learnt before at a denoising strength near this" in host.heard["comments"]


def test_image_to_image_says_how_many_steps_teach_at_its_strength(host):
    image = {"init_images": [grey()], "denoising_strength": 0.5}
    _, full = host.draw("img2img", **FULL, **image, **with_learning())
    assert len(full) == 11 and host.get("/stepdistill/v1/records") == []
    said = "20 steps at denoising 0.5 run as 11, too few to learn from: draw with 22 or more."
    assert said in host.heard["comments"]
    host.draw("img2img", **(FULL | {"steps": 22}), **image, **with_learning())
    told, _ = host.draw("img2img", **FEW, **image)
    assert told[KEY].startswith("exact | "), told


def test_nothing_is_learnt_where_it_was_not_asked_for(host):
    _, heard = host.draw(**FULL)
    assert len(heard) == 20
    assert host.get("/stepdistill/v1/records") == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sampler_name": "Euler a"}, "adds noise at each step"),
        ({"sampler_name": "DPM++ 2M", "steps": 14}, "fewer than 15 steps"),
        ({"sampler_name": "DPM++ 2M SDE"}, "adds noise at each step"),
        ({"override_settings": {"sigma_max": 5.0}}, "it began at sigma 5"),
    ],
)
def test_what_cannot_be_learnt_from_says_so_and_draws(host, options, why):
    """One sentence below each picture, and no call more."""
    asked = {"steps": 20, "sampler_name": "DPM++ 2M", "scheduler": "Karras"} | options
    for seed in (1, 3):
        _, heard = host.draw(**(asked | {"seed": seed}), **with_learning())
        host.post("/sdapi/v1/options", {"sigma_max": 0.0})
        assert len(heard) == asked["steps"]
        assert host.get("/stepdistill/v1/records") == []
        assert host.heard["comments"].count(why) == 1


def test_a_mask_is_not_learnt_from(host):
    options = {"mask": grey(), "init_images": [grey()], "denoising_strength": 0.9}
    host.draw("img2img", **FULL, **options, **with_learning())
    assert host.get("/stepdistill/v1/records") == []
    assert "mask" in host.heard["comments"]


def test_a_model_that_answers_at_once_is_not_learnt_from_again(host):
    """Its record says what its first answer was; another seed's picture teaches nothing then."""
    host.draw(**FULL, **with_learning())
    store = Store(host.server.store)
    (brief,) = store.records()
    record = store.load(brief.file)
    stages = [dict(each, first_answer={"error": 0.1}) for each in record.provenance["stages"]]
    store.remove(brief.file)
    store.put(replace(record, provenance=record.provenance | {"stages": stages}))
    _, heard = host.draw(**FULL, seed=5, **with_learning())
    assert len(heard) == FULL["steps"]
    assert "answers its first call with a picture" in host.heard["comments"]
    assert "draw it in the steps that its maker names" in host.heard["comments"]


def test_a_pasted_picture_draws_with_the_recipe_that_it_holds(host):
    """Whatever was learnt since, or with no record at all: the very same picture."""
    host.draw(**FULL, **with_learning())
    told, _ = host.draw(**FEW)
    before, pasted = host.pixels, host.pasted()
    assert pasted["recipes"] == told["StepDistill recipe"]
    for entry in host.get("/stepdistill/v1/records"):
        host.delete(f"/stepdistill/v1/records/{entry['name']}")
    again, _ = host.draw(**FEW, **with_learning(pasted["recipes"]))
    assert again[KEY].startswith("as pasted | recipe ")
    assert host.pixels == before


def test_an_interrupt_ends_the_learning_and_keeps_the_picture(host):
    """The run is kept all the same, and the next picture like it goes on."""
    host.get("/witness/stop_after?calls=32")  # in the middle of what is learnt
    told, heard = host.draw(**FULL, **with_learning())
    assert len(heard) == 32  # within one call
    assert len(host.pictures) == 1
    assert "Learning was interrupted" in host.heard["comments"]
    _, heard = host.draw(**FULL, **with_learning(), seed=2)
    went_on = len(heard) - 20
    assert f"Learning took as long as {went_on} steps" in host.heard["comments"]
    assert 12 + went_on <= calls_from(1, 6) + 2  # those that tell the model
    told, _ = host.draw(**FEW)
    assert told[KEY].startswith("exact | ")


def test_an_interrupt_before_the_first_answer_costs_the_next_no_more(host):
    """Two runs lie there then; one is learnt from."""
    host.get("/witness/stop_after?calls=21")
    host.draw(**FULL, **with_learning())
    assert len(host.heard["calls"]) == 21
    _, heard = host.draw(**FULL, **with_learning(), seed=2)
    assert 20 < len(heard) <= 20 + calls_from(1, 6)


def test_the_picture_is_saved_and_shown_before_it_is_learnt_from(host):
    """While the model is asked, to the end: its file is there, the host's progress shows it, and the
    time left is that of the learning."""
    host.server.get("/witness/slow?calls=150")
    kept = {"save_images": True, "override_settings": {"samples_save": True}}
    drawing = Drawing(host, **FULL, **with_learning(), **kept)
    seen = drawing.wait(lambda told: "the picture is done" in (told["textinfo"] or ""))
    assert 0 <= seen["progress"] < 1
    saved, told = drawing.saved(), drawing.watched()
    drawing.end()
    drawn = pixels_of(drawing.picture)
    assert saved == drawn
    shown = [pixels_of(each["current_image"]) for _, each in told]
    assert len(shown) > 10 and set(shown) == {drawn}
    ended = told[-1][0]
    guessed = [
        (each["eta_relative"], ended - when) for when, each in told if each["progress"] > 0.2
    ]
    assert all(eta < 2 * left + 3 for eta, left in guessed), guessed


def pixels_of(picture: str) -> bytes:
    return Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").tobytes()


class Drawing:
    """A picture that is being drawn while others ask after it."""

    def __init__(self, host, **options):
        self.server, self.picture = host.server, ""
        self.thread = Thread(target=self._draw, args=(host, options))
        self.thread.start()

    def _draw(self, host, options):
        host.draw(**options)
        self.picture = host.pictures[0]

    def seen(self) -> dict:
        return self.server.get("/sdapi/v1/progress")

    def wait(self, question) -> dict:
        def asked():
            found = self.seen()
            return found if question(found) else None

        return wait_for(asked, self.server.process.pid, "the picture is learnt from")

    def watched(self) -> list[tuple[float, dict]]:
        """(when, what the progress says), as long as it is learnt from."""
        told = []
        while "the picture is done" in ((now := self.seen())["textinfo"] or ""):
            told.append((time.monotonic(), now))
            time.sleep(0.1)
        return told

    def saved(self) -> bytes:
        """The newest picture of the host's folder."""
        files = self.server.folder.rglob("txt2img-images/**/*.png")
        newest = max(files, key=lambda each: each.stat().st_mtime)
        return Image.open(newest).convert("RGB").tobytes()

    def end(self) -> None:
        self.thread.join()


def test_skip_ends_the_learning_of_every_pass(host):
    hires = {"enable_hr": True, "hr_upscaler": "Latent", "hr_scale": 2, "denoising_strength": 0.7}
    host.get("/witness/skip_after?calls=44")
    told, _ = host.draw(**FULL, **hires, **with_learning())
    rows = [call["shape"][-1] for call in host.heard["calls"]]
    assert rows.count(8) == 24 and rows.count(16) == 20
    assert len(host.pictures) == 1
    assert "Learning was skipped" in host.heard["comments"]


@pytest.mark.parametrize(("button", "word"), [("stop", "interrupted"), ("skip", "skipped")])
def test_a_picture_that_is_broken_off_teaches_nothing_and_says_so(host, button, word):
    host.get(f"/witness/{button}_after?calls=5")
    host.draw(**FULL, **with_learning())
    assert len(host.heard["calls"]) < 20
    assert f"Nothing is learnt from a picture that was {word}." in host.heard["comments"]


def test_a_model_that_breaks_while_it_is_learnt_costs_no_picture(host):
    host.get("/witness/break_after?calls=24")
    host.draw(**FULL, **with_learning())
    assert len(host.pictures) == 1
    assert "Learning from this picture stopped: RuntimeError: no model" in host.heard["comments"]


def test_a_lora_is_learnt_as_another_model(host):
    prompt = "a cat <lora:bend:0.7>"
    host.draw(**FULL, prompt=prompt, **with_learning())
    told, _ = host.draw(**FEW, prompt=prompt)
    assert told[KEY].startswith("exact | ")
    told, _ = host.draw(**FEW)
    assert told[KEY].startswith("nearest | ")


def test_two_of_a_batch_and_prompt_editing_are_learnt_from(host):
    for k, options in enumerate(
        ({"batch_size": 2}, {"prompt": "a [cat:dog:0.5]", "cfg_scale": 3.0})
    ):
        host.draw(**FULL, **options, **with_learning())
        told, _ = host.draw(**FEW, **options)
        assert told[KEY].startswith("exact | "), (k, told)
