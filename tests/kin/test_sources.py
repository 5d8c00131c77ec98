"""Another person's record of the very model: found in a source, checked as a related model's is, and only
then in use."""

from __future__ import annotations

import pytest

from scheduler.kin import HOLDS, REFUSE
from scheduler.kin.planning import calls_of_check
from scheduler.learning import deciding, words
from scheduler.learning.full_run import FULL_STEPS
from scheduler.sources import beside
from scheduler.sources.publishing import publish
from tests.kin.relatives import BASE, FINETUNE, STRANGERS, known, of, print_of, studio
from tests.learning.studio import picture, record_of

CHECK = calls_of_check(6, 1)


@pytest.fixture
def with_source(learnt, tmp_path, store):
    """An empty store beside which a source has the base model's record."""
    folder = tmp_path / "ann"
    folder.mkdir()
    learnt.save(folder / "base.json")
    publish(folder, by="Ann")
    beside(store.folder).add(str(folder))
    return store


@pytest.mark.slow
def test_a_record_of_the_very_model_is_checked_and_then_ones_own(with_source, learnt):
    host, _, outcome = picture(with_source, studio(BASE, seed=11, digit=4), of=of(known()))
    assert outcome.learnt.kin.code == HOLDS and host.calls == FULL_STEPS + CHECK
    said = words.after(outcome)
    assert "The recipe of Base from the source ann (by Ann, not signed) holds here" in said
    record = record_of(with_source)
    assert record.recipe("distilled", 6).coefficients == learnt.recipe("distilled", 6).coefficients
    (kin,) = record.provenance["kin"]
    assert kin["source"] == "the source ann (by Ann, not signed)" and kin["kinship"] == "same"
    host, _, outcome = picture(with_source, studio(BASE, seed=2, digit=4), of=of(known()))
    assert outcome.decision.action == deciding.FEW and host.calls == 6


@pytest.mark.slow
def test_it_serves_a_finetune_too(with_source):
    mine = known("Mine", print_of(0.1))
    host, _, outcome = picture(with_source, studio(FINETUNE, seed=1, digit=4), of=of(mine))
    assert outcome.learnt.kin.code == HOLDS and host.calls == FULL_STEPS + CHECK


@pytest.mark.slow
def test_a_record_with_somebody_elses_fingerprint_is_refused(with_source, learnt):
    host, _, outcome = picture(with_source, studio(STRANGERS[1], seed=1, digit=4), of=of(known()))
    assert outcome.learnt.kin.code == REFUSE
    recipe = record_of(with_source).recipe("distilled", 6)
    assert recipe.sigmas != learnt.recipe("distilled", 6).sigmas


@pytest.mark.slow
def test_another_cfg_makes_a_record_of_ones_own_and_changes_nobodys(with_source, learnt):
    picture(with_source, studio(BASE, seed=1, digit=4), of=of(known(), cfg=4.6))
    record = record_of(with_source)
    assert record.conditions.cfg == 4.6 and record != learnt
    (source,) = beside(with_source.folder).all()
    assert [source.record(each) for each in source.entries] == [learnt]
