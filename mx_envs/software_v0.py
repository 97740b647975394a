"""Software tasks: a designer writes a multi-agent program, executors play its roles, hidden tests grade what it submits.

=================  =====================================================================================
Agents             ``designer_0``, then ``executor_0`` to ``executor_7`` (``executors=8``)
Action             any text: a Python script from the designer, an answer from an executor
Observation        ``{"messages": ({"role": ..., "content": ...}, ...)}``; empty when nothing is asked
Rewards            designer: the score, 2 % off for each call; executors: the score; -0.5 for tampering
Episode ends       when the script submits, ends, crashes or reaches a limit
Randomness         the seed chooses the task; nothing else is random
=================  =====================================================================================

The arguments are those of :class:`mx_envs.Options`.

Version history: v0, first release.
"""

from __future__ import annotations

from mx_envs.faces.domain import SOFTWARE

ENV_ID = SOFTWARE.env_id
NAME = SOFTWARE.module

env = SOFTWARE.env
raw_env = SOFTWARE.raw_env
parallel_env = SOFTWARE.parallel_env
