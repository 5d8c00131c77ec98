"""Samplers: equal to ComfyUI's end states; linear rules consistent, vectorised and of the order
they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import DenoiserError, ScheduleError, StepsError, UnknownNameError
from scheduler.samplers import LINEAR, SAMPLERS, check_sampler, model_calls, ode_sampler_for, sample
from scheduler.samplers.uni_pc import LAST_SIGMA, _levels, _phi
from tests.golden_numbers import golden, numbers_of

GOLDEN, SCHEDULES = golden("stock_samplers"), golden("stock_schedules")["models"]
CASES = {"ve": ("results", "sd_eps"), "flow": ("flow_results", "flow_shift3")}
NOISE = torch.tensor(GOLDEN["noise"], dtype=torch.float64)

rules = st.sampled_from(list(LINEAR.values()))


def golden_denoiser(parametrisation):
    """The ideal denoiser of the golden mixture, in float64: of x = x0 + s n, or of x = (1 - s) x0 + s n."""
    means, variance = torch.tensor(GOLDEN["means"], dtype=torch.float64), GOLDEN["variance"]
    log_weights = torch.tensor(GOLDEN["weights"], dtype=torch.float64).log()

    def denoise(x, sigma):
        s = sigma.double()[:, None, None]
        keep = 1 - s if parametrisation == "flow" else torch.ones_like(s)
        total = keep**2 * variance + s**2
        apart = x[:, None].double() - keep * means
        likely = torch.softmax(log_weights - (apart**2).sum(-1) / (2 * total[..., 0]), dim=1)
        return (likely[..., None] * (means + keep * variance / total * apart)).sum(1).to(x.dtype)

    return denoise


def gaussian(x, sigma):
    """The ideal denoiser of N(0, 1) data under x = x0 + s n; its trajectories are x(s) = x(s0)
    sqrt((1 + s^2) / (1 + s0^2))."""
    s = sigma.double().reshape(-1, *[1] * (x.ndim - 1))
    return (x.double() / (1 + s**2)).to(x.dtype)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("parametrisation", CASES)
def test_end_states_equal_comfyui_s(parametrisation, sampler):
    results, model = CASES[parametrisation]
    for case, theirs in numbers_of(sampler, GOLDEN[results], "stock_samplers").items():
        scheduler, steps = case.rsplit("-", 1)
        sigmas = SCHEDULES[model]["schedules"][scheduler][steps]
        ours = sample(golden_denoiser(parametrisation), NOISE * sigmas[0], sigmas, sampler)
        np.testing.assert_allclose(
            ours, theirs, rtol=0, atol=1e-4 if sampler.startswith("uni_pc") else 1e-6
        )


@st.composite
def windows(draw, rule):
    """(s_next, s_now, s_prev, ...) for 1 to `order` predictions, steps between 1 % and a factor 20;
    s_next may be 0."""
    count = draw(st.integers(1, rule.order))
    factors = draw(st.lists(st.floats(1.01, 20), min_size=count, max_size=count))
    top = draw(st.floats(0.5, 80))
    sigmas = top / np.cumprod([1.0, *factors])
    return [0.0 if draw(st.integers(0, 4)) == 0 else sigmas[-1], *sigmas[-2::-1]]


@given(st.data(), rules)
def test_weights_keep_a_constant_and_a_straight_trajectory(data, rule):
    window = data.draw(windows(rule))
    a, b = rule.weights(window)
    assert len(a) == len(b) == len(window) - 1
    assert sum(a) + sum(b) == pytest.approx(1, abs=1e-9 * (1 + sum(map(abs, b))))
    # x = D + sigma k with D and k constant: every rule must land on D + s_next k; deis to stock's
    # quadrature error
    landed = sum(w * s for w, s in zip(a, window[1:], strict=True))
    tolerance = 2e-4 if rule.name == "deis" else 1e-9
    assert landed == pytest.approx(window[0], abs=tolerance * window[1] * (1 + sum(map(abs, b))))


@given(st.data(), rules, st.integers(2, 5))
def test_vectorised_weights_equal_scalar_ones(data, rule, count):
    first = data.draw(windows(rule))
    length = len(first)
    many = [first]
    while len(many) < count:
        window = data.draw(windows(rule))
        many.append(window if len(window) == length else [0.5 * s for s in first])
    a, b = rule.weights([np.array(column) for column in zip(*many, strict=True)])
    for i, window in enumerate(many):
        alone_a, alone_b = rule.weights(window)
        for together, alone in zip([*a, *b], [*alone_a, *alone_b], strict=True):
            assert together[i] == pytest.approx(float(alone), rel=1e-12, abs=1e-12)


def test_weights_broadcast_and_stay_quiet_where_they_mean_nothing():
    grid = np.array([10.0, 3.0, 1.0, 0.0])
    with np.errstate(all="raise"):
        for rule in LINEAR.values():
            window = np.ix_(grid, grid, grid)[: min(rule.order, 2) + 1]
            a, b = rule.weights(window)
            assert all(w.shape == np.broadcast_shapes(*(s.shape for s in window)) for w in [*a, *b])


@given(rules)
def test_a_window_too_long_or_too_short_is_refused(rule):
    for length in (1, rule.order + 2):
        with pytest.raises(ValueError, match=rule.name):
            rule.weights(np.linspace(1, 2, length))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.slow
def test_convergence_order(sampler):
    """Halving steps halves a first-order sampler's error and quarters a second-order one's, on a
    linear problem with a known answer."""
    high, low = 10.0, 0.5

    def error(steps):
        sigmas = np.append(np.geomspace(high, low, steps), 0.0)
        states = []
        sample(
            gaussian,
            torch.ones(1, 1, dtype=torch.float64),
            sigmas,
            sampler,
            lambda i, x, d: states.append(float(x)),
        )
        return abs(states[-1] - math.sqrt((1 + low**2) / (1 + high**2)))

    orders = [math.log2(error(n) / error(2 * n)) for n in (40, 80)]
    if sampler == "euler":
        assert all(0.8 < order < 1.2 for order in orders)
    else:
        # ipndm's equal-step weights are of first order on unequal steps, with a small constant
        assert min(orders) > (0.8 if sampler == "ipndm" else 1.7), orders


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (1, 4, 3, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes_and_shapes_are_kept_and_the_sigmas_too(sampler, shape, dtype):
    sigmas = torch.tensor([10.0, 4.0, 1.5, 0.6, 0.2, 0.0])
    before = sigmas.clone()
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    exact = sample(gaussian, 10 * noise.double(), sigmas, sampler)
    end = sample(gaussian, (10 * noise).to(dtype), sigmas, sampler)
    assert end.shape == shape and end.dtype == dtype
    assert torch.equal(sigmas, before)
    assert float((end.double() - exact).abs().max()) < 0.2


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_any_number_of_steps_and_its_model_calls(sampler, steps):
    asked, seen = [], []

    def denoise(x, sigma):
        asked.extend(sigma.tolist())
        return gaussian(x, sigma)

    sigmas = np.append(np.geomspace(10, 0.1, steps) if steps > 1 else 10.0, 0.0)
    start = 10 * torch.ones(3, 2)
    end = sample(
        denoise, start, sigmas, sampler, lambda i, x, denoised: seen.append((i, x, denoised))
    )
    assert torch.isfinite(end).all() and float(end.abs().max()) < 10
    assert len(asked) == 3 * model_calls(sampler, steps)
    assert min(asked) == pytest.approx(sigmas[-2]) and max(asked) == pytest.approx(10)
    assert [i for i, _, _ in seen] == list(range(steps))
    assert torch.equal(seen[0][1], start) and torch.equal(start, 10 * torch.ones(3, 2))


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if not name.startswith("uni_pc")])
def test_the_step_to_zero_is_the_prediction(sampler):
    seen = []
    end = sample(
        gaussian,
        torch.ones(1, 3),
        [5.0, 1.0, 0.3, 0.0],
        sampler,
        lambda i, x, denoised: seen.append(denoised),
    )
    assert torch.equal(end, seen[-1])


@pytest.mark.parametrize("sampler", ["uni_pc", "uni_pc_bh2"])
def test_uni_pc_is_finite_on_schedules_that_break_stock(sampler):
    for sigmas in (
        [1.0, 0.0],
        [1.0, 0.0005, 0.0003, 0.0],
        [1.0, 1.0 - 1e-9, 1.0 - 2e-9, 0.5, 0.0],
        [1e-5, 1e-6, 0.0],
        [0.5, 0.001, 0.0],
    ):
        assert torch.isfinite(sample(gaussian, torch.ones(2, 3), sigmas, sampler)).all()


def test_uni_pc_levels():
    levels = _levels(np.array([10.0, 1.0, 0.0]))
    np.testing.assert_allclose(levels, [10, 1, 2**-10], rtol=1e-6)  # float32's idea of LAST_SIGMA
    assert _levels(np.array([1.0, LAST_SIGMA / 2, 0.0])) == [1.0, LAST_SIGMA / 2, 0.0]


@given(st.integers(1, 5), st.floats(-8, 8).filter(lambda z: z != 0))
def test_phi_is_smooth_across_its_two_formulas(k, z):
    nearly = sum(z**n / math.factorial(n + k) for n in range(60))
    assert _phi(k, z) == pytest.approx(nearly, rel=1e-9)


def test_names():
    for name in SAMPLERS:
        check_sampler(name)
    assert {
        "euler",
        "heun",
        "dpmpp_2m",
        "uni_pc",
        "uni_pc_bh2",
        "lms",
        "ipndm",
        "deis",
        "res_multistep",
    } <= set(SAMPLERS)
    with pytest.raises(UnknownNameError, match="euler, dpmpp_2m.*uni_pc_bh2"):
        check_sampler("dpm++")
    with pytest.raises(UnknownNameError, match="stochastic.*'euler'"):
        check_sampler("euler_ancestral")
    with pytest.raises(UnknownNameError, match="'dpmpp_2m'"):
        sample(gaussian, torch.ones(1, 1), [1.0, 0.0], "dpmpp_3m_sde_gpu")
    assert ode_sampler_for("dpmpp_2m_sde") == "dpmpp_2m" and ode_sampler_for("euler") is None
    assert ode_sampler_for("res_multistep_ancestral") == "res_multistep"


def test_mistakes_have_their_own_errors():
    x = torch.ones(1, 2)
    with pytest.raises(ScheduleError):
        sample(gaussian, x, [1.0, 1.0, 0.0], "euler")
    with pytest.raises(StepsError):
        model_calls("euler", 0)
    with pytest.raises(DenoiserError, match="sigma 0.5"):
        sample(lambda x, s: x * (float("nan") if s[0] == 0.5 else 1), x, [1.0, 0.5, 0.0], "heun")


def test_the_names_are_those_that_run():
    """They are listed where no torch is needed to read them."""
    from scheduler.samplers import stock

    assert tuple(stock._LOOPS) == SAMPLERS
