"""Learning from a picture that the host draws anyway: its run is heard at the model's calls and kept,
to be learnt from when the picture is there (after_picture)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..scheduler.errors import OutputError, RecordingError, StepDistillError
from .host import option, sampler_labels, say
from .names import LABEL, NAME
from .words import MAKERS_STEPS

if TYPE_CHECKING:
    from ..scheduler.learning.situation import Situation
    from ..scheduler.lookup.selection import Selection
    from ..scheduler.recordings import Recording
    from .sampling_pass import Pass

LEAST_STEPS = 15  # asked for; fewer are no picture drawn in full
MOST_STEPS = 150  # of the hosts' own slider
ROWS = 1  # of a batch that are recorded
MASKED = "Nothing is learnt from a picture with a mask: draw one without."
OTHERS = ("lms", "dpm_2")  # deterministic, and none of the library's own
NEAR_TOP = 1e-3  # relative: published tables round the highest sigma
SIZE = 12  # bytes of a hash


def listening(here: Pass, function: Callable) -> Callable:
    """A sampler of the host's, in the place of `function`: it draws the same, and is learnt from
    where something can be."""
    from functools import wraps

    @wraps(function)  # the host reads its parameters
    def sample(model: Any, x: Any, *arguments: Any, **named: Any) -> Any:
        lesson = _begun(here, model, x, named)
        if lesson is None:
            return function(model, x, *arguments, **named)
        begun(here.p).append(lesson)
        drawn = function(lesson.heard(model), x, *arguments, **named)
        begun(here.p).remove(lesson)
        lesson.end(drawn)
        return drawn

    return sample


def _begun(here: Pass, model: Any, x: Any, named: dict) -> Lesson | None:
    """The lesson of a run, or None where nothing is learnt from it; a picture never fails for it."""
    try:
        return _lesson(here, model, x, named)
    except StepDistillError as problem:
        here.note(str(problem))
    except Exception as problem:  # of a host's or a model's kind that is not known
        say(f"nothing is learnt from this picture ({type(problem).__name__}: {problem})")
    return None


def _lesson(here: Pass, model: Any, x: Any, named: dict) -> Lesson | None:
    from ..scheduler.learning.choosing import chosen, fits, gained, recognised
    from ..scheduler.learning.deciding import decide
    from ..scheduler.learning.modes import FROM_PICTURES
    from ..scheduler.learning.words import not_learnt
    from .stores import store

    sigmas = named.get("sigmas")
    ours = here.found is not None and here.found.stand_in is None
    if not here.learns or ours or sigmas is None:
        return None
    why = why_not_with(here.name, here.p.steps) or too_short(here) or _why_not(here)
    try:
        begins = _situation(here, model, x, float(sigmas[0]))
    except RecordingError as problem:
        here.note(why or str(problem))
        return None
    situation = recognised(begins, store(), MAKERS_STEPS)
    if any(each.teaches(situation) for each in waiting(here.p)):
        return None  # an earlier picture of this batch does
    found = chosen(situation, (store(),))
    if why:
        if not (fits(found) and gained(found)):  # else there is nothing that it could teach
            here.note(why)
        return None
    decision = decide(situation, found, FROM_PICTURES)
    if decision.obstacle is not None:
        here.note(not_learnt(decision.obstacle))
    elif not decision.learns:
        where = at(here.strength, here.hires)
        # The panel says what is gained in its first line.
        gains = found.recipe.choice.ours and not here.hires
        here.note(already(found, here), f"Learnt before{where}." if gains else "")
    if not decision.learns:
        return None
    return Lesson(here, dict(named.get("extra_args") or {}), situation)


def why_not_with(sampler: str, steps: int) -> str:
    """Why pictures of a sampler and so many steps teach nothing, as a sentence; or "".

    sampler: by its function's name.
    """
    from ..scheduler.samplers.names import SAMPLERS, ode_sampler_for

    labels = sampler_labels()
    label = labels.get(sampler, sampler)
    if ode_sampler_for(sampler):
        twin = labels.get("dpmpp_2m", "dpmpp_2m")
        return (
            f"{label} adds noise at each step, so nothing is learnt from it: draw one with {twin}."
        )
    if sampler not in (*SAMPLERS, *OTHERS, NAME):
        return f"Nothing is learnt from pictures drawn with {label}."
    if steps < LEAST_STEPS:
        return f"Nothing is learnt from fewer than {LEAST_STEPS} steps."
    return ""


def too_short(here: Pass) -> str:
    """That a pass which begins with a picture runs too few of its steps to teach anything; or ""."""
    from ..scheduler.recordings.checking import LEAST_STEPS as FEWEST

    asked = int(here.requested or here.p.steps)
    runs = here.running_few(asked)
    if not here.img2img or runs >= FEWEST:
        return ""
    told = f"{asked} steps{at(here.strength, here.hires)} run as {runs}, too few to learn from"
    enough = enough_steps(here, asked)
    return f"{told}: draw with {enough} or more." if enough else f"{told}."


def enough_steps(here: Pass, least: int) -> int | None:
    """The fewest steps, of at least so many, that teach something at a pass's strength; None where
    the host offers none."""
    from ..scheduler.recordings.checking import LEAST_STEPS as FEWEST

    offered = range(least, MOST_STEPS + 1)
    return next((steps for steps in offered if here.running_few(steps) >= FEWEST), None)


def already(found: Selection, here: Pass) -> str:
    """What is there already for a picture that was drawn in full."""
    from .gains import gain_of
    from .provenance import learnt_under
    from .truth import near_strength

    where = at(here.strength, here.hires)
    if found.stretched:
        return f"Learnt before {near_strength(found)}: that serves here too."
    few = f"{int(option('stepdistill_steps', 6))} steps"  # of image to image fewer run
    if not found.recipe.choice.ours:
        return f"Learnt before{where}: {few} gain nothing here."
    gained, under = gain_of(found, here), learnt_under(found, here)
    told = f"{LABEL} in {few}{f', {under},' if under and gained else ''}"
    return f"Learnt before{where}: {told}{f' is {gained}' if gained else ''}."


def at(strength: float | None, hires: bool = False) -> str:
    """ ", second pass at denoising 0.7", of a pass that begins with a picture."""
    second = ", second pass" if hires else ""
    return "" if strength is None else f"{second} at denoising {strength:g}"


def _why_not(here: Pass) -> str:
    """What of the host's settings speaks against learning from a run, as a sentence; or ""."""
    if float(getattr(here.p, "s_min_uncond", 0) or 0) > 0:
        return (
            "Nothing is learnt while Negative Guidance minimum sigma is above 0: it leaves the negative "
            "prompt out of every other step."
        )
    wrapped = here.sampler.model_wrap_cfg
    if getattr(wrapped, "mask", None) is not None:
        return MASKED
    refiner = getattr(here.p, "refiner_checkpoint_info", None)
    if refiner is not None and (getattr(here.p, "refiner_switch_at", None) or 1) < 1:
        return "Nothing is learnt from a picture with a refiner: draw one without."
    return ""


def _situation(here: Pass, model: Any, x: Any, first: float) -> Situation:
    """The few-step run that this picture teaches: its own start, in the steps that the host will run
    where so many are asked for as are to be learnt."""
    from ..scheduler.learning.situation import Situation
    from .identity import cfg_of, facts_of_pass, guidance_of

    inner = model.inner_model.inner_model
    facts = facts_of_pass(here, inner)
    key = facts.key(cfg_of(here.p), tuple(x.shape[1:]), guidance_of(inner, here.p))
    steps = here.running_few(int(option("stepdistill_steps", 6)))
    top = abs(first / facts.sigma_max - 1) <= NEAR_TOP
    if not here.img2img and not top:
        raise RecordingError(
            f"Nothing is learnt from this picture: it began at sigma {first:.4g}, and the model's "
            f"noise at {facts.sigma_max:.4g}; leave the option of the highest sigma at 0."
        )
    return Situation(facts, key, steps, None if top else first)


def _prompt_of(here: Pass, situation: Situation) -> str:
    """A hash by which a run's conditioning is known again."""
    p, hires = here.p, "hr_" if here.hires else ""
    texts = [getattr(p, hires + name, None) for name in ("prompts", "negative_prompts")]
    first = [str((text or [""])[0]) for text in texts]
    if any("[" in text for text in first):  # prompts that change while it is drawn
        first.append(str(p.steps))
    about = repr((first, situation.key.cfg, getattr(p, "init_img_hash", None)))
    return hashlib.blake2b(about.encode(), digest_size=SIZE).hexdigest()


class Lesson:
    """One run of the host on its way.

    extra_args: with what the host's sampler asks its model. situation: what is learnt. hires: whether
    it is the second pass. prompt: a hash by which its conditioning is known again. like: what the run
    came to, as its latent.
    """

    def __init__(self, here: Pass, extra_args: dict, situation: Situation):
        from ..scheduler.recordings import Recording
        from ..scheduler.samplers.names import RELATIVE

        self.here, self.extra_args, self.situation = here, extra_args, situation
        self.hires, self.prompt = here.hires, _prompt_of(here, situation)
        self.like: Any = None
        shape = situation.key.latent_shape
        assert shape is not None
        runs = RELATIVE if here.name == NAME else here.name  # as which ours runs without a recipe
        about = {"name": here.setting, "prompt": self.prompt}
        self.recording: Recording = Recording(shape, situation.facts.process, runs, **about)

    def heard(self, model: Any) -> Any:
        """The host's model, which tells the recording what it is asked and answers."""
        return _Heard(model, self._step)

    def _step(self, x: Any, sigma: Any, denoised: Any) -> None:
        level, top = float(sigma.flatten()[0]), self.situation.start_sigma
        if abs(level / top - 1) <= NEAR_TOP:
            level = top
        self.recording.step(x[:ROWS], level, denoised[:ROWS])

    def teaches(self, situation: Situation) -> bool:
        """Whether it is the same that another run would teach."""
        own = self.situation
        return (own.key, own.steps) == (situation.key, situation.steps) and own.starts_at(
            situation.start_sigma
        )

    def end(self, drawn: Any) -> None:
        """The run is over: keep it, to be learnt from once the picture is there. Whatever happens,
        it will be."""
        from .stores import store

        here = self.situation
        self.like = drawn[:ROWS]
        self.recording.finish(drawn[:ROWS])
        try:
            store().keep_recording(here.key, self.recording, here.facts.name[:300])
        except (RecordingError, OutputError) as problem:
            self.here.note(f"Nothing was learnt from this picture. {problem}")
            return
        waiting(self.here.p).append(self)


def waiting(p: Any) -> list[Lesson]:
    """The runs of a picture that are learnt from when it is there."""
    return _lessons(p, "stepdistill_lessons")


def begun(p: Any) -> list[Lesson]:
    """Those that are being drawn, or that were broken off."""
    return _lessons(p, "stepdistill_begun")


def _lessons(p: Any, name: str) -> list[Lesson]:
    if not hasattr(p, name):
        setattr(p, name, [])
    return getattr(p, name)


class _Heard:
    """The host's model as a sampler sees it, heard at each call."""

    def __init__(self, model: Any, told: Callable):
        self._model, self._told = model, told

    def __call__(self, x: Any, sigma: Any, **named: Any) -> Any:
        denoised = self._model(x, sigma, **named)
        self._told(x, sigma, denoised)
        return denoised

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
