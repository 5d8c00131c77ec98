"""Which lists of other packs get the entry."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType, SimpleNamespace

import pytest

from tests.nodes import host
from tests.nodes.pack import module

lists, dropdown = module("nodes.dropdowns.copied_lists"), module("nodes.dropdowns.register")
SCHEDULERS = ["simple", "karras", "beta"]


def of_host(model_sampling, steps):
    """A scheduler of the host's."""


of_host.__module__ = "comfy.samplers"


@pytest.fixture
def mappings(monkeypatch):
    found = host.comfy(monkeypatch)
    samplers = found.samplers
    samplers.SchedulerHandler = lambda handler, use_ms: SimpleNamespace(handler=handler)
    samplers.SCHEDULER_HANDLERS = {name: SimpleNamespace(handler=of_host) for name in SCHEDULERS}
    samplers.SCHEDULER_HANDLERS["karras"] = SimpleNamespace(handler=partial(of_host, steps=1))
    found.sampling.sample_dpmpp_2m = of_host
    samplers.SCHEDULER_HANDLERS["theirs"] = SimpleNamespace(handler=lambda *_: None)
    samplers.SCHEDULER_NAMES[:] = [*SCHEDULERS, "theirs"]
    nodes = ModuleType("nodes")
    nodes.NODE_CLASS_MAPPINGS = {}
    monkeypatch.setitem(sys.modules, "nodes", nodes)
    assert dropdown.register()
    return nodes.NODE_CLASS_MAPPINGS


def node(*outputs, **inputs):
    asked = classmethod(lambda cls: {"required": inputs, "hidden": {"id": "UNIQUE_ID"}})
    return type("Node", (), {"RETURN_TYPES": outputs, "INPUT_TYPES": asked})


def test_copies_get_it_once_wherever_they_are(mappings):
    copy, more = list(SCHEDULERS), [*SCHEDULERS, "more"]
    new = {"options": list(SCHEDULERS)}
    samplers = ["euler", "dpmpp_2m", "uni_pc"]
    mappings["a"] = node(copy, "LATENT", a=(copy,), b=(more, {"default": "more"}))
    mappings["b"] = node(a=("COMBO", new), b=(samplers,), c=("INT", {"default": 1}))
    assert lists.reach_copies() == 4 and lists.reach_copies() == 0
    assert copy == [*SCHEDULERS, "distilled"] and more[-2:] == ["more", "distilled"]
    assert new["options"][-1] == samplers[-1] == "distilled"


def test_a_pack_that_adds_one_made_of_the_hosts_own_hides_no_copy(mappings):
    """RES4LYF's beta57, after its bong_tangent."""
    samplers = sys.modules["comfy.samplers"]
    samplers.SCHEDULER_HANDLERS["beta57"] = SimpleNamespace(handler=partial(of_host, steps=2))
    samplers.SCHEDULER_NAMES.insert(len(SCHEDULERS) + 1, "beta57")
    early, late = list(SCHEDULERS), [*SCHEDULERS, "theirs", "beta57", "more"]
    mappings["a"] = node(a=(early,), b=(late,))
    assert lists.reach_copies() == 2 and early[-1] == late[-1] == "distilled"


def test_lists_of_their_own_and_broken_nodes_are_left(mappings):
    own = [["simple", "beta"], ["beta", *SCHEDULERS], [], [1, 2]]
    mappings["a"] = node(*own, a=(own[0],), b=None)
    mappings["b"] = type("Node", (), {"INPUT_TYPES": classmethod(lambda cls: 1 / 0)})
    mappings["c"] = object()
    before = str(own)
    assert lists.reach_copies() == 0 and str(own) == before


def test_switched_off_no_list_is_looked_at(mappings, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_DROPDOWNS", "0")
    app = SimpleNamespace(on_startup=[])
    server = ModuleType("server")
    server.PromptServer = SimpleNamespace(instance=SimpleNamespace(app=app))
    monkeypatch.setitem(sys.modules, "server", server)
    assert not dropdown.register() and not app.on_startup
    monkeypatch.delenv("STEPDISTILL_DROPDOWNS")
    assert dropdown.register() and len(app.on_startup) == 1


def test_a_node_that_cannot_say_its_outputs_keeps_no_other_from_it(mappings):
    """As nodes of a newer host's kind do, which make their outputs when they are asked."""

    class Broken(type):
        @property
        def RETURN_TYPES(cls):  # noqa: N802 - the host's name
            raise TypeError("an argument that this host does not know")

    copy = list(SCHEDULERS)
    mappings["a"], mappings["b"] = Broken("Broken", (), {}), node(a=(copy,))
    assert lists.reach_copies() == 1 and copy[-1] == "distilled"
