"""Episodes whose questions come from a program outside the sandbox: each of its model calls is an executor's step.

To an episode a program at the endpoint is a session like any other: :class:`ServedSandbox` starts one in which the frames are the
program's requests. Everything else is the ordinary environment.

    served = ServedSandbox(sandbox, on_open=lambda key, task: print("OPENAI_API_KEY =", key))
    endpoint = Endpoint(served.find).start()          # mx_envs.inside.endpoint.server; OPENAI_BASE_URL = endpoint.url + "/v1"
    env = software_v0.env(tasks="repair", sandbox=served)
    env.reset(seed=0)
    env.step("# external program: mine")              # blocks until the program's first question
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from mx_envs.episode.approval import Approver, Ruling, ToolCall, chain
from mx_envs.inside.endpoint.asking import Said
from mx_envs.inside.endpoint.desk import Call, Desk
from mx_envs.inside.endpoint.sampling import Terms
from mx_envs.inside.endpoint.workspace import tools_of
from mx_envs.inside.mas_tools import TOOLS
from mx_sandboxes import (
    Capabilities,
    Completed,
    Limits,
    Reason,
    Sandbox,
    SandboxError,
    Session,
    SessionEndedError,
)
from mx_sandboxes.sandbox import Job, Json

PATIENCE_S = 3600.0
"""How long an episode waits for its program's next call, in all, before its time is up."""

_SERVE_TOOLS = "import sys; sys.path.append('.mx'); from endpoint.workspace import serve; serve()"
PROGRAM = "program"
"""Who calls a tool over the endpoint, for whoever approves it: any of a program's roles may."""
_KEPT = 4096
"""Episodes whose desks are still known after their end, so that a late call hears why it is refused."""

OnOpen = Callable[[str, Desk], Callable[[], None] | None]
"""Called with the key and the desk of an episode that begins; what it returns is called when the episode ends."""


class ServedSandbox:
    """A sandbox whose sessions are programs outside: jobs and workspaces run in ``inner``, questions come from desks.

    ``find`` gives the desk of a key, for an endpoint. ``on_open`` hears of every episode that begins, on the thread that steps it,
    and may start its program. ``patience_s`` bounds the time that an episode waits for its program's calls, all together.
    ``idle_s`` is for programs that know nothing of submissions: after that much silence the last completion is what they hand in;
    None: they are waited for. ``approver`` judges the programs' tool calls before they are made; an environment that has one
    sets it. Thread-safe.
    """

    def __init__(
        self,
        inner: Sandbox,
        on_open: OnOpen | None = None,
        *,
        patience_s: float = PATIENCE_S,
        idle_s: float | None = None,
        approver: Approver | None = None,
    ) -> None:
        self.approver, self.idle_s = approver, idle_s
        self.inner, self.on_open, self.patience_s = inner, on_open, patience_s
        self._desks: dict[str, Desk] = {}
        self._lock = threading.Lock()

    @property
    def backend(self) -> str:
        """The inner sandbox's."""
        return self.inner.backend

    @property
    def capabilities(self) -> Capabilities:
        """The inner sandbox's."""
        return self.inner.capabilities

    def find(self, key: str) -> Desk | None:
        """The desk of an episode."""
        with self._lock:
            return self._desks.get(key)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        files: Mapping[str, bytes] | None = None,
        collect: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        fresh: bool = False,
    ) -> Completed:
        """A job in the inner sandbox."""
        return self.inner.run(
            argv, stdin=stdin, files=files, collect=collect, env=env, limits=limits, fresh=fresh
        )

    def run_batch(self, jobs: Iterable[Job]) -> Iterator[Completed]:
        """Jobs in the inner sandbox."""
        return self.inner.run_batch(jobs)

    def run_as_completed(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Completed]]:
        """See `mx_sandboxes.Sandbox.run_as_completed`."""
        return self.inner.run_as_completed(jobs)

    def warm(self, slots: int | None = None, limits: Limits | None = None) -> None:
        """Make the inner sandbox ready."""
        self.inner.warm(slots, limits)

    def session(
        self,
        argv: Sequence[str],  # noqa: ARG002  # the program is outside
        *,
        files: Mapping[str, bytes] | None = None,
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Session:
        """Begin an episode of a program outside; ``task.json`` among the files is what it is told."""
        given = dict(files or {})
        given.pop("design.py", None)
        workspace = _Workspace(self.inner, given, env, limits or Limits())
        task = json.loads(given["task.json"])
        gate = _Gate(workspace.use, self.approver)
        terms = Terms.from_dict(task.pop("terms", None))
        desk = Desk(task, tools_of(TOOLS, task), gate.use, terms=terms)
        gate.end = desk.close
        key = f"mx-{secrets.token_hex(12)}"
        with self._lock:
            self._desks[key] = desk
            over = [known for known, kept in self._desks.items() if kept.closed]
            for known in over[:-_KEPT]:
                del self._desks[known]
        stop = self.on_open(key, desk) if self.on_open else None
        return _ServedSession(desk, workspace, gate, self.patience_s, self.idle_s, stop)

    def close(self) -> None:
        """End all episodes; the inner sandbox is its opener's to close."""
        with self._lock:
            desks = list(self._desks.values())
        for desk in desks:
            desk.close("the endpoint was closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Gate:
    """Whoever judges tool calls, before the workspace: over HTTP and MCP alike. What was decided is kept."""

    def __init__(self, use: Callable[[str, dict[str, Any]], str], approver: Approver | None) -> None:
        self._use = use
        self._decide = chain(approver) if approver is not None else None
        self.end: Callable[[str], object] = str
        """Ends the episode, with the reason; the desk's, once there is one."""
        self.rulings: list[Ruling] = []

    def use(self, name: str, arguments: dict[str, Any]) -> str:
        """A tool's result, or why it was not used."""
        if self._decide is None:
            return self._use(name, arguments)
        ruling = self._decide(ToolCall(PROGRAM, name, arguments))
        self.rulings.append(ruling)
        why = ruling.reason or f"{ruling.decision} by {ruling.by}"
        if ruling.decision == "terminate":
            self.end(f"{name}: {why}")
        if ruling.decision in ("approve", "modify"):
            return self._use(name, dict(arguments if ruling.instead is None else ruling.instead))
        return f"error: the call was refused: {why}"


class _Workspace:
    """The workspace of an episode, a session in the inner sandbox that begins with the first use of a tool."""

    def __init__(
        self, sandbox: Sandbox, files: Mapping[str, bytes], env: Mapping[str, str] | None, limits: Limits
    ) -> None:
        self._sandbox, self._files, self._env, self._limits = sandbox, files, env, limits
        self._session: Session | None = None
        self._over = False
        self._lock = threading.Lock()

    def use(self, name: str, arguments: dict[str, Any]) -> str:
        """A tool's result as text."""
        from mx_envs.episode.module import endpoint_files

        with self._lock:
            if self._over:
                return "error: the episode is over"
            try:
                if self._session is None:
                    files = {**self._files, **endpoint_files(self._sandbox)}
                    self._session = self._sandbox.session(
                        ["python", "-c", _SERVE_TOOLS], files=files, env=self._env, limits=self._limits
                    )
                self._session.send({"tool": name, "arguments": arguments})
                result = self._session.receive()
            except SessionEndedError as ended:
                return f"error: the workspace has ended: {ended.completed.reason.value}"
            except (SandboxError, ValueError) as error:
                return f"error: {error}"
        text = result.get("result") if isinstance(result, dict) else None
        return text if isinstance(text, str) else "error: the workspace gave no result"

    def close(self, collect: Sequence[str]) -> Completed | None:
        """End it and read its files; None when no tool was used."""
        with self._lock:
            self._over = True
            return None if self._session is None else self._session.close(collect)

    def untouched(self, collect: Sequence[str]) -> Mapping[str, bytes]:
        """The files as they were given."""
        wanted = tuple(collect)
        folders = tuple(name for name in wanted if name.endswith("/"))
        return {
            name: data for name, data in self._files.items() if name in wanted or name.startswith(folders)
        }


class _ServedSession:
    """The frames of a program outside."""

    def __init__(
        self,
        desk: Desk,
        workspace: _Workspace,
        gate: _Gate,
        patience_s: float,
        idle_s: float | None,
        stop: Callable[[], None] | None,
    ) -> None:
        self._desk, self._workspace, self._patience, self._stop = desk, workspace, patience_s, stop
        self._gate, self._idle = gate, idle_s
        self._unanswered: list[tuple[Call, list[Said | None]]] = []
        self._final: Completed | None = None

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        """What was decided on the program's tool calls, in the order in which they came."""
        return tuple(self._gate.rulings)

    def send(self, frame: Json) -> None:
        """The answer to the oldest question that has none."""
        if "answer" not in frame:
            self._desk.reply(frame)
            return
        call, answers = self._unanswered[0]
        text = frame["answer"]
        answers.append(None if text is None else Said(text, frame.get("about")))
        if len(answers) == call.asking.n:
            self._unanswered.pop(0)
            self._desk.give(call, answers)

    def receive(self) -> Json:
        """The program's next questions, or its submission."""
        desk = self._desk
        before = desk.clock()
        calls = self._take() if desk.submission is None else []
        self._patience -= desk.clock() - before
        if desk.submission is not None:
            return {"op": "submit", "answer": desk.submission}
        if calls:
            self._unanswered = [(call, []) for call in calls]
            return {"op": "ask", "questions": [question for call in calls for question in call.questions]}
        if desk.service_call is not None:
            return desk.service_call
        raise SessionEndedError(self._how_it_ended())

    def _take(self) -> list[Call]:
        """The next calls; where the program has fallen silent after a completion, that one is handed in instead."""
        desk, end = self._desk, self._desk.clock() + max(0.0, self._patience)
        while True:
            left = end - desk.clock()
            silent = self._idle is not None and desk.last_answer is not None
            quiet = desk.active_at + (self._idle or 0.0) - desk.clock() if silent else left
            calls = desk.take(max(0.0, min(left, quiet)))
            if calls or desk.happened or desk.clock() >= end:
                return calls
            if silent and desk.clock() >= desk.active_at + (self._idle or 0.0):
                desk.hand_in_last()

    def _how_it_ended(self) -> Completed:
        desk = self._desk
        if desk.ended is not None:
            code, output = desk.ended
            return Completed(Reason.EXITED, code, stderr=output.encode())
        return Completed(Reason.CLOSED if desk.closed else Reason.WALL_TIME, None)

    def close(self, collect: Sequence[str] = ()) -> Completed:
        """End the episode for its program, and read the workspace's files."""
        if self._final is None:
            ended = self._how_it_ended()
            self._desk.close("it was submitted" if self._desk.submission is not None else ended.reason.value)
            if self._stop is not None:
                self._stop()
            done = self._workspace.close(collect)
            files = self._workspace.untouched(collect) if done is None else done.files
            self._final = Completed(ended.reason, ended.exit_code, stderr=ended.stderr, files=files)
        return self._final

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
