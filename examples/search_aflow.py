"""search_aflow.py: tree search over workflows, after AFlow.

J. Zhang et al., "AFlow: Automating Agentic Workflow Generation", ICLR 2025, arXiv 2410.10762; the authors' code is
github.com/FoundationAgents/AFlow. Run it as a method beside others, with a designer to write the workflows:

    mx bench --methods single,optimiser:'python search_aflow.py' --designer openai:MODEL@URL --search-calls 5000 ...

As published: the tree's nodes are whole workflows; a parent is drawn among the first round and the best others, by a mixture of the
uniform distribution and a softmax of scores; the designer sees the parent's score, what was changed in it before with which result,
and runs that failed; a change that was tried on that parent is not tried again; each workflow is played several times on validation
tasks; the search ends after 20 rounds, or when the mean of the best three has not moved for five. Otherwise: workflows are scripts
over `mas` instead of classes over the authors' operators; the search ends when its calls are used up; a designer that repeats
itself is asked three times, not for ever; the runs in the prompt are failures here, and any three in the authors' code.
"""

import json
import math
import os
import random
import re
import urllib.error
import urllib.request

ROUNDS, SAMPLE, REPEATS, UNMOVED, ATTEMPTS = 20, 4, 5, 5, 3
FIRST = 'from mas import *\nsolver = Agent("solver", "Answer with the solution alone.")\nsubmit(solver(task))'
ASK = """Improve this workflow by one change: add, remove or change an agent, a prompt or a step. It scored {score:.4f}.

```python
{workflow}
```

{experience}

Runs of it that failed:
{runs}

Answer in this form, with the whole script:
<modification>the change, in one line</modification>
<workflow>
the script
</workflow>"""


class Over(Exception):  # noqa: N818
    """The search's calls are used up."""


class Search:
    """The wrapper: trials and completions at the endpoint that started this program."""

    def http(self, path, body=None):
        """JSON in, JSON out."""
        head = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(os.environ["MX_URL"] + path, data, head)
            ) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as refused:
            if refused.code == 403:
                raise Over from None
            raise

    def trial(self, design, repeats):
        """How a design does on the validation split."""
        found = self.http("/mx/trials", {"candidate": design, "tasks": "validation", "repeats": repeats})
        if not found["complete"]:
            raise Over
        return found

    def ask(self, *messages):
        """The designer's answer to a chat: system, user, assistant, user, ..."""
        roles = ["system", *["user", "assistant"] * len(messages)]
        chat = [{"role": role, "content": text} for role, text in zip(roles, messages, strict=False)]
        said = self.http("/v1/chat/completions", {"model": "designer", "messages": chat})
        return said["choices"][0]["message"]["content"]


def probabilities(scores, alpha=0.2, mixture=0.3):
    """The chance of each node to be the parent; scores in per cent."""
    weights = [math.exp(alpha * (score - max(scores))) for score in scores]
    return [mixture / len(scores) + (1 - mixture) * weight / sum(weights) for weight in weights]


def candidates(nodes):
    """The first round, and the best others: so many in all that one of them is the parent."""
    best = sorted(nodes[1:], key=lambda node: -node["score"])[: SAMPLE - 1]
    return sorted([nodes[0], *best], key=lambda node: -node["score"])


def experience(parent):
    """What was changed in this workflow before, in words."""
    if not parent["changes"]:
        return "Nothing has been changed in it yet."
    lines = [
        f"- {change} ({'better' if score > parent['score'] else 'no better'}: {score:.4f})"
        for change, score in parent["changes"].items()
    ]
    return "Changes that were tried on it; make another one:\n" + "\n".join(lines)


def proposal(search, guide, parent):
    """A change that was not tried on this parent, and the workflow with it; None where the designer has none."""
    failed = [run for run in parent["runs"] if run["score"] < 1][:3]
    runs = "\n".join(f"{run['task']}: {run['stop']} {run['error']} {run['log'][-300:]}" for run in failed)
    question = ASK.format(
        score=parent["score"], workflow=parent["design"], experience=experience(parent), runs=runs or "none"
    )
    for _ in range(ATTEMPTS):
        answer = search.ask(guide, question)
        change = re.search(r"<modification>(.*?)</modification>", answer, re.DOTALL)
        script = re.search(r"<workflow>(.*?)(?:</workflow>|\Z)", answer, re.DOTALL)
        if change and script and change[1].strip() not in parent["changes"]:
            return change[1].strip(), re.sub(r"^```\w*\n|\n```$", "", script[1].strip())
    return None


def unmoved(nodes):
    """Whether the mean of the best three has been the same for some rounds."""
    means = [
        sum(sorted((node["score"] for node in nodes[: n + 1]), reverse=True)[:3])
        for n in range(3, len(nodes))
    ]
    return len(means) > UNMOVED and len(set(means[-UNMOVED - 1 :])) == 1


def node_of(search, design):
    """A workflow, played."""
    found = search.trial(design, REPEATS)
    return {"design": design, "score": found["score"], "runs": found["results"], "changes": {}}


def main():
    """Search, and hand in the best."""
    search, rng = Search(), random.Random(0)
    guide = search.http("/mx/trials")["guide"]
    nodes = []
    try:
        nodes.append(node_of(search, FIRST))
        while len(nodes) < ROUNDS and not unmoved(nodes):
            among = candidates(nodes)
            chances = probabilities([node["score"] * 100 for node in among])
            parent = rng.choices(among, chances)[0]
            found = proposal(search, guide, parent)
            if found is None:
                break
            nodes.append(node_of(search, found[1]))
            parent["changes"][found[0]] = nodes[-1]["score"]
            print(f"round {len(nodes)}: {nodes[-1]['score']:.4f} after {found[0]}", flush=True)
    except Over:
        print("the calls are used up", flush=True)
    best = max(nodes, key=lambda node: node["score"], default={"design": FIRST})
    search.http("/mx/submit", {"answer": best["design"]})


if __name__ == "__main__":
    main()
