"""One distillation at a time, and what an API's wish may say; without a host."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.a1111 import made
from tests.a1111.jobs import ended, wish


@pytest.mark.slow
def test_to_the_end_and_found_again(job):
    """Kept in the store; the second time nothing is asked."""
    job.job.start(wish(job))
    done = ended(job)
    assert done.state == "done" and done.record_name and done.record.conditions.cfg == 7
    assert done.text.startswith("At 3 steps use ") and "Distilling took as long as " in done.text
    job.job.start(wish(job))
    again = ended(job)
    assert again.record == done.record and "Nothing had to be drawn" in again.text


def test_kin_is_among_the_starts_and_the_report_says_so(job, stored, record, monkeypatch):
    """What the store has of another cfg."""
    begun = []

    def listening(*given, starts, conditions, **options):
        begun.append(starts)
        return replace(record, conditions=conditions)

    monkeypatch.setattr(made.ours("scheduler.distilling.run"), "distill", listening)
    asked = replace(wish(job, steps=(4, 5)), scene=job.scene(("a cat",), cfg=3.0))
    job.job.start(asked)
    done = ended(job)
    ours = [record.recipe("euler", steps) for steps in (4, 5)]
    assert [each.sigmas for each in begun[0]] == [each.sigmas for each in ours if each.choice.ours]
    assert begun[0]
    assert "Among its starts: " in done.text and " of tiny." in done.text


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
    views, status = made.ours("a1111.panel_views"), made.ours("a1111.status_view")
    label = made.ours("a1111.record_list").label_of(stored)
    tab = made.ours("a1111.next_picture").AsSet("Euler", "Automatic", 20, 7.0, 64, 64)
    assert "No checkpoint" in status.status_html(tab)
    waiting = SimpleNamespace(filename=checkpoint.sd_checkpoint_info.filename)
    webui.modules.sd_models.model_data.forge_loading_parameters = {"checkpoint_info": waiting}
    assert label in status.held_html() and "tiny" in status.status_html(
        tab
    )  # chosen, and loaded with the first picture
    webui.modules.sd_models.model_data.sd_model = checkpoint
    assert label in status.held_html() and stored not in status.held_html()
    assert "Records lie in" in status.held_html() and "tiny" in status.status_html(tab)
    assert "dpmpp_2m" in views.record_html(record)
    progress = made.ours("a1111.job_state").JobProgress("running", "euler", 10, 40, 12.0)
    assert "10 of 40" in views.progress_html(progress) and "12 s" in views.progress_html(progress)
    assert "&lt;b&gt;" in views.progress_html(
        made.ours("a1111.job_state").JobProgress("failed", text="<b>")
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


def test_what_nobody_goes_on_with_is_tidied(webui, checkpoint):
    """What an interrupted run left, after a month; not before."""
    import os

    stores = made.ours("a1111.stores")
    key = made.ours("a1111.identity").facts_of(checkpoint).key()
    folder = stores.unfinished(key)
    folder.mkdir(parents=True)
    (folder / "part").write_text("", encoding="utf-8")
    stores.tidy()
    assert folder.is_dir()
    month = time.time() - 31 * 86400
    for path in (folder / "part", folder):
        os.utime(path, (month, month))
    stores.tidy()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("", "beginning"),
        ("teacher", "drawing in many steps, to learn from"),
        ("euler", "fitting euler"),
        ("refinement", "refining what is usable already"),
        ("evidence", "measuring on other seeds"),
    ],
)
def test_every_phase_has_a_name(webui, phase, words):
    views, job = made.ours("a1111.panel_views"), made.ours("a1111.job_state")
    shown = views.progress_html(job.JobProgress("running", phase, 0, 40))
    assert f"{words}: 0 of 40 steps" in shown


def test_a_better_effort_or_evidence_is_no_second_time(job):
    """The store has it already only where it has all that is wished for."""
    from types import SimpleNamespace

    task = distillation(job, quality="standard", measure=True)
    made_instantly = SimpleNamespace(provenance={"plans": [{"effort": "instant"}]})
    thorough = SimpleNamespace(provenance={"plans": [{"effort": "thorough"}]})
    assert not task._is_as_good(made_instantly) and task._is_as_good(thorough)
    seen = SimpleNamespace(evidence={"rms": 0.1, "verdict": "seen"})
    held_out = SimpleNamespace(evidence={"rms": 0.1, "verdict": "better"})
    assert not task._is_measured(seen) and task._is_measured(held_out)
    assert distillation(job, quality="standard")._is_measured(seen)


def distillation(job, **options):
    """One that is not run."""
    made_of = made.ours("a1111.distillation").Distillation
    way = made.ours("a1111.making_way").MakingWay()
    return made_of(job.job.progress, wish(job, **options), lambda: False, way)


def test_a_sampler_that_adds_noise_is_distilled_for_as_its_twin(webui, monkeypatch):
    """And it is said; what is not distilled for leaves ours."""
    choices = made.ours("a1111.panel_choices")
    listed = [("Euler a", "sample_euler_ancestral", [], {}), ("Euler", "sample_euler", [], {})]
    module = webui.modules.sd_samplers_kdiffusion
    monkeypatch.setattr(module, "samplers_k_diffusion", listed, raising=False)
    ticked = ["Distilled", choices.SAMPLER_ABOVE]
    found, told = choices.chosen_samplers(ticked, "Euler a")
    assert found == ("distilled", "euler") and "deterministic twin is Euler" in told
    assert choices.chosen_samplers(ticked, "Euler") == (("distilled", "euler"), "")
    found, told = choices.chosen_samplers(ticked, "DPM fast")
    assert found == ("distilled",) and "No recipe is made for DPM fast" in told
    assert "At most" in choices.price("instant", ticked, 4, 8, False)
    assert "not measured: choose a higher one" in choices.price("instant", ticked, 4, 8, True)
    assert "and the measuring besides" in choices.price("standard", ticked, 4, 8, True)


def test_plots_wear_the_pages_own_colours(webui):
    """Ink and ground, so that they are read in the dark theme too."""
    in_theme = made.ours("a1111.plot_view").in_theme
    drawn = (
        "<?xml?><!DOCTYPE svg><svg><path style='fill: #ffffff'/><path style='fill: #222222'/></svg>"
    )
    shown = in_theme(drawn)
    assert "fill: none" in shown and "fill: currentColor" in shown and "<?xml" not in shown
    assert "max-width:100%" in shown  # as wide as there is room for
    assert in_theme("nothing") == ""
