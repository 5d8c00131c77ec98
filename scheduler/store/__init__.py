"""The store: the cache of records on disk, shared by hosts and processes."""

from .store import SETTLED, Store

__all__ = ["SETTLED", "Store"]
