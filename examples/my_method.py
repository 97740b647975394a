"""my_method.py: as many drafts as the budget allows, the first that passes the public tests."""

HEAD = 'from mas import *\nworker = Agent("worker", "Answer with the result alone.")\n'


class Patient:
    """A method: ``most`` is how many drafts of a part there are at most."""

    def __init__(self, most: int = 4):
        self.most = most

    def design(self, task, rng):
        """The script that plays this task; what it can use is in mx_envs.DESIGNER_PROMPT."""
        if "market" in task.services:  # a market is traded bar by bar, everything else is handed in
            return HEAD + "market.trade(worker)"
        n = min(self.most, task.budget.calls // max(1, len(task.parts)))
        return HEAD + f"submit(split(lambda part: best_of(worker, part, {max(1, n)})))"
