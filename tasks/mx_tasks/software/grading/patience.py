"""How much longer a job may take by the clock than by its processor time, so that no verdict depends on how busy a machine is."""

from __future__ import annotations

PATIENCE = 4.0
"""The longest wall time of a job of ours, of its processor time: what is honest is slowed down as much by others on the machine.

What sleeps or waits for ever costs that long. Where single calls are timed, time asleep is told from time without a processor.
"""
