"""The fixed multi-agent workflows that everything else is measured against.

Each is one script over :mod:`mas` for every task of a domain, and works on tasks of one or of many parts: a task without parts has
one part, itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mx_tasks import Task

LANGUAGES = {
    "software": "Write Python.",
    "hardware": "Write Verilog.",
    "trading": "Answer with target weights.",
}
"""What the worker is told to be, by domain."""
CODER = 'coder = Agent("coder", "Write Python.")\n'
HEAD = f"from mas import *\n{CODER}"


@dataclass(frozen=True, slots=True)
class FixedMethod:
    """The same script for every task of a domain: ``desk`` where a market is traded bar by bar, else ``script``."""

    name: str
    about: str
    script: str
    desk: str = ""

    def design(self, task: Task, rng: random.Random) -> str:  # noqa: ARG002  # fixed means fixed
        """The script."""
        if "market" in task.services:
            return self.desk or self.script
        return self.script.replace(CODER, head_for(task).partition("\n")[2])


def head_for(task: Task) -> str:
    """The first lines of a script for tasks like this one: a worker who knows what to write."""
    return HEAD.replace(
        "Write Python.", LANGUAGES.get(task.domain, "Answer with the solution and nothing else.")
    )


DESK = """from mas import *
trader = Agent("trader", "You trade. Answer with the target weights and nothing else.")
"""
_FINAL = """final = lambda text: text.rpartition("ANSWER:")[2].strip() if "ANSWER:" in text else text
"""

_ALL = (
    FixedMethod(
        "single", "one agent answers once", f"{HEAD}submit(coder(task))", f"{DESK}market.trade(trader)"
    ),
    FixedMethod(
        "vote",
        "five drafts, the most frequent wins",
        f"{HEAD}submit(vote(coder, task, 5))",
        f"{DESK}market.trade(lambda question: vote(trader, question, 5))",
    ),
    FixedMethod(
        "cot",
        "five times step by step, the most frequent final answer wins",
        f"{HEAD}{_FINAL}"
        'thinking = f"{task}\\n\\nThink step by step. Then write ANSWER: and after it the answer alone."\n'
        "answers = [final(text) for text in parallel((coder.fresh(), thinking) for _ in range(5))]\n"
        "submit(max(answers, key=answers.count))",
        f"{DESK}{_FINAL}"
        'thinking = "\\n\\nThink step by step. Then write ANSWER: and after it the weights alone."\n'
        "def decide(question):\n"
        "    answers = [final(text) for text in parallel((trader.fresh(), question + thinking) for _ in range(5))]\n"
        "    return max(answers, key=answers.count)\n"
        "market.trade(decide)",
    ),
    FixedMethod(
        "reflect",
        "a critic reviews, the coder revises, twice at most",
        f'{HEAD}critic = Agent("critic", "Find the mistake, or say LGTM.")\nsubmit(reflect(coder, critic, task, 2))',
        f'{DESK}risk = Agent("risk", "You control risk. Say what is wrong with these weights, or LGTM.")\n'
        "market.trade(lambda question: reflect(trader.fresh(), risk.fresh(), question))",
    ),
    FixedMethod(
        "debate",
        "three agents answer, see each other's answers, answer again; the most frequent wins",
        f"{HEAD}submit(debate([coder, coder.fresh(), coder.fresh()], task, 1))",
        f"{DESK}market.trade(lambda question: debate([trader.fresh() for _ in range(3)], question))",
    ),
    FixedMethod(
        "plan",
        "a planner writes a plan, the coder carries it out",
        f'{HEAD}planner = Agent("planner", "Plan the work in a few numbered steps. Write no code.")\n'
        "plan = planner(task, graded=False)\n"
        'submit(coder(f"{task}\\n\\nThe plan:\\n{plan}\\n\\nCarry it out. Answer with the result alone."))',
        f'{DESK}planner = Agent("planner", "State in a few sentences how this market should be traded. Give no weights.")\n'
        "plan = planner(task, graded=False)\n"
        'market.trade(lambda question: trader.fresh()(f"{question}\\n\\nThe plan:\\n{plan}"))',
    ),
    FixedMethod(
        "team",
        "an analyst, a coder and a tester in their roles; the coder has the last word",
        f'{HEAD}analyst = Agent("analyst", "You are the analyst. Say what is asked for and what is easily missed.")\n'
        'tester = Agent("tester", "You are the tester. Say what is wrong with the work, or that nothing is.")\n'
        "notes = analyst(task, graded=False)\n"
        'draft = coder(f"{task}\\n\\nThe analyst says:\\n{notes}\\n\\nAnswer with the result alone.")\n'
        'found = tester(f"{task}\\n\\nThe work:\\n{draft}", graded=False)\n'
        'submit(coder(f"{task}\\n\\nThe tester says of your work:\\n{found}\\n\\nAnswer with the final result alone."))',
        f'{DESK}analyst = Agent("analyst", "You are the analyst. Say where prices are going, in one sentence.")\n'
        'risk = Agent("risk", "You control risk. Say what to beware of, in one sentence.")\n'
        "def decide(question):\n"
        "    views = parallel([(analyst.fresh(), question), (risk.fresh(), question)])\n"
        '    return trader.fresh()("\\n\\n".join([question, *views]))\n'
        "market.trade(decide)",
    ),
    FixedMethod(
        "split",
        "one agent for each part of the task",
        f"{HEAD}submit(split(coder))",
        f"{DESK}market.trade(trader)",
    ),
    FixedMethod(
        "best_of",
        "for each part three drafts, the first that passes the public tests wins",
        f"{HEAD}submit(split(lambda part: best_of(coder, part, 3)))",
        f"{DESK}market.trade(lambda question: best_of(trader, question, 3))",
    ),
)

FIXED_METHODS = {method.name: method for method in _ALL}
"""The built-in methods by name."""
