"""Who a MODEL of ComfyUI's is, and under which conditions it runs; never asked of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from ...scheduler.fingerprint.step_distilled import Advice, detect
from ...scheduler.lookup.families import published_for
from ...scheduler.lookup.hooks import hook_patches, hook_settings
from ...scheduler.lookup.makers_run import makers_run
from ...scheduler.lookup.model_facts import ModelFacts
from .makers_run import given
from .model_sampling import Noise, noise_of
from .running_prompt import loras_before, model_names, running_node, stem
from .weights import fingerprint_of, hooks_of, patches_of

KEPT = 16  # states of a model that are remembered


class _Known:
    """What is remembered of one loaded model: its fingerprint, and the patches and noise of its
    last few states."""

    def __init__(self, model: Any):
        self.fingerprint = fingerprint_of(model)
        self.patches: dict[object, tuple[Mapping, ...]] = {}
        self.noise: list[Noise] = []
        self.advice: dict[tuple, Advice | None] = {}

    def patches_for(self, model: Any) -> tuple[Mapping, ...]:
        """The patcher's LoRAs, found anew only when they are others, and what hangs into it now, as
        patches of strength 1."""
        if model.patches_uuid not in self.patches:
            _make_room(self.patches)
            self.patches[model.patches_uuid] = patches_of(model)
        hooks = hook_patches(hooks_of(model), hook_settings(model.model_options))
        return self.patches[model.patches_uuid] + hooks

    def noise_for(self, model: Any) -> Noise:
        """The noise of the patcher's own model_sampling, whichever node put it there."""
        sampling = model.get_model_object("model_sampling")
        found = next((each for each in self.noise if each.is_of(sampling)), None)
        if found is None:
            found = noise_of(sampling)
            others = [each for each in self.noise if each.table.host is not sampling]
            self.noise = [*others[1 - KEPT :], found]
        return found


def _make_room(kept: dict) -> None:
    while len(kept) >= KEPT:
        del kept[next(iter(kept))]


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def facts_of(model: Any) -> ModelFacts:
    """Who a MODEL is.

    The weights are asked once for each loaded model; the rest costs some microseconds. Raises
    SigmaRangeError for a model that is not sampled along noise levels.
    """
    known = _known_of(model)
    noise = known.noise_for(model)
    host_class = type(getattr(model.model, "model_config", model.model)).__name__
    name, _ = _names(model)
    advice = advice_of(model)
    return ModelFacts(
        known.fingerprint,
        name or host_class,
        noise.process,
        noise.prediction,
        noise.shift,
        noise.table.sigma_min,
        noise.table.sigma_max,
        noise.table,
        known.patches_for(model),
        published_for(host_class, advice),
        advice.text if advice is not None else "",
        loras_before(running_node()),
        noise.scale,
        makers_run=given(model) or makers_run(advice, noise.process, noise.table),
    )


def _known_of(model: Any) -> _Known:
    base = model.model
    if base not in _known:
        _known[base] = _Known(model)
    return _known[base]


def cfg_of(guider: Any) -> float | None:
    """A guider's scale (the first where it has two), or None where it does not say."""
    value = getattr(guider, "cfg1", None) or getattr(guider, "cfg", None)
    return float(value) if isinstance(value, (int, float)) else None


def guidance_of(conditioning: Iterable | None) -> float | None:
    """The distilled guidance (FluxGuidance) that a CONDITIONING states, or None; also of a guider's
    processed conditioning."""
    for entry in conditioning or ():
        about = entry if isinstance(entry, Mapping) else entry[1]
        value = about.get("guidance")
        if value is not None:
            return float(value)
    return None


def advice_of(model: Any) -> Advice | None:
    """What gives a step-distilled model (Turbo, Lightning, LCM, ...) away, by its names and
    weights; text for the user, or None."""
    known = _known_of(model)
    name, loras = _names(model)
    if (name, loras) not in known.advice:
        weights = getattr(model.model, "diffusion_model", model.model)
        known.advice[name, loras] = detect(
            (name or "", *loras), weights=(each for each, _ in weights.named_parameters())
        )
    return known.advice[name, loras]


def _names(model: Any) -> tuple[str | None, tuple[str, ...]]:
    """(the model's name or None, its LoRAs' names): from the loader's file where the host keeps it,
    else from the running prompt."""
    checkpoint, loras = model_names(running_node())
    # ComfyUI 0.29: (function, arguments) of the loader.
    loader = getattr(model, "cached_patcher_init", None)
    try:
        file = loader[1][0]
        checkpoint = stem(file if isinstance(file, str) else file[0])
    except (TypeError, IndexError, KeyError):
        pass
    return checkpoint, loras
