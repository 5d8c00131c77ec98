"""Plots of schedules, error curves and pictures (needs matplotlib)."""

from .curves import chosen_steps, plot_errors, plot_schedules
from .pictures import PictureRow, plot_pictures

__all__ = ["PictureRow", "chosen_steps", "plot_errors", "plot_pictures", "plot_schedules"]
