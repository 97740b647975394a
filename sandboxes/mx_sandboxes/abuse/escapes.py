"""Soon."""

from __future__ import annotations

from mx_sandboxes.abuse.case import Case

CASES: tuple[Case, ...] = ()
