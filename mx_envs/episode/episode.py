"""An episode: a task, a design running in a sandbox, its questions and their answers, and the grade.

The design and the answers come from models and are untrusted: whatever they do ends as a ``StopReason`` and a
grade, never as an exception. Exceptions are for the caller's mistakes and for a sandbox that does not start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter

from mx_envs.episode.approval import Ruling, judged
from mx_envs.episode.design import LONGEST_DESIGN, script_of, workflow_label
from mx_envs.episode.endings import crash, ending_of, log_of, repeatable
from mx_envs.episode.grading import graded
from mx_envs.episode.handing_in import changes_of, submission_of
from mx_envs.episode.module import PROGRAM, endpoint_files, module_files, needs_endpoint
from mx_envs.episode.record import EpisodeRecord, Rewards, StopReason, Timing, Turn
from mx_envs.episode.setting import Setting, executor_name
from mx_envs.episode.turns import credited, parts_asked, turn_rewards
from mx_envs.episode.wire import Question, ServiceCall, WireError, read_frame, unicode_text
from mx_envs.inside.endpoint.asking import prompt_tokens, tokens
from mx_sandboxes import Completed, Limits, Reason, SandboxError, Session, SessionEndedError
from mx_tasks import GradingError, Service, ServiceError, Task, service_of

LONGEST_ANSWER = 65_536
"""Characters of an executor's answer that the script gets; the rest is cut."""
MOST_REFUSALS = 100
"""Questions that a script may ask after its calls are used up; then the episode ends."""
MOST_SERVICE_CALLS = 100_000
"""Calls of the task's service that a script may make; then the episode ends."""
TOOL_CALL = "```tool"


@dataclass(slots=True, eq=False)
class _Batch:
    """Questions that were asked together; the script waits until each has its answer."""

    number: int
    questions: list[Question]
    refused: int
    answers: dict[Question, str] = field(default_factory=dict)
    paid: dict[Question, tuple[tuple[str, ...], float | None]] = field(default_factory=dict)
    given: dict[Question, str] = field(default_factory=dict)
    rulings: dict[Question, tuple[Ruling, ...]] = field(default_factory=dict)
    asked_at: float = field(default_factory=perf_counter)


class Episode:
    """One task and one design, from the design's start to its grade.

    Call :meth:`start` with the design, then :meth:`answer` each of ``pending`` until ``over``; ``record`` and ``timing`` tell what
    happened. Not thread-safe; any number of episodes may share a sandbox.
    """

    def __init__(self, setting: Setting, task: Task, seed: int | None = None) -> None:
        self.setting = setting
        self.task = task
        self.seed = seed
        self.timing = Timing()
        self.pending: list[Question] = []
        """The questions that wait for an answer, in the order in which they were asked."""
        self.record: EpisodeRecord | None = None
        """What happened; None until the episode is over."""
        self.turns: list[Turn] = []
        self.taken_back: dict[str, float] = {}
        """What was paid right after turns from which nothing was taken in the end, by agent."""
        self.design = ""
        self._session: Session | None = None
        self._batch: _Batch | None = None
        self._batches = self._refusals = self._service_calls = 0
        self._service: Service | None = None

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.record is not None

    @property
    def calls_left(self) -> int:
        """Executor calls that the budget still has room for."""
        batch = len(self._batch.questions) if self._batch is not None else 0
        if self.task.budget.tokens is not None and self._tokens() >= self.task.budget.tokens:
            return 0
        return max(0, self.task.budget.calls - len(self.turns) - batch)

    def _tokens(self) -> int:
        return sum(prompt_tokens(turn.messages) + tokens(turn.answer) for turn in self.turns)

    def start(self, action: str) -> None:
        """Run a design until its first questions or its end.

        Raises SandboxError when the sandbox does not start a session, RuntimeError when the episode has been started before.
        """
        if self._session is not None or self.over:
            raise RuntimeError("this episode has been started; make a new one")
        self.design = unicode_text(script_of(action))
        if len(self.design) > LONGEST_DESIGN:
            self._finish(StopReason.INVALID, error=f"a design has at most {LONGEST_DESIGN} characters")
            return
        began = perf_counter()
        self._service = service_of(self.setting.task_set, self.task)
        at_endpoint = needs_endpoint(self.design)
        files = {
            **self.task.files,
            "design.py": self.design.encode(),
            **module_files(self.setting.sandbox),
            **(endpoint_files(self.setting.sandbox) if at_endpoint else {}),
            "task.json": json.dumps(_public(self.task)).encode(),
        }
        budget = self.task.budget
        self._session = self.setting.sandbox.session(
            ["python", PROGRAM if at_endpoint else "design.py"],
            files=files,
            env={"PYTHONHASHSEED": "0"},
            limits=Limits(wall_s=budget.wall_s, cpu_s=budget.cpu_s or budget.wall_s),
        )
        self._run_on(self._session)
        self.timing.start_s = perf_counter() - began - self.timing.grading_s

    def answer(self, question: Question, text: str) -> float | None:
        """Answer one pending question, as :meth:`answer_all` does for several."""
        return self.answer_all([(question, text)])[0]

    def answer_all(self, answers: Sequence[tuple[Question, str]]) -> list[float | None]:
        """Answer pending questions; after a batch's last one the script runs on, until its next batch or its end.

        Returns each answer's own reward, None where turns are not paid or this one cannot be graded alone; they are graded in one
        job. Raises ValueError, before anything is answered, when one of the questions is not pending.
        """
        if not answers:
            return []
        batch, session = self._batch, self._session
        if batch is None or session is None or any(question not in self.pending for question, _ in answers):
            raise ValueError("this question is not waiting for an answer")
        texts = [unicode_text(text[:LONGEST_ANSWER]) for _, text in answers]
        questions = [question for question, _ in answers]
        parts = [parts_asked(self.task, question) if question.graded else () for question in questions]
        rewards = self._turn_rewards(list(zip(questions, parts, texts, strict=True)))
        for question, text, asked, reward in zip(questions, texts, parts, rewards, strict=True):
            self.pending.remove(question)
            batch.answers[question] = text
            batch.paid[question] = (asked, reward)
            if self.setting.approver is not None:
                given, rulings = judged(text, question.agent, self.setting.approver)
                batch.given[question], batch.rulings[question] = given, rulings
        ended = [
            ruling
            for rulings in batch.rulings.values()
            for ruling in rulings
            if ruling.decision == "terminate"
        ]
        if ended:
            self._finish(StopReason.TERMINATED, error=f"{ended[0].tool}: {ended[0].reason or ended[0].by}")
            return rewards
        if not self.pending:
            self._reply(session, batch)
        return rewards

    def truncate(self) -> None:
        """End the episode now, ungraded; nothing happens when it is over."""
        if not self.over:
            self._finish(StopReason.TRUNCATED)

    def close(self) -> None:
        """End the design's processes, without a record; for an episode that nobody wants to finish."""
        self.pending = []
        if self._session is not None:
            self._session.close()
            self._session = None

    def _turn_rewards(self, asked: Sequence[tuple[Question, tuple[str, ...], str]]) -> list[float | None]:
        if not self.setting.turn_rewards:
            return [None] * len(asked)
        began = perf_counter()
        setting = self.setting
        gradable = [
            (
                () if question.tools and TOOL_CALL in text else parts,
                text,
            )  # a call of a tool is no answer to the task yet
            for question, parts, text in asked
        ]
        try:
            return turn_rewards(setting.task_set, self.task, gradable, setting.grading)
        except (SandboxError, GradingError):  # such a failure is no verdict on the answers
            return [None] * len(asked)
        finally:
            self.timing.turn_grading_s += perf_counter() - began

    def _reply(self, session: Session, batch: _Batch) -> None:
        began = perf_counter()
        self.timing.policies_s += began - batch.asked_at
        graded_s = self.timing.grading_s
        self._commit()
        try:
            for question in batch.questions:
                session.send({"answer": batch.given.get(question, batch.answers[question])})
            for _ in range(batch.refused):
                session.send({"answer": None})
        except SessionEndedError as ended:
            self._finish(ending_of(ended.completed))
        else:
            self._run_on(session)
        self.timing.design_s += perf_counter() - began - (self.timing.grading_s - graded_s)

    def _commit(self) -> None:
        """Write the batch's answered questions down as turns, in the order in which they were asked."""
        batch, self._batch = self._batch, None
        for question in batch.questions if batch is not None else ():
            if batch is not None and question in batch.answers:
                parts, reward = batch.paid[question]
                self.turns.append(
                    Turn(
                        agent=executor_name(question.slot),
                        name=question.agent,
                        slot=question.slot,
                        batch=batch.number,
                        messages=question.messages,
                        answer=batch.answers[question],
                        parts=parts,
                        graded=question.graded,
                        turn_reward=reward,
                        rulings=batch.rulings.get(question, ()),
                    )
                )

    def _run_on(self, session: Session) -> None:
        """Let the script run until it asks something that the budget has room for, or ends."""
        try:
            while not self.pending and not self.over:
                said = read_frame(session.receive(), self.setting.executors)
                if isinstance(said, str):
                    self._finish(StopReason.SUBMITTED, answer=said)
                elif isinstance(said, ServiceCall):
                    self._serve(session, said)
                else:
                    self._ask(session, said)
        except WireError as error:
            self._finish(StopReason.PROTOCOL, error=str(error))
        except SessionEndedError as ended:
            self._finish(ending_of(ended.completed))
        except SandboxError:
            self._finish(StopReason.SANDBOX_DIED)

    def _serve(self, session: Session, call: ServiceCall) -> None:
        """Answer a call of the task's service."""
        self._service_calls += 1
        if self._service_calls > MOST_SERVICE_CALLS:
            self._finish(StopReason.BUDGET, error=f"more than {MOST_SERVICE_CALLS} calls of {call.service}")
            return
        service = self._service
        if service is None or service.name != call.service:
            session.send({"error": f"this task has no {call.service}"})
            return
        try:
            reply = {"result": service.call(call.method, call.arguments)}
        except ServiceError as error:
            reply = {"error": str(error)}
        session.send(reply)

    def _ask(self, session: Session, questions: list[Question]) -> None:
        asked = questions[: self.calls_left]
        refused = len(questions) - len(asked)
        self._refusals += refused
        if self._refusals > MOST_REFUSALS:
            self._finish(StopReason.BUDGET, error="the script went on asking after its calls were used up")
        elif asked:
            self._batch = _Batch(self._batches, asked, refused)
            self._batches += 1
            self.pending = list(asked)
        else:
            for _ in range(refused):
                session.send({"answer": None})

    def _finish(self, stop: StopReason, answer: str = "", error: str = "") -> None:
        self._commit()
        self.pending = []
        rulings: tuple[Ruling, ...] = getattr(self._session, "rulings", ())
        completed = self._close_session()
        ended = next((ruling for ruling in rulings if ruling.decision == "terminate"), None)
        if ended is not None:
            stop, error = StopReason.TERMINATED, f"{ended.tool}: {ended.reason or ended.by}"
        gone = completed is None or completed.reason is Reason.SANDBOX_DIED
        if gone and stop is not StopReason.INVALID and self._session is not None:
            stop = StopReason.SANDBOX_DIED
        if stop is StopReason.BROKE_SANDBOX:
            error = "its sandbox died under it, and not under a harmless job"
        elif stop is StopReason.SANDBOX_DIED and completed is not None:
            error = completed.cause
        self._session = None
        if stop is StopReason.CRASHED:
            asked, refused = self._batches > 0, self._refusals > 0
            stop, error = crash(completed, self.design, asked=asked, refused=refused)
        setting = self.setting
        state = self._service.finish() if self._service is not None else {}
        outputs = setting.task_set.outputs(self.task)
        submission = submission_of(self.task, outputs, answer, completed, state)
        began = perf_counter()
        stop, grade = graded(setting, self.task, stop, submission)
        self.timing.grading_s += perf_counter() - began
        error = grade.log if stop is StopReason.GRADING_FAILED else error
        record = EpisodeRecord(
            env=setting.env,
            task=self.task.id,
            task_set=setting.task_set.name,
            fingerprint=setting.fingerprint,
            split=self.task.split,
            seed=self.seed,
            design=self.design,
            label=workflow_label(self.design),
            turns=tuple(self.turns),
            submission=submission,
            stop=stop,
            grade=grade,
            diff=changes_of(setting.task_set, self.task, submission),
            rulings=rulings,
            guide=setting.guide,
            error=repeatable(error),
            log=log_of(completed.stdout.decode(errors="replace") if completed is not None else "", stop),
        )
        rewards = Rewards() if record.failed else setting.rewards(record)
        self.record = replace(record, rewards=rewards, turns=self._credited(record, rewards))

    def _credited(self, record: EpisodeRecord, rewards: Rewards) -> tuple[Turn, ...]:
        """The turns with what they are due in the end; what was paid for one from which nothing was taken is taken back."""
        due = credited(self.task, record.turns, record.submission)
        turns = []
        for turn, own in zip(record.turns, due, strict=True):
            kept = turn.turn_reward if own and not record.failed else None
            if turn.turn_reward is not None and kept is None:
                self.taken_back[turn.agent] = self.taken_back.get(turn.agent, 0.0) + turn.turn_reward
            turns.append(replace(turn, turn_reward=kept, team_reward=rewards.executors))
        return tuple(turns)

    def _close_session(self) -> Completed | None:
        """End the design's processes and read its files; None when there are none, or when the sandbox broke."""
        if self._session is None:
            return None
        try:
            return self._session.close(collect=tuple(self.setting.task_set.outputs(self.task)))
        except SandboxError:
            return None


def _public(task: Task) -> dict[str, object]:
    """What the script is told of a task."""
    parts = [{"name": part.name, "prompt": part.prompt, "check": part.check} for part in task.parts]
    public: dict[str, object] = {
        "id": task.id,
        "prompt": task.prompt,
        "parts": parts,
        "files": sorted(task.files),
        "services": list(task.services),
    }
    return public | ({"tools": [asdict(tool) for tool in task.tools]} if task.tools else {})
