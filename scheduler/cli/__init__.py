"""The command line: one file a command."""

from .commands import INTERRUPTED, MISTAKE, OK, STOPPED, USAGE, main

__all__ = ["INTERRUPTED", "MISTAKE", "OK", "STOPPED", "USAGE", "main"]
