"""Runs that other nodes draw in full, heard at the model's calls and kept to learn from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch

from ...scheduler.learning.keeping import LEAST_STEPS, kept, not_kept
from ...scheduler.learning.one_picture import ROWS
from ...scheduler.recordings import Recording
from ..host.guider_facts import facts_under
from ..host.model_facts import cfg_of, guidance_of
from ..host.running_prompt import tell
from ..host.store import store
from ..host.suitability import unsuited_guider
from ..page.log import log, problem
from .conditioning import hook_patches_of, prompt_hash

KEY = "stepdistill_full_run"
MASK = "it was drawn with a mask; draw one without."
HOOKS = "its prompt carries hooks that change the model while it draws; draw one without."
OFFSETS = "its recipe asks the model at other noise levels than its steps have; draw with a stock schedule."


def run_heard(
    draw: Callable[[], torch.Tensor],
    guider: Any,
    x: torch.Tensor,
    sigmas: torch.Tensor,
    sampler: str,
    seed: int | None,
    mask: Any = None,
    offsets: bool = False,
) -> torch.Tensor:
    """What `draw` returns; its run is kept where it is one in full, and what came of it is said.

    guider: whose model it asks. x: (B, ...), of which the first ROWS are recorded. mask: a denoise
    mask, or None. offsets: whether a recipe shifts the noise levels that the model is asked at.
    """
    if len(sigmas) - 1 < LEAST_STEPS:
        return draw()
    try:
        listener = _Listener(guider, tuple(x.shape[1:]), sampler, seed)
        obstacle = _obstacle(guider, mask, offsets)
    except Exception as error:  # listening must not end a run
        problem("a run could not be kept to learn from", error)
        return draw()
    if obstacle:
        drawn = draw()
        _say(not_kept(obstacle))
        return drawn
    level = float(sigmas[-1])
    with listener.hearing():
        drawn = draw()
    listener.end(drawn, level)
    return drawn


def _obstacle(guider: Any, mask: Any, offsets: bool) -> str:
    """Why nothing can be learnt from a run, or ""."""
    reason = unsuited_guider(guider)
    if mask is not None:
        return MASK
    if hook_patches_of(guider):
        return HOOKS
    if reason:
        return reason[:1].lower() + reason[1:]
    return OFFSETS if offsets else ""


class _Listener:
    """Hears one run of a guider."""

    def __init__(self, guider: Any, shape: tuple[int, ...], sampler: str, seed: int | None):
        cfg = cfg_of(guider)
        facts = facts_under(guider)
        guidance = guidance_of(getattr(guider, "conds", {}).get("positive"))
        self.guider, self.title = guider, facts.name[:300]
        self.key = facts.key(cfg, shape, guidance)
        prompt = prompt_hash(guider, cfg)
        self.recording = Recording(shape, facts.process, sampler, seed, sampler, prompt)

    @contextmanager
    def hearing(self):
        """While it is entered, each of the guider's model calls is told to the recording."""
        from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

        options = self.guider.model_options
        kind = WrappersMP.PREDICT_NOISE
        add_wrapper_with_key(kind, KEY, self._predict, options, is_model_options=True)
        try:
            yield
        finally:
            options["transformer_options"]["wrappers"][kind].pop(KEY, None)

    def _predict(self, execute: Callable, x, timestep, *arguments, **named):
        """Around the guider's predict_noise(x, sigma, ...)."""
        denoised = execute(x, timestep, *arguments, **named)
        self.recording.step(x[:ROWS], timestep, denoised[:ROWS])
        return denoised

    def end(self, x: torch.Tensor, sigma: float) -> None:
        """The run's end, in the model's own space; kept, and what came of it said."""
        self.recording.finish(x[:ROWS], sigma)
        try:
            _say(kept(store(), self.key, self.recording, self.title))
        except Exception as error:  # see run_heard
            problem("a run could not be kept to learn from", error)


def _say(text: str) -> None:
    log.info("StepDistill: %s", text)
    tell(text)
