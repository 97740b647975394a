"""Trading tasks: a designer writes a desk of agents that trades bar by bar; what is decided is graded, not what is claimed.

=================  =====================================================================================
Agents             ``designer_0``, then ``executor_0`` to ``executor_7`` (``executors=8``)
Action             any text: a Python script from the designer, an answer from an executor
Observation        ``{"messages": ({"role": ..., "content": ...}, ...)}``; empty when nothing is asked
Rewards            designer: the score, 2 % off for each call; executors: the score; -0.5 for tampering
Episode ends       when the script submits, ends, crashes or reaches a limit; the market is then held to its end
Randomness         the seed chooses the task; its market comes from a secret of the host, never from the seed alone
=================  =====================================================================================

The script's ``market`` (``observe(n)``, ``account()``, ``question()``, ``rebalance(weights)``) is the
host's: data and clock stay there.
The arguments are those of :class:`mx_envs.Options`.

Version history: v0, first release.
"""

from __future__ import annotations

from mx_envs.faces.domain import TRADING

ENV_ID = TRADING.env_id
NAME = TRADING.module

env = TRADING.env
raw_env = TRADING.raw_env
parallel_env = TRADING.parallel_env
