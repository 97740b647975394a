"""What a slot itself needs beside its job."""

from __future__ import annotations

ROOM_BYTES = 32 << 20
"""What a slot keeps of trees; those that were used longest ago make room. A larger tree is sent with each job."""
