"""Faults while jobs run: slots killed at random, the engine restarted.

Each job leaves a mark outside of its sandbox, so that what really ran can be counted.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from host import descendants, own_containers

from mx_sandboxes import Completed, Limits, Reason, Sandbox, SandboxError, open_sandbox

THREADS = 4
JOB = "echo {number} >> /marks/log; sleep 0.0{pause}; echo {number}"


@dataclass
class Tally:
    """What was asked, what was answered, and what really ran."""

    answers: dict[int, Completed] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    asked: int = 0
    marks: Counter[int] = field(default_factory=Counter)
    faults: int = 0

    def faulty(self) -> dict[int, str]:
        """The jobs that are not accounted for, and why."""
        found = {}
        for number in range(self.asked):
            done, ran = self.answers.get(number), self.marks[number]
            if done is None:
                found[number] = f"no verdict: {self.errors.get(number, 'lost')}"
            elif done.ok and (not 1 <= ran <= done.attempts or done.stdout != b"%d\n" % number):
                found[number] = f"ran {ran} times and said {done.stdout!r}"
            elif not done.ok and (ran > done.attempts or done.reason is not Reason.SANDBOX_DIED):
                found[number] = f"ran {ran} times and ended with {done.reason.value}"
        return found

    @property
    def sound(self) -> bool:
        """Whether every job is accounted for, and some saw the fault."""
        return not self.faulty() and self.faults > 0 and self.asked > 0

    def summary(self) -> str:
        """In words."""
        ends = Counter(done.reason.value for done in self.answers.values())
        again = sum(done.attempts > 1 for done in self.answers.values())
        said = ", ".join(f"{count} {name}" for name, count in ends.most_common())
        wrong = self.faulty()
        few = ", ".join(f"{number} {why}" for number, why in list(wrong.items())[:5])
        return f"{self.asked} jobs: {said}; {again} retried; {sum(self.marks.values())} marks; " + (
            f"{len(wrong)} not accounted for ({few})" if wrong else "none lost, none run twice unsaid"
        )


@contextlib.contextmanager
def marked() -> Iterator[Path]:
    """While it lasts, new slots see a folder of the host as /marks: a hole in the wall, made for counting."""
    import docker.models.containers

    folder = Path(tempfile.mkdtemp(prefix="mx-marks-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "log").touch()
    (folder / "log").chmod(0o666)
    create = docker.models.containers.ContainerCollection.create

    def with_marks(self: Any, *words: Any, **named: Any) -> Any:
        volumes = {**named.pop("volumes", {}), str(folder): {"bind": "/marks", "mode": "rw"}}
        return create(self, *words, volumes=volumes, **named)

    wrapper = folder / "bin" / "bwrap"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("bwrap")} --bind {folder} /marks "$@"\n')
    wrapper.chmod(0o755)
    try:
        with (
            mock.patch.object(docker.models.containers.ContainerCollection, "create", with_marks),
            mock.patch.dict(os.environ, PATH=f"{wrapper.parent}:{os.environ['PATH']}"),
        ):
            yield folder / "log"
    finally:
        shutil.rmtree(folder)


def work(sandbox: Sandbox, tally: Tally, stop: threading.Event) -> list[threading.Thread]:
    """Threads that ask for one job after the other."""
    lock = threading.Lock()

    def ask() -> None:
        while not stop.is_set():
            with lock:
                number = tally.asked
                tally.asked += 1
            command = JOB.format(number=number, pause=number % 10)
            try:
                tally.answers[number] = sandbox.run(["sh", "-c", command], limits=Limits(wall_s=30))
            except SandboxError as error:
                tally.errors[number] = str(error)

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads


def under_faults(backend: str, fault: Callable[[], bool], count: int, pause: Callable[[], float]) -> Tally:
    """Run jobs; make the fault so many times in the meantime. ``fault`` tells whether there was anything to break.

    Between two faults some job is answered: where they come faster than slots are born, there is nothing that could be done.
    """
    tally, stop = Tally(), threading.Event()
    with marked() as log, open_sandbox(backend, slots=THREADS) as sandbox:
        threads = work(sandbox, tally, stop)
        try:
            time.sleep(0.5)
            end = time.monotonic() + 60 + 10 * count
            while tally.faults < count and time.monotonic() < end:
                tally.faults += fault()
                answered = len(tally.answers)
                time.sleep(pause())
                while len(tally.answers) == answered and time.monotonic() < end:
                    time.sleep(0.005)
            time.sleep(0.5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        tally.marks.update(map(int, log.read_text().split()))
    return tally


def kill_slots(backend: str, count: int, rng: random.Random) -> Tally:
    """Kill one slot after the other, whatever it is doing."""
    fault = _kill_container if backend == "docker" else _kill_jail
    return under_faults(backend, lambda: fault(rng), count, lambda: rng.uniform(0.01, 0.15))


def _kill_container(rng: random.Random) -> bool:
    import docker.errors

    running = [one for one in own_containers() if one.attrs["State"]["Running"]]
    if not running:
        return False
    try:
        os.kill(rng.choice(running).attrs["State"]["Pid"], signal.SIGKILL)
    except PermissionError:  # not root: through the engine
        with contextlib.suppress(docker.errors.APIError):
            rng.choice(running).kill()
    except ProcessLookupError:
        return False
    return True


def _kill_jail(rng: random.Random) -> bool:
    jails = [pid for pid in descendants(os.getpid()) if _name(pid) == "bwrap"]
    if not jails:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(rng.choice(sorted(jails)), signal.SIGKILL)
        return True
    return False


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class PrivateEngine:
    """A dockerd and a containerd of our own, so that restarting it is nobody else's trouble. Needs root.

    As where systemd runs both, containers outlive a dockerd that is killed, and are ended by the next one.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.options = options
        self.url = f"unix://{folder}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.containerd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError."""
        place = self.folder / "containerd"
        if self.containerd is None:
            command = ["containerd", "--address", f"{place}.sock", "--root", f"{place}/root"]
            self.containerd = self._run([*command, "--state", f"{place}/state"])
        command = ["dockerd", "--host", self.url, "--containerd", f"{place}.sock", "--bridge", "none"]
        for option, name in (("data-root", "data"), ("exec-root", "exec"), ("pidfile", "pid")):
            command += [f"--{option}", str(self.folder / name)]
        end = time.monotonic() + 180
        while not Path(f"{place}.sock").exists() and time.monotonic() < end:
            time.sleep(0.05)
        # in a network namespace of its own: a dockerd without a bridge removes the one that it finds, another engine's
        alone = ["unshare", "--net"]
        self.process = self._run([*alone, *command, "--iptables=false", "--ip6tables=false", *self.options])
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"dockerd did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def answers(self) -> bool:
        """Whether it answers."""
        import docker
        import docker.errors

        try:
            with socket.socket(socket.AF_UNIX) as knocking:  # the SDK leaves one open where nobody listens
                knocking.connect(str(self.folder / "docker.sock"))
            with contextlib.closing(docker.DockerClient(self.url, version="auto", timeout=10)) as client:
                return bool(client.ping())
        except (docker.errors.DockerException, OSError):
            return False

    def stop(self, how: signal.Signals) -> None:
        """End it."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(60)
        (self.folder / "pid").unlink(missing_ok=True)

    def take_image(self, tag: str) -> None:
        """Copy an image from the engine that the environment names."""
        import docker

        from mx_sandboxes.backends.docker.connection import connect

        with (
            contextlib.closing(connect()) as there,
            contextlib.closing(docker.DockerClient(self.url)) as here,
            tempfile.TemporaryFile() as archive,
        ):
            for part in there.images.get(tag).save(named=True):
                archive.write(part)
            archive.seek(0)
            here.api.load_image(archive)


@contextlib.contextmanager
def private_engine(image: str = "python", options: Sequence[str] = ()) -> Iterator[PrivateEngine]:
    """A private dockerd with an image and more options, named by the environment while it lasts."""
    from mx_sandboxes import image_tag

    folder = Path(
        tempfile.mkdtemp(prefix="mx-engine-", dir="/tmp")
    )  # a short path: sockets have no long ones
    engine = PrivateEngine(folder, options)
    try:
        engine.start()
        engine.take_image(image_tag(image))
        with mock.patch.dict(os.environ, DOCKER_HOST=engine.url):
            yield engine
    finally:
        for process in (engine.process, engine.containerd):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        for pid in [
            pid for pid in descendants(1) if str(folder) in _line(pid)
        ]:  # shims of containers that outlived it
            os.kill(pid, signal.SIGKILL)
        for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            place = line.split()[4]
            if place.startswith(str(folder)):
                subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def restart_engine(count: int) -> Tally:
    """Restart a private dockerd so many times, asked politely and killed by turns."""
    with private_engine() as engine:

        def restart() -> bool:
            engine.stop(signal.SIGTERM if next(turns) % 2 == 0 else signal.SIGKILL)
            engine.start()
            return True

        turns = iter(range(count))
        return under_faults("docker", restart, count, lambda: 2.0)
