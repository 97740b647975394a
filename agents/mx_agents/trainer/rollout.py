"""Rollout trees over the standard step API: many parallel environments in flight, their questions answered in one batch a round."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from mx_agents.models.hugging_face import Sample
from mx_agents.trainer.credit import Call
from mx_envs import EpisodeRecord, Observation
from mx_sandboxes import SandboxError

logger = logging.getLogger(__name__)

DESIGNER = "designer_0"

Sampler = Callable[[Sequence[Observation]], list[Sample]]
"""Samples one action for each chat, such as :meth:`mx_agents.models.hugging_face.HuggingFacePolicy.sample`."""


@dataclass(frozen=True, slots=True)
class Job:
    """One execution to be made: a task (by its place in the split), a design, and its place in the tree."""

    task: int
    design: int
    execution: int
    script: str


TRIES = 2
"""How often an execution is begun before a failure of its sandbox or grader, which no design causes, is left as it is."""
MOST_FAILING = 0.5
"""Share of a batch's executions that may go on failing; beyond it the infrastructure is broken, not the designs."""


@dataclass(slots=True)
class Execution:
    """One execution of a design: the environment's record, and the executors' samples in the order of its turns.

    ``tries`` is how often it was begun: more than once where sandbox or grader had failed.
    """

    job: Job
    record: EpisodeRecord
    samples: list[Sample]
    tries: int = 1


@dataclass(slots=True)
class _Flight:
    """An environment with an episode in it."""

    env: Any
    job: Job
    tries: int = 1
    asked: dict[str, Observation] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """What the design calls the agents that are asked."""
    samples: dict[str, list[Sample]] = field(default_factory=dict)


def designer_observations(envs: Sequence[Any], places: Sequence[int]) -> list[Observation]:
    """What the environment shows the designer of the tasks at these places of its split."""
    (env, *_) = envs
    return [env.reset(options={"index": place})[0][DESIGNER] for place in places]


def execute(
    envs: Sequence[Any],
    jobs: Sequence[Job],
    executor: Sampler,
    by_name: Callable[[str], Sampler] | None = None,
) -> list[Execution]:
    """Run every job in the environments (PettingZoo ParallelEnv), as many at a time as there are.

    In each round the pending questions of all environments are answered by one call of ``executor``; then all environments step.
    ``by_name`` says who else answers for agents of some names in the design.
    The order of questions depends on the jobs alone, so that a seeded executor gives the same answers every time.

    An execution whose sandbox or grader failed is made again, ``TRIES`` times in all. What fails every time keeps its record, which
    pays nothing: no design gains by breaking its sandbox. Raises SandboxError when most of a batch fails so.
    """
    waiting = deque((place, job, 1) for place, job in enumerate(jobs))
    done: dict[int, Execution] = {}
    with ThreadPoolExecutor(min(len(envs), 8), thread_name_prefix="rollout") as threads:
        flights: dict[int, _Flight] = {}
        free = list(envs)
        while waiting or flights:
            begun = {}
            while waiting and free:
                place, job, tries = waiting.popleft()
                begun[place] = _Flight(free.pop(0), job, tries)
            list(threads.map(_begin, begun.values()))
            flights.update(begun)
            _answer(list(flights.values()), by_name or (lambda _: executor))
            for place in [
                place for place, flight in flights.items() if flight.env.unwrapped.episode is not None
            ]:
                flight = flights.pop(place)
                free.append(flight.env)
                record: EpisodeRecord = flight.env.unwrapped.episode
                if record.failed and flight.tries < TRIES:
                    logger.warning(
                        "task %s is played again: %s %s", record.task, record.stop.value, record.error
                    )
                    waiting.appendleft((place, flight.job, flight.tries + 1))
                else:
                    done[place] = Execution(flight.job, record, _in_turn_order(flight), flight.tries)
            list(threads.map(_step, flights.values()))
    executions = [done[place] for place in range(len(jobs))]
    _check(executions)
    return executions


def executor_calls(executions: Sequence[Execution], policy_version: int) -> Iterator[Call]:
    """The executors' calls of a batch, with what the environment paid for each."""
    for execution in executions:
        for turn, sample in zip(execution.record.turns, execution.samples, strict=True):
            yield Call(
                task=execution.job.task,
                design=execution.job.design,
                execution=execution.job.execution,
                role="executor",
                unit=",".join(turn.parts),
                sample=sample,
                team_reward=turn.team_reward,
                local_reward=turn.turn_reward,
                policy_version=policy_version,
                agent=turn.name,
            )


def teaching(executions: Sequence[Execution]) -> int:
    """How many tasks teach something: their executions differ in score, or in what was paid for the same part of the task.

    All right or all wrong, a group has no advantages (DAPO's dynamic sampling, arXiv 2503.14476, equation 11).
    """
    found: dict[tuple[int, tuple[str, ...] | None], set[float]] = {}
    for execution in executions:
        task, record = execution.job.task, execution.record
        found.setdefault((task, None), set()).add(record.grade.score)
        for turn in record.turns:
            if turn.turn_reward is not None:
                found.setdefault((task, tuple(turn.parts)), set()).add(turn.turn_reward)
    return len({task for (task, _), paid in found.items() if len(paid) > 1})


def _check(executions: Sequence[Execution]) -> None:
    failing = [execution.record for execution in executions if execution.record.failed]
    if len(failing) > MOST_FAILING * len(executions):
        last = failing[-1]
        raise SandboxError(
            f"{len(failing)} of {len(executions)} executions failed {TRIES} times each, the last one on task {last.task}: "
            f"{last.stop.value} {last.error}"
        )


def _begin(flight: _Flight) -> None:
    """Reset to the job's task and let the designer act."""
    observations, _ = flight.env.reset(options={"index": flight.job.task})
    if not observations[DESIGNER]["messages"]:
        raise RuntimeError("the environment does not ask the designer first")
    _take(flight, flight.env.step({DESIGNER: flight.job.script}))


def _answer(flights: Sequence[_Flight], by_name: Callable[[str], Sampler]) -> None:
    """Sample an answer to every pending question of every environment, in one batch for each sampler."""
    asked = [(flight, agent) for flight in flights for agent in flight.asked]
    samplers = [by_name(flight.names.get(agent, "")) for flight, agent in asked]
    for sampler in dict.fromkeys(samplers):
        own = [question for question, theirs in zip(asked, samplers, strict=True) if theirs == sampler]
        samples = sampler([flight.asked[agent] for flight, agent in own])
        for (flight, agent), sample in zip(own, samples, strict=True):
            flight.samples.setdefault(agent, []).append(sample)


def _step(flight: _Flight) -> None:
    actions = {agent: flight.samples[agent][-1].text for agent in flight.asked}
    _take(flight, flight.env.step(actions))


def _take(flight: _Flight, stepped: tuple[Any, ...]) -> None:
    observations: dict[str, Observation] = stepped[0]
    flight.names = {agent: str(info["name"]) for agent, info in stepped[4].items()}
    flight.asked = {
        agent: observation
        for agent, observation in observations.items()
        if agent != DESIGNER and observation["messages"]
    }


def _in_turn_order(flight: _Flight) -> list[Sample]:
    """The samples in the order of the record's turns: an executor answers its questions oldest first."""
    record: EpisodeRecord = flight.env.unwrapped.episode
    queues = {agent: deque(samples) for agent, samples in flight.samples.items()}
    return [queues[turn.agent].popleft() for turn in record.turns]
