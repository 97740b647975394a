"""Training one arm with one seed: rollout trees, credit, updates, records, checkpoints."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from mx_agents.models.hugging_face import Sample
from mx_agents.runs.folder import Appender, locked, read_lines, write_text
from mx_agents.trainer.checkpoint import Progress, checkpoints, load_checkpoint, save_checkpoint, tidy
from mx_agents.trainer.config import Arm, TrainConfig
from mx_agents.trainer.credit import Call
from mx_agents.trainer.evaluation import evaluate, figures, samplers
from mx_agents.trainer.learning import learn
from mx_agents.trainer.monitor import SuspicionError, suspicions
from mx_agents.trainer.roles import RoleName, Roles, build_roles, load_roles
from mx_agents.trainer.rollout import Execution, Job, designer_observations, execute, executor_calls, teaching
from mx_envs import DefaultRewards, domain_of
from mx_sandboxes import Sandboxes
from mx_tasks import Split, TaskSet, load_task_set

Report = Callable[[dict[str, Any]], None]
"""Told what is going on: ``{"stage": "cold start" | "training" | "testing", "done": share in [0, 1], ...figures}``."""

GRADING_SLOTS = 3


def learning_roles(config: TrainConfig, arm: Arm, step: int) -> frozenset[RoleName]:
    """The roles that learn in a step; in stages the executor goes first."""
    if arm == "frozen executor":
        return frozenset({"designer"})
    if arm == "frozen designer":
        return frozenset({"executor"})
    if config.stage_steps == 0:
        return frozenset({"designer", "executor"})
    return frozenset({"designer" if (step // config.stage_steps) % 2 else "executor"})


def cold_start(config: TrainConfig, folder: Path, report: Report) -> None:
    """Make both roles and leave them in ``folder`` as the checkpoint of step 0, unless it is there."""
    if checkpoints(folder):
        return
    shares = {"designer": 0.0, "executor": 0.0}

    def progress(role: str, share: float) -> None:
        shares[role] = share
        done = shares.get("both", 0.25 * shares["designer"] + 0.75 * shares["executor"])
        report({"stage": "cold start", "done": done})

    torch.manual_seed(config.seed)
    roles = build_roles(config, load_task_set(config.tasks), progress, folder / "models")
    save_checkpoint(folder, roles, Progress(0, random.Random(f"train/{config.seed}")))


def train_arm(config: TrainConfig, arm: Arm, folder: Path, cold: Path, backend: str, report: Report) -> None:
    """Train from the cold start, or from the folder's last checkpoint, to the end; then test.

    Everything of note goes into ``folder``; rows of steps after the checkpoint are dropped first, so that a run which was killed
    and resumed leaves the same records as one that was not (but for ``seconds``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    task_set = load_task_set(config.tasks)
    roles = load_roles(config, cold / "models")
    saved = checkpoints(folder / "checkpoints") or checkpoints(cold)
    progress = load_checkpoint(saved[-1], roles)
    with ExitStack() as stack:
        stack.enter_context(_denormals_flushed())
        sandbox = stack.enter_context(Sandboxes(backend, slots=config.slots))
        grading = stack.enter_context(Sandboxes(backend, slots=GRADING_SLOTS))
        arena = Arena(config, task_set, sandbox, grading)
        stack.callback(arena.close)
        stack.enter_context(locked(folder))
        tidy(folder / "checkpoints")
        log = stack.enter_context(_Log(folder, arm, config.seed, progress.step))
        _Training(config, arm, arena, roles, log, folder, report).run(progress)


@contextmanager
def _denormals_flushed() -> Iterator[None]:
    """Count numbers next to zero as zero, which is much faster; whoever called keeps its own arithmetic."""
    flushed = sys.float_info.min / 2 == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


@dataclass(slots=True)
class Arena:
    """The environments of a run, one list for each split, all on the same sandboxes."""

    config: TrainConfig
    task_set: TaskSet
    sandbox: Sandboxes
    grading: Sandboxes
    _envs: dict[Split, list[Any]] = field(init=False, repr=False, default_factory=dict)

    def envs(self, split: Split) -> list[Any]:
        """As many environments as there are slots."""
        if split not in self._envs:
            self._envs[split] = [self._env(split) for _ in range(self.config.slots)]
        return self._envs[split]

    def close(self) -> None:
        """Close every environment; the sandboxes stay open."""
        for env in (env for envs in self._envs.values() for env in envs):
            env.close()

    def _env(self, split: Split) -> Any:
        rewards = DefaultRewards(self.config.cost_per_call)
        return domain_of(self.task_set).parallel_env(
            tasks=self.task_set,
            split=split,
            sandbox=self.sandbox,
            grading_sandbox=self.grading,
            executors=self.config.executors,
            turn_rewards=True,
            rewards=rewards,
            guide=self.config.guide,
        )


@dataclass(slots=True)
class _Training:
    config: TrainConfig
    arm: Arm
    arena: Arena
    roles: Roles
    log: _Log
    folder: Path
    report: Report

    def run(self, progress: Progress) -> None:
        steps = self.config.steps
        if not self.log.has_evaluation(0):
            self._evaluate(0)
        for step in range(progress.step, steps):
            began = time.perf_counter()
            row = self._step(step, progress.rng)
            if (step + 1) % self.config.evaluate_every == 0:
                self._evaluate(step + 1)
            self.log.metrics(step + 1, row | {"seconds": round(time.perf_counter() - began, 3)})
            found = self._watch(
                step + 1
            )  # on record before the checkpoint is: after it, a kill would lose it
            save_checkpoint(self.folder / "checkpoints", self.roles, Progress(step + 1, progress.rng))
            self.report({"stage": "training", "done": (step + 1) / steps, **row})
            if found and self.config.on_suspicion != "log":
                raise SuspicionError(f"stopped after step {step + 1} of {self.arm}: {'; '.join(found)}")
        for name, role in self.roles.items():
            if role.learner is not None:
                role.policy.save(self.folder / "policies" / name.replace("*", "_"))
        self._test()

    def _watch(self, step: int) -> list[str]:
        """What is suspicious after a step, written down."""
        found = suspicions(*self.log.so_far())
        if found:
            self.log.suspicion(step, found)
        self.log.flush()
        return found

    def _step(self, step: int, rng: random.Random) -> dict[str, Any]:
        config, tree, roles = self.config, self.config.tree, self.roles
        designs, jobs, executions = list[Sample](), list[Job](), list[Execution]()
        first, wanted = step * tree.tasks * (1 + tree.resample), tree.tasks
        for _ in range(1 + tree.resample):
            found, planned, played = self._rollouts(first, wanted, len(designs))
            designs, jobs, executions = designs + found, jobs + planned, executions + played
            first, wanted = first + wanted, tree.tasks - teaching(executions)
            if wanted <= 0:
                break
        designer_calls = [
            Call(
                task=jobs[place * tree.executions].task,
                design=place,
                execution=0,
                role="designer",
                unit="",
                sample=design,
                team_reward=_mean_designer_reward(executions, place, tree.executions),
                policy_version=step,
            )
            for place, design in enumerate(designs)
        ]
        calls = list(executor_calls(executions, step))
        row = step_figures(executions, designer_calls, calls) | {"teaching_tasks": teaching(executions)}
        row["cut_prompts"] = sum(_cut(role.policy) for _, role in roles.items())
        row |= learn(
            roles,
            designer_calls,
            calls,
            credit=config.executor_credit,
            scale=config.advantage_scale,
            learning=learning_roles(config, self.arm, step),
            rng=rng,
            done=step / config.steps,
        )
        if step % config.tree_every == 0 or step + 1 == config.steps:
            self.log.tree(step + 1, executions[: tree.designs * tree.executions], tree.executions)
        return row

    def _rollouts(
        self, first: int, count: int, place: int
    ) -> tuple[list[Sample], list[Job], list[Execution]]:
        """Designs for so many tasks of the train split, their jobs, numbered from that place on, and what came of these."""
        tree, roles, envs = self.config.tree, self.roles, self.arena.envs("train")
        shown = designer_observations(envs, range(first, first + count))
        tasks = [self.arena.task_set.task("train", first + task) for task in range(count)]
        designs = roles.designs(
            [chat for chat in shown for _ in range(tree.designs)],
            [task for task in tasks for _ in range(tree.designs)],
        )
        jobs = [
            Job(first + number // tree.designs, place + number, execution, design.text)
            for number, design in enumerate(designs)
            for execution in range(tree.executions)
        ]
        return designs, jobs, execute(envs, jobs, roles.executor.policy.sample, by_name=samplers(roles))

    def _evaluate(self, step: int) -> None:
        found = self._executions("validation", self.config.evaluation_tasks)
        self.log.evaluation(step, "validation", figures(found))

    def _test(self) -> None:
        if self.log.has_test():
            return
        self.report({"stage": "testing", "done": 1.0})
        sampled = self._executions("test", self.config.test_tasks)
        likeliest = self._executions("test", self.config.test_tasks, greedy=True)
        self.log.evaluation(self.config.steps, "test", figures(sampled))
        self.log.test(sampled, likeliest)

    def _executions(self, split: Split, count: int, *, greedy: bool = False) -> list[Execution]:
        arena = self.arena
        return evaluate(
            arena.envs(split), arena.task_set, split, count, self.roles, self.config.seed, greedy=greedy
        )


def _cut(policy: Any) -> int:
    """Prompts that the policy shortened since the last time that somebody asked: they did not fit its context."""
    cut: int = getattr(policy, "cut_prompts", 0)
    if cut:
        policy.cut_prompts = 0
    return cut


def step_figures(
    executions: Sequence[Execution], designer_calls: Sequence[Call], calls: Sequence[Call]
) -> dict[str, Any]:
    """A metrics row of a step's rollouts."""
    row = figures(executions)
    row["executor_part_accuracy"] = row.pop("part_accuracy")
    row["designer_reward"] = sum(call.team_reward for call in designer_calls) / len(designer_calls)
    row["designer_tokens"] = sum(len(call.sample.output_ids) for call in designer_calls)
    row["executor_tokens"] = sum(len(call.sample.output_ids) for call in calls)
    return row


def _mean_designer_reward(executions: Sequence[Execution], design: int, count: int) -> float:
    own = executions[design * count : (design + 1) * count]
    return sum(execution.record.rewards.designer for execution in own) / count


LOGS = ("metrics", "evaluation", "trees", "suspicions")


class _Log:
    """The arm's files: metrics, evaluations, trees, test results, TensorBoard events."""

    def __init__(self, folder: Path, arm: Arm, seed: int, step: int) -> None:
        self._about: dict[str, Any] = {"arm": arm, "seed": seed}
        self._folder = folder
        for name in LOGS:
            path = folder / f"{name}.jsonl"
            kept = [row for row in read_lines(path) if row["step"] <= step]
            if not self.has_test():  # a test that was not finished is made again
                kept = [row for row in kept if row.get("split") != "test"]
            write_text(path, "".join(_line(row) + "\n" for row in kept))
        self._rows = {name: Appender(folder / f"{name}.jsonl") for name in LOGS}
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        for appender in self._rows.values():
            appender.close()
        self._board.close()

    def flush(self) -> None:
        """Hand TensorBoard's events over to the system; else they wait for two minutes, and a kill loses them."""
        self._board.flush()

    def metrics(self, step: int, row: dict[str, Any]) -> None:
        self._rows["metrics"].add(_line(self._about | {"step": step} | row))
        for key, value in row.items():
            if isinstance(value, int | float):
                self._board.add_scalar(f"train/{key}", value, step)

    def evaluation(self, step: int, split: Split, row: dict[str, Any]) -> None:
        self._rows["evaluation"].add(_line(self._about | {"step": step, "split": split} | row))
        for key in ("success", "score", "part_accuracy", "calls"):
            if row[key] is not None:
                self._board.add_scalar(f"{split}/{key}", row[key], step)

    def has_evaluation(self, step: int) -> bool:
        """Whether an evaluation of that step is on record."""
        return any(row["step"] == step for row in read_lines(self._folder / "evaluation.jsonl"))

    def so_far(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The rows of all steps, and of the evaluations on the validation split."""
        evaluations = read_lines(self._folder / "evaluation.jsonl")
        validation = [row for row in evaluations if row["split"] == "validation"]
        return read_lines(self._folder / "metrics.jsonl"), validation

    def suspicion(self, step: int, found: Sequence[str]) -> None:
        """Write down what is suspicious after a step."""
        self._rows["suspicions"].add(_line(self._about | {"step": step, "suspicions": list(found)}))

    def tree(self, step: int, executions: Sequence[Execution], per_design: int) -> None:
        designs = []
        for start in range(0, len(executions), per_design):
            own = executions[start : start + per_design]
            reward = sum(execution.record.rewards.designer for execution in own) / per_design
            records = [execution.record.as_dict() for execution in own]
            designs.append(
                {
                    "design": own[0].record.design,
                    "label": own[0].record.label,
                    "reward": reward,
                    "executions": records,
                }
            )
        task = {"id": executions[0].record.task}
        self._rows["trees"].add(_line(self._about | {"step": step, "task": task, "designs": designs}))

    def test(self, sampled: Sequence[Execution], likeliest: Sequence[Execution]) -> None:
        rows = [
            self._about
            | {
                "task": execution.record.task,
                "passed": execution.record.grade.passed,
                "score": execution.record.grade.score,
                "calls": execution.record.calls,
                "label": execution.record.label,
                "greedy_passed": greedy.record.grade.passed,
            }
            for execution, greedy in zip(sampled, likeliest, strict=True)
        ]
        write_text(self._folder / "test.jsonl", "".join(_line(row) + "\n" for row in rows))

    def has_test(self) -> bool:
        return (self._folder / "test.jsonl").is_file()


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True)
