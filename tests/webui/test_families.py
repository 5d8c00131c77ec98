"""Forge's other families, loaded by its own loader and drawn with: an SDXL (eps), an SD3 and a Flux
(flows). What is learnt of them is found again, and drawn exactly where the record says."""

from __future__ import annotations

import os

import pytest

from scheduler.samplers.query_offsets import asked_sigma
from scheduler.store import Store
from tests.webui import families
from tests.webui.conftest import Host
from tests.webui.jobs import API, WISH, ended
from tests.webui.server import Server
from tests.webui.test_learning import FEW, FULL, KEY, with_learning

pytestmark = pytest.mark.forge("backend/loader.py")
MADE = {"xl": families.sdxl, "sd3": families.sd3, "flux": families.flux}
KINDS = {"xl": ("ve", "eps"), "sd3": ("flow", "flow"), "flux": ("flow", "flow")}


@pytest.fixture(scope="module", params=list(MADE))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def forge(family, tmp_path_factory):
    folder = tmp_path_factory.mktemp(family)
    model = MADE[family](folder / "made")
    # Previews would download a small decoder of the family.
    options = {"live_previews_enable": False}
    with Server(os.environ["WEBUI_PATH"], folder / "webui", model, options=options) as started:
        yield started


@pytest.fixture
def host(forge):
    found = Host(forge)
    for entry in found.get(f"{API}/records"):
        found.delete(f"{API}/records/{entry['name']}")
    found.get("/witness/forget")
    return found


def test_what_is_learnt_is_found_and_drawn_as_the_record_says(host, family):
    host.draw(**FULL, **with_learning())
    process, prediction = KINDS[family]
    (entry,) = host.get(f"{API}/records")
    record = Store(host.server.store).load(entry["name"])
    assert record.model.parametrisation == process and record.model.prediction == prediction
    told, heard = host.draw(**FEW)
    assert told[KEY].startswith(f"exact | {entry['name']} | 6 steps of Distilled"), told
    recipe = record.recipe("distilled", 6)
    offsets = recipe.offsets or [0.0] * 6
    asked = [asked_sigma(s, d, process) for s, d in zip(recipe.sigmas[:-1], offsets, strict=True)]
    assert heard == pytest.approx(asked, rel=2e-3)  # Forge rounds to whole timesteps
    assert host.get(f"{API}/status")["match"]["record"] == entry["name"]


def test_a_flows_range_and_shift_are_in_the_key(host, family):
    host.draw(**FULL, **with_learning())
    (entry,) = host.get(f"{API}/records")
    model = Store(host.server.store).load(entry["name"]).model
    if family == "xl":
        assert model.shift is None and model.sigma_max == pytest.approx(14.6146, rel=1e-3)
        return
    assert model.sigma_max == pytest.approx(1.0)
    assert model.shift == pytest.approx({"sd3": 3.0, "flux": 3.158}[family], rel=1e-3)


def test_image_to_image_and_distilling_on_purpose(host, family):
    from tests.webui.test_pictures import _grey

    image = {"init_images": [_grey()], "denoising_strength": 0.75}
    host.draw("img2img", **FULL, **image, **with_learning())
    told, _ = host.draw("img2img", **FEW, **image)
    assert told[KEY].startswith("exact | "), told
    host.post(f"{API}/distill", WISH | {"samplers": ["distilled"], "cfg": 7, "steps": [5, 6]})
    done = ended(host)
    assert done["state"] == "done", done
    told, _ = host.draw(**FEW)
    assert told[KEY].startswith(f"exact | {done['record_name']} | "), told
    again, _ = host.draw("img2img", **FEW, **image)  # what was learnt is not lost
    assert again[KEY].startswith("exact | "), again
