"""Somewhere without defences, for the controls: jobs one after the other in the same folder, as a naive runner does it.

What is left of isolation protects the machine that runs the control: namespaces that die with it, small file systems. None of
it stands between one job and the next.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from mx_sandboxes.abuse.case import Bare
from mx_sandboxes.backends.bubblewrap.jail import FILES, FOLDERS, TOP_LINKS
from mx_sandboxes.sandbox import Completed, Limits, Reason, SandboxUnavailableError

DRIVER = r"""
import base64, contextlib, io, json, os, signal, subprocess, sys, time
runner, timeout, inherit, memory = sys.argv[1:]
if int(memory):
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
def here(code):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    return 0, out.getvalue().encode(), b""
def process(job):
    if runner == "text":
        done = subprocess.run([sys.executable, "-c", job["code"]], capture_output=True, text=True)
        return done.returncode, done.stdout.encode(), done.stderr.encode()
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", job["code"]], stdin=pipe, stdout=pipe, stderr=pipe,
                             close_fds=inherit != "True")
    if runner == "one pipe after the other":
        return child.wait(), child.stdout.read(), child.stderr.read()
    try:
        out, err = child.communicate(base64.b64decode(job["stdin"]), job["wall_s"] if timeout else None)
    except subprocess.TimeoutExpired:
        child.send_signal(getattr(signal, timeout))
        out, err = child.communicate()
        return None, out, err
    return child.returncode, out, err
def write(name, data):
    if os.path.dirname(name):
        os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(data)
def read(name):
    try:
        with open(name, "rb") as file:
            return base64.b64encode(file.read()).decode()
    except OSError:
        return None
channel, dumps, loads = os.fdopen(os.dup(1), "w"), json.dumps, json.loads
for line in sys.stdin:
    job, start = loads(line), time.monotonic()
    for name, data in job["files"].items():
        write(name, base64.b64decode(data))
    code, out, err = here(job["code"]) if runner == "in process" else process(job)
    wanted = [name for name in job["collect"] if not name.endswith("/")]
    for top in set(job["collect"]) - set(wanted):
        wanted += [os.path.join(place, name) for place, _, names in os.walk(top) for name in names]
    files = {name: read(name) for name in wanted}
    answer = {"code": code, "out": base64.b64encode(out).decode(), "err": base64.b64encode(err).decode(), "files": files}
    channel.write(dumps({**answer, "wall_s": time.monotonic() - start}) + "\n")
    channel.flush()
"""
PYTHON = "/usr/bin/python3"
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/work",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def jail(bare: Bare) -> list[str]:
    """The command line of the throw-away jail."""
    line = ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session"]
    line += [] if bare.network else ["--unshare-net"]
    if bare.capabilities:
        line += ["--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "ALL"]
    if bare.unprivileged:
        line += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    for place in (*FOLDERS, *FILES, "/etc/passwd"):
        line += ["--ro-bind-try", place, place]
    for place in TOP_LINKS:
        if Path(place).is_symlink():
            line += ["--symlink", str(Path(place).readlink()), place]
        elif Path(place).is_dir():
            line += ["--ro-bind", place, place]
    line += [
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--mqueue",
        "/dev/mqueue",
        "--size",
        str(64 << 20),
        "--tmpfs",
        "/dev/shm",
    ]
    line += ["--size", str(64 << 20), "--tmpfs", "/tmp", "--size", str(64 << 20), "--tmpfs", "/work"]
    return [*line, "--chdir", "/work"]


class BarePlace:
    """A runner without defences. Raises SandboxUnavailableError where it needs bubblewrap and there is none."""

    def __init__(self, bare: Bare) -> None:
        self._seconds = bare.seconds
        self._folder = tempfile.mkdtemp(prefix="mx-bare-")
        if bare.jail and shutil.which("bwrap") is None:
            raise SandboxUnavailableError(
                "the controls of the attacks need bubblewrap: apt-get install bubblewrap"
            )
        python = PYTHON if Path(PYTHON).exists() else sys.executable
        self._driver = subprocess.Popen(
            [
                *(jail(bare) if bare.jail else ()),
                python,
                "-c",
                DRIVER,
                bare.runner,
                bare.timeout,
                str(bare.inherit),
                str(bare.memory),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ) if bare.inherit else ENVIRONMENT,
            close_fds=not bare.inherit,
            cwd=self._folder,
            start_new_session=True,
        )
        self._requests = cast("IO[bytes]", self._driver.stdin)
        self._answers = cast("IO[bytes]", self._driver.stdout)

        if not self.run(["python", "-c", "pass"]).ok:
            self.close()
            raise SandboxUnavailableError("the place for controls of the attacks cannot be made here")

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        files: Mapping[str, bytes] | None = None,
        collect: Sequence[str] = (),
        env: Mapping[str, str] | None = None,  # noqa: ARG002  a sandbox's own signature
        limits: Limits | None = None,
    ) -> Completed:
        """Run ``python -c CODE`` in the folder of all jobs; nothing is limited, wiped or checked."""
        job = {
            "code": argv[2],
            "stdin": base64.b64encode(stdin).decode(),
            "files": {name: base64.b64encode(data).decode() for name, data in (files or {}).items()},
            "collect": list(collect),
            "wall_s": (limits or Limits()).wall_s,
        }
        answer = self._ask(job)
        if answer is None:
            return Completed(Reason.SANDBOX_DIED, None)
        code = answer["code"]
        return Completed(
            Reason.WALL_TIME if code is None else Reason.SIGNALLED if code < 0 else Reason.EXITED,
            code,
            stdout=base64.b64decode(answer["out"]),
            stderr=base64.b64decode(answer["err"]),
            files={
                name: base64.b64decode(data) for name, data in answer["files"].items() if data is not None
            },
            wall_s=answer["wall_s"],
        )

    def _ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """The driver's answer; None when it died or hung."""
        try:
            self._requests.write(json.dumps(job).encode() + b"\n")
            self._requests.flush()
        except OSError:
            return None
        if not select.select([self._answers], [], [], self._seconds)[0]:
            return None
        line = self._answers.readline()
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:  # its end, or what a job wrote in its place
            return None
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the runner, and a jail with everything in it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._driver.pid, signal.SIGKILL)
        self._driver.wait()
        for stream in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)
