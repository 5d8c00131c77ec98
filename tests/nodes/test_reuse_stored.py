"""When the store's record is as good as a new one, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.nodes.made import PROVENANCE, recipe
from tests.nodes.pack import module
from tests.nodes.test_distill_request import record_module, wish
from tests.weights import weights

earlier, store_module, keys = (
    module("nodes.reuse_stored"),
    module("scheduler.store"),
    module("scheduler.lookup.key"),
)


def euler(steps):
    return recipe("euler", [1.0, *[0.9 - 0.1 * k for k in range(steps - 1)], 0.0])


@pytest.fixture
def kept(tmp_path):
    """(a store that holds a quick record of four and five euler steps, its key, its plan)."""
    asked = wish(("euler",), (4, 5))
    plan, fingerprint = (
        asked.plan(),
        module("scheduler.fingerprint").fingerprint_tensors(weights(1)),
    )
    conditions = replace(asked.conditions, fingerprint=fingerprint.id, samples=fingerprint.samples)
    model = record_module.Model.of(conditions, "flow", 0.003, 1.0)
    recipes = tuple(euler(n) for n in (4, 5))
    teacher = {"solver": "adams3", "nodes": 24, "grid": "log_snr", "samples": plan.rows}
    made = record_module.Record(
        model,
        conditions,
        teacher,
        recipes,
        {},
        PROVENANCE | {"plans": [{"steps": [4, 5], **plan.data}]},
    )
    store = store_module.Store(tmp_path)
    store.put(made)
    return store, keys.Key.of(made), made


def test_a_record_with_all_that_is_asked_is_taken(kept):
    store, key, made = kept
    asked = wish(("euler",), (4, 5))
    assert earlier.in_store(store, key, asked)[1] == made
    fewer = wish(("euler",), (5,))
    assert earlier.in_store(store, key, fewer)[1] == made


@pytest.mark.parametrize(
    "samplers, steps",
    [(("euler", "dpmpp_2m"), (4, 5)), (("euler",), (4, 5, 6)), (("euler",), (3, 4))],
)
def test_a_record_without_all_that_is_asked_is_not(kept, samplers, steps):
    store, key, _ = kept
    asked = wish(samplers, steps)
    assert earlier.in_store(store, key, asked) == (None, "")


@pytest.mark.parametrize(
    "changed", [{"cfg": 7.0}, {"latent_shape": (16, 128, 128)}, {"shift": 8.0}]
)
def test_other_conditions_are_another_key(kept, changed):
    store, key, _ = kept
    asked = wish(("euler",), (4, 5))
    assert earlier.in_store(store, replace(key, **changed), asked) == (None, "")
    patched = replace(key, patches=({"name": "lora-1", "strength": 1.0},))
    assert earlier.in_store(store, patched, asked) == (None, "")


def test_less_effort_than_asked_is_made_anew_and_said(kept):
    store, key, _ = kept
    asked = wish(("euler",), (4, 5), "thorough")
    name, why = earlier.in_store(store, key, asked)
    assert name is None and "less effort than thorough" in why


def remade(made, counts, quality):
    """The record as if made for other step counts and quality."""
    asked = wish(("euler",), counts, quality)
    recipes = tuple(euler(n) for n in counts)
    return asked, replace(
        made,
        recipes=recipes,
        provenance=PROVENANCE | {"plans": [{"steps": list(counts), **asked.plan().data}]},
    )


def steps_by(record):
    return {recipe.steps for recipe in record.recipes}


def test_what_a_narrower_and_better_record_would_lose_is_kept(kept):
    store, key, made = kept
    asked, better = remade(made, (5, 6), "thorough")
    whole, words = earlier.with_earlier(store, key, better, asked)
    assert (
        steps_by(whole) == {4, 5, 6}
        and words == "Recipes for 4 steps are kept from the record of 2026-11-21."
    )
    assert [sorted(part.steps) for part in earlier.parts_of(whole)] == [[5, 6], [4]]
    store.put(whole)
    assert earlier.in_store(store, key, asked)[1] == whole
    assert earlier.in_store(store, key, wish(("euler",), (4, 5, 6)))[1] == whole
    assert (
        earlier.in_store(store, key, wish(("euler",), (4, 5, 6), "thorough"))[0] is None
    )  # four steps are the quick record's


def test_a_wider_record_of_less_effort_does_not_take_the_better_ones_place(kept):
    store, key, made = kept
    store.put(remade(made, (4, 5), "thorough")[1])
    asked, wider = remade(made, (4, 5, 6), "instant")
    whole, words = earlier.with_earlier(store, key, wider, asked)
    assert steps_by(whole) == {4, 5, 6} and "for 4, 5 steps" in words
    store.put(whole)
    assert earlier.in_store(store, key, wish(("euler",), (4, 5), "thorough"))[1] == whole
    assert earlier.in_store(store, key, asked)[1] == whole


def test_the_same_again_and_other_samplers_keep_nothing(kept):
    store, key, made = kept
    assert earlier.with_earlier(store, key, made, wish(("euler",), (4, 5))) == (made, "")
    other = replace(
        made, recipes=tuple(replace(each, sampler="dpmpp_2m") for each in made.recipes)
    )  # a file of its own
    assert earlier.with_earlier(store, key, other, wish(("dpmpp_2m",), (4, 5))) == (other, "")


def test_a_record_that_does_not_say_its_effort_counts(kept):
    store, key, made = kept
    store.put(replace(made, provenance=PROVENANCE))
    asked = wish(("euler",), (4, 5), "thorough")
    assert earlier.in_store(store, key, asked)[0] is not None
