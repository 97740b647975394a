"""How fast the sandboxes are, beside what one would otherwise use: all interleaved in one run on one machine.

Run: python benchmarks/sandboxes.py [--rounds 5] [--seconds 1.5] [--only subprocess,docker,...] [--check]

In each round every method does every kind of work at 1, 2 and 8 in flight, one method right after the other in a random
order; the table shows medians over the rounds in jobs per second, the goals medians of the ratios within a round. Peers run
in environments of their own, which the first run makes under the user's cache folder. What does not work on a machine is a
row with the reason. --check ends with code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import methods
from methods import Unavailable
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mx_sandboxes import Sandbox

WORKS = ("python", "pytest", "iverilog")
OURS = ("docker", "bubblewrap")
GOALS = (
    ("python", "exec_run", 10.0),
    ("python", "llm-sandbox", 25.0),
    ("pytest", "exec_run", 5.0),
    ("iverilog", "exec_run", 5.0),
    ("python", "subprocess", 1.5),
)
"""(work, beside whom, times as fast) at 8 in flight."""
FIRST_TURN_MS, TREE_MS = 15.0, 10.0
ECHO = """
import os, socket
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
while data := sock.recv(65536): sock.sendall(data)
"""
TREE = {f"package/part{number // 10}/module{number}.py": bytes(10_486) for number in range(100)}

Rates = dict[tuple[str, str, int], list[float]]


def first_turn_ms(sandbox: Sandbox) -> float:
    """Milliseconds from asking for a session on a warm slot to its first frame."""
    begin = time.perf_counter()
    with sandbox.session(["python", "-c", ECHO]) as session:
        session.send(1)
        session.receive()
        return (time.perf_counter() - begin) * 1e3


def tree_ms(sandbox: Sandbox) -> float:
    """Milliseconds that a tree of 1 MB in 100 files adds to a job."""
    begin = time.perf_counter()
    methods.sound(sandbox.run(["true"]))
    middle = time.perf_counter()
    methods.sound(sandbox.run(["true"], files=TREE))
    return (2 * middle - begin - time.perf_counter()) * -1e3


def frame_us(sandbox: Sandbox, frames: int = 300) -> float:
    """Microseconds that one frame takes there and back."""
    with sandbox.session(["python", "-c", ECHO]) as session:
        begin = time.perf_counter()
        for number in range(frames):
            session.send({"text": "x" * 100, "number": number})
            session.receive()
        return (time.perf_counter() - begin) / frames * 1e6


EXTRAS: dict[str, Callable[[Sandbox], float]] = {
    "session, first turn (ms)": first_turn_ms,
    "1 MB tree (ms)": tree_ms,
    "frame there and back (µs)": frame_us,
}


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="for one cell of the table")
    parser.add_argument("--only", default=",".join(methods.ALL), help="methods, separated by commas")
    parser.add_argument("--flights", default="1,2,8", help="how many in flight")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--check", action="store_true", help="end with code 1 when a goal is missed")
    options = parser.parse_args()
    screen = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    flights = tuple(map(int, options.flights.split(",")))
    screen.print(machine())
    with ExitStack() as stack:
        opened, missing = open_methods(options.only.split(","), stack, screen)
        rates, extras = measure(opened, missing, options, screen)
    screen.print(table(opened, missing, rates, flights))
    for name, why in missing.items():
        screen.print(f"[yellow]{name}:[/] {' '.join(why.split())[:300]}")
    if extras:
        screen.print(extras_table(extras))
    lines, missed = goals(rates, extras)
    for line in lines:
        screen.print(line)
    sys.exit(1 if options.check and (missed or not lines) else 0)


def open_methods(
    names: list[str], stack: ExitStack, screen: Console
) -> tuple[dict[str, methods.Method], dict[str, str]]:
    """The methods that work here, and why the others do not."""
    opened, missing = {}, {}
    for name in names:
        with screen.status(f"starting {name}"):
            try:
                opened[name] = stack.enter_context(methods.ALL[name]())
            except KeyError:
                sys.exit(f"no method is called {name!r}; there are: {', '.join(methods.ALL)}")
            except Unavailable as error:
                missing[name] = str(error)
    return opened, missing


def measure(
    opened: dict[str, methods.Method], missing: dict[str, str], options: argparse.Namespace, screen: Console
) -> tuple[Rates, dict[tuple[str, str], list[float]]]:
    """All cells, round by round in random order, after one turn to warm up."""
    rng = random.Random(options.seed)
    flights = tuple(map(int, options.flights.split(",")))
    groups = [(work, flight) for work in WORKS for flight in flights]
    rates: Rates = defaultdict(list)
    extras: dict[tuple[str, str], list[float]] = defaultdict(list)
    with Progress(console=screen, transient=True) as progress:
        bar = progress.add_task(
            "warming up", total=len(opened) * len(WORKS) + options.rounds * len(groups) * len(opened)
        )
        for name, method in list(opened.items()):
            for work in WORKS:
                _cell(name, method, (work, max(flights), 0.0), missing)
                progress.advance(bar)
        for number in range(options.rounds):
            progress.update(bar, description=f"round {number + 1} of {options.rounds}")
            # what is compared is measured one right after the other: the machine has others to serve
            for name, work, flight in [
                (name, *group)
                for group in rng.sample(groups, len(groups))
                for name in rng.sample(sorted(opened), len(opened))
            ]:
                found = _cell(name, opened[name], (work, flight, options.seconds), missing)
                if found is not None:
                    rates[name, work, flight].append(found)
                progress.advance(bar)
            for name in OURS:
                sandbox = opened[name].sandbox if name in opened else None
                for title, extra in EXTRAS.items():
                    if sandbox is not None:
                        extras[name, title] += [extra(sandbox) for _ in range(5)]
    return rates, extras


def _cell(
    name: str, method: methods.Method, asked: tuple[str, int, float], missing: dict[str, str]
) -> float | None:
    if f"{name}, {asked[0]}" in missing:
        return None
    try:
        return method.rate(*asked)
    except Unavailable as error:
        missing[f"{name}, {asked[0]}"] = str(error)
        return None


def table(
    opened: dict[str, methods.Method], missing: dict[str, str], rates: Rates, flights: tuple[int, ...]
) -> Table:
    """Jobs per second, and how many times the raw process's rate."""
    heads = [f"{work}\n{flight}" for work in WORKS for flight in flights]
    shown = Table("jobs per second,\nin flight", *heads, "python at 8,\nx subprocess", title="sandboxes")
    for name in opened:
        row = []
        for work in WORKS:
            for flight in flights:
                found = rates.get((name, work, flight))
                row.append(f"{statistics.median(found):.3g}" if found else "-")
        against = ratio(rates, "python", name, "subprocess")
        style = "bold" if name in OURS else None
        shown.add_row(name, *row, "-" if against is None else f"{against:.2g}", style=style)
    for name in missing.keys() - opened.keys():
        if name in methods.ALL:
            shown.add_row(name, *["-"] * len(heads), "")
    return shown


def extras_table(extras: dict[tuple[str, str], list[float]]) -> Table:
    """What only ours have."""
    names = [name for name in OURS if any(name == found for found, _ in extras)]
    shown = Table("median", *names)
    for title in EXTRAS:
        shown.add_row(title, *(f"{statistics.median(extras[name, title]):.3g}" for name in names))
    return shown


def ratio(rates: Rates, work: str, ours: str, theirs: str, flight: int = 8) -> float | None:
    """The median over the rounds of how many times as fast; None where one of the two was not measured."""
    pairs = zip(rates.get((ours, work, flight), []), rates.get((theirs, work, flight), []), strict=False)
    found = [one / other for one, other in pairs]
    return statistics.median(found) if found else None


def goals(rates: Rates, extras: dict[tuple[str, str], list[float]]) -> tuple[list[str], int]:
    """Each goal in words, and how many are missed."""
    lines, missed = [], 0

    def say(met: bool, words: str) -> None:
        nonlocal missed
        missed += not met
        lines.append(f"{'[green]✓[/]' if met else '[red]✗[/]'} {words}")

    for ours in OURS:
        for work, theirs, times in GOALS:
            found = ratio(rates, work, ours, theirs)
            if found is not None:
                say(found >= times, f"{ours}, {work} at 8: {found:.1f} x {theirs} (goal: {times:g} x)")
        for title, most in (("session, first turn (ms)", FIRST_TURN_MS), ("1 MB tree (ms)", TREE_MS)):
            if (ours, title) in extras:
                value = statistics.median(extras[ours, title])
                say(value <= most, f"{ours}, {title}: {value:.1f} (goal: at most {most:g})")
    return lines, missed


def machine() -> str:
    """What it is measured on."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    processor = f"{os.cpu_count()} x {names[0] if names else platform.machine()}"
    return f"{processor}, Linux {platform.release()}, Python {platform.python_version()}, load {load}"


if __name__ == "__main__":
    main()
