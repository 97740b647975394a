"""Stable-Baselines3 on the numeric market: a native ``VecEnv``, and PPO against a world's known optimum."""

from __future__ import annotations

import glob
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from mx_agents.errors import UsageError, unknown
from mx_envs.market.portfolio import named_world
from mx_envs.market.portfolio_vector import PortfolioVectorEnv
from mx_tasks.trading.grading.evaluation import Reached, evaluate
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.world import Playable
from mx_tasks.trading.sets.scoreboard import Seen

REWARD_SCALE = 100.0
"""Learners like rewards of about 1; a bar's log growth is about 0.01."""
ENVS = 32


class PortfolioVecEnv(VecEnv):
    """Many portfolios as one SB3 environment; the arguments are those of ``PortfolioVectorEnv``.

    ``reward_scale`` multiplies the rewards.
    """

    def __init__(self, num_envs: int = ENVS, *, reward_scale: float = 1.0, **options: Any) -> None:
        self.env = PortfolioVectorEnv(num_envs, **options)
        self.reward_scale = reward_scale
        self._actions: Any = None
        super().__init__(num_envs, self.env.single_observation_space, self.env.single_action_space)

    def reset(self) -> NDArray[np.float32]:
        """Begin an episode in each, with the seeds of the last ``seed`` call."""
        given = [seed for seed in self._seeds if seed is not None]
        seen, _ = self.env.reset(seed=self._seeds if given else None)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return seen

    def step_async(self, actions: Any) -> None:
        """Take the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], Array, NDArray[np.bool_], list[dict[str, Any]]]:
        """One bar on in each."""
        seen, rewards, ruined, ended, info = self.env.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = ruined | ended
        for place in np.flatnonzero(done):
            infos[place]["terminal_observation"] = info["final_obs"][place]
            infos[place]["TimeLimit.truncated"] = bool(ended[place])
        for place in np.flatnonzero(info["fault"]) if "fault" in info else ():
            infos[place]["fault"] = True
        return seen, (rewards * self.reward_scale).astype(np.float32), done, infos

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same attribute for each."""
        return [getattr(self.env, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ARG002  # they share it
        """Set an attribute of all."""
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **options: Any) -> list[Any]:
        """Call a method once for each."""
        return [getattr(self.env, method_name)(*args, **options) for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:  # noqa: ARG002
        """They are not."""
        return [False for _ in self._get_indices(indices)]


class Sb3Policy:
    """A trained SB3 model as a policy of a numeric view: observations in, actions out, in batches.

    It is :class:`mx_agents.policy.Policy` with numbers for texts. ``deterministic=False`` samples its actions.
    """

    def __init__(self, model: Any, *, deterministic: bool = True) -> None:
        self.model, self.deterministic = model, deterministic

    @classmethod
    def load(cls, path: str | Path, algorithm: str = "PPO", *, deterministic: bool = True) -> Sb3Policy:
        """The model that ``model.save(path)`` wrote; ``algorithm`` is its class in SB3. Raises UsageError."""
        import stable_baselines3
        from stable_baselines3.common.base_class import BaseAlgorithm

        known: dict[str, Any] = {
            name: made
            for name, made in vars(stable_baselines3).items()
            if inspect.isclass(made) and issubclass(made, BaseAlgorithm)
        }
        if algorithm not in known:
            raise unknown("algorithm", algorithm, tuple(known), " of Stable-Baselines3")
        try:
            return cls(known[algorithm].load(path, device="cpu"), deterministic=deterministic)
        except (OSError, ValueError) as error:
            raise UsageError(f"there is no {algorithm} model at {str(path)!r}: {error}") from None

    def act(self, observations: Sequence[NDArray[np.float32]]) -> list[Any]:
        """An action for each observation."""
        if not len(observations):
            return []
        return list(self.model.predict(np.stack(observations), deterministic=self.deterministic)[0])


def train_ppo(
    world: str, *, steps: int, seed: int, bars: int = 252, progress: Callable[[int], None] | None = None
) -> tuple[Any, Reached]:
    """Train PPO in a world and compare it with the optimum on fresh paths. ``progress`` is told the steps done.

    Raises TradingError for an unknown world.
    """
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback

    class Told(BaseCallback):
        def _on_step(self) -> bool:
            if progress is not None and self.n_calls % 64 == 0:
                progress(self.num_timesteps)
            return True

    actions = actions_for(world)
    torch.set_num_threads(1)
    env = PortfolioVecEnv(
        ENVS, world=world, bars=bars, actions=actions, reward="goal", reward_scale=REWARD_SCALE
    )
    env.seed(seed)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=256,
        batch_size=1024,
        n_epochs=8,
        gamma=0.9,
        gae_lambda=0.8,
        learning_rate=lambda left: 1.5e-3 * left + 1e-5,
        ent_coef=0.01,
        policy_kwargs={"net_arch": [32, 32]},
        seed=seed,
        device="cpu",
    )
    model.learn(steps, callback=Told())
    return model, evaluate_model(model, world, bars=bars)


def train_or_read(
    world: str, steps: int, seed: int, folder: Path | None, progress: Callable[[int], None] | None = None
) -> Reached:
    """What PPO reaches in a world; its model goes into ``folder``, and one that is there with as many steps is not trained again.

    Raises TradingError for an unknown world.
    """
    from stable_baselines3 import PPO

    path = folder / f"{world}-{seed}.zip" if folder is not None else None
    if path is not None and path.is_file():
        model = PPO.load(path, device="cpu")
        if model.num_timesteps >= steps:
            return evaluate_model(model, world)
    model, reached = train_ppo(world, steps=steps, seed=seed, progress=progress)
    if path is not None:
        part = path.with_name(f".{path.stem}.part.zip")
        model.save(part)
        part.replace(path)
    return reached


def actions_for(world: str) -> Literal["discrete", "weights"]:
    """A few levels suffice for one asset or two; more take weights. Raises TradingError for an unknown world."""
    return "discrete" if len(named_world(world).symbols) <= 2 else "weights"


def saved_policies(folder: Path, world: Playable) -> list[Seen]:
    """The PPO models of a world in a folder, named WORLD-SEED.zip, each playing its likeliest action."""
    from stable_baselines3 import PPO

    paths = sorted(folder.glob(f"{glob.escape(world.name)}-[0-9]*.zip"))
    return [_as_policy(PPO.load(path, device="cpu"), world) for path in paths]


def _as_policy(model: Any, world: Playable) -> Seen:
    weights = PortfolioVectorEnv(1, world=world, actions=actions_for(world.name))._choices

    def decide(made: int, features: Array, held: Array) -> Array:  # noqa: ARG001  # the protocol's
        seen = np.concatenate([features, held]).astype(np.float32)
        chosen = np.asarray(model.predict(seen, deterministic=True)[0])
        if weights is None:
            return chosen.astype(float)
        best: Array = weights[int(chosen) - 1] if int(chosen) else held
        return best

    return decide


def evaluate_model(
    model: Any, world: str, *, bars: int = 252, paths: int = 128, seed: int = 10_000
) -> Reached:
    """How much of a world's optimum a trained SB3 model reaches, playing its likeliest action."""
    weights = PortfolioVectorEnv(1, world=world, bars=bars, actions=actions_for(world))._choices

    def decide(made: int, states: Array, features: Array, held: Array) -> Array:  # noqa: ARG001  # the protocol's
        seen = np.column_stack([features, held]).astype(np.float32)
        chosen = np.asarray(model.predict(seen, deterministic=True)[0])
        if weights is None:
            return chosen.astype(float).reshape(held.shape)
        rows = held.reshape(len(held), -1)
        chosen = chosen.astype(int)
        return np.where(chosen[:, None] == 0, rows, weights[chosen - 1]).reshape(held.shape)

    return evaluate(named_world(world), decide, bars=bars, paths=paths, seed=seed)
