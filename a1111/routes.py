"""Routes beside the host's own API: records to list, import, export and remove; the loaded
checkpoint's; distilling, with progress."""

from __future__ import annotations

import secrets
from typing import Any

from ..scheduler.errors import StepDistillError, UnknownNameError

ROOT = "/stepdistill/v1"


def register() -> None:
    """Have the routes added when the host's server is there, where the host was asked for its own
    API (--api, --nowebui)."""
    from modules import script_callbacks, shared

    if any(getattr(shared.cmd_opts, name, False) for name in ("api", "nowebui")):
        script_callbacks.on_app_started(_add)


def _add(demo: Any, app: Any) -> None:
    from fastapi import Body, Depends, HTTPException, Request

    from . import route_actions as work

    guard = [Depends(_credentials())] if _accounts() else []

    def reached(function, unknown: int = 422):
        """A user's mistake as an answer of one sentence; unknown: the status of a name that is not known."""
        try:
            return function()
        except StepDistillError as problem:
            raise HTTPException(
                unknown if isinstance(problem, UnknownNameError) else 422, str(problem)
            ) from None

    def add(path: str, function, method: str) -> None:
        app.add_api_route(ROOT + path, function, methods=[method], dependencies=guard)

    def export(name: str):
        return reached(lambda: work.export(name), 404)

    def remove(name: str):
        return reached(lambda: work.remove(name), 404)

    async def take(request: Request):
        if "json" not in request.headers.get(
            "content-type", ""
        ):  # other pages' forms cannot send that
            raise HTTPException(415, "Send the record as application/json.")
        text = await request.body()
        return reached(lambda: work.take(text))

    def distil(wish: dict = Body(default={})):  # noqa: B006, B008 - as FastAPI wants it
        return reached(lambda: work.distil(wish))

    # Their annotations are texts here, which FastAPI could not look up.
    export.__annotations__ = remove.__annotations__ = {"name": str}
    take.__annotations__ = {"request": Request}
    distil.__annotations__ = {"wish": dict}
    add("/records", lambda: reached(work.records), "GET")
    add("/records", take, "POST")
    add("/records/{name}", export, "GET")
    add("/records/{name}", remove, "DELETE")
    add("/status", lambda: reached(work.status), "GET")
    add("/distill", distil, "POST")
    add("/progress", lambda: reached(work.progress), "GET")
    add("/interrupt", lambda: reached(work.interrupt), "POST")


def _accounts() -> dict[str, str]:
    """The users that the host's --api-auth names."""
    from modules import shared

    given = getattr(shared.cmd_opts, "api_auth", None) or ""
    return dict(entry.strip().split(":", 1) for entry in given.split(",") if ":" in entry)


def _credentials():
    from fastapi import Depends, HTTPException
    from fastapi.security import HTTPBasic, HTTPBasicCredentials

    def check(given: HTTPBasicCredentials = Depends(HTTPBasic())):  # noqa: B008 - as FastAPI wants it
        known = _accounts().get(given.username, "")
        if not known or not secrets.compare_digest(given.password.encode(), known.encode()):
            raise HTTPException(
                401, "Incorrect username or password", {"WWW-Authenticate": "Basic"}
            )

    check.__annotations__ = {"given": HTTPBasicCredentials}
    return check
