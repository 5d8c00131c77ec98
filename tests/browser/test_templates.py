"""ComfyUI's own templates in the real page: swapped, the prompt shows it, put back as they were,
baked; nothing breaks.

STEPDISTILL_TEMPLATES: how many of them (default 30, evenly taken from all that have a sampler).
"""

from __future__ import annotations

import json
import os
import re

import pytest

from benchmarks.workflow_corpus import made_up_record, templates
from scheduler.store import Store
from scheduler.workflow import open_workflow, survey

COUNT = int(os.environ.get("STEPDISTILL_TEMPLATES", "30"))
SWAP = (
    "const { swap } = await import('/extensions/comfyui-stepdistill/js/swap.mjs'); "
    "return await swap(given.to, null, given.options)"
)
VALUES = """
const values = (n) => (n.widgets ?? []).filter((w) => w.serialize !== false).map((w) => [w.name, w.value]);
const shape = (n) => [n.id, n.type, n.mode, n.title, [...n.pos].map(Math.round), values(n)];
return JSON.stringify(all(root).map(shape))
"""
PROMPT = """
try { return (await window.app.graphToPrompt()).output }
catch (problem) { return { problem: String(problem) } }
"""


def chosen() -> list:
    files = [path for path in templates() if survey(open_workflow(path)).samplers]
    return files[:: max(1, len(files) // COUNT)][:COUNT] if files else []


def in_prompt(prompt: dict, number: object, kind: str) -> list[dict]:
    """The prompt's nodes of an id, at whatever depth, of a kind."""
    return [
        node
        for key, node in prompt.items()
        if key.split(":")[-1] == str(number) and node.get("class_type") == kind
    ]


def wrong_schedulers(report: dict, prompt: dict) -> list[str]:
    """What the report says was swapped and the prompt does not show."""
    found = []
    for node in report["nodes"]:
        if node["action"] == "swapped" and re.match(r"scheduler .* -> distilled", node["text"]):
            here = in_prompt(prompt, node["node"], node["kind"])
            found += [
                node["line"] for each in here if each["inputs"].get("scheduler") != "distilled"
            ]
        elif node["action"] == "swapped" and "-> StepDistillSigmas" in node["text"]:
            found += [node["line"] for _ in in_prompt(prompt, node["node"], node["kind"])]
    return found


def test_templates(page, server, capsys):
    files = chosen()
    if not files or page.vue:
        pytest.skip(
            "comfyui-workflow-templates-json is not installed" if not files else "once is enough"
        )
    name = Store(server.store).put(made_up_record(50)).removesuffix(".json")
    figures, wrong = (
        dict.fromkeys(
            (
                "workflows",
                "lost by the page's own save",
                "samplers",
                "swapped",
                "left",
                "shown in the prompt",
                "put back equal",
                "baked",
            ),
            0,
        ),
        [],
    )
    for path in files:
        page.load_workflow(json.loads(path.read_text("utf-8")))
        drawn = page.do(VALUES)
        page.load_workflow(page.saved())
        if page.do(VALUES) != drawn:  # old front ends shift what some subgraphs show
            figures["lost by the page's own save"] += 1
            page.complaints()
            continue
        broken_before = page.complaints()
        before, prompt_before = page.do(VALUES), page.do(PROMPT)
        report = page.do(SWAP, {"to": "distilled", "options": {"anyway": True}})
        prompt = page.do(PROMPT)
        missing = wrong_schedulers(report, prompt)
        figures["workflows"] += 1
        figures["samplers"] += report["samplers"]
        figures["swapped"] += report["changed"]
        figures["left"] += sum(node["action"] == "left" for node in report["nodes"])
        for node in report["nodes"]:
            kinds = (node["kind"], "StepDistillSigmas")
            shown = any(in_prompt(prompt, node["node"], kind) for kind in kinds)
            figures["shown in the prompt"] += node["action"] == "swapped" and shown
        wrong += [f"{path.name}: {line}" for line in missing]
        wrong += (
            [f"{path.name}: {prompt['problem']}"]
            if "problem" in prompt and "problem" not in prompt_before
            else []
        )
        page.do(SWAP, {"to": "stock", "options": {}})
        after = page.do(VALUES)
        figures["put back equal"] += after == before
        wrong += [f"{path.name}: not put back"] if after != before else []
        baked = page.do(SWAP, {"to": "baked", "options": {"record": name, "anyway": True}})
        figures["baked"] += baked["changed"]
        wrong += [f"{path.name}: {each}" for each in page.complaints() if each not in broken_before]
        page.do("document.querySelectorAll('.sd-veil').forEach((veil) => veil.remove())")
        page.close_toasts()
    with capsys.disabled():
        print(f"\n{figures}")
    assert not wrong, "\n".join(wrong)
