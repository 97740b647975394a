"""The container sandbox: slots made by a Docker engine, or anything that speaks its protocol.

The engine's API is used at a slot's birth and death only; in between, the host talks to the job server over the
attached stream or, where it can, over pipes of their own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import select
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mx_sandboxes.backends.docker.connection import OWNER_LABEL, connect, find_image, owner, remove_leftovers
from mx_sandboxes.backends.docker.tags import LABEL, image_tag
from mx_sandboxes.limits import seccomp
from mx_sandboxes.limits.capabilities import is_podman, of_docker
from mx_sandboxes.limits.cgroups import OWN_BYTES
from mx_sandboxes.limits.container_groups import JOBS, ContainerGroup
from mx_sandboxes.limits.room import ROOM_BYTES
from mx_sandboxes.sandbox import Capabilities, Limits, SandboxError, SandboxUnavailableError
from mx_sandboxes.slots.deaths import kernel_kills
from mx_sandboxes.slots.frames import message
from mx_sandboxes.slots.pipes import Pipes
from mx_sandboxes.slots.pooled import PooledSandbox
from mx_sandboxes.slots.slot import BIRTH_S, SERVER_NICE, Slot, SlotDiedError, hang_up

if TYPE_CHECKING:
    import docker

logger = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""How long a slot's birth is tried again while the engine cannot be reached: it may be restarting."""
TRIES = 5
"""How often in all where it can be reached and fails, or where what it starts dies at once."""
GONE = (404, 409)
"""What an engine says of a container that is removed while it is started. A missing image is found out before."""
PODMAN_LIMITS = {"nofile": 16384, "nproc": 16384}
"""A job's own are below these. Podman's defaults are more than some hosts let it set."""
PODMAN_WRITABLE = ("/run", "/var/tmp")  # noqa: S108
"""Where Podman puts a writable file system into a container that is to be read-only, unless something is mounted there."""
KILLED = "137"
"""The exit code that an engine tells of a container whose first process was killed."""
REMEMBERED = 256
"""How many events an engine remembers."""
TOLD_S = 1.5
"""How long an engine may take to tell of a container's end."""
UIDS = 2048
"""How many user ids a slot's jobs take turns with: process limits are counted by user id, whatever the container."""


class Container:
    """The attached stream of a container, and the container's life."""

    def __init__(self, container: Any) -> None:
        self._container = container
        parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._attached = container.attach_socket(params=parameters)
        self._stream: socket.socket = getattr(self._attached, "_sock", self._attached)
        self._stream.settimeout(None)
        self._stream.setblocking(False)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._stream, select.POLLIN)
        self._writable.register(self._stream, select.POLLOUT)
        self._pipes: Pipes | None = None
        self._raw = bytearray()
        self._words = bytearray()
        self._lock = threading.Lock()
        self._closed = False
        self._first: int | None = None
        """A hold on the jail's first process, where that is on this machine and ours to kill."""
        self._kernel_kills = kernel_kills()
        self._group: ContainerGroup | None = None
        self._starved = False

    def hold(self, pid: int) -> None:
        """Take a hold on the jail's first process, by its number on this machine. Raises OSError."""
        self._first = os.pidfd_open(pid)
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, pid, SERVER_NICE)
        with contextlib.suppress(PermissionError):  # some machines' root may not
            # the kernel takes any of the jail's others first
            Path(f"/proc/{pid}/oom_score_adj").write_text("-999")

    def part(self, pid: int, size: int) -> str:
        """Give what runs jobs a control group below the container's; returns its name there, or nothing.

        ``pid`` is the container's first process, by its number on this machine; ``size`` is what the container may have, in bytes.
        """
        try:
            self._group = ContainerGroup(pid, size)
        except OSError as error:
            logger.info("the container's jobs have no control group of their own: %s", error)
            return ""
        return JOBS

    def send(self, data: bytes) -> None:
        """See `mx_sandboxes.slots.slot.Transport`."""
        view = memoryview(data)
        while view:
            try:
                taken = self._stream.send(view) if self._pipes is None else self._pipes.write(view)
            except BlockingIOError:
                taken = 0
            view = view[taken:]
            if not taken:
                self._writable.poll()

    def receive(self, timeout: float | None) -> bytes:
        """See `mx_sandboxes.slots.slot.Transport`."""
        while True:
            pending = getattr(self._stream, "pending", int)()  # what TLS has decrypted already
            ready = [] if pending else self._readable.poll(None if timeout is None else timeout * 1000)
            if not pending and not ready:
                raise TimeoutError
            if self._pipes is not None and any(fd == self._pipes.incoming for fd, _ in ready):
                if (found := self._pipes.read()) is not None:
                    return found
                continue
            data = self._stream.recv(1 << 18)
            if not data:
                return b""
            self._raw += data
            if found := self._unwrap():
                return found

    def use(self, pipes: Pipes) -> None:
        """Talk over these from now on; the stream still carries the last words, and its end is the container's."""
        self._pipes = pipes
        self._readable.register(pipes.incoming, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(pipes.outgoing, select.POLLOUT)

    def _unwrap(self) -> bytes:
        """The engine wraps what it carries: one byte of stream number, three of nothing, four of length."""
        raw, found, start = self._raw, bytearray(), 0
        while len(raw) - start >= 8:
            end = start + 8 + int.from_bytes(raw[start + 4 : start + 8], "big")
            if end > len(raw):
                break
            (found if raw[start] == 1 else self._words).extend(raw[start + 8 : end])
            start = end
        del raw[:start]
        del self._words[:-8192]
        return bytes(found)

    def close(self) -> None:
        """See `mx_sandboxes.slots.slot.Transport`."""
        import docker.errors
        import requests

        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._group is not None:
                self._starved = self._killed_for_memory(self._group)
                self._group.close()
            self.kill()
            hang_up(self._stream)
            # where this fails the engine removes it by itself, or the next start of a sandbox does
            with contextlib.suppress(docker.errors.APIError, requests.RequestException):
                self._container.remove(force=True)
            response = getattr(self._attached, "_response", None)
            if response is not None:
                response.close()
            self._attached.close()
            self._stream.close()
            if self._pipes is not None:
                self._pipes.close()
            if self._first is not None:
                os.close(self._first)
                self._first = None

    def last_words(self) -> str:
        """See `mx_sandboxes.slots.slot.Transport`."""
        return self._words.decode("utf-8", "replace")

    def prepare(self, limits: Limits) -> None:
        """See `mx_sandboxes.slots.slot.Transport`: the engine has set all of it at the container's birth."""

    def out_of_memory(self) -> bool:
        """See `mx_sandboxes.slots.slot.Transport`; without a group of their own, the keeper inside sees it."""
        with self._lock:
            if self._group is None or self._closed:
                return self._starved
            return self._killed_for_memory(self._group)

    @staticmethod
    def _killed_for_memory(group: ContainerGroup) -> bool:
        try:
            return group.kills() > 0
        except OSError:  # removed by the engine, with the container, before it was asked
            return False

    def killed_from_outside(self) -> str:
        """See `mx_sandboxes.slots.slot.Transport`: the engine's word and the kernel's, where both are this machine's."""
        import docker.errors
        import requests

        end = time.monotonic() + TOLD_S
        try:
            while not (deaths := self._events(container=self._container.id, event="die")):
                if time.monotonic() > end:
                    return self._forgotten()
                time.sleep(0.05)
        except (docker.errors.DockerException, requests.RequestException) as error:
            return f"the engine does not answer ({error})"
        killed = deaths[-1]["Actor"]["Attributes"].get("exitCode") == KILLED
        # its own jobs cannot kill process 1 of a container, but make the kernel do it when they use up the container's memory
        if killed and self._pipes is not None and kernel_kills() == self._kernel_kills:
            return "somebody outside killed the container (SIGKILL, and not for want of memory)"
        return ""

    def _forgotten(self) -> str:
        """What shows that the engine was started anew: it has forgotten the container, although its memory is not full."""
        import docker.errors

        try:
            self._container.reload()
        except docker.errors.NotFound:
            if self._pipes is not None and len(self._events()) < REMEMBERED:
                return "the engine was started anew"
        return ""

    def _events(self, **chosen: str) -> list[Any]:
        """What the engine remembers. Its clock is this machine's where its word counts."""
        now = f"{time.time():.6f}"
        return list(self._container.client.events(since=1, until=now, filters=chosen, decode=True))

    def kill(self) -> None:
        """See `mx_sandboxes.slots.slot.Transport`: without the engine, where the container is on this machine."""
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):  # over by now
                signal.pidfd_send_signal(self._first, signal.SIGKILL)


def room_bytes(limits: Limits) -> int:
    """The most memory of a container for jobs of these limits."""
    return limits.memory_bytes + 2 * limits.workspace_bytes + OWN_BYTES + 2 * ROOM_BYTES


def _settings(limits: Limits, *, runtime: str | None, cpus: float | None, podman: bool) -> dict[str, Any]:
    """How a slot's container is made: strict, and with room for one job of these limits."""
    import docker.types

    place = f"rw,nosuid,nodev,exec,mode=1777,size={limits.workspace_bytes}"
    place += f",nr_inodes={limits.inodes}" if not podman else ""
    ulimits = PODMAN_LIMITS if podman else {}
    memory = room_bytes(limits)
    return {
        "network_mode": "none",
        "read_only": True,
        "user": "0:0",
        "working_dir": "/",
        "hostname": "mx",
        "cap_drop": ["ALL"],
        "cap_add": ["SETUID", "SETGID"],
        "security_opt": ["no-new-privileges:true"],
        "ipc_mode": "private",
        "shm_size": limits.workspace_bytes,
        "tmpfs": dict.fromkeys(("/work", "/tmp"), place)  # noqa: S108
        | (dict.fromkeys(PODMAN_WRITABLE, "ro,size=4k,mode=0555") if podman else {}),
        "pids_limit": limits.pids + 16,
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": None if cpus is None else int(cpus * 1e9),
        "runtime": runtime,
        "stdin_open": True,
        "auto_remove": True,
        "ulimits": [docker.types.Ulimit(name=name, soft=most, hard=most) for name, most in ulimits.items()],
        "oom_score_adj": 500,  # a job can undo its own wish to die first, down to this
        "sysctls": {"net.ipv4.tcp_max_tw_buckets": "0"},  # connections of one job do not outlast it
    }


class Engine:
    """Makes slots with one client of an engine."""

    def __init__(
        self,
        client: docker.DockerClient,
        tag: str,
        *,
        runtime: str | None,
        cpus: float | None,
        podman: bool = False,
    ) -> None:
        self._client, self._tag, self._runtime, self._cpus = client, tag, runtime, cpus
        self._podman = podman

    def birth(self, limits: Limits) -> Slot:
        """Start a slot for jobs of these limits; an engine that restarts is waited for. Raises SandboxError.

        Signals reach the main thread only, and one that came while the engine makes a container would leave nobody who knows it: it
        is made in another thread, and is waited for and removed when the wait is broken off.
        """
        if threading.current_thread() is not threading.main_thread():
            return self._birth_patiently(limits)
        with ThreadPoolExecutor(1, thread_name_prefix="mx-sandbox-birth") as thread:
            born = thread.submit(self._birth_patiently, limits)
            try:
                return born.result()
            except BaseException:
                if born.exception() is None:
                    born.result().close()
                raise

    def _birth_patiently(self, limits: Limits) -> Slot:
        end = time.monotonic() + PATIENCE_S
        tries, pause = TRIES, 0.05
        while True:
            try:
                return self._birth(limits)
            except _TryAgainError as error:
                tries -= not error.unreachable
                if tries == 0 or time.monotonic() + pause > end:
                    raise SandboxError(str(error)) from error
                logger.info("%s; trying again", error)
            time.sleep(pause)
            pause = min(1.0, 2 * pause)

    def _birth(self, limits: Limits) -> Slot:
        import docker.errors
        import docker.types
        import requests

        first = 100_000 + secrets.randbelow(500_000) * UIDS
        near = os.geteuid() == 0 and self._client.api.base_url.startswith("http+docker://")  # a Unix socket
        config = {"uids": [first, UIDS], "seccomp": seccomp.program().hex(), "pipes": near}
        settings = _settings(limits, runtime=self._runtime, cpus=self._cpus, podman=self._podman)
        stream = None
        try:
            container = self._client.containers.create(
                self._tag,
                [json.dumps(config)],
                labels={LABEL: "slot", OWNER_LABEL: owner()},
                log_config=docker.types.LogConfig(type="none"),
                **settings,
            )
            stream = Container(container)
            container.start()
            slot = Slot(stream)
            if near:
                talk_past_the_engine(slot, stream, container, room_bytes(limits))
            return slot
        except (docker.errors.DockerException, requests.RequestException, OSError, SlotDiedError) as error:
            if stream is not None:
                stream.close()
            said = f"the Docker engine could not start a container of {self._tag}: {error}"
            status = getattr(error, "status_code", None)
            if status is not None and 400 <= status < 500 and status not in GONE:
                raise SandboxError(said) from error
            unreachable = isinstance(error, (requests.RequestException, OSError)) and status is None
            raise _TryAgainError(said, unreachable=unreachable) from error
        except BaseException:
            if stream is not None:
                stream.close()
            raise


def talk_past_the_engine(slot: Slot, stream: Container, container: Any, size: int) -> None:
    """Take the pipes that the job server offers, where this process can open them. Raises SlotDiedError, DockerException.

    Part the server from the jobs then, in a container that may have ``size`` bytes of memory.
    """
    offer = slot.expect(b"P", BIRTH_S)[1]
    container.reload()
    try:
        pipes = Pipes(container.attrs["State"]["Pid"], offer)
    except OSError as error:
        logger.info("the engine carries what is said to a slot: %s", error)
        slot.send(message(b"N"))
        return
    try:
        stream.hold(container.attrs["State"]["Pid"])
    except OSError as error:
        logger.info("the container's first process cannot be held: %s", error)
    slot.send(message(b"P", stream.part(container.attrs["State"]["Pid"], size).encode()))
    stream.use(pipes)
    slot.expect(b"P", BIRTH_S)


class _TryAgainError(SandboxError):
    """A birth failed for a reason that may pass: the engine restarts, or somebody killed the container."""

    def __init__(self, said: str, *, unreachable: bool) -> None:
        super().__init__(said)
        self.unreachable = unreachable


def docker_capabilities(image: str, *, runtime: str | None, cpus: float | None) -> Capabilities:
    """What slots of this image would enforce. Raises SandboxUnavailableError when the engine or the image is missing."""
    client = connect()
    try:
        _check_image(client, image)
        info = client.info()
        check_runtime(info, runtime)
        return of_docker(image, info, runtime=runtime, cpus=cpus)
    finally:
        client.close()


def _check_image(client: docker.DockerClient, image: str) -> str:
    """The image's tag. Raises SandboxUnavailableError."""
    tag = find_image(client, image)
    if tag is None:
        raise SandboxUnavailableError(
            f"the engine has no image {image_tag(image)}: build it with: mx sandbox build {image}"
        )
    return tag


def check_runtime(info: dict[str, Any], runtime: str | None) -> None:
    """Raise SandboxUnavailableError for a runtime that the engine does not have; one that does not list its own is believed."""
    known = info.get("Runtimes") or {}
    if runtime is not None and known and runtime not in known:
        raise SandboxUnavailableError(
            f"the engine has no runtime {runtime!r} (it has: {', '.join(sorted(known))}): install it, enter it in "
            f"/etc/docker/daemon.json and restart the engine (gVisor: runsc install && systemctl restart docker)"
        )


def open_docker(
    *, image: str, slots: int, limits: Limits, runtime: str | None = None, cpus: float | None = None
) -> PooledSandbox:
    """A sandbox whose slots are containers. Raises SandboxUnavailableError when the engine or the image is missing."""
    client = connect()
    try:
        tag = _check_image(client, image)
        info = client.info()
        check_runtime(info, runtime)
        remove_leftovers(client)
        engine = Engine(client, tag, runtime=runtime, cpus=cpus, podman=is_podman(info))
        return PooledSandbox(
            "docker",
            engine.birth,
            slots=slots,
            limits=limits,
            finish=client.close,
            kind=_size_of,
            capabilities=of_docker(image, info, runtime=runtime, cpus=cpus),
        )
    except BaseException:
        client.close()
        raise


def _size_of(limits: Limits) -> tuple[int, int, int, int]:
    return limits.workspace_bytes, limits.inodes, limits.memory_bytes, limits.pids
