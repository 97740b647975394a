"""``mx doctor``: what works on this machine, how fast, and the command that fixes what does not."""

from __future__ import annotations

import json
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.progress import waiting
from mx_sandboxes import Capabilities, How, Sandbox, SandboxError, SandboxUnavailableError, open_sandbox
from mx_sandboxes.backends.bubblewrap.packages import check_tools
from mx_sandboxes.extras import how_to_install
from mx_sandboxes.limits.probes import PROBES, not_enforced
from mx_sandboxes.opening import BACKENDS

OLDEST_PYTHON = (3, 11)
EXTRAS = {"train": ("torch", "transformers", "peft", "safetensors"), "sb3": ("stable_baselines3",)}
MEASURED_S = 1.0
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the screen; ``fix`` is a command."""

    name: str
    works: bool
    detail: str
    fix: str = ""
    capabilities: Capabilities | None = None


def run(*, quick: bool, as_json: bool = False) -> int:
    """Print the screen, or all of it as JSON; 0 when episodes can run here, else 1."""
    screen = console()
    with waiting(screen, "trying the sandboxes"):
        findings = [_python(), *(_extra(name) for name in EXTRAS), _hardware_tools()]
        backends = [_backend(name, quick=quick) for name in BACKENDS]
    if as_json:
        works = next((finding.name for finding in backends if finding.works), None)
        found = {
            "auto": works,
            "machine": list(map(_plain, findings)),
            "sandboxes": list(map(_plain, backends)),
        }
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return int(works is None)
    _print(screen, "This machine", findings)
    _print(screen, "Sandboxes", backends)
    _print_capabilities(screen, [found.capabilities for found in backends if found.capabilities is not None])
    works = next((finding.name for finding in backends if finding.works), None)
    if works is None:
        screen.print("[bold red]No sandbox works here[/], so no episode can run. One of them is enough.")
        return 1
    screen.print(f"Ready: [bold green]sandbox=auto[/] means {works} here. Try: mx play software:micro")
    return 0


def _plain(found: Finding) -> dict[str, Any]:
    enforced = {item.name: item.how.value for item in found.capabilities or ()}
    about = {"name": found.name, "works": found.works, "detail": found.detail, "fix": found.fix}
    return about | ({"enforced_by": enforced} if enforced else {})


def _python() -> Finding:
    found = platform.python_version()
    works = sys.version_info >= OLDEST_PYTHON
    return Finding(
        "Python",
        works,
        f"{found}, mx-envs {_version('mx-envs')}",
        "" if works else "install Python 3.11 or newer",
    )


def _extra(name: str) -> Finding:
    missing = [module for module in EXTRAS[name] if find_spec(module) is None]
    if missing:
        return Finding(f"extra {name}", False, f"lacks {', '.join(missing)}", how_to_install(name))
    found = [f"{module} {_version(module.replace('_', '-'))}" for module in EXTRAS[name][:3]]
    return Finding(f"extra {name}", True, ", ".join(found))


def _hardware_tools() -> Finding:
    """Whether the embedded sandbox finds the tools of hardware tasks; Docker has them in its image."""
    try:
        check_tools("hdl")
    except SandboxUnavailableError as error:
        said, _, fix = str(error).rpartition(": ")
        return Finding("hardware tools", False, said, f"{fix}, or with Docker: mx sandbox build hdl")
    return Finding(
        "hardware tools", True, "iverilog, verilator and pyosys, for hardware tasks in the embedded sandbox"
    )


def _backend(name: str, *, quick: bool) -> Finding:
    """Open a sandbox, run a job in it, measure, and ask what it does not enforce."""
    try:
        with open_sandbox(name, slots=AT_ONCE) as sandbox:
            done = sandbox.run(["python", "-c", "print('hello')"])
            if not done.ok or done.stdout.strip() != b"hello":
                said = done.stderr.decode(errors="replace").strip()[-200:]
                return Finding(name, False, f"a job ended with: {done.reason.value} {said}".strip())
            details = [] if quick else [f"{_jobs_per_second(sandbox):.0f} jobs/s with {AT_ONCE} at once"]
            gaps = not_enforced(sandbox)
    except SandboxError as error:
        said, _, fix = str(error).rpartition(": ")
        return Finding(name, False, said.strip(), fix.strip())
    details.append(f"not enforced: {', '.join(gaps)}" if gaps else f"all {len(PROBES)} limits tried hold")
    return Finding(name, True, " · ".join(details), capabilities=sandbox.capabilities)


def _jobs_per_second(sandbox: Sandbox) -> float:
    """Python jobs that end within about a second, with several at once."""
    sandbox.warm()
    begin = time.perf_counter()
    end = begin + MEASURED_S

    def work(_: int) -> int:
        done = 0
        while time.perf_counter() < end:
            done += sandbox.run(["python", "-c", "pass"]).ok
        return done

    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = sum(pool.map(work, range(AT_ONCE)))
    return jobs / (time.perf_counter() - begin)


def _print_capabilities(screen: Console, columns: list[Capabilities]) -> None:
    """Who enforces what, side by side, and what would change where nobody does."""
    if not columns:
        return
    names = list(dict.fromkeys(item.name for column in columns for item in column))
    table = Table("Enforced by", *(column.backend for column in columns), box=None, padding=(0, 2, 0, 0))
    styles = {How.NOTHING: "red", How.KEEPER: "yellow", How.HOST: "yellow"}
    for name in names:
        cells = []
        for column in columns:
            how = next((item.how for item in column if item.name == name), None)
            cells.append(Text(how.value, style=styles.get(how, "green")) if how is not None else Text("-"))
        table.add_row(name, *cells)
    screen.print(table)
    gaps: dict[tuple[str, str, str], list[str]] = {}
    for column in columns:
        for gap in (
            *column.gaps,
            *(item for item in column if item.name == "memory" and item.fix and item.enforced),
        ):
            gaps.setdefault((gap.name, gap.detail, gap.fix), []).append(column.backend)
    for (name, detail, fix), backends in gaps.items():
        words = Text(f"{' and '.join(backends)}, {name}: {detail}. fix: ")
        screen.print(words.append(fix, style="cyan"))
    screen.print()


def _print(screen: Console, title: str, findings: list[Finding]) -> None:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = Text("✓", style="green") if finding.works else Text("✗", style="red")
        detail = Text(finding.detail)
        if finding.fix:
            detail.append("\nfix: ", style="bold")
            detail.append(finding.fix, style="cyan")
        table.add_row(mark, Text(finding.name, style="bold"), detail)
    screen.print(table)
    screen.print()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"
