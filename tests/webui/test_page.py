"""The real page in a real browser: it builds with our entries, restores pasted parameters, shows a
record, and outlives Reload UI."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.webui.browser import Page, browser

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
    page.wait(shown("stop"), 30)  # where one has just pressed, too
    most = page.run(f"{text_of('price')}.match(/At most as long as ([\\d,]+) steps/)[1]")
    planned = page.run(f"{text_of('doing')}.match(/of (\\d+) steps/)[1]")
    assert int(planned) <= int(most.replace(",", ""))
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
    page.click(PANEL.format("show"))
    page.wait(f"{text_of('table')}.includes('64x64')", 30)
    known(page, "best stock", "told")  # Show's answer is there
    page.click(PANEL.format("remove"))
    known(page, "There is no way back", "told")
    assert len(host.get("/stepdistill/v1/records")) == 1
    page.wait(f"{text_of('remove')}.trim() === 'Remove it for good'", 30)
    page.click(PANEL.format("remove"))
    known(page, "Removed", "told")
    page.wait(f"{text_of('remove')}.trim() === 'Remove'", 30)
    page.wait(f"!{text_of('table')}.includes('64x64')", 30)
    assert host.get("/stepdistill/v1/records") == []


def test_sources_are_listed_as_text(host, server, tmp_path):
    """Those that are there when a page is opened. The page stays for a while: the host never ends what a
    page asks as it opens where that has gone, and waits for it when it is to reload."""
    from scheduler.sources import Sources
    from tests.sources.made import folder_of

    sources = Sources(server.store)
    sources.add(str(folder_of(tmp_path / "ann", by="<b>Ann</b>")), name="ann")
    listed = f"document.querySelector('{PANEL.format('sources')}')"
    with Page(server) as opened:
        opened.wait(BUILT, 120)
        opened.wait(f"{listed}.textContent.includes('ann: 3 records · by <b>Ann</b> · 20')", 30)
        assert not opened.run(f"!!{listed}.querySelector('b')")
        opened.run("new Promise(done => setTimeout(done, 5000))")
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
