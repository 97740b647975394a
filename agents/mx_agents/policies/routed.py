"""Several executors behind one endpoint: the model that a program names decides who answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from mx_agents.episodes import answers_of
from mx_agents.policy import Policy
from mx_envs import Observation


@dataclass(frozen=True, slots=True)
class RoutedAnswer:
    """An answer with who gave it: ``used`` has the ``executor`` and the model that was asked for, beside what that one says."""

    text: str
    used: Mapping[str, Any]
    sample: Any = None

    def __getattr__(self, name: str) -> Any:
        """Everything else is the executor's own sample's."""
        return getattr(object.__getattribute__(self, "sample"), name)


@dataclass(frozen=True, slots=True)
class Routed:
    """``default`` answers what no pattern fits; of ``routes`` (pattern, spec, policy) the first that fits a name answers."""

    default: tuple[str, Policy]
    routes: tuple[tuple[str, str, Policy], ...]
    tells_samples: ClassVar[bool] = True

    def act(self, observations: Sequence[Observation]) -> list[str]:
        """One answer per observation."""
        return [answer.text for answer in self.sample(observations)]

    def sample(self, observations: Sequence[Observation]) -> list[RoutedAnswer]:
        """The same, each with who gave it. Every executor is asked all its questions at once."""
        whose: dict[str, list[int]] = {}
        policies = dict([self.default])
        for place, observation in enumerate(observations):
            spec, policy = self.of(observation.get("model", ""))
            policies[spec] = policy
            whose.setdefault(spec, []).append(place)
        found: dict[int, RoutedAnswer] = {}
        for spec, places in whose.items():
            texts, samples = answers_of(policies[spec], [observations[place] for place in places])
            for place, text, sample in zip(places, texts, samples, strict=True):
                used = {**(getattr(sample, "used", None) or {}), "executor": spec}
                asked = observations[place].get("model", "")
                found[place] = RoutedAnswer(text, used | ({"asked_model": asked} if asked else {}), sample)
        return [found[place] for place in range(len(observations))]

    def of(self, model: str) -> tuple[str, Policy]:
        """Who answers for a model's name: the spec and the policy."""
        fitting = ((spec, policy) for pattern, spec, policy in self.routes if fnmatchcase(model, pattern))
        return next(fitting, self.default)
