"""Pictures that a pipeline draws anyway: they stay as they are, and are learnt from."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[diffusers]")
pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install .[diffusers]"
)

import diffusers

from scheduler.diffusers import PipelineRecording, distill_pipeline
from scheduler.errors import RecordingError
from tests.diffusers import made
from tests.diffusers.cases import case

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import

STEPS = 20


def drawn(pipe, call, **others):
    generator = torch.Generator().manual_seed(3)
    about = {"num_inference_steps": STEPS, "output_type": "latent", "generator": generator}
    return pipe(**call, **about | others)[0]


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("sd", "EulerDiscreteScheduler", {}),
        ("sd", "DPMSolverMultistepScheduler", {"final_sigmas_type": "zero"}),
        ("sd", "DDIMScheduler", {"set_alpha_to_one": False}),
        ("flux", "FlowMatchEulerDiscreteScheduler", {}),
        ("wan", "UniPCMultistepScheduler", {}),
    ],
)
def test_a_run_is_heard_as_it_was_drawn(name, kind, options):
    pipe, call, reference = case(name)
    pipe.scheduler = getattr(diffusers, kind).from_config(pipe.scheduler.config, **options)
    plain = drawn(pipe, call)
    size = {side: call[side] for side in ("height", "width") if side in call}
    heard = PipelineRecording(pipe, **size)
    assert torch.equal(drawn(pipe, call, callback_on_step_end=heard), plain)
    recording = heard.recording
    recording.check()
    assert recording.steps == STEPS
    layout = heard._layout
    x, denoised = recording.vectors[5], recording.vectors[STEPS + 1 + 5]
    level = torch.tensor([recording.sigmas[5]], dtype=torch.float32)
    expected = layout.unpacked(reference.denoise(layout.packed(x), level))
    assert (denoised - expected).abs().max() / expected.abs().max() < 2e-2  # whole timesteps
    assert "step" not in vars(pipe.scheduler)


def test_a_picture_teaches_the_recipe():
    pipe, call, _ = case("sd")
    call = {name: value for name, value in call.items() if name != "prompt"}
    heard = PipelineRecording(pipe, seed=3)
    drawn(pipe, {"prompt": "a fox", **call}, callback_on_step_end=heard)
    calls = []
    record = distill_pipeline(
        pipe, "a fox", 5, store=False, recordings=[heard.recording],
        on_plan=lambda plan: calls.append(plan.calls), **call,
    )  # fmt: skip
    assert record.teacher["grid"] == "recorded" and record.teacher["nodes"] == STEPS
    without = []
    distill_pipeline(
        pipe, "a fox", 5, store=False, on_plan=lambda plan: without.append(plan.calls), **call
    )
    assert calls[0] < without[0]


def test_what_adds_noise_is_refused():
    pipe = made.sd()
    for kind, options in (
        ("EulerAncestralDiscreteScheduler", {}),
        ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    ):
        pipe.scheduler = getattr(diffusers, kind).from_config(pipe.scheduler.config, **options)
        with pytest.raises(RecordingError, match="draw one with"):
            PipelineRecording(pipe)
        assert "step" not in vars(pipe.scheduler)


def test_nothing_heard_is_said_and_listening_ends():
    pipe = made.sd()
    heard = PipelineRecording(pipe)
    with pytest.raises(RecordingError, match="callback_on_step_end"):
        _ = heard.recording
    heard.close()
    assert "step" not in vars(pipe.scheduler)


def test_a_picture_that_began_lower_is_refused():
    """diffusers' older schedulers leave the top of the noise out, unless told to trail."""
    pipe, call, _ = case("sd")
    pipe.scheduler = diffusers.DDIMScheduler.from_config(
        pipe.scheduler.config, timestep_spacing="leading"
    )
    heard = PipelineRecording(pipe)
    drawn(pipe, call, callback_on_step_end=heard)
    with pytest.raises(RecordingError, match="trailing"):
        distill_pipeline(pipe, "a fox", 5, store=False, recordings=[heard.recording])
