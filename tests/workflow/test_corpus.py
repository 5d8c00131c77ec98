"""ComfyUI's own templates, where their package is installed: every sampler swapped or explained,
every round trip equal."""

from __future__ import annotations

import pytest

from benchmarks.workflow_corpus import made_up_record, measured, templates

FILES = templates()
pytestmark = pytest.mark.skipif(
    not FILES, reason="comfyui-workflow-templates-json is not installed"
)


@pytest.fixture(scope="module")
def record():
    return made_up_record(most_steps=50)


def check(tally) -> None:
    counts = tally.counts
    assert counts["sampler nodes"] and not counts["neither"]
    assert counts["round trips equal"] == counts["workflows"]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["distilled", "carried", "baked"])
def test_some_of_the_templates(record, to):
    check(
        measured(
            FILES[::60],
            "baked" if to == "baked" else "distilled",
            None if to == "distilled" else record,
            anyway=True,
        )
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("to", ["distilled", "carried", "baked"])
@pytest.mark.parametrize("anyway", [False, True])
def test_every_template(record, to, anyway):
    check(
        measured(
            FILES,
            "baked" if to == "baked" else "distilled",
            None if to == "distilled" else record,
            anyway=anyway,
        )
    )
