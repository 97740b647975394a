"""The one protocol of everything that acts: observations in, actions out, in batches; and how it is asked."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from mx_agents.errors import PolicyError, UsageError
from mx_agents.event_loop import LoopThread
from mx_envs import Observation


class Policy(Protocol):
    """Observations in, actions out.

    ``act`` gets the chats of any number of agents, from any number of environments, and returns one text for each, in order. It
    may be ``async def``: then all its calls run in one event loop, so that a client may stay open from one to the next.
    """

    def act(self, observations: Sequence[Observation]) -> list[str]:
        """One action per observation."""


def ask(policy: Policy, observations: Sequence[Observation]) -> list[str]:
    """What a policy answers: one text for each observation. Raises PolicyError, which says how the policy is wrong and where."""
    name = f"{type(policy).__name__}.act"
    return checked_texts(name, called(name, policy.act, observations), len(observations))


def called(name: str, function: Any, observations: Sequence[Observation]) -> Any:
    """What a function of a policy returns, awaited where it is to be. Raises PolicyError for whatever it raises."""
    try:
        answers = function(observations)
        return _awaited(answers) if inspect.isawaitable(answers) else answers
    except (PolicyError, UsageError):
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PolicyError(f"{name} raised {said} ({frame.filename}, line {frame.lineno})") from error


def checked_texts(name: str, answers: Any, count: int) -> list[str]:
    """The answers, where they are ``count`` texts in a list or tuple. Raises PolicyError."""
    wanted = "one text" if count == 1 else f"a list of {count} texts"
    if not isinstance(answers, list | tuple):
        way_out = {
            "NoneType": "does it lack a return?",
            "generator": "make a list of it",
            "str": "put it into a list, one text for each observation",
        }.get(type(answers).__name__, "it needs act(observations) -> list of texts")
        raise PolicyError(f"{name} gave a {type(answers).__name__} where {wanted} was asked for: {way_out}")
    if len(answers) != count:
        questions = "1 question" if count == 1 else f"{count} questions"
        raise PolicyError(
            f"{name} gave {len(answers)} answers to {questions}: it owes one for each, in order"
        )
    for place, answer in enumerate(answers):
        if not isinstance(answer, str):
            raise PolicyError(
                f"{name} gave a {type(answer).__name__} for answer {place + 1} of {count}: a text is owed"
            )
    return list(answers)


def _awaited(answers: Awaitable[Any]) -> Any:
    async def whole() -> Any:
        return await answers

    return _loop().run(whole())


@functools.cache
def _loop() -> LoopThread:
    """The one event loop of all policies that are asynchronous; it ends with the process."""
    return LoopThread("policies")
