"""Order packages by what they need."""

import heapq


class CycleError(ValueError):
    """Packages need each other in a circle; ``cycle`` lists them."""

    def __init__(self, cycle):
        super().__init__(" needs ".join([*cycle, cycle[0]]))
        self.cycle = cycle


def order(needs):
    """All names, each after everything that it needs; alphabetical where free."""
    wanted = _normalised(needs)
    open_needs = {name: len(others) for name, others in wanted.items()}
    needed_by = {name: [] for name in wanted}
    for name, others in wanted.items():
        for other in others:
            if name not in needed_by[other]:
                needed_by[other].append(name)
    ready = [name for name, count in open_needs.items() if count == 0]
    heapq.heapify(ready)
    done = []
    while ready:
        name = heapq.heappop(ready)
        done.append(name)
        for user in needed_by[name]:
            open_needs[user] -= 1
            if open_needs[user] == 0:
                heapq.heappush(ready, user)
    if len(done) < len(wanted):
        raise CycleError(_cycle(wanted, set(wanted) - set(done)))
    return done


def layers(needs):
    """Lists of names that can be worked on at the same time, as early as possible."""
    wanted = _normalised(needs)
    depth = {}
    for name in order(needs):
        depth[name] = min((depth[other] + 1 for other in wanted[name]), default=0)
    found = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in sorted(depth):
        found[depth[name]].append(name)
    return found


def _normalised(needs):
    """Every name with the set of names that it needs."""
    wanted = {name: list(others) for name, others in needs.items()}
    for others in needs.values():
        for other in others:
            wanted.setdefault(other, [])
    return wanted


def _cycle(wanted, stuck):
    """A cycle among the names that could not be ordered."""
    path = [min(stuck)]
    while True:
        name = min(other for other in wanted[path[-1]] if other in stuck)
        if name in path:
            cycle = path
            first = cycle.index(min(cycle))
            return cycle[first:] + cycle[:first]
        path.append(name)
