"""Where on this machine things are kept that can be had again: downloads, tasks made on demand, what was found about records."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``MX_CACHE``, or mx-envs in the user's cache folder."""
    own = os.environ.get("MX_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "mx-envs"
