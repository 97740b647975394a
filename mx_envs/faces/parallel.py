"""The parallel face: all executors with a question act in the same step."""

from __future__ import annotations

from typing import Any

from pettingzoo import ParallelEnv

from mx_envs.episode.observation import Observation
from mx_envs.episode.setting import executor_name
from mx_envs.episode.wire import Question
from mx_envs.faces.face import Face
from mx_envs.faces.host import DESIGNER, Host, checked_action, observed


class EpisodeParallel(Face, ParallelEnv[str, Observation, str]):  # type: ignore[misc]  # PettingZoo ships no types
    """An episode as a PettingZoo parallel environment.

    The designer acts in the first step. After that each executor with a question answers its oldest one; agents without a question
    see an empty chat and their actions are ignored. All agents end together: with the script, or, given ``max_cycles``, after
    exactly that many steps, truncated when the script still runs.
    """

    def __init__(self, host: Host, name: str, max_cycles: int | None = None) -> None:
        if max_cycles is not None and max_cycles < 1:
            raise ValueError(f"max_cycles is 1 or more, not {max_cycles}")
        super().__init__(host, name)
        self.agents: list[str] = []
        self._cycles = max_cycles
        self._cycle = 0
        self._paid_out = False

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin an episode: on the task ``options={"task": id}`` or ``{"index": n}``, else on one that the seed chooses.

        ``"split"`` beside them plays a task of another split than the environment's.
        """
        self.host.new_episode(seed, options)
        self.agents = self.possible_agents[:]
        self._cycle = 0
        self._paid_out = False
        observations = {agent: observed(None) for agent in self.agents}
        observations[DESIGNER] = self.host.designer_observation()
        return observations, {agent: self.host.info(agent) for agent in self.agents}

    def step(
        self, actions: dict[str, str]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Act for every agent that has something to answer.

        Raises ValueError when such an agent has no action, TypeError when its action is not a text.
        """
        if not self.agents:
            raise RuntimeError("the episode is over; call reset()")
        episode = self.host.current
        rewards = self._act(actions)
        self._cycle += 1
        last = self._cycle == self._cycles
        truncated = last and not episode.over
        if truncated:
            episode.truncate()
        if episode.over and not self._paid_out:
            self._paid_out = True
            for agent in self.agents:
                rewards[agent] += self.host.final_reward(agent)
        over = last or (episode.over and self._cycles is None)
        agents = self.agents
        asked = self._asked()
        observations = {agent: observed(asked.get(agent)) for agent in agents}
        infos = {agent: self.host.info(agent) for agent in agents}
        if over:
            self.agents = []
        if self.render_mode == "human":
            self.render()
        return (
            observations,
            rewards,
            dict.fromkeys(agents, over and not truncated),
            dict.fromkeys(agents, truncated),
            infos,
        )

    def _act(self, actions: dict[str, str]) -> dict[str, float]:
        episode = self.host.current
        rewards = dict.fromkeys(self.agents, 0.0)
        if self._cycle == 0:
            episode.start(_action_of(DESIGNER, actions))
            return rewards
        asked = self._asked()
        answers = [(question, _action_of(agent, actions)) for agent, question in asked.items()]
        for agent, reward in zip(asked, episode.answer_all(answers), strict=True):
            rewards[agent] += reward or 0.0
        return rewards

    def _asked(self) -> dict[str, Question]:
        """The oldest pending question of each executor that has one."""
        asked: dict[str, Question] = {}
        for question in self.host.current.pending:
            asked.setdefault(executor_name(question.slot), question)
        return asked


def _action_of(agent: str, actions: dict[str, str]) -> str:
    if agent not in actions:
        raise ValueError(f"{agent} is to act in this step and has no action")
    return checked_action(actions[agent])
