"""Our settings, from the environment or from ComfyUI's own settings, and the folder of its user."""

from __future__ import annotations

import json
import os
from pathlib import Path

SETTINGS_BYTES = 4 << 20


def user_folder() -> Path | None:
    """The host's folder for its default user, or None outside ComfyUI."""
    try:
        import folder_paths

        return Path(folder_paths.get_user_directory()) / "default"
    except (ImportError, AttributeError, TypeError):
        return None


def setting(name: str, default: object = None) -> object:
    """One of our settings: the environment's STEPDISTILL_<NAME>, else "StepDistill.<Name>" of the
    host's settings, else the default.

    Where the default is a bool, so is the answer: 0, false, no, off and nothing are False.
    """
    found = os.environ.get(f"STEPDISTILL_{name.upper()}")
    if found is None:
        found = _host_settings().get(f"StepDistill.{name}", default)
    if isinstance(default, bool) and isinstance(found, str):
        return found.strip().lower() not in ("", "0", "false", "no", "off")
    return bool(found) if isinstance(default, bool) else found


def _host_settings() -> dict:
    user = user_folder()
    try:
        with open(user / "comfy.settings.json", encoding="utf-8") as file:
            found = json.loads(file.read(SETTINGS_BYTES))
        return found if isinstance(found, dict) else {}
    except (
        OSError,
        ValueError,
        TypeError,
        RecursionError,
    ):  # no file, or a broken one: the host says so itself
        return {}
