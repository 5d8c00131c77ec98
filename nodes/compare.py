"""Compare Schedules: every schedule with one sampler at equal model calls, against what the same
model draws with many steps."""

from __future__ import annotations

from .comparison import NODES, Contest, mistake, step_counts
from .distill import MOST_SEED
from .fields import CATEGORY, RECORD, SCENE, SEED, stock_samplers
from .names import DISTILLED
from .page.card_data import compared
from .page.compare_report import beside_stock, plan_text

DESCRIPTION = (
    "Draws the same few noises with every schedule and the same sampler at equal model calls, and "
    f"measures how far each ends from what the model draws with many steps (a {NODES}-step teacher "
    "of second order). Nothing is distilled: ours comes from the record input or the store. The "
    "pictures are of the first noise."
)
HELP = {
    "model": "The model to compare on, with the LoRAs and ModelSampling nodes that you draw with.",
    "positive": "The prompt to draw.",
    "negative": "The negative prompt.",
    "latent_image": "An empty latent of the size to draw at; its batch is how many pictures the "
    "model is asked for at a time.",
    "cfg": "The guidance to draw with.",
    "sampler_name": "The sampler that every schedule runs with. With `distilled`, stock "
    "schedules run with dpmpp_2m, its nearest relative.",
    "schedulers": "Schedulers to compare, one a line: any that your ComfyUI has, published "
    "tables such as ays_sdxl, and `distilled`. "
    "Empty: all stock ones, the published tables made for this kind of model, and `distilled`.",
    "steps": "Step counts, separated by commas: 4, 6, 8, 12 or 4-8.",
    "seeds": "How many noises each schedule draws. From 4 up the margins begin to mean "
    "something; every one costs as much again.",
    "noise_seed": "Seed of these noises. They are other ones than Distill Schedule uses with the same seed.",
    "record": "The record whose recipes take part as `distilled`; without it, those that the "
    "store has for this model.",
    "second_model": "The same model with something else that saves time on it (EasyCache, LazyCache, "
    "TeaCache, a Lightning LoRA): its runs are timed and compared at equal seconds.",
    "second_cfg": "The guidance of the second model; 0: the same. Lightning LoRAs want 1.",
    "vae": "Decodes the pictures; without it they are quick previews of the latents.",
}


class StepDistillCompare:
    """Runs schedules against each other inside one sampling call of the host's guider."""

    DESCRIPTION, CATEGORY, FUNCTION, OUTPUT_NODE = DESCRIPTION, CATEGORY, "compare", True
    SEARCH_ALIASES = ("compare samplers", "best scheduler", "how many steps", "sampler test")
    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "IMAGE", "STRING"), ("plot", "pictures", "table")
    OUTPUT_TOOLTIPS = (
        "Error against steps, a line for each schedule.",
        "What each schedule draws: a row for each step count, the teacher in the first column, "
        "the error below each picture.",
        "The errors as a table of plain text, and what they say.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        required = {
            **SCENE,
            "sampler_name": ([DISTILLED, *stock_samplers()], {"default": DISTILLED}),
            "schedulers": (
                "STRING",
                {"default": "", "multiline": True, "dynamicPrompts": False, "placeholder": "all"},
            ),
            "steps": ("STRING", {"default": "4, 6, 8, 12"}),
            "seeds": ("INT", {"default": 4, "min": 1, "max": 64}),
            "noise_seed": SEED,
        }
        scale = {"default": 0.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}
        optional = {
            "record": (RECORD, {}),
            "vae": ("VAE", {}),
            "second_model": ("MODEL", {}),
            "second_cfg": ("FLOAT", scale),
        }
        required, optional = (
            {k: (kind, {**o, "tooltip": HELP[k]}) for k, (kind, o) in each.items()}
            for each in (required, optional)
        )
        return {"required": required, "optional": optional, "hidden": {"unique_id": "UNIQUE_ID"}}

    @classmethod
    def IS_CHANGED(cls, unique_id=None, **_):
        """The store's revision where ours comes from the store, so that a new record is compared;
        else nothing but the inputs counts."""
        from .host.store import revision

        return "record" if _is_linked(unique_id, "record") else revision()

    @classmethod
    def VALIDATE_INPUTS(cls, schedulers="", steps="4"):
        """A mistyped name is told before anything upstream runs."""
        return mistake(schedulers or "", steps or "4") or True

    def compare(
        self, model, positive, negative, latent_image, cfg, sampler_name, schedulers, steps, seeds,
        noise_seed, record=None, vae=None, second_model=None, second_cfg=0.0, unique_id=None,
    ):  # fmt: skip
        """The plot, the grid of pictures and the table; raises StepDistillError with a sentence."""
        from .host.guider import guided
        from .host.suitability import check_suited
        from .page import comparison_pictures
        from .page.progress import Teller

        scene = guided(model, positive, negative, cfg, latent_image)
        check_suited(scene.guider)
        second = second_model and guided(
            second_model, positive, negative, second_cfg or cfg, latent_image, caches=True
        )
        contest = Contest(
            scene,
            sampler_name,
            step_counts(steps),
            schedulers,
            int(seeds),
            int(noise_seed) % MOST_SEED,
            record,
            second,
        )
        teller = Teller(scene.patcher, unique_id, previews=len(scene.shape) > 2)
        teller.plan(plan_text(contest), contest.calls)
        results = contest.run(teller)
        plot, trouble = comparison_pictures.plot(results)
        pictures = comparison_pictures.grid(results, scene.patcher, vae)
        table = "\n\n".join(part for part in (results.text, trouble) if part)
        drawn = compared(results, "\n".join(beside_stock(results)))
        return {"ui": {"text": [table], "stepdistill": [drawn]}, "result": (plot, pictures, table)}


def _is_linked(node: str | None, name: str) -> bool:
    """Whether an input of a node of the running prompt is fed by a link; False where that cannot be known."""
    try:
        from server import PromptServer

        items = list(PromptServer.instance.prompt_queue.currently_running.values())
        return any(
            isinstance(item[2].get(node, {}).get("inputs", {}).get(name), list) for item in items
        )
    except Exception:  # of the host's inner workings: not knowing is no fault
        return False
