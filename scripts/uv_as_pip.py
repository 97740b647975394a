"""uv with what pip is configured with on this machine: its package index and its certificates, which uv does not read by itself.

    python scripts/uv_as_pip.py pip install ...

uv is the one of the environment whose Python this is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def uv(*arguments: str) -> int:
    """Run uv with ``arguments``; returns its exit code."""
    program = str(Path(sys.executable).parent / "uv")
    return subprocess.run([program, *arguments], env=environment(), check=False).returncode


def environment() -> dict[str, str]:
    """This process's variables and, unless they say it themselves, the index and certificates that pip would use."""
    variables = dict(os.environ)
    index = os.environ.get("PIP_INDEX_URL") or setting("install.index-url") or setting("global.index-url")
    if index and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(variables):
        variables["UV_DEFAULT_INDEX"] = index
    certificates = os.environ.get("PIP_CERT") or setting("global.cert")
    if certificates:
        variables.setdefault("SSL_CERT_FILE", certificates)
    return variables


def setting(name: str) -> str:
    """What pip's configuration files say of ``name``; empty where they say nothing."""
    command = [sys.executable, "-m", "pip", "config", "get", name]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(uv(*sys.argv[1:]))
