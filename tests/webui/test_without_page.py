"""The host started with --nowebui: the API alone, with everything of ours in it, behind the host's
own accounts."""

from __future__ import annotations

import os
import urllib.error

import pytest

from tests.webui.conftest import Host
from tests.webui.server import Server


def test_routes_and_pictures_without_a_page(model, record, tmp_path):
    """A record is used and told of; users of --api-auth alone reach our routes."""
    from scheduler.store import Store

    Server.account = "ann:secret"
    try:
        with Server(
            os.environ["WEBUI_PATH"],
            tmp_path,
            model,
            ("--nowebui", "--no-hashing", "--api-auth", "ann:secret"),
        ) as server:
            name = Store(server.store).put(record).removesuffix(".json")
            told, sigmas = Host(server).draw(sampler_name="Euler", scheduler="Distilled")
            assert told["StepDistill"] == f"exact | {name} | 4 steps of Euler" and len(sigmas) == 4
            assert [entry["name"] for entry in server.get("/stepdistill/v1/records")] == [name]
            assert server.get("/stepdistill/v1/status")["match"]["record"] == name
            server.account = "ann:guess"
            for path in ("records", "status", "progress", f"records/{name}"):
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    server.get(f"/stepdistill/v1/{path}")
    finally:
        Server.account = ""
