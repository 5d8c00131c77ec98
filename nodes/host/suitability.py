"""Whether a MODEL can be learnt from at all, before a model call is spent; else why not, in a sentence."""

from __future__ import annotations

from typing import Any

from ...scheduler.errors import DenoiserError
from .guider_facts import second_models
from .step_caches import step_caches

MEAN_FLOW = (
    "This model leaps from each noise level to the next one of its own schedule (a mean flow), so what it "
    "answers at others is nothing to learn from; draw with its maker's steps and a stock scheduler."
)
BLOCK_BY_BLOCK = (
    "This model draws a video block after block, each from those before it, and a recipe is learnt from "
    "the whole at once; draw with its own sampler and its maker's steps."
)
FRAMES = (
    "This model draws a batch as the frames of one video, each of which depends on the others, and a recipe "
    "is learnt from one picture alone; draw with a stock scheduler."
)
OF_FRAMES = ("SVD_img2vid", "SV3D_u", "SV3D_p")  # classes of models
ANIMATEDIFF = "ADE"  # the key under which its pack hangs motion models in
# Networks of their own kind that never go by the next level, though they could.
NO_MEAN_FLOW = ("HunyuanImage21Refiner",)
CACHED = (
    "This model carries {}, which answers some steps from memory, so a recipe would be of that and not "
    "of your model; bypass its node while learning."
)


def unsuited(patcher: Any) -> str:
    """Why nothing true can be learnt from a MODEL, a sentence, or ""."""
    network = getattr(patcher.model, "diffusion_model", None)
    caches = step_caches(patcher)
    if getattr(network, "time_r_in", None) is not None and _is_none_of(patcher.model, NO_MEAN_FLOW):
        return MEAN_FLOW
    if hasattr(network, "forward_block"):
        return BLOCK_BY_BLOCK
    if not _is_none_of(patcher.model, OF_FRAMES) or _motion(patcher):
        return FRAMES
    return CACHED.format(" and ".join(caches)) if caches else ""


def _motion(patcher: Any) -> bool:
    return bool(getattr(patcher, "additional_models", {}).get(ANIMATEDIFF))


def _is_none_of(model: Any, names: tuple[str, ...]) -> bool:
    return not any(each.__name__ in names for each in type(model).__mro__)


def unsuited_guider(guider: Any) -> str:
    """The same for all MODELs that a guider asks."""
    models = (guider.model_patcher, *second_models(guider))
    return next((reason for reason in map(unsuited, models) if reason), "")


def check_suited(guider: Any) -> None:
    """Raise DenoiserError where nothing true can be learnt from what a guider asks."""
    reason = unsuited_guider(guider)
    if reason:
        raise DenoiserError(reason)
