"""What the designer is told: how to write a design (the guide), and the task.

The guide is part of the environment: whoever trains, plays or measures a designer shows it the same one.
"""

from __future__ import annotations

from mx_envs.episode.observation import Message
from mx_tasks import Task
from mx_tasks.errors import did_you_mean

DESIGNER_PROMPT = """\
You design a team of agents that solves a task. Answer with one Python script and nothing else. The script runs in a sandbox
(Python 3.9+, standard library, no network); `from mas import *` gives it:

Agent(name, system="", tools=())  a language model in a role. agent(message) asks it and returns its answer, a text. It remembers
    its conversation; agent.fresh() is the same role with an empty one. tools: any of "bash", "edit", "view", "search", "test",
    "submit", or "*" for all; an agent with tools works in the folder until it answers without a call. A reviewer with
    tools=("view", "search", "test") can change nothing.
task               the task: task.prompt, task.id, task.files (names of files in the working folder), task.parts.
                   A part is a text (its prompt) with part.name and part.check(answer), which runs the part's public tests:
                   check.ok, check.message. task.check(answer) checks all parts. task and parts can be given wherever a prompt is.
submit(answer)     hand in a text, or a list of texts (one line each), and end. The task's files are handed in too.
run(command, timeout=10)          run a program in the working folder: .code, .output.
split(solve)                      solve every part side by side; solve is an agent or a function of the part. Returns the answers.
best_of(agent, prompt, n)         n fresh drafts; the first that passes the prompt's public tests, else the first.
vote(agent, prompt, n, judge=None)     n fresh drafts; the most frequent one, or the judge's choice.
reflect(solver, critic, prompt, rounds=1)   draft, review, revise until the review says LGTM.
debate(agents, prompt, rounds=1)  all answer, see each other's answers, revise; the most frequent answer.
chain(agents, prompt)             each works on the answer of the one before.
route(router, {"name": agent, ...}, prompt)   the router chooses who answers.
parallel(jobs)                    functions or (agent, message) pairs, side by side; results in order.
BudgetExceeded                    raised when the calls are used up.

Every question to an agent is a call; calls cost a little and are limited. A script that crashes or never submits fails.
Example:
from mas import *
coder = Agent("coder", "Answer with one line of Python and nothing else.")
submit(split(lambda part: best_of(coder, part, 3)))"""

SHORT_PROMPT = """\
Write a Python script, nothing else: a team of agents that solves the task. from mas import * gives Agent(name, system)(message),
task.parts, submit(answer), split(solve), best_of(agent, part, n), vote(agent, part, n), reflect(agent, critic, part).
Example:
from mas import *
coder = Agent("coder", "Answer with the solution alone.")
submit(split(lambda part: best_of(coder, part, 3)))"""
"""The guide in a hundred tokens, for models that have been shown what a design is."""

GUIDES = {"full": DESIGNER_PROMPT, "short": SHORT_PROMPT}
"""Guides by name."""


def guide_text(guide: str) -> str:
    """The guide of that name; a text of several words is a guide itself, and the empty one none.

    Raises ValueError for a single word that is no guide's name.
    """
    if guide in GUIDES:
        return GUIDES[guide]
    if guide and len(guide.split()) <= 1:
        raise ValueError(
            f"there is no guide {guide!r}{did_you_mean(guide, GUIDES)}; a guide is one of: {', '.join(GUIDES)}, "
            "or the text itself"
        )
    return guide


def designer_chat(task: Task, guide: str = "full") -> tuple[Message, ...]:
    """The designer's observation: the guide (a name in GUIDES, or a text; none when it is empty) and the task."""
    about = [task.prompt.rstrip()]
    if len(task.parts) > 1:
        about.append("Parts: " + ", ".join(part.name for part in task.parts))
    if task.files:
        about.append("Files: " + ", ".join(sorted(task.files)))
    about.append(f"At most {task.budget.calls} calls.")
    text: Message = {"role": "user", "content": "\n\n".join(about)}
    system = guide_text(guide)
    return ({"role": "system", "content": system}, text) if system else (text,)
