"""The next picture of a tab, as its controls stand: what would draw it, what it would teach, and what
few steps there are for it. Nothing is drawn or loaded for the question."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .host import option, sampler_labels
from .names import AUTOMATIC, LABEL, NAME
from .sampling_pass import Pass
from .words import PIXELS

if TYPE_CHECKING:
    from ..scheduler.lookup.selection import Selection

CHANNELS = 4  # of a latent, where the host's model does not say
# What the panel asks of the page, and what of that not every tab or host has.
NEEDED = ("sampling", "scheduler", "steps", "cfg_scale", "width", "height")
STRENGTH, GUIDANCE, HIRES = "denoising_strength", "distilled_cfg_scale", "hr-checkbox"
PROMPT, STYLES = "prompt", "styles"


@dataclass(frozen=True)
class AsSet:
    """Sampler and schedule type by the host's labels. strength: of image to image, else None.
    guidance: distilled, on hosts that have it. record, recipes: as the panel holds them. learns: whether
    Learn while drawing is ticked there. masked: on a tab for inpainting. hires: with a second pass.
    loras: (name, strength) that its prompt names."""

    sampler: str
    schedule: str
    steps: int
    cfg: float
    width: int
    height: int
    strength: float | None = None
    guidance: float | None = None
    record: str = AUTOMATIC
    recipes: str = ""
    learns: bool = False
    masked: bool = False
    hires: bool = False
    loras: tuple[tuple[str, float], ...] = ()

    @property
    def ours(self) -> bool:
        """Whether a recipe draws it, where there is one."""
        return self.schedule in (LABEL, NAME) or self.in_use

    @property
    def in_use(self) -> bool:
        """Whether the sampler Distilled runs as it is meant to."""
        return self.sampler == LABEL and self.schedule in (LABEL, NAME, AUTOMATIC)

    def drawn(self, model: Any, steps: int | None = None) -> Pass:
        """Its pass of the host, in the page's own steps; or as few steps of ours (steps)."""
        few = steps is not None
        label = LABEL if few else self.sampler
        p = SimpleNamespace(
            steps=steps if few else self.steps,
            cfg_scale=self.cfg,
            distilled_cfg_scale=self.guidance,
            denoising_strength=1.0 if self.strength is None else self.strength,
            is_hr_pass=False,
            stepdistill_masked=self.masked,
            stepdistill_record=AUTOMATIC if few else self.record,
            stepdistill_recipes="" if few else self.recipes,
        )
        sampler = SimpleNamespace(
            funcname=f"sample_{_function(label)}", func=None, config=_entry(label)
        )
        shape = (_channels(model), self.height // PIXELS, self.width // PIXELS)
        return Pass(sampler, p, self.strength is not None, shape=shape)


def chosen(tab: AsSet, here: Pass, model: Any) -> Selection:
    """What a pass of a tab that is not drawn yet would get."""
    from .identity import facts_of
    from .pass_recipe import choose

    facts = facts_of(model, tab.loras)
    highest = float(option("sigma_max", 0.0) or 0.0)
    asked = _asked(here) + here.drops
    return choose(here, asked, highest or facts.sigma_max, facts, model)


def few_steps(tab: AsSet, model: Any) -> Selection | None:
    """As many steps as are to be learnt, where a recipe of ours was fitted for a run like the tab's; or
    None, such as where they were only worked out from another run, or the model has few already."""
    from ..scheduler.lookup.selection import SOLVED
    from ..scheduler.record.verdict_words import answers_at_once

    found = chosen(tab, tab.drawn(model, int(option("stepdistill_steps", 6))), model)
    ours = found.record is not None and found.recipe.choice.ours and found.measured != SOLVED
    fitted = not found.substituted or found.stretched
    whole = ours and fitted and found.recipe.coefficients is not None
    return found if whole and not answers_at_once(found.record) else None


def fitted_for_it(found: Selection) -> bool:
    """Whether a recipe was learnt for just this."""
    from ..scheduler.learning.choosing import fits

    return fits(found)


def told(tab: AsSet, model: Any) -> str:
    """What the next picture would be, and what it would teach, in a sentence."""
    from ..scheduler.lookup.rules import OWN_STEPS, rule_for
    from .truth import line

    here = tab.drawn(model)
    if tab.ours:
        if rule_for(here.name).kind == OWN_STEPS or here.name not in sampler_labels():
            return f"{tab.sampler} makes its own schedule, whatever schedule type is chosen."
        found = chosen(tab, here, model)
        return line(found, here, here.pasted, gains=False)
    if tab.sampler == LABEL:
        return (
            f"{LABEL} runs as DPM++ 2M on {tab.schedule}; for its own recipe choose {LABEL} or "
            f"{AUTOMATIC} there."
        )
    return _lesson(tab, here, model)


def _lesson(tab: AsSet, here: Pass, model: Any) -> str:
    from ..scheduler.learning.choosing import AT_ONCE, gained
    from ..scheduler.record.verdict_words import answers_at_once
    from .lesson import MASKED, too_short, why_not_with
    from .words import MAKERS_STEPS

    if not tab.learns:
        if not option("stepdistill_opened", False):
            return ""  # opening the panel turns it on
        return "It teaches nothing: Learn while drawing is off."
    few = int(option("stepdistill_steps", 6))
    found = chosen(tab, tab.drawn(model, few), model)
    if found.facts.advice:
        return ""
    if found.record is not None and answers_at_once(found.record):
        return AT_ONCE.format(MAKERS_STEPS)
    learnt = fitted_for_it(found) and gained(found)
    why = MASKED if tab.masked else why_not_with(here.name, tab.steps) or too_short(here)
    if why:
        return "" if learnt else why
    second = f"That of its second pass takes {_price(few)} at most." if tab.hires else ""
    if learnt:
        return f"Nothing more to learn from it. {second}".strip()
    told = f"its learning takes {_price(found.recipe.steps, here.shape)} at most, after the picture is shown."
    return f"{told} {second}".strip()


def _price(few: int, shape: tuple[int, ...] | None = None) -> str:
    """What learning so many steps takes at most. shape: of a latent, small ones of which take fewer;
    None: the most."""
    from ..scheduler.learning.fitting import ELEMENTS, calls_from
    from .words import steps_of_work

    return steps_of_work(calls_from(1, few, math.prod(shape) if shape else ELEMENTS))


def _asked(here: Pass) -> int:
    """The steps that the host asks a schedule for."""
    if not here.img2img:
        return int(here.p.steps)
    from modules.sd_samplers_common import setup_img2img_steps

    return int(setup_img2img_steps(here.p, here.requested)[0])


def _function(label: str) -> str:
    """A sampler's function by its label; what is not known as it is."""
    names = {each: name for name, each in sampler_labels().items()}
    return names.get(label, label)


def _entry(label: str) -> Any:
    """What the host's list says of a sampler."""
    from modules import sd_samplers

    known = getattr(sd_samplers, "all_samplers_map", {})
    return known.get(label) or SimpleNamespace(name=label, options={})


def _channels(model: Any) -> int:
    """Of the model's latents."""
    vae = getattr(getattr(model, "forge_objects", None), "vae", None)
    for owner in (vae, model):
        found = getattr(owner, "latent_channels", None)
        if isinstance(found, int):
            return found
    return CHANNELS
