"""ComfyUI's nodes: adapters over `scheduler/`, a file a family. Ids, input names and outputs never
change once released."""

from importlib import import_module

# id: (module, display name), in the order of the menu.
_NODES = {
    "StepDistillKSampler": ("few_step.node", "Few-Step KSampler"),
    "StepDistillPairKSampler": ("few_step.pair_node", "Few-Step KSampler (Pair)"),
    "StepDistillDistill": ("distill", "Distill Schedule"),
    "StepDistillPair": ("distill_pair", "Distil Pair"),
    "StepDistillMakersSigmas": ("makers_sigmas", "Maker's Sigmas"),
    "StepDistillSigmas": ("sigmas", "Distilled Sigmas"),
    "StepDistillSampler": ("sampler", "Distilled Sampler"),
    "StepDistillApply": ("apply", "Apply Distilled Schedule"),
    "StepDistillCompare": ("compare", "Compare Schedules"),
    "StepDistillLoad": ("records.load", "Load Record"),
    "StepDistillSave": ("records.save", "Save Record"),
    "StepDistillFromText": ("records.from_text", "Record from Text"),
    "StepDistillBake": ("bake", "Bake Sigmas"),
    "StepDistillSplit": ("bake", "Split at Sigma"),
}


NODE_CLASS_MAPPINGS = {
    name: getattr(import_module(f".{module}", __name__), name)
    for name, (module, _) in _NODES.items()
}
NODE_DISPLAY_NAME_MAPPINGS = {name: display for name, (_, display) in _NODES.items()}
