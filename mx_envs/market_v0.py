"""Several numeric traders on one market, whose prices they move: ``parallel_env()``, and ``env()`` by turns (AEC).

=================  =====================================================================================
Agents             ``trader_0``, ``trader_1``, ...
Action             target weight of the asset, ``Box`` from -1 to 1
Observation        ``Box`` of float32: last return, deviation from the anchor, own weight, the others' mean weight
Reward             the change of the trader's log wealth, times 100
Episode ends       truncated after ``bars`` bars; a trader without wealth is terminated
Randomness         the seed chooses the path
State              deviation from the anchor, last return, then each trader's weight and wealth
=================  =====================================================================================

All trade at the same price, at the next bar's open, and their trades move it together: net buying raises it by ``impact`` times
the square root of the net trade, half of which lasts, so that what one does is felt by all. Besides that the price returns
to its anchor. Nobody owes more than there is: wealth ends at 0.

Version history: v0, first release. Since 0.2 ``env`` and ``raw_env`` are AEC environments, as PettingZoo has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol, Self, TypedDict, Unpack

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray
from pettingzoo import ParallelEnv
from pettingzoo.utils import OrderEnforcingWrapper, parallel_to_aec

from mx_tasks.trading.market.errors import TradingError

ENV_ID = "mx/Market-v0"
NAME = "market_v0"
PULL, NOISE = 0.08, 0.01
LASTING = 0.5
RUIN = 0.05
REWARD_SCALE = 100.0
Seen = NDArray[np.float32]


class Options(TypedDict, total=False):
    """The arguments of :class:`MarketEnv`; all have defaults."""

    traders: int
    bars: int
    impact: float
    cost: float
    render_mode: None


class MarketByTurns(Protocol):
    """What ``env()`` and ``raw_env()`` return: PettingZoo's AEC interface, which ships no types of its own."""

    agents: list[str]
    possible_agents: list[str]
    agent_selection: str
    rewards: dict[str, float]
    terminations: dict[str, bool]
    truncations: dict[str, bool]
    infos: dict[str, dict[str, Any]]

    @property
    def unwrapped(self) -> Self:
        """The environment without wrappers."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode."""

    def step(self, action: NDArray[Any] | None) -> None:
        """The target weight of ``agent_selection``; None for a trader that has ended."""

    def observe(self, agent: str) -> Seen:
        """What a trader sees now."""

    def last(self, observe: bool = True) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """Observation, reward, termination, truncation and ``info`` of ``agent_selection``."""

    def agent_iter(self, max_iter: int = 2**63) -> Iterable[str]:
        """The traders in turn."""

    def state(self) -> Seen:
        """What the module's table says."""

    def observation_space(self, agent: str) -> spaces.Box:
        """Four numbers."""

    def action_space(self, agent: str) -> spaces.Box:
        """The target weight."""

    def render(self) -> None:
        """Nothing: there is no mode."""

    def close(self) -> None:
        """Nothing is held."""


class MarketEnv(ParallelEnv[str, Seen, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """``traders`` of equal wealth on one asset; see the module."""

    metadata = {"name": NAME, "render_modes": [], "is_parallelizable": True}  # noqa: RUF012  # PettingZoo's own form

    def __init__(
        self,
        traders: int = 4,
        bars: int = 126,
        impact: float = 0.01,
        cost: float = 0.001,
        render_mode: None = None,
    ) -> None:
        if traders < 1 or bars < 1:
            raise TradingError(f"a market has 1 trader and 1 bar or more, not {traders} and {bars}")
        if not (0 <= impact < 1 and 0 <= cost < 1):
            raise TradingError(f"impact and cost are shares from 0 to below 1, not {impact}, {cost}")
        self.bars, self.impact, self.cost = bars, impact, cost
        self.render_mode = render_mode
        self.possible_agents = [f"trader_{number}" for number in range(traders)]
        self.agents: list[str] = []
        self._seen = {name: spaces.Box(-np.inf, np.inf, (4,), np.float32) for name in self.possible_agents}
        self._acts = {name: spaces.Box(-1.0, 1.0, (1,), np.float32) for name in self.possible_agents}
        self._rng: np.random.Generator | None = None
        self.state_space = spaces.Box(-np.inf, np.inf, (2 + 2 * traders,), np.float32)

    def observation_space(self, agent: str) -> spaces.Box:
        """Four numbers."""
        return self._seen[agent]

    def action_space(self, agent: str) -> spaces.Box:
        """The target weight."""
        return self._acts[agent]

    def state(self) -> Seen:
        """What the module's table says. Raises RuntimeError before the first reset."""
        if self._rng is None:
            raise RuntimeError("there is no state yet; call reset()")
        return np.concatenate([[self._deviation, self._last], self.weights, self.wealth]).astype(np.float32)

    def reset(
        self,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002  # PettingZoo's interface
    ) -> tuple[dict[str, Seen], dict[str, dict[str, Any]]]:
        """Begin an episode."""
        if seed is not None or self._rng is None:
            self._rng, _ = seeding.np_random(seed)
        self.agents = self.possible_agents[:]
        count = len(self.agents)
        self.weights, self.wealth = np.zeros(count), np.ones(count)
        self._alive = np.ones(count, dtype=bool)
        self._bar, self._deviation, self._last = 0, float(self._rng.normal(0, 3 * NOISE)), 0.0
        return self._observe(), {name: {} for name in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Seen], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        """One bar on; what is no finite number keeps the weight held. Never raises for an action."""
        if not self.agents or self._rng is None:
            raise RuntimeError("the episode is over; call reset()")
        acting = self.agents
        infos: dict[str, dict[str, Any]] = {name: {} for name in acting}
        target = self._targets(actions, infos)
        trade = target - self.weights
        net = float((trade * self.wealth)[self._alive].sum() / len(self.wealth))
        moved = math.copysign(self.impact * math.sqrt(abs(net)), net)
        fresh = float(self._rng.normal(0, NOISE)) - PULL * self._deviation
        at_fill, after = math.expm1(moved), math.expm1(fresh - (1 - LASTING) * moved)
        before = self.wealth.copy()
        self.wealth = np.maximum(
            self.wealth * (1 + self.weights * at_fill), 0.0
        )  # what was held meets the moved price first
        paid = self.cost * np.abs(trade)
        self.wealth = np.maximum(self.wealth * (1 - paid + target * after), 0.0)
        self.weights = np.clip(target * (1 + after) / np.maximum(1 - paid + target * after, 1e-9), -2, 2)
        self._deviation += fresh + LASTING * moved
        self._last = fresh + LASTING * moved
        self._bar += 1
        ruined = self._alive & (self.wealth <= RUIN)
        ended = self._bar >= self.bars
        rewards, terminated, truncated = {}, {}, {}
        for name in acting:
            place = self.possible_agents.index(name)
            growth = math.log(max(self.wealth[place], 1e-9) / max(before[place], 1e-9))
            rewards[name] = REWARD_SCALE * growth
            terminated[name], truncated[name] = bool(ruined[place]), bool(ended and not ruined[place])
        seen = self._observe()
        self._alive &= ~ruined
        self.weights = np.where(self._alive, self.weights, 0.0)
        self.agents = [] if ended else [name for name in acting if not terminated[name]]
        return seen, rewards, terminated, truncated, infos

    def _targets(self, actions: dict[str, Any], infos: dict[str, dict[str, Any]]) -> NDArray[np.float64]:
        target = np.where(self._alive, self.weights, 0.0)
        for name in self.agents:
            place = self.possible_agents.index(name)
            try:
                wanted = float(np.asarray(actions.get(name), dtype=float).item())  # of one number only
            except (TypeError, ValueError, OverflowError):
                wanted = math.nan
            if math.isfinite(wanted):
                target[place] = min(1.0, max(-1.0, wanted))
            else:
                infos[name]["fault"] = "the action is no finite number"
        return target

    def _observe(self) -> dict[str, Seen]:
        others = max(1, len(self.weights) - 1)
        total = float(self.weights.sum())
        return {
            name: np.array(
                [
                    self._last / NOISE,
                    self._deviation / (3 * NOISE),
                    self.weights[place],
                    (total - self.weights[place]) / others,
                ],
                np.float32,
            )
            for name, place in ((name, self.possible_agents.index(name)) for name in self.agents)
        }


def parallel_env(**options: Unpack[Options]) -> MarketEnv:
    """The market; the arguments are those of :class:`MarketEnv`."""
    return MarketEnv(**options)


def raw_env(**options: Unpack[Options]) -> MarketByTurns:
    """The market by turns, without PettingZoo's checks of order."""
    turns: MarketByTurns = parallel_to_aec(MarketEnv(**options))
    return turns


def env(**options: Unpack[Options]) -> MarketByTurns:
    """The market by turns: each trader acts in turn, and the bar moves on when all have."""
    checked: MarketByTurns = OrderEnforcingWrapper(raw_env(**options))
    return checked
