"""Makes the environments known to ``pettingzoo.make`` and ``gymnasium.make``."""

from __future__ import annotations

import gymnasium
import pettingzoo

from mx_envs.faces.domain import DOMAINS


def register() -> None:
    """Register every environment; PettingZoo has a registry from 1.27 on. Does nothing the second time."""
    if "mx/Software-v0" in gymnasium.registry:
        return
    gymnasium.register("mx/Software-v0", entry_point="mx_envs.faces.single:software")
    gymnasium.register("mx/Trading-v0", entry_point="mx_envs.faces.single:trading")
    gymnasium.register("mx/Hardware-v0", entry_point="mx_envs.faces.single:hardware")
    gymnasium.register(
        "mx/Portfolio-v0",
        entry_point="mx_envs.market.portfolio:PortfolioEnv",
        vector_entry_point="mx_envs.market.portfolio_vector:PortfolioVectorEnv",
        disable_env_checker=True,  # it takes longer than the step; gymnasium.make(..., disable_env_checker=False) checks
    )
    if hasattr(pettingzoo, "register"):
        for domain in DOMAINS:
            name, module = domain.env_id, domain.module
            pettingzoo.register("aec", name, f"mx_envs.{module}:env")
            pettingzoo.register("parallel", name, f"mx_envs.{module}:parallel_env")
        pettingzoo.register("aec", "mx/Market-v0", "mx_envs.market_v0:env")
        pettingzoo.register("parallel", "mx/Market-v0", "mx_envs.market_v0:parallel_env")
