"""The report of a run that traded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mx_agents.report.trading_section import draw, groups, traded, trading_section
from mx_tasks import load_task_set
from mx_tasks.trading.grading.series import brief, chained
from mx_tasks.trading.market.bars import close_only
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.rules import Rules
from mx_tasks.trading.market.simulator import make_market


def rows(methods: tuple[str, ...] = ("single", "<b>vote")) -> list[dict[str, object]]:
    tasks = load_task_set("trading:regime", salt="a test's")
    task = tasks.task("test", 0)
    found = []
    for weight, method in enumerate(methods):
        market = tasks.service(task)  # type: ignore[attr-defined]
        question = market.call("question", {})
        while market.desk.left:
            market.call("rebalance", {"weights": float(weight)})
        turn = {"name": "<i>trader", "answer": "1.0", "messages": [{"role": "user", "content": question}]}
        episode = {"task": task.id, "submission": {"service": market.finish()}, "turns": [turn]}
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


def test_each_task_set_has_its_own_section_and_picture(tmp_path: Path) -> None:
    several = [
        row | {"tasks": name}
        for name in ("trading:regime", "trading:pairs")
        for row in rows(("single", "vote"))
    ]
    html, _ = trading_section(several)
    assert html.count("<h2>Trading: ") == 2
    assert len(groups(several)) == 2
    assert len(traded(several)) == 2


def test_costs_are_run_again_and_not_estimated() -> None:
    chosen = rows(("single", "vote"))
    state = chosen[1]["episode"]["submission"]["service"]  # type: ignore[index]
    state["at costs"]["0"][-1], state["at costs"]["2"][-1] = 1.2345, 0.8765
    html, _ = trading_section(chosen)
    assert "+23.45%" in html
    assert "-12.35%" in html


def test_a_strategy_program_is_drawn_from_what_its_grading_saw() -> None:
    pytest.importorskip("matplotlib")
    desk = rows(("single",))[0]["episode"]["submission"]["service"]  # type: ignore[index]
    trace = brief(chained(desk["windows"][:3]))
    assert trace["ends"] == [8, 16, 24]
    episode = {
        "task": "strategy-0",
        "submission": {"files": {}, "answer": ""},
        "grade": {"score": 0.5, "trace": trace},
        "turns": [],
    }
    html, picture = trading_section([{"method": "folder/mine.py:Mine", "episode": episode}])
    assert picture is not None
    assert ">mine.py:Mine</span>" in html
    assert "+0.500" in html
    assert html.count("<tr>") > 24


def test_long_tracks_show_months_and_many_assets_their_largest() -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (420, 12)), axis=0))
    dates = np.datetime64("2019-11-20") + np.arange(420)
    bars = close_only(dates, tuple(f"A{number}" for number in range(12)), close)
    desk = Desk(make_market(bars, rules=Rules(fill="next_close")), 5)
    while desk.left:
        desk.rebalance(rng.dirichlet(np.ones(12)).tolist())
    episode = {"task": "t", "submission": {"service": desk.finish()}, "turns": [], "grade": None}
    html, picture = trading_section([{"method": "single", "episode": episode}])
    assert picture is not None
    assert len(picture) > 50_000
    assert "The first 200 of 414 bars." in html


def test_the_picture() -> None:
    pytest.importorskip("matplotlib")
    picture = draw(rows(("single",)))
    assert picture is not None
    assert len(picture) > 20_000
