"""The attacks of `mx_sandboxes.abuse.floods` on both backends, and their controls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mx_sandboxes.abuse import FAMILIES, Case, Suite

CASES = [pytest.param(case, id=case.name) for case in FAMILIES["floods"]]


@pytest.mark.parametrize("case", CASES)
def test_it_is_stopped(suite: Suite, case: Case, stops: Callable[[Suite, str, Case], None]) -> None:
    stops(suite, "floods", case)


@pytest.mark.parametrize("case", CASES)
def test_it_works_where_the_defence_is_off(case: Case, works_undefended: Callable[[Case], None]) -> None:
    works_undefended(case)
