"""Names of files below a workspace."""

from __future__ import annotations


def check_name(name: str) -> None:
    """Raise ValueError unless it names a file below the workspace."""
    parts = name.split("/") if isinstance(name, str) else []
    if not parts or "\0" in name or len(name.encode("utf-8", "replace")) > 1024:
        raise ValueError(f"not a file name: {name!r}")
    if any(part in ("", ".", "..") for part in parts) or any(
        len(part.encode("utf-8", "replace")) > 255 for part in parts
    ):
        raise ValueError(
            f"{name!r} is not a plain relative name (such as 'tests/test_it.py') inside the workspace"
        )
