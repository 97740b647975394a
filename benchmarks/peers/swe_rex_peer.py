"""SWE-ReX: its server in a container, asked over HTTP as its Docker deployment does; one ``execute`` per job.

The server's packages are those of a folder that the benchmark makes for the image's Python.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import subprocess
import sys

import jobs
import timing
from swerex.runtime.abstract import Command
from swerex.runtime.remote import RemoteRuntime

IMAGE, PACKAGES = sys.argv[1], sys.argv[3]


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def answer(runtime: RemoteRuntime, work: str, in_flight: int, seconds: float) -> float:
    """One measurement."""

    async def job(place: int) -> None:
        done = await runtime.execute(Command(command=jobs.command(work, place), cwd="/tmp", timeout=60))
        jobs.check(work, done.exit_code, done.stdout)

    return await timing.rate_async(job, in_flight, seconds)


def main() -> None:
    """Start the server, answer, end it."""
    port, token, name = free_port(), secrets.token_hex(16), f"mx-bench-{secrets.token_hex(4)}"
    serve = ["-m", "swerex.server", "--host", "127.0.0.1", "--port", str(port), "--auth-token", token]
    start = [
        "docker",
        "run",
        "-d",
        "--rm",
        "--network",
        "host",
        "--name",
        name,
        "-v",
        f"{PACKAGES}:/packages:ro",
    ]
    start += ["-e", "PYTHONPATH=/packages", "--entrypoint", "python3", IMAGE, *serve]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
    try:
        runtime = RemoteRuntime(host="http://127.0.0.1", port=port, auth_token=token, timeout=60)
        asyncio.run(wait(runtime))
        setup = Command(command=["sh", "-c", jobs.setup()], cwd="/tmp")
        jobs.check("python", asyncio.run(runtime.execute(setup)).exit_code, b"")
        timing.serve(lambda *asked: asyncio.run(answer(runtime, *asked)))
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, stdout=subprocess.DEVNULL)


async def wait(runtime: RemoteRuntime) -> None:
    """Until the server answers. Raises RuntimeError."""
    for _ in range(300):
        if await runtime.is_alive(timeout=5):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the server does not answer")


if __name__ == "__main__":
    main()
