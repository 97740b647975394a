"""The public threat model names attacks that exist, and leaves none of them out."""

from __future__ import annotations

import re
from pathlib import Path

from mx_sandboxes.abuse import FAMILIES

PAGE = Path(__file__).parents[3] / "docs" / "threat-model.md"
ALL = {f"{family}/{case.name}" for family, cases in FAMILIES.items() for case in cases}


def test_every_attack_that_a_promise_names_exists_and_none_is_left_out() -> None:
    promises = PAGE.read_text().split("## Promises")[1].split("## Not promised")[0]
    named = set(re.findall(rf"`((?:{'|'.join(FAMILIES)})/[a-z0-9-]+)`", promises))
    assert named - ALL == set()
    assert ALL - named == set()


def test_every_promise_names_what_shows_it() -> None:
    promises = PAGE.read_text().split("## Promises")[1].split("## Not promised")[0]
    paragraphs = [text for text in promises.split("\n\n") if text.strip()]
    assert len(paragraphs) > 10
    for text in paragraphs:
        assert text.strip().startswith("**")
        assert re.search(r"`[a-z]+/[a-z0-9-]+`|`tests/[a-z_/]+\.py`", text), text


def test_files_that_it_names_exist() -> None:
    for name in re.findall(r"`(tests/[a-z_/.]+)`", PAGE.read_text()):
        assert (PAGE.parents[1] / name).exists(), name


def test_attacks_have_names_of_their_own_and_say_what_they_want() -> None:
    assert sum(map(len, FAMILIES.values())) == len(
        {case.name for cases in FAMILIES.values() for case in cases}
    )
    assert sum(map(len, FAMILIES.values())) >= 90
    assert all(len(cases) >= 12 for cases in FAMILIES.values())
    for cases in FAMILIES.values():
        for case in cases:
            assert case.aim
            assert case.program or (case.play is not None and case.control is not None), case.name
