"""inspect_ai's SandboxEnvironment on one of our sessions: the whole of what it takes to use our sandboxes there."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxEnvironment,
    SandboxEnvironmentLimits,
    SandboxUserUnsupportedError,
)

from mx_sandboxes import Limits, Sandbox

INSIDE = Path(__file__).with_name("inside.py")
CHUNK = 3 << 20
LIMITS = replace(
    Limits(),
    wall_s=3600,
    cpu_s=3600,
    memory_bytes=512 << 20,
    workspace_bytes=256 << 20,
    file_bytes=128 << 20,
    frame_bytes=8 << 20,
)
ERRORS = {
    kind.__name__: kind
    for kind in (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
}


class MxSandboxEnvironment(SandboxEnvironment):
    """One session; its workspace is the sample's folder. Jobs run as one user who is not root, so ``user`` is refused."""

    def __init__(self, sandbox: Sandbox, limits: Limits = LIMITS) -> None:
        super().__init__()
        self._session = sandbox.session(["python", "-c", INSIDE.read_text()], limits=limits)
        self._lock = asyncio.Lock()

    def close(self) -> None:
        """End the session."""
        self._session.close()

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,  # noqa: A002  inspect_ai's name
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """See inspect_ai."""
        if user is not None:
            raise SandboxUserUnsupportedError(
                f"a job cannot act as {user!r}: it has one user id, and no way to another"
            )
        data = input.encode() if isinstance(input, str) else input or b""
        limit = SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE
        question = {
            "op": "exec",
            "cmd": cmd,
            "cwd": cwd,
            "env": env or {},
            "timeout": timeout,
            "limit": limit,
        }
        answer, found = await self._ask(question, data, SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE_STR)
        if answer["late"]:
            raise TimeoutError(f"{cmd} ran for longer than {timeout} s")
        out, err = (part.decode("utf-8", "replace") for part in found)
        return ExecResult(answer["code"] == 0, answer["code"], out, err)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """See inspect_ai."""
        data = contents.encode() if isinstance(contents, str) else contents
        await self._ask({"op": "write", "path": file}, data)

    async def read_file(self, file: str, text: bool = True) -> Any:
        """See inspect_ai."""
        question = {"op": "read", "path": file, "limit": SandboxEnvironmentLimits.MAX_READ_FILE_SIZE}
        _, (data,) = await self._ask(question, b"", SandboxEnvironmentLimits.MAX_READ_FILE_SIZE_STR)
        return data.decode() if text else data

    @classmethod
    async def sample_cleanup(cls, *_: Any, **__: Any) -> None:
        """Sessions are closed by who made them."""

    async def _ask(self, question: dict[str, Any], data: bytes, limit: str = "") -> tuple[Any, list[bytes]]:
        async with self._lock:
            return await asyncio.to_thread(self._exchange, {**question, "size": len(data)}, data, limit)

    def _exchange(self, question: dict[str, Any], data: bytes, limit: str) -> tuple[Any, list[bytes]]:
        self._session.send(question)
        for start in range(0, len(data), CHUNK):
            self._session.send(base64.b64encode(data[start : start + CHUNK]).decode())
        answer = self._session.receive()
        if answer.get("error") == "limit":
            raise OutputLimitExceededError(limit, None)
        if "error" in answer:
            raise ERRORS.get(answer["error"], OSError)(answer["message"])
        sizes: Iterable[int] = answer.get("sizes", [answer["size"]] if "size" in answer else [])
        return answer, [self._take(size) for size in sizes]

    def _take(self, size: int) -> bytes:
        parts, left = [], size
        while left > 0:
            parts.append(base64.b64decode(self._session.receive()))
            left -= len(parts[-1])
        return b"".join(parts)
