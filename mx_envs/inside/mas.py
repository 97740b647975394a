"""The module that a design imports: agents to ask, ways to combine them, and the submission.

One file of the standard library only (Python 3.9 or newer), put beside the script in the sandbox's workspace. It imports as little
as it can, because it is imported anew for every episode.

The wire. Frames are four bytes of big-endian length and that many bytes of JSON, over the descriptor named by ``MX_CHANNEL``.

- script to host, ``{"op": "ask", "questions": [{"slot": 0, "agent": "coder", "graded": true, "tools": false,
  "messages": [...]}]}``: one batch. ``slot`` counts agents in order of creation, ``messages`` is the whole conversation,
  ``graded`` says whether the question asks for an answer to the task (a critic's or a judge's question does not), ``tools``
  whether the answer may be a call of a tool.
- host to script, one frame for each question, in order: ``{"answer": "text"}``, or ``{"answer": null}`` when the budget is used up.
- script to host, ``{"op": "call", "service": "market", "method": "account", "arguments": {}}``: a call of the task's service on
  the host, answered by ``{"result": ...}`` or ``{"error": "why"}``.
- script to host, ``{"op": "submit", "answer": "text"}``: the end. The host reads the declared files and ends the program.
"""

from __future__ import annotations

import _thread
import json
import os
import sys

TYPE_CHECKING = False  # typing is not imported: it takes longer than the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NoReturn, Union

    Prompt = str  # a text, a part or the task
    Message = dict[str, str]
    Question = dict[str, Any]
    Job = Union[Callable[[], Any], tuple["Agent", str]]

__all__ = [
    "Agent",
    "BudgetExceeded",
    "best_of",
    "chain",
    "debate",
    "market",
    "parallel",
    "reflect",
    "route",
    "run",
    "split",
    "submit",
    "task",
    "vote",
]

FRAME_BYTES = 1 << 20
TOOL_TURNS = 40
OUTPUT_CHARACTERS = 4000
CHECK_SECONDS = 2.0


class BudgetExceeded(RuntimeError):  # noqa: N818  # the name that scripts catch
    """The episode's calls are used up: this question was not asked."""


# ---------------------------------------------------------------------------------------------------- the wire


def _send(frame: dict[str, Any]) -> None:
    data = json.dumps(frame).encode()
    if len(data) > FRAME_BYTES:
        raise ValueError(f"{len(data)} bytes are too much to say at once; the limit is {FRAME_BYTES}")
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(_channel(), data) :]


def _receive() -> Any:
    return json.loads(_read(int.from_bytes(_read(4), "big")))


def _read(size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(_channel(), size - len(data))
        if not piece:
            os._exit(0)  # the host has ended the episode
        data += piece
    return data


def _channel() -> int:
    return int(os.environ["MX_CHANNEL"])


def _ask(questions: list[Question]) -> list[str | None]:
    """Answers to a batch of questions, None for each that the budget has no room for."""
    if _strand is not None:
        return _strand.ask(questions)
    if not questions:
        return []
    return [frame["answer"] for frame in _ask_whole(questions)]


def _ask_whole(questions: list[Question]) -> list[Any]:
    """The frames that answer a batch of questions."""
    sys.stdout.flush()
    with _wire:
        _send({"op": "ask", "questions": questions})
        return [_receive() for _ in questions]


_wire = _thread.allocate_lock()
"""Held from a batch to its last answer: the endpoint (``.mx/endpoint``) asks on a thread of its own."""


def submit(answer: object = "") -> NoReturn:
    """Hand in the answer (a text, or a list of texts: one line each) and end the program."""
    lines = answer if isinstance(answer, (list, tuple)) else [answer]
    text = "\n".join(_said(line) for line in lines if line is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    _wire.acquire()
    _send({"op": "submit", "answer": text})
    while True:  # nothing runs after a submission: the host ends the program
        _read(1)


# ---------------------------------------------------------------------------------------------------- the task


class Check:
    """The verdict of the public tests: ``ok`` and, when it is False, the ``message``. True in a condition when ok."""

    def __init__(self, ok: bool, message: str = "") -> None:
        self.ok, self.message = ok, message

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"Check(ok={self.ok}, message={self.message!r})"


class Part(str):
    """A part's prompt, with its ``name`` and its public tests."""

    name: str
    source: str

    def __new__(cls, prompt: str, name: str = "", source: str = "") -> Part:
        part = super().__new__(cls, prompt)
        part.name, part.source = name, source
        return part

    def check(self, answer: object) -> Check:
        """Run the part's public tests on an answer. Never raises."""
        if not self.source:
            return Check(True, "no public tests")
        text = str(answer)
        return _checked(self.source, text) if _plain(text) else _checked_apart(self.source, text)


class Task(str):
    """The task's prompt, with its ``id``, ``parts``, ``files`` (names of the files in the workspace) and ``services``."""

    id: str
    files: list[str]
    services: list[str]
    parts: list[Part]

    def __new__(cls, about: dict[str, Any]) -> Task:
        new = super().__new__(cls, about["prompt"])
        new.id, new.files, new.services = about["id"], about["files"], list(about.get("services", ()))
        parts = [Part(part["prompt"], part["name"], part["check"]) for part in about["parts"]]
        new.parts = parts or [Part(new, "task")]
        return new

    @property
    def prompt(self) -> str:
        """The prompt's text."""
        return str(self)

    def check(self, answer: object) -> Check:
        """Run the public tests of all parts; ``answer`` is a list, or a text with one line for each part."""
        answers: list[object]
        if isinstance(answer, (list, tuple)):
            answers = list(answer)
        else:
            answers = list(str(answer).splitlines()) if len(self.parts) > 1 else [answer]
        answers += [""] * (len(self.parts) - len(answers))
        checks = [part.check(answer) for part, answer in zip(self.parts, answers)]
        wrong = [f"{part.name}: {check.message}" for part, check in zip(self.parts, checks) if not check]
        return Check(not wrong, "\n".join(wrong))


def _plain(answer: str) -> bool:
    """Whether it is a short one-line expression that cannot loop or grow: safe to check without a process of its own."""
    return len(answer) <= 400 and "\n" not in answer and not any(word in answer for word in _RISKY)


_RISKY = ("**", "<<", "__", " for ", "import", "exec", "eval", "open", "range", "input", "lambda", "[", "{")


def _checked(source: str, answer: str) -> Check:
    try:
        exec(source, {"answer": answer, "__name__": "check"})
    except BaseException as error:
        return Check(False, f"{type(error).__name__}: {error}"[:500])
    return Check(True)


def _checked_apart(source: str, answer: str) -> Check:
    """The same in a process of its own, which may hang, exit or break things without the script noticing."""
    import select

    sys.stdout.flush()
    sys.stderr.flush()
    inward, outward = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(_channel())
        check = _checked(source, answer)
        os.write(outward, json.dumps([check.ok, check.message]).encode())
        os._exit(0)
    os.close(outward)
    ready, _, _ = select.select([inward], [], [], CHECK_SECONDS)
    data = os.read(inward, 8192) if ready else b""
    os.kill(child, 9)
    os.waitpid(child, 0)
    os.close(inward)
    try:
        ok, message = json.loads(data)
    except ValueError:
        return Check(False, "the answer ended the test" if ready else f"no end within {CHECK_SECONDS:g} s")
    return Check(bool(ok), str(message))


# ---------------------------------------------------------------------------------------------------- services


class ServiceError(RuntimeError):
    """The host cannot answer a call of the task's service as it was asked."""


def _call(service: str, method: str, **arguments: Any) -> Any:
    """A call of the task's service on the host."""
    with _wire:
        _send({"op": "call", "service": service, "method": method, "arguments": arguments})
        reply = _receive()
    if "error" in reply:
        raise ServiceError(reply["error"])
    return reply["result"]


class Market:
    """A trading task's market. The host owns prices and clock: nothing of the future is in the sandbox."""

    def observe(self, n: int = 1) -> list[dict[str, Any]]:
        """The newest n bars, oldest first: dicts of ``bar`` (its number), ``open``, ``high``, ``low``, ``close``, ``volume``."""
        bars: list[dict[str, Any]] = _call("market", "observe", n=n)
        return bars

    def account(self) -> dict[str, Any]:
        """``assets``, ``weights`` held, ``cash`` (likewise a share), ``value`` (1 at the start), ``bar``, bars ``left``."""
        account: dict[str, Any] = _call("market", "account")
        return account

    def rebalance(self, weights: object) -> dict[str, Any]:
        """Trade towards target weights at the next bar's fill and move on to its close; the account there.

        ``weights`` is a list of numbers, a dict by asset, a number for a single asset, or a text that holds them. What cannot be
        read keeps the present target and is counted, see ``fault``. Raises ServiceError when no bar is left.
        """
        if not isinstance(weights, (list, tuple, dict, int, float)):
            weights = _said(weights)
        account: dict[str, Any] = _call("market", "rebalance", weights=weights)
        return account

    def question(self) -> str:
        """What can be seen now, as a question for an agent: its answer can be given to ``rebalance``."""
        return str(_call("market", "question"))

    @property
    def left(self) -> int:
        """Bars left to trade on."""
        return int(self.account()["left"])

    def trade(self, decide: Callable[[str], object]) -> None:
        """Until no bar is left: ask ``decide`` (an agent, or a function) the question and rebalance to its answer."""
        while self.left:
            question = self.question()
            self.rebalance(decide.fresh()(question) if isinstance(decide, Agent) else decide(question))


market = Market()

# ---------------------------------------------------------------------------------------------------- agents

_CALL = "```tool"


def _said(value: object) -> str:
    """The text of what a script says; an object's address, which differs from run to run, is left out of it."""
    if isinstance(value, str):
        return str(value)
    import re

    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


class Agent:
    """An executor in a role: call it with a message and get its answer. It keeps its conversation."""

    made = 0

    def __init__(self, name: str, system: str = "", tools: Sequence[str] = ()) -> None:
        self.name, self.system, self.tools = name, system, _known_tools(tools)
        self.slot, Agent.made = Agent.made, Agent.made + 1
        guide = _tool_guide(self.tools) if self.tools else ""
        text = "\n\n".join(part for part in (system, guide) if part)
        self.messages = [{"role": "system", "content": text}] if text else []
        self.home = _strand

    def __repr__(self) -> str:
        return f"Agent({self.name!r})"

    def fresh(self) -> Agent:
        """A new agent of the same name, system text and tools, with an empty conversation."""
        return Agent(self.name, self.system, self.tools)

    def __call__(self, message: Prompt, graded: bool = True) -> str:
        """Ask. With tools, run the calls that the answers hold and go on until an answer without one, or without calls left.

        ``graded=False`` says that the question asks for something else than an answer to the task, such as a review.
        """
        role, answer = "user", ""
        for turn in range(TOOL_TURNS if self.tools else 1):
            try:
                answer = self._heard(_ask([self._question(message, role, graded)])[0])
            except BudgetExceeded:
                if turn == 0:
                    raise
                break  # the work so far stands
            result = _tool_result(answer, self.tools) if self.tools else None
            if result is None:
                break
            role, message = "tool", result
        return answer

    def _question(self, message: Prompt, role: str = "user", graded: bool = True) -> Question:
        talk = _talk(self, _strand)
        talk.append({"role": role, "content": _said(message)})
        about = {"slot": self.slot, "agent": str(self.name), "graded": graded, "tools": bool(self.tools)}
        return {**about, "messages": talk}

    def _heard(self, answer: str | None) -> str:
        talk = _talk(self, _strand)
        if answer is None:
            talk.pop()
            raise BudgetExceeded("the episode's calls are used up")
        talk.append({"role": "assistant", "content": answer})
        return answer


def _tools() -> Any:
    """The module of the tools, which is told of this program and knows nothing else of it."""
    import mas_tools

    mas_tools.serve(task.check, submit)
    return mas_tools


def _known_tools(tools: Sequence[str]) -> tuple[str, ...]:
    """The tools by name; ``"*"`` stands for all that there are. Raises ValueError for others."""
    if not tools:
        return ()
    known = _tools().known()
    wanted = known if "*" in tools else list(tools)
    unknown = [tool for tool in wanted if tool not in known]
    if unknown:
        raise ValueError(f"no tool {unknown[0]!r}; there are {', '.join(known)}")
    return tuple(wanted)


def _tool_guide(tools: Sequence[str]) -> str:
    guide: str = _tools().guide(tools)
    return guide


def _tool_result(answer: str, tools: Sequence[str]) -> str | None:
    """What the tool calls in an answer give, as text; None when there is no call in it. Never raises."""
    if _CALL not in answer:
        return None
    result: str | None = _tools().results(answer, tools)
    return result


def _use_tool(name: str, arguments: dict[str, Any]) -> str:
    module = _tools()
    result: str = module.use(name, arguments, module.known())
    return result


class Ran:
    """A program's end: exit ``code`` and ``output`` (stdout and stderr, cut)."""

    def __init__(self, code: int, output: str) -> None:
        self.code, self.output = code, output

    def __repr__(self) -> str:
        return f"Ran(code={self.code}, output={self.output!r})"


def run(command: str | Sequence[str], timeout: float = 10) -> Ran:
    """Run a program in the workspace: a shell command, or a list of arguments. A time-out has code 124."""
    import subprocess

    name = f".run-{os.getpid()}-{id(command)}"
    with open(name, "w+b") as file:
        os.unlink(name)
        try:
            program = subprocess.Popen(
                command,
                shell=isinstance(command, str),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Ran(127, str(error))
        try:
            code = program.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, 9)
            program.wait()
            code = 124
        file.seek(0)
        return Ran(code, file.read(OUTPUT_CHARACTERS).decode(errors="replace"))


# ---------------------------------------------------------------------------------------------------- at the same time

_strand: _Strand | None = None
"""The strand that runs now; None is the script's own thread. Exactly one runs at any time."""


class _Strand:
    """A job of ``parallel`` on a thread of its own, which runs only while the thread that made it waits for it."""

    def __init__(self, job: Job) -> None:
        self.job = job if callable(job) else lambda: job[0](job[1])
        self.outer = _strand
        self.talks: dict[Agent, list[Message]] = {}
        self.started = self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.questions: list[Question] = []
        self.answers: list[str | None] = []
        self.mine, self.theirs = _thread.allocate_lock(), _thread.allocate_lock()
        self.mine.acquire()
        self.theirs.acquire()

    def resume(self) -> None:
        """Run it until it asks or ends."""
        global _strand
        outer, _strand = _strand, self
        try:
            if self.started:
                self.mine.release()
            else:
                self.started = True
                _thread.start_new_thread(self.live, ())
            self.theirs.acquire()
        finally:
            _strand = outer

    def live(self) -> None:
        """What runs on the strand's thread."""
        try:
            self.result = self.job()
        except BaseException as error:
            self.error = error
        self.done, self.questions = True, []
        self.theirs.release()

    def ask(self, questions: list[Question]) -> list[str | None]:
        """Give the turn back until there are answers."""
        self.questions = questions
        self.theirs.release()
        self.mine.acquire()
        return self.answers


def _talk(agent: Agent, strand: _Strand | None) -> list[Message]:
    """An agent's conversation as a strand sees it: its own where the agent was made, else a copy from when it first asked."""
    if strand is None or strand is agent.home:
        return agent.messages
    if agent not in strand.talks:
        strand.talks[agent] = list(_talk(agent, strand.outer))
    return strand.talks[agent]


def _remember(strands: list[_Strand]) -> None:
    """An agent that one job asked remembers it; what it said in several jobs side by side is no conversation."""
    talks = [talk for strand in strands for talk in strand.talks.items()]
    agents = [agent for agent, _ in talks]
    for agent, talk in talks:
        if agents.count(agent) == 1:
            _talk(agent, _strand)[:] = talk


def parallel(jobs: Iterable[Job]) -> list[Any]:
    """Do jobs (functions without arguments, or pairs of agent and message) side by side; their results, in order.

    In each round every job runs until it asks; then all their questions go out as one batch, in the order of the list. What a job
    raises is raised when all are done. An agent that several jobs ask answers each in a copy of its conversation.
    """
    jobs = list(jobs)
    pairs = [job for job in jobs if isinstance(job, tuple) and not job[0].tools]
    if len({agent for agent, _ in pairs}) == len(jobs):
        return _asked_together(pairs)
    cpus = _pin()
    try:
        return _in_strands([_Strand(job) for job in jobs])
    finally:
        if cpus:
            os.sched_setaffinity(0, cpus)


def _asked_together(pairs: list[tuple[Agent, str]]) -> list[str]:
    """Answers to one question each to different agents without tools: one batch, no strands."""
    answers = _ask([agent._question(message) for agent, message in pairs])
    return [agent._heard(answer) for (agent, _), answer in zip(pairs, answers)]


def _pin() -> set[int] | None:
    """Keep to the present processor, because strands take turns and waking one on another processor takes long; the old set."""
    if _strand is not None:
        return None
    try:
        cpus = os.sched_getaffinity(0)
        with open("/proc/self/stat") as file:
            os.sched_setaffinity(0, {int(file.read().rpartition(")")[2].split()[36])})
    except (OSError, ValueError, IndexError):
        return None
    return cpus


def _in_strands(strands: list[_Strand]) -> list[Any]:
    live = strands
    while live:
        for strand in live:
            strand.resume()
        live = [strand for strand in live if not strand.done]
        answers = iter(_ask([question for strand in live for question in strand.questions]) if live else [])
        for strand in live:
            strand.answers = [next(answers) for _ in strand.questions]
    _remember(strands)
    for strand in strands:
        if strand.error is not None:
            raise strand.error
    return [strand.result for strand in strands]


_thread.stack_size(4 << 20)  # the default may be more than the memory limit has room for


# ---------------------------------------------------------------------------------------------------- workflows


def _drafts(agent: Agent, prompt: Prompt, n: int) -> list[str]:
    agents = [agent.fresh() for _ in range(max(1, n))]
    if agent.tools:
        return parallel((each, prompt) for each in agents)
    return _asked_together([(each, prompt) for each in agents])


def _majority(answers: list[str]) -> str:
    texts = [answer.strip() for answer in answers]
    return answers[max(range(len(texts)), key=lambda place: (texts.count(texts[place]), -place))]


def split(solve: Agent | Callable[[Part], Any], of: Task | None = None) -> list[Any]:
    """Solve each part by itself, side by side; the list of answers. ``solve`` is an agent or a function of the part."""
    parts = (task if of is None else of).parts
    if isinstance(solve, Agent):
        return parallel([(solve.fresh(), part) for part in parts])

    def job(part: Part) -> Job:
        return lambda: solve(part)

    return parallel([job(part) for part in parts])


def chain(agents: Iterable[Agent], prompt: Prompt) -> str:
    """Each agent works on the answer of the one before it."""
    answer = ""
    for place, agent in enumerate(agents):
        answer = agent(f"{prompt}\n\nThe work so far:\n{answer}" if place else prompt)
    return answer


def best_of(agent: Agent, prompt: Prompt, n: int) -> str:
    """The first of n fresh drafts that passes the public tests of ``prompt`` (a part or the task), else the first draft."""
    drafts = _drafts(agent, prompt, n)
    check = getattr(prompt, "check", None)
    return next((draft for draft in drafts if check is None or check(draft)), drafts[0])


def vote(agent: Agent, prompt: Prompt, n: int, judge: Agent | None = None) -> str:
    """The most frequent of n fresh drafts (the earlier on a tie), or the one that the judge chooses."""
    drafts = _drafts(agent, prompt, n)
    if judge is None:
        return _majority(drafts)
    listed = "\n\n".join(f"Answer {number}:\n{draft}" for number, draft in enumerate(drafts, 1))
    choice = judge(f"{prompt}\n\n{listed}\n\nWhich answer is best? Say its number only.", graded=False)
    digits = "".join(sign if sign.isdecimal() else " " for sign in choice).split()
    number = int(digits[0]) if digits and len(digits[0]) < 4 else 0
    return drafts[number - 1] if 1 <= number <= len(drafts) else _majority(drafts)


def debate(agents: Iterable[Agent], prompt: Prompt, rounds: int = 1) -> str:
    """Every agent answers, then sees the others' answers and revises its own; the most frequent answer at the end."""
    agents = list(agents)
    answers = parallel((agent, prompt) for agent in agents)
    for _ in range(rounds):
        jobs = []
        for place, agent in enumerate(agents):
            others = "\n\n".join(answer for other, answer in enumerate(answers) if other != place)
            jobs.append((agent, f"{prompt}\n\nThe others answered:\n{others}\n\nGive your final answer."))
        answers = parallel(jobs)
    return _majority(answers)


def reflect(solver: Agent, critic: Agent, prompt: Prompt, rounds: int = 1) -> str:
    """Draft, review, revise; ends early when the review says LGTM."""
    answer = solver(prompt)
    for _ in range(rounds):
        review = critic(
            f"{prompt}\n\nThe answer:\n{answer}\n\nReview it. Say LGTM if it is right.", graded=False
        )
        if "LGTM" in review:
            break
        answer = solver(f"{prompt}\n\nYour answer was reviewed:\n{review}\n\nAnswer again.")
    return answer


def route(router: Agent, choices: Mapping[str, Agent], prompt: Prompt) -> str:
    """The answer of the agent, out of a dict of agents by name, that the router names (the first one when it names none)."""
    reply = router(f"{prompt}\n\nWho should do this? Say one of: {', '.join(choices)}.", graded=False).lower()
    named = [name for name in choices if name.lower() in reply]
    return choices[min(named, key=lambda name: reply.index(name.lower())) if named else next(iter(choices))](
        prompt
    )


with open("task.json") as _file:
    task = Task(json.load(_file))
