"""One distillation at a time, and what an API's wish may say; without a host."""

from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace

import pytest
import torch

from tests.a1111 import made
from tests.webui.made import SHAPE, denoise


@pytest.fixture
def job(webui, checkpoint, monkeypatch):
    """A job whose teacher is a function; `slow.wait` seconds a model call."""
    found, teacher = made.ours("a1111.job"), made.ours("a1111.host_denoiser")
    webui.modules.call_queue.queue_lock = contextlib.nullcontext()
    slow = SimpleNamespace(wait=0.0)

    def run(scene, work, heard):
        def told(x, sigma):
            time.sleep(slow.wait)
            heard(len(x), float(sigma[0]))
            return denoise(x, sigma)

        p = SimpleNamespace(cfg_scale=scene.cfg, is_hr_pass=False)
        return work(
            teacher.Stage((told,) * len(scene.prompts), checkpoint, p, SHAPE, torch.device("cpu"))
        )

    monkeypatch.setattr(teacher, "run", run)
    return SimpleNamespace(
        job=found.Job(),
        module=found,
        scene=teacher.Scene,
        slow=slow,
        state=webui.modules.shared.state,
    )


def wish(job, **options):
    """A small one."""
    small = {"samplers": ("euler",), "steps": (3, 3), "quality": "quick", "measure": False}
    return job.module.Wish(job.scene(("a cat",)), **(small | options))


def ended(job):
    """The progress once it is over."""
    for _ in range(600):
        if not job.job.progress.busy:
            return job.job.progress
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def test_to_the_end_and_found_again(job):
    """Kept in the store; the second time nothing is asked."""
    job.job.start(wish(job))
    done = ended(job)
    assert done.state == "done" and done.record_name and done.record.conditions.cfg == 7
    job.job.start(wish(job))
    again = ended(job)
    assert again.record == done.record and "No model call" in again.text


def test_one_at_a_time_and_interrupted(job):
    """The second is refused; an interrupt ends the first, and says that it can be taken up again."""
    job.slow.wait = 0.05
    job.state.interrupt = lambda: setattr(job.state, "interrupted", True)
    job.job.start(wish(job))
    with pytest.raises(Exception, match="running"):
        job.job.start(wish(job))
    while job.job.progress.state != "running":
        time.sleep(0.01)
    job.job.interrupt()
    assert ended(job).state == "interrupted" and not job.state.interrupted


def test_interrupted_before_the_host_is_free(job, webui):
    """Nothing is begun then."""
    import threading

    busy = webui.modules.call_queue.queue_lock = threading.Lock()
    with busy:
        job.job.start(wish(job))
        job.job.interrupt()
    assert ended(job).state == "interrupted" and job.job.progress.done == 0


def test_a_model_that_breaks_is_a_sentence(job, monkeypatch):
    """And the host is free again."""
    monkeypatch.setattr(made.ours("a1111.host_denoiser"), "run", lambda *_: 1 / 0)
    job.job.start(wish(job))
    assert ended(job).state == "failed" and "ZeroDivisionError" in job.job.progress.text


def test_wishes_from_plain_data(webui):
    """What the API takes, and one sentence for what it doesn't."""
    work = made.ours("a1111.route_actions")
    found = work.wish_of(
        {
            "prompts": ["a", "b"],
            "cfg": "3",
            "width": 64,
            "steps": 6,
            "samplers": "euler",
            "measure": False,
        }
    )
    assert (
        found.scene.prompts == ("a", "b")
        and found.scene.cfg == 3.0
        and found.counts == (6,)
        and found.samplers == ("euler",)
    )
    assert work.wish_of({}).scene.prompts == ("",)
    for wrong in ({"colour": 1}, {"width": "wide"}, {"steps": []}):
        with pytest.raises(Exception, match="Unknown|could not be read"):
            work.wish_of(wrong)


def test_views_are_html(webui, checkpoint, record, stored):
    """The status, the table and the progress, escaped."""
    views = made.ours("a1111.panel_views")
    assert "No checkpoint" in views.status_html()
    webui.modules.sd_models.model_data.sd_model = checkpoint
    assert stored in views.status_html() and "eps" in views.status_html()
    assert "dpmpp_2m" in views.record_html(record)
    progress = made.ours("a1111.job").JobProgress("running", "euler", 10, 40, 12.0)
    assert "10 of 40" in views.progress_html(progress) and "12 s" in views.progress_html(progress)
    assert "&lt;b&gt;" in views.progress_html(
        made.ours("a1111.job").JobProgress("failed", text="<b>")
    )


def test_samplers_are_called_what_the_host_calls_them(webui, checkpoint, record, monkeypatch):
    """By its own list of k-diffusion samplers, where functions stand by name or as they are."""
    host, views = made.ours("a1111.host"), made.ours("a1111.panel_views")
    assert host.sampler_labels() == {"distilled": "Distilled"}

    def sample_restart():
        pass

    listed = [
        ("DPM++ 2M", "sample_dpmpp_2m", ["k_dpmpp_2m"], {}),
        ("DPM++ 2M Karras", "sample_dpmpp_2m", [], {"scheduler": "karras"}),
        ("Restart", sample_restart, ["restart"], {}),
    ]
    module = webui.modules.sd_samplers_kdiffusion
    monkeypatch.setattr(module, "samplers_k_diffusion", listed, raising=False)
    assert host.sampler_labels()["dpmpp_2m"] == "DPM++ 2M"
    assert host.sampler_labels()["restart"] == "Restart"
    listed += [("Euler a", "sample_euler_ancestral", [], {}), ("Euler", "sample_euler", [], {})]
    assert host.distillable() == ["distilled", "dpmpp_2m", "euler", "euler_ancestral"]
    shown = views.record_html(record)
    assert "<td style='padding:2px 8px'>DPM++ 2M</td>" in shown and ">dpmpp_2m<" not in shown
