"""The beds that the quality tables are measured on, and how the tables count."""

import pytest
import torch

from benchmarks import marks, payback
from benchmarks.cells import STEPS, TABLES, Mark, Table
from benchmarks.runs import Counted, run
from benchmarks.subjects import MOSAICS, SMALL, subject
from benchmarks.trial import Setting, Trial

BED = "mosaic/isotropic-16:1"
SLOW = ("photo", "digit")  # made with scikit-learn


@pytest.mark.slow
@pytest.mark.parametrize("label", MOSAICS)
def test_every_sample_of_a_mosaic_holds_many_numbers(label):
    of = subject(label)
    assert of.label == label
    assert torch.Size(of.latent_shape).numel() >= 1024
    assert of.blocks >= 16


def test_blocks_are_answered_each_on_its_own():
    """Another block's numbers change nothing; a block asked alone, under its class, answers the same."""
    of = subject(BED)
    x, sigma = of.noise(2, 0), torch.full((2,), 3.0)
    denoise = of.fitting(2)
    answer = denoise(x, sigma)
    moved = x.clone()
    moved[:, 5] += 1
    others = [k for k in range(of.blocks) if k != 5]
    assert torch.equal(denoise(moved, sigma)[:, others], answer[:, others])
    assert not torch.equal(denoise(moved, sigma)[:, 5], answer[:, 5])
    classes = of._chosen(0, of.classes // 2, 2, 0)
    alone = of.model.model.denoiser(classes[of.blocks + 7 :][:1])(x[1:, 7:8], sigma[:1])
    assert torch.allclose(alone, answer[1:, 7:8], atol=1e-6)


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(label, marks=pytest.mark.slow if label.startswith(SLOW) else [])
        for label in (BED, *SMALL)
    ],
)
def test_fits_and_tests_share_no_class(label):
    of = subject(label)
    half = of.classes // 2
    for seed in range(4):
        assert int(of._chosen(0, half, 8, seed).max()) < half
    assert int(of._chosen(half, of.classes - half, 8, 0).min()) >= half


def test_a_fit_of_any_rows_answers_as_one_of_that_many():
    of = subject("low-rank-64:1")
    x, sigma = of.noise(3, 0), torch.full((3,), 0.5)
    assert torch.equal(of.fitting_any(2)(x, sigma), of.fitting(3, seed=2)(x, sigma))
    assert not torch.equal(of.fitting_any(2)(x, sigma), of.fitting_any(1)(x, sigma))


@pytest.mark.slow
def test_calls_are_counted_by_the_denoiser():
    of = subject(BED)
    counted = Counted(of.fitting_any())
    counted(of.noise(3, 0), torch.ones(3))
    assert counted.calls == 3
    record, about = run(of, steps=4, budget=60)
    assert about["calls"] <= 60
    assert about["calls"] == record.provenance["model_calls"]


@pytest.mark.slow
def test_a_trial_keeps_stock_runs_and_the_artists_own_end_apart(tmp_path):
    of = subject("isotropic-16:1")
    setting = Setting("dpmpp_2m", "karras", 25)
    true, own = Trial(of, 4, tmp_path), Trial(of, 4, tmp_path, setting)
    assert own.best(25)[1] == 0
    assert own.best(25)[0] == "karras + dpmpp_2m"
    assert true.best(25)[1] > 0
    assert len(list(tmp_path.glob("*.npz"))) == 2
    again = Trial(of, 4, tmp_path)
    again.denoise = again.model.denoise = lambda x, sigma: pytest.fail("asked again")
    assert again.best(25) == true.best(25)


class _Curve:
    """A trial whose best stock pair has the error 1 / steps."""

    def best(self, calls, samplers=()):
        return "stock", 1 / calls


@pytest.mark.parametrize(
    ("error", "steps"), [(1, 6), (1 / 7, 7), (0.1, 10), (1 / 23.5, 24), (1 / 40, 40)]
)
def test_stock_steps_of_equal_error(error, steps):
    assert payback.equal_steps(_Curve(), 6, error) == steps


def test_an_error_that_no_stock_run_meets():
    assert payback.equal_steps(_Curve(), 6, 1 / 41) is None


def test_pay_back_counts_whole_pictures():
    assert payback.pays_after(80, 6, 14) == 10
    assert payback.pays_after(81, 6, 14) == 11
    assert payback.pays_after(80, 6, 6) is None


def test_cells_short_of_their_marks_are_named():
    table = Table(
        ("a", "b"), (Mark((60, 75, 90), mean=0.45, cell=0.95, seed=1.0, double_cell=1.5),)
    )
    results = [
        _cell("a", 4, 60, 0, 0.3, 0.8),
        _cell("a", 4, 60, 1, 1.2, 0.8),
        _cell("b", 6, 75, 0, 0.96, 1.6),
        {"bed": "b", "steps": 8, "budget": 90, "seed": 0, "refused": "too few"},
    ]
    said = marks.shown("some", table, results)
    assert "0.60 / 0.80 w 1.20" in said
    short = said.split("short of its mark:\n")[1].splitlines()
    assert [line.strip() for line in short] == [
        "geometric mean, 60/75/90 calls: 0.76 at N over 0.45",
        "a N=4, 60 calls, seed 1: 1.20 at N over 1",
        "b N=6, 75 calls: 0.96 at N over 0.95",
        "b N=6, 75 calls: 1.60 at 2N over 1.5",
    ]


def test_every_mark_has_a_number_of_calls_for_each_step_count():
    for table in TABLES.values():
        assert all(len(mark.calls) == len(STEPS) for mark in table.marks)


def _cell(bed, steps, budget, seed, over, double):
    spent = {"calls": budget, "own_seconds": 1.0, "choice": "ours"}
    ratios = {"over": over, "over_double": double}
    return {"bed": bed, "steps": steps, "budget": budget, "seed": seed} | spent | ratios
