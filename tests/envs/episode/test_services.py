"""A service on the host: calls from the script, errors as errors, the final state in the grader's hands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mx_envs import software_v0
from mx_tasks import Grade, ServiceError, Submission, Task


class Counter:
    """Counts up; ``name`` is what the market's client calls, because that is the client there is."""

    name = "market"

    def __init__(self) -> None:
        self.total = 0

    def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        if method != "rebalance":
            raise ServiceError(f"no method {method!r}")
        self.total += int(arguments["weights"])
        return {"total": self.total}

    def finish(self) -> Mapping[str, Any]:
        return {"total": self.total, "acted": self.total > 0}


def counting(words: Any) -> Any:
    class Counting(words):  # type: ignore[misc, valid-type]
        def service(self, task: Task) -> Counter:
            return Counter()

        def grade(self, task: Task, submission: Submission, sandbox: Any) -> Grade:
            return Grade(submission.service["total"] / 10, passed=submission.service["total"] == 10)

    return Counting()


def test_calls_are_answered_and_the_final_state_reaches_the_grader(
    play: Any, make_words: Any, sandbox: Any
) -> None:
    env = software_v0.env(tasks=counting(make_words), sandbox=sandbox)
    design = "from mas import *\nprint(market.rebalance(3), market.rebalance(7))\n"
    episode = play(env, design).episode
    assert "{'total': 3} {'total': 10}" in episode.log
    assert episode.stop.value == "finished"
    assert episode.handed_in
    assert episode.grade.passed
    assert episode.as_dict()["submission"]["service"] == {"total": 10, "acted": True}


def test_a_call_that_cannot_be_answered_is_an_exception_in_the_script(
    play: Any, make_words: Any, bubblewrap: Any
) -> None:
    env = software_v0.env(tasks=counting(make_words), sandbox=bubblewrap)
    episode = play(env, "from mas import *\nmarket.rebalance(4)\nmarket.observe()").episode
    assert episode.stop.value == "crashed"
    assert "no method 'observe'" in episode.error
    assert episode.grade.score == 0.4  # what was done before counts


def test_an_idle_service_is_nothing_handed_in(play: Any, make_words: Any, bubblewrap: Any) -> None:
    env = software_v0.env(tasks=counting(make_words), sandbox=bubblewrap)
    episode = play(env, "pass").episode
    assert not episode.handed_in
    assert episode.grade.score == 0.0


def test_a_task_without_services_says_so(play: Any, words: Any, bubblewrap: Any) -> None:
    env = software_v0.env(tasks=words, sandbox=bubblewrap)
    episode = play(env, "from mas import *\nmarket.account()").episode
    assert "this task has no market" in episode.error


def test_forged_calls_are_protocol_errors(play: Any, make_words: Any, bubblewrap: Any) -> None:
    env = software_v0.env(tasks=counting(make_words), sandbox=bubblewrap)
    design = (
        "import mas\nmas._send({'op': 'call', 'service': 'market', 'method': 'rebalance', 'arguments': [1]})"
    )
    assert play(env, design).episode.stop.value == "protocol error"
