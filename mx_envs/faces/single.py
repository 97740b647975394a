"""The Gymnasium face: one policy plays every role, whoever is to act."""

from __future__ import annotations

from typing import Any, Unpack

import gymnasium

from mx_envs.episode.observation import Observation
from mx_envs.episode.record import EpisodeRecord, Timing
from mx_envs.episode.setting import executor_name
from mx_envs.faces.host import (
    DESIGNER,
    RENDER_MODES,
    Host,
    checked_action,
    make_host,
    observed,
)
from mx_envs.faces.options import SingleOptions, check_arguments
from mx_envs.faces.spaces import Text, observation_space


class EpisodeSingle(gymnasium.Env[Observation, str]):
    """An episode as a Gymnasium environment in which one policy is the designer and then every executor.

    ``info["agent"]`` says whose question the observation is. The reward is the designer's at the end, and each turn's own with
    ``turn_rewards``.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012  # Gymnasium declares it as an instance's dict

    def __init__(self, host: Host) -> None:
        self.host = host
        self.render_mode = host.render_mode
        self.observation_space: gymnasium.Space[Any] = observation_space()
        self.action_space = Text()

    @property
    def episode(self) -> EpisodeRecord | None:
        """The record of the episode in play; None until it is over."""
        return self.host.record

    @property
    def timing(self) -> Timing:
        """Where the episode's wall time went. Raises RuntimeError before the first reset."""
        return self.host.timing

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: on the task ``options={"task": id}`` or ``{"index": n}``, else on one that the seed chooses.

        ``"split"`` beside them plays a task of another split than the environment's.
        """
        super().reset(seed=seed)
        self.host.new_episode(seed, options, self.np_random)
        return self.host.designer_observation(), self._info()

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for whoever is asked. Raises TypeError when the action is not a text, RuntimeError when the episode is over."""
        episode = self.host.current
        text = checked_action(action)
        if episode.over:
            raise RuntimeError("the episode is over; call reset()")
        reward = 0.0
        if episode.pending:
            reward = episode.answer(episode.pending[0], text) or 0.0
        else:
            episode.start(text)
        reward += self.host.final_reward(DESIGNER)
        reward -= sum(episode.taken_back.values())
        if self.render_mode == "human":
            self.render()
        question = episode.pending[0] if episode.pending else None
        return observed(question), reward, episode.over, False, self._info()

    def _info(self) -> dict[str, Any]:
        pending = self.host.current.pending
        agent = executor_name(pending[0].slot) if pending else DESIGNER
        return {"agent": agent, **self.host.info(agent)}

    def render(self) -> str | None:
        """The transcript so far (mode ``ansi``), or its news on the terminal (mode ``human``)."""
        return self.host.render()

    def close(self) -> None:
        """End the episode in play and the sandboxes that this environment opened."""
        self.host.close()


def _single(domain: str, env_id: str, options: SingleOptions) -> EpisodeSingle:
    check_arguments(env_id, options, SingleOptions.__annotations__)
    return EpisodeSingle(make_host(domain, env_id, **options))


def software(**options: Unpack[SingleOptions]) -> EpisodeSingle:
    """Software tasks for one policy; the arguments are those of :mod:`mx_envs.software_v0`, without ``max_cycles``."""
    return _single("software", "mx/Software-v0", options)


def trading(**options: Unpack[SingleOptions]) -> EpisodeSingle:
    """Trading tasks for one policy; the arguments are those of :mod:`mx_envs.trading_v0`, without ``max_cycles``."""
    return _single("trading", "mx/Trading-v0", options)


def hardware(**options: Unpack[SingleOptions]) -> EpisodeSingle:
    """Hardware tasks for one policy; the arguments are those of :mod:`mx_envs.hardware_v0`, without ``max_cycles``."""
    return _single("hardware", "mx/Hardware-v0", options)
