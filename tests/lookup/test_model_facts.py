"""What a model is to a lookup: its key, and what a record will say of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduler.fingerprint import Fingerprint, fingerprint_tensors
from scheduler.lookup.key import Key, patch
from scheduler.lookup.model_facts import facts_of_record
from scheduler.record import Conditions
from tests.lookup.made import facts, record
from tests.weights import weights

LORA = patch("detail", 0.8, ["a"])


def test_the_key_of_a_run():
    here = facts(patches=(LORA,))
    key = here.key(4.0, np.array([16, 64, 64]), 3.5, "euler")
    assert key == Key(
        Fingerprint("w1-made-up"), "flow", 0.003, 1.0, "flow", 3.0, 4.0, 3.5, (16, 64, 64), (LORA,),
        "euler",
    )  # fmt: skip
    assert all(type(size) is int for size in key.latent_shape)
    assert here.key() == replace(key, cfg=None, guidance=None, latent_shape=None, sampler=None)


def test_what_a_record_will_say():
    print_ = fingerprint_tensors(weights())
    here = facts(fingerprint=print_, patches=(LORA,), name="x" * 400)
    said = here.conditions(here.key(4.0, (16, 64, 64), 3.5), 2, 7)
    assert said == Conditions(
        cfg=4.0, guidance=3.5, latent_shape=(16, 64, 64), prompts=2, seed=7, name="x" * 300, shift=3.0,
        prediction="flow", patches=(LORA,), fingerprint=print_.id, samples=print_.samples,
    )  # fmt: skip
    nobody = facts(fingerprint=None).conditions(here.key())
    assert (nobody.fingerprint, nobody.samples) == (None, None)


def test_the_model_of_a_record():
    made = record(sigma_min=0.01, sigma_max=0.9)
    here = facts_of_record(made)
    assert (here.sigma_min, here.sigma_max, here.name) == (0.01, 0.9, "Made Up")
    assert here.fingerprint == Fingerprint("w1-made-up") and here.table.shift == 3.0
    assert here.key(4.0, (16, 64, 64)) == replace(Key.of(made), sampler=None)
    assert facts_of_record(record(name=None)).name == ""
