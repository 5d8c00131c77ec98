"""A pipeline's own denoising as a denoiser: guidance, prompts, LoRA, adapters and offloading are in it.

The pipeline runs its loop as always, with a scheduler that has no schedule: what the model is asked
next is decided elsewhere, by work that runs in a thread of its own. The pipeline stays in the
caller's thread, where autocast, streams and Ctrl-C are.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils import BaseOutput

from ..denoiser import Denoiser
from ..errors import DenoiserError, Stopped
from .noise import PipelineNoise

MOST_CALLS = 10_000  # in one run of the pipeline; then it is begun again
ROWS_DIFFER = (
    "This pipeline fed its model {here} latents and then answered for {there}; take one whose "
    "guidance is a batch of copies, such as a text-to-image pipeline."
)


class _Over(BaseException):
    """Unwinds the pipeline once nothing more is asked; no pipeline catches it."""


class Denoising:
    """What the work is given: `denoise` for (rows, *own) latents, known once the pipeline has begun.

    own: one sample's shape as the pipeline keeps it. batch: how many rows it draws at a time.
    """

    def __init__(self, own: tuple[int, ...], batch: int, ask: Callable):
        self.own, self.batch, self._ask = own, batch, ask

    def denoise(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """x0 (rows, *own) of x at sigma (rows,), row i with the conditioning of the batch's row
        i % batch; a last batch that is not full is filled with copies."""
        parts = []
        for part in x.split(self.batch):
            spare = self.batch - len(part)
            full = torch.cat([part, part[:1].expand(spare, *part.shape[1:])]) if spare else part
            parts.append(self._ask(full, float(sigma[0]))[: len(part)])
        return parts[0] if len(parts) == 1 else torch.cat(parts)


Work = Callable[[Denoising], Any]


def run_in_pipeline(
    pipe: Any, noise: PipelineNoise, work: Work, call: Mapping[str, Any], batch: int
) -> Any:
    """What `work(denoising)` returns, run beside one call of the pipeline, pipe(**call), which draws
    `batch` rows.

    work runs in a thread of its own; its denoise calls are answered by the pipeline in the caller's.
    The first model call of a flow pipeline shows its latents' shape and is not used. Raises what
    either raises; Ctrl-C ends the pipeline and stops the work between two calls.
    """
    talk = _Talk(work)
    asking = AskingScheduler(pipe.scheduler.config, noise, talk, batch)
    try:
        with _in_place_of(pipe, asking):
            while not talk.over:
                pipe(**{**call, "output_type": "latent", "num_inference_steps": MOST_CALLS})
    except _Over:
        pass
    except BaseException as problem:
        talk.give_up(problem)
        raise
    finally:
        _let_go(pipe)
    return talk.result()


class _Talk:
    """Questions and answers between two threads, one at a time."""

    def __init__(self, work: Work):
        self.work = work
        self.over = False
        self._questions: queue.SimpleQueue = queue.SimpleQueue()
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._found: Any = None
        self._problem: BaseException | None = None

    def first(self, own: tuple[int, ...], batch: int) -> tuple[torch.Tensor, float]:
        """Begin the work, and hear its first question."""
        denoising = Denoising(own, batch, self._ask)
        self._thread = threading.Thread(target=self._run, args=(denoising,), daemon=True)
        self._thread.start()
        return self._heard()

    def next(self, answer: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Answer, and hear the next question; raises _Over where none follows."""
        self._answers.put(answer)
        return self._heard()

    def give_up(self, problem: BaseException) -> None:
        """Stop the work: the pipeline has failed, or was interrupted."""
        self.over = True
        self._answers.put(problem)
        if self._thread is not None:
            self._thread.join()

    def result(self) -> Any:
        """What the work came to; raises what it raised."""
        assert self._thread is not None
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        return self._found

    def _heard(self) -> tuple[torch.Tensor, float]:
        question = self._questions.get()
        if question is None:
            self.over = True
            raise _Over
        return question

    def _ask(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        if self.over:
            raise Stopped("The pipeline has ended; nothing more can be asked of it.")
        self._questions.put((x, sigma))
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise Stopped("The pipeline was interrupted; what was finished is kept.") from answer
        return answer

    def _run(self, denoising: Denoising) -> None:
        try:
            self._found = self.work(denoising)
        except BaseException as problem:
            self._problem = problem
        finally:
            self._questions.put(None)


class AskingScheduler(SchedulerMixin):
    """A scheduler whose next latents and noise level are whatever is asked next.

    config: the user's scheduler's, which pipelines read. batch: the rows that the pipeline draws; its
    guidance feeds the model whole copies of them.
    """

    order = 1

    def __init__(self, config: Mapping[str, Any], noise: PipelineNoise, talk: _Talk, batch: int):
        self.config, self.noise, self.talk, self.batch = config, noise, talk, batch
        self.init_noise_sigma = 1.0
        self.timesteps = torch.empty(0)
        self.sigmas = torch.empty(0)
        self._call = 0
        self._x: torch.Tensor | None = None
        self._sigma = 0.0
        self._fed = (
            False  # whether the model sees the question, or still the pipeline's own latents
        )

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Any = None,
        mu: float | None = None,
    ) -> None:
        """As many calls as there may be, all at the top for now: their times are written into the same
        tensor as they are known, of which the pipeline holds views."""
        top = self.noise.table.sigma_max
        time = self.noise.timestep(top)
        self.timesteps = torch.full((MOST_CALLS,), time, dtype=torch.float32, device=device)
        self.sigmas = torch.full((MOST_CALLS + 1,), top, dtype=torch.float32)
        self._call = 0
        self._fed = False
        if self._x is not None:  # the pipeline was begun again
            self._tell_time()

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Some pipelines say it; there is nothing to begin at."""

    def scale_model_input(self, sample: torch.Tensor, timestep: Any = None) -> torch.Tensor:
        """The question in the place of the pipeline's latents (copies x B, ...)."""
        if self._x is None:
            self._hear(self.talk.first(tuple(sample.shape[1:]), self.batch))
        assert self._x is not None
        self._fed = True
        fed = self.noise.fed(self._x, self._sigma).to(sample)
        return torch.cat([fed] * (len(sample) // self.batch))

    def step(
        self,
        model_output: torch.Tensor,
        timestep: Any,
        sample: torch.Tensor,
        return_dict: bool = True,
        generator: Any = None,
    ) -> BaseOutput | tuple[torch.Tensor]:
        """Hand over the answer, and return what is asked next."""
        if self._x is None:
            asked = self.talk.first(tuple(sample.shape[1:]), self.batch)
        elif self._fed:
            asked = self.talk.next(self._answer(model_output, sample))
        else:
            asked = self._x, self._sigma
        self._call += 1
        self._fed = True
        self._hear(asked)
        assert self._x is not None
        handed = self._x.to(sample)
        return _Step(handed) if return_dict else (handed,)

    def _answer(self, model_output: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
        assert self._x is not None
        self._check_rows(sample)
        x = self._x.to(sample.device, torch.float32)
        return self.noise.denoised(model_output.float(), x, self._sigma).to(self._x)

    def _hear(self, asked: tuple[torch.Tensor, float]) -> None:
        self._x, self._sigma = asked
        self._tell_time()

    def _tell_time(self) -> None:
        if self._call < MOST_CALLS:
            self.timesteps[self._call] = self.noise.timestep(self._sigma)
            self.sigmas[self._call] = self._sigma

    def _check_rows(self, sample: torch.Tensor) -> None:
        assert self._x is not None
        if sample.shape != self._x.shape:
            raise DenoiserError(
                ROWS_DIFFER.format(here=tuple(self._x.shape), there=tuple(sample.shape))
            )


@dataclass
class _Step(BaseOutput):
    prev_sample: torch.Tensor


@contextmanager
def _in_place_of(pipe: Any, scheduler: AskingScheduler):
    """The pipeline with another scheduler and no bar of its own, for a while."""
    own = pipe.scheduler
    bar = getattr(pipe, "_progress_bar_config", None)
    vars(pipe)["scheduler"] = scheduler
    pipe.set_progress_bar_config(disable=True)
    try:
        yield
    finally:
        vars(pipe)["scheduler"] = own
        if bar is None:
            vars(pipe).pop("_progress_bar_config", None)
        else:
            pipe._progress_bar_config = bar


def _let_go(pipe: Any) -> None:
    """What a pipeline does at its end, for one that was unwound: offloaded models go back."""
    free = getattr(pipe, "maybe_free_model_hooks", None)
    if free is not None:
        free()


def denoiser_of(denoising: Denoising, layout: Any) -> Denoiser:
    """The same for latents (rows, *layout.shape) of the UIs' shape."""

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return layout.unpacked(denoising.denoise(layout.packed(x), sigma))

    return denoise
