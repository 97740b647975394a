"""A submission whose files cannot lie beside the task's is judged, not an error."""

from __future__ import annotations

import pytest

from mx_tasks.answers.clashes import clashing
from mx_tasks.software.grading.suite import Suite, submitted_tree
from mx_tasks.task import Submission

GIVEN = {"lib/a.py": b"1\n", "lib/b/c.py": b"2\n"}


@pytest.mark.parametrize(
    ("added", "clash"),
    [
        (["lib/a.py/x.py"], ["lib/a.py/x.py"]),
        (["lib/b"], ["lib/b"]),
        (["lib/d", "lib/d/e"], ["lib/d", "lib/d/e"]),
        (["lib/a.pyx", "lib/bb/c.py", "lib/b/d.py"], []),
    ],
)
def test_names_that_cannot_be_side_by_side(added: list[str], clash: list[str]) -> None:
    assert clashing({*GIVEN, *added}, added) == clash
    suite = Suite(
        files=GIVEN, tests={"tests/test_a.py": b""}, sources=("lib/",), fail_to_pass=(), pass_to_pass=()
    )
    tree, refused = submitted_tree(suite, Submission("", dict.fromkeys(added, b"x\n")))
    assert set(tree) == {*GIVEN, *added} - set(clash)
    assert sorted(refused) == sorted(clash)
