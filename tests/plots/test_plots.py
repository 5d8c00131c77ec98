"""Plots: each is written whole, in the format its name asks for, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.errors import OutputError, RecipeError
from scheduler.record import Conditions, Model, Recipe, Record, now

pytest.importorskip("matplotlib")
from scheduler import plots  # noqa: E402


def example(evidence=True, parametrisation="flow", samplers=("euler", "dpmpp_2m", "distilled")):
    high, low = (1.0, 0.003) if parametrisation == "flow" else (14.614641, 0.029167)
    conditions = Conditions(
        cfg=4.0,
        latent_shape=(4, 8, 8),
        name="a model",
        shift=3.0 if parametrisation == "flow" else None,
    )
    recipes = [
        recipe(sampler, n, high, offsets)
        for sampler in samplers
        for n in (3, 4, 6, 9)
        for offsets in (False, True)
    ]
    curves = {
        name: {n: 0.5 / n**1.5 for n in (3, 4, 6, 9)}
        for s in samplers
        for name in (s, s + "+offsets")
    }
    summary = {
        "curve": curves,
        "stock_curve": {s: {n: 1 / n for n in (3, 4, 6, 9, 18)} for s in samplers},
        "seeds": 8,
    }
    summary["knee"] = {name: 6 for name in curves}
    provenance = {"version": "0.1.0", "created": now(), "model_calls": 10}
    return Record(
        Model.of(conditions, parametrisation, low, high),
        conditions,
        None,
        recipes,
        summary if evidence else {},
        provenance,
    )


def recipe(sampler, n, high, offsets):
    names = ["simple", "normal", "simple + euler", "normal + euler"]
    stock = {name: {"rms": 1 / n, "median": 1 / n} for name in names}
    found = {
        "rms": 0.5 / n**1.5,
        "median": 0.1,
        "stock": stock,
        "best_stock": "simple",
        "equals_stock_steps": 2 * n,
    }
    rows = np.zeros((n, 4)) if sampler == "distilled" else None
    return Recipe(
        sampler,
        n,
        high,
        np.linspace(high, 0, n + 1),
        np.zeros(n) if offsets else None,
        rows,
        evidence=found,
    )


def is_png(path):
    data = path.read_bytes()
    return data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("parametrisation", ["flow", pytest.param("ve", marks=pytest.mark.slow)])
def test_schedules_and_errors(tmp_path, parametrisation):
    record = example(parametrisation=parametrisation)
    for draw in (plots.plot_schedules, plots.plot_errors):
        draw(record, tmp_path / "a.png")
        assert is_png(tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.slow
@pytest.mark.parametrize("draw", [plots.plot_schedules, plots.plot_errors])
def test_at_a_step_count_of_ones_own(tmp_path, draw):
    draw(example(), tmp_path / "a.png", 4)
    assert is_png(tmp_path / "a.png")


def test_other_formats(tmp_path):
    plots.plot_errors(example(samplers=("euler",)), tmp_path / "a.svg")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


@pytest.mark.slow
def test_pictures(tmp_path):
    pictures = np.random.default_rng(0).random((3, 8, 8))
    rows = [
        plots.PictureRow("teacher", "heun", pictures),
        plots.PictureRow("ours", "euler", pictures**2, np.array([0.1, 0.2, 0.3])),
    ]
    plots.plot_pictures(rows, tmp_path / "a.png", ["1", "2", "3"], "Title", "under it")
    assert is_png(tmp_path / "a.png")


def test_chosen_steps_are_the_highest_knee_or_the_middle():
    assert plots.chosen_steps(example()) == 6
    assert plots.chosen_steps(example(evidence=False)) == 6
    with pytest.raises(RecipeError, match="no recipes"):
        plots.chosen_steps(example(samplers=()))


def test_what_cannot_be_drawn_is_said(tmp_path):
    with pytest.raises(RecipeError, match="evidence"):
        plots.plot_errors(example(evidence=False), tmp_path / "a.png")
    with pytest.raises(RecipeError, match="no recipe with 5 steps; it has 3, 4, 6, 9"):
        plots.plot_schedules(example(), tmp_path / "a.png", 5)
    with pytest.raises(OutputError, match="png"):
        plots.plot_schedules(example(), tmp_path / "a.notaformat")
    with pytest.raises(OutputError):
        plots.plot_errors(example(), tmp_path / "missing" / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("counts", [[8], [8, 9], [4, 12]])
def test_few_step_counts_are_no_reason_for_tenths_of_a_step(counts):
    from scheduler.plots.style import new_figure, whole_steps

    axis = new_figure(4, 3).subplots()
    axis.plot(counts, [0.1 * n for n in counts], marker="o")
    whole_steps(axis)
    low, high = axis.get_xlim()
    assert high - low >= 2 and low < counts[0] <= counts[-1] < high
    assert all(float(tick).is_integer() for tick in axis.get_xticks())
