"""The store: the cache of records on disk, shared by hosts and processes."""

from .catalogue import SETTLED
from .store import Store

__all__ = ["SETTLED", "Store"]
