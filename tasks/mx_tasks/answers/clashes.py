"""Names that cannot be files side by side: one is a file where another wants a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def clashing(names: Collection[str], added: Iterable[str]) -> list[str]:
    """Those of the ``added`` names, which are among the ``names``, that lie below another name or have one below them."""
    folders = {name[:place] for name in names for place, sign in enumerate(name) if sign == "/"}
    taken = set(names)
    found = []
    for name in added:
        above = {name[:place] for place, sign in enumerate(name) if sign == "/"}
        if name in folders or above & taken:
            found.append(name)
    return found
