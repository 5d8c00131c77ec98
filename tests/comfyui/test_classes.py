"""The matrix of models and routes in the real ComfyUI: each cell draws what the library draws, or refuses in
one sentence. `python -m benchmarks.classes` prints it."""

from __future__ import annotations

import json
import os

import pytest

from benchmarks.class_cells import CFG, SEED, Row, Subject
from benchmarks.classes import SAME, cells_of, emptied, subjects
from scheduler.store import Store
from tests.comfyui.test_few_step import tidy

HOST = os.environ.get("COMFYUI_PATH", "")
# The others belong to the slow tests.
USUAL = (
    "SD 1.5",
    "SVD",
    "Stable Cascade",
    "SD3",
    "Flux",
    "Flux schnell",
    "Chroma Radiance",
    "Wan",
    "LTX",
    "CogVideoX",
    "Z-Image in pixels",
    "Stable Audio",
    "Flux, fp8",
    "bundled flow, fp8 scaled",
    "Wan, partly loaded",
)
FRAMES = "draws a batch as the frames of one video"
COUPLED = "one picture of a batch by the others"  # a row's answer is another beside a second row
REFUSED = {
    ("SVD", None): FRAMES,
    ("ACE-Step 1.5", "full"): COUPLED,
    ("ACE-Step 1.5", "batch"): COUPLED,
}


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def rows():
    found = subjects(HOST) if HOST else []
    slow = pytest.mark.slow
    return [
        pytest.param(each, id=each.title, marks=() if each.title in USUAL else slow)
        for each in found
    ]


@pytest.mark.parametrize("subject", rows())
def test_every_route_draws_what_the_library_draws(server, subject):
    for route, cell in cells_of(server, subject).items():
        if cell.apart is not None:
            assert cell.apart < SAME, (route, cell)
        refused = REFUSED.get((subject.title, route), REFUSED.get((subject.title, None), ""))
        if refused:
            assert any(each in cell.said + cell.problem for each in refused.split("|")), (
                route,
                cell,
            )
        else:
            assert cell.apart is not None and not cell.problem, (route, cell)


def test_the_comparison_tells_another_recipe(server):
    emptied(server)
    row = Row(server, Subject("bundled flow"))
    assert row.learn().apart < SAME
    (brief,) = Store(server.store).records()
    recipe = Store(server.store).load(brief.file).recipe("distilled", 4)
    sigmas = (recipe.sigmas[0], 0.999 * recipe.sigmas[1], *recipe.sigmas[2:])
    asked = {"sampler": "distilled", "sigmas": sigmas, "offsets": recipe.offsets}
    asked |= {"coefficients": recipe.coefficients, "process": "flow"}
    s = row.scene(1, False, None)
    told = s.add(
        "TestLibrary",
        model=s.model,
        **s.prompts,
        latent_image=s.latent,
        seed=SEED,
        cfg=CFG,
        recipe=json.dumps(asked),
        kept="learn",
    )
    assert float(server.client.run(s.graph).text(told)) > SAME
