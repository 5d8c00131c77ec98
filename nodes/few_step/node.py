"""Few-Step KSampler: in the place of KSampler, with nothing to choose but how many steps."""

from __future__ import annotations

from dataclasses import replace

from ...scheduler.learning.modes import FROM_PICTURES, MODES
from ..fields import CATEGORY, DENOISE, RECORD, SCENE
from .wishes import count, taken

AS_SAVED, NEWEST = "as saved", "newest"
UNREAD = "A record that this workflow carries cannot be read, and was passed over."
DESCRIPTION = (
    "Draws in few steps what your model draws in many: a KSampler that runs the best recipe known "
    "for this model, cfg, size and denoise. Where there is none yet, it draws your next picture "
    "in full (24 steps), learns from it, and from then on takes few steps. Nothing else need be "
    "done."
)
HELP = {
    "model": "The model to draw with, its LoRAs and ModelSampling nodes already applied.",
    "positive": "The prompt: what to draw.",
    "negative": "The negative prompt: what to keep out.",
    "latent_image": "An empty latent of the size to draw, or a picture to begin with (with a denoise "
    "below 1).",
    "cfg": "The guidance. A recipe is learnt for this guidance and near it.",
    "seed": "The noise that the picture is drawn from.",
    "steps": "How many steps. 0: as many as this model needs, where more steps stop to help much.",
    "learn": "Where no recipe is known yet. From my pictures: the next picture is drawn in full (24 steps), "
    "and learnt from (at most 39 model calls more, for 6 steps). Now: learnt before this picture (under a "
    "hundred model calls; how long that takes is said first). Off: nothing is learnt; the nearest recipe "
    "that there is, or a stock schedule, draws and is named.",
    "record": "Draw with this record and no other.",
    "recipe": "As saved: a workflow opened from a picture draws with the recipe that the picture was "
    "drawn with. Newest: with the best that has been learnt since.",
}


class StepDistillKSampler:
    """A drop-in for KSampler."""

    DESCRIPTION, CATEGORY, FUNCTION = DESCRIPTION, CATEGORY, "draw"
    SEARCH_ALIASES = (
        "few steps",
        "fewer steps",
        "speed",
        "faster",
        "fast sampler",
        "optimal steps",
        "turbo",
        "lightning",
        "ksampler",
    )
    HAS_INTERMEDIATE_OUTPUT = True  # newer hosts then show the text of a cached run too
    RETURN_TYPES = ("LATENT", "STRING")
    RETURN_NAMES = ("LATENT", "info")
    OUTPUT_TOOLTIPS = (
        "The picture, for VAE Decode.",
        "What it was drawn with, and what was learnt.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        seed = {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF, "control_after_generate": True}
        required = {
            "model": SCENE["model"],
            "positive": SCENE["positive"],
            "negative": SCENE["negative"],
            "latent_image": SCENE["latent_image"],
            "seed": ("INT", seed),
            "steps": ("INT", {"default": 6, "min": 0, "max": 100}),
            "cfg": SCENE["cfg"],
            "denoise": DENOISE,
            "learn": (list(MODES), {"default": FROM_PICTURES}),
        }
        optional = {
            "record": (RECORD, {}),
            "recipe": ([AS_SAVED, NEWEST], {"default": AS_SAVED, "advanced": True}),
        }
        return {
            "required": _with_help(required),
            "optional": _with_help(optional),
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def IS_CHANGED(cls, unique_id=None, **_):
        """Nothing but the inputs, and a wish to improve: what is learnt never draws a finished graph
        again."""
        return count(unique_id)

    def draw(
        self, model, positive, negative, latent_image, seed, steps, cfg, denoise, learn,
        record=None, recipe=AS_SAVED, unique_id=None,
    ):  # fmt: skip
        """The LATENT and what is to be said of it; raises StepDistillError with a sentence."""
        from ...scheduler.learning.again import IN_FULL
        from ...scheduler.learning.deciding import AS_BEFORE, Obstacle
        from ...scheduler.learning.drawing import draw_and_learn
        from ...scheduler.learning.situation import Situation
        from ...scheduler.lookup.given import given_match
        from ..host.guider import guided
        from ..host.model_facts import facts_of, guidance_of
        from ..host.running_prompt import running_client
        from ..host.store import store
        from ..host.workflow_records import shelves
        from .as_drawn import note, noted
        from .conditioning import hook_patches_of
        from .foretelling import remember
        from .picture import Picture

        scene = guided(model, positive, negative, cfg, latent_image)
        facts = facts_of(scene.patcher)
        hooks = hook_patches_of(scene.guider)
        patches = (*facts.patches, *hooks)
        facts = replace(facts, patches=patches, streams=scene.streams)
        guidance = guidance_of(positive)
        key = facts.key(scene.cfg, scene.shape, guidance)
        again = recipe == AS_SAVED and record is None
        picture = Picture(scene, facts.process, int(seed), unique_id)
        settings = int(seed), int(steps), float(cfg), float(denoise), learn, scene.shape
        before = noted(unique_id, *settings) if again else ""
        obstacle = _obstacle(scene, bool(hooks))
        remember(facts, scene, guidance, obstacle, picture.prompt(), picture.paced_as)
        wished = taken(unique_id, running_client())
        carried = shelves()
        drawn, outcome = draw_and_learn(
            picture,
            store(),
            Situation.of(facts, key, int(steps), float(denoise)),
            learn,
            carried=carried,
            given=None if record is None else given_match(record, key),
            newest=not again,
            obstacle=Obstacle(AS_BEFORE) if before == IN_FULL else obstacle,
            improve_calls=wished,
            handed=picture.handed,
            before=before,
        )
        note(unique_id, outcome, *settings)
        beside = _without(scene.left_out)
        if any(each.unread for each in carried):
            beside += f" {UNREAD}"
        return _answer(drawn, outcome, beside, wished)


def _with_help(inputs: dict) -> dict:
    return {
        name: (kind, {"tooltip": HELP.get(name, ""), **o}) for name, (kind, o) in inputs.items()
    }


def _obstacle(scene, hooks: bool):
    """Why this picture is not learnt from, as far as the graph says it."""
    from ...scheduler.learning.deciding import HOOKS, MASK, UNSUITED, Obstacle
    from ..host.suitability import unsuited_guider

    if hooks:
        return Obstacle(HOOKS)
    reason = unsuited_guider(scene.guider)
    if reason:
        return Obstacle(UNSUITED, reason)
    return Obstacle(MASK) if scene.latent.get("noise_mask") is not None else None


def _without(left_out: tuple[str, ...]) -> str:
    """What a picture was drawn without, as a sentence after others."""
    if not left_out:
        return ""
    return f" Drawn without {', '.join(left_out)}, which guesses steps that are no longer there."


def _answer(drawn, outcome, beside: str, wished: int = 0) -> dict:
    """What the host gets of a picture: the graph's own file says what drew it. beside: what is to be
    said besides. wished: model calls that were to improve a recipe."""
    from ...scheduler.learning import words
    from ...scheduler.learning.one_picture import NOTHING_TO_IMPROVE
    from ...scheduler.lookup.match import WORKFLOW
    from ..host.picture_records import attach
    from ..host.workflow_records import keep_used
    from ..page.card_data import shown

    match = outcome.found.match
    if match is not None and match.place == WORKFLOW and not outcome.found.stretched:
        keep_used(match.as_made)
    elif match is not None:
        attach(outcome.found.to_carry, match.name, lasting=True)
    info = words.after(outcome) + beside
    brought = words.brought(outcome)
    if wished and not outcome.improved and not outcome.problem:
        brought = NOTHING_TO_IMPROVE
        info += f" {brought}"
    learning = outcome.data | {"brought": brought}
    card = shown(outcome.found, info=info) | {"learning": learning}
    return {"ui": {"stepdistill": [card], "text": [info]}, "result": (drawn, info)}
