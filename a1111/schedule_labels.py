"""The host's labels of stock schedules."""

from __future__ import annotations

import sys

HOSTS_NAMES = {
    "ddim_uniform": "ddim",
    "ays-sd1": "align_your_steps",
    "ays-sdxl": "align_your_steps",
}


def schedule_label(name: str) -> str:
    """The host's label of a stock schedule, or "" where its list has none of that name."""
    module = sys.modules.get("modules.sd_schedulers")
    known = getattr(module, "schedulers_map", {})
    found = known.get(HOSTS_NAMES.get(name, name))
    return str(found.label) if found is not None else ""
