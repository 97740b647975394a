"""Steps per processor second of the simulated market beside its peers, on the same 2,520 bars and random actions, in one run.

    python benchmarks/trading.py                      # ours, and the peers that are there already
    python benchmarks/trading.py --install            # installs the missing ones, each into a folder of its own

A peer runs in a process of its own with its folder first on the path, so that nothing of it enters this environment; its code is
installed without its dependencies where it needs none that are missing. One that does not run is reported with its error.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np

import mx_envs  # noqa: F401  # registers the environments
from mx_sandboxes import SandboxUnavailableError, open_sandbox
from mx_tasks.trading.grading.programs import play_program
from mx_tasks.trading.market.bars import Bars
from mx_tasks.trading.market.simulator import make_market

BARS, ASSETS = 2520, 20
PEERS = {
    "gym-anytrading": ["gym-anytrading"],
    "FinRL": ["finrl"],
    "FinRL, numpy variant": ["finrl"],
    "gym-trading-env": ["gym-trading-env"],
    "backtesting.py": ["backtesting"],
    "vectorbt": ["vectorbt"],
}
COMMON = """
import json, sys, time, warnings; warnings.filterwarnings("ignore")
import importlib.util, os
import numpy as np, pandas as pd
N = int(sys.argv[1]); T = 2520
rng = np.random.default_rng(0)
close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (T, N)), axis=0))
dates = pd.bdate_range("2010-01-04", periods=T)
frame = pd.DataFrame({"Open": close[:, 0], "High": close[:, 0], "Low": close[:, 0], "Close": close[:, 0],
                      "Volume": 1e6}, index=dates)
def file_of(package, path):
    place = next(p for p in sys.path if os.path.exists(os.path.join(p, package, path)))
    spec = importlib.util.spec_from_file_location("peer", os.path.join(place, package, path))
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); return module
def steps(env, act, most=20000):
    env.reset(); done = 0; start = time.process_time()
    while done < most and time.process_time() - start < 8:
        out = env.step(act()); done += 1
        if out[2] or (len(out) > 4 and out[3]):
            if done >= 2000: break
            env.reset()
    print(json.dumps(done / (time.process_time() - start)))
"""
SCRIPTS = {
    "gym-anytrading": """
from gym_anytrading.envs import StocksEnv
env = StocksEnv(df=frame, window_size=10, frame_bound=(10, T))
steps(env, lambda: int(rng.integers(2)))
""",
    "FinRL": """
m = file_of("finrl", "meta/env_stock_trading/env_stocktrading.py")
rows = [{"date": str(d.date()), "tic": f"A{i}", "close": close[t, i], "macd": 0.0, "rsi_30": 50.0, "turbulence": 0.0}
        for t, d in enumerate(dates) for i in range(N)]
df = pd.DataFrame(rows); df.index = np.repeat(np.arange(T), N)
if N == 1: df.index = np.arange(T)
tech = ["macd", "rsi_30"]
env = m.StockTradingEnv(df=df, stock_dim=N, hmax=100, initial_amount=1000000, num_stock_shares=[0] * N,
    buy_cost_pct=[0.001] * N, sell_cost_pct=[0.001] * N, reward_scaling=1e-4, state_space=1 + 2 * N + len(tech) * N,
    action_space=N, tech_indicator_list=tech, print_verbosity=10**9)
steps(env, lambda: rng.uniform(-1, 1, N).astype(np.float32), 2510)
""",
    "FinRL, numpy variant": """
m = file_of("finrl", "meta/env_stock_trading/env_stocktrading_np.py")
config = {"price_array": close, "tech_array": np.zeros((T, 2 * N)), "turbulence_array": np.zeros(T), "if_train": True}
env = m.StockTradingEnv(config)
steps(env, lambda: rng.uniform(-1, 1, N).astype(np.float32))
""",
    "gym-trading-env": """
from gym_trading_env.environments import TradingEnv
df = frame.rename(columns=str.lower); df["feature_close"] = df["close"].pct_change().fillna(0)
env = TradingEnv(df=df, positions=[0, 1], trading_fees=0.001, verbose=0)
steps(env, lambda: int(rng.integers(2)))
""",
    "backtesting.py": """
from backtesting import Backtest, Strategy
class Random(Strategy):
    def init(self): pass
    def next(self):
        if rng.random() < 0.5: self.buy(size=1)
        elif self.position: self.position.close()
test = Backtest(frame, Random, cash=1e6, commission=0.001)
start = time.process_time(); test.run(); print(json.dumps(T / (time.process_time() - start)))
""",
    "vectorbt": """
import vectorbt as vbt
def once():
    orders = pd.DataFrame(rng.uniform(0, 1, (T, N)) / N, index=dates)
    return vbt.Portfolio.from_orders(pd.DataFrame(close, index=dates), orders, size_type="targetpercent",
        group_by=True, cash_sharing=True).total_return()
once(); start = time.process_time(); once(); print(json.dumps(T / (time.process_time() - start)))
""",
}
MANY = {"FinRL", "FinRL, numpy variant", "vectorbt"}
"""The peers that trade several assets."""


def bars(assets: int) -> Bars:
    """The same random walk that the peers get."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (BARS, assets)), axis=0))
    dates = np.datetime64("2010-01-04") + np.arange(BARS)
    symbols = tuple(f"A{number}" for number in range(assets))
    return Bars(dates, symbols, close, close, close, close, np.full_like(close, 1e6))


def single(assets: int) -> float:
    """Steps per CPU second of one environment, made as users make it."""
    env = gymnasium.make("mx/Portfolio-v0", data=bars(assets))
    actions = np.random.default_rng(0).random((BARS, assets)).astype(np.float32) / assets
    best = 0.0
    for _ in range(5):
        env.reset(seed=0)
        start = time.process_time()
        for action in actions[1:]:
            env.step(action)
        best = max(best, (BARS - 1) / (time.process_time() - start))
    return best


def batch(assets: int, envs: int = 256) -> float:
    """Environment steps per CPU second of a batch."""
    env = gymnasium.make_vec("mx/Portfolio-v0", num_envs=envs, data=bars(assets))
    env.reset(seed=0)
    actions = np.random.default_rng(0).random((64, envs, assets)).astype(np.float32) / assets
    start = time.process_time()
    for number in range(1000):
        env.step(actions[number % 64])
    return 1000 * envs / (time.process_time() - start)


def streaming(backend: str, assets: int = ASSETS) -> tuple[float, float]:
    """Median and 95th percentile of microseconds from a bar sent into a sandbox to the strategy's answer."""
    source = b"def on_bar(bars, account):\n    return [1 / len(bars.symbols)] * len(bars.symbols)\n"
    with open_sandbox(backend, slots=1) as sandbox:
        played = play_program(source, make_market(bars(assets)), 20, sandbox)
    taken = np.array(played.latency_s[100:]) * 1e6
    return float(np.median(taken)), float(np.quantile(taken, 0.95))


def peer(name: str, assets: int, folder: Path, *, install: bool) -> str:
    """Steps per CPU second of a peer, or why there is none."""
    own = folder / PEERS[name][0]
    if install and not own.exists():
        heavy = name in ("vectorbt", "backtesting.py")
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(own), *PEERS[name]]
        done = subprocess.run(
            command + ([] if heavy else ["--no-deps"]), check=False, capture_output=True, text=True
        )
        if done.returncode:
            return "does not install: " + done.stderr.strip().splitlines()[-1][:80]
    env = os.environ | {"PYTHONPATH": str(own), "OMP_NUM_THREADS": "1"}
    code = COMMON + SCRIPTS[name]
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(assets)],
            check=False,
            capture_output=True,
            text=True,
            env=env,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        return "no end within 300 s"
    if done.returncode:
        return "does not run here: " + (done.stderr.strip().splitlines() or ["?"])[-1][:80]
    return f"{json.loads(done.stdout.splitlines()[-1]):,.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="install peers that are missing")
    parser.add_argument(
        "--peers", type=Path, default=Path.home() / ".cache" / "mx-envs" / "peers", help="their folder"
    )
    parser.add_argument("--only", default=";".join(PEERS), help="some of: " + "; ".join(PEERS))
    given = parser.parse_args()
    print(f"{'steps per CPU second':34}{'1 asset':>14}{'20 assets':>14}")
    print(f"{'mx/Portfolio-v0':34}{single(1):>14,.0f}{single(ASSETS):>14,.0f}")
    print(f"{'mx/Portfolio-v0, batch of 256':34}{batch(1):>14,.0f}{batch(ASSETS):>14,.0f}")
    wanted = [name.strip() for name in given.only.split(";")]
    for name in [name for name in PEERS if name in wanted]:
        many = peer(name, ASSETS, given.peers, install=given.install) if name in MANY else "-"
        print(f"{name:34}{peer(name, 1, given.peers, install=given.install):>14}{many:>14}", flush=True)
    for backend in ("bubblewrap", "docker"):
        try:
            median, late = streaming(backend)
        except SandboxUnavailableError as error:
            print(f"a 20-asset bar through {backend}: {error}")
        else:
            print(f"a 20-asset bar through {backend}: {median:.0f} us median, {late:.0f} us at 95 %")


if __name__ == "__main__":
    main()
