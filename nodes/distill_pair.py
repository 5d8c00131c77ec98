"""Distil Pair: one schedule over two models on one path, found together."""

from __future__ import annotations

from .fields import CATEGORY, RECORD, SCENE, SEED
from .page.log import log

DESCRIPTION = (
    "For two models that share a picture (Wan 2.2's high and low noise, SDXL base and refiner, a "
    "model and its Lightning LoRA): finds one few-step schedule over both, against what the pair "
    "itself draws with many steps, and keeps a recipe for each half. KSampler (Advanced) with the "
    "scheduler 'distilled' then runs it."
)
HELP = {
    "model": "The model that begins: high noise, or the base.",
    "second_model": "The model that goes on: low noise, or the refiner.",
    "positive": "A prompt of the kind that you draw.",
    "negative": "The negative prompt that you draw with.",
    "latent_image": "An empty latent of the size that you draw at.",
    "cfg": "The guidance of the first model.",
    "sampler_name": "The sampler of both KSamplers.",
    "max_steps": "Recipes are made for every step count of both together from 4 (or from this "
    "number, where it is less) up to this number.",
    "hand_over": "Where the second model takes over: 0.875 for Wan 2.2 text to video, 0.9 for image "
    "to video (a noise level); 0.2 for the SDXL refiner (the share of the timesteps that is left).",
    "noise_seed": "Seed of the noise that is distilled on.",
    "second_positive": "The prompt for the second model, where it is encoded otherwise (the SDXL "
    "refiner). Open: the same.",
    "second_negative": "The same for the negative prompt.",
    "second_cfg": "The guidance of the second model; 0: the same.",
    "search": "How far the hand-over of the few steps may move, as a share of its noise level; 0: not "
    "at all. The error against the pair's own many steps decides.",
    "measure": "Measure the recipes on noise that nothing was fitted to, beside stock pairs.",
}


class StepDistillPair:
    """Runs the library's `distill_pair` inside one sampling call of both models."""

    DESCRIPTION, CATEGORY, FUNCTION, OUTPUT_NODE = DESCRIPTION, CATEGORY, "distill", True
    SEARCH_ALIASES = ("two models", "refiner", "wan 2.2", "high noise", "low noise")
    RETURN_TYPES = (RECORD, RECORD, "STRING")
    RETURN_NAMES = ("first", "second", "report")
    OUTPUT_TOOLTIPS = (
        "The recipes of the first half.",
        "The recipes of the second half: the same schedules.",
        "What was found, and after how many steps to hand over.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        from ..scheduler.samplers.names import LINEAR_NAMES

        required = {
            "model": SCENE["model"],
            "second_model": ("MODEL", {}),
            "positive": SCENE["positive"],
            "negative": SCENE["negative"],
            "latent_image": SCENE["latent_image"],
            "cfg": SCENE["cfg"],
            "sampler_name": (list(LINEAR_NAMES), {"default": "euler"}),
            "max_steps": ("INT", {"default": 8, "min": 2, "max": 40}),
            "hand_over": ("FLOAT", _number(0.875, 0.0, 1000.0, 0.005)),
            "noise_seed": SEED,
        }
        optional = {
            "second_positive": ("CONDITIONING", {}),
            "second_negative": ("CONDITIONING", {}),
            "second_cfg": ("FLOAT", _number(0.0, 0.0, 100.0, 0.1)),
            "search": ("FLOAT", _number(0.0, 0.0, 0.5, 0.05)),
            "measure": ("BOOLEAN", {"default": True}),
        }
        return {
            "required": _with_help(required),
            "optional": _with_help(optional),
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def distill(
        self, model, second_model, positive, negative, latent_image, cfg, sampler_name, max_steps,
        hand_over, noise_seed, second_positive=None, second_negative=None, second_cfg=0.0,
        search=0.0, measure=True, unique_id=None,
    ):  # fmt: skip
        """Both records and the report; raises StepDistillError with a sentence."""
        from ..scheduler.distilling.request import MOST_STEPS
        from ..scheduler.pairs.words import told
        from .distill_request import steps_of
        from .host.guider import guided

        first = guided(model, positive, negative, cfg, latent_image)
        prompts = second_positive or positive, second_negative or negative
        second = guided(second_model, *prompts, second_cfg or cfg, latent_image)
        steps = steps_of(min(int(max_steps), MOST_STEPS))
        found = PairTask(first, second, unique_id).run(
            sampler_name, steps, float(hand_over), float(search), bool(measure), int(noise_seed)
        )
        report = "\n".join([told(found.first, found.second), kept(found)])
        log.info("StepDistill: %s", report)
        return {"ui": {"text": [report]}, "result": (found.first, found.second, report)}


def _number(default: float, low: float, high: float, step: float) -> dict:
    return {"default": default, "min": low, "max": high, "step": step, "round": 0.0001}


def _with_help(inputs: dict) -> dict:
    return {
        name: (kind, {**options, "tooltip": HELP[name]}) for name, (kind, options) in inputs.items()
    }


def kept(found) -> str:
    """Put both into the store, beside their earlier recipes; what became of them."""
    from ..scheduler.errors import StepDistillError
    from ..scheduler.pairs.keeping import whole
    from .host.store import store

    try:
        for each in (found.first, found.second):
            store().put(whole(each, store()))
    except StepDistillError as problem:
        return (
            f"Not kept in your store ({str(problem).rstrip('.')}): use Save Record on both outputs."
        )
    return "Both halves are kept in your store."


class PairTask:
    """One run of the node."""

    def __init__(self, first, second, node):
        from .host.model_facts import facts_of

        self.first, self.second, self.node = first, second, node
        self.facts = facts_of(first.patcher), facts_of(second.patcher)
        _check_alike(*self.facts)

    def run(self, sampler, steps, hand_over, search, measure, seed):
        from ..scheduler.pairs.halves import as_stated
        from ..scheduler.pairs.run import distill_pair
        from .distill import MOST_SEED
        from .host.two_guiders import run_both
        from .page.progress import Teller

        facts, seed = self.facts[0], seed % MOST_SEED
        sigma = as_stated(hand_over, facts.table)
        teller = Teller(self.first.patcher, self.node, previews=len(self.first.shape) > 2)

        def planned(calls: int) -> None:
            teller.plan(f"Distilling two models together: at most {calls:,} model calls.", calls)

        options = {
            "sigma_max": facts.sigma_max,
            "sigma_min": facts.sigma_min,
            "parametrisation": facts.process,
            "samplers": (sampler,),
            "steps": steps,
            "within": _range(sigma, search, facts),
            "conditions": tuple(map(self._conditions, self.facts, (self.first, self.second))),
            "measure": measure,
            "seed": seed,
            "progress": teller.progress,
            "on_plan": planned,
        }
        shape = self.first.shape
        work = lambda one, two: distill_pair(one, two, shape, sigma, **options)  # noqa: E731
        return run_both(self.first, self.second, work, facts.sigma_max, seed, teller.heard)

    def known(self, sampler: str, steps: int):
        """The record of the first half of just this pair with such a recipe, or None."""
        from ..scheduler.lookup.match import STORE
        from ..scheduler.pairs.keeping import found_for, pair_keys
        from .host.picture_records import attach
        from .host.store import store
        from .host.workflow_records import WorkflowRecords

        mine, _ = pair_keys(*self.facts)
        key = mine.key(self.first.cfg, self.first.shape, sampler=sampler)
        match = found_for((store(), WorkflowRecords()), key, steps)
        if match is None:
            return None
        if match.place == STORE:
            attach(match.record, match.name)
        return match.record

    def _conditions(self, facts, scene):
        return facts.conditions(facts.key(scene.cfg, scene.shape), 1)


def _range(sigma: float, search: float, facts) -> tuple[float, float] | None:
    if not search:
        return None
    low = max(sigma * (1 - search), facts.sigma_min * 1.01)
    return low, min(sigma * (1 + search), facts.sigma_max * 0.99)


def _check_alike(one, other) -> None:
    """Raise SigmaRangeError for two models that cannot share a latent's noise."""
    from ..scheduler.errors import SigmaRangeError
    from ..scheduler.lookup.key import same_noise, same_range

    if not (same_noise(one, other) and same_range(one, other)):
        raise SigmaRangeError(
            f"{one.name} and {other.name} are sampled along different noise levels, so no latent "
            "goes from one to the other; connect two models of one family."
        )
