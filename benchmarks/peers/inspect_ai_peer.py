"""inspect_ai: its Docker sandbox (Docker Engine 24 with Compose is its own condition), one environment, one ``exec`` per job."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import jobs
import timing
from inspect_ai.util._sandbox.docker.docker import DockerSandboxEnvironment

IMAGE = sys.argv[1]
COMPOSE = """
services:
  default:
    image: {image}
    pull_policy: never
    entrypoint: ["sleep", "infinity"]
    environment: {{PYTHONPATH: ""}}
    working_dir: /tmp
    init: true
    network_mode: none
"""


async def serve(loop: asyncio.AbstractEventLoop, folder: Path) -> None:
    """Start the environment, answer, end it. Raises PrerequisiteError where inspect_ai does not take the engine."""
    config = folder / "compose.yaml"
    config.write_text(COMPOSE.format(image=IMAGE))
    await DockerSandboxEnvironment.task_init("bench", str(config))
    environments = await DockerSandboxEnvironment.sample_init("bench", str(config), {})
    try:
        default = environments["default"]
        jobs.check("python", (await default.exec(["sh", "-c", jobs.setup()], cwd="/tmp")).returncode, b"")

        async def answer(work: str, in_flight: int, seconds: float) -> float:
            async def job(place: int) -> None:
                done = await default.exec(jobs.command(work, place), cwd="/tmp", timeout=60)
                jobs.check(work, done.returncode, done.stdout)

            return await timing.rate_async(job, in_flight, seconds)

        def measure(*asked: object) -> float:
            return asyncio.run_coroutine_threadsafe(answer(*asked), loop).result()  # type: ignore[arg-type]

        await asyncio.to_thread(timing.serve, measure)
    finally:
        await DockerSandboxEnvironment.sample_cleanup("bench", str(config), environments, False)
        await DockerSandboxEnvironment.task_cleanup("bench", str(config), True)


async def main() -> None:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder:
        await serve(asyncio.get_running_loop(), Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
