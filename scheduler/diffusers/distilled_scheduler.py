"""A scheduler of diffusers' kind that runs a record's recipes: `pipe.scheduler = ...`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils import BaseOutput, logging

from ..errors import RecipeError, ScheduleError, StepsError
from ..fingerprint import Fingerprint
from ..lookup import made_words, words
from ..lookup.given import given_match
from ..lookup.model_facts import ModelFacts
from ..lookup.selection import STOCK, Selection, select
from ..lookup.wanted import Wanted
from ..record import Recipe, Record
from ..record.parser import parse
from ..samplers.names import DISTILLED, RELATIVE
from .facts import key_of_pipeline
from .noise import noise_of
from .recipe_run import RecipeRun

logger = logging.get_logger(__name__)

SAME_SIGMAS = 1e-4  # what a pipeline's usual sigmas may differ by: some round them


@dataclass
class StepDistillOutput(BaseOutput):
    """prev_sample: what the model sees next (B, ...), after the last step the clean latent.
    pred_original_sample: the clean latent that it answered."""

    prev_sample: torch.Tensor
    pred_original_sample: torch.Tensor | None = None


class StepDistillScheduler(SchedulerMixin, ConfigMixin):
    """Runs the recipes of a record: schedule, query offsets and coefficients.

    Make one with `from_record(record, pipe.scheduler)`. record: the record's own data, so that a
    saved pipeline is whole. sampler: whose recipes ("distilled", or a stock one that was distilled
    for). The others describe the model's noise as diffusers' own schedulers do, under their names:
    another scheduler's `from_config` finds what it needs, and pipelines what they read.

    `recipe` is the one that runs, after `set_timesteps`; `selection` says where it comes from. What
    is not the record's own for these steps is said in the log. States are kept in float32.
    """

    _compatibles: list = []
    order = 1

    @register_to_config
    def __init__(
        self,
        record: dict | None = None,
        sampler: str = DISTILLED,
        flow: bool = False,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: str = "scaled_linear",
        trained_betas: list | None = None,
        prediction_type: str = "epsilon",
        timestep_type: str = "discrete",
        rescale_betas_zero_snr: bool = False,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        shift: float = 1.0,
        use_dynamic_shifting: bool = False,
        time_shift_type: str = "exponential",
        base_shift: float = 0.5,
        max_shift: float = 1.15,
        base_image_seq_len: int = 256,
        max_image_seq_len: int = 4096,
    ):
        self.record: Record | None = None
        if record is not None:
            self.record = Record.from_data(parse(json.dumps(record), "the scheduler's record"))
        self.noise = noise_of(self.config, "FlowMatch" if flow else "")
        self.selection: Selection | None = None
        self.recipe: Recipe | None = None
        self.num_inference_steps: int | None = None
        self.timesteps = torch.empty(0)
        self.sigmas = torch.empty(0)
        self._begin: int | None = None
        self._run: RecipeRun | None = None

    @classmethod
    def from_record(
        cls, record: Record, scheduler: Any, sampler: str = DISTILLED
    ) -> StepDistillScheduler:
        """For a pipeline, of its present scheduler (`pipe.scheduler`): the model's noise is taken
        from that. Raises SigmaRangeError where the record is of another kind or range of noise."""
        config = dict(scheduler.config)
        name = type(scheduler).__name__
        if not isinstance(scheduler, cls):
            config["flow"] = noise_of(config, name).process == "flow"
            config.setdefault("shift", config.get("flow_shift") or 1.0)
        for own in ("_class_name", "_diffusers_version"):
            config.pop(own, None)
        data = json.loads(record.to_json())
        known = {each: config.pop(each) for each in cls._get_init_keys(cls) & set(config)}
        made = cls(**known | {"record": data, "sampler": sampler})
        made.register_to_config(**config)  # what another scheduler's `from_config` may want again
        given_match(record, made._facts().key())
        return made

    @classmethod
    def for_pipeline(
        cls, pipe: Any, record: Record, sampler: str = DISTILLED, **call: Any
    ) -> StepDistillScheduler:
        """The same, with a look at whose record it is: `pipe.scheduler = ...for_pipeline(pipe, record)`.

        call: what the pipeline will be called with (height, guidance_scale, ...). In what the record
        differs from that is said in the log. Raises RecipeError for another model's record, too.
        """
        match = given_match(record, key_of_pipeline(pipe, **call))
        if match.differences:
            logger.warning(
                f"StepDistill: this record differs from what you run: {made_words.differs(match)}."
            )
        return cls.from_record(record, pipe.scheduler, sampler)

    @classmethod
    def extract_init_dict(cls, config_dict: dict, **kwargs: Any) -> tuple[dict, dict, dict]:
        """diffusers' own, but that other schedulers' attributes are kept without a warning: a stock
        scheduler made from this one's configuration wants them again."""
        known = cls._get_init_keys(cls)
        others = {k: v for k, v in config_dict.items() if k not in known and k[:1] != "_"}
        given = {k: v for k, v in config_dict.items() if k not in others}
        made, unused, hidden = super().extract_init_dict(given, **kwargs)
        return made, unused, hidden | others

    @property
    def init_noise_sigma(self) -> float:
        """What a pipeline multiplies unit noise with to begin: the first sigma (for flow models 1)."""
        if self.noise.process == "flow":
            return 1.0
        return self.recipe.sigmas[0] if self.recipe else self.noise.table.sigma_max

    @property
    def step_index(self) -> int | None:
        """How many steps are done; None before set_timesteps."""
        return None if self._run is None else self._run.done

    @property
    def begin_index(self) -> int | None:
        """The step that an image-to-image pipeline begins with, or None."""
        return self._begin

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Begin at a later step: the rest of the schedule is run by the rule of dpmpp_2m then, without
        offsets, for the fitted numbers are those of a whole run; it says so."""
        self._begin = begin_index
        if self.recipe is None or not 0 < begin_index < self.recipe.steps:
            return
        logger.warning(
            f"StepDistill: this run begins at step {begin_index + 1} of {self.recipe.steps}, for "
            f"which nothing was fitted; {RELATIVE} runs on the sigmas that are left."
        )
        self._run = RecipeRun(self.recipe, self.noise, begin_index)
        self._tell_times()

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        sigmas: Sequence[float] | None = None,
        mu: float | None = None,
    ) -> None:
        """Take the recipe for so many steps.

        sigmas: what a pipeline hands to every flow scheduler; only its usual even ones are accepted,
        as a number of steps. mu: a dynamic shift, which a recipe's sigmas have behind them: it
        changes nothing. Raises RecipeError where there is no record or its sampler cannot be run here,
        ScheduleError for sigmas of one's own, StepsError and SigmaRangeError.
        """
        steps = _steps(num_inference_steps, sigmas)
        if self.record is None:
            raise RecipeError(
                "This scheduler has no record; make it with "
                "StepDistillScheduler.from_record(record, pipe.scheduler)."
            )
        facts = self._facts()
        match = given_match(self.record, facts.key())
        found = select(Wanted.of(facts, self.config.sampler, steps), facts, given=match)
        self._say(found)
        self._take(found.recipe, device)
        self.selection = found

    def scale_model_input(
        self, sample: torch.Tensor, timestep: float | torch.Tensor | None = None
    ) -> torch.Tensor:
        """The model's input for a state (B, ...): of eps and v models scaled for the asked sigma."""
        if self._run is None:
            raise ScheduleError("Nothing runs yet; call set_timesteps first.")
        return self._run.fed(sample)

    def step(
        self,
        model_output: torch.Tensor,
        timestep: float | torch.Tensor,
        sample: torch.Tensor,
        return_dict: bool = True,
        generator: Any = None,
    ) -> StepDistillOutput | tuple[torch.Tensor, torch.Tensor]:
        """One step of the recipe: the model's answer (B, ...) to `sample`, of the shape that both have.

        prev_sample has sample's dtype. timestep and generator are there for the pipelines' sake:
        steps follow one another, and no noise is added.
        """
        if self._run is None or self._run.over:
            raise ScheduleError("There is no step left; call set_timesteps before each picture.")
        handed, denoised = self._run.step(model_output, sample)
        return StepDistillOutput(handed, denoised) if return_dict else (handed, denoised)

    def add_noise(
        self,
        original_samples: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
    ) -> torch.Tensor:
        """A clean latent with the noise of each row's timestep, as image-to-image pipelines ask for it."""
        levels = [self.noise.sigma(float(time)) for time in timesteps.flatten()]
        rows = original_samples.split(1) if len(levels) > 1 else (original_samples,)
        parts = noise.split(1) if len(levels) > 1 else (noise,)
        made = [self.noise.noisy(*each) for each in zip(rows, parts, levels, strict=True)]
        return torch.cat(made)

    def scale_noise(
        self, sample: torch.Tensor, timestep: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """The same, by the name that flow pipelines use."""
        return self.add_noise(sample, noise, torch.as_tensor(timestep))

    def __len__(self) -> int:
        return self.config.num_train_timesteps

    def _facts(self) -> ModelFacts:
        """The model as its configuration describes it; that it is the record's own is the user's word,
        or was looked at (`for_pipeline`)."""
        noise, table = self.noise, self.noise.table
        low, high = table.sigma_min, table.sigma_max
        whose = None
        if self.record is not None:
            whose = Fingerprint.of_record(self.record.model)
            if noise.process == "flow":
                low = self.record.model.sigma_min  # a flow answers at every level above 0
        return ModelFacts(whose, "", noise.process, noise.prediction, None, low, high, table)

    def _say(self, found: Selection) -> None:
        """What is not the record's own recipe for this run is never passed over."""
        if found.source == STOCK or found.substituted:
            logger.warning(f"StepDistill: {words.info(found)}")

    def _take(self, recipe: Recipe, device: str | torch.device | None) -> None:
        self._run = RecipeRun(recipe, self.noise)
        self.recipe, self.num_inference_steps = recipe, recipe.steps
        # Filled in place: a pipeline holds views of its single timesteps already when a run is cut.
        self.timesteps = torch.empty(recipe.steps, dtype=torch.float32, device=device)
        self.sigmas = torch.tensor(recipe.sigmas, dtype=torch.float32)
        self._begin = None
        self._tell_times()

    def _tell_times(self) -> None:
        assert self._run is not None
        times = [self.noise.timestep(sigma) for sigma in self._run.asked]
        self.timesteps.copy_(torch.tensor(times, dtype=torch.float32))


def _steps(count: int | None, sigmas: Sequence[float] | None) -> int:
    """The number of steps, from whichever of both a pipeline hands over."""
    if sigmas is None:
        if count is None:
            raise StepsError("The number of steps is missing; give num_inference_steps.")
        return int(count)
    given = np.asarray(sigmas, dtype=np.float64)
    usual = np.linspace(1, 1 / max(len(given), 1), len(given))
    if not np.allclose(given, usual, atol=SAME_SIGMAS, rtol=0):
        raise ScheduleError(
            "This scheduler runs its record's own sigmas; leave `sigmas` out, or take diffusers' "
            "own scheduler for others."
        )
    return len(given)
