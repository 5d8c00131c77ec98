"""Distilling through a pipeline's own call, with the store of the UIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..distilling.already import serves
from ..distilling.effort import INSTANT, effort_named
from ..distilling.meter import Progress
from ..distilling.plan import Plan
from ..distilling.planning import plan_request
from ..distilling.request import checked_steps, request_of
from ..distilling.run import distill
from ..errors import BudgetError, DenoiserError, RecordingError, StepDistillError
from ..files import PathLike
from ..kin.starts import starts_from
from ..lookup.key import Key
from ..lookup.match import EXACT
from ..lookup.model_facts import ModelFacts
from ..record import SAME_START, Recipe, Record
from ..recordings import Recording
from ..samplers.names import DISTILLED
from ..sources import beside
from ..store import Store
from .asking import Denoising, denoiser_of, run_in_pipeline
from .facts import facts_of_pipeline, key_of_pipeline, layout_for, noise_of_pipeline

EMBEDDED = "prompt_embeds"
OURS = ("prompt", "output_type", "num_inference_steps", "callback_on_step_end", "latents")


def distill_pipeline(
    pipe: Any,
    prompts: str | Sequence[str] | None,
    steps: Sequence[int] | int = 6,
    *,
    samplers: Sequence[str] = (DISTILLED,),
    effort: str = INSTANT,
    budget: int | None = None,
    evidence_budget: int | None = 0,
    samples: int | None = None,
    seed: int = 0,
    recordings: Sequence[Recording] = (),
    store: Store | PathLike | bool = True,
    again: bool = False,
    resume: PathLike | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
    **call: Any,
) -> Record:
    """Distil recipes for a pipeline, asking its model as one call of the pipeline would.

    pipe: a text-to-image or text-to-video pipeline, with the LoRAs, adapters and offloading that you
    draw with. prompts: one, or a few, which are drawn as one batch: row i of the teacher has prompt
    i; None where the call has prompt_embeds. call: whatever else the pipeline is called with: height,
    width, guidance_scale, negative_prompt, ip_adapter_image, ... steps, samplers, effort, budget,
    evidence_budget, samples, seed, recordings, resume, progress, should_stop, on_plan and on_record
    are `distill`'s; samples is rounded up to whole batches.

    store: True for the store that the UIs use, a folder or a Store, or False. A record there of the
    same weights, noise, guidance and size that has all that is asked for, made with no less effort, is
    returned at once, unless `again`; the new one is kept from its first recipe on, and related models'
    recipes there are among its starts. name: the record's, in place of the pipeline's.

    Costs, beside what the plan says, one batch of the pipeline where a flow pipeline shows its
    latents' shape. Raises what `distill` raises, OutputError where the store cannot be written to,
    SigmaRangeError and CheckpointError for a pipeline of an unknown kind, RecordingError for a
    picture that began below the model's first noise level, and DenoiserError for an
    argument that distilling decides itself.
    """
    texts = [prompts] if isinstance(prompts, str) else list(prompts or ())
    _check(texts, call)
    job = _Job(pipe, texts, _filled(call, texts), _opened(store), samplers, steps, name)
    for each in recordings:
        _check_start(each, job.facts)
    samples = _whole(samples or _rows(effort, budget, recordings), job.batch)
    if not again:
        found = job.found(Spent(budget, samples, effort))
        if found is not None:
            return found
    options = {
        "samplers": samplers,
        "steps": steps,
        "effort": effort,
        "budget": budget,
        "evidence_budget": evidence_budget,
        "samples": samples,
        "seed": seed,
        "recordings": recordings,
        "resume": resume,
        "progress": progress,
        "should_stop": should_stop,
        "on_plan": on_plan,
    }
    return job.distilled(options, on_record)


@dataclass(frozen=True)
class Spent:
    """How much may be spent: a budget, or an effort; samples: rows, or None."""

    budget: int | None
    samples: int | None
    effort: str


@dataclass
class _Job:
    """One call of `distill_pipeline`."""

    pipe: Any
    texts: list[str]
    call: dict[str, Any]
    store: Store | None
    samplers: Sequence[str]
    steps: Sequence[int] | int
    name: str | None

    def __post_init__(self):
        self.facts: ModelFacts = facts_of_pipeline(self.pipe)
        if self.name:
            self.facts = replace(self.facts, name=self.name)
        asked = "+".join(sorted(set(self.samplers)))
        self.key: Key = key_of_pipeline(self.pipe, asked, self.facts, **self.call)

    @property
    def batch(self) -> int:
        """Rows of one call of the pipeline."""
        return self.prompts * int(self.call.get("num_images_per_prompt") or 1)

    @property
    def prompts(self) -> int:
        """How many there are, as texts or embedded."""
        return len(self.texts) or len(self.call[EMBEDDED])

    def found(self, spent: Spent) -> Record | None:
        """The store's record of these very conditions, where it has all that is asked for and was made
        with about as many model calls."""
        if self.store is None:
            return None
        match = self.store.lookup(replace(self.key, sampler=None), "exact")
        if match is None or match.kind != EXACT:
            return None
        about = match.record, self.samplers, checked_steps(self.steps)
        return match.record if serves(*about, self._calls(spent)) else None

    def _calls(self, spent: Spent) -> int:
        """The model calls that are planned for what is asked for."""
        shape = self.key.latent_shape
        if shape is None:
            return 0
        facts = self.facts
        about = facts.sigma_max, facts.sigma_min, facts.process, self.samplers, self.steps
        request = request_of(lambda x, sigma: x, shape, *about, facts.shift, 0)
        return plan_request(request, spent.budget, 0, spent.samples, spent.effort).calls

    def distilled(self, options: dict, on_record: Callable[[Record], None] | None) -> Record:
        """The library's `distill` beside one call of the pipeline."""

        starts = self._kin()

        def told(record: Record) -> None:
            with suppress(StepDistillError):  # what cannot be kept is said at the end
                self._keep(record)
            if on_record is not None:
                on_record(record)

        def work(denoising: Denoising) -> Record:
            layout = layout_for(self.pipe, self.call, denoising.own)
            key = self.key
            if key.latent_shape is None:
                key = replace(key, latent_shape=layout.shape)
            noise = self.facts
            return distill(
                denoiser_of(denoising, layout),
                layout.shape,
                noise.sigma_max,
                noise.sigma_min,
                noise.process,
                conditions=self.facts.conditions(key, self.prompts, options["seed"]),
                on_record=told,
                starts=starts,
                **options,
            )

        call = self.call | ({"prompt": self.texts} if self.texts else {})
        noise = noise_of_pipeline(self.pipe)
        record = run_in_pipeline(self.pipe, noise, work, call, self.batch)
        self._keep(record)
        return record

    def _kin(self) -> tuple[Recipe, ...]:
        """Related models' recipes in the store and its sources, to begin with."""
        if self.store is None:
            return ()
        shelves = self.store, beside(self.store.folder)
        about = self.samplers, checked_steps(self.steps)
        return starts_from(shelves, self.facts, self.key, *about).recipes

    def _keep(self, record: Record) -> None:
        if self.store is not None:
            about = self.facts.provenance
            whole = replace(record, provenance=record.provenance | about) if about else record
            self.store.put(whole)


def _rows(effort: str, budget: int | None, recordings: Sequence[Recording]) -> int | None:
    """The rows that an effort asks for; None where something else says how many."""
    return None if budget is not None or recordings else effort_named(effort).rows


def _whole(samples: int | None, batch: int) -> int | None:
    """Rows in whole batches of the pipeline, which draws no part of one."""
    return None if samples is None else -(-samples // batch) * batch


def _opened(store: Store | PathLike | bool) -> Store | None:
    if isinstance(store, bool):
        return Store.open() if store else None
    return store if isinstance(store, Store) else Store.open(store)


def _check_start(recording: Recording, facts: ModelFacts) -> None:
    """Raise RecordingError for a picture that began below the model's first level."""
    if recording.start_sigma < facts.sigma_max * (1 - SAME_START):
        raise RecordingError(
            f"This picture began at sigma {recording.start_sigma:.4g}, below the model's "
            f"{facts.sigma_max:.4g}; draw one with a scheduler whose timestep_spacing is 'trailing'."
        )


def _filled(call: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """The call with one negative prompt for each prompt, as pipelines want them."""
    negative = call.get("negative_prompt")
    if isinstance(negative, str) and texts:
        return call | {"negative_prompt": [negative] * len(texts)}
    return call


def _check(texts: list[str], call: Mapping[str, Any]) -> None:
    if not texts and call.get(EMBEDDED) is None:
        raise BudgetError("No prompt was given; distilling needs at least one that you would draw.")
    taken = [name for name in OURS if name in call]
    if taken:
        raise DenoiserError(
            f"{', '.join(taken)} is decided by distilling itself; leave it out "
            "(prompts are its second argument, steps its third)."
        )
