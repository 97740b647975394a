"""What calls submitted functions in a process of their own, for hidden tests that are pytest's."""

from __future__ import annotations

from importlib import resources

FOLDER = "mx_hidden"
CONFIG = "[pytest]\npythonpath = . mx_hidden\n"
CALL_S = 5.0
"""Seconds of processor time that a call may take when graded; at import half as many, so that no verdict hangs on luck."""
_INSIDE = resources.files("mx_tasks.software.grading").joinpath("inside")
_ORACLE = {
    f"{FOLDER}/{name}": _INSIDE.joinpath(name).read_bytes()
    for name in ("mx_oracle.py", "mx_rules.py", "mx_serve.py", "mx_values.py")
}


def oracle_files() -> dict[str, bytes]:
    """The hidden files that call submitted functions in a process of their own."""
    return dict(_ORACLE)
