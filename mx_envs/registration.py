"""Makes the environments known to ``pettingzoo.make`` and ``gymnasium.make``."""

from __future__ import annotations

import gymnasium
import pettingzoo


def register() -> None:
    """Register every environment; PettingZoo has a registry from 1.27 on. Does nothing the second time."""
    if "mx/Software-v0" in gymnasium.registry:
        return
    gymnasium.register("mx/Software-v0", entry_point="mx_envs.single:software")
    gymnasium.register("mx/Trading-v0", entry_point="mx_envs.single:trading")
    gymnasium.register(
        "mx/Portfolio-v0",
        entry_point="mx_envs.portfolio:PortfolioEnv",
        vector_entry_point="mx_envs.portfolio_vector:PortfolioVectorEnv",
        disable_env_checker=True,  # it takes longer than the step; gymnasium.make(..., disable_env_checker=False) checks
    )
    if hasattr(pettingzoo, "register"):
        for name, module in (("mx/Software-v0", "software_v0"), ("mx/Trading-v0", "trading_v0")):
            pettingzoo.register("aec", name, f"mx_envs.{module}:env")
            pettingzoo.register("parallel", name, f"mx_envs.{module}:parallel_env")
