"""Whose a record is that somebody else has made and nobody has checked here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """The source's name, who says so in their own words, and the key that they signed with, in short, or
    ""."""

    source: str
    by: str
    signed: str = ""
