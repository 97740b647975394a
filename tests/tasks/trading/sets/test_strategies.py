"""Strategy programs in the real sandboxes: scored on hidden windows, unable to see what is to come however they try."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission
from mx_tasks.trading.grading.arenas import WorldArena
from mx_tasks.trading.grading.programs import play_program
from mx_tasks.trading.grading.real_arenas import DatedArena
from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import Bars
from mx_tasks.trading.market.corporate import Action, action_table
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.linear_quadratic import LinearQuadratic, closed_form
from mx_tasks.trading.market.simulator import make_market
from mx_tasks.trading.market.worlds import load_world
from mx_tasks.trading.sets.strategies import TEMPLATE, StrategyTasks

REGIME = 'def on_bar(bars, account):\n    return [1.0 if bars.extra["regime"][-1] > 0 else 0.0]\n'
EVEN = "def on_bar(bars, account):\n    return [1 / len(bars.symbols)] * len(bars.symbols)\n"

HUNTER = '''
import json, os, random, select, struct, sys, time
{hunt}
def matches(track, bars):
    """Whether it is the first asset's closes, going on beyond the present."""
    n = len(bars)
    return len(track) > n and all(abs(a - b[0]) < 1e-3 for a, b in zip(track[n - 10 : n], bars.close[-10:]))

def on_bar(bars, account):
    count = len(bars.symbols)
    try:
        tracks = hunt(bars)
    except Exception:
        tracks = []
    for track in tracks:
        if matches(track, bars):
            return [1.0 if track[len(bars)] > bars.close[-1][0] else 0.0] + [0.0] * (count - 1)
    return [1 / count] * count
'''
"""Trades on the future where it finds it; otherwise it holds equal weight, which scores 0."""

CHEATS = {
    "files": """
def hunt(bars):
    if len(bars) % 20:
        return []
    found = []
    for root in (".", "/tmp", "/work", "/dev/shm", "/mx", "/var/tmp", "/root", "/home"):
        for folder, _, names in os.walk(root):
            for name in names[:50]:
                try:
                    text = open(os.path.join(folder, name), errors="replace").read(1 << 20)
                except OSError:
                    continue
                if "[" in text:
                    found += tracks_in(text)
    return found
def tracks_in(text):
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [value] if isinstance(value, list) else []
""",
    "frames": """
def hunt(bars):
    channel, rows = int(os.environ["MX_CHANNEL"]), [row[0] for row in bars.close]
    while select.select([channel], [], [], 0.001)[0]:
        size = int.from_bytes(os.read(channel, 4), "big")
        rows.append(json.loads(os.read(channel, size))["row"][3 * len(bars.symbols)])
    return [rows]
""",
    "globals": """
def hunt(bars):
    import gc
    found, frame = [], sys._getframe()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            if isinstance(value, dict) and "rows" in value:
                found.append([row[3 * len(bars.symbols)] for row in value["rows"]])
        frame = frame.f_back
    for thing in gc.get_objects():
        if type(thing) is list and len(thing) > len(bars) and all(type(x) is float for x in thing):
            found.append(thing)
        elif type(thing) is list and len(thing) > len(bars) and type(thing[0]) is list and len(thing[0]) > 3:
            found.append([row[3 * len(bars.symbols)] for row in thing])
    return found
""",
    "proc": """
def hunt(bars):
    if len(bars) % 20:
        return []
    found = []
    for pid in [name for name in os.listdir("/proc") if name.isdigit()]:
        for what in ("environ", "cmdline", "maps", "fd"):
            path = "/proc/%s/%s" % (pid, what)
            try:
                for name in (os.listdir(path) if what == "fd" else [""]):
                    file = os.open(os.path.join(path, name) if name else path, os.O_RDONLY | os.O_NONBLOCK)
                    data = os.read(file, 1 << 16)
                    os.close(file)
                    found += [json.loads(line) for line in data.splitlines() if line[:1] == b"["]
            except (OSError, ValueError):
                pass
        if pid != str(os.getpid()):
            try:
                mem = open("/proc/%s/mem" % pid, "rb")
                mem.read(1)
            except OSError:
                pass
    return [track for track in found if isinstance(track, list)]
""",
    "leftovers": """
PLACES = ("/tmp", "/dev/shm", "/var/tmp", "/work", os.path.expanduser("~"), ".", "/mx")
def hunt(bars):
    mine, found = [row[0] for row in bars.close], []
    if len(bars) not in (62, 99):
        return found
    for place in PLACES:
        for folder, _, names in os.walk(place):
            for name in names:
                if name.startswith("left-"):
                    found.append(json.load(open(os.path.join(folder, name))))
        try:
            json.dump(mine, open(os.path.join(place, "left-%d" % os.getpid()), "w"))
        except OSError:
            pass
    return found
""",
}


def walk(count: int = 900, assets: int = 3) -> History:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (count, assets)), axis=0))
    opened = np.vstack([close[:1], close[:-1]])
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    dates = np.datetime64("2010-01-04") + np.arange(count)
    return History(
        Bars(dates, tuple("ABCDEFGHIJKLMNOPQRST"[:assets]), opened, top, bottom, close, np.zeros_like(close))
    )


def real(windows: int = 3, salt: str = "s") -> StrategyTasks:
    arena = DatedArena("dated", walk(), "a test's", bars=40, embargo=5)
    return StrategyTasks(arena, windows=windows, salt=salt, count=lambda windows, tried: 1)


def drawn_with(salts: Sequence[str]) -> str:
    """A cheat that knows the generator, the data and the task, and guesses the host's secret."""
    sets = [real(salt=salt) for salt in salts]
    windows = [each.window(each.task("test", 0), number) for each in sets for number in range(3)]
    tracks = [window.market.bars.close[:, 0].tolist() for window in windows]
    return f"TRACKS = {tracks}\ndef hunt(bars):\n    return TRACKS\n"


def in_world(name: str, windows: int = 3) -> StrategyTasks:
    return StrategyTasks(
        WorldArena(load_world(name), bars=30), windows=windows, salt="s", count=lambda windows, tried: 1
    )


def graded(tasks: StrategyTasks, source: str, sandbox: Sandbox, index: int = 0) -> Any:
    return tasks.grade(tasks.task("test", index), Submission(files={"strategy.py": source.encode()}), sandbox)


def test_a_good_strategy_earns_the_optimum(sandbox: Sandbox) -> None:
    grade = graded(in_world("regime"), REGIME, sandbox)
    assert grade.score > 0.98
    assert grade.passed
    assert graded(in_world("no-edge"), "def on_bar(bars, account):\n    return 1.0\n", sandbox).score < 0


@pytest.mark.parametrize("source", ["raise SystemExit", "def on_bar(bars, account):\n    return 1 / 0\n"])
def test_a_program_that_never_answers_does_not_pass_where_nothing_can_be_earned(
    source: str, sandbox: Sandbox
) -> None:
    """Attack: in a world without an edge, doing nothing is the optimum."""
    grade = graded(in_world("no-edge"), source, sandbox)
    assert (grade.score, grade.passed) == (0.0, False)
    stay_out = graded(in_world("no-edge"), "def on_bar(bars, account):\n    return 0.0\n", sandbox)
    assert (stay_out.score, stay_out.passed) == (0.0, True), "the control: a decision to stay out does"


KEPT = "def on_bar(bars, account):\n    return account['weights'] if any(account['weights']) else {weights}\n"


@pytest.mark.parametrize("name", ["regime", "hidden-regime", "mean-reversion"])
def test_a_program_that_keeps_a_position_is_paid_nothing(name: str, sandbox: Sandbox) -> None:
    for weights in ([1.0], [0.5], *([[-1.0]] if name == "mean-reversion" else [])):
        grade = graded(in_world(name), KEPT.format(weights=weights), sandbox)
        assert grade.score <= 0.001, grade.log
        assert not grade.passed


@pytest.mark.parametrize("name", ["regime", "hidden-regime", "mean-reversion", "linear-quadratic"])
@pytest.mark.parametrize("windows", [1, 8])
def test_no_window_alone_pays_for_all(name: str, windows: int) -> None:
    """Windows are summed before they are divided: right in half of them and in cash in the rest is half of the way at most."""
    arena = WorldArena(load_world(name), bars=30)
    drawn = arena.windows("test", windows, lambda word: np.random.default_rng([1, *word]))  # type: ignore[misc]
    logs, half = [], []
    for number, window in enumerate(drawn):
        desks = [Desk(window.market, window.first) for _ in range(2)]
        for made in range(30):
            assert window.states is not None
            for skilled, desk in zip((True, number % 2 == 0), desks, strict=True):
                best = arena.optimum.choose(made, window.states[made], desk.portfolio.weights)
                desk.rebalance((best if skilled else 0 * best).tolist())
        logs.append(desks[0].finish())
        half.append(desks[1].finish())
    answered = [True] * windows
    whole = arena.judge(drawn, logs, answered, 1)
    assert (round(whole.score, 9), whole.passed) == (1.0, True)
    if windows > 1:
        assert arena.judge(drawn, half, answered, 1).score < 0.8
        assert not arena.judge(drawn, logs, [*answered[1:], False], 1).passed


def test_an_answer_may_hold_the_file_and_the_template_scores_nothing(sandbox: Sandbox) -> None:
    tasks = in_world("regime")
    task = tasks.task("test", 0)
    answer = Submission(f"Here it is:\n```python\n{REGIME}```\n", {"strategy.py": TEMPLATE})
    assert tasks.grade(task, answer, sandbox).score > 0.98
    for nothing in (Submission(), Submission("hm"), Submission("", {"strategy.py": TEMPLATE})):
        assert tasks.grade(task, nothing, sandbox).score == 0.0


@pytest.mark.parametrize("cheat", list(CHEATS))
def test_a_cheat_finds_no_future(cheat: str, sandbox: Sandbox) -> None:
    grade = graded(real(), HUNTER.replace("{hunt}", CHEATS[cheat]), sandbox)
    assert abs(grade.parts["excess"]) < 1e-3, grade.log


@pytest.mark.parametrize("guess", ["seeds", "clocks"])
def test_who_knows_all_but_the_secret_finds_no_future(guess: str, sandbox: Sandbox) -> None:
    now = int(time.time())
    salts = (
        ["", "0", "1", "mx-envs", "trading"] if guess == "seeds" else [str(now - past) for past in range(5)]
    )
    grade = graded(real(), HUNTER.replace("{hunt}", drawn_with(salts)), sandbox)
    assert abs(grade.parts["excess"]) < 1e-3, grade.log


def test_who_knows_the_secret_too_finds_it(sandbox: Sandbox) -> None:
    """The control."""
    assert graded(real(), HUNTER.replace("{hunt}", drawn_with(["s"])), sandbox).parts["excess"] > 3


def test_the_hunt_works_where_the_future_is_there(sandbox: Sandbox) -> None:
    tasks = real(windows=1)
    window = tasks.window(tasks.task("test", 0), 0)
    future = f"FUTURE = {window.market.bars.close[:, 0].tolist()}\ndef hunt(bars):\n    return [FUTURE]\n"
    assert graded(tasks, HUNTER.replace("{hunt}", future), sandbox).parts["excess"] > 3


def test_equal_weight_and_constant_tracks_score_nothing(sandbox: Sandbox) -> None:
    assert abs(graded(real(), EVEN, sandbox).score) < 1e-6
    assert graded(real(), "def on_bar(bars, account):\n    return [0, 0, 0]\n", sandbox).score == 0.0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("def on_bar(bars, account):\n    return [float('nan')] * 3\n", ""),
        ("def on_bar(bars, account):\n    return [1e400, 0, 0]\n", ""),
        ("def on_bar(bars, account):\n    return 'all in'\n", "ValueError"),
        ("def on_bar(bars, account):\n    raise RuntimeError('no')\n", "RuntimeError: no"),
        ("import os\ndef on_bar(bars, account):\n    os._exit(0)\n", "the program ended"),
        ("def on_bar(bars, account):\n    return [[[]]]\n", "TypeError"),
        ("x = 1\n", "AttributeError"),
    ],
)
def test_whatever_a_strategy_does_is_an_outcome(source: str, said: str, sandbox: Sandbox) -> None:
    grade = graded(real(windows=1), source, sandbox)
    assert grade.score == 0.0
    assert grade.parts["faults"] == 40
    assert said in grade.log


PAIRS = """def on_bar(bars, account):
    spread = bars.extra["spread"][-1]
    if abs(spread) < 1:
        return account["weights"]
    return [-1.0, 1.0] if spread > 0 else [1.0, -1.0]
"""
AIM = """RATE, AIM = {rate}, {aim}
def on_bar(bars, account):
    signals = [bars.extra["signal_1"][-1], bars.extra["signal_2"][-1]]
    held = account["weights"]
    gaps = [sum(a * s for a, s in zip(row, signals)) - h for row, h in zip(AIM, held)]
    return [h + sum(r * g for r, g in zip(row, gaps)) for h, row in zip(held, RATE)]
"""


def test_level_three_in_the_sandbox(sandbox: Sandbox) -> None:
    """A pair traded against its spread, and the paper's closed form, which knows no end of the window."""
    rate, aim = (part.tolist() for part in closed_form(LinearQuadratic()))
    for name, source in (("pairs", PAIRS), ("linear-quadratic", AIM.format(rate=rate, aim=aim))):
        tasks = StrategyTasks(
            WorldArena(load_world(name), bars=60), windows=3, salt="s", count=lambda windows, tried: 1
        )
        grade = graded(tasks, source, sandbox)
        assert 0.85 < grade.score <= 1, (name, grade.log)
        assert grade.parts["return 0x"] > grade.parts["return 1x"] > grade.parts["return 2x"]
        assert len(grade.trace["values"]) == 1 + 3 * 60


def test_a_program_sees_splits_and_dividends(sandbox: Sandbox) -> None:
    history = walk(200, assets=2)
    table = action_table(history.bars, [Action(str(history.bars.dates[70]), "B", "split", 3.0)])
    source = (
        "def fit(bars):\n    assert len(bars.splits) == 61 - 4\n"
        "def on_bar(bars, account):\n    n = len(bars)\n"
        "    assert len(bars.splits) == len(bars.dividends) == n and bars.dividends[-1] == [0, 0]\n"
        "    return [1.0, 0] if [1.0, 3.0] in bars.splits else [0, 0]\n"
    )
    market = make_market(history.bars, table=table)
    played = play_program(source.encode(), market, 60, sandbox, purge=4)
    assert played.errors == []
    assert [target[0] for target in played.state["edited"]][:20] == [0.0] * 10 + [1.0] * 10


def test_a_late_answer_keeps_the_target(sandbox: Sandbox) -> None:
    source = (
        "import time\nseen = []\ndef on_bar(bars, account):\n    seen.append(1)\n"
        "    if len(seen) == 3:\n        time.sleep(0.4)\n        return [0, 0, 1]\n    return [1, 0, 0]\n"
    )
    tasks = real()
    window = tasks.window(tasks.task("test", 0), 0)
    played = play_program(source.encode(), window.market, window.first, sandbox, deadline_s=0.3)
    assert any("no answer within" in error for error in played.errors)
    assert all(target == [1.0, 0.0, 0.0] for target in played.state["edited"])


def test_nothing_is_told_in_between(sandbox: Sandbox, tmp_path: Path) -> None:
    """A window's program starts from nothing: no module, no file, no count of its windows."""
    source = (
        "import os, sys\nfresh = not os.path.exists('mark')\nopen('mark', 'w').close()\nruns = []\n"
        "def on_bar(bars, account):\n    runs.append(1)\n"
        "    return [1.0, 0, 0] if fresh and len(runs) == len(bars) - 60 else [0, 0, 0]\n"
    )
    tasks = real()
    for number in range(3):
        window = tasks.window(tasks.task("test", 0), number)
        state = play_program(source.encode(), window.market, window.first, sandbox).state
        assert all(target == [1.0, 0.0, 0.0] for target in state["edited"])


def test_trials_are_counted_on_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mx_tasks.trading.grading.trials import count_trial

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    tried = [("a", b"x"), ("a", b"y"), ("b", b"y"), ("a", b"z"), ("a", b"x"), ("a", b"y")]
    assert [count_trial(*each) for each in tried] == [1, 2, 1, 3, 1, 2], "grading again is no further trial"
