"""Two samplers that share one run: where each left its latent is noted, and the next is led on."""

from __future__ import annotations

from types import FunctionType

import numpy as np
import pytest
import torch

from scheduler.sigmas.hand_over import continued_from
from tests.nodes import host
from tests.nodes.pack import module

part, handed, led, issued, function, prompt = (
    module("nodes.halves.asked_part"),
    module("nodes.halves.handed_on"),
    module("nodes.halves.led_on"),
    module("nodes.dropdowns.issued_schedules"),
    module("nodes.dropdowns.sampler_function"),
    module("nodes.host.running_prompt"),
)
OWN = (1.0, 0.96, 0.9, 0.75, 0.5, 0.25, 0.0)
HALF = part.Part(3, None, True, False)


@pytest.fixture
def runs(monkeypatch):
    """Sets which node of a prompt runs: 1, a first half, 2, what passes latents on, 3, a second half."""
    monkeypatch.setattr(handed, "_left", type(handed._left)())
    nodes = {
        "1": {"class_type": "KSamplerAdvanced", "inputs": {"seed": 1, "steps": 6}},
        "2": {"class_type": "LatentUpscale", "inputs": {"samples": ["1", 0]}},
        "3": {"class_type": "KSamplerAdvanced", "inputs": {"latent_image": ["2", 0]}},
    }

    def run(name, **changed):
        for key, value in changed.items():
            nodes["1"]["inputs"][key] = value
        node = prompt.RunningNode(nodes, name, nodes[name]["class_type"], nodes[name]["inputs"])
        monkeypatch.setattr(handed, "running_node", lambda: node)

    return run


def test_the_latent_says_where_it_was_left_even_when_its_maker_is_cached(runs):
    runs("1")
    handed.note(0.6146)
    runs("3")
    assert handed.handed_over() == 0.6146
    runs("3", seed=2)  # another first half, of which nothing is known
    assert handed.handed_over() is None
    runs("3", seed=1)
    assert handed.handed_over() == 0.6146


def test_a_finished_latent_hands_nothing_over(runs):
    runs("1")
    handed.note(0.0)
    runs("3")
    assert handed.handed_over() is None


def test_the_second_half_is_led_on_and_keeps_the_handed_sigma_to_the_bit(runs):
    runs("1")
    sigma = float(np.float32(0.6146))
    handed.note(sigma)
    runs("3")
    sigmas, exact = led.led_on(OWN, HALF, handed.handed_over(), 1.0)
    assert exact == sigma and len(sigmas) == len(OWN)
    assert np.allclose(sigmas[3:], continued_from(OWN[3:], sigma)) and (np.diff(sigmas) < 0).all()
    tensor = issued.issue(sigmas, 6, None, exact)
    assert float(tensor[3]) == sigma and float(tensor[4]) != np.float32(sigmas[4])


@pytest.mark.parametrize(
    ("asked", "sigma"),
    [(None, 0.6), (part.Part(3, None, True), None), (part.Part(6, None, True), 0.6)],
)
def test_what_is_handed_nothing_or_runs_nothing_is_as_it_was(asked, sigma):
    assert led.led_on(OWN, asked, sigma, 1.0) == (OWN, None)


def test_a_part_is_left_where_the_host_cuts_it():
    sigmas = list(OWN)
    assert part.Part(0, 3).left_at(sigmas) == 0.75
    assert part.Part(0, 3, finishes=True).left_at(sigmas) == 0
    assert part.Part(0, None).left_at(sigmas) == part.Part(0, 10000).left_at(sigmas) == 0


def test_the_part_is_read_from_the_callers_arguments():
    assert part.part_asked() is None

    def sample(ask, noise, start_step, last_step, force_full_denoise):
        return ask()

    made = FunctionType(sample.__code__, {"__name__": "comfy.sample"})
    found = made(part.part_asked, torch.zeros(1, 4), 3, 10000, False)
    assert found == part.Part(3, 10000, True, False)
    assert not made(part.part_asked, torch.ones(1, 4), 0, 3, False).goes_on


def test_a_split_schedule_of_the_sampler_node_goes_on_in_the_latents_own_scale():
    x = torch.full((1, 2), 0.25)  # a latent of ones at sigma .75
    sigmas = torch.tensor([0.75, 0.5, 0.25, 0.0])
    moved, state = function.continued(x, sigmas, 0.6, "flow")
    assert torch.allclose(state, torch.full((1, 2), 0.4))
    assert np.allclose(moved, continued_from([0.75, 0.5, 0.25, 0.0], 0.6))
    cut, same = function.continued(x, sigmas[:3], 0.6, "ve")
    assert cut[-1] == 0.25 and same is x


def test_a_first_half_with_a_stock_schedule_is_computed_as_the_host_did(monkeypatch):
    comfy = host.comfy(monkeypatch)

    class KSampler:
        def __init__(self, model, steps, device, sampler, scheduler, denoise):
            assert (model, steps, sampler, scheduler, denoise) == ("m", 4, "euler", "karras", 1.0)
            self.sigmas = torch.tensor([1.0, 0.8, 0.5, 0.25, 0.0])

    comfy.samplers.KSampler = KSampler
    stock = module("nodes.halves.stock_half")

    class Model(str):
        load_device = "cpu"

    inputs = {
        "model": Model("m"), "steps": 4, "sampler_name": "euler", "scheduler": "karras",
        "end_at_step": 2, "return_with_leftover_noise": "enable",
    }  # fmt: skip
    assert stock.stock_end({"1": {"inputs": inputs}}, "1") == 0.5
    inputs["return_with_leftover_noise"] = "disable"
    assert stock.stock_end({"1": {"inputs": inputs}}, "1") == 0
    inputs["scheduler"] = "distilled"
    assert stock.stock_end({"1": {"inputs": inputs}}, "1") is None
    assert stock.stock_end({"1": {"inputs": {"sigmas": ["9", 0]}}}, "1") is None


def test_behind_apply_a_split_schedule_of_ours_is_led_on_and_no_other(monkeypatch, caplog):
    """BasicScheduler with `distilled` and SplitSigmas: nobody knows the latent before the run does."""
    wrapper = module("nodes.dropdowns.apply_wrapper")
    monkeypatch.setattr(wrapper, "handed_over", lambda: 0.6)
    silent = torch.zeros(1, 4)
    ours = issued.issue(OWN, 6)[3:]
    led_sigmas = wrapper._gone_on(silent, ours)
    assert float(led_sigmas[0]) == float(np.float32(0.6)) and led_sigmas[-1] == 0
    assert torch.equal(wrapper._gone_on(torch.ones(1, 4), ours), ours)
    foreign = torch.tensor([0.77, 0.31, 0.0])
    assert wrapper._gone_on(silent, foreign) is foreign
    assert "so the two halves do not meet" in caplog.text
