"""A model that answers the same query differently is found on the teacher's way."""

from __future__ import annotations

import math

import pytest
import torch

from scheduler.denoiser import Checked
from scheduler.distilling.consistency import BACK, PAIR, SAME, Twice, check_same
from scheduler.errors import DenoiserError
from scheduler.fit.teacher import record_teacher
from scheduler.sigmas import log_snr_grid
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}
ROWS = 3
OF_EACH = pytest.mark.parametrize("process", sorted(RANGES))
NODES = pytest.mark.parametrize("nodes", [12, 16, 24, 32])


def taught(denoise, process: str, nodes: int, dtype=torch.float32) -> Twice:
    """The model after a teacher's trajectory was recorded with it."""
    twice = Twice(Checked(denoise), nodes)
    grid = log_snr_grid(*RANGES[process], nodes, process)
    noise = unit_noise(ROWS, 1, 8, dtype=dtype)
    record_teacher(twice, noise, grid, process, "adams3")
    return twice


class Counted:
    """A denoiser that counts how often it was asked."""

    def __init__(self, process: str):
        self.exact, self.asked = small_mixture(process), 0

    def __call__(self, x, sigma):
        self.asked += 1
        return self.answer(x, sigma)

    def answer(self, x, sigma):
        return self.exact(x, sigma)


class Random(Counted):
    def answer(self, x, sigma):
        return self.exact(x, sigma) + 0.02 * torch.randn(x.shape)


class StepCache(Counted):
    """Computes every so many calls; adds to x in between what was added then."""

    interval, phase, kept = 2, 0, None

    def answer(self, x, sigma):
        if (self.asked + self.phase) % self.interval and self.kept is not None:
            return x + self.kept
        denoised = self.exact(x, sigma)
        self.kept = denoised - x
        return denoised


class ThresholdCache(Counted):
    """Computes where the noise level has changed by so much since it last did (TeaCache, MagCache,
    first block cache); adds to x in between what was added then."""

    change, kept, last = 0.4, None, None
    flow = False

    def answer(self, x, sigma):
        s = min(float(sigma[0]), 0.999 if self.flow else 1e3)
        level = math.log(s / (1 - s) if self.flow else s)
        if self.kept is not None and abs(level - self.last) < self.change:
            return x + self.kept
        denoised = self.exact(x, sigma)
        self.kept, self.last = denoised - x, level
        return denoised


class FlowMap(Counted):
    """Goes by the next step as well, which is another whenever it is asked again."""

    def answer(self, x, sigma):
        return self.exact(x, sigma * (1 - 0.2 * (self.asked % 2)))


class Remembering(Counted):
    """Averages its answers over calls, whatever is asked."""

    mean = None

    def answer(self, x, sigma):
        now = self.exact(x, sigma)
        self.mean = now if self.mean is None else 0.5 * (self.mean + now)
        return self.mean


def check_refused(model: Counted, process: str, nodes: int) -> None:
    with pytest.raises(DenoiserError) as told:
        taught(model, process, nodes)
    assert model.asked <= max(nodes / 3, BACK) + 4
    said = str(told.value)
    assert "answered the same query at sigma" in said and "step cache" in said
    assert said.count(". ") == 0 and said.endswith("switch that off while distilling.")


@OF_EACH
@NODES
@pytest.mark.parametrize("kind", [Random, Remembering])
def test_a_random_model_is_found_within_the_first_third_and_told_in_one_sentence(
    kind, process, nodes
):
    torch.manual_seed(0)
    check_refused(kind(process), process, nodes)


@OF_EACH
@NODES
@pytest.mark.parametrize("interval, phase", [(i, p) for i in (2, 3, 4) for p in range(i)])
def test_a_step_cache_is_found_whichever_calls_it_skips(interval, phase, process, nodes):
    model = StepCache(process)
    model.interval, model.phase = interval, phase
    check_refused(model, process, nodes)


@OF_EACH
@pytest.mark.parametrize("nodes", [16, 24, 32])
@pytest.mark.parametrize("skipped", [1, 2])
def test_a_cache_that_skips_while_little_changes_is_found(process, nodes, skipped):
    model = ThresholdCache(process)
    model.flow = process == "flow"
    low, high = RANGES[process]
    top = math.log(0.999 / 0.001) if model.flow else math.log(high)
    bottom = math.log(low / (1 - low)) if model.flow else math.log(low)
    model.change = (skipped + 0.5) * (top - bottom) / nodes
    check_refused(model, process, nodes)


@OF_EACH
@NODES
def test_a_model_that_goes_by_its_next_step_is_found(process, nodes):
    check_refused(FlowMap(process), process, nodes)


@OF_EACH
@NODES
def test_a_steady_model_costs_two_calls_a_row_more(process, nodes):
    model = Counted(process)
    twice = taught(model, process, nodes)
    assert model.asked == nodes + PAIR and twice.calls == ROWS * (nodes + PAIR)


@OF_EACH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_noise_of_rounding_passes(process, dtype):
    """A model in half precision whose sums come in another order each time."""
    exact = small_mixture(process)
    torch.manual_seed(0)

    def denoise(x, sigma):
        jitter = 1 + torch.finfo(dtype).eps / 2 * torch.randn(x.shape)
        return (exact(x, sigma) * jitter).to(dtype).to(x.dtype)

    taught(denoise, process, 16)


def test_the_answers_are_the_models_own():
    exact, x = small_mixture("ve"), unit_noise(2, 8)
    twice = Twice(Checked(exact), 9)
    for sigma in (3.0, 2.0, 1.5, 1.0, 0.5):
        expected = exact(x, torch.full((2,), sigma, dtype=torch.float32))
        assert torch.equal(twice(x, sigma), expected)


def test_a_run_too_short_to_tell_is_not_asked_again():
    twice = Twice(Checked(small_mixture("ve")), BACK)
    for _ in range(BACK):
        twice(unit_noise(2, 8), 1.0)
    assert twice.calls == 2 * BACK


def test_what_counts_as_the_same():
    before = unit_noise(2, 8)
    check_same(before * (1 + 0.9 * SAME), before, 1.0)
    with pytest.raises(DenoiserError, match="at sigma 0.1235 twice and the answers differ by 1.1%"):
        check_same(before * (1 + 1.1 * SAME), before, 0.12345)
    check_same(torch.zeros(2, 8), torch.zeros(2, 8), 1.0)  # a blank answer, twice
    check_same(before.half() * 0 + 200, before.half() * 0 + 200, 1.0)  # squares beyond half's range
