"""Who is no kin is told before a recipe is run: by the weights, the latents, or the way to a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.kin import HOLDS, REFUSE, Kin, check_kin
from scheduler.kin.learning import learn_from_kin
from scheduler.kin.strangers import CHANNELS, MOST_APART, UNSHOWN, WAY, WEIGHTS, apart
from scheduler.lookup.match import SOURCE
from scheduler.record.inner_products import Gram
from scheduler.search.gram import with_sigmas
from tests.kin.relatives import FINETUNE, STRANGERS, drawn, known, mosaic, print_of
from tests.learning.studio import SHAPE

UNRELATED, FINETUNED = print_of(seed=7), print_of(0.1)


class Unasked:
    """A model that counts what it is asked."""

    def __init__(self, denoise):
        self.denoise, self.calls = denoise, 0

    def __call__(self, x, sigma):
        self.calls += len(x)
        return self.denoise(x, sigma)


def checked(kin, denoise):
    """The verdict of a check, and of learning, on one picture; and the model calls of the check."""
    model = Unasked(denoise)
    run = drawn(denoise, 1)
    verdict = check_kin(kin, model, 6, recordings=(run,))
    key = kin.model.key(3.0, SHAPE)
    made = learn_from_kin(kin, denoise, key, 6, recordings=(run,), budget=39)
    return verdict, made, model.calls


@pytest.mark.parametrize("model", [known("Other", UNRELATED), replace(known(), fingerprint=None)])
@pytest.mark.slow
def test_without_related_weights_nothing_is_asked_however_well_it_would_serve(learnt, model):
    verdict, made, calls = checked(Kin.of(learnt, model), mosaic(4, **FINETUNE))
    assert (verdict.code, verdict.stranger, verdict.calls, calls) == (REFUSE, WEIGHTS, 0, 0)
    assert verdict.ratio is None and verdict.words == (
        "It is refused here, and was not run: the weights of its model are not related to yours."
    )
    recipe = made.record.recipe("distilled", 6)
    assert made.verdict.stranger == WEIGHTS and recipe.choice.ours
    assert recipe.sigmas != learnt.recipe("distilled", 6).sigmas
    (told,) = made.record.provenance["kin"]
    assert (told["verdict"], told["stranger"]) == (REFUSE, WEIGHTS) and "rms" not in told


@pytest.mark.slow
def test_a_record_that_names_no_weights_is_nobodys_kin(learnt):
    nameless = replace(learnt, model=replace(learnt.model, fingerprint=None, samples=None))
    verdict, _, calls = checked(Kin.of(nameless, known()), mosaic(4))
    assert (verdict.stranger, calls) == (WEIGHTS, 0)


@pytest.mark.slow
def test_latents_of_other_channels_are_refused(learnt):
    conditions = replace(learnt.conditions, latent_shape=(4, 8, 8))
    kin = Kin.of(replace(learnt, conditions=conditions), known("Mine", FINETUNED))
    verdict, _, calls = checked(kin, mosaic(4))
    assert (verdict.stranger, calls) == (CHANNELS, 0)


def from_source(record, model) -> Kin:
    kin = Kin.of(record, model)
    return replace(kin, match=replace(kin.match, place=SOURCE))


@pytest.mark.parametrize("model", [known(), known("Mine", FINETUNED)])
@pytest.mark.slow
def test_somebody_elses_record_must_show_how_its_model_draws(learnt, model):
    verdict, _, calls = checked(from_source(replace(learnt, gram=None), model), mosaic(4))
    assert (verdict.stranger, calls) == (UNSHOWN, 0)
    assert (
        check_kin(
            from_source(learnt, model),
            mosaic(4, **FINETUNE),
            6,
            recordings=(drawn(mosaic(4, **FINETUNE), 1),),
        ).code
        == HOLDS
    )


@pytest.mark.parametrize("how", STRANGERS)
@pytest.mark.slow
def test_one_with_anothers_weights_is_known_by_its_way(learnt, how):
    verdict, made, calls = checked(from_source(learnt, known()), mosaic(4, **how))
    assert (verdict.code, verdict.stranger) == (REFUSE, WAY)
    assert calls == verdict.calls == 3  # whether it drew that picture
    assert made.verdict.stranger == WAY


@pytest.mark.slow
def test_a_record_that_shows_too_little_of_its_way_shows_nothing(learnt):
    gram = learnt.gram
    few = with_sigmas(gram, [gram.sigmas[0], gram.sigmas[5], 0.0])
    verdict, _, _ = checked(from_source(replace(learnt, gram=few), known()), mosaic(4, **FINETUNE))
    assert verdict.stranger == WAY


@pytest.mark.slow
def test_ones_own_record_of_the_very_weights_is_run_whatever_its_way(learnt):
    verdict, _, _ = checked(Kin.of(learnt, known()), mosaic(4, **STRANGERS[0]))
    assert verdict.stranger == "" and verdict.ratio > 1


# --- how far apart two ways are ---


def gram_of_path(lengths, sigmas=None) -> Gram:
    """Of one whose predictions go along a line by these lengths, one a node."""
    places = np.cumsum([1.0, *lengths])
    count = len(places) + 1
    sigmas = np.append(np.geomspace(0.99, 0.01, len(places)), 0.0) if sigmas is None else sigmas
    vectors = np.concatenate([np.zeros(count), places])
    return Gram(sigmas, np.outer(vectors, vectors), 1, np.zeros(count))


paths = st.lists(st.floats(0.01, 10), min_size=8, max_size=8).map(gram_of_path)


@given(paths, paths, st.floats(0.1, 10), st.sampled_from(["flow", "ve"]))
def test_the_distance_of_two_ways(one, other, scale, process):
    found = apart(one, other, process)
    assert found is not None and 0 <= found <= 1
    assert apart(other, one, process) == pytest.approx(found)
    assert apart(one, one, process) == 0
    larger = replace(other, products=scale * other.products)
    assert apart(one, larger, process) == pytest.approx(found, abs=1e-6)


def test_who_moves_at_once_is_furthest_from_who_moves_at_last():
    first, last = gram_of_path([1, 0, 0, 0, 0]), gram_of_path([0, 0, 0, 0, 1])
    assert apart(first, last, "flow") == pytest.approx(1)
    half = gram_of_path([1, 0, 0, 0, 1])
    assert apart(first, half, "ve") == pytest.approx(0.5)


def test_where_too_few_levels_are_shared_nothing_is_said():
    low = gram_of_path([1] * 5, np.append(np.geomspace(0.02, 0.005, 6), 0.0))
    assert apart(gram_of_path([1] * 5), low, "flow") is None


def test_the_steps_of_a_run_say_nothing_of_its_way(learnt):
    run = drawn(mosaic(4), 1)
    fewer = with_sigmas(run.gram, run.sigmas[[0, *range(1, len(run.sigmas) - 1, 2), -1]])
    assert apart(run.gram, fewer, "flow") < 0.03 < MOST_APART
    assert apart(learnt.gram, run.gram, "flow") < MOST_APART / 3
