"""Plan and carry out retries."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """How often and when to try again."""

    attempts: int = 3
    base: float = 0.5
    factor: float = 2.0
    longest: float = math.inf
    deadline: float = math.inf
    jitter: float = 0.0
    retry_on: tuple = (OSError,)

    def __post_init__(self):
        if self.attempts < 1:
            raise ValueError("there is at least one attempt")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter is a share from 0 to 1")


def delays(policy, rng):
    """Seconds to sleep before each further attempt."""
    total = 0.0
    for number in range(policy.attempts):
        delay = min(policy.longest, policy.base * policy.factor**number)
        if policy.jitter:
            delay *= rng.uniform(1 - policy.jitter, 1 + policy.jitter)
        if total > policy.deadline:
            return
        total += delay
        yield delay


def call(function, policy, sleep, rng):
    """What the function returns, tried again as the policy says."""
    schedule = delays(policy, rng)
    while True:
        try:
            return function()
        except Exception:
            delay = next(schedule, None)
            if delay is None:
                raise
        sleep(delay)
