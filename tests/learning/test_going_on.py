"""Learning that was stopped goes on with its own runs, whatever has been drawn since."""

from __future__ import annotations

import pytest

from scheduler.errors import Stopped
from scheduler.learning.fitting import calls_from, kept_runs, learn, runs_to_go_on
from tests.learning.studio import mosaic, situation
from tests.learning.test_keeping import drawn

PROMPT = "digit 3"


class Counted:
    def __init__(self, most: int | None = None):
        self.calls, self.most = 0, most

    def __call__(self, x, sigma):
        if self.most is not None and self.calls >= self.most:
            raise Stopped("as a test has it")
        self.calls += len(x)
        return mosaic(3)(x, sigma)


@pytest.mark.slow
def test_the_newest_run_waits_while_answers_are_there(store):
    here = situation()
    store.keep_recording(here.key, drawn(20))
    first = runs_to_go_on(store, here, PROMPT)
    model = Counted(most=12)
    with pytest.raises(Stopped):
        learn(store, here, model, first, prompt=PROMPT)
    store.keep_recording(here.key, drawn(20, seed=1))
    again = runs_to_go_on(store, here, PROMPT)
    assert [each.seed for each in again] == [each.seed for each in first] == [0]
    assert [each.seed for each in kept_runs(store, here, PROMPT)] == [1, 0]
    rest = Counted()
    learnt = learn(store, here, rest, again, prompt=PROMPT)
    assert (
        model.calls + rest.calls <= learnt.record.provenance["model_calls"] + 3
    )  # that tell the model
    assert [each.seed for each in runs_to_go_on(store, here, PROMPT)] == [1, 0]


def test_of_a_prompt_that_is_not_known_nothing_is_gone_on_with(store):
    assert runs_to_go_on(store, situation(), None) == []


@pytest.mark.slow
def test_one_run_is_learnt_from_until_a_fit_gained_nothing(store):
    """Whatever lies there of pictures whose learning was stopped before its first answer: the price is
    that of one."""
    here = situation()
    for seed in (0, 1):
        store.keep_recording(here.key, drawn(20, seed=seed))
    (run,) = runs_to_go_on(store, here, PROMPT)
    assert run.seed == 1
    model = Counted()
    learn(store, here, model, [run], prompt=PROMPT)
    assert model.calls <= calls_from(1, here.steps)
    assert len(runs_to_go_on(store, here, PROMPT)) == 2
