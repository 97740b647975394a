"""Programs outside the sandbox as players: an endpoint for them, a key for each episode, and processes that are started anew."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from mx_agents.errors import UsageError
from mx_agents.matching import DatasetDesk
from mx_envs.episode.design import EXTERNAL
from mx_envs.episode.served import PATIENCE_S, ServedSandbox
from mx_envs.inside.endpoint.desk import Desk
from mx_envs.inside.endpoint.server import MODELS, Endpoint, Refused
from mx_sandboxes import Sandbox

WAIT_FOR_EPISODE_S = 60.0
PRINTED_CHARACTERS = 65_536

SandboxOf = Callable[[str], Sandbox]
OnEpisode = Callable[[str, Desk], None]


@dataclass(frozen=True, slots=True)
class Program:
    """A command that plays one episode: it finds ``OPENAI_BASE_URL``, ``OPENAI_API_KEY`` and ``MX_TASK_PROMPT`` in its environment.

    The prompt is on its stdin too. It submits over ``$MX_URL/mx/submit`` or MCP, or prints its answer and exits with 0.
    """

    name: str
    command: tuple[str, ...]

    @classmethod
    def from_text(cls, text: str) -> Program:
        """Read a command line. Raises UsageError."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"the program {text!r} is no command line: {error}") from None
        if not words:
            raise UsageError("program: needs a command, such as program:'python my_agents.py'")
        return cls(text, tuple(words))

    def start(self, url: str, key: str, desk: Desk) -> Callable[[], None]:
        """Start it for an episode; what is returned ends it with all that it started. Raises UsageError."""
        printed, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  # closed by _watch
        prompt = str(desk.task.get("prompt", ""))
        try:
            process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=printed, stderr=errors, start_new_session=True,
                env=_environment(url, key, prompt),
            )  # fmt: skip
        except OSError as error:
            raise UsageError(f"the program {self.name!r} cannot be started: {error}") from None
        watcher = threading.Thread(target=_watch, args=(process, prompt, printed, errors, desk), daemon=True)
        watcher.start()

        def stop() -> None:
            with contextlib.suppress(ProcessLookupError):  # it is over, with everything that it started
                os.killpg(process.pid, signal.SIGKILL)
            watcher.join(timeout=10)

        return stop


def _environment(url: str, key: str, prompt: str) -> dict[str, str]:
    base = f"{url}/v1"
    own = {
        "OPENAI_BASE_URL": base,
        "OPENAI_API_BASE": base,
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": key,
        "MX_URL": url,
        "MX_TASK_PROMPT": prompt,
    }
    # without one a framework takes some vendor's model, and asks with that model's settings for reasoning
    preset = {"OPENAI_DEFAULT_MODEL": MODELS[0]}
    if "ANTHROPIC_AUTH_TOKEN" in os.environ:  # goes before the key
        own["ANTHROPIC_AUTH_TOKEN"] = key
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", ""), "127.0.0.1,localhost"]))
    return {**preset, **os.environ, **own, "NO_PROXY": direct, "no_proxy": direct}


def _watch(process: subprocess.Popen[bytes], prompt: str, printed: Any, errors: Any, desk: Desk) -> None:
    """Feed a program its prompt and tell the desk how it ended."""
    assert process.stdin is not None  # noqa: S101  # it was asked for
    with contextlib.suppress(OSError), process.stdin as stdin:  # not every program reads its stdin
        stdin.write(prompt.encode(errors="replace"))
    code = process.wait()
    texts = []
    for file in (printed, errors):
        with file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - PRINTED_CHARACTERS))
            texts.append(file.read().decode(errors="replace"))
    desk.exited(code, texts[0], texts[1])


@dataclass
class Programs:
    """The endpoint of a run and the episodes at it. A context manager; thread-safe.

    ``sandbox`` is where jobs and workspaces run. ``on_episode`` hears of each episode that waits for somebody to come with its key.
    ``idle_s``: after that much silence such a program's last completion is taken for its submission; None: never.
    ``key`` opens, besides, whichever episode waits longest, and the next one when that is over; random when it is left out.
    """

    sandbox: Sandbox | SandboxOf
    host: str = "127.0.0.1"
    port: int = 0
    patience_s: float = PATIENCE_S
    idle_s: float | None = None
    on_episode: OnEpisode | None = None
    key: str = field(default_factory=lambda: f"mx-{secrets.token_hex(12)}")

    def __post_init__(self) -> None:
        self._served: dict[tuple[str, str], ServedSandbox] = {}
        self._open: list[tuple[str, Desk]] = []
        self._claimed: set[str] = set()
        self._desks: dict[str, Desk] = {}
        self.dataset: DatasetDesk | None = None
        """Where requests are told apart by their task (see :meth:`match`)."""
        self._changed = threading.Condition()
        try:
            self.endpoint = Endpoint(self.find, self.host, self.port, self._claim)
        except OSError as error:
            raise UsageError(
                f"nothing can be served at {self.host}:{self.port}: {error.strerror}; choose another --port or --host"
            ) from None
        self.endpoint.start()

    @property
    def url(self) -> str:
        """Where the endpoint is, without ``/v1``."""
        return self.endpoint.url

    def sandbox_of(self, program: Program | None) -> SandboxOf:
        """The sandboxes, by image, of episodes that this program plays; None: whoever comes with the key."""

        def of(image: str) -> Sandbox:
            name = program.name if program is not None else ""
            with self._changed:
                if (name, image) not in self._served:
                    inner = self.sandbox(image) if callable(self.sandbox) else self.sandbox
                    idle = (
                        None if program is not None else self.idle_s
                    )  # a process says by its end that it is over
                    opened = ServedSandbox(
                        inner, self._opened(program), patience_s=self.patience_s, idle_s=idle
                    )
                    self._served[name, image] = opened
                return self._served[name, image]

        return of

    def find(self, key: str) -> Desk | None:
        """The desk of a key. For the run's own key it waits a while for an episode, unless a search has it."""
        with self._changed:
            own = next((desk for known, desk in self._desks.items() if _same(key, known)), None)
        if own is not None:
            return own
        if _same(key, self.key):
            return self._next(claim=False)[1]
        with self._changed:
            served = list(self._served.values())
        return next((desk for desk in (each.find(key) for each in served) if desk is not None), None)

    def place(self, desk: Desk, key: str | None = None) -> str:
        """Put up a desk that is no episode's, under a key of its own or this one; the key. It stays known after its end."""
        key = key or f"mx-{secrets.token_hex(12)}"
        with self._changed:
            self._desks[key] = desk
            self._changed.notify_all()
        return key

    def match(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        """From now on the run's key is for all episodes: a request belongs to the one whose task text it contains."""
        self.dataset = DatasetDesk(tasks)
        self.place(self.dataset, self.key)

    def close(self) -> None:
        """End all episodes and the endpoint."""
        self.end_episodes()
        self.endpoint.stop()

    def end_episodes(self) -> None:
        """End all episodes: whoever steps them comes back."""
        with self._changed:
            served = list(self._served.values())
            desks = list(self._desks.values())
        for each in served:
            each.close()
        for desk in desks:
            desk.close("the endpoint was closed")

    def _opened(self, program: Program | None) -> Callable[[str, Desk], Callable[[], None] | None]:
        def on_open(key: str, desk: Desk) -> Callable[[], None] | None:
            if program is not None:
                return program.start(self.url, key, desk)
            if self.dataset is not None:
                desk.tag = f"{key[-8:]}-"
                self.dataset.open(desk)
                return None
            with self._changed:
                self._open = [(known, each) for known, each in self._open if not each.closed]
                self._open.append((key, desk))
                self._changed.notify_all()
            if self.on_episode is not None:
                self.on_episode(key, desk)
            return None

        return on_open

    def _next(self, *, claim: bool) -> tuple[str, Desk]:
        """The episode that waits longest. Raises Refused when none comes up in a while."""
        end = time.monotonic() + WAIT_FOR_EPISODE_S
        with self._changed:
            while True:
                if not claim and self.key in self._desks:  # put up meanwhile
                    return self.key, self._desks[self.key]
                for key, desk in self._open:
                    if not desk.closed and desk.submission is None and key not in self._claimed:
                        if claim:
                            self._claimed.add(key)
                        return key, desk
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    raise Refused(404, "no episode waits for a program now", "no_episode")

    def _claim(self, key: str, _: dict[str, Any]) -> dict[str, Any]:
        """``POST /mx/episodes``: the next episode's own key and task."""
        if not _same(key, self.key):
            raise Refused(401, "episodes are given out for the key of the run", "invalid_api_key")
        own, desk = self._next(claim=True)
        return {"key": own, "base_url": f"{self.url}/v1", "task": dict(desk.task)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _same(key: str, known: str) -> bool:
    """Whether two keys are equal, in a time that does not tell how far they are."""
    return hmac.compare_digest(key.encode(), known.encode())


@dataclass(frozen=True, slots=True)
class ProgramMethod:
    """A program as a method: its design is only its name. Without a program: whoever comes to the endpoint."""

    program: Program | None = None

    def design(self, task: Any, rng: Any) -> str:  # noqa: ARG002  # the program is the design
        """What stands for the program in the record."""
        return EXTERNAL + (self.program.name if self.program is not None else "at the endpoint")
