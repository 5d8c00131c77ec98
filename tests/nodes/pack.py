"""The pack as ComfyUI loads it: one package under a name made from its folder, with `nodes` and
`scheduler` in it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
NAME = "stepdistill_as_loaded"


def module(name: str) -> ModuleType:
    """A module of the pack, such as "nodes.bake" or "scheduler.record"; its classes are not those
    of a plain `import scheduler`."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        package = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{NAME}.{name}")
