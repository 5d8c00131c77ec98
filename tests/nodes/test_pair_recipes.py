"""A pair's recipes in ComfyUI: found by the half that asks, kept beside earlier ones, drawn or named."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.nodes.made import PROVENANCE, recipe
from tests.nodes.pack import module
from tests.nodes.test_lookup import model, store  # noqa: F401

pair, part, keeping, halves, facts_of, pair_node, Record, Model = (
    module("scheduler.record.pair_half"),
    module("nodes.halves.asked_part").Part,
    module("scheduler.pairs.keeping"),
    module("nodes.halves.pair_recipes"),
    module("nodes.host.model_facts").facts_of,
    module("nodes.few_step.pair_node"),
    module("scheduler.record").Record,
    module("scheduler.record").Model,
)
SIX = [1.0, 0.95, 0.875, 0.7, 0.5, 0.2, 0.0]
FOUR = [1.0, 0.875, 0.5, 0.2, 0.0]


@pytest.fixture
def facts(model):  # noqa: F811
    """Two models that differ by a LoRA, as a base and its Lightning twin do."""
    first = facts_of(model)
    lora = {"name": "lightning", "strength": 1.0, "fingerprint": "ab"}
    return first, replace(first, patches=(lora,))


def records(facts, *made, hand_over=0.875):
    """The records of both halves."""
    found = []
    for keyed, other in zip(keeping.pair_keys(*facts), ("b", "a"), strict=True):
        conditions = keyed.conditions(keyed.key(3.0, (16, 8, 8)))
        about = Model.of(conditions, keyed.process, keyed.sigma_min, keyed.sigma_max)
        provenance = PROVENANCE | {"pair": {"hand_over": hand_over, "other": other}}
        found.append(Record(about, conditions, None, made, {}, provenance))
    return found


def handing(sigmas, step):
    return replace(recipe("euler", sigmas), evidence={"hand_over_step": step})


def test_each_half_finds_the_recipe_that_hands_over_at_its_step(store, facts):  # noqa: F811
    first, second = records(facts, handing(SIX, 2))
    for each in (first, second):
        store.put(each)
    found = halves.pair_record(facts[0], part(0, 2), "euler", 6, None)
    assert pair.pair_half(found).half == pair.FIRST
    found = halves.pair_record(facts[1], part(2, None, True), "euler", 6, 0.875)
    assert pair.pair_half(found).half == pair.SECOND
    nothing = [
        (facts[0], part(0, 3), "euler", 6, None),  # split elsewhere
        (facts[0], part(0, 2), "euler", 8, None),  # other steps
        (facts[0], part(0, 2), "dpmpp_2m", 6, None),
        (facts[0], part(0, None), "euler", 6, None),  # a whole run
        (facts[0], None, "euler", 6, None),
        (facts[1], part(2, None, True), "euler", 6, 0.6),  # a latent that was left elsewhere
    ]
    assert [halves.pair_record(*each) for each in nothing] == [None] * len(nothing)


def test_a_lone_model_never_gets_a_pairs_recipe(store, model, facts):  # noqa: F811
    for each in records(facts, handing(SIX, 2)):
        store.put(each)
    found = module("nodes.lookup").find(model, "euler", 6)
    assert found.source == "stock"


def test_step_counts_that_were_distilled_earlier_stay(store, facts):  # noqa: F811
    for each in records(facts, handing(SIX, 2)):
        store.put(each)
    added = [keeping.whole(each, store) for each in records(facts, handing(FOUR, 1))]
    assert [[r.steps for r in each.recipes] for each in added] == [[4, 6], [4, 6]]
    names = [store.put(each) for each in added]
    assert len(store.records()) == 2 and len(set(names)) == 2
    moved = records(facts, handing(FOUR, 1), hand_over=0.6)[0]
    assert [r.steps for r in keeping.whole(moved, store).recipes] == [4]


def test_a_pair_is_known_by_both_models(store, facts):  # noqa: F811
    first, _ = records(facts, handing(SIX, 2))
    store.put(first)
    mine, _ = keeping.pair_keys(*facts)
    key = mine.key(3.0, (16, 8, 8), sampler="euler")
    assert keeping.found_for([store], key, 6).record.recipes == first.recipes
    assert keeping.found_for([store], key, 5) is None
    stranger = replace(facts[1], patches=())
    other, _ = keeping.pair_keys(facts[0], stranger)
    key = other.key(3.0, (16, 8, 8), sampler="euler")
    assert keeping.found_for([store], key, 6) is None


class Task:
    """A pair of which a record is known, or is made when asked."""

    def __init__(self, facts, known=None):
        self.facts, self.record, self.made = facts, known, 0

    def known(self, sampler, steps):
        return self.record

    def run(self, sampler, steps, hand_over, search, measure, seed):
        self.made += 1
        return SimpleNamespace(first=records(self.facts, handing(SIX, 2))[0], second=None)


def test_the_few_step_node_of_a_pair_draws_what_is_known_or_learns_it(facts, monkeypatch):
    monkeypatch.setattr(pair_node, "kept", lambda made: "Kept.")
    known = Task(facts, records(facts, handing(SIX, 2))[0])
    joint, text = pair_node._schedule(known, "euler", 6, 0.875, True)
    assert (joint.step, list(joint.sigmas), known.made) == (2, SIX, 0)
    assert text == "The pair's recipe, 6 steps of euler, handed over after 2."
    new = Task(facts)
    joint, text = pair_node._schedule(new, "euler", 6, 0.875, True)
    assert new.made == 1 and joint.step == 2 and text.endswith("Kept.")
    joint, text = pair_node._schedule(Task(facts), "euler", 6, 0.875, False)
    assert "Stock schedule 'simple'" in text and joint.sigmas[joint.step] <= 0.875
