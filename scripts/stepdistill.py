"""StepDistill's door for A1111, Forge and reForge, which run every file of this folder under its
bare name. The code is in a1111/.

Our packages are loaded under one name of their own: other extensions may own the top-level names
`scheduler` and `a1111`, and the first to be imported would win.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

ALIAS = "stepdistill_webui"
ROOT = str(Path(__file__).resolve().parents[1])

if ALIAS not in sys.modules:
    spec = ModuleSpec(ALIAS, None, is_package=True)
    spec.submodule_search_locations = [ROOT]
    sys.modules[ALIAS] = module_from_spec(spec)

StepDistillScript = importlib.import_module(f"{ALIAS}.a1111").register()
