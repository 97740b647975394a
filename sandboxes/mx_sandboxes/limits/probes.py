"""Jobs that try what a sandbox forbids: ``mx doctor`` says which of them got through on this machine.

They are a minute's worth of what ``mx sandbox test`` tries thoroughly.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from textwrap import dedent

from mx_sandboxes.sandbox import Completed, Limits, Sandbox

ESCAPED = b"ESCAPED"
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """A limit and a program that prints ESCAPED when the limit is not there."""

    name: str
    program: str
    limits: Limits
    escaped: Callable[[Completed], bool] = lambda completed: ESCAPED in completed.stdout


_MEGABYTE = 1 << 20
_OUTPUT = 64 << 10

PROBES = (
    Probe("memory", "x = b'x' * (400 << 20); print('ESCAPED')", Limits(memory_bytes=100 * _MEGABYTE)),
    Probe(
        "number of processes",
        """
        import os, time
        made = 0
        try:
            for _ in range(100):
                if os.fork() == 0:
                    time.sleep(5)
                    os._exit(0)
                made += 1
        except OSError:
            pass
        print("ESCAPED" if made == 100 else made)
        """,
        Limits(pids=32, wall_s=4),
    ),
    Probe("wall time", "import time; time.sleep(2); print('ESCAPED', flush=True)", Limits(wall_s=0.5)),
    Probe(
        "cpu time",
        "import time\nwhile time.process_time() < 3: pass\nprint('ESCAPED')",
        Limits(cpu_s=1, wall_s=8),
    ),
    Probe(
        "disk",
        """
        try:
            for number in range(40):
                open(str(number), "wb").write(bytes(1 << 20))
            print("ESCAPED")
        except OSError:
            pass
        """,
        Limits(workspace_bytes=8 * _MEGABYTE),
    ),
    Probe(
        "output",
        "import os\nwhile True: os.write(1, b'x' * 4096)",
        Limits(output_bytes=_OUTPUT, wall_s=2),
        lambda completed: len(completed.stdout) > _OUTPUT,
    ),
    Probe(
        "network",
        "import socket; print('ESCAPED' if {name for _, name in socket.if_nameindex()} - {'lo'} else 'alone')",
        Limits(),
    ),
    Probe(
        "host files",
        """
        import os
        for place in ("/root", "/home", "/var/run/docker.sock"):
            try:
                seen = os.listdir(place) if os.path.isdir(place) else os.path.exists(place)
            except OSError:
                continue
            if seen:
                print("ESCAPED", place)
        """,
        Limits(),
    ),
    Probe(
        "read-only system",
        "import sys\ntry:\n    open(sys.prefix + '/mx-probe', 'w')\n    print('ESCAPED')\nexcept OSError:\n    pass",
        Limits(),
    ),
)


def not_enforced(sandbox: Sandbox) -> list[str]:
    """Names of the limits that a job in this sandbox got past."""

    def escaped(probe: Probe) -> bool:
        return probe.escaped(sandbox.run(["python", "-c", dedent(probe.program)], limits=probe.limits))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(escaped, PROBES))
    return [probe.name for probe, got_through in zip(PROBES, found, strict=True) if got_through]
