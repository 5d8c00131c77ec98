"""Plots of schedules and error curves (needs matplotlib)."""

from .curves import chosen_steps, plot_errors, plot_pictures, plot_schedules

__all__ = ["chosen_steps", "plot_errors", "plot_pictures", "plot_schedules"]
