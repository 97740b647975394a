"""What episodes cost, counted alike for every executor: calls, tokens in and out by agent, money, wall time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mx_envs.inside.endpoint.asking import prompt_tokens, tokens

PER_PRICE = 1_000_000


def tokens_by_agent(turns: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Calls, tokens in and tokens out of each role, from an episode's turns; of equal names the second seat is ``name (2)``.

    A token is a quarter of UTF-8's bytes here, whatever the model: figures of different executors can be compared, and no tokenizer
    is needed. What an endpoint counted itself is in the executor's own usage.
    """
    spent: dict[str, list[int]] = {}
    seats: dict[str, list[int]] = {}
    for turn in turns:
        known = seats.setdefault(turn["name"], [])
        if turn["slot"] not in known:
            known.append(turn["slot"])
        number = known.index(turn["slot"]) + 1
        name = turn["name"] if number == 1 else f"{turn['name']} ({number})"
        row = spent.setdefault(name, [0, 0, 0])
        row[0] += 1
        row[1] += prompt_tokens(turn["messages"])
        row[2] += tokens(turn["answer"])
    return spent


def counted(turns: list[dict[str, Any]]) -> tuple[int, int]:
    """Tokens in and out as the executors' servers counted them (``usage`` of a turn); those of others as everywhere here."""
    inward = outward = 0
    for turn in turns:
        usage = turn.get("usage")
        inward += usage[0] if usage else prompt_tokens(turn["messages"])
        outward += usage[1] if usage else tokens(turn["answer"])
    return inward, outward


def by_executor(turns: list[dict[str, Any]], default: str) -> dict[str, list[dict[str, Any]]]:
    """The turns by who answered: the executor that a model's name led to, else the run's."""
    found: dict[str, list[dict[str, Any]]] = {}
    for turn in turns:
        found.setdefault((turn.get("used") or {}).get("executor", default), []).append(turn)
    return found


def money(
    prices: Mapping[str, tuple[float, float]], executor: str, inward: int, outward: int
) -> float | None:
    """The price of so many tokens; None for an executor without a price."""
    if executor not in prices:
        return None
    return (inward * prices[executor][0] + outward * prices[executor][1]) / PER_PRICE
