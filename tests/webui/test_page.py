"""The real page in a real browser: it builds with our entries, restores pasted parameters, shows a
record, and outlives Reload UI."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.webui.browser import Page, browser
from tests.webui.test_learning import FULL, with_learning

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        browser() is None, reason="no Chromium is installed; BROWSER_PATH may name one"
    ),
]
PANEL = "#script_txt2img_stepdistill_stepdistill_{}"
NAME = ", ".join(f"{PANEL.format('name')} {tag}" for tag in ("textarea", "input"))
BUILT = (
    "!!document.querySelector('#txt2img_prompt textarea') "
    "&& !!document.querySelector('#txt2img_generate')"
)


@pytest.fixture(scope="module")
def page(server):
    """The host's page, built."""
    with Page(server) as opened:
        opened.wait(BUILT, 120)
        yield opened


def shown(name: str, tab: str = "txt2img") -> str:
    part = PANEL.replace("txt2img", tab).format(name)
    return f"(e => !!e && e.offsetParent !== null)(document.querySelector('{part}'))"


def text_of(name: str, tab: str = "txt2img") -> str:
    return f"document.querySelector('{PANEL.replace('txt2img', tab).format(name)}').innerText"


def unfold(page, part: str, inside: str) -> None:
    if not page.run(shown(inside)):
        panel = PANEL.format(part)
        page.run(
            f"document.querySelector('{panel} > button, {panel} > .label-wrap, "
            f"{panel} .label-wrap').click()"
        )
    page.wait(shown(inside), 20)


def open_panel(page) -> None:
    """Unfold the accordion, and what is advanced in it."""
    unfold(page, "panel", "learn")
    unfold(page, "advanced", "distill")


def known(page, words: str, part: str = "status", patience: float = 30) -> None:
    """Until the panel says something of itself, without a button."""
    try:
        page.wait(f"{text_of(part)}.includes({words!r})", patience)
    except AssertionError:
        raise AssertionError(f"{words!r} is not in: {page.run(text_of(part))!r}") from None


def test_the_page_offers_both_entries(page):
    """A schedule type and a sampling method."""
    assert "Distilled" in page.choices("#txt2img_scheduler")
    assert "Distilled" in page.choices("#txt2img_sampling")


def test_pasted_parameters_restore_schedule_and_record(page, host, stored, label):
    """Read from the prompt, as a user pastes them."""
    open_panel(page)
    known(page, label, "held")
    line = (
        "Steps: 5, Sampler: Euler, Schedule type: Distilled, CFG scale: 7, Seed: 1, Size: 64x64, "
    )
    page.write(
        "#txt2img_prompt textarea",
        f"a cat\n{line}StepDistill: named | {stored} | 5 steps of euler, StepDistill record: {stored}",
    )
    page.run("new Promise(done => setTimeout(done, 500))")
    page.click("#paste")
    page.wait("document.querySelector('#txt2img_scheduler input').value === 'Distilled'", 30)
    page.wait(f"document.querySelector('{PANEL.format('record')} input').value === '{label}'", 30)


def test_a_pasted_picture_keeps_its_own_recipe_until_the_newest_is_asked_for(page, host, stored):
    """The numbers in its parameters travel with the page, and go with one button."""
    told, _ = host.draw(sampler_name="Distilled", scheduler="Distilled")
    unfold(page, "panel", "learn")
    page.write("#txt2img_prompt textarea", host.parameters)
    page.run("new Promise(done => setTimeout(done, 500))")
    page.click("#paste")
    kept = f"document.querySelector('{PANEL.format('recipes')} textarea').value"
    page.wait(f"{kept} === '{told['StepDistill recipe']}'", 30)
    page.wait(shown("newest"), 30)
    page.click(PANEL.format("newest"))
    page.wait(f"{kept} === ''", 30)


def test_a_record_is_shown_with_its_plot(page, host, stored, label):
    """The table of what was measured, and the picture where matplotlib is there."""
    open_panel(page)
    known(page, label, "held")
    page.click(PANEL.format("show"))
    page.wait(f"{text_of('table')}.includes('DPM++ 2M')", 60)
    plot = f"document.querySelector('{PANEL.format('plot')} svg')"
    if page.run(f"!!{plot}"):  # matplotlib is the host's own
        assert "currentColor" in page.run(f"{plot}.outerHTML")
        assert "#ffffff" not in page.run(f"{plot}.outerHTML")


def test_export_and_import_from_the_panel(page, host, stored, label, record, tmp_path):
    """A file to download; and a file that is picked is kept in the store."""
    open_panel(page)
    known(page, label, "held")
    page.click(PANEL.format("export"))
    page.wait(f"!!document.querySelector('{PANEL.format('exported')} a')", 30)
    other = replace(record, conditions=replace(record.conditions, cfg=2.0))
    other.save(tmp_path / "other.json")
    page.pick(PANEL.format("import"), tmp_path / "other.json")
    known(page, "Imported", "told")
    assert len(host.get("/stepdistill/v1/records")) == 2


def test_distil_from_the_panel_is_seen_and_stopped_from_every_page(page, host, server):
    """Its price before it runs; progress here, in a second page whose panel is folded; Interrupt there."""
    host.get("/witness/slow?calls=20")
    open_panel(page)
    page.write("#txt2img_width input[type=number]", "64")
    page.write("#txt2img_height input[type=number]", "64")
    page.write(PANEL.format("most") + " input[type=number]", "9")
    known(page, "At most", "price")
    page.click(PANEL.format("distill"))
    page.wait(f"/of \\d+ steps/.test({text_of('running')})", 90)
    with Page(server) as second:
        second.wait(BUILT, 120)
        second.wait(shown("interrupt"), 60)
        assert not second.run(shown("learn"))  # it is folded
        second.wait(f"/of \\d+ steps/.test({text_of('running')})", 60)
        unfold(second, "panel", "learn")
        unfold(second, "advanced", "distill")  # what was chosen there is what it was left at
        most = f"document.querySelector('{PANEL.format('most')} input[type=number]').value"
        second.wait(f"{most} === '9'", 30)
        second.click(PANEL.format("interrupt"))
        known(second, "Interrupted", "progress", 60)
        second.wait(f"!({shown('interrupt')})", 30)
    known(page, "Interrupted", "progress", 60)


def test_a_job_that_failed_says_so_in_the_panel(page, host):
    """And the next one can be begun."""
    host.get("/witness/memory_after?calls=30")
    open_panel(page)
    page.click(PANEL.format("distill"))
    known(page, "not enough memory for this size and batch", "progress", 90)
    page.wait(f"!({shown('interrupt')})", 30)
    assert page.run(f"!document.querySelector('{PANEL.format('distill')}').disabled")


def test_learnt_used_and_drawn_from_the_page_alone(host, server):
    """From an empty store: a picture drawn as usual, the one button, few steps."""
    with Page(server) as page:
        page.wait(BUILT, 120)
        learnt_used_and_drawn(page)


def value_of(part: str) -> str:
    """A control's value by the host's name of it."""
    return f"document.querySelector('#txt2img_{part} input').value"


def sized(page, width: int = 64, tab: str = "txt2img") -> None:
    page.write(f"#{tab}_width input[type=number]", str(width))
    page.write(f"#{tab}_height input[type=number]", "64")


def drawn(page, words: str) -> str:
    """Draw with what the page has; the line below the picture, once it has words that the line
    before did not have."""
    below = "document.querySelector('#html_log_txt2img').innerText"
    assert words not in page.run(below)
    page.click("#txt2img_generate")
    page.wait(f"{below}.includes({words!r})", 120)
    return page.run(below)


def learnt_used_and_drawn(page) -> None:
    unfold(page, "panel", "learn")
    box = f"document.querySelector('{PANEL.format('learn')} input')"
    page.wait(f"{box}.checked", 30)  # on, once the panel was opened
    assert not page.run(shown("use"))
    known(page, "learnt from them")
    page.choose("#txt2img_sampling", "Euler a")
    known(page, "Next picture: Euler a adds noise at each step")
    page.choose("#txt2img_sampling", "DPM++ 2M")  # Forge's own first is Euler a
    page.wait(f"{value_of('sampling')} === 'DPM++ 2M'", 30)
    page.write("#txt2img_prompt textarea", "a cat")
    sized(page)
    page.write("#txt2img_steps input[type=number]", "14")
    known(page, "Next picture: Nothing is learnt from fewer than 15 steps")
    page.write("#txt2img_steps input[type=number]", "20")
    known(page, "Next picture: It is learnt from")
    page.click("#txt2img_generate")
    page.wait(shown("use"), 120)
    assert page.run(text_of("use")).strip() == "Use it: Distilled, 6 steps"
    known(page, "Last picture: learnt from. Learning took")
    below = "document.querySelector('#html_log_txt2img').innerText"
    page.wait(f"{below}.includes('Distilled in 6 steps')", 120)
    assert "primary" in page.run(class_of("use"))
    page.click(PANEL.format("use"))
    page.wait(f"{value_of('sampling')} === 'Distilled'", 30)
    page.wait(f"{value_of('scheduler')} === 'Distilled'", 30)
    page.wait("document.querySelector('#txt2img_steps input[type=number]').value === '6'", 30)
    page.wait(f"{text_of('use')}.trim() === 'In use: Distilled, 6 steps'", 30)
    assert "primary" not in page.run(class_of("use"))
    known(page, "Next picture: 6 steps, learnt for just this")
    page.click("#txt2img_generate")
    info = "document.querySelector('#html_info_txt2img').innerText"
    page.wait(f"{info}.includes('6 steps of Distilled')", 120)
    assert "StepDistill: exact | " in page.run(info)
    known(page, "Last picture: 6 steps, learnt for just this")


def class_of(name: str, tab: str = "txt2img") -> str:
    part = PANEL.replace("txt2img", tab).format(name)
    found = f"document.querySelector('{part}')"
    return f"(e => e.className + ' ' + (e.querySelector('button')?.className || ''))({found})"


def test_each_picture_has_its_line_and_the_panel_says_the_latest(host, server):
    """A sampler that teaches nothing, the same again, few steps, and the first again."""
    host.draw(**FULL, **with_learning())
    with Page(server) as page:
        page.wait(BUILT, 120)
        unfold(page, "panel", "learn")
        known(page, "Next picture: ")
        page.wait(f"document.querySelector('{PANEL.format('learn')} input').checked", 30)
        page.write("#txt2img_prompt textarea", "a cat")
        sized(page)
        for seed in ("1", "2"):
            page.choose("#txt2img_sampling", "Euler a")
            page.choose("#txt2img_scheduler", "Automatic")
            page.write("#txt2img_steps input[type=number]", "16")
            page.write("#txt2img_seed input[type=number]", seed)
            page.wait(f"{value_of('sampling')} === 'Euler a'", 30)
            known(page, "Next picture: Euler a adds noise")
            drawn(page, "Euler a adds noise at each step")
            known(page, "Last picture: Euler a adds noise")
            page.click(PANEL.format("use"))
            page.wait(f"{value_of('sampling')} === 'Distilled'", 30)
            drawn(page, "6 steps, learnt for just this")
            known(page, "Last picture: 6 steps, learnt for just this")
            assert "adds noise" not in page.run(text_of("status"))


def test_use_it_promises_nothing_where_nothing_was_learnt(host, server):
    """Another size or CFG is said to be another; image to image has its own button."""
    host.draw(**FULL, **with_learning())
    with Page(server) as page:
        page.wait(BUILT, 120)
        unfold(page, "panel", "learn")
        sized(page)
        page.wait(f"{text_of('use')}.trim() === 'Use it: Distilled, 6 steps'", 60)
        page.write("#txt2img_cfg_scale input[type=number]", "3")
        page.wait(f"{text_of('use')}.trim() === 'Try it: Distilled, 6 steps'", 30)
        known(page, "learnt at cfg 7, you use 3")
        assert "primary" not in page.run(class_of("use"))
        page.write("#txt2img_cfg_scale input[type=number]", "7")
        page.wait(f"{text_of('use')}.trim() === 'Use it: Distilled, 6 steps'", 30)
        page.run("document.querySelectorAll('#tabs button')[1].click()")
        other = PANEL.replace("txt2img", "img2img")
        page.run(f"document.querySelector('{other.format('panel')} .label-wrap').click()")
        page.wait(f"{text_of('status', 'img2img')}.includes('nothing is learnt for')", 30)
        page.wait(f"{text_of('status', 'img2img')}.includes('denoising 0.75')", 30)
        assert not page.run(shown("use", "img2img"))


def test_the_picture_is_seen_while_it_is_learnt_from(host, server):
    """In the place where the host shows what it draws, with what is going on."""
    host.get("/witness/slow?calls=200")
    with Page(server) as page:
        page.wait(BUILT, 120)
        unfold(page, "panel", "learn")
        page.choose("#txt2img_sampling", "DPM++ 2M")
        page.write("#txt2img_prompt textarea", "a cat")
        sized(page)
        page.write("#txt2img_steps input[type=number]", "20")
        page.wait(f"{value_of('sampling')} === 'DPM++ 2M'", 30)
        known(page, "Next picture: It is learnt from")
        page.click("#txt2img_generate")
        bar = "[...document.querySelectorAll('.progressDiv')].map(e => e.innerText).join(' ')"
        page.wait(f"{bar}.includes('the picture is done; learning 6 steps from it')", 120)
        page.wait("!!document.querySelector('.livePreview img')", 60)
        page.wait(shown("use"), 120)


def test_another_checkpoint_is_heard_of(page, host, server, other_model):
    open_panel(page)
    known(page, "small")
    host.post("/sdapi/v1/refresh-checkpoints")
    host.post("/sdapi/v1/options", {"sd_model_checkpoint": other_model.name})
    try:
        host.draw()
        known(page, other_model.stem)
    finally:
        host.post("/sdapi/v1/options", {"sd_model_checkpoint": "small.safetensors"})
        host.draw()
    known(page, "small")


def test_records_are_renamed_noted_and_removed(page, host, stored, label):
    """By hand, and every list follows."""
    open_panel(page)
    known(page, label, "held")
    chosen = f"document.querySelector('{PANEL.format('record')} input')"
    page.choose(PANEL.format("record"), label)
    page.wait(f"{chosen}.value === '{label}'", 10)
    page.write(NAME, "my-dog")
    page.click(PANEL.format("rename"))
    known(page, "my-dog", "told")
    (entry,) = host.get("/stepdistill/v1/records")
    assert entry["name"].startswith("my-dog--")
    renamed = host.get(f"/witness/label?name={entry['name']}")
    assert renamed.startswith("my-dog, CFG 7")
    page.wait(f"{chosen}.value === '{renamed}'", 10)
    page.write(NAME, "for portraits")
    page.click(PANEL.format("note"))
    known(page, "for portraits", "told")
    known(page, "for portraits", "held")
    page.click(PANEL.format("remove"))
    known(page, "Removed", "told")
    assert host.get("/stepdistill/v1/records") == []


def test_sources_are_listed_as_text(host, server, tmp_path):
    """Those that are there when a page is opened."""
    from scheduler.sources import Sources
    from tests.sources.made import folder_of

    sources = Sources(server.store)
    sources.add(str(folder_of(tmp_path / "ann", by="<b>Ann</b>")), name="ann")
    listed = f"document.querySelector('{PANEL.format('sources')}')"
    with Page(server) as opened:
        opened.wait(BUILT, 120)
        opened.wait(f"{listed}.textContent.includes('ann: 3 records · by <b>Ann</b> · 20')", 30)
        assert not opened.run(f"!!{listed}.querySelector('b')")
    sources.remove("ann")


def test_reload_ui_twice(server):
    """Everything stands there once, as before, and draws."""
    from tests.webui.conftest import Host

    for _ in range(2):
        server.reload()
    host = Host(server)
    assert [entry["label"] for entry in host.get("/sdapi/v1/schedulers")].count("Distilled") == 1
    assert [entry["name"] for entry in host.get("/sdapi/v1/samplers")].count("Distilled") == 1
    told, sigmas = host.draw(sampler_name="Distilled", scheduler="Automatic")
    assert len(sigmas) == 4 and "StepDistill" in told
    with Page(server) as page:
        page.wait(BUILT, 120)
        assert page.choices("#txt2img_scheduler").count("Distilled") == 1
        assert page.run(f"document.querySelectorAll('{PANEL.format('distill')}').length") == 1
