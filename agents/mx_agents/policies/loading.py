"""Policies by name, as the command line spells them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from mx_agents.errors import UsageError, did_you_mean
from mx_agents.policies.oracle import UnknowingOracle, oracle_for
from mx_agents.policies.random_text import RandomPolicy
from mx_agents.policies.scripted import ScriptedPolicy
from mx_agents.policy import Policy
from mx_sandboxes.extras import how_to_install
from mx_tasks import Task, TaskSet

Role = Literal["designer", "executor"]

POLICY_KINDS = {
    "random": "random text",
    "scripted": "the imperfect demonstrator of the micro task families",
    "scripted:oracle": "the reference solution",
    "scripted:noop": "empty answers",
    "human": "you, at the terminal",
    "replay:FILE": "the answers of an episodes.jsonl",
    "openai:MODEL@URL": "an OpenAI-compatible endpoint, such as openai:qwen3@http://localhost:8000/v1",
    "hf:PATH": "a Hugging Face model",
    "FILE.py:NAME": "your own, in a file: a class with act(observations), or a function of one observation",
    "MODULE:NAME": "the same in an installed module",
}
"""Every spelling that :func:`load_policy` takes, and what it means."""

_CHEAP = ("random", "scripted", "scripted:oracle", "scripted:noop")


def is_shared(spec: str) -> bool:
    """Whether many episodes share one such policy, because it is costly to make: True for all but random and scripted."""
    return spec not in _CHEAP


def load_policy(
    spec: str, *, role: Role = "executor", seed: int = 0, about: tuple[TaskSet, Task] | None = None
) -> Policy:
    """The policy that a spec names (see POLICY_KINDS); ``about`` is the task, for those that know it. Raises UsageError."""
    kind, colon, rest = spec.partition(":")
    makers: dict[str, Callable[[], Policy]] = {
        "random": lambda: RandomPolicy(seed),
        "scripted": lambda: _demonstrator(role, seed),
        "human": _human,
        "scripted:oracle": lambda: oracle_for(*about) if about is not None else UnknowingOracle(),
        "scripted:noop": lambda: ScriptedPolicy([""], repeat=True),
    }
    loaders: dict[str, Callable[[], Policy]] = {
        "replay": lambda: _replay(rest, role),
        "openai": lambda: _openai(spec, rest, seed),
        "hf": lambda: _hugging_face(rest, seed),
    }
    if spec in makers:
        return makers[spec]()
    if colon and kind in loaders:
        return loaders[kind]()
    if colon or spec.endswith(".py"):
        return as_policy(build(load_attribute(spec, "policy"), seed=seed, role=role), spec)
    names = [name.partition(":")[0] for name in POLICY_KINDS if not name[0].isupper()]
    raise UsageError(
        f"there is no policy {spec!r}{did_you_mean(spec, names)}; a policy is one of: {', '.join(POLICY_KINDS)}"
    )


def as_policy(made: Any, spec: str) -> Policy:
    """What a user's builder made, as a policy: anything with ``act``, or a function of one observation. Raises UsageError."""
    if callable(getattr(made, "act", None)):
        policy: Policy = made
        return policy
    if callable(made):
        return ScriptedPolicy(made)
    raise UsageError(
        f"{spec!r} made a {type(made).__name__}, which is no policy: it needs act(observations) -> list of texts"
    )


def load_attribute(spec: str, what: str) -> Any:
    """What ``file.py:name`` or ``module:name`` names, or ``file.py`` where it holds one such thing.

    Raises UsageError; errors of the user's own code come through.
    """
    place, _, name = spec.rpartition(":")
    if spec.endswith(".py"):
        place, name = spec, ""
    if not place or not (name or spec.endswith(".py")):
        raise UsageError(f"{spec!r} is no {what}: write file.py:name or module:name")
    module = _load_file(Path(place), spec) if place.endswith(".py") else _import(place, spec, what)
    if not name:
        return _only(module, spec, what)
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise UsageError(f"there is no {name!r} in {place}{did_you_mean(name, public)}")
    return getattr(module, name)


def _only(module: Any, spec: str, what: str) -> Any:
    """What a file is about, where the spec names none of it: what is called like it, else its one class, else its one function."""
    own = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    if what in own:
        return own[what]
    for kind in (inspect.isclass, inspect.isfunction):
        found = [value for value in own.values() if kind(value)]
        if len(found) == 1:
            return found[0]
    raise UsageError(f"which {what} of {spec!r}? Write {spec}:NAME; it has: {', '.join(own) or 'nothing'}")


def build(builder: Any, **options: Any) -> Any:
    """Call a user's builder with those of the options that it takes; what is no function or class is used as it is."""
    if not inspect.isclass(builder) and not inspect.isroutine(builder):
        return builder
    parameters = inspect.signature(builder).parameters
    if inspect.isroutine(builder) and _required(parameters):
        return builder  # a function of the observation (or the task) itself, not a builder
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    missing = [name for name in _required(parameters) if name not in options]
    if missing:
        raise UsageError(
            f"{builder.__name__} wants {', '.join(missing)}, which nobody gives it: have it made with "
            f"{', '.join(options)} alone, or name an object or a function that makes one"
        )
    return builder(**{name: value for name, value in options.items() if open_ended or name in parameters})


def _required(parameters: Any) -> list[str]:
    return [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and parameter.kind in (0, 1) and name not in ("seed", "role")
    ]


def _load_file(path: Path, spec: str) -> Any:
    if not path.is_file():
        near = [str(candidate) for candidate in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise UsageError(f"{spec!r}: there is no file {str(path)!r}{did_you_mean(str(path), near)}")
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise UsageError(f"{spec!r}: {str(path)!r} cannot be imported")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _import(place: str, spec: str, what: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not (place == error.name or place.startswith(f"{error.name}.")):
            raise  # the user's module exists and misses one of its own imports
        kinds = (
            [kind.partition(":")[0] for kind in POLICY_KINDS if not kind[0].isupper()]
            if what == "policy"
            else []
        )
        raise UsageError(
            f"there is no {what} {spec!r}{did_you_mean(spec.partition(':')[0], kinds)}: no module {place!r} is installed"
        ) from None


def _demonstrator(role: Role, seed: int) -> Policy:
    from mx_agents.micro.demonstrations import ScriptedDesigner, ScriptedExecutor

    return ScriptedDesigner(seed) if role == "designer" else ScriptedExecutor(seed)


def _human() -> Policy:
    from mx_agents.policies.human import HumanPolicy

    return HumanPolicy()


def _replay(rest: str, role: Role) -> Policy:
    from mx_agents.policies.replay import ReplayPolicy

    return ReplayPolicy.load(Path(rest), role)


def _openai(spec: str, rest: str, seed: int) -> Policy:
    model, at, url = rest.rpartition("@")
    if not at or not model or not url.startswith(("http://", "https://")):
        raise UsageError(f"{spec!r} is not openai:MODEL@URL, such as openai:qwen3@http://localhost:8000/v1")
    from mx_agents.policies.openai import OpenAIPolicy

    return OpenAIPolicy(model, url, seed=seed)


def _hugging_face(rest: str, seed: int) -> Policy:
    try:
        from mx_agents.models.hugging_face import HuggingFacePolicy
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a Hugging Face policy needs {error.name}; fix: {how_to_install('train')}"
        ) from None
    policy: Policy = HuggingFacePolicy.load(rest, seed=seed)
    return policy
