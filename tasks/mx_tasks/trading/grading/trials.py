"""How many strategies were tried on this host's hidden windows: the more, the less the best of them means."""

from __future__ import annotations

import os
from pathlib import Path


def count_trial(fingerprint: str) -> int:
    """Count one more trial on the task set of that fingerprint and return how many there are by now.

    One byte is appended for each, so that processes may count side by side. Where the state folder cannot be written, every trial
    counts as the first: the figure then is an upper bound, and says so by being 1.
    """
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = home / "mx-envs" / "trials" / fingerprint
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b".")
            file.flush()
            return max(1, file.tell())
    except OSError:
        return 1
