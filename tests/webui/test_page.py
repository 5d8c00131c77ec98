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
BUILT = (
    "!!document.querySelector('#txt2img_prompt textarea') "
    "&& !!document.querySelector('#txt2img_generate')"
)


@pytest.fixture(scope="module")
def page(server):
    """The host's page, built."""
    with Page(server.address) as opened:
        opened.wait(BUILT, 120)
        yield opened


def open_panel(page) -> None:
    """Unfold the accordion."""
    shown = f"(e => !!e && e.offsetParent !== null)(document.querySelector('{PANEL.format('distill')}'))"
    if not page.run(shown):
        panel = PANEL.format("panel")
        page.run(f"document.querySelector('{panel} button, {panel} .label-wrap').click()")
    page.wait(shown, 20)


def test_the_page_offers_both_entries(page):
    """A schedule type and a sampling method."""
    assert "Distilled" in page.choices("#txt2img_scheduler")
    assert "Distilled" in page.choices("#txt2img_sampling")


def test_pasted_parameters_restore_schedule_and_record(page, host, stored):
    """Read from the prompt, as a user pastes them."""
    open_panel(page)
    page.click(PANEL.format("refresh"))
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
    page.wait(f"document.querySelector('{PANEL.format('record')} input').value === '{stored}'", 30)


def test_a_record_is_shown_with_its_plot(page, host, stored):
    """The table of what was measured, and the picture where matplotlib is there."""
    open_panel(page)
    page.click(PANEL.format("refresh"))
    page.click(PANEL.format("show"))
    page.wait(
        f"document.querySelector('{PANEL.format('table')}').innerText.includes('DPM++ 2M')", 60
    )


def test_export_and_import_from_the_panel(page, host, stored, record, tmp_path):
    """A file to download; and a file that is picked is kept in the store."""
    open_panel(page)
    page.click(PANEL.format("refresh"))
    page.click(PANEL.format("export"))
    page.wait(f"!!document.querySelector('{PANEL.format('exported')} a')", 30)
    other = replace(record, conditions=replace(record.conditions, cfg=2.0))
    other.save(tmp_path / "other.json")
    page.pick(PANEL.format("import"), tmp_path / "other.json")
    page.wait(
        f"document.querySelector('{PANEL.format('progress')}').innerText.includes('Imported')", 30
    )
    assert len(host.get("/stepdistill/v1/records")) == 2


def test_distil_from_the_panel(page, host):
    """Progress while it runs, Interrupt, and the sentence at the end; the page's own prompt and
    sizes count."""
    open_panel(page)
    page.write("#txt2img_width input[type=number]", "64")
    page.write("#txt2img_height input[type=number]", "64")
    page.click(PANEL.format("distill"))
    page.wait(
        f"/of \\d+ model calls/.test(document.querySelector('{PANEL.format('progress')}').innerText)",
        90,
    )
    page.click(PANEL.format("interrupt"))
    page.wait(
        f"document.querySelector('{PANEL.format('progress')}').innerText.includes('Interrupted')",
        60,
    )


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
    with Page(server.address) as page:
        page.wait(BUILT, 120)
        assert page.choices("#txt2img_scheduler").count("Distilled") == 1
        assert page.run(f"document.querySelectorAll('{PANEL.format('distill')}').length") == 1
