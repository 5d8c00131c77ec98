"""Evidence: recipes on held-out noise beside every stock schedule at equal model calls."""

from .measuring import Evidence, measure
from .plan import FEW, WHOLE, default_budget, full_budget, least_budget

__all__ = ["FEW", "WHOLE", "Evidence", "default_budget", "full_budget", "least_budget", "measure"]
