"""Every node has a help page (web/docs) that names all of its inputs and outputs."""

from __future__ import annotations

import re

import pytest

from tests.nodes.pack import ROOT, module

NODES = module("nodes").NODE_CLASS_MAPPINGS


@pytest.mark.parametrize("name", NODES)
def test_every_node_has_a_help_page(name):
    path = ROOT / "web" / "docs" / f"{name}.md"
    assert path.exists(), (
        f"write web/docs/{name}.md: what the node is for, its inputs and outputs, an example"
    )
    page = path.read_text(encoding="utf-8")
    assert page.startswith("# ") and "## Example" in page
    given = NODES[name].INPUT_TYPES()
    inputs = given.get("required", {}) | given.get("optional", {})
    named = {*inputs, *NODES[name].RETURN_NAMES}
    assert named - set(re.findall(r"\w+", page)) == set()
