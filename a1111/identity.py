"""Who the loaded checkpoint is, and under which conditions it runs: what records are looked up by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..scheduler.fingerprint import Fingerprint
from ..scheduler.fingerprint.step_distilled import Advice, detect
from ..scheduler.lookup.key import Key
from ..scheduler.record import Conditions
from ..scheduler.sigmas.noise_table import FlowTable, NoiseTable
from .host import forge_unet
from .weights import fingerprint_of, lora_names, original_weights, patches_of

PREDICTIONS = {
    "epsilon": "eps",
    "eps": "eps",
    "v_prediction": "v",
    "v": "v",
    "const": "flow",
    "edm": "edm",
}


@dataclass(frozen=True)
class Facts:
    """What a loaded model is to StepDistill.

    fingerprint: of its weights without LoRAs (None: unknown). name: its file's. parametrisation:
    "flow" or "ve"; prediction: "eps", "v", "flow" or "edm"; shift: a flow's; table: its noise
    levels as they are now, whatever options or extensions did to them. patches: its LoRAs, as
    `keys.patch` makes them.
    """

    fingerprint: Fingerprint | None
    name: str
    parametrisation: str
    prediction: str
    shift: float | None
    table: NoiseTable
    patches: tuple[Mapping, ...] = ()

    @property
    def sigma_min(self) -> float:
        return self.table.sigma_min

    @property
    def sigma_max(self) -> float:
        return self.table.sigma_max


def facts_of(model: Any) -> Facts:
    """Who a loaded model is. Its weights are asked once after each load; the rest takes a
    millisecond. Raises SigmaRangeError."""
    prediction, shift, sigmas, multiplier = _noise(model)
    parametrisation = "flow" if prediction == "flow" else "ve"
    if (np.diff(sigmas) == 0).any():  # some tables repeat their ends
        sigmas = sigmas * (1 + 1e-12 * np.arange(len(sigmas)))
    flow = parametrisation == "flow"
    table = (
        FlowTable(np.minimum(sigmas, 1.0), "flow", shift, multiplier)
        if flow
        else NoiseTable(sigmas, "ve")
    )
    name = Path(model.sd_checkpoint_info.filename).stem
    return Facts(
        _fingerprint(model), name, parametrisation, prediction, shift, table, patches_of(model)
    )


def key_of(
    facts: Facts,
    cfg: float | None = None,
    latent_shape: Sequence[int] | None = None,
    guidance: float | None = None,
) -> Key:
    """What a record for this model is looked up by; what is not known (None) is left open."""
    shape = None if latent_shape is None else tuple(int(size) for size in latent_shape)
    noise = (facts.parametrisation, facts.sigma_min, facts.sigma_max, facts.prediction, facts.shift)
    return Key(facts.fingerprint, *noise, cfg, guidance, shape, facts.patches)


def conditions_of(facts: Facts, key: Key, prompts: int, seed: int) -> Conditions:
    """What a record will say of a run under a key."""
    known = facts.fingerprint
    about = {
        "name": facts.name[:300],
        "shift": facts.shift,
        "prediction": facts.prediction,
        "patches": facts.patches,
    }
    about |= {
        "fingerprint": known.id if known else None,
        "samples": known.samples if known else None,
    }
    return Conditions(
        cfg=key.cfg,
        guidance=key.guidance,
        latent_shape=key.latent_shape,
        prompts=prompts,
        seed=seed,
        **about,
    )


def filled(key: Key, found: Key) -> Key:
    """The key with what it leaves open taken from a record's."""
    names = ("cfg", "guidance", "latent_shape")
    return replace(
        key, **{name: getattr(found, name) for name in names if getattr(key, name) is None}
    )


def advice_of(model: Any) -> Advice | None:
    """What gives a step-distilled model (Turbo, Lightning, LCM, ...) away, by its names and
    weights; text for the user, or None."""
    names = (Path(model.sd_checkpoint_info.filename).stem, *lora_names(model))
    return detect(names, weights=original_weights(model))


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
    """Of the weights that are in the model now: A1111 loads other checkpoints into the object that it has."""
    info = model.sd_checkpoint_info
    known = _known.get(model)
    if known is None or known[0] != info.filename:
        known = _known[model] = (info.filename, fingerprint_of(model))
    return known[1]


_known: WeakKeyDictionary[Any, tuple[str, Fingerprint | None]] = WeakKeyDictionary()
