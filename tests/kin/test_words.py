"""What is said of kin: plainly, and the same in every place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.kin import HOLDS, REFINE, REFUSE, KinVerdict, find_kin
from scheduler.kin import words as kin_words
from scheduler.lookup import words as lookup_words
from scheduler.lookup.selection import NEAREST, select
from scheduler.lookup.wanted import Wanted
from scheduler.record.cfg_range import with_check
from scheduler.record.words import about, conditions
from tests.kin.relatives import known, print_of
from tests.learning.studio import SHAPE


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (HOLDS, "It holds here: 0.40 of the error of beta + dpmpp_2m on one picture."),
        (
            REFINE,
            "It is a start here: 0.40 of the error of beta + dpmpp_2m on one picture, not its full gain.",
        ),
        (REFUSE, "It is refused here: 0.40 times the error of beta + dpmpp_2m on one picture."),
    ],
)
def test_a_verdict(code, text):
    assert KinVerdict(code, 0.4, 1.0, "beta + dpmpp_2m", 1, 18).words == text


def test_hosts_labels_are_used():
    labels = {"dpmpp_2m": "DPM++ 2M"}
    assert "beta + DPM++ 2M" in kin_words.verdict(HOLDS, 0.4, "beta + dpmpp_2m", 2, labels)


def test_unchecked_it_serves_only_if_asked_and_is_named_so(taught):
    model = known("Mine", print_of(0.1))
    wanted, key = Wanted.of(model, "distilled", 6), model.key(3.0, SHAPE)
    plain = select(wanted, model, key, shelves=(taught,))
    assert plain.record is None  # nobody asked
    asked = select(wanted, model, key, shelves=(taught,), policy="any")
    assert asked.source == NEAREST
    assert lookup_words.info(asked).startswith("Unchecked, from kin: Base, 6 steps")


def test_a_record_says_its_range_and_where_it_is_from(learnt):
    recipe = learnt.recipe("distilled", 6)
    wide = with_check(learnt, recipe, 7.0, {"verdict": HOLDS, "rms": 0.1, "stock_rms": 0.2})
    assert "cfg 3 (checked from 3 to 7)" in conditions(wide)
    assert conditions(learnt).startswith("cfg 3, ")
    kin = {"name": "Other", "kinship": "related", "verdict": HOLDS, "cfg": 5.0}
    entry = kin | {"rms": 0.1, "stock_rms": 0.25}
    told = replace(learnt, provenance=learnt.provenance | {"kin": [entry]})
    line = "the recipe of Other at cfg 5, related, held as it was (0.40 of stock's error)"
    assert line in about(told) and "From kin" not in about(learnt)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            HOLDS,
            "Your recipe of cfg 3 holds at cfg 7 too: 0.40 of the error of the best stock choice.",
        ),
        (REFINE, "Your recipe of cfg 3 was its start, at 0.40 of the best stock choice's error."),
        (
            REFUSE,
            "Your recipe of cfg 3 was tried at cfg 7 and left: 0.40 times the best stock choice's error.",
        ),
    ],
)
def test_the_very_models_own_recipe_is_no_relatives(code, text):
    assert kin_words.used(code, "Base", 0.4, ("cfg 3", "cfg 7")) == text


def test_a_finetune_and_another_source_are_named(taught):
    """Of cfg and size alone, of the very weights, it is one's own."""
    same, finetune = known(), known("Mine", print_of(0.1))
    (own,) = find_kin(taught, same, same.key(7.0, (16, 64, 64)))
    assert kin_words.apart(own) == ("cfg 3 and 64x64", "cfg 7 and 512x512")
    (other,) = find_kin(taught, finetune, finetune.key(7.0, SHAPE))
    assert kin_words.apart(other) is None
