"""The report of a run that traded."""

from __future__ import annotations

from pathlib import Path

import pytest

from mx_agents.report.trading_section import draw, traded, trading_section
from mx_tasks import load_task_set


def rows(methods: tuple[str, ...] = ("single", "<b>vote")) -> list[dict[str, object]]:
    tasks = load_task_set("trading:regime", salt="a test's")
    task = tasks.task("test", 0)
    found = []
    for weight, method in enumerate(methods):
        desk = tasks.service(task)  # type: ignore[attr-defined]
        question = desk.question()
        while desk.left:
            desk.rebalance(float(weight))
        turn = {"name": "<i>trader", "answer": "1.0", "messages": [{"role": "user", "content": question}]}
        episode = {"task": task.id, "submission": {"service": desk.finish()}, "turns": [turn]}
        found.append({"method": method, "episode": episode})
    return found  # type: ignore[return-value]


def test_every_method_is_drawn_and_every_agent_told() -> None:
    html, picture = trading_section(rows())
    assert "After risk rules" in html
    assert "&lt;i&gt;trader: 1.0" in html
    assert "<b>vote" not in html
    if picture is not None:
        assert picture.startswith(b"\x89PNG")
        assert "data:image/png;base64," in html


def test_a_run_that_did_not_trade_has_no_such_section(tmp_path: Path) -> None:
    idle = [{"method": "single", "episode": {"task": "a", "submission": {"answer": "x"}, "turns": []}}]
    assert trading_section(idle) == ("", None)
    assert traded(idle) == []


def test_the_picture() -> None:
    pytest.importorskip("matplotlib")
    picture = draw(rows(("single",)))
    assert picture is not None
    assert len(picture) > 20_000
