"""Where a source lies: a folder, or the address of a static page; what is neither is refused with
what to do instead."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from ..errors import SourceError
from .index_form import INDEX_FILE

FOLDER, WEB = "folder", "web"
MOST_CHARACTERS = 500
# Pages of these show a repository; its files lie at another address.
_RAW = {
    "github.com": "https://raw.githubusercontent.com/{path}/HEAD/",
    "gitlab.com": "https://gitlab.com/{path}/-/raw/HEAD/",
    "huggingface.co": "https://huggingface.co/{path}/resolve/main/",
}


@dataclass(frozen=True)
class Address:
    """kind: FOLDER or WEB. text: an absolute folder, or an address that ends in "/"."""

    kind: str
    text: str


def address_of(given: str) -> Address:
    """The address that a user gave; raises SourceError.

    git itself is never started: a repository is cloned by its user and added as a folder, or read
    through its raw files.
    """
    given = str(given).strip()
    if not given or len(given) > MOST_CHARACTERS or not given.isprintable():
        raise SourceError(
            "A source is a folder or a web address of at most 500 plain characters; "
            "this is neither."
        )
    if given.startswith("git@") or _scheme(given) in ("git", "ssh", "git+ssh", "git+https"):
        raise SourceError(_clone(given))
    if "://" in given:
        return Address(WEB, _web(given))
    return Address(FOLDER, _folder(given))


def _scheme(given: str) -> str:
    return given.partition("://")[0].lower() if "://" in given else ""


def _clone(given: str) -> str:
    return (
        f"{given[:120]} is a git repository; clone it with git and add the folder, "
        "or add the address of its raw files."
    )


def _folder(given: str) -> str:
    folder = Path(given).expanduser()
    if folder.name == INDEX_FILE:
        folder = folder.parent
    if not folder.is_dir():
        raise SourceError(
            f"{given[:200]!a} is no folder; give a folder with a {INDEX_FILE}, or a web address."
        )
    return os.path.realpath(folder)


def _web(given: str) -> str:
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme.lower() not in ("http", "https"):
        raise SourceError(f"{given[:120]!a} is no http or https address of a page; give one.")
    if parts.username is not None or parts.query or parts.fragment:
        raise SourceError(
            f"The address of a source is a plain one, without a user's name, '?' or '#': "
            f"{parts.scheme}://{host}/... is read as it stands."
        )
    path = parts.path.removesuffix(INDEX_FILE)
    _refuse_pages(given, host.lower().removeprefix("www."), path)
    path = quote(path if path.endswith("/") else f"{path}/", safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, "", ""))


def _refuse_pages(given: str, host: str, path: str) -> None:
    if path.rstrip("/").endswith(".git") and host not in _RAW:
        raise SourceError(_clone(given))
    names = [part for part in path.split("/") if part]
    files = {"-", "raw", "resolve"} & set(names)
    if host not in _RAW or len(names) < 2 or files:
        return
    count = 3 if names[0] in ("datasets", "spaces") else 2
    raw = _RAW[host].format(path="/".join(names[:count]).removesuffix(".git"))
    raise SourceError(
        f"This is a repository's page, not its files; add {raw}, "
        "or clone it with git and add the folder."
    )
