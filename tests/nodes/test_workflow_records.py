"""Records that a workflow carries: kept small, read strictly, used only where the store has none."""

from __future__ import annotations

import json
from dataclasses import replace
from types import FunctionType

import pytest

from tests.nodes import host
from tests.nodes.pack import module
from tests.nodes.test_lookup import gram, record_of  # noqa: F401

carried, running, pictures, lookup, stores, identity = (
    module("nodes.host.workflow_records"),
    module("nodes.host.running_prompt"),
    module("nodes.host.picture_records"),
    module("nodes.lookup"),
    module("nodes.host.store"),
    module("nodes.host.model_facts"),
)
keys, words = module("scheduler.lookup.key"), module("scheduler.lookup.words")


@pytest.fixture(scope="module")
def model():
    return host.patcher(file="tiny.safetensors")


@pytest.fixture
def workflow(tmp_path, monkeypatch):
    """The workflow of the running prompt, and an empty store."""
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    found = {"nodes": [], "extra": {"ds": {"scale": 1.0}}}
    extra = {"client_id": "a", "extra_pnginfo": {"workflow": found}}
    for each in (carried, running):
        monkeypatch.setattr(each, "running_extra", lambda: extra)
    return found


def test_what_a_run_used_goes_along_and_serves_where_the_store_is_empty(model, workflow):
    name = stores.store().put(record_of(model))
    before = lookup.find(model, "euler", 3, offsets=True)
    assert before.source == "exact" and list(workflow["extra"]) == ["ds", carried.EXTRA]
    stores.store().remove(name)
    travelled = json.loads(json.dumps(workflow))
    workflow.clear()
    assert lookup.find(model, "euler", 3).source == "stock"
    workflow.update(travelled)
    after = lookup.find(model, "euler", 3, offsets=True)
    assert (
        after.source == "given"
        and "this workflow carries" in words.info(after)
        and after.recipe.sigmas == before.recipe.sigmas
    )
    assert (
        after.recipe.offsets == before.recipe.offsets
        and after.recipe.evidence["rms"] == before.recipe.evidence["rms"]
    )


def test_what_it_carries_is_solved_from_as_at_home(model, workflow, gram):  # noqa: F811
    name = stores.store().put(replace(record_of(model), gram=gram))
    before = lookup.find(model, "euler", 5, denoise=0.5)
    assert before.recipe.evidence == {"verdict": "solved"} and before.recipe.steps == 5
    stores.store().remove(name)
    after = lookup.find(model, "euler", 5, denoise=0.5)
    assert (
        "this workflow carries" in words.info(after) and after.recipe.sigmas == before.recipe.sigmas
    )


def test_a_record_that_is_too_long_with_its_inner_products_goes_along_without(model, workflow):
    long = replace(record_of(model), gram=module("tests.weights").smooth_gram(150))
    pictures.attach(long)
    (data,) = workflow["extra"][carried.EXTRA].values()
    assert "inner_products" not in data and len(json.dumps(data)) < carried.LONGEST


def test_another_models_record_and_what_is_none_are_passed_over(model, workflow):
    key = identity.facts_of(model).key()
    other = carried.slim(record_of(host.patcher("eps")))
    for data in ({}, [], "text", {"stepdistill": 1}, other, None):
        workflow["extra"] = {carried.EXTRA: {"a": data}}
        shelf = carried.WorkflowRecords()
        assert not shelf.matches(key) and shelf.unread == (data is not other)
    for extra in (None, [], {carried.EXTRA: [1]}, {carried.EXTRA: None}):
        workflow["extra"] = extra
        assert not carried.WorkflowRecords().matches(key)


def test_few_records_are_kept_without_their_tables(model, workflow, monkeypatch):
    monkeypatch.setattr(carried, "MOST", 4)
    made = [record_of(model, cfg=float(cfg)) for cfg in (1, 2, 4, 6, 9, 14)]
    for record in made:
        pictures.attach(record)
    listed = workflow["extra"][carried.EXTRA]
    assert list(listed) == [keys.Key.of(record).digest() for record in made[-carried.MOST :]]
    assert all(
        "stock" not in recipe["evidence"] for data in listed.values() for recipe in data["recipes"]
    )


def test_outside_a_prompt_nothing_is_kept(model):
    pictures.attach(record_of(model))
    assert not carried.WorkflowRecords().matches(identity.facts_of(model).key())


def test_a_prompt_without_a_workflow_carries_it_beside(model, workflow, monkeypatch):
    extra = {}
    for each in (carried, running):
        monkeypatch.setattr(each, "running_extra", lambda: extra)
    pictures.attach(record_of(model))
    assert list(extra["extra_pnginfo"]) == [carried.EXTRA]
    (data,) = extra["extra_pnginfo"][carried.EXTRA].values()
    pictures.attach(record_of(model), "of a store.json")  # once only, by the name it has there
    assert extra["extra_pnginfo"][carried.EXTRA] == {"of a store": data}
    assert carried.carried("of a store") and carried.carried("another") is None
    assert carried.WorkflowRecords().matches(identity.facts_of(model).key())


def execute(extra_data):
    """What the host's executor is called, with its own name for what came with a prompt."""
    return running_extra()  # noqa: F821


def test_what_came_with_a_prompt_is_the_executors_own_object():
    names = {"__name__": "execution", "running_extra": running.running_extra}
    extra = {}
    assert FunctionType(execute.__code__, names)(extra) is extra
    assert running.running_extra() is None


def prompt(seed, name="a"):
    """Two nodes: what was looked up by the first serves the second from the host's cache."""
    return {
        "1": {"class_type": "Maker", "inputs": {"steps": 6, "name": name}},
        "2": {"class_type": "Runs", "inputs": {"sigmas": ["1", 0], "seed": seed, "loop": ["2", 0]}},
    }


def running_in(monkeypatch, ours, waiting=()):
    """The node "1" of a prompt runs."""
    node = running.RunningNode(ours, "1", "Maker", {})
    monkeypatch.setattr(running, "running_node", lambda: node)
    monkeypatch.setattr(running, "waiting_prompts", lambda: list(waiting))


def carries(extra):
    return list(extra.get("extra_pnginfo", {}).get(carried.EXTRA, ()))


def test_a_cached_nodes_record_goes_along_until_the_store_changes(model, workflow, monkeypatch):
    record = record_of(model)
    waiting, other = {}, {}
    queue = [("a", prompt(2), waiting), ("b", prompt(3, "another"), other)]
    running_in(monkeypatch, prompt(1), queue)
    pictures.attach(record)
    name = keys.Key.of(record).digest()
    assert carries(waiting) == [name] and not carries(other)
    for later, expected in ((prompt(4), [name]), (prompt(1, "another"), [])):
        extra = {}
        pictures.attach_remembered(later, extra)
        assert carries(extra) == expected
    stores.store().put(record)
    extra = {}
    pictures.attach_remembered(prompt(5), extra)
    assert not carries(extra)


def runs(monkeypatch, prompt, id):
    """A node of a prompt runs."""
    node = running.RunningNode(prompt, id, prompt[id]["class_type"], prompt[id]["inputs"])
    for each in (carried, running):
        monkeypatch.setattr(each, "running_ids", lambda: ("a prompt", id))
    monkeypatch.setattr(running, "running_node", lambda: node)
    monkeypatch.setattr(running, "waiting_prompts", lambda: [])


def test_what_is_attached_for_a_cached_node_is_no_other_nodes_record(model, workflow, monkeypatch):
    """A second node draws by what the store has learnt, and not by what the first was drawn with."""
    record, key = record_of(model), identity.facts_of(model).key()
    runs(monkeypatch, prompt(1), "1")
    pictures.attach(record, lasting=True)
    assert carried.shelves()[0].matches(key)
    runs(monkeypatch, prompt(1), "2")
    assert not carried.shelves() and not carried.WorkflowRecords().matches(key)
    assert carried.listed(carried.running_extra())  # but in the picture it is


def test_what_the_workflow_itself_carries_is_every_nodes(model, workflow, monkeypatch):
    record, key = record_of(model), identity.facts_of(model).key()
    workflow["extra"] = {carried.EXTRA: {"mine": carried.slim(record)}}
    runs(monkeypatch, prompt(1), "1")
    pictures.attach(record)
    runs(monkeypatch, prompt(1), "2")
    assert carried.shelves()[0].matches(key)


def test_a_carried_record_that_draws_is_not_pushed_out_by_others(model, workflow):
    made = [record_of(model, cfg=float(cfg)) for cfg in (1, 2, 4, 6, 9, 14, 20, 30, 45)]
    kept = {str(place): carried.slim(record) for place, record in enumerate(made[: carried.MOST])}
    workflow["extra"] = {carried.EXTRA: kept}
    key = identity.facts_of(model).key(1.0)
    used = next(each for each in carried.WorkflowRecords().matches(key) if each.kin)
    carried.keep_used(used.as_made)
    pictures.attach(made[-1])
    cfgs = {each["conditions"]["cfg"] for each in workflow["extra"][carried.EXTRA].values()}
    assert used.as_made.conditions.cfg in cfgs and 45.0 in cfgs and len(cfgs) == carried.MOST


@pytest.mark.parametrize("extra", [None, [], "text"])
def test_a_workflow_whose_extra_is_nothing_gets_one(model, workflow, extra):
    workflow["extra"] = extra
    pictures.attach(record_of(model))
    assert list(workflow["extra"]) == [carried.EXTRA]


def test_numbers_are_the_same_however_a_page_writes_them():
    one, other = prompt(1), prompt(1)
    one["1"]["inputs"] |= {"cfg": 3.0, "denoise": 1}
    other["1"]["inputs"] |= {"cfg": 3, "denoise": 1.0}
    assert pictures.signatures(one) == pictures.signatures(other)
    other["1"]["inputs"]["cfg"] = 3.5
    assert pictures.signatures(one) != pictures.signatures(other)


def test_nothing_goes_on_with_a_record_that_was_removed(model, workflow, monkeypatch):
    """Another of the same name may come: the model's, learnt anew."""
    record, extra = record_of(model), {}
    name = stores.store().put(record)
    runs(monkeypatch, prompt(8), "1")
    pictures.attach(record, name, lasting=True)
    pictures.attach_remembered(prompt(8), extra)
    assert carries(extra) == [name.removesuffix(".json")]
    pictures.forget(name)
    extra = {}
    pictures.attach_remembered(prompt(8), extra)
    assert not carries(extra)
