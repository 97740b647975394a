"""Many episodes at once through the step API: every round asks each policy all its open questions in one batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any, Generic, TypeVar

from mx_agents.policy import Policy, ask, called, checked_texts
from mx_envs import AECEnvironment, EpisodeRecord, Observation
from mx_envs.episode.spoken import Spoken

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Job(Generic[Key]):
    """An episode to play: which task, with which seed, who designs and who executes. ``key`` is the caller's own."""

    key: Key
    task: str
    seed: int
    designer: Policy
    executor: Policy
    make_env: Callable[[], AECEnvironment] | None = None
    """Makes the environment that this episode needs, where that is not everybody's."""


@dataclass(frozen=True, slots=True)
class Played(Generic[Key]):
    """An episode that is over; ``seconds`` of wall time spent in the environment, without the policies.

    ``samples`` has for each turn the tokens that its policy sampled (``prompt_ids``, ``output_ids``, ``log_probabilities``), None
    where the policy does not tell.
    """

    key: Key
    record: EpisodeRecord
    seconds: float
    samples: tuple[Any, ...] = ()


class _Seat(Generic[Key]):
    """One environment and the episode that it is in."""

    def __init__(self) -> None:
        self.env: Any = None
        self.job: Job[Key] | None = None
        self.seconds = 0.0
        self.samples: list[Any] = []
        self.asked = 0
        self._made_by: Callable[[], AECEnvironment] | None = None

    def begin(self, job: Job[Key], make_env: Callable[[], AECEnvironment]) -> None:
        """Reset to the job's task, in an environment that ``make_env`` made."""
        if self._made_by is not make_env:
            self.close()
            self.env, self._made_by = make_env(), make_env
        self.job, self.seconds, self.samples, self.asked = job, 0.0, [], 0
        self.env.reset(seed=job.seed, options={"task": job.task})

    def question(self) -> tuple[Policy, Observation]:
        """Whose turn it is, and the chat to answer."""
        assert self.job is not None  # noqa: S101  # only seats in play are asked
        designing = self.env.agent_selection.startswith("designer")
        policy = self.job.designer if designing else self.job.executor
        observation: Observation = self.env.observe(self.env.agent_selection)
        return policy, observation if designing else self._with_sampling(observation)

    def _with_sampling(self, observation: Observation) -> Observation:
        """The question with how its answer is to be made. Its seed, where none was asked for, is made of the episode's, the seat
        and the number of the question: drafts differ, repetitions differ, and the same episode asks with the same seeds.
        """
        assert self.job is not None  # noqa: S101
        agent = self.env.agent_selection
        info = self.env.infos[agent]
        made = hashlib.sha256(repr((self.job.seed, agent, self.asked)).encode()).digest()
        sampling = {"seed": int.from_bytes(made[:4], "big") >> 1, **info.get("sampling", {})}
        seen: Observation = {**observation, "sampling": sampling}
        if "request" in info:
            seen["request"] = info["request"]
        if "model" in info:
            seen["model"] = info["model"]
        return seen

    def note(self, sample: Any) -> None:
        """Remember the tokens of the answer that comes next, unless it is a design."""
        if not self.env.agent_selection.startswith("designer"):
            self.asked += 1
            self.samples.append(sample)

    def step(self, action: str) -> None:
        """Act for whoever is asked; an episode that ends with it is left at its end."""
        begin = perf_counter()
        self.env.step(action)
        while self.env.agents and self._is_over():
            self.env.step(None)
        self.seconds += perf_counter() - begin

    def close(self) -> None:
        """Close the environment."""
        if self.env is not None:
            self.env.close()

    def _is_over(self) -> bool:
        agent = self.env.agent_selection
        return bool(self.env.terminations[agent] or self.env.truncations[agent])

    @property
    def over(self) -> Played[Key] | None:
        """The episode, when it is over."""
        record: EpisodeRecord | None = self.env.unwrapped.episode
        if record is None:
            return None
        assert self.job is not None  # noqa: S101
        return Played(self.job.key, record, self.seconds, tuple(self.samples))


def play(
    jobs: Iterator[Job[Key]],
    make_env: Callable[[], AECEnvironment],
    in_flight: int,
    *,
    unblock: Callable[[], None] | None = None,
) -> Iterator[Played[Key]]:
    """Play episodes, ``in_flight`` at a time, and yield each when it is over.

    ``make_env`` makes a PettingZoo AEC environment of one designer and executors. Policies act in this thread, environments step in
    threads of their own, so a policy need not be thread-safe. All environments step together, so that what a batch of questions
    holds can be repeated. With ``unblock`` a question is asked at once, because steps may wait hours for a program outside; it is
    called when playing is broken off, and makes such steps return.
    """
    seats: list[_Seat[Key]] = [_Seat() for _ in range(in_flight)]
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="episodes")
    moving: dict[Future[None], int] = {}
    ready: list[int] = []

    def begin(place: int) -> None:
        for job in islice(jobs, 1):
            moving[pool.submit(seats[place].begin, job, job.make_env or make_env)] = place

    try:
        for place in range(in_flight):
            begin(place)
        while moving or ready:
            for place in _arrived(moving, FIRST_COMPLETED if unblock else ALL_COMPLETED):
                over = seats[place].over
                if over is None:
                    ready.append(place)
                else:
                    yield over
                    begin(place)
            if unblock or not moving:
                moving |= _steps(pool, seats, sorted(ready))
                ready = []
    finally:
        if unblock is not None:
            unblock()
        pool.shutdown(cancel_futures=True)
        for seat in seats:
            seat.close()


def _steps(pool: ThreadPoolExecutor, seats: list[_Seat[Key]], places: list[int]) -> dict[Future[None], int]:
    """Begin the steps of these places, with actions from their policies."""
    actions = _act([seats[place] for place in places])
    return {
        pool.submit(seats[place].step, action): place for place, action in zip(places, actions, strict=True)
    }


def _arrived(moving: dict[Future[None], int], when: str) -> list[int]:
    """Wait; the places of those that have come to a question or to their end, in order. Raises what a step raised."""
    done, _ = wait(moving, return_when=when)
    places = {moving.pop(future): future for future in done}
    for place in sorted(places):
        places[place].result()
    return sorted(places)


def _act(seats: list[_Seat[Any]]) -> list[str]:
    """An action for each seat, asking each policy once."""
    questions = [seat.question() for seat in seats]
    places_of: dict[int, list[int]] = {}
    for place, (policy, _) in enumerate(questions):
        places_of.setdefault(id(policy), []).append(place)
    actions = [""] * len(seats)
    for places in places_of.values():
        policy = questions[places[0]][0]
        answers, samples = answers_of(policy, [questions[place][1] for place in places])
        for place, answer in zip(places, answers, strict=True):
            actions[place] = answer
        for place, sample in zip(places, samples, strict=True):
            seats[place].note(sample)
    return actions


def answers_of(policy: Policy, observations: list[Observation]) -> tuple[list[str], list[Any]]:
    """The answers, and of a policy that ``tells_samples`` what it knows of each, such as its tokens. Raises PolicyError."""
    if not getattr(policy, "tells_samples", False):
        return ask(policy, observations), [None] * len(observations)
    name = f"{type(policy).__name__}.sample"
    samples = called(name, getattr(policy, "sample"), observations)  # noqa: B009  # no part of the protocol
    texts = [_spoken(each) for each in samples] if isinstance(samples, list | tuple) else samples
    return checked_texts(name, texts, len(observations)), list(samples)


def _spoken(sample: Any) -> str:
    """The text of a sample, with what its policy knows of it."""
    known = getattr(sample, "about", None)
    text: str = sample.text
    return Spoken(text, known) if known else text
