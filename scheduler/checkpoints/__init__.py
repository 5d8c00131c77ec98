"""Two small, really trained checkpoints of handwritten digits.

With the modules that run them without any host.
"""

from __future__ import annotations

from .load import Checkpoint, load_checkpoint

__all__ = ["Checkpoint", "load_checkpoint"]
