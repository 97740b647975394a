"""The numeric face of the market: ``gymnasium.make("mx/Portfolio-v0")``, one portfolio, one policy.

=================  =====================================================================================
Action             target weights, ``Box`` of one number for each asset; with ``actions="discrete"`` a number:
                   0 keeps what is held, 1 ... choose a weight (one asset), two of them (two that may be short),
                   or cash, all, one asset (several)
Observation        ``Box`` of float32: the bar's features, then the weights held
Reward             the change of the portfolio's value, which is 1 at the start; ``reward="log"``: its logarithm's;
                   ``reward="goal"``: what the world's optimum maximises
Episode ends       terminated by ruin, truncated at the end of the window, where selling is charged once
Randomness         the seed chooses the path (a world) or the window (your bars)
Data               ``world="pairs"``, ``world="bootstrap/my.csv"``, or ``data``: bars, a market, a pinned source
                   (``"bokeh"``), a file (``"my.csv"``)
Info               ``value``, ``weights``, ``costs`` and ``turnover`` of the step in shares of the start's value, ``date``;
                   ``tradable`` where assets are listed late or end
=================  =====================================================================================

A decision on the bars up to t is filled at the open of t + 1. Whatever an action is, ``step`` does not raise: weights outside
the rules are brought inside, and what is no finite number of the right shape keeps the last target, named in ``info["fault"]``.

Version history: v0, first release. Since 0.2 ``info`` tells value, weights, costs, turnover and date, and nothing is traded
in a bar without volume.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mx_envs.market.actions import as_choice, as_weights
from mx_envs.market.rendering import MODES, Picture, as_picture, as_text
from mx_tasks.trading.imports.bootstrap import bootstrap_of
from mx_tasks.trading.imports.sources import DEFAULT_SOURCE, open_history
from mx_tasks.trading.market.bars import Array, Bars
from mx_tasks.trading.market.corporate import action_table
from mx_tasks.trading.market.errors import TradingError, WindowError
from mx_tasks.trading.market.features import WARMUP, market_features
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.salt import salted
from mx_tasks.trading.market.simulator import Market, Portfolio, allowed, make_market
from mx_tasks.trading.market.world import Playable
from mx_tasks.trading.market.worlds import load_world

Features = NDArray[np.float32]
Reward = Literal["profit", "log", "goal"]
Actions = Literal["weights", "discrete"]
LEVELS = 5
"""Weights that the discrete variant offers for a single asset."""
LEAST = 1e-9
BOOTSTRAPS = {"bootstrap": 0.15, "bootstrap-no-edge": 0.0}
"""Their planted edges."""


@dataclass(frozen=True)
class Source:
    """Where episodes come from: a world, or one market whose windows they are. ``bars`` is the number of decisions."""

    world: Playable | None
    market: Market | None
    features: Features | None
    bars: int
    salt: str

    @property
    def rules(self) -> Rules:
        """The rules of its markets."""
        return self.market.rules if self.market is not None else self.template.rules

    @property
    def template(self) -> Playable:
        """The world. Raises TradingError where there is none."""
        if self.world is None:
            raise TradingError("these bars are no world")
        return self.world

    @property
    def assets(self) -> int:
        """Number of assets."""
        return len(self.template.symbols) if self.market is None else self.market.assets

    @cached_property
    def width(self) -> int:
        """Number of features."""
        if self.features is not None:
            return int(self.features.shape[1])
        return int(self.template.features(*self.template.path(np.random.default_rng(0), 2)).shape[1])

    def random(self, rng: np.random.Generator) -> np.random.Generator:
        """The random numbers of an episode: mixed with the salt, where there is one."""
        return salted(self.salt, int(rng.integers(1 << 62))) if self.salt else rng

    def start(self, rng: np.random.Generator, options: dict[str, Any] | None) -> int:
        """The row of the first decision in the market. Raises WindowError for a start that ``options`` name and is none."""
        market = self.market
        if market is None:
            return 0
        latest = market.last - self.bars
        first = min(WARMUP, latest)
        chosen = int(self.random(rng).integers(first, latest + 1))
        if options and "start" in options:
            chosen = options["start"]
            if type(chosen) is not int or not 0 <= chosen <= latest:
                raise WindowError(f"a window of {self.bars} bars starts in row 0 to {latest}, not {chosen!r}")
        return chosen


def make_source(
    world: str | Playable | None = None,
    data: str | Bars | Market | None = None,
    *,
    costs: Costs | Mapping[str, Any] | None = None,
    rules: Rules | Mapping[str, Any] | None = None,
    features: Features | None = None,
    bars: int | None = None,
    salt: str = "",
) -> Source:
    """Check what episodes are made of. Raises TradingError."""
    if data is None:
        found = named_world(world or "regime") if world is None or isinstance(world, str) else world
        if costs is not None or rules is not None or features is not None:
            raise TradingError(
                f"the world {found.name!r} brings its own costs, rules and features; give them with data"
            )
        return Source(found, None, None, _window(252 if bars is None else bars, None), salt)
    if world is not None:
        raise TradingError("give a world or data, not both")
    market = _market(data, _of_names(Costs, costs), _of_names(Rules, rules))
    seen = market_features(market) if features is None else np.asarray(features, dtype=np.float32)
    if seen.ndim != 2 or len(seen) != market.bars.count or not np.isfinite(seen).all():
        raise TradingError(
            f"features are finite numbers for each of the {market.bars.count} bars, not shape {seen.shape}"
        )
    return Source(None, market, seen, _window(market.last if bars is None else bars, market), salt)


def named_world(name: str) -> Playable:
    """A world by name; ``bootstrap`` and ``bootstrap-no-edge`` are of a pinned source or a file: ``bootstrap/my.csv``.

    Raises TradingError.
    """
    kind, _, where = name.partition("/")
    if kind in BOOTSTRAPS:
        return bootstrap_of(where or DEFAULT_SOURCE, BOOTSTRAPS[kind])
    return load_world(name)


def _of_names(make: Callable[..., Any], given: Any) -> Any:
    """Costs or rules from a mapping, as a specification read from JSON has them. Raises TradingError for names there are not."""
    if not isinstance(given, Mapping):
        return given
    try:
        return make(**given)
    except TypeError as error:
        raise TradingError(f"{dict(given)}: {error}") from None


def _market(data: str | Bars | Market, costs: Costs | None, rules: Rules | None) -> Market:
    """The market of bars, or of the bars and actions of a pinned source or a file by name. Raises TradingError."""
    if isinstance(data, Market):
        return data
    if isinstance(data, Bars):
        return make_market(data, costs, rules)
    history, _ = open_history(data)
    given = rules or Rules(bars_per_year=history.frequency.bars_per_year)
    fitting = replace(given, fill=history.fill)
    return make_market(history.bars, costs, fitting, action_table(history.bars, history.actions))


def _window(bars: int, market: Market | None) -> int:
    most = market.last if market is not None else 1_000_000
    if type(bars) is not int or not 1 <= bars <= most:
        raise WindowError(f"a window has 1 to {most} decisions here, not {bars!r}")
    return bars


def observation_space(source: Source) -> spaces.Box:
    """Features and weights."""
    return spaces.Box(-np.inf, np.inf, (source.width + source.assets,), np.float32)


def action_space(source: Source, actions: str) -> spaces.Space[Any]:
    """Weights, or the discrete choices. Raises TradingError."""
    if actions == "discrete":
        return spaces.Discrete(1 + len(choices(source)))
    if actions != "weights":
        raise TradingError(f"actions are weights or discrete, not {actions!r}")
    rules = source.rules
    return spaces.Box(rules.min_weight, rules.max_weight, (source.assets,), np.float32)


def reward_terms(source: Source, reward: str) -> tuple[bool, Callable[[Array], Any] | None]:
    """Whether rewards are logarithms, and what is taken off for risk. Raises TradingError."""
    if reward not in ("profit", "log", "goal"):
        raise TradingError(f"the reward is profit or log, of a world also goal, not {reward!r}")
    if reward != "goal":
        return reward == "log", None
    if source.world is None:
        raise TradingError("reward='goal' is that of a world; your data have profit and log")
    logarithmic = source.world.goal == "log growth"
    return logarithmic, None if logarithmic else source.world.penalty


def choices(source: Source) -> Array:
    """The weights of each discrete choice but the first, which keeps what is held."""
    rules, assets = source.rules, source.assets
    top = min(rules.max_weight, rules.max_gross)
    if assets == 1:
        return np.linspace(max(rules.min_weight, -rules.max_gross), top, LEVELS)[:, None]
    if assets == 2 and rules.min_weight < 0:
        each = np.linspace(max(rules.min_weight, -rules.max_gross), top, LEVELS)
        pairs = np.array([(first, second) for first in each for second in each])
        gross = np.abs(pairs).sum(axis=1, keepdims=True)
        scaled: Array = pairs * rules.max_gross / np.maximum(gross, rules.max_gross)
        return scaled
    return np.vstack(
        [np.zeros(assets), np.full(assets, min(top, rules.max_gross / assets)), np.eye(assets) * top]
    )


class PortfolioEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """One portfolio; see the module."""

    metadata = {"render_modes": list(MODES), "render_fps": 4}  # noqa: RUF012  # Gymnasium declares it as an instance's dict

    def __init__(
        self,
        world: str | Playable | None = None,
        data: str | Bars | Market | None = None,
        *,
        costs: Costs | Mapping[str, Any] | None = None,
        rules: Rules | Mapping[str, Any] | None = None,
        features: Features | None = None,
        bars: int | None = None,
        actions: Actions = "weights",
        reward: Reward = "profit",
        salt: str = "",
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *MODES):
            raise TradingError(f"render_mode is {', '.join(MODES)} or None, not {render_mode!r}")
        self.source = make_source(
            world, data, costs=costs, rules=rules, features=features, bars=bars, salt=salt
        )
        self._log, self._penalty = reward_terms(self.source, reward)
        self.render_mode = render_mode
        self.observation_space: spaces.Space[Any] = observation_space(self.source)
        self.action_space: spaces.Space[Any] = action_space(self.source, actions)
        self._choices = choices(self.source) if actions == "discrete" else None
        self._settled = self.source.rules.settled
        self._ones = np.ones(self.source.assets)
        self._rules = self.source.rules
        self._shape = (self.source.assets,)
        self.states: Array | None = None
        """The states of the path in play, where it is a world's."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; ``options={"start": row}`` chooses the window. Raises WindowError."""
        super().reset(seed=seed)
        source = self.source
        if source.market is None:
            self.states, returns = source.template.path(source.random(self.np_random), source.bars + 1)
            self.market = source.template.market(self.states, returns)
            self._features = source.template.features(self.states, returns).astype(np.float32)
            self._row = 0
        else:
            assert source.features is not None  # noqa: S101  # a market has features
            self.market, self._features = source.market, source.features
            self._row = source.start(self.np_random, options)
        self._last = self._row + source.bars
        self.portfolio = Portfolio.start(self.market)
        self._target = np.zeros(self._shape)
        self._over = False
        self._values = [1.0]
        self._dates = self.market.bars.dates
        self._partly = self.market.open_for_trade is not None
        if self.render_mode == "human":
            self.render()
        seen = self._observe()
        return seen, self._told(1.0, 0.0, 0.0)

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One bar on. Raises RuntimeError when the episode is over; never for an action."""
        if self._over:
            raise RuntimeError("the episode is over; call reset()")
        wanted = self._wanted(action)
        if wanted is not None:
            target, finite = allowed(self._rules, wanted, self._ones)
            self._target, fault = (target, "") if finite else (self._target, "a weight is not finite")
        else:
            fault = f"the action is not one of {self.action_space}"
        portfolio = self.portfolio
        before = portfolio.value
        self._row = row = self._row + 1
        done = portfolio.step(row, self._target)
        value, paid = portfolio.value, done.trade_cost
        ruined = bool(value <= self._rules.ruin)
        ended = row == self._last
        if ended and not ruined:
            selling = portfolio.liquidation(row)
            value, paid = value - selling, paid + selling
        if ruined or ended:
            self._over = True
        seen = self._observe()
        info = self._told(value, paid, np.abs(done.trade).dot(self._ones))
        if fault:
            info["fault"] = fault
        reward = math.log(max(value, LEAST) / max(before, LEAST)) if self._log else float(value - before)
        if self._penalty is not None:
            reward -= float(self._penalty(self._target))
        if self.render_mode is not None:
            self._show(float(value))
        return seen, reward, ruined, ended and not ruined, info

    def _show(self, value: float) -> None:
        self._values.append(value)
        if self.render_mode == "human":
            self.render()

    def _told(self, value: Any, paid: Any, traded: Any) -> dict[str, Any]:
        """What a step's info says beside faults."""
        told = {
            "value": float(value),
            "weights": self._weights,
            "costs": float(paid),
            "turnover": float(traded),
            "date": self._dates[self._row],
        }
        if self._partly:
            told["tradable"] = self.market.tradable(self._row)
        return told

    def action_masks(self) -> NDArray[np.bool_]:
        """Which discrete actions can be taken now: those that want no asset which cannot be traded. For sb3-contrib's MaskablePPO.

        Raises TradingError where actions are weights.
        """
        if self._choices is None:
            raise TradingError("there are masks for discrete actions alone; give actions='discrete'")
        there = self.market.tradable(self._row)
        possible = ~((self._choices != 0) & ~there).any(axis=1)
        masks: NDArray[np.bool_] = np.concatenate([[True], possible])
        return masks

    def render(self) -> Picture | str | None:
        """The present as ``render_mode`` has it: a picture, a text, or printed."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() does nothing: give render_mode to gymnasium.make")
            return None
        if self.render_mode == "rgb_array":
            return as_picture(self._values)
        weights, symbols = self.portfolio.weights.tolist(), self.market.bars.symbols
        said = as_text(self._dates[self._row], self._values[-1], weights, symbols)
        if self.render_mode == "ansi":
            return said
        sys.stdout.write(said + "\n")
        return None

    def _wanted(self, action: Any) -> Array | None:
        """The weights that an action means; None when it means none."""
        if self._choices is None:
            if type(action) is np.ndarray and action.shape == self._shape and action.dtype.kind == "f":
                return action
            return as_weights(action, self._shape)
        place = as_choice(action, len(self._choices))
        if place is None:
            return None
        if place:
            chosen: Array = self._choices[place - 1]
            return chosen
        return self.portfolio.weights

    def _observe(self) -> NDArray[np.float32]:
        features = self._features[self._row]
        width = len(features)
        seen = np.empty(width + self._shape[0], np.float32)
        seen[:width] = features
        value = self.portfolio.value
        if self._settled:
            weights = self.portfolio.position.copy()
        else:
            weights = self.portfolio.position / value if value > 0 else np.zeros(self._shape)
        self._weights = seen[width:] = weights
        return seen
