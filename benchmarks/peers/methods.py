"""The ways to run a program that the benchmark compares: ours, bare ones, and peers in their own environments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import environments
import jobs
import timing

from mx_sandboxes import Completed, Limits, Sandbox, SandboxError, image_tag, open_sandbox

IMAGE = "hdl"
"""It has all that the three kinds of work need; everybody who uses an image uses this one."""
IN_FLIGHT = 8
IMAGE_PYTHON = "3.13"
LIMITS = Limits(wall_s=60)
"""Peers have no limit; on a loaded machine eight jobs at a time may wait for long."""
KEPT = {key: os.environ[key] for key in ("HOME", "DOCKER_HOST") if key in os.environ}
ENV = {**KEPT, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
JAIL = (
    "--unshare-all --die-with-parent --ro-bind /usr /usr --proc /proc --dev /dev --tmpfs /tmp"
    " --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin"
    " --ro-bind-try /etc/alternatives /etc/alternatives"
)


class Unavailable(Exception):  # noqa: N818  a state, not a mistake
    """A method does not work here; the message says why."""


@dataclass(frozen=True)
class Method:
    """``rate(work, in_flight, seconds)`` in jobs per second; ``sandbox`` where it is one of ours."""

    rate: Callable[[str, int, float], float]
    sandbox: Sandbox | None = None


def timed(job: Callable[[str, int], object]) -> Method:
    """The method that does one job by a call in this process."""
    return Method(lambda work, flight, seconds: timing.rate(partial(job, work), flight, seconds))


def sound(done: Completed) -> Completed:
    """It, if it went well; RuntimeError otherwise."""
    if not done.ok:
        raise RuntimeError(f"a job ended with {done}")
    return done


@contextmanager
def ours(backend: str) -> Iterator[Method]:
    """One of our sandboxes. A job brings its files along."""
    files = {
        work: {name: text.encode() for name, text in found.items()} for work, found in jobs.FILES.items()
    }
    lines = {work: jobs.command(work) for work in jobs.FILES}
    for line in lines.values():
        line[0] = "python" if line[0] == "python3" else line[0]

    def job(sandbox: Sandbox, work: str, _place: int) -> None:
        done = sound(sandbox.run(lines[work], files=files[work]))
        jobs.check(work, done.exit_code, done.stdout)

    try:
        sandbox = open_sandbox(backend, image=IMAGE, slots=IN_FLIGHT, limits=LIMITS, packages=("pytest",))
    except SandboxError as error:
        raise Unavailable(str(error)) from None
    with sandbox:
        yield Method(timed(partial(job, sandbox)).rate, sandbox)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with all files."""
    with tempfile.TemporaryDirectory(prefix="mx-bench-") as name:
        place = Path(name)
        place.chmod(0o755)
        for files in jobs.FILES.values():
            for file, text in files.items():
                (place / file).write_text(text)
        yield place


@contextmanager
def process(before: Callable[[Path], list[str]]) -> Iterator[Method]:
    """A process for each job, started by ``before(folder)`` and the job's own words."""
    with folder() as place:
        start = before(place)

        def job(work: str, number: int) -> None:
            line = jobs.command(work, number)
            line[0] = "/usr/bin/python3" if line[0] == "python3" else line[0]
            done = subprocess.run([*start, *line], cwd=place, env=ENV, capture_output=True, check=False)
            if done.returncode != 0:
                raise Unavailable(done.stderr.decode(errors="replace").strip()[-200:])
            jobs.check(work, done.returncode, done.stdout)

        yield timed(job)


def bwrap_line(place: Path) -> list[str]:
    """bubblewrap for one job, all namespaces."""
    return [_program("bwrap"), *JAIL.split(), "--ro-bind", str(place), "/work", "--chdir", "/work"]


def docker_line(place: Path) -> list[str]:
    """``docker run --rm`` for one job."""
    start = [_program("docker"), "run", "--rm", "--network", "none", "-v", f"{place}:/work:ro", "-w", "/work"]
    return [*start, "-e", "PYTHONPATH=", "--entrypoint", "/usr/bin/env", image_tag(IMAGE)]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"there is no {name} command")
    return found


@contextmanager
def exec_run() -> Iterator[Method]:
    """The Docker SDK's ``exec_run`` in a container that is there already, the files in it."""
    import docker
    import docker.errors

    try:
        client = docker.from_env(max_pool_size=2 * IN_FLIGHT)
        container = client.containers.run(
            image_tag(IMAGE),
            ["infinity"],
            entrypoint="sleep",
            detach=True,
            network_mode="none",
            init=True,
            environment={"PYTHONPATH": ""},
            working_dir="/tmp",
        )
    except docker.errors.DockerException as error:
        raise Unavailable(str(error)) from None

    def job(work: str, place: int) -> None:
        done = container.exec_run(jobs.command(work, place))
        jobs.check(work, done.exit_code, done.output)

    try:
        jobs.check("python", container.exec_run(["sh", "-c", jobs.setup()]).exit_code, b"")
        yield timed(job)
    finally:
        container.remove(force=True)
        client.close()


@contextmanager
def peer(name: str) -> Iterator[Method]:
    """A peer's program in the peer's environment; it answers one line for each that it is sent."""
    try:
        python = environments.interpreter(name)
        words = [image_tag(IMAGE), str(IN_FLIGHT)]
        if name == "swe_rex":
            words.append(str(environments.packages_for(name, IMAGE_PYTHON)))
    except (RuntimeError, OSError) as error:
        raise Unavailable(str(error)) from None
    program = Path(__file__).with_name(f"{name}_peer.py")
    env = KEPT | {"PATH": os.environ["PATH"]}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [str(python), str(program), *words],
            stdin=-1,
            stdout=-1,
            stderr=errors,
            env=env,
            text=True,
        ) as running,
    ):

        def ask(what: dict[str, object] | None) -> float:
            assert running.stdin is not None
            assert running.stdout is not None
            if what is not None:
                running.stdin.write(json.dumps(what) + "\n")
                running.stdin.flush()
            line = running.stdout.readline()
            if not line:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip().splitlines()
                raise Unavailable(
                    next((one for one in reversed(said) if "rror" in one), said[-1] if said else "it ended")
                )
            answer = json.loads(line)
            if "error" in answer:
                raise Unavailable(answer["error"])
            return float(answer.get("rate", 0.0))

        try:
            ask(None)
            yield Method(
                lambda work, flight, seconds: ask({"work": work, "in_flight": flight, "seconds": seconds})
            )
        finally:
            assert running.stdin is not None
            running.stdin.close()
            try:
                running.wait(200)  # it removes its containers
            except subprocess.TimeoutExpired:
                running.kill()


ALL: dict[str, Callable[[], AbstractContextManager[Method]]] = {
    "docker": partial(ours, "docker"),
    "bubblewrap": partial(ours, "bubblewrap"),
    "subprocess": partial(process, lambda _: []),
    "bwrap per job": partial(process, bwrap_line),
    "docker run --rm": partial(process, docker_line),
    "exec_run": exec_run,
    "llm-sandbox": partial(peer, "llm_sandbox"),
    "SWE-ReX": partial(peer, "swe_rex"),
    "inspect_ai": partial(peer, "inspect_ai"),
}
