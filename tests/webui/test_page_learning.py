"""Learning and few steps from the real page: what the panel promises, and what is said of each picture."""

from __future__ import annotations

from tests.webui.browser import Page
from tests.webui.test_learning import FULL, with_learning
from tests.webui.test_page import BUILT, PANEL, known, pytestmark, shown, text_of, unfold

__all__ = ["pytestmark"]  # of these tests, too


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
    known(page, "yet: draw one picture as you are used to")
    page.choose("#txt2img_sampling", "Euler a")
    known(page, "Next picture: Euler a adds noise at each step")
    page.choose("#txt2img_sampling", "DPM++ 2M")  # Forge's own first is Euler a
    page.wait(f"{value_of('sampling')} === 'DPM++ 2M'", 30)
    page.write("#txt2img_prompt textarea", "a cat")
    sized(page)
    page.write("#txt2img_steps input[type=number]", "14")
    known(page, "Next picture: Nothing is learnt from fewer than 15 steps")
    page.write("#txt2img_steps input[type=number]", "20")
    known(page, "Next picture: its learning takes")
    page.click("#txt2img_generate")
    page.wait(shown("use"), 120)
    assert page.run(text_of("use")).strip() == "Use it: Distilled, 6 steps"
    known(page, "Last picture: Learning took")
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
    """A sampler that teaches nothing, few steps, and the first again."""
    host.draw(**FULL, **with_learning())
    with Page(server) as page:
        page.wait(BUILT, 120)
        unfold(page, "panel", "learn")
        known(page, "Next picture: ")
        page.wait(f"document.querySelector('{PANEL.format('learn')} input').checked", 30)
        page.write("#txt2img_prompt textarea", "a cat")
        sized(page)
        for seed in ("1", "2"):
            page.choose("#txt2img_sampling", "UniPC")
            page.choose("#txt2img_scheduler", "Automatic")
            page.write("#txt2img_steps input[type=number]", "16")
            page.write("#txt2img_seed input[type=number]", seed)
            page.wait(f"{value_of('sampling')} === 'UniPC'", 30)
            drawn(page, "Nothing is learnt from pictures drawn with UniPC")
            known(page, "Last picture: Nothing is learnt from pictures drawn with UniPC")
            page.click(PANEL.format("use"))
            page.wait(f"{value_of('sampling')} === 'Distilled'", 30)
            drawn(page, "6 steps, learnt for just this")
            known(page, "Last picture: 6 steps, learnt for just this")
            assert "UniPC" not in page.run(text_of("status"))


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
        known(page, "learnt for CFG 7, you use 3")
        assert "primary" not in page.run(class_of("use"))
        page.write("#txt2img_cfg_scale input[type=number]", "7")
        page.wait(f"{text_of('use')}.trim() === 'Use it: Distilled, 6 steps'", 30)
        page.run("document.querySelectorAll('#tabs button')[1].click()")
        other = PANEL.replace("txt2img", "img2img")
        page.run(f"document.querySelector('{other.format('panel')} .label-wrap').click()")
        page.wait(f"{text_of('status', 'img2img')}.includes('Nothing is learnt for')", 30)
        page.wait(f"{text_of('status', 'img2img')}.includes('denoising 0.75')", 30)
        assert not page.run(shown("use", "img2img"))


def test_the_panel_goes_by_the_page_before_the_picture(host, server):
    """One tick for both tabs from the first opening; the prompt's LoRAs, a mask, a second pass."""
    host.draw()  # Forge loads its checkpoint with the first picture
    with Page(server) as page:
        page.wait(BUILT, 120)
        unfold(page, "panel", "learn")
        tick = f"document.querySelector('{PANEL.format('learn')} input').checked"
        page.wait(tick, 30)
        page.run("document.querySelectorAll('#tabs button')[1].click()")
        other = PANEL.replace("txt2img", "img2img")
        page.run(f"document.querySelector('{other.format('panel')} .label-wrap').click()")
        page.wait(f"document.querySelector('{other.format('learn')} input').checked", 30)
        sized(page, tab="img2img")
        status = text_of("status", "img2img")
        page.wait(f"{status}.includes('Next picture: ')", 30)
        assert "with a mask" not in page.run(status)
        page.run("document.querySelectorAll('#mode_img2img button')[2].click()")
        page.wait(f"{status}.includes('Nothing is learnt from a picture with a mask')", 30)
        page.run("document.querySelectorAll('#mode_img2img button')[0].click()")
        page.wait(f"!{status}.includes('with a mask')", 30)
        page.run("document.querySelectorAll('#tabs button')[0].click()")
        host.draw(**FULL, **with_learning())
        sized(page)
        page.choose("#txt2img_sampling", "DPM++ 2M")
        known(page, "Nothing more to learn from it.")
        page.run("document.querySelector('#txt2img_hr-checkbox input').click()")
        known(page, "That of its second pass takes as long as 39 steps at most")
        page.run("document.querySelector('#txt2img_hr-checkbox input').click()")
        page.click(PANEL.format("use"))
        known(page, "Next picture: 6 steps, learnt for just this")
        page.write("#txt2img_prompt textarea", "a cat <lora:bend:1>")
        known(page, "learnt without bend")
        page.write("#txt2img_prompt textarea", "a cat")
        known(page, "Next picture: 6 steps, learnt for just this")
        assert "bend" not in page.run(text_of("status"))


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
        known(page, "Next picture: its learning takes")
        page.click("#txt2img_generate")
        bar = "[...document.querySelectorAll('.progressDiv')].map(e => e.innerText).join(' ')"
        page.wait(f"{bar}.includes('the picture is done; learning a 6-step recipe from it:')", 120)
        page.wait("!!document.querySelector('.livePreview img')", 60)
        page.wait(shown("use"), 120)
