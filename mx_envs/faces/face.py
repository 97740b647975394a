"""What the faces of an episode with several agents have in common, and what a type checker may know of them.

PettingZoo ships no types, so that ``AECEnv`` is ``Any`` to a type checker; :class:`AECEnvironment` and :class:`ParallelEnvironment`
say what ``env()``, ``raw_env()`` and ``parallel_env()`` return.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, Self

from gymnasium import spaces

from mx_envs.episode.observation import Observation
from mx_envs.episode.record import EpisodeRecord, Timing
from mx_envs.episode.setting import executor_name
from mx_envs.faces.host import RENDER_MODES, Host
from mx_envs.faces.spaces import Text, observation_space

Info = dict[str, Any]


class Environment(Protocol):
    """What both faces have."""

    agents: list[str]
    possible_agents: list[str]
    render_mode: str | None
    metadata: dict[str, Any]
    observation_spaces: dict[str, spaces.Dict]
    action_spaces: dict[str, spaces.Space[str]]
    state_space: spaces.Space[Any]

    @property
    def unwrapped(self) -> Self:
        """The environment without wrappers."""

    @property
    def episode(self) -> EpisodeRecord | None:
        """The record of the episode in play; None until it is over. Ask ``unwrapped``: wrappers may not pass it on."""

    @property
    def timing(self) -> Timing:
        """Where the episode's wall time went. Ask ``unwrapped``."""

    def observation_space(self, agent: str) -> spaces.Dict:
        """A chat, under ``messages``."""

    def action_space(self, agent: str) -> spaces.Space[str]:
        """Any text."""

    def state(self) -> Observation:
        """All that was said in the episode so far, for a critic that may see everything."""

    def render(self) -> str | None:
        """The transcript so far (mode ``ansi``), or its news on the terminal (mode ``human``)."""

    def close(self) -> None:
        """End the episode in play and the sandboxes that this environment opened; ``reset`` opens it again."""


class AECEnvironment(Environment, Protocol):
    """PettingZoo's agent-environment cycle over an episode; see :class:`mx_envs.faces.aec.EpisodeAEC`."""

    agent_selection: str
    rewards: dict[str, float]
    terminations: dict[str, bool]
    truncations: dict[str, bool]
    infos: dict[str, Info]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode."""

    def step(self, action: str | None) -> None:
        """Act for ``agent_selection``."""

    def observe(self, agent: str) -> Observation:
        """What an agent sees now."""

    def last(self, observe: bool = True) -> tuple[Observation, float, bool, bool, Info]:
        """Observation, reward, termination, truncation and ``info`` of ``agent_selection``."""

    def agent_iter(self, max_iter: int = 2**63) -> Iterable[str]:
        """The agents in the order in which they act."""


class ParallelEnvironment(Environment, Protocol):
    """PettingZoo's parallel face of an episode; see :class:`mx_envs.faces.parallel.EpisodeParallel`."""

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Begin an episode."""

    def step(
        self, actions: dict[str, str]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]:
        """Act for all agents at once."""


class Face:
    """The host's episode as several agents see it: names, spaces, record, rendering."""

    def __init__(self, host: Host, name: str, **metadata: Any) -> None:
        super().__init__()
        self.host = host
        self.metadata = {"name": name, "render_modes": list(RENDER_MODES), "render_fps": 4, **metadata}
        self.render_mode = host.render_mode
        self.possible_agents = host.agents
        self._names = tuple(executor_name(slot) for slot in range(host.executors))
        self.observation_spaces: dict[str, spaces.Dict] = {
            agent: observation_space() for agent in self.possible_agents
        }
        self.state_space: spaces.Space[Any] = observation_space()
        self.action_spaces: dict[str, spaces.Space[str]] = {agent: Text() for agent in self.possible_agents}

    @property
    def episode(self) -> EpisodeRecord | None:
        """The record of the episode in play; None until it is over."""
        return self.host.record

    @property
    def timing(self) -> Timing:
        """Where the episode's wall time went. Raises RuntimeError before the first reset."""
        return self.host.timing

    def observation_space(self, agent: str) -> spaces.Dict:
        """A chat, under ``messages``."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[str]:
        """Any text."""
        return self.action_spaces[agent]

    def state(self) -> Observation:
        """All that was said in the episode so far, for a critic that may see everything.

        Raises RuntimeError before the first reset.
        """
        return self.host.state()

    def render(self) -> str | None:
        """The transcript so far (mode ``ansi``), or its news on the terminal (mode ``human``)."""
        return self.host.render()

    def close(self) -> None:
        """End the episode in play and the sandboxes that this environment opened."""
        self.host.close()
