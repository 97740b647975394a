"""An episode: a task, a design running in a sandbox, its questions and their answers, and the grade.

The design and the answers come from models and are untrusted: whatever they do ends as a ``StopReason`` and a
grade, never as an exception. Exceptions are for the caller's mistakes and for a sandbox that does not start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from time import perf_counter
from typing import Any

from mx_envs.episode.approval import Ruling, judged
from mx_envs.episode.asked import settled
from mx_envs.episode.design import LONGEST_DESIGN, script_of, workflow_label
from mx_envs.episode.endings import crash, ending_of, log_of, repeatable
from mx_envs.episode.grading import graded
from mx_envs.episode.handing_in import changes_of, submission_of
from mx_envs.episode.module import PROGRAM, endpoint_files, module_files, needs_endpoint
from mx_envs.episode.record import EpisodeRecord, Rewards, StopReason, Timing, Turn
from mx_envs.episode.setting import Setting, executor_name
from mx_envs.episode.spoken import about
from mx_envs.episode.turns import credited, parts_asked, turn_rewards
from mx_envs.episode.wire import Question, ServiceCall, WireError, read_frame, unicode_text
from mx_envs.inside.endpoint.asking import prompt_tokens, tokens
from mx_envs.inside.endpoint.sampling import limited
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
    """Questions that were asked together; the script waits until each has its answer, or is refused one.

    ``waiting`` are those that are asked after the pending one, where the tokens are bounded.
    """

    number: int
    questions: list[Question]
    waiting: list[Question]
    answers: dict[Question, str] = field(default_factory=dict)
    paid: dict[Question, tuple[tuple[str, ...], float | None]] = field(default_factory=dict)
    given: dict[Question, str] = field(default_factory=dict)
    about: dict[Question, dict[str, Any]] = field(default_factory=dict)
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
        self._folded: dict[str, None] = {}
        self._service: Service | None = None

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.record is not None

    @property
    def calls_left(self) -> int:
        """Executor calls that the budget still has room for."""
        batch = self._batch
        asked = len(self.pending) + len(batch.waiting) + len(batch.answers) if batch is not None else 0
        left = self.tokens_left
        if left is not None and left <= 0:
            return 0
        return max(0, self.task.budget.calls - len(self.turns) - asked)

    @property
    def tokens_left(self) -> int | None:
        """Tokens, in and out, that the budget still has room for; None where they are not bounded."""
        if self.task.budget.tokens is None:
            return None
        spent = sum(prompt_tokens(turn.messages) + tokens(turn.answer) for turn in self.turns)
        answers = self._batch.answers if self._batch is not None else {}
        spent += sum(prompt_tokens(question.messages) + tokens(text) for question, text in answers.items())
        return self.task.budget.tokens - spent

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
            "task.json": json.dumps(_public(self.task) | self._terms()).encode(),
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

    def _terms(self) -> dict[str, object]:
        """What a program at the endpoint may ask of its executors, where that is known."""
        terms = self.setting.terms
        return {} if terms is None else {"terms": terms.as_dict()}

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
        questions = [question for question, _ in answers]
        texts = [self._limited(batch, question, text) for question, text in answers]
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
            self._next(batch)
        if not self.pending:
            self._reply(session, batch)
        return rewards

    @staticmethod
    def _limited(batch: _Batch, question: Question, text: str) -> str:
        """The answer as far as a server would have made it; what a program hears beside it is kept in the batch."""
        known = about(text)
        counted = "finish_reason" in known
        whole = unicode_text(text[:LONGEST_ANSWER])
        kept, finish = limited(whole, question.sampling, counted=counted, room=question.room)
        if len(kept) < len(whole):
            known = {"finish_reason": finish} | {name: known[name] for name in ("error",) if name in known}
        batch.about[question] = {"finish_reason": finish} | known
        return kept

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
                answer = batch.given.get(question, batch.answers.get(question))
                known = batch.about.get(question, {}) if question.call is not None else {}
                session.send({"answer": answer, **({"about": known} if known else {})})
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
                        sampling=question.sampling,
                        asked=question.asked,
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

    def _ask(self, session: Session, said: list[Question]) -> None:
        questions = settled(said, self.setting.terms)
        self._folded |= {each.agent: None for each in questions if each.seat >= self.setting.executors}
        admitted = _admitted(questions, self.calls_left)
        self._refusals += len(questions) - len(admitted)
        batch = _Batch(self._batches, questions, admitted)
        self._next(batch)
        if self._refusals > MOST_REFUSALS:
            self.pending = []
            self._finish(StopReason.BUDGET, error="the script went on asking after its calls were used up")
        elif self.pending:
            self._batch = batch
            self._batches += 1
        else:
            for _ in questions:
                session.send({"answer": None})

    def _next(self, batch: _Batch) -> None:
        """Let the batch's next questions be asked: all, or where the tokens are bounded the first for which there is room."""
        if self.task.budget.tokens is None:
            self.pending, batch.waiting = batch.waiting, []
            return
        while batch.waiting and not self.pending:
            question = batch.waiting.pop(0)
            room = (self.tokens_left or 0) - prompt_tokens(question.messages)
            if room < 1:
                self._refusals += 1
                continue
            bounded = replace(question, room=room)
            batch.questions[batch.questions.index(question)] = bounded
            self.pending = [bounded]

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
            folded=tuple(self._folded),
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


def _admitted(questions: Sequence[Question], room: int) -> list[Question]:
    """The questions that so many calls are enough for; those of one request of a program all, or none."""
    admitted: list[Question] = []
    for _, together in groupby(
        enumerate(questions), key=lambda each: (each[1].call, each[1].call is None and each[0])
    ):
        group = [question for _, question in together]
        if len(admitted) + len(group) <= room:
            admitted += group
    return admitted


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
