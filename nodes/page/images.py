"""What nodes show as IMAGE: the library's plots, and pictures of latents, decoded by a VAE or in
the host's own quick colours."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...scheduler.errors import OutputError, RecipeError

if TYPE_CHECKING:
    import torch

PLAIN = 64  # pixels of the image that stands where nothing could be drawn


def figure_image(draw: Callable[[Path], None]) -> tuple[torch.Tensor, str]:
    """(IMAGE (1, H, W, 3), "") of what draw(path) writes as a PNG; a plain image and a sentence
    where it cannot be drawn."""
    try:
        with tempfile.TemporaryDirectory(prefix="stepdistill-") as folder:
            path = Path(folder) / "plot.png"
            draw(path)
            return image_of(path), ""
    except (OutputError, OSError) as problem:
        return plain_image(), f"There is no plot: {problem}"


def record_image(record) -> tuple[torch.Tensor, str]:
    """The plot of a record: error against steps, or its schedules where nothing was measured; with
    a sentence where there is none."""
    from ...scheduler.plots.curves import plot_errors, plot_schedules

    try:
        plot = plot_errors if record.evidence.get("curve") else plot_schedules
        return figure_image(lambda path: plot(record, path))
    except RecipeError as problem:
        return plain_image(), f"There is no plot: {problem}"


def plain_image() -> torch.Tensor:
    """A small grey IMAGE."""
    import torch

    return torch.full((1, PLAIN, PLAIN, 3), 0.5)


def image_of(path: Path) -> torch.Tensor:
    """A picture file as IMAGE (1, H, W, 3) in [0, 1]."""
    from PIL import Image

    with Image.open(path) as picture:
        return from_pil(picture)


def from_pil(picture) -> torch.Tensor:
    """A PIL picture as IMAGE (1, H, W, 3) in [0, 1]."""
    import numpy as np
    import torch

    return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255)[None]


def to_pil(picture: torch.Tensor):
    """A picture (H, W, 3) in [0, 1] as PIL's."""
    from PIL import Image

    return Image.fromarray((picture.float().clamp(0, 1) * 255).round().byte().cpu().numpy())


def decoder(patcher, vae=None) -> Callable[[torch.Tensor], torch.Tensor]:
    """decode(latent (1, ...) in the model's own scale) -> picture (H, W, 3) in [0, 1]; of a video
    the middle frame.

    With a VAE as its own decoder would, else by the latent format's quick colours, as the host's
    previews are.
    """
    if vae is not None:
        return lambda latent: _middle(vae.decode(patcher.model.process_latent_out(latent.float())))
    latent_format = patcher.get_model_object("latent_format")
    return lambda latent: quick_colours(latent, latent_format)


def quick_colours(latent: torch.Tensor, latent_format) -> torch.Tensor:
    """A latent (1, C, [T,] H, W) as colours (H, W, 3) by its format's linear map; formats that have
    none show three of their channels."""
    import torch

    reshape = getattr(latent_format, "latent_rgb_factors_reshape", None)
    latent = (reshape(latent) if reshape is not None else latent).float().cpu()
    flat = latent[0, :, latent.shape[2] // 2] if latent.ndim == 5 else latent[0]
    if flat.ndim != 3:
        return torch.full((PLAIN, PLAIN, 3), 0.5)
    factors = getattr(latent_format, "latent_rgb_factors", None)
    if factors is None or len(factors) != len(flat):
        shown = flat[[0, min(1, len(flat) - 1), min(2, len(flat) - 1)]].movedim(0, -1)
        return ((shown - shown.mean()) / (6 * shown.std().clamp(min=1e-6)) + 0.5).clamp(0, 1)
    bias = getattr(latent_format, "latent_rgb_factors_bias", None)
    colours = flat.movedim(0, -1) @ torch.tensor(factors) + (
        0 if bias is None else torch.tensor(bias)
    )
    return ((colours + 1) / 2).clamp(0, 1)


def _middle(pictures: torch.Tensor) -> torch.Tensor:
    """(H, W, 3) of a VAE's answer: (B, H, W, 3), or (B, T, H, W, 3) for a video."""
    if pictures.ndim == 5:
        pictures = pictures[0]
        return pictures[len(pictures) // 2]
    return pictures[len(pictures) // 2]
