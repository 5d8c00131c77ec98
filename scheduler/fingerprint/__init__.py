"""Who a checkpoint is: a fingerprint of its weights that is equal across hosts and restarts."""

from .identity import Fingerprint, file_hash, fingerprint_file, fingerprint_tensors

__all__ = ["Fingerprint", "file_hash", "fingerprint_file", "fingerprint_tensors"]
