"""Every way that a job can end or wait, without a host: what it says, and what it leaves."""

from __future__ import annotations

import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import pytest

from tests.a1111 import made
from tests.a1111.jobs import ended, wish


@pytest.fixture
def pending(monkeypatch):
    """The host's own list of tasks that wait."""
    module = ModuleType("modules.progress")
    module.pending_tasks = {}
    monkeypatch.setitem(sys.modules, "modules.progress", module)
    return module.pending_tasks


def until(question):
    for _ in range(1000):
        if question():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


@pytest.mark.slow
def test_a_picture_that_waits_goes_first_and_no_call_is_made_twice(
    job,
    webui,
    pending,
    monkeypatch,
):
    """The host's lock is let go within a call; what was answered before is not asked again."""
    lock = webui.modules.call_queue.queue_lock = threading.Lock()
    answered, heard = [], made.ours("a1111.distillation").Distillation.heard

    def counted(self, rows, sigma):
        answered.append(rows)
        return heard(self, rows, sigma)

    monkeypatch.setattr(made.ours("a1111.distillation").Distillation, "heard", counted)
    job.slow.wait = 0.01
    job.job.start(wish(job))
    until(lambda: job.job.progress.done > 20)
    pending["task(picture)"] = 1.0
    until(lambda: job.job.progress.state == "waiting")
    assert "A picture goes first" in job.job.progress.text
    with lock:  # the picture is drawn
        del pending["task(picture)"]
        made_so_far = sum(answered)
        time.sleep(0.3)
        assert sum(answered) == made_so_far
    done = ended(job)
    assert done.state == "done" and done.record_name
    told = done.record.provenance["model_calls"]
    assert sum(answered) <= told + 4  # the one in hand, and whether the model is the same


@pytest.mark.slow
def test_a_task_that_never_begins_holds_nothing_up(job, webui, pending, monkeypatch):
    monkeypatch.setattr(made.ours("a1111.making_way"), "PATIENCE", 0.1)
    pending["task(lost)"] = 1.0
    job.job.start(wish(job))
    assert ended(job).state == "done"


def test_interrupted_while_a_picture_is_drawn(job, webui, pending):
    lock = webui.modules.call_queue.queue_lock = threading.Lock()
    job.slow.wait = 0.01
    job.job.start(wish(job))
    until(lambda: job.job.progress.done > 5)
    pending["task(picture)"] = 1.0
    until(lambda: job.job.progress.state == "waiting")
    with lock:
        del pending["task(picture)"]
        job.job.interrupt()
    done = ended(job)
    assert done.state == "interrupted" and "What was finished is kept" in done.text


@pytest.mark.slow
def test_no_memory_is_a_sentence_and_what_was_paid_is_kept(job, monkeypatch):
    """The same wish goes on with the calls that were made."""
    teacher = made.ours("a1111.host_denoiser")
    whole, limit = teacher.run, SimpleNamespace(calls=25, seen=0)

    def run(scene, work, heard):
        def broken(rows, sigma):
            limit.seen += rows
            heard(rows, sigma)
            if limit.seen > limit.calls:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore lines")

        return whole(scene, work, broken)

    freed = []
    monkeypatch.setattr(made.ours("a1111.job"), "free_memory", lambda: freed.append(True))
    monkeypatch.setattr(teacher, "run", run)
    job.job.start(wish(job))
    failed = ended(job)
    assert failed.state == "failed" and freed
    assert failed.text == (
        "Distilling failed: not enough memory for this size and batch. What was finished is kept: the "
        "same wish goes on from there."
    )
    first, limit.seen, limit.calls = limit.seen, 0, 10**6
    job.job.start(wish(job))
    done = ended(job)
    assert done.state == "done"
    left = done.record.provenance["model_calls"] - first
    assert limit.seen <= left + 4  # the one that failed, and whether the model is the same


def test_another_checkpoint_than_the_one_that_was_asked_about(job, monkeypatch, tmp_path):
    """It was switched while the job waited: nothing is distilled, and it is said how to go on."""
    other = tmp_path / "other.safetensors"
    monkeypatch.setattr(made.ours("a1111.job"), "chosen_checkpoint", lambda: str(other))
    job.job.start(wish(job))
    failed = ended(job)
    assert failed.state == "failed" and failed.done == 0
    assert "The checkpoint is tiny now, and other was to be distilled" in failed.text


@pytest.fixture
def host(webui, checkpoint, monkeypatch):
    """As much of the host's processing as drawing one picture needs. after: what it does when the
    sampling is done; closing: what `close` does."""
    found = SimpleNamespace(after=lambda: None, closing=lambda: None, work=None)
    teacher = made.ours("a1111.host_denoiser")

    class Processing(SimpleNamespace):
        def sample(self):
            found.work()

        def close(self):
            found.closing()

    def process_images(p):
        p.sample()
        found.after()

    module = ModuleType("modules.processing")
    module.process_images = process_images
    monkeypatch.setitem(sys.modules, "modules.processing", module)
    monkeypatch.setattr(teacher, "_processing", lambda scene: Processing())
    monkeypatch.setattr(teacher, "_stage", lambda *_: None)
    samplers = webui.modules.sd_samplers

    def draw(work):
        def launched():
            entry = samplers.all_samplers_map[teacher.HIDDEN]
            function = entry.constructor(None).funcname
            function(None, SimpleNamespace(), None)

        found.work = launched
        return teacher.run(teacher.Scene(("a cat",)), work, lambda rows, sigma: None)

    found.draw = draw
    return found


def broken():
    raise RuntimeError("VAE: no memory")


@pytest.mark.parametrize("part", ["after", "closing"])
def test_what_fails_in_the_host_afterwards_is_no_failure_of_the_job(host, part, capsys):
    """The record is stored by then."""
    setattr(host, part, broken)
    assert host.draw(lambda stage: "the record") == "the record"
    assert "VAE: no memory" in capsys.readouterr().err
    assert host.draw(lambda stage: "another") == "another"


def test_what_fails_in_the_work_is(host):
    with pytest.raises(ZeroDivisionError):
        host.draw(lambda stage: 1 / 0)


def test_problems_in_words(webui):
    words = made.ours("a1111.problems").in_words
    no_memory = "not enough memory for this size and batch"
    out_of_memory = type("OutOfMemoryError", (RuntimeError,), {})
    for problem in (
        MemoryError(),
        out_of_memory("Allocation on device"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ):
        assert words(problem) == no_memory
    assert words(ValueError("one\ntwo")) == "ValueError: one"
    assert words(KeyError()) == "KeyError"
