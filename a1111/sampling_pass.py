"""What the host is about to sample, so that a schedule knows which of its sigmas will run.

Three methods of the host's sampler class are wrapped once: they call the originals with the
arguments unchanged.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

from .names import AUTOMATIC

if TYPE_CHECKING:
    from ..scheduler.lookup.selection import Selection

MARK = "_stepdistill_wrapped"


@dataclass
class Pass:
    """One sampling run of the host's `sampler` for the processing `p`.

    img2img: whether the host will cut the schedule's end off (img2img, hires). requested: the steps
    that it was told, or None for p.steps. shape: one sample's latent. found: what our schedule
    answered, for the sampler and the infotext. pasted: whether with the recipe that pasted parameters
    hold.
    """

    sampler: Any
    p: Any
    img2img: bool = False
    requested: int | None = None
    shape: tuple[int, ...] | None = None
    found: Selection | None = field(default=None, repr=False)
    pasted: bool = False

    @property
    def name(self) -> str:
        """The sampler's function, without "sample_"."""
        function = self.sampler.func if callable(self.sampler.funcname) else self.sampler.funcname
        return str(getattr(function, "__name__", function)).removeprefix("sample_")

    @property
    def drops(self) -> bool:
        """Whether the host will leave out the last sigma above 0."""
        from modules import shared

        options = getattr(getattr(self.sampler, "config", None), "options", None) or {}
        return bool(
            options.get("discard_next_to_last_sigma")
            or getattr(shared.opts, "always_discard_next_to_last_sigma", False)
        )

    @property
    def choice(self) -> str:
        """The record that the panel, the API or an axis names for this picture."""
        return str(getattr(self.p, "stepdistill_record", None) or AUTOMATIC)

    @property
    def recipes(self) -> str:
        """The recipes that the pasted parameters of a picture hold (compact.py), or ""."""
        return str(getattr(self.p, "stepdistill_recipes", None) or "")

    @property
    def learns(self) -> bool:
        """Whether pictures are learnt from; not those that others draw for their own ends."""
        return bool(getattr(self.p, "stepdistill_learn", False))

    @property
    def strength(self) -> float | None:
        """The denoising strength of a pass that begins with a picture."""
        return float(self.p.denoising_strength) if self.img2img else None

    @property
    def masked(self) -> bool:
        """Whether the original is mixed in at every step, outside a mask."""
        drawn = getattr(self.p, "mask", None) is not None
        return drawn or bool(getattr(self.p, "stepdistill_masked", False))

    @property
    def clock(self) -> int:
        """The steps that prompt editing is spread over."""
        return max(int(self.requested or self.p.steps), 1)

    @property
    def setting(self) -> str:
        """The sampler and schedule type as the host calls them."""
        name = getattr(getattr(self.sampler, "config", None), "name", self.name)
        chosen = getattr(self.p, "hr_scheduler" if self.hires else "scheduler", None)
        return str(name) if chosen in (None, AUTOMATIC) else f"{name} {chosen}"

    def note(self, sentence: str, panel: str = "") -> None:
        """Something about this picture's learning. panel: what the panel says in its place."""
        from .notes import note

        note(self.p, sentence, panel)

    @property
    def hires(self) -> bool:
        return bool(getattr(self.p, "is_hr_pass", False))

    def running(self, asked: int) -> tuple[int, float]:
        """(the steps that will run of a schedule of `asked`, the denoising strength).

        By the host's own rule.
        """
        if not self.img2img:
            return asked, 1.0
        from modules.sd_samplers_common import setup_img2img_steps

        total, last = setup_img2img_steps(self.p, self.requested)
        return (min(last + 1, asked) if total else 0), float(self.p.denoising_strength)

    def running_few(self, few: int) -> int:
        """The steps that the host will run of this pass where `few` are asked for."""
        if not self.img2img:
            return few
        from types import SimpleNamespace

        from modules.sd_samplers_common import setup_img2img_steps

        asked = SimpleNamespace(steps=few, denoising_strength=self.p.denoising_strength)
        total, last = setup_img2img_steps(asked, few if self.requested is not None else None)
        return max(last + 1, 1) if total else 1


_current: ContextVar[Pass | None] = ContextVar("stepdistill_pass", default=None)


def current() -> Pass | None:
    """The pass whose sigmas the host is asking for, or None where somebody else asks."""
    return _current.get()


def last_of(sampler: Any) -> Pass | None:
    """The pass that a sampler is running."""
    return getattr(sampler, "stepdistill_pass", None)


def register() -> None:
    """Wrap the host's sampler class, once."""
    from modules.sd_samplers_kdiffusion import KDiffusionSampler as Host

    if getattr(Host, MARK, False):
        return
    Host.sample = _noting(Host.sample, False)
    Host.sample_img2img = _noting(Host.sample_img2img, True)
    Host.get_sigmas = _asking(Host.get_sigmas)
    setattr(Host, MARK, True)


def _noting(original, img2img: bool):
    """`sample` or `sample_img2img`, which notes what it was called for."""
    signature = inspect.signature(original)

    @wraps(original)
    def sample(self, *arguments, **named):
        try:
            given = signature.bind(self, *arguments, **named).arguments
            shape = tuple(given["x"].shape[1:])
            here = Pass(self, given["p"], img2img, given.get("steps"), shape)
            self.stepdistill_pass, here.p.stepdistill_heard = here, True
        except (TypeError, KeyError, AttributeError):  # another host's idea of it
            self.stepdistill_pass = None
        return _listened(self, lambda: original(self, *arguments, **named))

    return sample


def _listened(sampler: Any, draw: Callable[[], Any]) -> Any:
    """What `draw()` returns, while its pass is listened to."""
    here = last_of(sampler)
    if here is None or not here.learns:
        return draw()
    from .lesson import listening

    function = sampler.func
    sampler.func = listening(here, function)
    try:
        return draw()
    finally:
        sampler.func = function


def _asking(original):
    """`get_sigmas`, during which our schedule sees the pass, and after which it is known which ran."""

    @wraps(original)
    def get_sigmas(self, p, steps, *arguments, **named):
        here = last_of(self)
        if here is None or here.p is not p:
            here = self.stepdistill_pass = Pass(self, p)
        here.found = None
        token = _current.set(here)
        try:
            return original(self, p, steps, *arguments, **named)
        finally:
            _current.reset(token)

    return get_sigmas
