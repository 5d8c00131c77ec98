"""What guides a model belongs to the key: its class, its numbers, its second model."""

from __future__ import annotations

from dataclasses import replace

from scheduler.lookup.differences import differences, filled
from scheduler.lookup.guiders import guider_patch, number_patch, second_patches
from scheduler.lookup.held import closed_over, digest, settings_of
from scheduler.lookup.hooks import hook_patches, hook_settings
from scheduler.lookup.key import Key, patch
from scheduler.lookup.made_words import difference
from scheduler.lookup.match import EXACT, judged
from scheduler.record import Record
from tests.lookup.made import facts, record


def dual(second: float = 4.0, held: str = "") -> tuple[dict, ...]:
    return guider_patch("Guider_DualCFG", held), number_patch("Guider_DualCFG", "cfg2", second)


def two_models(fingerprint: str) -> tuple[dict, ...]:
    of = facts(record(fingerprint=fingerprint, name="Unguided"))
    return guider_patch("Guider_DualModel"), *second_patches(of)


def said(asked: tuple, made: tuple, cfg: float | None = 4.0) -> list[str]:
    key, of = replace(facts(), patches=asked).key(cfg), record(patches=made)
    found = Key.of(of)
    return [difference(each) for each in differences(filled(key, found), found)]


def test_numbers_and_settings_are_told_apart_in_words():
    assert said(dual(), dual()) == []
    assert said(dual(6.0), dual()) == [
        "with guider: Guider_DualCFG cfg2 at strength 4, you use 6",
    ]
    assert said((), dual()) == [
        "with guider: Guider_DualCFG, which you do not use",
        "with guider: Guider_DualCFG cfg2, which you do not use",
    ]
    assert said(dual(held="nested"), dual(held="regular")) == [
        "with another or otherwise set guider: Guider_DualCFG"
    ]


def test_who_does_not_know_the_guidance_does_not_know_what_guides():
    assert said((), dual(), cfg=None) == []
    assert said((patch("lora", 0.5, ()),), dual(), cfg=None) == ["without lora"]


def test_records_of_two_second_models_have_names_of_their_own_and_do_not_serve_each_other():
    one, other = (record(patches=two_models(name)) for name in ("w1-one", "w1-other"))
    keys = [replace(Key.of(each), sampler=None) for each in (one, other)]
    assert keys[0].digest() != keys[1].digest()
    same, apart = judged(one, keys[0]), judged(one, keys[1])
    assert same is not None and same.kind == EXACT
    assert apart is not None and not apart.allowed
    assert judged(one, keys[1], "any").allowed
    assert Record.from_json(one.to_json()) == one


class Guider:
    """A guider of somebody's, with all sorts of things on it."""

    def __init__(self, layers, names=("a", "b"), strong=True):
        self.layers, self.names, self.strong = layers, names, strong
        self._step, self.rescale = 3, lambda x: x


def test_what_an_unknown_object_is_set_to():
    def held(**changed):
        return digest(settings_of(vars(Guider(**{"layers": [7, 8]} | changed))))

    assert held() == held() != held(layers=[7, 9])
    assert len({held(), held(names=("a",)), held(strong=False), held(layers={"x": 1})}) == 4


def test_hooks_are_keyed_by_what_they_were_made_with():
    def skip_layers(scale, layers):
        calls = 0

        def post_cfg_function(arguments):
            nonlocal calls
            calls += 1
            return arguments * scale + len(layers)

        return post_cfg_function

    def settings(*of):
        return hook_settings({"sampler_post_cfg_function": [skip_layers(*of)]})

    (name,) = settings(3.0, [7])
    function = skip_layers(3.0, [7])
    before = list(closed_over(function))
    function(1.0)  # what it counts is no setting
    assert list(closed_over(function)) == before == ["layers.0=7", "scale=3"]
    assert settings(3.0, [7]) == settings(3.0, [7]) != settings(2.0, [7])
    (one,), (plain,) = hook_patches([name], settings(3.0, [7])), hook_patches([name])
    assert one["name"] == plain["name"] and one["fingerprint"] != plain["fingerprint"]
