"""Buckets with their documented edges, patches, and distances in words; a record fits, is near, or
is refused."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import RecipeError, SigmaRangeError, UnknownNameError
from scheduler.fingerprint import Fingerprint, fingerprint_tensors
from scheduler.lookup.differences import differences
from scheduler.lookup.given import given_match
from scheduler.lookup.key import (
    Key,
    frame_bucket,
    guidance_bucket,
    patch,
    resolution_bucket,
    same_range,
)
from scheduler.lookup.made_words import difference
from scheduler.lookup.match import judged, kinship_of
from scheduler.lookup.words import match_sentence
from tests.examples import examples
from tests.weights import asked, cast, prefixed, record_of, smooth_gram, weights

LORA = patch("detail", 0.8, ["diffusion_model.blocks.0.attn.qkv.weight"])


@pytest.fixture(scope="module")
def record():
    return record_of(weights(), patches=[LORA])


# --- buckets --------------------------------------------------------------------------------------
# ------------------


@pytest.mark.parametrize(
    ("low", "high", "together"),
    [
        (1.0, 1.04, True),
        (1.0, 1.05, False),
        (7, 7.5, True),
        (7, 8, True),
        (4, 4.49, True),
        (4, 4.5, False),
        (4, 7, False),
        (None, 1, False),
    ],
)
def test_guidance_buckets(low, high, together):
    assert (guidance_bucket(low) == guidance_bucket(high)) == together


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ((16, 128, 128), (16, 104, 152), True),
        ((16, 64, 64), (16, 96, 96), False),
        ((16, 64, 96), (16, 96, 64), True),
        ((64, 256), (64, 300), True),
        ((64, 256), (128, 256), True),  # channels, and a length that is packed flat
        ((16, 21, 60, 104), (16, 5, 60, 104), True),
        (None, (16, 64, 64), False),
    ],
)
def test_resolution_buckets(one, other, together):
    assert (resolution_bucket(one) == resolution_bucket(other)) == together


def test_resolution_edges_are_half_powers():
    assert (
        resolution_bucket((4, 1, round(2**12.49))) == 12
        and resolution_bucket((4, 1, round(2**12.51))) == 13
    )


@pytest.mark.parametrize(
    ("shape", "bucket"),
    [((16, 64, 64), None), ((16, 1, 64, 64), 0), ((16, 21, 60, 104), 4), ((16, 81, 8, 8), 6)],
)
def test_frame_buckets(shape, bucket):
    assert frame_bucket(shape) == bucket


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.floats(-1000, 1000))
@examples(50)
def test_any_shape_and_guidance_has_a_bucket(shape, value):
    assert isinstance(resolution_bucket(shape), int) and guidance_bucket(value) in range(11)


# --- keys -----------------------------------------------------------------------------------------
# ------------------


def test_equal_keys_have_equal_digests(record):
    key = Key.of(record)
    assert key.digest() == Key.of(record_of(weights(), patches=[LORA], cfg=4.2)).digest(), (
        "one bucket"
    )
    assert len(key.digest()) == 24


@pytest.mark.parametrize(
    "changes",
    [
        {"cfg": 7.0},
        {"guidance": 3.5},
        {"latent_shape": (16, 128, 128)},
        {"latent_shape": (16, 3, 64, 64)},
        {"patches": ()},
        {"patches": ({**LORA, "strength": 0.5},)},
        {"patches": ({**LORA, "fingerprint": "00"},)},
        {"sigma_max": 0.9},
        {"sigma_min": 0.01},
        {"shift": 5.0},
        {"prediction": "v"},
        {"sampler": "heun"},
        {"fingerprint": Fingerprint("w1-other")},
    ],
)
def test_everything_counts_in_the_digest(record, changes):
    assert replace(Key.of(record), **changes).digest() != Key.of(record).digest()


def test_a_patch_is_known_by_the_weights_it_changes():
    names = ["diffusion_model.a.weight", "diffusion_model.b.weight"]
    assert patch("x", 1, names) == patch(
        "x", 1, [n.removeprefix("diffusion_model.") for n in reversed(names)]
    )
    assert patch("x", 1, names)["fingerprint"] != patch("x", 1, names[:1])["fingerprint"]


def test_a_patch_without_strength_is_none(record):
    plain = record_of(weights())
    assert judged(plain, asked(plain, patches=({**LORA, "strength": 0.0},))).kind == "exact"


# --- words ----------------------------------------------------------------------------------------
# ------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"cfg": 4.3}, []),
        ({"cfg": 7.0}, ["for cfg 4, you use 7"]),
        ({"cfg": None}, ["for cfg 4, you use none stated"]),
        ({"guidance": 3.5}, ["for guidance none stated, you use 3.5"]),
        ({"shift": 5.0}, ["for shift 3, you use 5"]),
        ({"patches": ()}, ["with detail, which you do not use"]),
        ({"patches": (LORA, patch("style", 1, ["a"]))}, ["without style"]),
        ({"patches": ({**LORA, "strength": 0.4},)}, ["with detail at strength 0.8, you use 0.4"]),
        (
            {"latent_shape": (16, 128, 128)},
            ["for 512x512, yours is 1024x1024"],
        ),
    ],
)
def test_distance_in_words(record, changes, words):
    found = differences(asked(record, **changes), Key.of(record))
    assert [difference(each) for each in found] == words


def test_an_exact_hit_across_casts(record):
    live = fingerprint_tensors(prefixed(cast(weights(), torch.bfloat16)))
    match = judged(record, asked(record, fingerprint=live))
    assert match.kind == "exact" and match.allowed and "BF16 here" in match_sentence(match)


def test_a_nearest_match_is_named_and_the_policy_decides(record):
    key = asked(record, cfg=7.0, patches=())
    match = judged(record, key)
    assert match.kind == "nearest" and match.allowed
    assert match_sentence(match) == (
        "Nearest is the record of Made Up: the same weights; for cfg 4, you use 7; "
        "with detail, which you do not use."
    )
    refused = judged(record, key, policy="exact")
    assert (
        refused.kind == "nearest"
        and not refused.allowed
        and match_sentence(refused).endswith("; not used.")
    )
    with pytest.raises(UnknownNameError, match="exact, near, any"):
        judged(record, key, policy="nearest")


def test_quantised_weights_are_near_and_finetunes_only_by_any(record):
    quantised = asked(record, fingerprint=fingerprint_tensors(cast(weights(), torch.float8_e4m3fn)))
    assert judged(record, quantised).kind == "nearest" and judged(record, quantised).allowed
    assert "otherwise quantised" in match_sentence(judged(record, quantised))
    tuned = asked(
        record,
        fingerprint=fingerprint_tensors(
            {name: 1.02 * tensor for name, tensor in weights().items()}
        ),
    )
    assert not judged(record, tuned).allowed and judged(record, tuned, "any").allowed


@pytest.mark.parametrize("changes", [{"process": "ve"}, {"prediction": "v"}, {"fingerprint": None}])
def test_what_is_no_match_at_all(record, changes):
    assert judged(record, asked(record, **changes), "any") is None


@pytest.mark.parametrize(
    "changes", [{"sigma_max": 0.9}, {"sigma_min": 0.004}, {"sampler": "dpmpp_2m"}]
)
def test_another_range_or_sampler_must_be_solved_again(record, changes):
    key = asked(record, **changes)
    assert judged(record, key, "any") is None
    match = judged(replace(record, gram=smooth_gram()), key)
    named = {each.name for each in match.differences if each.code == "no_recipe"}
    assert named == ({"dpmpp_2m"} if "sampler" in changes else set())
    assert match.kind == "nearest" and match.solve


def test_a_range_beyond_the_recorded_one_cannot_be_solved():
    record = replace(record_of(weights(), sigma_max=0.9, start=0.9), gram=smooth_gram())
    assert judged(record, asked(record, sigma_max=1.0), "any") is None


def test_ranges_are_equal_to_the_hosts_rounding(record):
    key = Key.of(record)
    assert same_range(key, replace(key, sigma_max=1.00001, sigma_min=0.00301))
    assert not same_range(key, replace(key, sigma_max=0.999)) and math.isclose(key.sigma_max, 1.0)


# --- records that the user names -------------------------------------------------------------------


def words_of(match):
    return [difference(each) for each in match.differences]


def test_another_checkpoint_is_refused_and_kin_are_named(record):
    """No host offers a "use anyway": what is refused is another model's, what is kin is said."""
    foreign = asked(record, fingerprint=fingerprint_tensors(weights(seed=1)))
    says = (
        "This record is for Made Up, and yours is other weights of the same architecture; "
        "take a record of your own model, or distil one."
    )
    with pytest.raises(RecipeError, match=f"^{re.escape(says)}$"):
        given_match(record, foreign)
    tuned = fingerprint_tensors({name: 1.02 * tensor for name, tensor in weights().items()})
    assert given_match(record, asked(record, fingerprint=tuned)).kin.kind == "related"
    match = given_match(record, asked(record))
    assert match.kind == "given" and match.kin.kind == "same" and not match.differences
    seven = given_match(record, asked(record, cfg=7.0))
    assert words_of(seven) == ["for cfg 4, you use 7"]


def test_nothing_is_stretched(record):
    with pytest.raises(SigmaRangeError, match="never stretched; distil for your model[.]$"):
        given_match(record, asked(record, sigma_max=0.9))
    says = "another kind of noise (flow; your model is flow, v); distil your own."
    with pytest.raises(SigmaRangeError, match=re.escape(says)):
        given_match(record, asked(record, prediction="v"))
    holding = replace(record, gram=smooth_gram())
    solvable = given_match(holding, asked(record, sigma_max=0.9))
    assert solvable.other_range and [each.code for each in solvable.differences] == ["range"]


def test_a_record_of_an_unknown_model_says_so(record):
    """It serves where the user names it: published tables know no checkpoint."""
    assert kinship_of(asked(record), Key.of(record_of())).words == "a model that is not known"
    match = given_match(record_of(), asked(record))
    assert match.kin is None and words_of(match)[0] == "it names no checkpoint"
    with pytest.raises(RecipeError, match="got a str"):
        given_match("hello", asked(record))
