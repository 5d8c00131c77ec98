"""A plan with a diffusers pipeline: at two guidances, stopped in the middle, gone on with."""

from __future__ import annotations

import pytest

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[diffusers]")
pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install .[diffusers]"
)

from scheduler.diffusers.tiny import tiny_pipeline
from scheduler.library.ledger import Ledger
from scheduler.library.local import run_here
from scheduler.library.summary import DONE, FAILED, STOPPED
from scheduler.library.work import distilled_here
from tests.library.made import Silent, jobs

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import
PLAN = """
sizes = "64x64"
guidances = [1, 5]
steps = 3
prompts = ["a fox", "a harbour"]
[[models]]
pipeline = "tiny"
name = "Tiny"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("library")
    tiny_pipeline().save_pretrained(place / "tiny")
    return place


def run(found, ledger, work=distilled_here):
    return run_here(found, ledger, "run", Silent(), bool, work)


def test_a_pipeline_is_distilled_by_a_plan_and_found_the_next_time(folder, tmp_path):
    ledger = Ledger(tmp_path / "store")
    found = jobs(PLAN, folder)
    first, second = found

    def stopped(job, ledger, watched):
        watched._should_stop = lambda: watched.last.done > 20
        return distilled_here(job, ledger, watched)

    assert run([first], ledger, stopped)[first.id].state == STOPPED
    result = run(found, ledger)
    assert [result[job.id].state for job in found] == [DONE, DONE]
    assert result[first.id].calls < result[second.id].calls - 15  # what was paid for is kept
    for job in found:
        record = ledger.store.load(result[job.id].record)
        assert record.conditions.cfg == job.cfg and record.conditions.latent_shape == (4, 8, 8)
        assert record.model.name == "Tiny" and record.recipe("distilled", 3).steps == 3
    (ledger.folder / f"{first.id}.json").unlink()  # another plan's record of the same conditions
    again = run(found, ledger)
    assert all(each.found and not each.calls for each in again.values())


def test_what_diffusers_cannot_open_is_a_sentence(tmp_path):
    (tmp_path / "tiny.safetensors").write_bytes(b"no weights")
    found = jobs(PLAN.replace('"tiny"', '"tiny.safetensors"'), tmp_path)
    result = run(found, Ledger(tmp_path / "store"))
    assert {each.state for each in result.values()} == {FAILED}
    assert "could not load" in result[found[0].id].error
