"""What the server loads once on behalf of many jobs."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

PACKAGES = "/mx/packages.zip"
_away: list[Any] = []
_added: set[str] = set()
"""Names of the modules that only jobs of that kind may find loaded."""


def packages() -> list[str]:
    """Where the packages are that the host gave along; none in most slots."""
    return [PACKAGES] if os.path.exists(PACKAGES) else []


def pytest() -> None:
    """Load pytest with its own plugins, once, where it is installed: half a second that no test job has to pay again."""
    if _added:
        return
    before = set(sys.modules)
    try:
        config = importlib.import_module("_pytest.config")
        for name in ("pytest", *(f"_pytest.{name}" for name in config.default_plugins)):
            importlib.import_module(name)
    except ImportError:  # the job will say so itself
        return
    finally:
        _added.update(set(sys.modules) - before)
    gc.collect()
    gc.freeze()


def forget() -> None:
    """Leave none of it to a job of another kind."""
    for name in _added:
        put_away(name)


def put_away(name: str) -> None:
    """Make a module one that was never imported. It is kept, because a fork that frees it copies every page that it is on."""
    _away.append(sys.modules.pop(name, None))
