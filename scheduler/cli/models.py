"""The model a command works on: a checkpoint file, or anyone's Python function."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DenoiserError, StepDistillError, UnknownNameError
from .console import classes, noise_scale, positive_or_zero, shape

if TYPE_CHECKING:  # torch is imported where a command first needs it
    import torch

    from ..checkpoints import Checkpoint
    from ..denoiser import Denoiser
    from ..fingerprint import Fingerprint


USUAL_CFG = 2.0  # of the bundled checkpoints


@dataclass(frozen=True)
class Asked:
    """What distilling and comparing need of a model.

    Two denoisers (under conditioning that is seen, and held out), its range, kind and name.
    prompts: how many are seen. checkpoint: None for one's own function.
    """

    denoise: Denoiser
    evidence_denoise: Denoiser | None
    latent_shape: tuple[int, ...]
    sigma_min: float
    sigma_max: float
    parametrisation: str
    name: str
    shift: float | None = None
    noise_scale: float = 1.0
    prediction: str | None = None
    prompts: int | None = None
    checkpoint: Checkpoint | None = None
    fingerprint: Fingerprint | None = None


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
    import torch

    from ..checkpoints import load_checkpoint
    from ..checkpoints.load import BUNDLED
    from ..fingerprint import fingerprint_file

    loaded = load_checkpoint(arguments.model, arguments.device)
    # So small are these networks that a second thread slowed them, up to five times on a busy
    # machine.
    torch.set_num_threads(1)
    return Asked(
        denoise=of_classes(loaded, arguments.classes, arguments.cfg),
        evidence_denoise=of_classes(loaded, arguments.test_classes, arguments.cfg),
        latent_shape=loaded.latent_shape,
        sigma_min=loaded.sigma_min,
        sigma_max=loaded.sigma_max,
        parametrisation=loaded.parametrisation,
        name=loaded.name,
        shift=loaded.shift,
        prediction=loaded.prediction,
        prompts=len(arguments.classes),
        checkpoint=loaded,
        fingerprint=fingerprint_file(BUNDLED.get(arguments.model, arguments.model)),
    )


def of_classes(checkpoint: Checkpoint, digits: Sequence[int], cfg: float) -> Denoiser:
    """The checkpoint's denoiser for any batch: row i is asked for class digits[i % len(digits)]."""
    import torch

    ready: dict[int, Denoiser] = {}

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        count = len(x)
        if count not in ready:
            rows = torch.tensor([digits[i % len(digits)] for i in range(count)])
            ready[count] = checkpoint.denoiser(rows, cfg)
        return ready[count](x, sigma)

    return denoise


def from_function(arguments: argparse.Namespace) -> Asked:
    """Anyone's Python denoiser."""
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
