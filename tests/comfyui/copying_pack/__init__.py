"""A pack that copies the host's list of schedulers when it loads, as several public ones do. Its
folder's name is in its nodes' ids."""

from pathlib import Path

import comfy.samplers

NAME = Path(__file__).parent.name
COPY = list(comfy.samplers.KSampler.SCHEDULERS)
MORE = comfy.samplers.KSampler.SCHEDULERS + ["MORE"]
SAMPLERS = list(comfy.samplers.KSampler.SAMPLERS)
BEFORE = "distilled" not in COPY
OTHERS = ["simple", "of my own"]


class Selector:
    RETURN_TYPES, FUNCTION, CATEGORY = (COPY, SAMPLERS), "go", "testing"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"scheduler": (COPY,), "sampler": (SAMPLERS,)}}

    def go(self, scheduler, sampler):
        return scheduler, sampler


class Detailer:
    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "go", "testing", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"scheduler": (MORE,), "before": ([str(BEFORE)],), "own": (OTHERS,)}}

    def go(self, **_):
        return ()


NODE_CLASS_MAPPINGS = {f"Selector_{NAME}": Selector, f"Detailer_{NAME}": Detailer}
