"""A picture that a pipeline drew anyway, recorded to learn from."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..errors import RecordingError
from ..recordings import Recording
from .facts import layout_for, noise_of_pipeline
from .latents import Layout

# diffusers' deterministic schedulers, and what the library calls their sampler.
SAMPLERS = {
    "EulerDiscreteScheduler": "euler",
    "FlowMatchEulerDiscreteScheduler": "euler",
    "DDIMScheduler": "euler",
    "DPMSolverMultistepScheduler": "dpmpp_2m",
    "UniPCMultistepScheduler": "uni_pc",
    "DEISMultistepScheduler": "deis",
    "LMSDiscreteScheduler": "lms",
    "StepDistillScheduler": "distilled",
}


class PipelineRecording:
    """Listens to one call of a pipeline: `pipe(..., callback_on_step_end=recording)`.

        drawn = PipelineRecording(pipe, height=1024, width=1024)
        pipe(prompt, height=1024, width=1024, num_inference_steps=25, callback_on_step_end=drawn)
        distill_pipeline(pipe, prompt, steps=6, recordings=[drawn.recording], height=1024, width=1024)

    Between being made and the run's end it hears the scheduler's steps, where what the model saw and
    answered is; the callback tells the end. It changes nothing, and a run that it cannot follow is
    drawn all the same: `recording.check()` says why nothing can be learnt from it. `close` ends it
    without a run. call: what says the size of packed latents (height, width). Raises RecordingError
    for a scheduler that adds noise or is not known, and SigmaRangeError for an unknown kind of noise.
    """

    def __init__(self, pipe: Any, seed: int | None = None, **call: Any):
        self.pipe, self.call, self.seed = pipe, call, seed
        self.noise = noise_of_pipeline(pipe)
        self._scheduler = pipe.scheduler
        self._sampler = _sampler_of(pipe.scheduler)
        self._made: Recording | None = None
        self._layout: Layout | None = None
        self._last: torch.Tensor | None = None
        self._step = pipe.scheduler.step
        pipe.scheduler.step = self._heard

    @property
    def recording(self) -> Recording:
        """The run as it was drawn; raises RecordingError before a run was heard."""
        if self._made is None:
            raise RecordingError(
                "No run was heard; call the pipeline with this as callback_on_step_end."
            )
        return self._made

    def __call__(self, pipe: Any, step: int, timestep: Any, given: dict) -> dict:
        """The pipeline's callback_on_step_end: after the last step the run is finished."""
        if step + 1 >= pipe.num_timesteps:
            self._finish(given.get("latents"))
        return {}

    def close(self) -> None:
        """Leave the pipeline alone."""
        vars(self._scheduler).pop("step", None)

    def _heard(
        self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *rest, **named
    ):
        """The scheduler's own step, noted."""
        self._note(model_output, timestep, sample)
        return self._step(model_output, timestep, sample, *rest, **named)

    def _note(self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor) -> None:
        if self._made is None:
            self._layout = layout_for(self.pipe, self.call, tuple(sample.shape[1:]))
            name = type(self._scheduler).__name__.removesuffix("Scheduler")
            self._made = Recording(
                self._layout.shape,
                self.noise.process,
                sampler=self._sampler,
                seed=self.seed,
                name=name,
            )
        sigma = self.noise.sigma(float(timestep))
        x = sample.detach().float() * self._scale(sigma)
        denoised = self.noise.denoised(model_output.detach().float(), x, sigma)
        assert self._layout is not None
        self._made.step(self._layout.unpacked(x), sigma, self._layout.unpacked(denoised))
        self._last = denoised

    def _scale(self, sigma: float) -> float:
        """What brings the scheduler's latents to the library's: eps and v models are sampled at unit
        variance by some schedulers."""
        grows = self.noise.process == "flow" or float(self._scheduler.init_noise_sigma) > 1
        return 1.0 if grows else math.sqrt(sigma**2 + 1)

    def _finish(self, latents: torch.Tensor | None) -> None:
        """The end: the latents at sigma 0, or, of schedulers that stop above it, the last answer."""
        self.close()
        if self._made is None or self._layout is None or self._last is None:
            return
        end = latents if latents is not None and self._ends_at_0() else self._last
        self._made.finish(self._layout.unpacked(end.detach().float()))

    def _ends_at_0(self) -> bool:
        sigmas = getattr(self._scheduler, "sigmas", None)
        return sigmas is not None and float(sigmas[-1]) == 0


def _sampler_of(scheduler: Any) -> str:
    name = type(scheduler).__name__
    config = scheduler.config
    noisy = str(config.get("algorithm_type", "")).startswith("sde") or config.get(
        "stochastic_sampling"
    )
    if name not in SAMPLERS or noisy:
        known = ", ".join(each.removesuffix("Scheduler") for each in SAMPLERS)
        raise RecordingError(
            f"Pictures of {name} cannot be learnt from: it adds noise at each step, or is not known; "
            f"draw one with any of: {known}."
        )
    return SAMPLERS[name]
