"""What is asked of the host, by the features that it has and never by its version."""

from __future__ import annotations

import sys
from typing import Any

from .names import LABEL, NAME


def option(name: str, default: Any) -> Any:
    """One of the host's or our own settings; the default where the host does not know it (yet)."""
    from modules import shared

    opts = getattr(shared, "opts", None)
    value = getattr(opts, name, default) if opts is not None else default
    return default if value is None else value


def has_schedules() -> bool:
    """Whether the host keeps a list of schedule types, and draws with k-diffusion's samplers."""
    try:
        from modules import sd_schedulers
        from modules.sd_samplers_kdiffusion import KDiffusionSampler
    except ImportError:
        return False
    return hasattr(sd_schedulers, "schedulers_map") and hasattr(KDiffusionSampler, "get_sigmas")


def sampler_labels() -> dict[str, str]:
    """The host's names of samplers ("DPM++ 2M") by their functions without "sample_", ours among
    them; of several names for one function the first."""
    found = {NAME: LABEL}
    module = sys.modules.get("modules.sd_samplers_kdiffusion")
    for label, function, *_ in getattr(module, "samplers_k_diffusion", ()):
        name = getattr(function, "__name__", function)
        found.setdefault(str(name).removeprefix("sample_"), str(label))
    return found


def distillable() -> list[str]:
    """The samplers that recipes are made for, of those that this host has; the usual ones first."""
    from ..scheduler.samplers.names import DISTILLABLE, RELATIVE

    there = sampler_labels()
    usual = (NAME, RELATIVE)
    return [*usual, *(name for name in DISTILLABLE if name in there and name not in usual)]


def loaded_model() -> Any | None:
    """The checkpoint that is loaded now, or None; nothing is ever loaded for the question."""
    from modules import sd_models

    model = getattr(sd_models.model_data, "sd_model", None)
    return model if getattr(model, "sd_checkpoint_info", None) is not None else None


def chosen_checkpoint() -> str:
    """The file of the checkpoint that the host's settings name, loaded yet or not; "" where that is
    not known."""
    from modules import sd_models

    find = getattr(sd_models, "get_closet_checkpoint_match", None)  # the host's spelling
    info = find(option("sd_model_checkpoint", "")) if find is not None else None
    found = info or getattr(loaded_model(), "sd_checkpoint_info", None)
    return str(getattr(found, "filename", "") or "")


def forge_unet(model: Any) -> Any | None:
    """Forge's patcher of a model's UNet, or None on other hosts."""
    return getattr(getattr(model, "forge_objects", None), "unet", None)


def interrupted() -> bool:
    """Whether the user asked the host to stop."""
    from modules import shared

    return bool(
        shared.state.interrupted
        or shared.state.skipped
        or getattr(shared.state, "stopping_generation", False)
    )


def on_main_thread(work):
    """What `work()` returns, run where the host runs its models."""
    main_thread = sys.modules.get("modules_forge.main_thread")
    return work() if main_thread is None else main_thread.run_and_wait_result(work)


def say(sentence: str) -> None:
    """A line in the host's console, each sentence once in a row."""
    if _said[-1:] != [sentence]:
        _said[:] = [sentence]
        print(f"StepDistill: {sentence}", flush=True)


_said: list[str] = []
