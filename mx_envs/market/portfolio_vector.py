"""Many portfolios in one array program: ``gymnasium.make_vec("mx/Portfolio-v0", num_envs=256)``.

Each of them is what the single environment is with the same seed. An episode that ends begins anew in the same step; its
last observation and info are in ``infos["final_obs"]`` and ``infos["final_info"]``. Gymnasium's other two ways are there by
``autoreset_mode="NextStep"`` and ``"Disabled"``: anew in the next step, which then does nothing else, or by
``reset(options={"reset_mask": ...})`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mx_envs.market.portfolio import (
    LEAST,
    Actions,
    Features,
    Reward,
    Source,
    action_space,
    choices,
    make_source,
    observation_space,
    reward_terms,
)
from mx_tasks.trading.market.bars import Array, Bars
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market, Portfolio, allowed
from mx_tasks.trading.market.world import Playable

Seen = NDArray[np.float32]


class PortfolioVectorEnv(VectorEnv[Seen, Any, Any]):
    """``num_envs`` portfolios; the other arguments are those of :class:`mx_envs.market.portfolio.PortfolioEnv`."""

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  # Gymnasium's own form

    def __init__(
        self,
        num_envs: int = 1,
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
        render_mode: None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        try:
            self._mode = AutoresetMode(autoreset_mode)
        except ValueError:
            modes = ", ".join(repr(mode.value) for mode in AutoresetMode)
            raise TradingError(f"autoreset_mode is one of {modes}, not {autoreset_mode!r}") from None
        self.metadata = {**type(self).metadata, "autoreset_mode": self._mode}
        if num_envs < 1:
            raise TradingError(f"num_envs is 1 or more, not {num_envs}")
        self.num_envs = num_envs
        self.source = make_source(
            world, data, costs=costs, rules=rules, features=features, bars=bars, salt=salt
        )
        self._log, self._penalty = reward_terms(self.source, reward)
        self.render_mode = render_mode
        self.single_observation_space: spaces.Space[Any] = observation_space(self.source)
        self.single_action_space: spaces.Space[Any] = action_space(self.source, actions)
        self.observation_space: spaces.Space[Any] = batch_space(self.single_observation_space, num_envs)
        self.action_space: spaces.Space[Any] = batch_space(self.single_action_space, num_envs)
        self._choices = choices(self.source) if actions == "discrete" else None
        self._ones = np.ones(self.source.assets)
        self._everyone = np.arange(num_envs)
        self._rngs: list[np.random.Generator] = []
        self._stage = _Stage.of(self.source, num_envs)
        self._shape = (num_envs, self.source.assets)
        self._all = np.ones(num_envs, dtype=bool)
        self._over = np.zeros(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, dict[str, Any]]:
        """Begin an episode in each: with ``seed``, ``seed`` + 1 ..., or a list of seeds.

        ``options={"reset_mask": mask}`` begins one where the mask is true, and leaves the others as they are.
        """
        mask = None if options is None else options.get("reset_mask")
        if mask is not None:
            return self._reset_some(mask, options)
        if seed is not None or not self._rngs:
            seeds = (
                [None if seed is None else seed + place for place in range(self.num_envs)]
                if (seed is None or isinstance(seed, int))
                else list(seed)
            )
            self._rngs = [seeding.np_random(each)[0] for each in seeds]
        self.portfolio = Portfolio.start(self._stage.market, self.num_envs)
        self._rows = np.zeros(self.num_envs, dtype=np.intp)
        self._last = np.zeros(self.num_envs, dtype=np.intp)
        self._target = np.zeros(self._shape)
        self._over = np.zeros(self.num_envs, dtype=bool)
        self._begin(self._everyone, options)
        held = self.portfolio.weights
        return self._observe(held), self._told(self.portfolio.value, 0.0, 0.0, held)

    def _reset_some(self, mask: Any, options: dict[str, Any] | None) -> tuple[Seen, dict[str, Any]]:
        """Begin anew where the mask is true. Raises TradingError for a mask of another form, or before the first reset."""
        chosen = np.asarray(mask, dtype=bool)
        if chosen.shape != (self.num_envs,) or not self._rngs:
            raise TradingError(
                f"a reset_mask is {self.num_envs} of True and False, after a first reset of all"
            )
        self._over &= ~chosen
        self._begin(np.flatnonzero(chosen), {k: v for k, v in (options or {}).items() if k != "reset_mask"})
        held = self.portfolio.weights
        return self._observe(held), self._told(self.portfolio.value, 0.0, 0.0, held)

    def step(self, actions: Any) -> tuple[Seen, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One bar on in each; never raises for an action. Raises RuntimeError where an episode is over that nobody resets."""
        waiting = self._over
        if self._mode is AutoresetMode.DISABLED and waiting.any():
            raise RuntimeError(
                'an episode is over; call reset(options={"reset_mask": terminated | truncated})'
            )
        pause = self._mode is AutoresetMode.NEXT_STEP and bool(waiting.any())
        infos: dict[str, Any] = {}
        wanted, bad = self._wanted(actions)
        target, finite = allowed(self.source.rules, wanted, self._ones)
        good = finite & ~bad if bad is not None else finite
        if good.all():
            self._target = target
        else:
            self._target = np.where(good[:, None], target, self._target)
            infos["fault"] = ~good
        portfolio = self.portfolio
        before = portfolio.value
        self._rows += 1 if not pause else ~waiting
        rows = self._rows
        done = portfolio.step(rows, self._target)
        value, paid = portfolio.value, done.trade_cost
        ruined = value <= self.source.rules.ruin
        ended = (rows == self._last) & ~ruined
        over = ruined | ended
        if over.any():
            selling = np.where(ended, portfolio.liquidation(rows), 0.0)
            value, paid = value - selling, paid + selling
        reward = np.log(np.maximum(value, LEAST) / np.maximum(before, LEAST)) if self._log else value - before
        if self._penalty is not None:
            reward = reward - self._penalty(self._target)
        held = portfolio.weights
        infos |= self._told(value, paid, np.abs(done.trade).dot(self._ones), held)
        if pause:
            self._begin(np.flatnonzero(waiting), None)
            ruined, ended, over = ruined & ~waiting, ended & ~waiting, over & ~waiting
            reward = np.where(waiting, 0.0, reward)
            held = portfolio.weights
            infos |= self._told(np.where(waiting, 1.0, value), np.where(waiting, 0.0, paid), 0.0, held)
        if self._mode is not AutoresetMode.SAME_STEP:
            self._over = over
        elif over.any():
            self._restart(over, value, infos)
            held = portfolio.weights
        return self._observe(held), reward, ruined, ended, infos

    def _told(self, value: Any, paid: Any, traded: Any, held: Array) -> dict[str, Any]:
        """What infos say of each: value, weights, costs and turnover, with Gymnasium's masks."""
        count = self.num_envs
        told = {
            "value": np.array(value, dtype=float),
            "weights": held,
            "costs": paid if np.ndim(paid) else np.full(count, paid),
            "turnover": traded if np.ndim(traded) else np.full(count, traded),
        }
        return told | {f"_{name}": self._all for name in told}

    def _wanted(self, actions: Any) -> tuple[Array, NDArray[np.bool_] | None]:
        """The weights that the actions mean, and which of them mean none."""
        try:
            given = np.asarray(actions, dtype=float)
        except (TypeError, ValueError, OverflowError):
            given = np.full(1, np.nan)
        if self._choices is None:
            return (given, None) if given.shape == self._shape else (np.full(self._shape, np.nan), None)
        if given.shape != (self.num_envs,):
            return np.full(self._shape, np.nan), None
        bad = ~((given >= 0) & (given <= len(self._choices)) & (given == np.floor(given)))
        places = np.where(bad, 0, given).astype(np.intp)
        kept = self.portfolio.weights
        return np.where(places[:, None] == 0, kept, self._choices[places - 1]), bad

    def _restart(self, over: NDArray[np.bool_], value: Array, infos: dict[str, Any]) -> None:
        seen = self._observe(self.portfolio.weights)
        final = np.full(self.num_envs, None, dtype=object)
        for place in np.flatnonzero(over):
            final[place] = seen[place]
        infos |= {
            "final_obs": final,
            "_final_obs": over,
            "final_info": {"value": np.where(over, value, 0.0), "_value": over},
            "_final_info": over,
        }
        self._begin(np.flatnonzero(over), None)

    def _begin(self, places: NDArray[np.intp], options: dict[str, Any] | None) -> None:
        rows = self._stage.begin(places, self._rngs, options)
        self._rows[places] = rows
        self._last[places] = rows + self.source.bars
        self._target[places] = 0.0
        portfolio = self.portfolio
        portfolio.position[places] = 0.0
        portfolio.cash = np.asarray(portfolio.cash).copy()
        portfolio.value = np.asarray(portfolio.value).copy()
        portfolio.cash[places] = portfolio.value[places] = 1.0

    def _observe(self, held: Array) -> Seen:
        width = self.source.width
        seen = np.empty((self.num_envs, width + self.source.assets), np.float32)
        seen[:, :width] = self._stage.features[self._rows]
        seen[:, width:] = held
        return seen


class _Stage:
    """The market that all portfolios are in: one for all, or each one's own path, one behind the other."""

    def __init__(self, source: Source, market: Market, features: Features) -> None:
        self.source, self.market, self.features = source, market, features

    @classmethod
    def of(cls, source: Source, count: int) -> _Stage:
        """Room for so many paths; the market itself where there is one."""
        if source.market is not None and source.features is not None:
            return cls(source, source.market, source.features)
        world, size = source.template, count * (source.bars + 1)
        one, shape = world.market(*world.path(np.random.default_rng(0), 2)), (size, source.assets)
        room = Market(one.bars, world.costs, world.rules, np.ones(shape), np.ones(shape), None, None, None)
        return cls(source, room, np.zeros((size, source.width), np.float32))

    def begin(
        self, places: NDArray[np.intp], rngs: Sequence[np.random.Generator], options: dict[str, Any] | None
    ) -> Any:
        """New windows or paths for these portfolios; the rows of their first decisions."""
        source = self.source
        if source.market is not None:
            return np.array([source.start(rngs[place], options) for place in places], dtype=np.intp)
        world, length = source.template, source.bars + 1
        states, returns = world.paths([source.random(rngs[place]) for place in places], length)
        for place, state, growth in zip(places, states, returns, strict=True):
            rows = slice(place * length, (place + 1) * length)
            price = 100 * np.cumprod(1 + growth.reshape(length, -1), axis=0)
            self.market.after[rows][1:] = price[1:] / price[:-1]
            self.features[rows] = world.features(state, growth)
        return places * length
