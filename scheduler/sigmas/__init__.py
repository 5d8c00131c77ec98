"""Schedules: stock ones, published and noise tables, and what makes one valid.

All arithmetic is float64 on the CPU.
"""

from .noise_table import (
    NoiseTable,
    check_range,
    edm_table,
    flow_table,
    flux_table,
    sd_table,
    table_for,
)
from .published import PUBLISHED, published_for, published_schedule
from .stock import MOST_BASELINES, STOCK, baselines, log_snr_grid, stock_schedule, tails
from .validity import check_schedule, check_steps, strictly_decreasing, truncate

__all__ = [
    "MOST_BASELINES",
    "PUBLISHED",
    "STOCK",
    "NoiseTable",
    "baselines",
    "check_range",
    "check_schedule",
    "check_steps",
    "edm_table",
    "flow_table",
    "flux_table",
    "log_snr_grid",
    "published_for",
    "published_schedule",
    "sd_table",
    "stock_schedule",
    "strictly_decreasing",
    "table_for",
    "tails",
    "truncate",
]
