"""Learning from a picture that the host draws anyway: its run is heard at the model's calls, kept,
and a recipe is fitted to it before the host goes on."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..scheduler.errors import OutputError, RecordingError, StepDistillError
from .host import option, sampler_labels, say
from .host_denoiser import one_prompt
from .names import NAME
from .problems import free_memory, in_words

if TYPE_CHECKING:
    from ..scheduler.learning.fitting import Learnt
    from ..scheduler.learning.situation import Situation
    from ..scheduler.recordings import Recording
    from .sampling_pass import Pass

LEAST_STEPS = 15  # asked for; fewer are no picture drawn in full
ROWS = 1  # of a batch that are recorded
OTHERS = ("lms", "dpm_2")  # deterministic, and none of the library's own
NEAR_TOP = 1e-3  # relative: published tables round the highest sigma
SIZE = 12  # bytes of a hash
KEPT = "what was paid for is kept, and the next picture like it goes on."


def listening(here: Pass, function: Callable) -> Callable:
    """A sampler of the host's, in the place of `function`: it draws the same, and is learnt from
    where something can be."""
    from functools import wraps

    @wraps(function)  # the host reads its parameters
    def sample(model: Any, x: Any, *arguments: Any, **named: Any) -> Any:
        lesson = _begun(here, model, x, named)
        if lesson is None:
            return function(model, x, *arguments, **named)
        drawn = function(lesson.heard(model), x, *arguments, **named)
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
    from ..scheduler.learning.choosing import chosen
    from ..scheduler.learning.deciding import decide
    from ..scheduler.learning.modes import FROM_PICTURES
    from ..scheduler.learning.words import not_learnt
    from .stores import store

    sigmas = named.get("sigmas")
    ours = here.found is not None and here.found.stand_in is None
    if not here.learns or ours or sigmas is None or here.p.steps < LEAST_STEPS:
        return None
    why = _why_not(here)
    if why:
        here.note(why)
        return None
    situation = _situation(here, model, x, float(sigmas[0]))
    decision = decide(situation, chosen(situation, (store(),)), FROM_PICTURES)
    if decision.obstacle is not None:
        here.note(not_learnt(decision.obstacle))
    if not decision.learns:
        return None
    return Lesson(here, model, dict(named.get("extra_args") or {}), situation)


def _why_not(here: Pass) -> str:
    """What of the host's settings speaks against learning from a run, as a sentence; or ""."""
    from ..scheduler.samplers.names import SAMPLERS, ode_sampler_for

    labels = sampler_labels()
    label = labels.get(here.name, here.name)
    if ode_sampler_for(here.name):
        twin = labels.get("dpmpp_2m", "dpmpp_2m")
        return (
            f"{label} adds noise at each step, so nothing is learnt from it: draw one with {twin}."
        )
    if here.name not in (*SAMPLERS, *OTHERS, NAME):
        return f"Nothing is learnt from pictures drawn with {label}."
    if float(getattr(here.p, "s_min_uncond", 0) or 0) > 0:
        return (
            "Nothing is learnt while Negative Guidance minimum sigma is above 0: it leaves the negative "
            "prompt out of every other step."
        )
    wrapped = here.sampler.model_wrap_cfg
    if getattr(wrapped, "mask", None) is not None:
        return "Nothing is learnt from a picture with a mask: draw one without."
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


class Lesson:
    """One run of the host on its way.

    model: what the host's sampler asks; extra_args: with what. situation: what is learnt.
    """

    def __init__(self, here: Pass, model: Any, extra_args: dict, situation: Situation):
        from ..scheduler.recordings import Recording
        from ..scheduler.samplers.names import RELATIVE

        self.here, self.model, self.extra_args = here, model, extra_args
        self.situation = situation
        shape = situation.key.latent_shape
        assert shape is not None
        runs = RELATIVE if here.name == NAME else here.name  # as which ours runs without a recipe
        about = {"name": here.setting, "prompt": self.prompt}
        self.recording: Recording = Recording(shape, situation.facts.process, runs, **about)

    @property
    def prompt(self) -> str:
        """A hash by which a run's conditioning is known again."""
        p = self.here.p
        hires = "hr_" if self.here.hires else ""
        texts = [getattr(p, hires + name, None) for name in ("prompts", "negative_prompts")]
        first = [str((text or [""])[0]) for text in texts]
        if any("[" in text for text in first):  # prompts that change while it is drawn
            first.append(str(p.steps))
        about = repr((first, self.situation.key.cfg, getattr(p, "init_img_hash", None)))
        return hashlib.blake2b(about.encode(), digest_size=SIZE).hexdigest()

    def heard(self, model: Any) -> Any:
        """The host's model, which tells the recording what it is asked and answers."""
        return _Heard(model, self._step)

    def _step(self, x: Any, sigma: Any, denoised: Any) -> None:
        level, top = float(sigma.flatten()[0]), self.situation.start_sigma
        if abs(level / top - 1) <= NEAR_TOP:
            level = top
        self.recording.step(x[:ROWS], level, denoised[:ROWS])

    def end(self, drawn: Any) -> None:
        """The run is over: keep it, and learn from it. Whatever happens, the picture is there."""
        from modules.sd_samplers_common import InterruptedException

        from .stores import store

        here = self.situation
        self.recording.finish(drawn[:ROWS])
        try:
            store().keep_recording(here.key, self.recording, here.facts.name[:300])
        except (RecordingError, OutputError) as problem:
            self.here.note(f"Nothing was learnt from this picture. {problem}")
            return
        try:
            self._told(self._learnt())
        except StepDistillError as problem:
            self.here.note(f"Nothing was learnt from this picture. {problem}")
        except InterruptedException:
            self.here.note(f"Learning was interrupted; {KEPT}")
            _forget_skip()
        except Exception as problem:  # such as no memory
            traceback.print_exc()
            self.here.note(f"Learning from this picture stopped: {in_words(problem)}; {KEPT}")
            free_memory()

    def _learnt(self) -> Learnt:
        from ..scheduler.learning.choosing import base_record
        from ..scheduler.learning.fitting import calls_from, learn, runs_to_go_on
        from .progress_bar import shown
        from .starts_learnt import with_start
        from .stores import store

        here, place = self.situation, store()
        runs = runs_to_go_on(place, here, self.prompt) or [self.recording]
        before = base_record(place, here)
        planned = calls_from(sum(run.rows for run in runs), here.steps)
        with shown(f"learning {here.steps} steps", planned) as progress:
            denoise = one_prompt(self.model, self.extra_args, here.facts, self.here.clock)
            learnt = learn(place, here, denoise, runs, progress, self.prompt)
        record = with_start(learnt.record, before, here, self.here.strength)
        if record is not learnt.record and not learnt.problem:
            place.put(record)
        return replace(learnt, record=record)

    def _told(self, learnt: Learnt) -> None:
        from .gains import gain

        few = learnt.recipe.steps
        if not learnt.ours:
            self.here.note(
                f"Learnt from this picture, but {few} steps gain nothing yet; the next one helps."
            )
            return
        gained, strength = gain(learnt.recipe), self.here.strength
        what = f", {gained}" if gained else ""
        where = "" if strength is None else f" at denoising {strength:g}"
        price = self._price(learnt, few)
        told = f"Learnt{where}: Distilled in {few} steps{what}. {price}"
        # The panel says what a whole run gains in its first line.
        self.here.note(told, f"Learnt from the last picture. {price}" if strength is None else "")

    def _price(self, learnt: Learnt, few: int) -> str:
        """What learning cost, and when it is earned back."""
        saved = self.recording.steps - few
        pays = -(-learnt.calls // saved) if saved > 0 else 0
        back = f"; pays back after {pays} picture{'s' if pays != 1 else ''}" if pays else ""
        return f"{learnt.calls} model calls{back}. {learnt.problem}".strip()


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


def _forget_skip() -> None:
    """Skip ends the learning alone: the picture is there, and its next pass is drawn."""
    from modules import shared

    shared.state.skipped = False
