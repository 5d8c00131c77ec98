"""A real ComfyUI server with a real browser: every front end that is named, with classic and with
Vue nodes.

COMFYUI_PATH names the checkout. COMFYUI_FRONTENDS: folders with an unpacked
comfyui-frontend-package (or its static folder), separated as in PATH; without it the server's own
front end. The tests run once for each. Needs playwright and Debian's chromium (or CHROMIUM_PATH).
"""

from __future__ import annotations

import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium")


def frontends() -> list[str]:
    """The front ends to try; "" is the server's own."""
    return [each for each in os.environ.get("COMFYUI_FRONTENDS", "").split(os.pathsep) if each] or [
        ""
    ]


FIRST_WITH_WIDGETS = (1, 28)  # front ends whose Vue nodes show widgets of extensions


def _vue_shows_widgets() -> bool:
    """Of the front ends that are tried; one that is named by folder is taken for a newer one."""
    if os.environ.get("COMFYUI_FRONTENDS"):
        return True
    try:
        major, minor, *_ = version("comfyui-frontend-package").split(".")
    except PackageNotFoundError:
        return True
    return (int(major), int(minor)) >= FIRST_WITH_WIDGETS


def pytest_collection_modifyitems(config, items):
    """Leave out Vue nodes where they show no widgets of extensions; skip this folder's tests where
    something is missing, and say what."""
    if not _vue_shows_widgets():
        left = [i for i in items if HERE in i.path.parents and "vue" in i.name]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    missing = [
        reason
        for reason, there in (
            ("COMFYUI_PATH names no checkout", os.environ.get("COMFYUI_PATH")),
            ("playwright is not installed", find_spec("playwright")),
            ("chromium is not installed", CHROMIUM),
        )
        if not there
    ]
    for item in items:
        if missing and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=missing[0]))


def _static(folder: str) -> str:
    """The folder that holds index.html."""
    inside = [
        Path(folder),
        Path(folder) / "static",
        Path(folder) / "comfyui_frontend_package" / "static",
    ]
    return str(next(each for each in inside if (each / "index.html").is_file()))


@pytest.fixture(scope="session", params=frontends(), ids=lambda folder: Path(folder).name or "own")
def server(request):
    """A server with one of the front ends, its store empty."""
    from tests.comfyui.server import Server

    arguments = ["--front-end-root", _static(request.param)] if request.param else []
    with Server(os.environ["COMFYUI_PATH"], arguments=arguments) as started:
        yield started


@pytest.fixture(scope="session")
def browser():
    """Chromium, for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", rules])
        yield found
        found.close()


@pytest.fixture(scope="module", params=["classic", "vue"])
def page(request, server, browser):
    """The page, with classic or Vue nodes, ready for work; see page.Page."""
    from tests.browser.page import Page

    with Page(server, browser, vue=request.param == "vue") as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_errors_of_ours(request):
    """Whatever is done, nothing of ours complains on the console, and the host does not break."""
    yield
    if "page" in request.fixturenames:
        assert request.getfixturevalue("page").complaints() == []


@pytest.fixture
def emptied(server):
    """The store holds no record and no recording afterwards."""
    from scheduler.store import Store

    yield
    store = Store(server.store)
    for brief in store.records():
        store.remove(brief.file)
    store.clear_recordings()


@pytest.fixture
def stored(server):
    """The record that `made` makes, in an otherwise empty store; its name there."""
    from scheduler.store import Store
    from tests.browser.made import made

    store = Store(server.store)
    for brief in store.records():
        store.remove(brief.file)
    yield store.put(made()).removesuffix(".json")
    for brief in store.records():
        store.remove(brief.file)
