"""What was kept of a picture is learnt from once it is drawn and saved: it is shown meanwhile, and the
model is asked where the host's sampler asks it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..scheduler.errors import StepDistillError
from . import notes
from .host import option
from .host_denoiser import one_prompt
from .lesson import Lesson, at, waiting
from .names import LABEL
from .problems import free_memory, in_words
from .under_way import LentState, under_way
from .words import MAKERS_STEPS, earned_back, steps_of_work

if TYPE_CHECKING:
    from ..scheduler.learning.fitting import Learnt

KEPT = "what was paid for is kept, and the next picture like it goes on."


def learn_from(p: Any, drawn: Any) -> None:
    """Learn from each pass of a picture. drawn: the host's Processed, whose files are written."""
    from modules import shared

    lessons = list(waiting(p))
    waiting(p).clear()
    if not lessons:
        return
    notes.drawn(p, drawn)
    _show(drawn)
    with under_way(p):
        for lesson in lessons:
            if not _learn(lesson):
                break
    shared.state.skipped = False  # Skip has ended the learning alone


def _show(drawn: Any) -> None:
    """The picture, in the place where the host shows it while it is being made."""
    from modules import shared

    first = next((each for each in drawn.images if hasattr(each, "mode")), None)
    shared.state.current_latent = None  # else it is decoded in the picture's place
    if first is not None:
        shared.state.assign_current_image(first)


def _learn(lesson: Lesson) -> bool:
    """Whether the artist lets it go on."""
    here, learnt = lesson.here, []
    begun = _Counted()

    def work(model: Any) -> None:
        learnt.append(_learnt(lesson, model, begun))

    try:
        _in_the_sampler(lesson, work)
        if not learnt:
            here.note(f"Learning was interrupted; {KEPT}")
            return False
        _told(lesson, learnt[0], begun.calls)
    except StepDistillError as problem:
        here.note(f"Nothing was learnt from this picture. {problem}")
    except Exception as problem:  # such as no memory
        traceback.print_exc()
        here.note(f"Learning from this picture stopped: {in_words(problem)}; {KEPT}")
        free_memory()
    return True


class _Counted:
    """The model calls that learning has made now."""

    def __init__(self) -> None:
        self.calls = 0

    def heard(self, rows: int, sigma: float) -> None:
        self.calls += rows


def _in_the_sampler(lesson: Lesson, work: Callable[[Any], None]) -> None:
    """`work(model)` in the place of a sampler's function, with all that the host puts around that; it
    does not come to its end where the artist interrupts."""
    import torch
    from modules import devices
    from modules.sd_samplers_kdiffusion import KDiffusionSampler as Host

    here, given = lesson.here, lesson.extra_args
    sampler, p = here.sampler, here.p

    def sample_stepdistill(model: Any, x: Any, sigmas: Any, **others: Any) -> Any:
        work(model)
        return x

    like = torch.zeros_like(lesson.like)
    with torch.no_grad(), devices.autocast(), LentState(), _as_it_was(lesson):
        sampler.func = sample_stepdistill
        p.sampler_noise_scheduler_override = lambda steps: torch.linspace(1.0, 0.0, 3)
        sample = getattr(Host.sample, "__wrapped__", Host.sample)  # unheard by ourselves
        image = {"image_conditioning": given.get("image_cond")}
        sample(sampler, p, like, given.get("cond"), given.get("uncond"), **image)


class _as_it_was:  # noqa: N801 - read as a statement
    """The pass as it was while it was drawn, and then everything put back."""

    def __init__(self, lesson: Lesson):
        self.here = lesson.here
        self.hires = lesson.hires
        self.kept: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> None:
        here, p = self.here, self.here.p
        for owner, name in (
            (here.sampler, "func"),
            (here.sampler, "stepdistill_pass"),
            (here, "found"),
            (p, "sampler_noise_scheduler_override"),
            (p, "is_hr_pass"),
            (p, "extra_generation_params"),
        ):
            if hasattr(owner, name):
                self.kept.append((owner, name, getattr(owner, name)))
        p.extra_generation_params = dict(p.extra_generation_params)
        if hasattr(p, "is_hr_pass"):
            p.is_hr_pass = self.hires

    def __exit__(self, *trouble: Any) -> None:
        for owner, name, value in reversed(self.kept):
            setattr(owner, name, value)


def _learnt(lesson: Lesson, model: Any, begun: _Counted) -> Learnt:
    from ..scheduler.learning.choosing import base_record
    from ..scheduler.learning.fitting import calls_to_learn, learn, runs_to_go_on
    from .progress_bar import shown
    from .starts_learnt import with_start
    from .stores import store

    here, place, prompt = lesson.situation, store(), lesson.prompt
    runs = runs_to_go_on(place, here, prompt) or [lesson.recording]
    before = base_record(place, here)
    planned = calls_to_learn(here, sum(run.rows for run in runs))
    what = f"the picture is done; learning a {here.steps}-step recipe from it"
    with shown(what, planned) as progress:
        clock, heard = lesson.here.clock, begun.heard
        denoise = one_prompt(model, lesson.extra_args, here.facts, clock, heard)
        learnt = learn(place, here, denoise, runs, progress, prompt)
    record = with_start(learnt.record, before, here, lesson.here.strength)
    if record is not learnt.record and not learnt.problem:
        place.put(record)
    return replace(learnt, record=record)


def _told(lesson: Lesson, learnt: Learnt, calls: int) -> None:
    from ..scheduler.learning.choosing import AT_ONCE
    from ..scheduler.record.verdict_words import answers_at_once
    from .gains import gain

    few = int(option("stepdistill_steps", 6))  # of image to image fewer run
    where = at(lesson.here.strength, lesson.hires)
    price = f"Learning took {steps_of_work(calls)}"
    if answers_at_once(learnt.record):
        lesson.here.note(f"{AT_ONCE.format(MAKERS_STEPS)} {price}.")
        return
    if not learnt.ours:
        told = f"Learnt from this picture{where}, but {few} steps gain nothing yet; the next one helps."
        lesson.here.note(f"{told} {price}.")
        return
    gained = gain(learnt.recipe)
    what = f" is {gained}" if gained else ""
    back = earned_back(calls, lesson.recording.steps, learnt.recipe.steps)
    price = f"{price}{f', {back}' if back else ''}."
    told = f"Learnt from this picture{where}: {LABEL} in {few} steps{what}. {price}"
    # The panel says what is gained in its first line, of the first pass.
    panel = f"learnt from{where}. {price}" if lesson.hires else price
    lesson.here.note(*(f"{each} {learnt.problem}".strip() for each in (told, panel)))
