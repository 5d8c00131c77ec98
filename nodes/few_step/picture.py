"""One picture in ComfyUI, as `scheduler.learning` draws it and learns from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from ...scheduler.learning import words
from ...scheduler.learning.at_hand import drew_this
from ...scheduler.learning.deciding import IN_FULL, LEARN_FIRST
from ...scheduler.learning.fitting import Learnt
from ...scheduler.learning.one_picture import ROWS
from ...scheduler.learning.outcome import Announcement
from ...scheduler.lookup.selection import Selection
from ...scheduler.recordings import Recording
from ...scheduler.samplers.k_diffusion import run_in_host
from ..host.guider import RATIOS, Guided, run
from ..host.masks import mask_of
from ..host.sample_sigmas import Listed
from ..page.log import log
from ..page.price import BESIDE, pace, pace_key
from ..page.progress import Teller, say
from .conditioning import prompt_hash

TIMING = 2  # model calls that tell how long one takes


class Picture:
    """The host side of one run of the node.

    of: the guider and its LATENT. process: of the model's noise. node: its id on the page, or None.
    """

    def __init__(self, of: Guided, process: str, seed: int, node: str | None):
        self.of, self.process = of, process
        self.seed, self.node = seed, node
        self.told: Announcement | None = None
        self._pace: float | None = None  # seconds a model call
        self._prompt: str | None = None
        self.paced_as = pace_key(of)

    def tell(self, told: Announcement) -> None:
        """Say what is about to happen; what is learnt is said again with its seconds (with_model)."""
        first = told.improving or told.decision.action == LEARN_FIRST
        if first and self._seconds_a_call() is None:  # which calls of their own tell
            told = told.priced(told.calls + TIMING, TIMING)
        self.told = told
        text = words.before(told)
        log.info("StepDistill: %s", text)
        say(self.node, text)

    @property
    def interruption(self) -> type[BaseException]:
        from comfy.model_management import InterruptProcessingException

        return InterruptProcessingException

    def prompt(self) -> str:
        if self._prompt is None:
            self._prompt = prompt_hash(self.of.guider, self.of.cfg)
        return self._prompt

    def draw(self, found: Selection, recording: Recording | None) -> dict:
        """The LATENT that a recipe draws, in one sampling call of the guider."""

        def few_step_picture(model, x, sigmas, extra_args=None, callback=None, disable=None):
            listed = Listed(found.recipe, self.process)
            asked = self._asked(model, extra_args or {}, recording, listed)
            kept = mask_of(extra_args)
            drawn = run_in_host(found.recipe, self.process, asked, x, callback, disable, kept)
            if recording is not None:
                recording.finish(drawn[:ROWS])
            return drawn

        return self._sampled(few_step_picture, found)

    def handed(self, found: Selection, runs: Sequence[Recording]) -> dict | None:
        """The LATENT that one of these runs ended in, where it is this very picture."""
        same: list[Recording] = []

        def finished_picture(model, x, sigmas, extra_args=None, callback=None, disable=None):
            asked = self._asked(model, extra_args or {}, None)
            same.extend(each for each in runs if drew_this(each, x, asked))
            return same[0].vectors[same[0].steps].to(x) if same else x

        drawn = self._sampled(finished_picture, found)
        return drawn if same else None

    def _sampled(self, function: Callable, found: Selection) -> dict:
        """The LATENT of one sampling call of the guider with such a sampler function."""
        import comfy.model_management
        import comfy.sample
        import comfy.samplers
        import comfy.utils
        import latent_preview

        recipe, latent = found.recipe, self.of.latent
        noise = comfy.sample.prepare_noise(self.of.samples, self.seed, latent.get("batch_index"))
        drawn = self.of.guider.sample(
            noise,
            self.of.samples,
            comfy.samplers.KSAMPLER(function),
            torch.tensor(recipe.sigmas, dtype=torch.float32),
            denoise_mask=latent.get("noise_mask"),
            callback=latent_preview.prepare_callback(self.of.patcher, recipe.steps),
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=self.seed,
        )
        kept = {name: value for name, value in latent.items() if name not in RATIOS}
        return kept | {"samples": drawn.to(comfy.model_management.intermediate_device())}

    def with_model(self, planned: int, work) -> Learnt:
        """What `work` returns, run inside one sampling call with the picture's own conditioning."""
        previews = len(self.of.shape) > 2
        teller = Teller(self.of.patcher, self.node, previews, self.paced_as)

        def timed(denoisers: tuple) -> Learnt:
            assert self.told is not None
            beside = self._timed(denoisers[0])
            text = words.meanwhile(self.told, self.told.calls * (self._seconds_a_call() or 0.0))
            teller.plan(text, self.told.calls)

            def heard(done: int, most: int, phase: str) -> None:
                teller.progress(done + beside, most + beside, phase)

            learnt = work(denoisers[0], heard)
            teller.finished()
            return replace(learnt, calls=learnt.calls + beside)

        top = float(self.of.patcher.get_model_object("model_sampling").sigma_max)
        learnt = run(self.of, timed, top, self.seed, heard=teller.heard)
        if self.told is not None and self.told.decision.action == IN_FULL:
            _hear_no_late_interrupt()
        return learnt

    def _asked(
        self,
        model,
        extra_args: dict,
        recording: Recording | None,
        listed: Listed | None = None,
    ):
        """The host's model, stopped where the user interrupts; timed and told to a recording."""
        from comfy.model_management import throw_exception_if_processing_interrupted

        def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            throw_exception_if_processing_interrupted()
            began = time.monotonic()
            given = extra_args if listed is None else listed.arguments(extra_args, sigma)
            denoised = model(x, sigma, **given)
            if recording is not None:
                recording.step(x[:ROWS], sigma, denoised[:ROWS])
                self._pace = time.monotonic() - began
            return denoised

        return denoise

    def _seconds_a_call(self) -> float | None:
        """What a call of learning takes, with the fitting beside it: as the last time, or by a call of the
        model just now where that is slower; None before any."""
        known = pace(self.paced_as)
        now = None if self._pace is None else self._pace + BESIDE
        return max((each for each in (known, now) if each is not None), default=None)

    def _timed(self, denoise: Any) -> int:
        """Model calls made to know how long one takes, of which the first loads; none where that is
        known."""
        if self._seconds_a_call() is not None:
            return 0
        x = torch.randn((1, *self.of.shape), generator=torch.Generator().manual_seed(0))
        sampling = self.of.patcher.get_model_object("model_sampling")
        sigma = sampling.sigma_max.reshape(1).float().cpu()
        for _ in range(TIMING):
            began = time.monotonic()
            denoise(x * sigma, sigma)
            self._pace = time.monotonic() - began
        return TIMING


def _hear_no_late_interrupt() -> None:
    """One that came after the last model call of the learning would stop the nodes that decode and save
    the picture, where it was to stop the learning."""
    from comfy.model_management import interrupt_current_processing

    interrupt_current_processing(False)
