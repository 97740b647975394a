"""A domain's environments: the same episode over different tasks, under the domain's own id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

from pettingzoo.utils.conversions import parallel_to_aec
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

from mx_envs.faces.aec import EpisodeAEC
from mx_envs.faces.face import AECEnvironment, ParallelEnvironment
from mx_envs.faces.host import Host, make_host
from mx_envs.faces.options import Options, check_arguments
from mx_envs.faces.parallel import EpisodeParallel
from mx_tasks import TaskSet


@dataclass(frozen=True, slots=True)
class Domain:
    """Makes the environments of a domain: its ``name`` in task sets, its ``env_id``, and its ``module`` in ``mx_envs``."""

    name: str
    env_id: str
    module: str

    def env(self, **options: Unpack[Options]) -> AECEnvironment:
        """The AEC environment, which also checks that its methods are called in a possible order."""
        check_arguments(f"{self.module}.env()", options, Options.__annotations__)
        wrapped: AECEnvironment = OrderEnforcingWrapper(self.raw_env(**options))
        return wrapped

    def raw_env(self, **options: Unpack[Options]) -> AECEnvironment:
        """The AEC environment without checks of the order of calls."""
        if options.get("max_cycles") is not None:
            converted: AECEnvironment = parallel_to_aec(self.parallel_env(**options))
            return converted
        return EpisodeAEC(self._host("raw_env", options), self.module)

    def parallel_env(self, **options: Unpack[Options]) -> ParallelEnvironment:
        """The parallel environment."""
        return EpisodeParallel(self._host("parallel_env", options), self.module, options.get("max_cycles"))

    def _host(self, maker: str, options: Options) -> Host:
        check_arguments(f"{self.module}.{maker}()", options, Options.__annotations__)
        own: dict[str, Any] = {name: value for name, value in options.items() if name != "max_cycles"}
        return make_host(self.name, self.env_id, **own)


SOFTWARE = Domain("software", "mx/Software-v0", "software_v0")
TRADING = Domain("trading", "mx/Trading-v0", "trading_v0")
HARDWARE = Domain("hardware", "mx/Hardware-v0", "hardware_v0")
DOMAINS = (SOFTWARE, TRADING, HARDWARE)


def domain_of(task_set: TaskSet) -> Domain:
    """The domain that a task set's name begins with; a domain of the user's own is played like software."""
    name = task_set.name.partition(":")[0]
    return next((domain for domain in DOMAINS if domain.name == name), SOFTWARE)
