"""How an extra of mx-envs is installed on this machine: the package is on no index, so the command names what it came from."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit


def how_to_install(extra: str) -> str:
    """The command that adds an extra (``train``, ``sb3``, ``trading``) to this installation.

    It names the checkout or the wheel that mx-envs was installed from; where that is gone, the packages themselves.
    """
    try:
        distribution = importlib.metadata.distribution("mx-envs")
    except importlib.metadata.PackageNotFoundError:  # used from a folder on sys.path
        return f"pip install -e '.[{extra}]' in the checkout of mx-envs"
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    place = Path(unquote(urlsplit(str(origin.get("url", ""))).path))
    if str(origin.get("url", "")).startswith("file:") and place.exists():
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return f"pip install {editable}{_quoted(f'{place}[{extra}]')}"
    return f"pip install {' '.join(_quoted(wanted) for wanted in requirements(extra, distribution.requires))}"


def requirements(extra: str, wanted: list[str] | None) -> list[str]:
    """What an extra asks for, among a distribution's requirements."""
    marker = re.compile(rf""";\s*extra\s*==\s*['"]{re.escape(extra)}['"]\s*$""")
    return [marker.sub("", line).strip() for line in wanted or () if marker.search(line)]


def _quoted(text: str) -> str:
    return shlex.quote(text) if shlex.quote(text) != text else f"'{text}'"
