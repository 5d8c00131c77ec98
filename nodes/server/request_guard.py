"""Which requests our routes take: JSON of a bounded size and, where something is to be changed,
only from the page itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit


class Refused(Exception):
    """A request is refused; status: of the answer."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


def foreign(headers: Mapping[str, str]) -> str | None:
    """Why a request that changes something may come from another site's page, or None. Browsers let
    no page forge these headers."""
    kind = headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        return "Only requests of the type application/json are taken here."
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return None if site == "same-origin" else "Requests from pages of other sites are refused."
    origin = headers.get("Origin")
    if origin is None or urlsplit(origin).netloc.lower() == headers.get("Host", "").lower():
        return None
    return "Requests from pages of other sites are refused."


async def body_of(request, most: int) -> dict:
    """The JSON object that a request brings; raises Refused before more than `most` bytes are read."""
    wrong = foreign(request.headers)
    if wrong:
        raise Refused(403, wrong)
    parts, size = [], 0
    async for part in request.content.iter_chunked(1 << 16):
        size += len(part)
        if size > most:
            raise Refused(413, f"This is too large: at most {most:,} bytes are taken here.")
        parts.append(part)
    try:
        data = json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        raise Refused(400, "This is not JSON.") from None
    if not isinstance(data, dict):
        raise Refused(400, "This is not a JSON object.")
    return data


def text_of(data: Mapping, name: str) -> str:
    """A field that must be there, as text; raises Refused."""
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"`{name}` is missing.")
    return value


def number_of(value: str | None) -> int | None:
    """The whole number that a query gives, or None."""
    return (
        int(value)
        if value is not None and value.isascii() and value.isdigit() and len(value) < 6
        else None
    )
