"""A search from outside: a program tries designs on the validation split over HTTP, asks the run's designer, hands in its choice.

To the endpoint a search is a desk like an episode's, with a key of its own: ``POST /mx/trials`` scores a candidate, completions
are the designer's, ``POST /mx/submit`` ends it. The desk knows the validation split alone: no key of a search opens an episode of
another split.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mx_agents.bench.trial import BenchTrial, Candidate, Script, has_verdict
from mx_agents.episodes import answers_of
from mx_agents.errors import UsageError
from mx_agents.methods import Method, Optimiser
from mx_agents.policy import Policy
from mx_agents.programs import Programs
from mx_agents.runs.folder import Appender, read_lines
from mx_envs import DESIGNER_PROMPT, Observation
from mx_envs.episode.asked import settled
from mx_envs.episode.design import LONGEST_DESIGN
from mx_envs.episode.spoken import about
from mx_envs.episode.wire import Question, WireError, read_frame, unicode_text
from mx_envs.inside.endpoint.asking import Said
from mx_envs.inside.endpoint.desk import Call, Desk
from mx_envs.inside.endpoint.sampling import Terms, limited
from mx_tasks import Task

VALIDATION = "validation"
MOST_SEATS = 1 << 16
LONGEST_ANSWER = 65_536
PROMPT = """Find a design for tasks like those of GET /mx/trials: a Python script over the module `mas`, or a program that asks \
an OpenAI client for its completions. POST /mx/trials {"candidate": SCRIPT, "tasks": "validation", "repeats": 1} plays one and \
says how well it did; completions are answered by the designer. POST /mx/submit {"answer": SCRIPT} hands in the one to keep; an \
empty answer is the best one that was tried."""


class SearchDesk(Desk):
    """The desk of a search; what its program prints is nothing but what it prints."""

    def exited(self, code: int, printed: str, errors: str) -> None:  # noqa: ARG002  # reports of progress, as a rule
        """The program is over; what it has tried counts."""
        super().exited(code, "", errors)


@dataclass
class ServedSearch:
    """One search at the endpoint: ``trial`` plays candidates, ``designer`` answers completions within ``terms``.

    Each completion costs one of the search's calls, as an executor's does, and stands in ``path``. ``told`` hears a line of each
    trial.
    """

    trial: BenchTrial
    designer: Policy
    terms: Terms
    path: Path
    told: Callable[[str], None] | None = None
    tried: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trial.calls_left -= len(
            [row for row in read_lines(self.path) if tuple(row["where"]) == self.trial.where]
        )

    def run(self, programs: Programs, optimiser: Optimiser) -> Method:
        """Serve until a choice is handed in, or the program has ended: then it is the best that was tried. Raises UsageError."""
        tasks = self.trial.where[1]
        task = {"id": f"search/{tasks}", "prompt": PROMPT, "parts": [], "files": [], "services": ["trials"]}
        desk = SearchDesk(task, [], lambda _, __: "error: a search has no workspace", terms=self.terms)
        key = programs.place(desk, None if optimiser.program else programs.key)
        stop = optimiser.program.start(programs.url, key, desk) if optimiser.program else None
        try:
            self._serve(desk)
            ended, chosen = desk.ended, (desk.submission or "").strip()
        finally:
            desk.close("the search has ended")
            if stop is not None:
                stop()
        if chosen:
            return Script(desk.submission or "")
        if not self.best:
            why = f"; it ended with code {ended[0]}: {ended[1].strip()[-500:]}" if ended is not None else ""
            raise UsageError(
                f"the search on {tasks} handed in no design and tried none that can be kept{why}"
            )
        return Script(self.best)

    @property
    def best(self) -> str:
        """The design with the best mean score over the most tasks that any was tried on; empty when none has a score."""
        most = max((len(each["scores"]) for each in self.tried), default=0)
        wide = [each for each in self.tried if len(each["scores"]) == most and most]
        best = max(wide, key=lambda each: sum(each["scores"]), default=None)
        return str(best["design"]) if best is not None else ""

    def _serve(self, desk: Desk) -> None:
        while True:
            calls = desk.take() if desk.service_call is None else []
            for call in calls:
                desk.give(call, self._answers(call))
            if desk.service_call is not None:
                desk.reply(self._reply(desk.service_call))
            elif not calls and desk.happened:
                return

    # ------------------------------------------------------------------------------------------------ trials

    def _reply(self, call: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {"result": self._listed() if call["method"] == "list" else self._tried(call["arguments"])}
        except UsageError as error:
            return {"error": str(error)}

    def _listed(self) -> dict[str, Any]:
        tasks = [{"id": task.id, "prompt": task.prompt} for task in self.trial.tasks]
        tried = [{name: value for name, value in each.items() if name != "design"} for each in self.tried]
        return {
            "guide": DESIGNER_PROMPT,
            "tasks": tasks,
            "calls_left": self.trial.calls_left,
            "trials": tried,
        }

    def _tried(self, body: Mapping[str, Any]) -> dict[str, Any]:
        strange = sorted(set(body) - {"candidate", "tasks", "repeats"})
        if strange:
            raise UsageError(f"a trial has a candidate, tasks and repeats, no {strange[0]!r}")
        design = body.get("candidate")
        if not isinstance(design, str) or not design.strip() or len(design) > LONGEST_DESIGN:
            raise UsageError(f"a candidate is a design script, a text of 1 to {LONGEST_DESIGN} characters")
        repeats = body.get("repeats", 1)
        if type(repeats) is not int:
            raise UsageError("repeats is a number")
        tasks = _chosen(body.get("tasks", VALIDATION), self.trial.tasks)
        candidate = Candidate.of_script(design)
        result = self.trial.try_out(candidate, tasks, repeats)
        graded = [row for row in result.rows if has_verdict(row)]
        self.tried.append(
            {
                "trial": len(self.tried) + 1,
                "candidate": candidate.name,
                "design": design,
                "score": None if result.score is None else result.score.mean,
                "complete": result.complete,
                "scores": [row["score"] for row in graded],
            }
        )
        if self.told is not None:
            self.told(f"trial {len(self.tried)}  {result.said}")
        return {"trial": len(self.tried), **result.as_dict()}

    # ------------------------------------------------------------------------------------------------ the designer

    def _answers(self, call: Call) -> list[Said | None]:
        """The designer's answers; None where the search's calls are used up. What is asked for is settled as in an episode."""
        if call.asking.n > self.trial.calls_left:
            return [None] * call.asking.n
        try:
            asked = read_frame({"op": "ask", "questions": call.questions}, MOST_SEATS)
            questions = settled([each for each in asked if isinstance(each, Question)], self.terms)  # type: ignore[union-attr]
        except WireError as error:
            body = json.dumps({"error": {"message": str(error), "type": "invalid_request_error"}})
            return [Said("", {"error": {"status": 400, "body": body}})] * call.asking.n
        texts, _ = answers_of(self.designer, [_observation(each) for each in questions])
        appender = Appender(self.path)
        try:
            return [self._said(appender, *each) for each in zip(questions, texts, strict=True)]
        finally:
            appender.close()

    def _said(self, appender: Appender, question: Question, text: str) -> Said:
        known = about(text)
        whole = unicode_text(text[:LONGEST_ANSWER])
        kept, finish = limited(whole, question.sampling, counted="finish_reason" in known)
        row = {
            "where": list(self.trial.where),
            "messages": question.messages,
            "answer": kept,
            "sampling": dict(question.sampling),
        }
        appender.add(json.dumps(row))
        self.trial.calls_left -= 1
        return Said(kept, {"finish_reason": finish} | dict(known))


def _observation(question: Question) -> Observation:
    seen: Observation = {"messages": question.messages, "sampling": dict(question.sampling)}
    if question.request is not None:
        seen["request"] = dict(question.request)
    return seen


def _chosen(wanted: Any, tasks: Sequence[Task]) -> Sequence[Task]:
    """The tasks of a trial: the whole validation split, the first few, or some by their ids. Raises UsageError."""
    if wanted == VALIDATION:
        return tasks
    if type(wanted) is int and 1 <= wanted <= len(tasks):
        return tasks[:wanted]
    by_id = {task.id: task for task in tasks}
    if (
        isinstance(wanted, list)
        and wanted
        and all(isinstance(each, str) and each in by_id for each in wanted)
    ):
        return [by_id[each] for each in dict.fromkeys(wanted)]
    raise UsageError(
        f'a trial plays tasks of the validation split: "{VALIDATION}", the first 1 to {len(tasks)}, '
        "or ids that GET /mx/trials lists"
    )
