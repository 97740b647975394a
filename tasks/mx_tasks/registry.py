"""Task sets by name: ``load_task_set("software:repair")``.

A name is ``domain:set``. Ours are registered by import string, so that naming one imports nothing else;
yours with :func:`register`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from mx_tasks.errors import UnknownOptionError, UnknownTaskSetError, did_you_mean
from mx_tasks.joined import JoinedTasks
from mx_tasks.task import TaskSet

Factory = Callable[..., TaskSet]
"""Makes a task set from keyword options: a function, or the set's class."""

_factories: dict[str, Factory | str] = {
    "hardware:arithmetic": "mx_tasks.hardware.sets.generated:arithmetic",
    "hardware:combinational": "mx_tasks.hardware.sets.generated:combinational",
    "hardware:composed": "mx_tasks.hardware.sets.generated:composed",
    "hardware:cvdp": "mx_tasks.hardware.sets.published:cvdp",
    "hardware:fsm": "mx_tasks.hardware.sets.generated:fsm",
    "hardware:micro": "mx_tasks.hardware.sets.micro:MicroHardware",
    "hardware:multi-file": "mx_tasks.hardware.sets.multi_file:MultiFileTasks",
    "hardware:optimise": "mx_tasks.hardware.sets.optimise:OptimiseTasks",
    "hardware:protocol": "mx_tasks.hardware.sets.generated:protocol",
    "hardware:repair": "mx_tasks.hardware.sets.generated:repair",
    "hardware:rtllm": "mx_tasks.hardware.sets.published:rtllm",
    "hardware:sequential": "mx_tasks.hardware.sets.generated:sequential",
    "hardware:testbench": "mx_tasks.hardware.sets.testbench:TestbenchTasks",
    "hardware:verilog-eval": "mx_tasks.hardware.sets.published:verilog_eval",
    "software:micro": "mx_tasks.software.sets.micro:MicroTasks",
    "software:packages": "mx_tasks.software.generate.packages:PackageTasks",
    "software:repair": "mx_tasks.software.sets.repair:RepairTasks",
    "trading:bootstrap": "mx_tasks.trading.sets.ladder:bootstrap",
    "trading:bootstrap-no-edge": "mx_tasks.trading.sets.ladder:bootstrap_no_edge",
    "trading:dated": "mx_tasks.trading.sets.real_desks:dated",
    "trading:hidden-regime": "mx_tasks.trading.sets.ladder:hidden_regime",
    "trading:micro": "mx_tasks.trading.sets.micro:MicroTasks",
    "trading:mean-reversion": "mx_tasks.trading.sets.ladder:mean_reversion",
    "trading:no-edge": "mx_tasks.trading.sets.ladder:no_edge",
    "trading:linear-quadratic": "mx_tasks.trading.sets.ladder:linear_quadratic",
    "trading:pairs": "mx_tasks.trading.sets.ladder:pairs",
    "trading:real": "mx_tasks.trading.sets.real_desks:real",
    "trading:regime": "mx_tasks.trading.sets.ladder:regime",
    "trading:strategy-bootstrap": "mx_tasks.trading.sets.strategies:bootstrap",
    "trading:strategy-bootstrap-no-edge": "mx_tasks.trading.sets.strategies:bootstrap_no_edge",
    "trading:strategy-dated": "mx_tasks.trading.sets.strategies:dated",
    "trading:strategy-hidden-regime": "mx_tasks.trading.sets.strategies:hidden_regime",
    "trading:strategy-mean-reversion": "mx_tasks.trading.sets.strategies:mean_reversion",
    "trading:strategy-no-edge": "mx_tasks.trading.sets.strategies:no_edge",
    "trading:strategy-real": "mx_tasks.trading.sets.strategies:real",
    "trading:strategy-linear-quadratic": "mx_tasks.trading.sets.strategies:linear_quadratic",
    "trading:strategy-pairs": "mx_tasks.trading.sets.strategies:pairs",
    "trading:strategy-regime": "mx_tasks.trading.sets.strategies:regime",
}

_FOLDERS = "mx_tasks.software.sets.on_disk:tasks_in"
"""What makes a set of the task directories in a folder."""

_families: dict[str, str] = {
    "software:mutation": "mx_tasks.software.generate.on_demand:mutation_tasks",
    "software:release-pair": "mx_tasks.software.generate.on_demand:release_pair_tasks",
    "trading:bootstrap": "mx_tasks.trading.sets.ladder:bootstrap",
    "trading:bootstrap-no-edge": "mx_tasks.trading.sets.ladder:bootstrap_no_edge",
    "trading:dated": "mx_tasks.trading.sets.real_desks:dated",
    "trading:real": "mx_tasks.trading.sets.real_desks:real",
    "trading:strategy-bootstrap": "mx_tasks.trading.sets.strategies:bootstrap",
    "trading:strategy-bootstrap-no-edge": "mx_tasks.trading.sets.strategies:bootstrap_no_edge",
    "trading:strategy-dated": "mx_tasks.trading.sets.strategies:dated",
    "trading:strategy-real": "mx_tasks.trading.sets.strategies:real",
}
"""Sets that are made of what stands after the slash, such as ``software:mutation/toolz``."""


def register(name: str, factory: Factory | str) -> None:
    """Make a task set known as ``name`` (``domain:set``).

    A factory given as a string, ``module:attribute``, is imported on first use.

    Raises ValueError when the name is not of that form or is taken by another factory.
    """
    domain, colon, short = name.partition(":")
    if not (domain and colon and short):
        raise ValueError(f"a task set's name is domain:set, such as software:mine; {name!r} is not")
    if _factories.get(name, factory) != factory:
        raise ValueError(f"there already is a task set {name!r}; choose another name")
    _factories[name] = factory


def task_set_names(domain: str | None = None) -> tuple[str, ...]:
    """The full names of all task sets, or of one domain's, in alphabetical order."""
    return tuple(sorted(name for name in _factories if domain is None or name.startswith(f"{domain}:")))


def load_task_set(name: str, *, domain: str | None = None, **options: Any) -> TaskSet:
    """The task set of that name; ``options`` go to its factory.

    Several names with commas between them make one set; a path (``./my/tasks``) that of the task directories there; a family with
    what its tasks are made of (``software:mutation/toolz``) is made when it is first asked for.

    With ``domain`` the short name is enough (``load_task_set("repair", domain="software")``). Raises
    UnknownTaskSetError and UnknownOptionError.
    """
    if "," in name:
        members = [word.strip() for word in name.split(",") if word.strip()]
        return JoinedTasks([load_task_set(member, domain=domain, **options) for member in members])
    if name.startswith(("./", "../", "/", "~")):
        return _imported(_FOLDERS)(Path(name).expanduser(), name)
    full = f"{domain}:{name}" if domain is not None and ":" not in name else name
    family, slash, rest = full.partition("/")
    if slash and rest and family in _families:
        made_of = _imported(_families[family])
        _check_options(full, made_of, options)
        return made_of(rest, **options)
    if full not in _factories:
        names = task_set_names(domain)
        raise UnknownTaskSetError(
            f"there is no task set {name!r}{did_you_mean(full, names)}; "
            f"there are: {', '.join(names) or 'none'}"
        )
    factory = _factories[full]
    if isinstance(factory, str):
        factory = _imported(factory)
    _check_options(full, factory, options)
    return factory(**options)


def _imported(place: str) -> Factory:
    module, _, attribute = place.partition(":")
    return cast(Factory, getattr(importlib.import_module(module), attribute))


def _check_options(name: str, factory: Factory, options: dict[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for option in options:
        if option not in parameters:
            raise UnknownOptionError(
                f"task set {name!r} takes no option {option!r}{did_you_mean(option, parameters)}; "
                f"it takes: {', '.join(parameters) or 'none'}"
            )
