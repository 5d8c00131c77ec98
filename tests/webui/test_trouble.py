"""What goes wrong while the real host draws, learns or distils: one sentence, nothing paid for is lost,
and the next picture is drawn."""

from __future__ import annotations

import urllib.error

import pytest

from scheduler.store import Store
from tests.webui.jobs import API, WISH, come_to, ended, meanwhile
from tests.webui.test_learning import FEW, FULL, KEY, with_learning

LEARNING = 20  # calls of a picture in full, after which it is learnt


def fails(draw) -> str:
    """The host's own sentence of a picture that it could not draw."""
    with pytest.raises(urllib.error.HTTPError) as problem:
        draw()
    return problem.value.msg


def test_no_memory_in_a_job(host):
    """The same wish goes on, and asks nothing twice."""
    host.get("/witness/memory_after?calls=40")
    host.post(f"{API}/distill", WISH)
    failed = ended(host)
    assert failed["state"] == "failed"
    assert failed["text"].startswith(
        "Distilling failed: not enough memory for this size and batch."
    )
    assert "the same wish goes on" in failed["text"]
    assert host.get(f"{API}/status")["model"] == "small"
    told, _ = host.draw()
    host.get("/witness")
    host.post(f"{API}/distill", WISH)
    done = ended(host)
    assert done["state"] == "done"
    asked = len(host.get("/witness")["calls"])
    record = Store(host.server.store).load(done["record_name"])
    assert asked <= record.provenance["model_calls"] - 39 + 3


def test_what_fails_once_the_record_is_stored_is_no_failure(host):
    host.get("/witness/break_the_end?calls=1")
    host.post(f"{API}/distill", WISH)
    done = ended(host)
    assert done["state"] == "done" and done["record_name"]
    assert "no end, as a test has it" in host.server.log  # for the console alone
    (entry,) = host.get(f"{API}/records")
    assert entry["name"] == done["record_name"]
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled", steps=3, cfg_scale=3)
    assert told[KEY].startswith("exact | ")


def test_no_memory_while_a_picture_is_drawn(host):
    """That is the host's to say; nothing is kept of half a run, and the next is learnt from."""
    host.get("/witness/memory_after?calls=10")
    fails(lambda: host.draw(**FULL, **with_learning()))
    host.draw(**FULL, **with_learning())
    told, _ = host.draw(**FEW)
    assert told[KEY].startswith("exact | ")


def test_no_memory_while_it_is_learnt(host):
    """The picture is there, and the next one goes on with the calls that were made."""
    whole = host.draw(**FULL, **with_learning(), cfg_scale=2.0)[1]
    host.get(f"/witness/memory_after?calls={LEARNING + 7}")
    host.draw(**FULL, **with_learning())
    assert len(host.pictures) == 1
    said = "Learning from this picture stopped: not enough memory for this size and batch; what was"
    assert said in host.heard["comments"]
    assert len(host.get(f"{API}/records")) == 1  # of the other cfg
    _, heard = host.draw(**FULL, **with_learning(), seed=2)
    assert len(heard) <= len(whole) - 6 + 3  # that tell the model
    told, _ = host.draw(**FEW)
    assert told[KEY].startswith("exact | ")


def test_a_decoder_that_fails_costs_the_picture_and_the_next_is_learnt_from(host):
    """There is no picture to show before it is learnt from; its run is kept."""
    host.get("/witness/break_decoding?calls=1")
    assert "no VAE" in fails(lambda: host.draw(**FULL, **with_learning()))
    host.draw(**FULL, **with_learning())
    told, heard = host.draw(**FEW)
    assert told[KEY].startswith("exact | ") and len(heard) == 6
    assert len(host.pictures) == 1


def switch(host, name: str) -> None:
    host.post("/sdapi/v1/options", {"sd_model_checkpoint": name})


@pytest.fixture
def two(host, other_model):
    """Both checkpoints listed, and the first one loaded again at the end."""
    host.post("/sdapi/v1/refresh-checkpoints")
    yield other_model
    switch(host, "small.safetensors")
    host.draw()


def test_another_checkpoint_while_it_is_distilled(host, two):
    """The record is of the one that was asked about; the next picture is the other's."""
    host.get("/witness/slow?calls=20")
    host.post(f"{API}/distill", WISH)
    come_to(host, 10)
    with meanwhile(lambda: switch(host, two.name)):
        done = ended(host)
    assert done["state"] == "done"
    assert Store(host.server.store).load(done["record_name"]).model.name == "small"
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled", steps=3, cfg_scale=3)
    assert told[KEY].startswith("stock | ")
    switch(host, "small.safetensors")
    told, _ = host.draw(sampler_name="Euler", scheduler="Distilled", steps=3, cfg_scale=3)
    assert told[KEY].startswith("exact | ")


def test_another_checkpoint_while_it_waits(host, two):
    """Nothing is distilled of a model that was not asked about."""
    host.get("/witness/slow?calls=100")
    with meanwhile(lambda: host.draw(steps=30)):
        host_is_busy(host)
        host.post(f"{API}/distill", WISH)
        with meanwhile(lambda: switch(host, two.name)):
            failed = ended(host)
    assert failed["state"] == "failed"
    store = Store(host.server.store)  # it may have begun before the switch came
    names = [each["name"] for each in host.get(f"{API}/records")]
    assert all(store.load(name).model.name == "small" for name in names)
    assert "The checkpoint is second now, and small was to be distilled" in failed["text"]


def host_is_busy(host) -> None:
    from tests.webui.patience import wait_for

    pid = host.server.process.pid
    wait_for(lambda: host.get("/sdapi/v1/progress")["progress"] > 0, pid, "it draws", 0.05)


def test_a_picture_does_not_wait_for_a_job(host):
    """It is drawn at once, and the job goes on where it was."""
    host.get("/witness/slow?calls=20")
    host.post(f"{API}/distill", WISH)
    come_to(host, 10)
    host.post("/sdapi/v1/txt2img", {"prompt": "a dog", "steps": 2, "width": 64, "height": 64})
    assert host.get(f"{API}/progress")["state"] in ("waiting", "running")
    done = ended(host)
    asked = [call for call in host.get("/witness")["calls"] if call["rows"]]
    record = Store(host.server.store).load(done["record_name"])
    assert done["state"] == "done"
    assert len(asked) - 2 <= record.provenance["model_calls"] + 3
