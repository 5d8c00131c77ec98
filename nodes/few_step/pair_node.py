"""Few-Step KSampler (Pair): two models on one path in the place of two KSampler (Advanced)."""

from __future__ import annotations

from ..distill_pair import HELP as PAIR_HELP
from ..distill_pair import PairTask, kept
from ..fields import CATEGORY, SCENE

NOW, OFF = "now", "off"
DESCRIPTION = (
    "Draws one picture with two models in few steps (Wan 2.2's high and low noise, SDXL base and "
    "refiner): in the place of two KSampler (Advanced), with nothing to set but how many steps. "
    "Where the pair is not known yet, it is distilled first; the price is said before."
)
HELP = PAIR_HELP | {
    "seed": "The noise that the picture is drawn from.",
    "steps": "How many steps, of both models together.",
    "learn": "Where no recipe of this pair is known. Now: distil one before this picture. Off: a stock "
    "schedule, split at the hand-over, and named.",
}


class StepDistillPairKSampler:
    """Draws a picture by a pair's recipe, each half in a sampling call of its own."""

    DESCRIPTION, CATEGORY, FUNCTION = DESCRIPTION, CATEGORY, "draw"
    SEARCH_ALIASES = ("two models", "refiner", "wan 2.2", "high noise", "low noise")
    RETURN_TYPES = ("LATENT", "STRING")
    RETURN_NAMES = ("LATENT", "info")
    OUTPUT_TOOLTIPS = ("The picture, for VAE Decode.", "What it was drawn with.")

    @classmethod
    def INPUT_TYPES(cls):
        from ...scheduler.samplers.names import LINEAR_NAMES

        seed = {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF, "control_after_generate": True}
        scale = {"default": 0.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}
        level = {"default": 0.875, "min": 0.0, "max": 1000.0, "step": 0.005, "round": 0.0001}
        required = {
            "model": SCENE["model"],
            "second_model": ("MODEL", {}),
            "positive": SCENE["positive"],
            "negative": SCENE["negative"],
            "latent_image": SCENE["latent_image"],
            "seed": ("INT", seed),
            "steps": ("INT", {"default": 6, "min": 2, "max": 40}),
            "cfg": SCENE["cfg"],
            "sampler_name": (list(LINEAR_NAMES), {"default": "euler"}),
            "hand_over": ("FLOAT", level),
            "learn": ([NOW, OFF], {"default": NOW}),
        }
        optional = {
            "second_positive": ("CONDITIONING", {}),
            "second_negative": ("CONDITIONING", {}),
            "second_cfg": ("FLOAT", scale),
        }
        return {
            "required": _with_help(required),
            "optional": _with_help(optional),
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def draw(
        self, model, second_model, positive, negative, latent_image, seed, steps, cfg, sampler_name,
        hand_over, learn, second_positive=None, second_negative=None, second_cfg=0.0,
        unique_id=None,
    ):  # fmt: skip
        """The LATENT and what is to be said of it; raises StepDistillError with a sentence."""
        from ..host.guider import guided

        first = guided(model, positive, negative, cfg, latent_image)
        prompts = second_positive or positive, second_negative or negative
        second = guided(second_model, *prompts, second_cfg or cfg, latent_image)
        task = PairTask(first, second, unique_id)
        joint, info = _schedule(task, sampler_name, int(steps), float(hand_over), learn == NOW)
        drawn = _drawn(first, second, joint, sampler_name, int(seed))
        return {"ui": {"text": [info]}, "result": (drawn, info)}


def _with_help(inputs: dict) -> dict:
    return {
        name: (kind, {**options, "tooltip": HELP[name]}) for name, (kind, options) in inputs.items()
    }


def _schedule(task: PairTask, sampler: str, steps: int, hand_over: float, learn: bool):
    """(the joint schedule, what it is in words)."""
    from ...scheduler.pairs.halves import Joint, as_stated, split_of
    from ...scheduler.record.pair_half import hand_over_step
    from ...scheduler.sigmas import stock_schedule

    record, learnt = task.known(sampler, steps), ""
    if record is None and learn:
        made = task.run(sampler, (steps,), hand_over, 0.0, measure=False, seed=0)
        record, learnt = made.first, f" {kept(made)}"
    if record is not None:
        recipe = record.recipe(sampler, steps, offsets=False)
        step = hand_over_step(recipe)
        won = "" if recipe.choice.ours else f"; the stock schedule {recipe.choice} won"
        text = (
            f"The pair's recipe, {steps} steps of {sampler}, handed over after {step}{won}.{learnt}"
        )
        return Joint(recipe.sigmas, step), text
    table = task.facts[0].table
    joint = split_of(stock_schedule("simple", table, steps), as_stated(hand_over, table))
    return joint, (
        f"Stock schedule 'simple', {steps} steps, handed over after {joint.step}: no recipe of this "
        "pair is in the store. Set learn to 'now', or run Distil Pair."
    )


def _drawn(first, second, joint, sampler: str, seed: int) -> dict:
    """The LATENT: the first model's part, and the second's from the very sigma where it ended."""
    import comfy.sample
    import torch

    from ..host.guider import RATIOS

    sigmas, latent = torch.tensor(joint.sigmas, dtype=torch.float32), first.latent
    noise = comfy.sample.prepare_noise(first.samples, seed, latent.get("batch_index"))
    half = _sampled(first, first.samples, noise, sampler, sigmas[: joint.step + 1], seed)
    silent = torch.zeros_like(noise)
    drawn = _sampled(second, half, silent, sampler, sigmas[joint.step :], seed)
    kept_of = {name: value for name, value in latent.items() if name not in RATIOS}
    return kept_of | {"samples": drawn}


def _sampled(scene, samples, noise, sampler: str, sigmas, seed: int):
    import comfy.model_management
    import comfy.samplers
    import comfy.utils
    import latent_preview

    drawn = scene.guider.sample(
        noise,
        samples,
        comfy.samplers.sampler_object(sampler),
        sigmas,
        denoise_mask=scene.latent.get("noise_mask"),
        callback=latent_preview.prepare_callback(scene.patcher, len(sigmas) - 1),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    return drawn.to(comfy.model_management.intermediate_device())
