"""What is told of a recipe that was learnt from one picture, beside the truth: however coarse that picture
was, no more stock steps than come as near to very many."""

from __future__ import annotations

import pytest
import torch

from scheduler.checkpoints import load_checkpoint
from scheduler.distilling.run import distill
from scheduler.record import Conditions
from scheduler.record.verdict import steps_saved
from scheduler.recordings import record_run
from scheduler.rows import row_errors
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.sigmas import flow_table, stock_schedule
from tests.mixture import unit_noise

SCHEDULES = ("beta", "simple", "kl_optimal", "karras")


@pytest.mark.slow
@pytest.mark.parametrize(("schedule", "steps"), [("karras", 20), ("beta", 24)])
def test_no_more_steps_are_saved_than_the_truth_shows(schedule, steps):
    """karras leaves a flow's low noise to few of its steps: 20 of them are no nearer than 7 to 10 of
    beta."""
    model = load_checkpoint("flow")
    table, denoise = flow_table(model.shift), model.denoiser(torch.tensor([3]), 3.0)
    noise = unit_noise(1, *model.latent_shape, dtype=torch.float32)
    run = record_run(denoise, noise, stock_schedule(schedule, table, steps), "dpmpp_2m", "flow")
    about = {"steps": 6, "conditions": Conditions(shift=model.shift), "recordings": [run]}
    recipe = distill(denoise, model.latent_shape, 1.0, table.sigma_min, **about).recipe(
        "distilled", 6
    )
    truth = sample(denoise, noise, stock_schedule("beta", table, 160), "dpmpp_2m")

    def error(end) -> float:
        return float(row_errors(end, truth)[0])

    def stock(count: int) -> float:
        found = (stock_schedule(name, table, count) for name in SCHEDULES)
        return min(error(sample(denoise, noise, sigmas, "dpmpp_2m")) for sigmas in found)

    ours = error(run_recipe(denoise, noise, recipe, "flow"))
    true = next(count for count in range(4, 40) if stock(count) <= ours)
    told, beyond = steps_saved(recipe.evidence)
    assert not beyond and told <= true + 2
