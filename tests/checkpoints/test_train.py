import json
from dataclasses import replace

import pytest
import torch

from scheduler.checkpoints import load_checkpoint
from tools import train

pytestmark = pytest.mark.slow  # torch's optimisers alone take a second to load


def short_run(name, steps=4):
    return train.Run(replace(train.TASKS[name], batch=8), seed=3, steps=steps)


@pytest.mark.parametrize("name", ["flow", "eps"])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(name, tmp_path):
    whole, first, second = short_run(name), short_run(name), short_run(name)
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    first.save_state(tmp_path / "s.state")
    train.train(second, _renamed(tmp_path, name))
    assert second.step == 4 and second.loss == whole.loss
    for key, value in whole.average.state_dict().items():
        assert torch.equal(value, second.average.state_dict()[key]), key


def _renamed(folder, name):
    (folder / "s.state").rename(folder / f"{name}.state")
    return folder


def test_what_is_written_loads_and_says_so(tmp_path):
    run = short_run("flow")
    run.advance()
    train.write(run.average, run.metadata(), tmp_path / "new.safetensors")
    checkpoint = load_checkpoint(tmp_path / "new.safetensors")
    assert checkpoint.metadata["training"]["steps"] == 1 and checkpoint.metadata["pictures"] == {
        "trained": 1498,
        "held_out": 299,
        "held_out_rule": "index % 6 == 5",
    }
    json.dumps(checkpoint.metadata, allow_nan=False)
    assert list(tmp_path.iterdir()) == [tmp_path / "new.safetensors"]


def test_another_runs_state_is_refused(tmp_path):
    short_run("flow").save_state(tmp_path / "s.state")
    with pytest.raises(SystemExit, match="another run"):
        short_run("flow", steps=5).load_state(tmp_path / "s.state")


def test_held_out_pictures_are_never_trained_on():
    run, seen = short_run("flow"), []
    run.pictures = run.kept.float()[:, None, None].expand(-1, 8, 8)
    run.latents = type("Spy", (), {"encode": lambda self, pictures: seen.append(pictures)})()
    for run.step in range(40):
        run.examples()
    assert torch.cat(seen).shape == (320, 32, 32) and not torch.cat(seen).any()


def test_spread_uniform_has_one_number_in_each_part():
    u = train.spread_uniform(16, torch.Generator().manual_seed(0))
    assert sorted((u * 16).long().tolist()) == list(range(16))
