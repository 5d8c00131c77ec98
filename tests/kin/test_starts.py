"""A distillation that is asked for begins with the recipes of kin, its own beside them, and says so."""

from __future__ import annotations

from scheduler.kin.starts import starts_from
from scheduler.samplers.names import DISTILLED
from scheduler.sources import beside
from scheduler.sources.publishing import publish
from tests.kin.relatives import known, print_of
from tests.learning.studio import SHAPE


def starts(shelves, model, steps=(6,), cfg=3.0):
    return starts_from(shelves, model, model.key(cfg, SHAPE), (DISTILLED,), steps)


def test_a_finetune_begins_with_its_bases_recipe(taught, learnt):
    found = starts((taught,), known("Mine", print_of(0.1)), (5, 6, 7))
    assert found.recipes == (learnt.recipe(DISTILLED, 6),)
    assert found.words == "Among its starts: the recipe of Base."


def test_the_very_model_begins_with_its_own_of_another_cfg_and_never_of_this(taught, learnt):
    assert starts((taught,), known(), cfg=7.0).recipes == (learnt.recipe(DISTILLED, 6),)
    assert starts((taught,), known()).recipes == ()


def test_of_strangers_nothing_is_taken(taught):
    found = starts((taught,), known("Other", print_of(seed=7)))
    assert (found.recipes, found.words) == ((), "")


def test_somebody_elses_is_named(learnt, tmp_path, store):
    folder = tmp_path / "ann"
    folder.mkdir()
    learnt.save(folder / "base.json")
    publish(folder, by="Ann")
    beside(store.folder).add(str(folder))
    found = starts((store, beside(store.folder)), known())
    assert found.recipes == (learnt.recipe(DISTILLED, 6),)
    assert (
        found.words
        == "Among its starts: the recipe of Base from the source ann (by Ann, not signed)."
    )
