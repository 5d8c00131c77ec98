"""locales/en/nodeDefs.json says what the nodes themselves say, ready to be translated.

To write it anew: python tests/nodes/test_locales.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "locales" / "en" / "nodeDefs.json"


def definitions() -> dict:
    """Every node's name, description, inputs and outputs with their tooltips, as the page's
    translations are laid out."""
    from tests.nodes.pack import module

    nodes = module("nodes")
    return {
        name: _definition(kind, nodes.NODE_DISPLAY_NAME_MAPPINGS[name])
        for name, kind in nodes.NODE_CLASS_MAPPINGS.items()
    }


def _definition(kind, title: str) -> dict:
    given = kind.INPUT_TYPES()
    inputs = {
        name: options
        for group in ("required", "optional")
        for name, (_, options) in given.get(group, {}).items()
    }
    names = getattr(kind, "RETURN_NAMES", kind.RETURN_TYPES)
    tips = getattr(kind, "OUTPUT_TOOLTIPS", ("",) * len(names))
    return {
        "display_name": title,
        "description": kind.DESCRIPTION,
        "inputs": {
            name: {"name": name, "tooltip": options["tooltip"]} for name, options in inputs.items()
        },
        "outputs": {
            str(k): {"name": name, "tooltip": tip}
            for k, (name, tip) in enumerate(zip(names, tips, strict=True))
        },
    }


def test_the_file_says_what_the_nodes_say():
    known, said = json.loads(FILE.read_text("utf-8")), definitions()
    other = [name for name in said.keys() | known.keys() if said.get(name) != known.get(name)]
    assert not other, f"write {FILE.relative_to(ROOT)} anew by: python tests/nodes/test_locales.py"


def test_what_a_node_says_of_itself_is_broken_into_lines_by_the_page():
    assert not [name for name, said in definitions().items() if "\n" in said["description"]]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    FILE.write_text(json.dumps(definitions(), indent=2, ensure_ascii=False) + "\n", "utf-8")
