"""Who the loaded checkpoint is, and under which conditions it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ..scheduler.fingerprint import Fingerprint
from ..scheduler.fingerprint.step_distilled import Advice, detect
from ..scheduler.lookup.families import published_for
from ..scheduler.lookup.hooks import hook_patches
from ..scheduler.lookup.model_facts import ModelFacts
from ..scheduler.sigmas.noise_table import FlowTable, NoiseTable
from .host import forge_unet
from .host_options import option_patches
from .weights import fingerprint_of, lora_names, original_weights, patches_of

if TYPE_CHECKING:
    from .sampling_pass import Pass

HOSTS_OWN = ("modules", "modules_forge", "backend", "ldm_patched", "builtins")  # packages
PREDICTIONS = {
    "epsilon": "eps",
    "eps": "eps",
    "v_prediction": "v",
    "v": "v",
    "const": "flow",
    "edm": "edm",
}


def facts_of(model: Any, loras: Sequence[tuple[str, float]] | None = None) -> ModelFacts:
    """Who a loaded model is. loras: (name, strength) of those that it will be drawn with, where these
    are not the ones that are loaded.

    Its weights are asked once after each load; the rest takes a millisecond. Raises SigmaRangeError.
    """
    prediction, shift, sigmas, multiplier = _noise(model)
    process = "flow" if prediction == "flow" else "ve"
    if (np.diff(sigmas) == 0).any():  # some tables repeat their ends
        sigmas = sigmas * (1 + 1e-12 * np.arange(len(sigmas)))
    if process == "flow":
        table: NoiseTable = FlowTable(np.minimum(sigmas, 1.0), "flow", shift, multiplier)
    else:
        table = NoiseTable(sigmas, "ve")
    advice = advice_of(model, None if loras is None else [name for name, _ in loras])
    return ModelFacts(
        _fingerprint(model),
        Path(model.sd_checkpoint_info.filename).stem,
        process,
        prediction,
        shift,
        table.sigma_min,
        table.sigma_max,
        table,
        patches_of(model, loras),
        published_for(_host_class(model), advice),
        advice.text if advice is not None else "",
    )


def facts_of_pass(here: Pass, model: Any) -> ModelFacts:
    """Who a model is in a pass of the host, with what extensions have put in the place of its
    guidance (Dynamic Thresholding on A1111)."""
    facts = facts_under(model, here.p, here.hires)
    guide = type(getattr(here.sampler, "model_wrap_cfg", None))
    if guide.__module__.partition(".")[0] in HOSTS_OWN:
        return facts
    hooks = hook_patches([f"guidance: {guide.__name__}"])
    return replace(facts, patches=(*facts.patches, *hooks))


def facts_under(model: Any, p: Any, hires: bool = False) -> ModelFacts:
    """Who a model is under the options of a picture (token merging and the like)."""
    facts = facts_of(model)
    more = option_patches(p, hires)
    return replace(facts, patches=(*facts.patches, *more)) if more else facts


def advice_of(model: Any, loras: Sequence[str] | None = None) -> Advice | None:
    """What gives a step-distilled model (Turbo, Lightning, LCM, ...) away, by its names and weights.
    loras: names, where others are to be drawn with than are loaded."""
    with_it = lora_names(model) if loras is None else loras
    names = (Path(model.sd_checkpoint_info.filename).stem, *with_it)
    known = _advice.get(model)
    if known is None or known[0] != names:
        known = _advice[model] = (names, detect(names, weights=original_weights(model)))
    return known[1]


def _host_class(model: Any) -> str:
    """What the host's loader took the model for: Forge's class, or A1111's own marks."""
    config = getattr(model, "model_config", None)
    if config is not None:
        return type(config).__name__
    marks = {"is_ssd": "SSD1B", "is_sdxl": "SDXL", "is_sd1": "SD15"}
    return next((name for mark, name in marks.items() if getattr(model, mark, False)), "")


def guidance_of(model: Any, p: Any) -> float | None:
    """Distilled guidance, of models that take it (Flux on Forge)."""
    if not getattr(model, "use_distilled_cfg_scale", False):
        return None
    name = "hr_distilled_cfg" if getattr(p, "is_hr_pass", False) else "distilled_cfg_scale"
    value = getattr(p, name, None)
    return None if value is None else float(value)


def cfg_of(p: Any) -> float:
    """The guidance scale of a pass; Forge's hires pass has its own."""
    scale = getattr(p, "hr_cfg", None) if getattr(p, "is_hr_pass", False) else None
    return float(p.cfg_scale if scale is None else scale)


def _noise(model: Any) -> tuple[str, float | None, np.ndarray, float]:
    """(prediction, a flow's shift, the table's levels ascending, the time at a flow's sigma 1)."""
    predictor = getattr(getattr(forge_unet(model), "model", None), "predictor", None)
    if predictor is not None:  # Forge; reForge samples as A1111 does
        prediction = PREDICTIONS.get(predictor.prediction_type, predictor.prediction_type)
        mu = getattr(predictor, "mu", None)
        shift = math.exp(float(mu)) if mu is not None else float(getattr(predictor, "shift", 1.0))
        return (
            prediction,
            shift if prediction == "flow" else None,
            _array(predictor.sigmas),
            1.0 if mu is not None else 1000.0,
        )
    if hasattr(model, "create_denoiser"):  # SD3 on A1111
        denoiser = model.create_denoiser()
        return "flow", float(getattr(model, "shift", 1.0)), _array(denoiser.sigmas), 1000.0
    kept = _array(model.alphas_cumprod)
    return (
        PREDICTIONS.get(getattr(model, "parameterization", "eps"), "eps"),
        None,
        np.sqrt((1 - kept) / kept),
        1000.0,
    )


def _array(values: Any) -> np.ndarray:
    return values.detach().double().cpu().numpy()


def _fingerprint(model: Any) -> Fingerprint | None:
    """Of the weights that are in the model now: A1111 loads other checkpoints into the same object."""
    info = model.sd_checkpoint_info
    known = _known.get(model)
    if known is None or known[0] != info.filename:
        known = _known[model] = (info.filename, fingerprint_of(model))
    return known[1]


_known: WeakKeyDictionary[Any, tuple[str, Fingerprint | None]] = WeakKeyDictionary()
_advice: WeakKeyDictionary[Any, tuple[tuple[str, ...], Advice | None]] = WeakKeyDictionary()
