"""The model a command works on: a checkpoint file, or anyone's Python function."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING

from ..errors import DenoiserError, StepDistillError, UnknownNameError
from .console import classes, noise_scale, positive_or_zero, shape

if TYPE_CHECKING:  # torch is imported where a command first needs it
    from ..checkpoints.asked import Asked
    from ..denoiser import Denoiser


def add_model(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which model."""
    parser.add_argument(
        "model",
        nargs="?",
        metavar="CHECKPOINT",
        help='"flow" or "eps" (bundled), or a checkpoint file of their two layouts',
    )
    digits = parser.add_argument_group("for a checkpoint (they draw handwritten digits)")
    digits.add_argument("--cfg", type=float, help="guidance scale (default 2)")
    digits.add_argument(
        "--classes",
        type=classes,
        default=list(range(5)),
        metavar="0-4",
        help="the digits to distil on",
    )
    digits.add_argument(
        "--test-classes",
        type=classes,
        default=list(range(5, 10)),
        metavar="5-9",
        help="the digits of the evidence",
    )
    own = parser.add_argument_group("for your own model")
    own.add_argument(
        "--denoiser",
        metavar="PACKAGE.MODULE:FUNCTION",
        help="a function denoise(x, sigma) -> x0: x of shape (B, ...), sigma (B,), guidance inside. "
        "It is imported, so your own code runs: name only code that you trust",
    )
    own.add_argument(
        "--latent-shape",
        type=shape,
        metavar="16x64x64",
        help="one sample's shape, without the batch",
    )
    own.add_argument("--sigma-min", type=float, help="the lowest noise level it knows, above 0")
    own.add_argument("--sigma-max", type=float, help="the highest (1 for flow models)")
    own.add_argument(
        "--parametrisation",
        choices=("flow", "ve"),
        help="flow: x = (1-s) x0 + s n; ve: x = x0 + s n (eps, v, EDM)",
    )
    own.add_argument(
        "--shift", type=float, help="a flow model's time shift, so that stock schedules are its own"
    )
    own.add_argument(
        "--noise-scale",
        type=noise_scale,
        default=1.0,
        help="what the noise it begins with is multiplied by (default 1; HiDream O1 has 8)",
    )
    parser.add_argument(
        "--device", default="cpu", help="where the model runs: cpu (default), cuda, ..."
    )
    parser.add_argument(
        "--seed",
        type=positive_or_zero,
        default=0,
        help="of the noise (default 0); the evidence uses other noise",
    )


def asked_model(arguments: argparse.Namespace) -> Asked:
    """Load what the arguments name. Raises CheckpointError, DenoiserError and UnknownNameError."""
    from ..checkpoints.asked import USUAL_CFG

    if arguments.cfg is None:
        arguments.cfg = USUAL_CFG
    if (arguments.model is None) == (arguments.denoiser is None):
        raise UnknownNameError(
            'Name one model: "flow", "eps" or a checkpoint file, '
            "or --denoiser package.module:function."
        )
    check_device(arguments.device)
    return from_function(arguments) if arguments.denoiser else from_checkpoint(arguments)


def check_device(device: str) -> None:
    """Raise UnknownNameError unless torch can put a number there."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UnknownNameError(
            f"Device {device!r} is not usable here; try cpu, or another that this torch supports."
        ) from None


def from_checkpoint(arguments: argparse.Namespace) -> Asked:
    """A checkpoint under two sets of classes."""
    from ..checkpoints.asked import asked_checkpoint

    return asked_checkpoint(
        arguments.model,
        arguments.cfg,
        arguments.classes,
        arguments.test_classes,
        arguments.device,
    )


def from_function(arguments: argparse.Namespace) -> Asked:
    """Anyone's Python denoiser."""
    from ..checkpoints.asked import Asked

    needed = ("latent_shape", "sigma_min", "sigma_max", "parametrisation")
    missing = [f"--{name.replace('_', '-')}" for name in needed if getattr(arguments, name) is None]
    if missing:
        raise UnknownNameError(
            f"--denoiser needs {', '.join(missing)} too: nothing else says what the model works on."
        )
    return Asked(
        denoise=imported(arguments.denoiser),
        evidence_denoise=None,
        latent_shape=arguments.latent_shape,
        sigma_min=arguments.sigma_min,
        sigma_max=arguments.sigma_max,
        parametrisation=arguments.parametrisation,
        name=arguments.denoiser[:300],
        shift=arguments.shift,
        noise_scale=arguments.noise_scale,
    )


def imported(name: str) -> Denoiser:
    """The callable that "package.module:function" names; importing it runs its module.

    Raises DenoiserError.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise DenoiserError(
            f"--denoiser {name!r} does not name a function; write it as package.module:function."
        )
    if "" not in sys.path:
        sys.path.insert(0, "")  # the folder one stands in, as python -m has it
    try:
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except StepDistillError:
        raise
    except Exception as problem:  # the user's own code may raise anything while it is imported
        raise DenoiserError(
            f"--denoiser {name!r} could not be imported ({type(problem).__name__}: {problem}); "
            "check the name and the code."
        ) from problem
    if not callable(found):
        raise DenoiserError(
            f"--denoiser {name!r} is a {type(found).__name__}; "
            "it must be a function denoise(x, sigma) -> x0."
        )
    return found
