"""A plan in one process: done once, gone on with after a stop, and a job that fails is one sentence."""

from __future__ import annotations

import os
import threading

import pytest

from scheduler.errors import CheckpointError, Stopped
from scheduler.library import attempt as attempts
from scheduler.library import work
from scheduler.library.attempt import attempt
from scheduler.library.ledger import Ledger
from scheduler.library.local import run_here
from scheduler.library.summary import DONE, FAILED, STOPPED, Summary
from scheduler.store import Store
from tests.library.made import Silent, Work, jobs

FLOW = '[[models]]\ncheckpoint = "flow"\nsteps = 4\n'


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "store")


def run(found, ledger, what, name="run", stop=bool):
    return run_here(found, ledger, name, Silent(), stop, what, poll=0.01)


def test_all_jobs_once_and_nothing_the_second_time(ledger):
    found, what = jobs(), Work()
    first = run(found, ledger, what)
    assert [each.state for each in first.values()] == [DONE] * 3 and len(what.done) == 3
    assert all(each.calls == 1 and not each.found for each in first.values())
    again = run(found, ledger, what, "another day")
    assert len(what.done) == 3 and all(each.found and not each.calls for each in again.values())
    assert {each.record for each in again.values()} == {each.record for each in first.values()}
    assert len(ledger.store.records()) == 3


def test_a_record_that_was_removed_is_made_again(ledger):
    found, what = jobs(), Work()
    first = run(found, ledger, what)
    ledger.store.remove(first[found[0].id].record)
    assert not run(found, ledger, what)[found[0].id].found and len(what.done) == 4


def test_a_plan_started_twice_at_once_does_nothing_twice(ledger):
    found, what = jobs(), Work()
    results = []
    threads = [
        threading.Thread(target=lambda k=k: results.append(run(found, ledger, what, f"run {k}")))
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(what.done) == sorted(job.id for job in found)
    assert all({each.state for each in result.values()} == {DONE} for result in results)


def test_one_that_fails_says_why_and_the_others_go_on(ledger):
    found = jobs()
    what = Work({found[0].id: CheckpointError("It is\nbroken."), found[1].id: ValueError("odd.")})
    result = run(found, ledger, what)
    assert [result[job.id].state for job in found] == [FAILED, FAILED, DONE]
    assert result[found[0].id].error == "It is broken."
    assert result[found[1].id].error == "the model could not be worked on (ValueError: odd)."
    again = run(found, ledger, Work())
    assert all(each.state == DONE for each in again.values())  # failures are tried again


def test_memory_that_runs_out_is_a_sentence(ledger):
    (job,) = jobs(FLOW)
    assert "not enough memory" in run([job], ledger, Work({job.id: MemoryError()}))[job.id].error


def test_a_stop_ends_the_plan_and_says_which_job_goes_on(ledger):
    found, watch = jobs(), Silent()
    what = Work({found[1].id: Stopped("Stopped.")})
    result = run_here(found, ledger, "run", watch, bool, what)
    assert [result[job.id].state for job in found[:2]] == [DONE, STOPPED] and len(result) == 2


def test_a_claim_that_was_lost_stops_the_work(ledger, monkeypatch):
    (job,) = jobs(FLOW)
    monkeypatch.setattr(attempts, "BEAT", 0.01)

    def slow(job, ledger, watched):
        assert ledger.claim(job, "run").take()  # a retry, while this one still runs
        for _ in range(1000):
            if watched.should_stop():
                raise Stopped("Stopped.")
            threading.Event().wait(0.01)
        raise AssertionError("it was never told")

    assert attempt(job, ledger, "run", slow).state == "elsewhere"


def test_two_machines_that_did_the_same_leave_one_record(ledger, tmp_path):
    """One was asleep for so long that the other took its job over; both came to their end."""
    (job,) = jobs(FLOW)
    other = Work()

    def asleep(job, ledger, watched):
        assert attempt(job, Ledger(ledger.store.folder, expiry=-1.0), "other", other).state == DONE
        return Work()(job, ledger, watched)

    result = attempt(job, ledger, "run", asleep)
    assert result.state == DONE and other.done == [job.id]
    assert [each.file for each in ledger.store.records()] == [result.record]
    assert ledger.done(job) is not None and not list(ledger.folder.glob("*.claim.*"))


def test_results_that_are_none_are_passed_over(ledger):
    (job,) = jobs(FLOW)
    result = run([job], ledger, Work())[job.id]
    assert Summary.from_json(result.to_json()) == result
    path = ledger.folder / f"{job.id}.json"
    for text in ("", "[]", "{}", '{"id": 3}', result.to_json().replace("done", "undone")):
        path.write_text(text, encoding="utf-8")
        assert ledger.done(job) is None
    assert Store(ledger.store.folder).problems() == []  # the ledger is none of the store's business


# --- the real thing ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_bundled_checkpoint_is_resumed_from_what_was_paid_for(ledger):
    (job,) = jobs(FLOW)
    asked = []

    def until_30(job, ledger, watched):
        watched._should_stop = lambda: watched.last.done >= 30
        return work.distilled_here(job, ledger, watched)

    assert run([job], ledger, until_30)[job.id].state == STOPPED
    assert ledger.work_folder(job).is_dir()

    def counted(job, ledger, watched):
        made = work.distilled_here(job, ledger, watched)
        asked.append(watched.last.done)
        return made

    resumed = run([job], ledger, counted)[job.id]
    assert resumed.state == DONE and 0 < asked[0] and not ledger.work_folder(job).exists()
    fresh = run([job], Ledger(ledger.folder.parent.parent / "other"), counted)[job.id]
    assert asked[1] - 32 <= asked[0] <= asked[1] - 28  # what the first attempt paid for
    assert resumed.ratios == fresh.ratios and resumed.record == fresh.record


@pytest.mark.slow
def test_what_the_store_has_of_the_same_conditions_is_found(ledger):
    """Another plan's record of the same weights and guidance, though its job was another one."""
    (job,) = jobs(FLOW)
    (other,) = jobs(FLOW + 'name = "Another Name"')
    assert other.id != job.id
    first = run([job], ledger, work.distilled_here)[job.id]
    second = run([other], ledger, work.distilled_here)[other.id]
    assert second.found and not second.calls and second.record == first.record
    (more,) = jobs(FLOW.replace("4", "5"))
    assert run([more], ledger, work.distilled_here)[more.id].record == first.record
    assert {each.steps for each in ledger.store.load(first.record).recipes} == {4, 5}


@pytest.mark.slow
def test_a_full_disk_fails_its_job_in_a_sentence_and_the_next_goes_on(ledger, monkeypatch):
    from scheduler import files

    first, second = jobs(FLOW + "guidances = [1, 3]")
    create, full = files._create, [True]

    def limited(path):
        if full[0] and path.suffix == ".json" and path.parent == ledger.store.folder:
            raise OSError(28, "No space left on device")
        return create(path)

    def then_free(job, ledger, watched):
        full[0] = job.id == first.id
        return work.distilled_here(job, ledger, watched)

    monkeypatch.setattr(files, "_create", limited)
    result = run([first, second], ledger, then_free)
    assert result[first.id].state == FAILED and result[second.id].state == DONE
    assert "no space left on device" in result[first.id].error
    assert len(ledger.store.records()) == 1 and not ledger.store.problems()
    assert not [name for name in os.listdir(ledger.store.folder) if name.endswith(".tmp")]
    full[0] = False
    again = run([first], ledger, work.distilled_here)[first.id]
    assert again.state == DONE and again.calls < 10  # the answers were kept where there was room


def test_a_disk_that_is_full_fails_its_job_and_leaves_no_half_file(ledger, monkeypatch):
    from scheduler import files

    found, what, create = jobs(), Work(), files._create

    def limited(path):
        if len(what.done) == 2 and path.parent == ledger.store.folder:
            raise OSError(28, "No space left on device")
        return create(path)

    monkeypatch.setattr(files, "_create", limited)
    result = run(found, ledger, what)
    assert [result[job.id].state for job in found] == [DONE, FAILED, DONE]
    assert "no space left on device" in result[found[1].id].error
    assert len(ledger.store.records()) == 2 and not ledger.store.problems()
    assert not [name for name in os.listdir(ledger.store.folder) if ".tmp" in name]


def test_a_folder_that_cannot_be_claimed_in_is_a_sentence(ledger, monkeypatch):
    from scheduler.library.claims import Claim

    found = jobs()
    take = Claim.take

    def limited(self):
        if self.told["task"] == found[0].id:
            raise OSError(28, "No space left on device", "claim")
        return take(self)

    monkeypatch.setattr(Claim, "take", limited)
    result = run(found, ledger, Work())
    assert [result[job.id].state for job in found] == [FAILED, DONE, DONE]
    assert result[found[0].id].error.startswith("claim: no space left on device")


def test_a_checkpoint_with_sizes_and_a_pipeline_without_prompts_are_sentences(ledger, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    text = FLOW + 'sizes = "64x64"\n' + '[[models]]\npipeline = "x.safetensors"'
    sized, bare = jobs(text, tmp_path)
    assert "leave sizes out" in run([sized], ledger, work.distilled_here)[sized.id].error
    error = run([bare], ledger, work.distilled_here)[bare.id].error
    assert "needs prompts" in error or "needs diffusers" in error
