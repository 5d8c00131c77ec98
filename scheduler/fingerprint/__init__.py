"""Who a checkpoint is: a fingerprint of its weights that is equal across hosts and restarts."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .identity import (
        Fingerprint,
        file_hash,
        fingerprint_file,
        fingerprint_parts,
        fingerprint_tensors,
    )

__all__ = [
    "Fingerprint",
    "file_hash",
    "fingerprint_file",
    "fingerprint_parts",
    "fingerprint_tensors",
]


def __getattr__(name: str):
    """What reads weights needs numpy, which is loaded with the first of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(".identity", __name__), name)
    globals()[name] = found
    return found
