"""How a node drew a picture, said in the picture's own file: of that graph alone, and of cached nodes too."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.nodes.pack import module

as_drawn, pictures, attached, running = (
    module("nodes.few_step.as_drawn"),
    module("nodes.host.picture_records"),
    module("nodes.host.attached"),
    module("nodes.host.running_prompt"),
)
again = module("scheduler.learning.again")
FULL = SimpleNamespace(in_full=True, found=SimpleNamespace(recipe=None))
FEW = SimpleNamespace(
    in_full=False, found=SimpleNamespace(recipe=None), decision=SimpleNamespace(action="few")
)


def prompt(seed=5, digits="3", **marks):
    return {
        "1": {"class_type": "Words", "inputs": {"text": digits}},
        "2": {"class_type": "Few", "inputs": {"positive": ["1", 0], "seed": seed} | marks},
        "3": {"class_type": "Save", "inputs": {"images": ["2", 0]}},
    }


@pytest.fixture
def here(monkeypatch):
    """What runs: extra (what came with it), and how to let another prompt's node run."""
    pictures._notes.clear()
    state = SimpleNamespace(extra={}, waiting=[])

    def run(of, node="2", extra=None):
        state.extra = {} if extra is None else extra
        found = running.RunningNode(of, node, "Few", of[node]["inputs"]) if node in of else None
        for each in (as_drawn, running):
            monkeypatch.setattr(each, "running_node", lambda: found)
            monkeypatch.setattr(each, "running_extra", lambda: state.extra)
        monkeypatch.setattr(running, "waiting_prompts", lambda: state.waiting)

    state.run = run
    run(prompt())
    return state


def test_the_same_graph_is_drawn_so_again_and_no_other(here):
    as_drawn.note("2", FULL)
    saved = here.extra
    here.run(prompt(seed=5.0, stepdistill_store="a mark"), extra=saved)
    assert as_drawn.noted("2") == again.IN_FULL
    for other in (prompt(seed=6), prompt(digits="4")):
        here.run(other, extra=saved)
        assert as_drawn.noted("2") == ""


def test_what_is_drawn_in_few_steps_says_nothing_and_takes_back_what_was_said(here):
    as_drawn.note("2", FULL)
    as_drawn.note("2", FEW)
    assert as_drawn.noted("2") == "" and not as_drawn.written(here.extra, as_drawn.NOTES)
    extra = {}
    pictures.attach_remembered(prompt(), extra)
    assert not extra


def test_a_cached_nodes_note_goes_along_and_does_not_bind_it(here):
    """With prompts that wait already and with later ones; where the node runs after all, it is free."""
    waiting = {}
    here.waiting = [("as drawn", prompt(), waiting)]
    as_drawn.note("2", FULL)
    later = {}
    pictures.attach_remembered(prompt(), later)
    for extra in (waiting, later):
        saved = {"extra_pnginfo": extra["extra_pnginfo"]}  # what a picture has of it
        here.run(prompt(), extra=saved)
        assert as_drawn.noted("2") == again.IN_FULL
        here.run(prompt(), extra=extra)
        assert as_drawn.noted("2") == ""
    other = {}
    pictures.attach_remembered(prompt(seed=6), other)
    assert not other


def test_nodes_that_a_graph_makes_while_it_runs_go_by_their_settings(here):
    here.run(prompt(), "2.0.0.1")
    as_drawn.note("2.0.0.1", FULL, 5, 3.0)
    assert as_drawn.noted("2.0.0.1", 5, 3.0) == again.IN_FULL
    assert as_drawn.noted("2.0.0.1", 6, 3.0) == as_drawn.noted("2", 5, 3.0) == ""


@pytest.mark.parametrize("said", [5, None, [], {}, {"how": "in full"}, {"of": 3, "how": []}])
def test_what_somebody_wrote_by_hand_says_nothing(here, said):
    here.extra = {"extra_pnginfo": {as_drawn.NOTES: {"2": said}}}
    assert as_drawn.noted("2") == ""
    as_drawn.note("2", FULL)
    assert as_drawn.noted("2") == again.IN_FULL
