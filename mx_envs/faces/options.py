"""What an environment can be made with, what its ``reset`` can be asked for, and the errors of what there is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import numpy as np
from gymnasium import logger

from mx_envs.episode.approval import Approver
from mx_envs.episode.rewards import RewardModel
from mx_envs.inside.endpoint.sampling import Terms
from mx_sandboxes import Sandbox
from mx_sandboxes.opening import Backend
from mx_tasks import Split, TaskSet, check_split
from mx_tasks.errors import did_you_mean

RESET_OPTIONS: dict[str, type | tuple[type, ...]] = {"task": str, "index": (int, np.integer), "split": str}
_KINDS = {"task": "task's id", "index": "whole number", "split": "split's name"}

SandboxOf = Callable[[str], Sandbox]
"""The open sandbox of an image, such as :class:`mx_sandboxes.Sandboxes`."""


class SingleOptions(TypedDict, total=False):
    """The arguments of ``gymnasium.make``; all have defaults."""

    tasks: str | TaskSet
    """A task set, or its name, with or without the domain. Default ``micro``."""
    split: Split
    """Default ``train``."""
    sandbox: Backend | Sandbox | SandboxOf
    """A backend's name, or an open sandbox, which stays open when the environment is closed. Default ``auto``.

    A task names the image that it needs: for a backend's name, a sandbox is opened for each image; an open sandbox is used for
    all tasks; a function (:class:`mx_sandboxes.Sandboxes`) is asked for each image's.

    A running episode holds one of its slots; a sandbox that several environments share needs one for each of them.
    """
    grading_sandbox: Sandbox | SandboxOf | None
    """Where submissions are graded; by default a pool like ``sandbox``, or ``sandbox`` itself when that is an open one.

    With ``turn_rewards``, answers are graded while episodes run: then it has to have a slot that no episode holds.
    """
    executors: int
    """Number of executors. Default 8."""
    turn_rewards: bool
    """Whether an executor is paid for each answer that can be graded by itself. Default False."""
    approver: Approver | None
    """Judges the executors' tool calls before they are made (see :mod:`mx_envs.episode.approval`). Default None: all are."""
    rewards: RewardModel | None
    """What an episode pays at its end. Default :class:`~mx_envs.DefaultRewards`."""
    render_mode: str | None
    """``ansi``, ``human`` or None."""
    terms: Terms | None
    """Which parameters a program at the endpoint may ask for, because the executors honour them, and which are pinned. Default
    None: it may ask for all, and whoever steps the environment finds them in ``info["sampling"]``."""
    guide: str
    """What the designer is told of designs: ``full``, ``short``, a text of your own, or ``""`` for nothing. Default ``full``."""


class Options(SingleOptions, total=False):
    """The arguments of ``env``, ``raw_env`` and ``parallel_env``; all have defaults."""

    max_cycles: int | None
    """Makes every episode exactly that many cycles of all agents long, idle or truncated; for fixed-horizon learners."""


def check_arguments(maker: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise TypeError, with the nearest name, where an argument is given that there is not."""
    names = list(known)
    for name in given:
        if name not in names:
            raise TypeError(
                f"{maker} has no argument {name!r}{did_you_mean(name, names)}; there are: {', '.join(names)}"
            )


def checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a reset. Raises ValueError or TypeError, which names the option.

    It does so where one is wrong, or nearly one that there is. Others are warned about and left alone: PettingZoo's own test of the
    interface gives one that no environment knows.
    """
    for name, value in options.items():
        if name not in RESET_OPTIONS:
            near = did_you_mean(name, RESET_OPTIONS)
            said = f"reset() has no option {name!r}{near}; there are: {', '.join(RESET_OPTIONS)}"
            if near:
                raise ValueError(said)
            logger.warn(said)
            continue
        if isinstance(value, bool) or not isinstance(value, RESET_OPTIONS[name]):
            raise TypeError(f"the option {name!r} is a {_KINDS[name]}, not {value!r}")
    if "task" in options and "index" in options:
        raise ValueError("reset() takes the option 'task' or 'index', not both")
    if "split" in options:
        check_split(options["split"])
    known = {name: value for name, value in options.items() if name in RESET_OPTIONS}
    return {**known, "index": int(known["index"])} if "index" in known else known
