"""A pipeline from a folder or a single checkpoint file; never from a pickle."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import infer_diffusers_model_type
from safetensors.torch import load_file

from ..errors import CheckpointError, StepDistillError
from ..files import PathLike
from .facts import takes

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
OFFLOADS = ("model", "sequential")
# The pipeline of a single file, by what diffusers takes it for (the start of its name).
_CLASSES = (
    ("xl_base", "StableDiffusionXLPipeline"),
    ("sd3", "StableDiffusion3Pipeline"),
    ("flux-dev", "FluxPipeline"),
    ("flux-schnell", "FluxPipeline"),
    ("v1", "StableDiffusionPipeline"),
    ("v2", "StableDiffusionPipeline"),
)


def load_pipeline(
    path: PathLike,
    config: PathLike | None = None,
    dtype: str | None = None,
    device: str = "cpu",
    offload: str | None = None,
) -> Any:
    """A pipeline from a folder of diffusers' kind, or from a checkpoint file (.safetensors).

    config: for a file, the folder of a pipeline of its kind, whose configuration is taken; without
    it diffusers fetches the usual one from its hub. dtype: of DTYPES (default: float32 on the CPU,
    else bfloat16). offload: of OFFLOADS, in the place of moving all to the device. Raises
    CheckpointError.
    """
    place = Path(path)
    if not place.exists():
        raise CheckpointError(
            f"{place} does not exist; name the folder of a diffusers pipeline, or a checkpoint file."
        )
    diffusers.utils.logging.disable_progress_bar()  # of files; the commands have bars of their own
    transformers.utils.logging.disable_progress_bar()
    usual = "float32" if torch.device(device).type == "cpu" else "bfloat16"
    about = {"torch_dtype": DTYPES[dtype or usual]}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch_dtype's newer name
            pipe = _of_folder(place, about) if place.is_dir() else _of_file(place, config, about)
    except StepDistillError:
        raise
    except Exception as problem:  # diffusers' own, of many kinds
        what = " ".join(str(problem).split())[:300]
        raise CheckpointError(
            f"diffusers could not load {place} ({type(problem).__name__}: {what}); "
            "name the folder of a pipeline with safetensors weights, or a checkpoint file."
        ) from problem
    return _placed(pipe, device, offload)


def call_for(
    pipe: Any,
    size: tuple[int, int] | None = None,
    cfg: float | None = None,
    guidance: float | None = None,
    negative: str | None = None,
    frames: int | None = None,
) -> dict[str, Any]:
    """What a pipeline is called with beside prompts and steps; what is None stays its own.

    size: (width, height) in pixels. guidance: the distilled one, of models that take it.
    """
    wide, tall = size or (None, None)
    given = {
        "width": wide,
        "height": tall,
        "num_frames": frames,
        "negative_prompt": negative,
        takes(pipe, distilled=False): cfg,
        takes(pipe, distilled=True): guidance,
    }
    return {name: value for name, value in given.items() if name and value is not None}


def _of_folder(place: Path, about: dict) -> Any:
    return diffusers.DiffusionPipeline.from_pretrained(
        str(place), use_safetensors=True, local_files_only=True, **about
    )


def _of_file(place: Path, config: PathLike | None, about: dict) -> Any:
    if place.suffix.lower() != ".safetensors":
        raise CheckpointError(
            f"{place} is no .safetensors file; pickles are never opened, so convert it first."
        )
    kind = infer_diffusers_model_type(load_file(str(place)))
    name = next((name for start, name in _CLASSES if kind.startswith(start)), None)
    if name is None:
        raise CheckpointError(
            f"{place} looks like {kind}, for which no pipeline is known here; "
            "name the folder of a diffusers pipeline."
        )
    if config is not None:
        about |= {"config": str(config), "local_files_only": True}
    return getattr(diffusers, name).from_single_file(str(place), **about)


def _placed(pipe: Any, device: str, offload: str | None) -> Any:
    if offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    return pipe
