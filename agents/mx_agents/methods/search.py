"""Methods that search: candidate designs are tried on the validation split within a budget of calls, the best one is kept.

An archive search in the manner of ADAS and AFlow: known designs are tried first, then variations of good ones, or what a designer
policy proposes after having seen the archive (``search:POLICY``).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from mx_agents.methods.fixed import FixedMethod, head_for
from mx_agents.methods.method import Method
from mx_agents.models.saved import guide_of
from mx_agents.policy import Policy, ask
from mx_envs import Message
from mx_envs.episode.design import script_of, workflow_label
from mx_tasks import Task

ROUND = 4
"""Designs that are tried side by side."""
FIRST_TASKS = 3
"""Tasks that a new design is tried on; one that is among the best is tried on twice as many, again and again."""


class Trial(Protocol):
    """What a search may use."""

    @property
    def tasks(self) -> Sequence[Task]:
        """Tasks of the validation split."""

    @property
    def calls_left(self) -> int:
        """Executor calls that the search may still make; when they are used up, nothing more is played."""

    def scores(self, designs: Sequence[str], tasks: Sequence[Task]) -> list[list[float]]:
        """Play every design on every task; for each design its scores, fewer than tasks where the calls were used up."""


@runtime_checkable
class Searching(Protocol):
    """A method that looks for its design before the benchmark begins."""

    def search(self, trial: Trial, rng: random.Random) -> Method:
        """The method to compare. ``rng`` is the only source of chance."""


@dataclass(frozen=True, slots=True)
class Genes:
    """A design of the search's own making: how a piece of work is done, and whether each part is one."""

    piece: str = "coder"
    n: int = 1
    split: bool = False

    def script(self, task: Task) -> str:
        """The design for tasks like this one; on a market the piece of work is the question of each bar."""
        work = {
            "coder": "coder.fresh()(part)",
            "best_of": f"best_of(coder, part, {self.n})",
            "vote": f"vote(coder, part, {self.n})",
            "reflect": f'reflect(coder.fresh(), Agent("critic", "Find the mistake, or say LGTM."), part, {self.n})',
            "debate": f"debate([coder.fresh() for _ in range({self.n + 1})], part, 1)",
        }[self.piece]
        end = f"submit({'split(solve)' if self.split else 'solve(task)'})"
        if "market" in task.services:
            end = "market.trade(solve)"
        return f"{head_for(task)}solve = lambda part: {work}\n{end}"

    def mutated(self, rng: random.Random) -> Genes:
        """One change."""
        match rng.randrange(3):
            case 0:
                return replace(self, split=not self.split)
            case 1:
                return replace(self, n=max(1, min(8, self.n + rng.choice((-1, 1, 2)))))
        return replace(self, piece=rng.choice(PIECES), n=max(self.n, 2))


PIECES = ("coder", "best_of", "vote", "reflect", "debate")
SEEDS = (Genes(), Genes(split=True), Genes("vote", 3), Genes("reflect", 1, split=True))


@dataclass(slots=True)
class _Entry:
    genes: Genes | None
    design: str
    scores: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        return sum(self.scores) / len(self.scores) if self.scores else 0.0

    @property
    def worth(self) -> float:
        """The mean with one failure added: a lucky first try is not yet a good design."""
        return sum(self.scores) / (len(self.scores) + 1)


@dataclass(frozen=True, slots=True)
class ArchiveSearch:
    """Successive rounds over an archive of designs; ``designer`` proposes the new ones where there is one."""

    designer: Policy | None = None

    def search(self, trial: Trial, rng: random.Random) -> Method:
        """The best design that the calls were enough to find, as a constant method."""
        like = trial.tasks[0]
        known = {genes.script(like): genes for genes in SEEDS}
        archive = [_Entry(genes, design) for design, genes in known.items()]
        self._try(trial, archive, archive)
        barren = 0
        while trial.calls_left > 0 and barren < len(SEEDS):
            before = trial.calls_left
            new = self._proposed(trial, archive) if self.designer else _varied(archive, like, rng)
            archive += new
            self._try(trial, archive, [*new, *sorted(archive, key=lambda each: -each.worth)[:2]])
            barren = barren + 1 if trial.calls_left == before else 0
        best = max(archive, key=lambda each: (each.worth, -len(each.design)))
        return FixedMethod(
            "search", f"mean {best.mean:.2f} on {len(best.scores)} validation tasks", best.design
        )

    def _try(self, trial: Trial, archive: list[_Entry], entries: list[_Entry]) -> None:
        """Try each entry on as many tasks again as it has been tried on, the same ones for all."""
        for size in sorted({len(entry.scores) for entry in entries}):
            group = [entry for entry in entries if len(entry.scores) == size and entry in archive]
            tasks = trial.tasks[size : max(FIRST_TASKS, 2 * size)]
            unique = list({id(entry): entry for entry in group}.values())
            for entry, scores in zip(unique, trial.scores([e.design for e in unique], tasks), strict=True):
                entry.scores += scores

    def _proposed(self, trial: Trial, archive: list[_Entry]) -> list[_Entry]:
        """New designs by the designer policy, which sees a task and the archive."""
        from mx_envs import designer_chat

        assert self.designer is not None  # noqa: S101  # asked by search alone
        told = sorted(archive, key=lambda each: each.worth)[-6:]
        listed = "\n\n".join(f"Score {each.mean:.2f}:\n```python\n{each.design}\n```" for each in told)
        more: Message = {
            "role": "user",
            "content": f"Designs that have been tried on tasks like this one, the best last:\n\n{listed}\n\nWrite a better one.",
        }
        guide = guide_of(self.designer)
        chats = [
            (*designer_chat(task, "full" if guide is None else guide), more) for task in trial.tasks[:ROUND]
        ]
        answers = ask(self.designer, [{"messages": chat} for chat in chats])
        known = {entry.design for entry in archive}
        designs = dict.fromkeys(script_of(answer) for answer in answers)
        return [
            _Entry(None, text) for text in designs if text not in known and workflow_label(text) != "invalid"
        ]


def _varied(archive: list[_Entry], like: Task, rng: random.Random) -> list[_Entry]:
    """Variations of the better half of the archive that it does not hold yet."""
    known = {entry.design for entry in archive}
    better = sorted(archive, key=lambda each: -each.worth)[: max(2, len(archive) // 2)]
    new: dict[str, Genes] = {}
    for _ in range(ROUND * 4):
        genes = (rng.choice(better).genes or Genes()).mutated(rng)
        if len(new) < ROUND and genes.script(like) not in known:
            new[genes.script(like)] = genes
    return [_Entry(genes, design) for design, genes in new.items()]
