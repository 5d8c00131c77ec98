"""A recording: what it keeps of a run, whatever the host hands over, and what it says of itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import RecordingError, UnknownNameError
from scheduler.recordings import Recording, merged
from scheduler.samplers import sample
from scheduler.search.gram import gram_of
from tests.examples import examples
from tests.mixture import unit_noise
from tests.recordings.made import SHAPE, drawn, grid, model

DTYPES = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])


def test_it_is_the_library_s_own_name():
    import scheduler

    assert scheduler.Recording is Recording and "Recording" in scheduler.__all__


def test_a_run_is_kept_as_it_was():
    sigmas = grid("flow", 25)
    start = unit_noise(3, *SHAPE, dtype=torch.float32) * float(sigmas[0])
    seen = []
    end = sample(model("flow"), start, sigmas, "dpmpp_2m", lambda i, x, d: seen.append((x, d)))
    kept = drawn("flow", "dpmpp_2m", 25, rows=3)
    assert np.array_equal(kept.sigmas, sigmas) and kept.sigmas.dtype == np.float64
    assert (kept.rows, kept.steps, kept.elements) == (3, 25, 256)
    assert kept.start_sigma == sigmas[0]
    expected = [*(x for x, _ in seen), end, *(d for _, d in seen)]
    assert len(kept.vectors) == 51
    assert all(torch.equal(a, b) for a, b in zip(kept.vectors, expected, strict=True))
    assert torch.allclose(kept.noise, unit_noise(3, *SHAPE, dtype=torch.float32))
    kept.check()


@examples(30)
@given(
    dtype=DTYPES,
    rows=st.integers(1, 3),
    form=st.sampled_from(["number", "tensor", "batch", "float32"]),
    turned=st.booleans(),
)
def test_any_host_s_numbers_become_ours_and_stay_theirs(dtype, rows, form, turned):
    x = torch.linspace(-2, 2, rows * 24).reshape(rows, 2, 3, 4).to(dtype)
    if turned:  # a layout with the channels last
        x = x.to(memory_format=torch.channels_last)
    before = x.clone()
    sigma = {
        "number": 2.5,
        "tensor": torch.tensor(2.5),
        "batch": torch.full((rows,), 2.5),
        "float32": np.float32(2.5),
    }[form]
    recording = Recording((2, 3, 4), "ve")
    recording.step(x, sigma, x)
    recording.finish(x)
    x.zero_()  # hosts write into their tensors again
    assert recording.sigmas.tolist() == [2.5, 0]
    for vector in recording.vectors:
        assert vector.dtype == torch.float32 and vector.is_contiguous()
        assert vector.device.type == "cpu" and torch.equal(vector, before.float())


def test_the_tensors_it_was_given_are_left_alone():
    x = torch.ones(1, *SHAPE, requires_grad=True)
    version = x._version
    recording = Recording(SHAPE, "flow")
    recording.step(x, 0.5, x)
    assert x._version == version and not recording._states[0].requires_grad


def told(levels) -> list[tuple[float, float]]:
    """(sigma, which call) of what is kept of calls at some levels."""
    recording = Recording((2,), "ve")
    for number, sigma in enumerate(levels):
        recording.step(torch.full((1, 2), float(number)), sigma, torch.full((1, 2), -float(number)))
    recording.finish(torch.zeros(1, 2))
    count = recording.steps
    pairs = zip(recording.vectors[:count], recording.vectors[count + 1 :], strict=True)
    assert all(torch.equal(x, -denoised) for x, denoised in pairs)
    numbers = [vector[0, 0].item() for vector in recording.vectors[:count]]
    return list(zip(recording.sigmas[:-1].tolist(), numbers, strict=True))


def test_of_two_steps_at_one_level_the_last_counts():
    """As Heun's calls come, whose look ahead is at the next level."""
    kept = told([8.0, 4.0, 4.0 * (1 + 1e-7), 2.0, 2.0 * (1 - 1e-7), 1.0])
    assert [number for _, number in kept] == [0, 2, 4, 5]
    assert [sigma for sigma, _ in kept] == pytest.approx([8, 4, 2, 1])


def test_a_sampler_that_looks_two_levels_ahead_rewinds():
    """As heunpp2's calls come."""
    kept = told([8.0, 4.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0])
    assert kept == [(8, 0), (4, 3), (2, 6), (1, 7)]


def test_going_further_back_is_no_look_ahead():
    assert [sigma for sigma, _ in told([8.0, 4.0, 2.0, 1.0, 4.0])] == [8, 4, 2, 1, 4]


def test_listening_never_breaks_a_picture_and_the_check_says_what_was_wrong():
    recording = Recording(SHAPE, "ve")
    recording.step(torch.zeros(2, *SHAPE), 2.0, torch.zeros(2, *SHAPE))
    recording.step(torch.zeros(1, *SHAPE), 1.0, torch.zeros(1, *SHAPE))
    recording.finish(torch.zeros(1, *SHAPE))
    assert not recording.finished and recording.rows == 0  # and nothing is held
    with pytest.raises(RecordingError, match=r"changed their shape from \(2, 4, 8, 8\)"):
        recording.check()
    again = drawn()
    again.step(torch.zeros(2, *SHAPE), 1.0, torch.zeros(2, *SHAPE))
    with pytest.raises(RecordingError, match="went on after its end"):
        again.check()


def test_an_answer_of_another_shape_than_its_state():
    recording = Recording(SHAPE, "ve")
    recording.step(torch.zeros(2, *SHAPE), 2.0, torch.zeros(1, *SHAPE))
    with pytest.raises(RecordingError, match="changed their shape"):
        recording.check()


def test_nothing_is_read_before_the_end():
    recording = Recording(SHAPE, "ve")
    recording.step(torch.zeros(1, *SHAPE), 2.0, torch.zeros(1, *SHAPE))
    for read in ("sigmas", "vectors", "noise", "start_sigma", "products", "gram"):
        with pytest.raises(RecordingError, match="no end yet"):
            getattr(recording, read)
    assert (recording.steps, recording.rows) == (1, 1)


def test_another_process_is_refused():
    with pytest.raises(UnknownNameError, match="flow, ve"):
        Recording(SHAPE, "eps")


def test_its_words():
    assert drawn("ve", "dpmpp_2m", 25).words() == "25 steps of dpmpp_2m"
    labels = {"dpmpp_2m": "DPM++ 2M"}
    assert drawn("ve", "dpmpp_2m", 25).words(labels) == "25 steps of DPM++ 2M"
    named = drawn("ve", "dpmpp_2m", 25, name="DPM++ 2M Karras")
    assert named.words(labels) == "25 steps of DPM++ 2M Karras"
    recording = Recording((2,), "ve")
    recording.step(torch.zeros(1, 2), 1.0, torch.zeros(1, 2))
    assert recording.words() == "1 step"


def test_what_a_record_may_say_of_it_is_plain_and_holds_no_latent():
    about = drawn("ve", "dpmpp_2m", 25, seed=7, name="DPM++ 2M", prompt="ab12").description()
    error = about.pop("own_error")
    assert about == {
        "steps": 25,
        "rows": 2,
        "start_sigma": pytest.approx(14.6146, rel=1e-4),
        "sampler": "dpmpp_2m",
        "name": "DPM++ 2M",
        "seed": 7,
    }
    assert type(error) is float and 0 < error < 1
    assert "seed" not in drawn("ve", "euler", 25).description()


def test_its_inner_products_are_those_of_its_vectors():
    kept = drawn("flow", "euler", 12, rows=2)
    flat = torch.stack([vector.flatten(1) for vector in kept.vectors])
    expected = gram_of(kept.sigmas, flat)
    assert kept.gram == expected
    assert kept.products.shape == (2, 25, 25)
    assert np.allclose(kept.products.mean(axis=0), expected.products, rtol=1e-12)


def test_large_latents_are_thinned_for_its_own_products(monkeypatch):
    whole = drawn("flow", "euler", 12).products
    monkeypatch.setattr("scheduler.recordings.recording.MOST_ELEMENTS", 100)
    thinned = drawn("flow", "euler", 12).products
    assert not np.array_equal(whole, thinned)
    kept = drawn("flow", "euler", 12)
    by_hand = kept.vectors[3][1].flatten()[::3].double()
    assert thinned[1, 3, 3] == pytest.approx(float(by_hand @ by_hand / len(by_hand)))


def test_a_rotation_of_the_latents_leaves_their_inner_products():
    """Why no picture can be made from them: any orthogonal transformation gives the same numbers."""
    kept = drawn("flow", "dpmpp_2m", 16, rows=2)
    size = kept.rows * kept.elements
    square = torch.randn(size, size, generator=torch.Generator().manual_seed(3)).double()
    turn = torch.linalg.qr(square).Q
    turned = [(turn @ each.double().flatten()).reshape(each.shape) for each in kept.vectors]
    flat = torch.stack([each.flatten(1) for each in turned])
    assert np.allclose(gram_of(kept.sigmas, flat).products, kept.gram.products, atol=1e-7)
    there, here = turned[kept.steps], kept.vectors[kept.steps].double()
    # The pictures have nothing in common: as far apart as two of unrelated pixels.
    assert (there - here).square().mean() > 1.5 * here.square().mean()


# --- several pictures as one batch -----------------------------------------------------------------


def test_pictures_of_one_setting_are_rows_of_one_batch():
    one = drawn("ve", "dpmpp_2m", 16, rows=2, seed=1)
    other = drawn("ve", "dpmpp_2m", 16, rows=1, noise_seed=1, seed=2)
    (both,) = merged([one, other])
    assert both.rows == 3 and both.steps == 16 and both.seed is None
    for k, vector in enumerate(both.vectors):
        assert torch.equal(vector, torch.cat([one.vectors[k], other.vectors[k]]))
    both.check()
    assert merged([one]) == [one]


def test_what_differs_in_more_than_noise_stays_apart():
    first = drawn("ve", "dpmpp_2m", 16, rows=1)
    others = [
        drawn("ve", "dpmpp_2m", 17, rows=1),
        drawn("ve", "dpmpp_2m", 16, rows=1, schedule="karras"),
        drawn("ve", "euler", 16, rows=1),
        drawn("flow", "dpmpp_2m", 16, rows=1),
        drawn("ve", "dpmpp_2m", 16, rows=1, prompt="ab12"),
    ]
    again = drawn("ve", "dpmpp_2m", 16, rows=1, noise_seed=1)
    groups = merged([first, *others, again])
    assert [group.rows for group in groups] == [2, 1, 1, 1, 1, 1]


def test_one_grid_in_a_host_s_float32_is_still_one():
    one = drawn("ve", "dpmpp_2m", 16, rows=1)
    rounded = one.sigmas.astype(np.float32).astype(np.float64)
    other = Recording.of(rounded, one.vectors, **one.about)
    assert [group.rows for group in merged([one, other])] == [2]
