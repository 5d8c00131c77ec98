"""Where the store is: the first of an argument, the environment variable STEPDISTILL_STORE, the
host's own user folder, and the platform's folder for users' data.

The last is the one that `platformdirs` names, so that every program of one user shares it. That
package is used where it is installed and imitated where it is not: a pack that is merely cloned
into a host must find the same store.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ..errors import OutputError
from ..files import PathLike

VARIABLE = "STEPDISTILL_STORE"
NAME = "stepdistill"
# In a store, what stopped runs go on with; hidden, so that no record is sought there.
UNFINISHED = ".unfinished"


def store_folder(
    given: PathLike | None = None,
    host: PathLike | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """The folder of the store, which need not exist yet: `given`, else the environment's, else the
    host's (its user folder, given by its adapter), else the platform's. Empty ones count as
    missing. Raises OutputError for a path with a NUL character."""
    found = str(given or environment.get(VARIABLE) or host or "")
    if "\0" in found:
        raise OutputError("The store's folder holds a NUL character; give a plain path.")
    return Path(found).expanduser() if found else Path(_platform_folder(environment)) / "store"


def _platform_folder(environment: Mapping[str, str]) -> str:
    try:
        from platformdirs import user_data_dir
    except ImportError:
        return _imitated(environment)
    return user_data_dir(NAME, appauthor=False)


def _imitated(environment: Mapping[str, str], platform: str = sys.platform) -> str:
    home = os.path.expanduser("~")
    if platform == "win32":
        return os.path.join(
            environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), NAME
        )
    if platform == "darwin":
        return os.path.join(home, "Library", "Application Support", NAME)
    return os.path.join(
        (environment.get("XDG_DATA_HOME") or "").strip() or os.path.join(home, ".local", "share"),
        NAME,
    )
