"""``mx play``: one episode, turn by turn."""

from __future__ import annotations

import random
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from mx_agents.approval import load_approver
from mx_agents.cli.console import console, open_backend
from mx_agents.cli.options import SCRIPTED
from mx_agents.cli.tasks import task_panel
from mx_agents.errors import UsageError
from mx_agents.methods import Method, MethodPolicy, Optimiser, Searching, load_method
from mx_agents.micro.demonstrations import knows
from mx_agents.models.saved import check_guide, guide_for, guide_notice
from mx_agents.policies import load_policy
from mx_agents.policies.human import HumanQuitError
from mx_agents.policies.reachable import check_endpoints
from mx_agents.policy import Policy, ask
from mx_agents.programs import ProgramMethod
from mx_agents.progress import waiting
from mx_agents.terminal import shortened, visible
from mx_envs import EpisodeRecord, Message, Observation
from mx_tasks import Task, TaskSet, check_split, load_task_set

LEFT = 130
"""Exit code of a program that the user broke off."""
LONGEST = 3_000
CHOICES = 1_000
"""Out of how many tasks the seed chooses where they are generated without end."""


def run(
    set_name: str,
    designer: str,
    executor: str,
    task_id: str | None,
    split: str,
    seed: int,
    backend: str,
    approve: str | None = None,
    guide: str | None = None,
) -> int:
    """Play one episode and show it; the exit code."""
    from mx_envs import domain_of

    check_endpoints((designer, executor))
    check_split(split)
    screen = console()
    with waiting(screen, f"loading {set_name}"):
        task_set = load_task_set(set_name)
    task = task_set.find(task_id) if task_id is not None else _choose(task_set, split, seed)
    executing = load_policy(executor, role="executor", seed=seed, about=(task_set, task))
    designing = _designer(designer, task, seed)
    approver = load_approver(approve) if approve is not None else None
    if executor == "scripted" and not knows(task.prompt):
        screen.print(Text(f"{SCRIPTED}: name another --executor", style="yellow"))
    if guide is not None:
        check_guide(guide)
    notice = guide_notice(designer, designing, guide)
    if notice is not None:
        screen.print(Text(notice, style="dim"))
    with open_backend(backend, slots=3, image=task.image) as sandbox:
        env = domain_of(task_set).raw_env(
            tasks=task_set,
            split=task.split,
            sandbox=sandbox,
            turn_rewards=True,
            approver=approver,
            guide=guide_for(designing, guide),
        )
        try:
            env.reset(seed=seed, options={"task": task.id})
            _Show(
                screen, task, human_designer=designer == "human", human_executor=executor == "human"
            ).episode(env, designing, executing)
        except HumanQuitError:
            screen.print("\n[dim]left; nothing was graded[/]")
            return LEFT
        finally:
            env.close()
    return 0


def _choose(task_set: TaskSet, split: Any, seed: int) -> Task:
    size = task_set.size(split)
    return task_set.task(split, random.Random(seed).randrange(CHOICES if size is None else size))


def _designer(spec: str, task: Task, seed: int) -> Policy:
    method = load_method(spec, seed=seed)
    if isinstance(method, Method):
        if isinstance(method, ProgramMethod):
            raise UsageError(f"{spec!r} plays at an endpoint; use mx serve or mx bench")
        return MethodPolicy(method, task, random.Random(f"method/{seed}"))
    if isinstance(method, Searching | Optimiser):
        raise UsageError(f"{spec!r} searches before it plays; use mx bench")
    return method


class _Show:
    """Plays an episode and prints what happens as it happens. What a human policy prints by itself is not printed again."""

    def __init__(self, screen: Console, task: Task, *, human_designer: bool, human_executor: bool) -> None:
        self._screen = screen
        self._task = task
        self._human_designer = human_designer
        self._human_executor = human_executor
        self._heard: dict[str, tuple[Message, ...]] = {}
        self._asked: tuple[Message, ...] = ()
        self._turn = 0

    def episode(self, env: Any, designer: Policy, executor: Policy) -> None:
        """From the task to the grade."""
        self._screen.print()
        if not self._human_designer:
            self._screen.print(task_panel(self._task))
        while env.unwrapped.episode is None:
            agent = env.agent_selection
            observation = env.observe(agent)
            if agent.startswith("designer"):
                self._design(env, designer, observation)
            else:
                self._executor_turn(env, executor, agent, observation)
        self._grade(env.unwrapped.episode)

    def _design(self, env: Any, designer: Policy, observation: Observation) -> None:
        from mx_envs import workflow_label

        action = ask(designer, [observation])[0]
        label = workflow_label(action)
        code = Syntax(visible(action), "python", word_wrap=True, background_color="default")
        title = Text.assemble(("design", "bold"), f" · {label}")
        self._screen.print(Panel(code, title=title, title_align="left", border_style="magenta"))
        env.step(action)

    def _executor_turn(self, env: Any, executor: Policy, agent: str, observation: Observation) -> None:
        self._turn += 1
        title = Text.assemble(
            (f"turn {self._turn}", "bold"), f" of at most {self._task.budget.calls} · {agent}"
        )
        self._screen.print(Rule(title, align="left", style="dim"))
        if not self._human_executor:
            self._question(agent, observation["messages"])
        answer = ask(executor, [observation])[0]
        if not self._human_executor:
            self._say("answer", answer)
        self._heard[agent] = (*observation["messages"], {"role": "assistant", "content": answer})
        env.step(answer)

    def _question(self, agent: str, messages: tuple[Message, ...]) -> None:
        """What is new in a chat; nothing when somebody else was just asked the same."""
        if messages == self._asked:
            return
        self._asked = messages
        heard = self._heard.get(agent, ())
        known = len(heard) if messages[: len(heard)] == heard else 0
        for message in messages[known:]:
            self._say(message["role"], message["content"])

    def _say(self, who: str, text: str) -> None:
        style = {"answer": "green", "system": "magenta", "tool": "yellow"}.get(who, "cyan")
        shown = Text(shortened(visible(text), LONGEST) or "(nothing)", style="" if text else "dim")
        table = Table.grid(padding=(0, 2))
        table.add_column(width=8, style=style, justify="right")
        table.add_column()
        table.add_row({"user": "question"}.get(who, who), shown)
        self._screen.print(Padding(table, (0, 0, 0, 1)))

    def _grade(self, record: EpisodeRecord) -> None:
        grade = record.grade
        table = Table(show_header=bool(grade.parts), box=None, padding=(0, 3, 0, 0))
        table.add_column("part")
        table.add_column("score", justify="right")
        for name, score in grade.parts.items():
            table.add_row(Text(name), _mark(score))
        verdict = "[bold green]passed[/]" if grade.passed else "[bold red]not passed[/]"
        if grade.tampered:
            verdict = "[bold red]tampered with its grading[/]"
        lines: list[Any] = [
            f"{verdict} · score [bold]{grade.score:.2f}[/] · {record.stop.value} · {record.calls} calls"
        ]
        if record.error:
            lines.append(Text(visible(record.error), style="red"))
        if record.log.strip():
            lines.append(
                Text(f"the script printed:\n{shortened(visible(record.log.strip()), LONGEST)}", style="dim")
            )
        if grade.parts:
            lines += ["", table]
        handed_in = record.submission.answer.strip()
        if handed_in:
            lines += ["", Text("handed in", style="dim"), Text(shortened(visible(handed_in), LONGEST))]
        pay = f"designer {record.rewards.designer:+.2f} · executors {record.rewards.executors:+.2f}"
        lines += ["", Text(f"rewards: {pay}", style="dim")]
        border = "green" if grade.passed else "red"
        self._screen.print(
            Panel(Group(*lines), title="[bold]grade[/]", title_align="left", border_style=border)
        )


def _mark(score: float) -> Text:
    return Text(f"{'✓' if score == 1.0 else '✗'} {score:.2f}", style="green" if score == 1.0 else "red")
