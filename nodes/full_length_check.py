"""A recipe that was distilled on a few frames of a video, checked at its full length: one sample,
one step count."""

from __future__ import annotations

from ..scheduler.record import Choice
from ..scheduler.record.file_form import choice_data

SAMPLES = 1
NODES = 25  # of the teacher that the check is made against
STOCK = 2  # stock schedules that the recipe meets: the best two of the short video
SEED = 2_000_003  # added to the seed: noise that nothing has seen


def checked(scene, record, wish, seed: int, teller) -> dict:
    """How the record's best recipe does at full length beside the stock schedules that were best at
    the short one, as the record's evidence keeps it; raises DenoiserError."""
    import torch

    from ..scheduler.evidence.held_out import HeldOut
    from ..scheduler.rows import noise_for
    from .host.guider import run

    recipe = _chosen(record)
    facts, names = wish.facts, _rivals(recipe)

    def work(denoisers):
        cpu, scale = torch.device("cpu"), facts.noise_scale
        noise = noise_for(scene.shape, SAMPLES, seed + SEED, cpu, scale)
        held_out = HeldOut(
            denoisers[0],
            noise,
            facts.table,
            facts.process,
            (facts.sigma_min, facts.sigma_max),
            NODES,
        )
        ours = float(held_out.run_recipe(recipe).mean())
        schedules = held_out.schedules(recipe.steps)
        return ours, {
            name: float(held_out.run(sampler, schedules[name]).mean())
            for name, sampler in names
            if name in schedules
        }

    teller.phase = "full length"
    teller.planned = teller.done + SAMPLES * (2 * NODES - 1 + recipe.steps * (1 + len(names)))
    ours, stock = run(scene, work, facts.sigma_max, seed, None, teller.heard)
    return outcome(recipe, scene.frames, ours, stock)


def outcome(recipe, frames: int, ours: float, stock: dict[str, float]) -> dict:
    """The errors of a recipe and of the best of the stock schedules run beside it, {name: error},
    as `full_length` of a record's evidence."""
    found = {
        "frames": frames,
        "samples": SAMPLES,
        "sampler": recipe.sampler,
        "steps": recipe.steps,
        "choice": choice_data(recipe.choice),
        "rms": ours,
    }
    if not stock:
        return found
    name = min(stock, key=stock.get)
    return found | {"best_stock": choice_data(name), "stock_rms": stock[name]}


def _chosen(record):
    """The recipe to check: at the highest knee, else the middle step count; the record's first
    sampler, offsets and all."""
    from ..scheduler.plots.curves import chosen_steps

    return record.recipe(record.recipes[0].sampler, chosen_steps(record))


def _rivals(recipe) -> list[tuple[str, str]]:
    """(schedule, sampler) of the stock choices that were best at the short length."""
    errors = {
        label: each["rms"]
        for label, each in recipe.evidence.get("stock", {}).items()
        if each["rms"] is not None
    }
    best = sorted(errors, key=errors.get)[:STOCK] or ["simple"]
    pairs = [Choice.read(label) for label in best]
    return [
        (
            each.schedule,
            each.sampler or (recipe.sampler if recipe.sampler != "distilled" else "dpmpp_2m"),
        )
        for each in pairs
    ]
