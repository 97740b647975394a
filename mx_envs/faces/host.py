"""What the environments' faces share: task set and sandboxes, the choice of a task, the episode in play, its ``info``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import logger
from gymnasium.utils import seeding

from mx_envs.episode.approval import Approver
from mx_envs.episode.episode import Episode
from mx_envs.episode.guide import designer_chat, guide_text
from mx_envs.episode.observation import Message, Observation
from mx_envs.episode.record import EpisodeRecord, Timing, grade_as_dict
from mx_envs.episode.rewards import DefaultRewards, RewardModel
from mx_envs.episode.served import ServedSandbox
from mx_envs.episode.setting import Setting, executor_name
from mx_envs.episode.wire import Question
from mx_envs.faces.options import SandboxOf, checked_options
from mx_envs.faces.render import transcript
from mx_envs.inside.endpoint.sampling import Terms
from mx_sandboxes import Sandbox, open_sandbox
from mx_sandboxes.opening import BACKENDS, Backend
from mx_tasks import Split, Task, TaskSet, check_split, load_task_set
from mx_tasks.errors import did_you_mean

DESIGNER = "designer_0"
RENDER_MODES = ("ansi", "human")
ENDLESS = 1_000_000
"""Out of how many tasks a seed chooses where a split is generated without end."""


@dataclass
class Host:
    """One environment's setting and its episode in play."""

    env_id: str
    task_set: TaskSet
    split: Split
    sandbox: Backend | Sandbox | SandboxOf
    grading: Sandbox | SandboxOf | None
    executors: int
    turn_rewards: bool
    approver: Approver | None
    rewards: RewardModel
    render_mode: str | None
    guide: str = "full"
    terms: Terms | None = None
    episode: Episode | None = None
    _settings: dict[str, Setting] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)
    _rng: np.random.Generator | None = None
    _rendered: int = 0
    _closed: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """All but the episode and the sandboxes: a copy begins with ``reset()``, as a new environment does.

        Raises TypeError in the middle of an episode, which lives in a process, and where an open sandbox was handed in.
        """
        if self.episode is not None and not (self._closed or self.episode.over):
            raise TypeError(
                "an environment cannot be copied or pickled in the middle of an episode; end it, or close(), first"
            )
        if not all(isinstance(each, str) or each is None for each in (self.sandbox, self.grading)):
            raise TypeError(
                "an environment with an open sandbox cannot be copied or pickled; name a backend, such as sandbox='auto'"
            )
        return {**self.__dict__, "episode": None, "_settings": {}, "_opened": ExitStack(), "_rendered": 0}

    @property
    def agents(self) -> list[str]:
        """Names of all agents, the designer first."""
        return [DESIGNER, *(executor_name(slot) for slot in range(self.executors))]

    @property
    def current(self) -> Episode:
        """The episode in play. Raises RuntimeError before the first reset and after ``close``."""
        if self.episode is None:
            raise RuntimeError("call reset() first")
        if self._closed:
            raise RuntimeError("the environment is closed; reset() opens it again")
        return self.episode

    @property
    def record(self) -> EpisodeRecord | None:
        """The record of the episode in play; None until it is over."""
        return self.episode.record if self.episode is not None else None

    @property
    def timing(self) -> Timing:
        """Where the wall time of the episode in play went."""
        if self.episode is None:
            raise RuntimeError("call reset() first")
        return self.episode.timing

    def new_episode(
        self, seed: int | None, options: dict[str, Any] | None, rng: np.random.Generator | None = None
    ) -> Episode:
        """Drop the episode in play and choose the next one's task.

        Raises ValueError for options that there are not and for a task of another split than the one that is asked for,
        TypeError for an option's value of another kind, TaskNotFoundError and IndexError for a task that the set lacks,
        SandboxUnavailableError when no sandbox opens.
        """
        wanted = checked_options(options or {})
        if self.episode is not None:
            self.episode.close()
        if rng is None and (seed is not None or self._rng is None):
            self._rng, _ = seeding.np_random(seed)
        task = self._choose(wanted, rng or self._rng)
        self._rendered, self._closed = 0, False
        self.episode = Episode(self._open(task.image), task, seed)
        return self.episode

    def _choose(self, options: dict[str, Any], rng: np.random.Generator | None) -> Task:
        split = options.get("split", self.split)
        size = self.task_set.size(split)
        chosen = int(rng.integers(ENDLESS if size is None else size)) if rng is not None and size != 0 else 0
        if "task" not in options:
            return self.task_set.task(split, options.get("index", chosen))
        task = self.task_set.find(options["task"])
        if task.split != split:
            raise ValueError(
                f"the task {task.id!r} is of the split {task.split!r}, and this environment plays {split!r}: make it with "
                f"split={task.split!r}, or say so in the options: {{'task': {task.id!r}, 'split': {task.split!r}}}"
            )
        return task

    def _open(self, image: str) -> Setting:
        """What the episodes of tasks with that image have in common, sandboxes included."""
        if image not in self._settings:
            if isinstance(
                self.sandbox, str
            ):  # pools of this environment's own; one slot does for one episode at a time
                sandbox, grading = (self._own(self.sandbox, image) for _ in range(2))
            else:
                sandbox = grading = _of(self.sandbox, image)
                if self.approver is not None and isinstance(sandbox, ServedSandbox):
                    sandbox.approver = self.approver
            self._settings[image] = Setting(
                task_set=self.task_set,
                sandbox=sandbox,
                grading=grading if self.grading is None else _of(self.grading, image),
                executors=self.executors,
                turn_rewards=self.turn_rewards,
                approver=self.approver,
                rewards=self.rewards,
                env=self.env_id,
                guide=self.guide,
                terms=self.terms,
            )
        return self._settings[image]

    def _own(self, backend: str, image: str) -> Sandbox:
        return self._opened.enter_context(open_sandbox(backend, image=image, slots=1))

    def close(self) -> None:
        """End the episode in play and the sandboxes that this environment opened; may be called again."""
        if self.episode is not None:
            self.episode.close()
        self._closed = True
        self._opened.close()
        self._settings.clear()

    def designer_observation(self) -> Observation:
        """What the designer sees."""
        return {"messages": designer_chat(self.current.task, self.guide)}

    def state(self) -> Observation:
        """All that was said so far: what the designer saw and wrote, then question and answer of each turn."""
        episode = self.current
        said: list[Message] = list(designer_chat(episode.task, self.guide))
        if episode.design:
            said.append({"role": "assistant", "content": episode.design})
        for turn in episode.turns:
            said += [
                {"role": "user", "content": turn.messages[-1]["content"]},
                {"role": "assistant", "content": turn.answer},
            ]
        return {"messages": tuple(said)}

    def info(self, agent: str) -> dict[str, Any]:
        """A new ``info``: the task, the agent's role, its name in the design where it is asked, turns so far and calls left.

        ``sampling`` where something is said of how the answer is to be made, ``request`` a program's own where the executors take
        requests as they are, ``model`` the one that it names. Once over, how it ended and the grade.
        """
        episode = self.current
        asked = self._asked(agent)
        info: dict[str, Any] = {
            "task": episode.task.id,
            "role": "designer" if agent == DESIGNER else "executor",
            "name": asked.agent if asked is not None else "",
            "turn": len(episode.turns),
            "calls_left": episode.calls_left,
        }
        if asked is not None and asked.wanted:
            info["sampling"] = asked.wanted
        if asked is not None and asked.request is not None:
            info["request"] = asked.request
        if asked is not None and asked.model:
            info["model"] = asked.model
        record = episode.record
        if record is not None:
            info["stop"] = record.stop.value
            info["error"] = record.error
            info["calls"] = record.calls
            info["failed"] = record.failed
            if record.folded:
                info["folded"] = record.folded
            info["grade"] = None if record.failed else grade_as_dict(record.grade)
            info["rewards"] = {"designer": record.rewards.designer, "executors": record.rewards.executors}
        return info

    def _asked(self, agent: str) -> Question | None:
        """The oldest question that waits for an agent."""
        pending = self.current.pending
        return next((asked for asked in pending if executor_name(asked.slot) == agent), None)

    def final_reward(self, agent: str) -> float:
        """What the end of the episode pays an agent; an executor that took no turn gets nothing.

        What an executor was paid for turns from which nothing was taken in the end is taken back here.
        """
        record = self.current.record
        if record is None:
            return 0.0
        if agent == DESIGNER:
            return float(record.rewards.designer)
        if not any(turn.agent == agent for turn in record.turns):
            return 0.0
        return float(record.rewards.executors) - self.current.taken_back.get(agent, 0.0)

    def render(self) -> str | None:
        """The transcript so far: returned in mode ``ansi``, its news written to the terminal in mode ``human``."""
        if self.render_mode is None:
            logger.warn("render() shows nothing without a render_mode; there are: " + ", ".join(RENDER_MODES))
            return None
        text = transcript(self.current)
        if self.render_mode == "ansi":
            return text
        sys.stdout.write(text[self._rendered :])
        sys.stdout.flush()
        self._rendered = len(text)
        return None


def _of(sandbox: Sandbox | SandboxOf, image: str) -> Sandbox:
    return sandbox(image) if callable(sandbox) else sandbox


def observed(question: Question | None) -> Observation:
    """What an executor with that question sees; an empty chat without one."""
    if question is None:
        return {"messages": ()}
    return {"messages": tuple([message.copy() for message in question.messages])}


def checked_action(action: object) -> str:
    """The action, which must be a text. Raises TypeError."""
    if not isinstance(action, str):
        raise TypeError(f"an action is a text, not {type(action).__name__}")
    return action


def make_host(
    domain: str,
    env_id: str,
    *,
    tasks: str | TaskSet = "micro",
    split: Split = "train",
    sandbox: Backend | Sandbox | SandboxOf = "auto",
    grading_sandbox: Sandbox | SandboxOf | None = None,
    executors: int = 8,
    turn_rewards: bool = False,
    approver: Approver | None = None,
    rewards: RewardModel | None = None,
    render_mode: str | None = None,
    guide: str = "full",
    terms: Terms | None = None,
) -> Host:
    """Check the arguments of an environment (see :class:`Options`) and make its host; no sandbox is opened before the first reset.

    Raises ValueError (its subclasses for task sets and splits), which names the offending value and what there is instead.
    """
    if render_mode is not None:
        check_choice("render mode", render_mode, RENDER_MODES)
    if isinstance(sandbox, str):
        check_choice("sandbox", sandbox, ("auto", *BACKENDS))
    if executors < 1:
        raise ValueError(f"an environment has at least 1 executor, not {executors}")
    guide_text(guide)
    return Host(
        env_id=env_id,
        task_set=load_task_set(tasks, domain=domain) if isinstance(tasks, str) else tasks,
        split=check_split(split),
        sandbox=sandbox,
        grading=grading_sandbox,
        executors=executors,
        turn_rewards=turn_rewards,
        approver=approver,
        rewards=rewards or DefaultRewards(),
        render_mode=render_mode,
        guide=guide,
        terms=terms,
    )


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError, with the nearest choice, when the value is not one of the choices."""
    if value not in choices:
        raise ValueError(
            f"there is no {what} {value!r}{did_you_mean(value, choices)}; there are: {', '.join(choices)}"
        )
