"""A diffusers pipeline as the model of a command: its arguments, and what it is called with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, UnknownNameError
from .console import positive

NEEDS_DIFFUSERS = (
    "--pipeline needs diffusers and transformers, which this Python lacks ({name}); install them: "
    "pip install diffusers transformers accelerate."
)


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which pipeline, and how it draws."""
    group = parser.add_argument_group("for a diffusers pipeline (needs pip install .[diffusers])")
    group.add_argument(
        "--pipeline",
        metavar="FOLDER_OR_FILE",
        help="the folder of a pipeline, or a checkpoint file (.safetensors)",
    )
    group.add_argument(
        "--config",
        metavar="FOLDER",
        help="of a checkpoint file: a pipeline of its kind to take the configuration from "
        "(default: diffusers fetches the usual one)",
    )
    group.add_argument(
        "--size", type=size, metavar="1024x1024", help="width x height (default: the pipeline's)"
    )
    group.add_argument("--frames", type=positive, help="of a video (default: the pipeline's)")
    group.add_argument("--negative", metavar="TEXT", help="the negative prompt")
    group.add_argument(
        "--guidance", type=float, help="distilled guidance, of models that take it (FLUX)"
    )
    group.add_argument(
        "--dtype",
        choices=("float32", "float16", "bfloat16"),
        help="of the weights (default: float32 on the CPU, else bfloat16)",
    )
    group.add_argument(
        "--offload",
        choices=("model", "sequential"),
        help="keep weights in the computer's memory, as diffusers does",
    )


def loaded_pipeline(arguments: argparse.Namespace) -> Any:
    """The pipeline that the arguments name; raises CheckpointError and UnknownNameError."""
    from .models import check_device

    check_device(arguments.device)
    try:
        from ..diffusers.loading import load_pipeline
    except ModuleNotFoundError as missing:
        raise UnknownNameError(NEEDS_DIFFUSERS.format(name=missing.name)) from missing
    return load_pipeline(
        arguments.pipeline,
        arguments.config,
        arguments.dtype,
        arguments.device,
        arguments.offload,
    )


def call_of(arguments: argparse.Namespace, pipe: Any) -> dict[str, Any]:
    """What the pipeline is called with beside prompts and steps; what is not given stays its own."""
    from ..diffusers.loading import call_for

    return call_for(
        pipe,
        arguments.size,
        arguments.cfg,
        arguments.guidance,
        arguments.negative,
        arguments.frames,
    )


def prompts_in(path: str) -> list[str]:
    """The prompts of a file, one a line; raises CheckpointError for none."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise CheckpointError(
            f"{path} could not be read as text; name a file with a prompt a line."
        ) from problem
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise CheckpointError(f"{path} holds no prompt; write one a line.")
    return found


def size(text: str) -> tuple[int, int]:
    """ "1024x768" as (width, height)."""
    wide, cross, tall = text.lower().partition("x")
    if not (cross and wide.isdigit() and tall.isdigit() and int(wide) and int(tall)):
        raise argparse.ArgumentTypeError(f"{text!r} was given; expected a size such as 1024x1024")
    return int(wide), int(tall)
