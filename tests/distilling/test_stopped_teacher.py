"""A stop inside the teacher loses no call: the next run goes on with its answers, where the model is
the same."""

from __future__ import annotations

import pytest

from scheduler.errors import Stopped
from tests.distilling.test_distill import Counted, Stops, run, undated
from tests.mixture import mixture_denoiser, small_mixture, unit_noise


def stopped(folder, model, after: int, **options):
    with pytest.raises(Stopped):
        run(denoise=model, resume=folder, should_stop=Stops(after), **options)


def test_what_was_answered_is_not_asked_again(tmp_path):
    model, plans = Counted(small_mixture()), []
    stopped(tmp_path, model, 20, on_plan=plans.append)
    first, rows = model.calls, plans[0].rows
    assert rows < first < plans[0].costs["teacher"]
    again = run(denoise=model, resume=tmp_path)
    assert undated(again) == undated(run())
    # The answer in hand is lost; two questions tell whether the model is, and stays, the same.
    assert model.calls <= again.provenance["model_calls"] + 3 * rows


@pytest.mark.slow
def test_a_run_that_had_hardly_begun_begins_anew(tmp_path):
    """Nothing it has asked tells guidance and conditioning apart."""
    stopped(tmp_path, small_mixture(), 5)
    assert undated(run(resume=tmp_path)) == undated(run())


@pytest.mark.slow
def test_another_model_does_not_go_on_with_them(tmp_path):
    stopped(tmp_path, small_mixture(), 20)
    other = mixture_denoiser(unit_noise(3, 8, seed=9), [0.5, 0.3, 0.2], 0.05)
    assert run(denoise=other, resume=tmp_path).recipes == run(denoise=other).recipes


@pytest.mark.slow
def test_a_broken_note_of_the_last_question_begins_anew(tmp_path):
    stopped(tmp_path, small_mixture(), 20)
    for path in tmp_path.glob("begun-*"):
        path.write_bytes(b"broken")
    assert undated(run(resume=tmp_path)) == undated(run())
