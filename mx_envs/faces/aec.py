"""The agent-environment-cycle face: the designer acts, then whoever is asked, one question at a time."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv

from mx_envs.episode.observation import Observation
from mx_envs.faces.face import Face
from mx_envs.faces.host import DESIGNER, Host, checked_action, observed


class EpisodeAEC(Face, AECEnv[str, Observation, str]):  # type: ignore[misc]  # PettingZoo ships no types
    """An episode as a PettingZoo AEC environment.

    Turns within a batch come in the order in which the script asked; when the script ends, all agents terminate.
    """

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host, name, is_parallelizable=False)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode: on the task ``options={"task": id}`` or ``{"index": n}``, else on one that the seed chooses.

        ``"split"`` beside them plays a task of another split than the environment's.
        """
        self.host.new_episode(seed, options)
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: self.host.info(agent) for agent in self.agents}
        self._skip_agent_selection = None
        self.agent_selection = DESIGNER

    def observe(self, agent: str) -> Observation:
        """The designer's task, or the question that waits for this executor; an empty chat without one."""
        if agent == DESIGNER:
            return self.host.designer_observation()
        pending = self.host.current.pending
        return observed(pending[0] if pending and agent == self.agent_selection else None)

    def step(self, action: str | None) -> None:
        """Act for ``agent_selection``: a design, an answer, or None for an agent that has ended.

        Raises TypeError when a live agent's action is not a text.
        """
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        text = checked_action(action)
        episode = self.host.current
        self._clear_rewards()
        self._cumulative_rewards[agent] = 0.0
        if agent == DESIGNER:
            episode.start(text)
        else:
            paid = episode.answer(episode.pending[0], text)
            self.rewards[agent] = paid or 0.0
        if episode.over:
            self._end()
        else:
            self.agent_selection = self._names[episode.pending[0].slot]
            self.infos[self.agent_selection] = self.host.info(self.agent_selection)
        self._accumulate_rewards()
        if self.render_mode == "human":
            self.render()

    def _end(self) -> None:
        for agent in self.agents:
            self.rewards[agent] += self.host.final_reward(agent)
            self.terminations[agent] = True
            self.infos[agent] = self.host.info(agent)
        self.agent_selection = self.agents[0]
