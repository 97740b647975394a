"""Which system calls do programs make that jobs run? The list of what is allowed (`mx_sandboxes.limits.calls`) is made from this.

Run: python benchmarks/system_calls.py [--only NAME,...] [--write]
Needs strace (apt-get install strace). Each workload is run under it, with all that it starts; those of the sandbox itself
count from the moment on at which a job has its filter. Prints what is not allowed, with who called it, and ends with code 1
where that is nowhere told to be so. --write renews benchmarks/system_calls.txt; a program that is not on this machine is left
out, and its line kept.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mx_sandboxes.limits import arguments, calls

RECORD = Path(__file__).with_suffix(".txt")
TOP = Path(__file__).parents[1]
PYTHON = sys.executable
SYSTEM = "/usr/bin/python3"
CPYTHON = (
    "test_os test_posix test_socket test_signal test_subprocess test_mmap test_threading test_selectors test_fcntl "
    "test_resource test_pathlib test_shutil test_tempfile test_time test_io test_fileio test_pty test_sqlite3 "
    "test_asyncio test_mailbox test_zipfile test_tarfile test_eintr test_socketserver test_ioctl test_termios "
    "test_faulthandler test_multiprocessing_fork test_dbm test_largefile test_uuid "
)
C = """#include <pthread.h>
#include <stdio.h>
void *f(void *x) { return x; }
int main(void) { pthread_t t; pthread_create(&t, 0, f, 0); pthread_join(t, 0); puts("6"); }
"""
CPP = """#include <filesystem>
#include <iostream>
#include <thread>
int main() { std::thread t([] {}); t.join(); std::cout << std::filesystem::current_path() << std::endl; }
"""
RUST = """use std::thread;
fn main() { thread::spawn(|| {}).join().unwrap(); println!("{:?}", std::fs::read_dir(".").unwrap().count()); }
"""
JAVA = """public class A {
    public static void main(String[] x) throws Exception { Thread t = new Thread(() -> {}); t.start(); t.join(); }
}
"""
NODE = """const fs = require('fs'), child = require('child_process'), net = require('net'), threads = require('worker_threads');
fs.writeFileSync('n', '1');
console.log(child.execSync('echo 1').toString());
net.createServer().listen(0, function () { this.close() });
new threads.Worker('1', {eval: true});
"""
VERILOG = "module t(input clk, output reg [3:0] q); always @(posedge clk) q <= q + 1; endmodule\n"
BENCH = """module b; reg clk = 0; wire [3:0] q; t x(clk, q);
initial begin #1 clk = 1; #1 $display("%d", q); $finish; end endmodule
"""
TESTS = """import pytest
@pytest.mark.parametrize('n', range(5))
def test_it(n, tmp_path, capfd):
    (tmp_path / 'a').write_text('b')
    assert n < 5
"""
NUMPY = """import numpy as n
n.linalg.inv(n.random.rand(300, 300))
n.save("x", n.ones(9))
n.load("x.npy", mmap_mode="r")
"""
PANDAS = """import pandas as p
p.DataFrame({"a": range(99)}).to_csv("x")
p.read_csv("x").groupby("a").sum()
"""
TORCH = """import torch as t
t.nn.Linear(300, 300)(t.rand(300, 300)).sum().backward()
t.save(t.ones(9), "x")
t.load("x")
"""
CMAKE = "cmake_minimum_required(VERSION 3.1)\nproject(x C)\nadd_executable(a ../a.c)\n"
SHELL = """seq 20000 | shuf | sort --parallel=4 -n | uniq -c | tail -1
find / -maxdepth 2 -name 'x*' 2>/dev/null; grep -r main . | sed s/a/b/ | awk '{n++} END {print n}'
tar czf x.tgz *.c && tar xzf x.tgz; xz -T2 -k a.c; gzip -k a.cc
cp -a a.c c1; mv c1 c2; ln -s c2 c3; touch -d yesterday c2; chmod +x c2; truncate -s 9 q
dd if=/dev/zero of=z bs=1k count=9; timeout 1 sleep 0.1; nohup true; (sleep 0.1 & wait); mkfifo f; cat f & echo 1 > f
stat a.c; df .; du -s .; ls -la --color; date; id; nproc; ps; kill -0 $$; trap : TERM; ulimit -a; nice true; env
diff a.c c2; cmp a.c c2; xargs -P2 -n1 echo < a.c; tee t2 < a.c; head -c9 /dev/urandom | od; bc <<< 2^99
script -qc true /dev/null; setsid true; sync; split -n2 a.c; mktemp; realpath .; time true
"""
FILES = {
    "a.c": C,
    "a.cc": CPP,
    "a.rs": RUST,
    "A.java": JAVA,
    "a.js": NODE,
    "t.v": VERILOG,
    "b.v": BENCH,
    "test_a.py": TESTS,
    "n.py": NUMPY,
    "p.py": PANDAS,
    "o.py": TORCH,
    "s.sh": SHELL,
    "k/CMakeLists.txt": CMAKE,
}
OURS = f"cd {TOP} && {PYTHON} -m pytest -q -p no:randomly -p no:cacheprovider -k bubblewrap"
WORKLOADS: Mapping[str, tuple[str, str]] = {
    "sandbox tests": (
        "bwrap",
        f"{OURS} tests/sandboxes/slots/test_run.py tests/sandboxes/slots/test_sessions.py tests/sandboxes/limits/test_limits.py",
    ),
    "software tests": ("bwrap", f"{OURS} tests/tasks/software/grading/test_suite.py"),
    "hardware tests": ("bwrap", f"{OURS} tests/tasks/hardware/grading"),
    "CPython's own tests": (
        SYSTEM,
        f"for each in {CPYTHON}; do timeout 90 {SYSTEM} -m test -q $each; done",
    ),
    "pytest": (PYTHON, f"{PYTHON} -m pytest -q test_a.py"),
    "numpy": (PYTHON, f"{PYTHON} n.py"),
    "pandas": (PYTHON, f"{PYTHON} p.py"),
    "torch": (PYTHON, f"{PYTHON} o.py"),
    "C": ("gcc", "gcc -O2 -pthread a.c -o a && ./a && gcc -g -fsanitize=address a.c -o s && ./s"),
    "C++": ("g++", "g++ -O1 -std=c++17 -pthread a.cc -o b && ./b"),
    "rust": ("rustc", "rustc -O a.rs && ./a"),
    "java": ("javac", "javac A.java && java -Xmx256m A"),
    "node": ("node", "node a.js"),
    "make and cmake": ("cmake", "cd k && cmake . && make -j2"),
    "iverilog": ("iverilog", "iverilog -g2012 -o x t.v b.v && vvp x"),
    "yosys": ("yosys", "yosys -q -p 'read_verilog t.v; synth -top t; abc -g AND; stat; write_json y.json'"),
    "verilator": (
        "verilator",
        "verilator --lint-only t.v && verilator --cc t.v --Mdir v && make -C v -f Vt.mk",
    ),
    "git": (
        "git",
        "git init -q r && cd r && git -c user.name=a -c user.email=b commit -q --allow-empty -m x && cp ../a.c . && git add -A "
        "&& git diff --cached --stat && git gc -q && git log",
    ),
    "sqlite": (
        "sqlite3",
        "sqlite3 d 'pragma journal_mode=wal; create table t(a); insert into t values(1); select * from t'",
    ),
    "perl": (
        "perl",
        'perl -e \'use POSIX; system("true"); open(F, ">p"); flock(F, 2); print fork() ? wait : 0\'',
    ),
    "tcl": ("tclsh", "echo 'puts [exec echo 6]; after 10 {set x 1}; vwait x' | tclsh"),
    "shell": ("bash", "bash s.sh"),
}


@dataclass(frozen=True)
class Seen:
    """A call, with the number that decides whether it is allowed where one does."""

    name: str
    value: int | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}({self.value:#x})"


DECIDED: Mapping[str, str] = {
    "clone3": "a filter cannot see its flags; C libraries fall back to clone",
    "mbind": "where memory lies is not a job's business; OpenBLAS goes on without",
    "get_mempolicy": "as on a machine without NUMA",
    "set_mempolicy": "as on a machine without NUMA",
    "pkey_alloc": "V8 goes on without",
    "ioctl(0x40049409)": "sharing blocks of files: cp copies then",
    "prctl(0x59616d61)": "nobody may be traced",
    "fcntl(0x402)": "notices of who uses a folder; CPython's test of it is skipped then",
    "ioctl(0x7b9)": "the number of a virtual machine, for sockets that no job has",
    "ioctl(0x8970)": "settings of a network's hardware",
    "socket(0x15)": "RDS: few have ever looked at its code",
    "socket(0x1d)": "CAN: few have ever looked at its code",
    "socket(0x1f)": "Bluetooth: devices are the host's",
    "socket(0x26)": "the kernel's ciphers: their code has been a way in",
    "socket(0x28)": "sockets of virtual machines know no namespaces",
    "socket(0x2a)": "Qualcomm's router: devices are the host's",
    "splice": "pages by reference; copies do",
    "clone(0x800000)": "an untraceable child, which LeakSanitizer makes: use ASAN_OPTIONS=detect_leaks=0",
}
"""What programs call and jobs may not, and what becomes of it."""
PLACES: Mapping[str, tuple[int, Sequence[int]]] = {
    "arch_prctl": (0, arguments.REGISTERS),
    "fcntl": (1, arguments.CONTROLS),
    "ioctl": (1, arguments.REQUESTS),
    "madvise": (2, arguments.ADVICE),
    "prctl": (0, arguments.WISHES),
    "socket": (0, (1, 2, 10, 16)),
}
"""Which argument of a call is compared with which list."""
LINE = re.compile(r"^(\d+) +(\w+)\((.*)")
CHILD = re.compile(r"= (\d+)(?: /\* (\d+) in strace's PID NS \*/)?$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (clone|clone3|fork|vfork) resumed>")
MAKERS = ("clone", "clone3", "fork", "vfork")
FILTER_ON = re.compile(r"prctl\((?:PR_SET_SECCOMP|0x16), 0x2|prctl\(0x16, 0x2")


def seen(line: str) -> tuple[str, Seen] | None:
    """The process and the call of a line of strace's."""
    found = LINE.match(line)
    if found is None:
        return None
    pid, name, rest = found.groups()
    words = rest.split(", ")
    if name == "clone" and (flags := re.search(r"flags=(0x[0-9a-f]+)", rest)):
        return pid, Seen(name, int(flags[1], 16) & ~arguments.CLONE_FLAGS)
    place = PLACES.get(name, (None, ()))[0]
    if place is None or len(words) <= place:
        return pid, Seen(name)
    number = re.match(r"-?(?:0x[0-9a-f]+|\d+)", words[place])
    return pid, Seen(name, int(number[0], 0) & 0xFFFFFFFF if number else None)


def inside(lines: Iterable[str]) -> Iterator[str]:
    """The lines of processes that have a job's filter, and of what they start; all lines where none has one."""
    everything = list(lines)
    if not any(FILTER_ON.search(line) for line in everything):
        yield from everything
        return
    jobs: set[str] = set()
    for line in everything:
        pid = line.partition(" ")[0]
        made = CHILD.search(line)
        if (
            pid in jobs
            and made is not None
            and (RESUMED.match(line) or any(f" {each}(" in line for each in MAKERS))
        ):
            jobs.add(made[2] or made[1])
        if pid in jobs:
            yield line
        if FILTER_ON.search(line):
            jobs.add(pid)


def record(command: str) -> set[Seen]:
    """What a command calls, with all that it starts."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as beside:
        for name, content in FILES.items():
            Path(folder, name).parent.mkdir(exist_ok=True)
            Path(folder, name).write_text(content)
        trace = Path(beside, "trace")
        line = [
            "strace",
            "-f",
            "-q",
            "-X",
            "raw",
            "-s",
            "0",
            "--decode-pids=pidns",
            "-o",
            str(trace),
            "bash",
            "-c",
            command,
        ]
        subprocess.run(
            line, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=3000, check=False
        )
        with trace.open(errors="replace") as file:
            found = (seen(each.rstrip()) for each in inside(file))
            return {call for _, call in filter(None, found)}


def allowed(call: Seen) -> bool:
    """Whether a job may call that."""
    if call.name not in calls.ALLOWED and call.name not in calls.RULED:
        return False
    if call.name == "clone":
        return not call.value
    return call.value is None or call.value in PLACES[call.name][1]


def decision(call: str) -> str:
    """Why a call is refused that programs make; nothing where that was not decided."""
    name = call.partition("(")[0]
    return (
        DECIDED.get(call)
        or DECIDED.get(name)
        or ("by name, see calls.REFUSED" if name in calls.REFUSED else "")
    )


def text(found: Mapping[str, Iterable[str]]) -> str:
    """The record as it is committed: a line for each call with who made it, and why it is refused if it is."""
    lines = []
    for call, who in sorted(found.items()):
        why = decision(call)
        lines.append(f"{call} | {', '.join(sorted(set(who)))}{f' | refused: {why}' if why else ''}\n")
    return "".join(lines)


def recorded() -> dict[str, set[str]]:
    """What was recorded before: the calls, and who made each."""
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    return {call: set(who.split(", ")) for call, who, *_ in (line.split(" | ") for line in lines)}


def main(words: Sequence[str] | None = None) -> int:
    """Record, compare, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args(words)
    if shutil.which("strace") is None:
        parser.error("this needs strace: apt-get install strace")
    chosen = asked.only.split(",") if asked.only else list(WORKLOADS)
    found: dict[str, set[str]] = defaultdict(set, recorded())
    missing: dict[Seen, set[str]] = defaultdict(set)
    for name in chosen:
        program, command = WORKLOADS[name]
        if shutil.which(program) is None:
            print(f"{name}: not here")
            continue
        got = record(command)
        for who in found.values():
            who.discard(name)
        print(f"{name}: {len({call.name for call in got})} calls", flush=True)
        for call in got:
            found[str(call)].add(name)
            if not allowed(call):
                missing[call].add(name)
    for call, who in sorted(missing.items(), key=lambda each: str(each[0])):
        print(f"not allowed: {call} ({', '.join(sorted(who))})")
    if asked.write:
        RECORD.write_text(text({call: who for call, who in found.items() if who}))
    return 1 if any(not decision(str(call)) for call in missing) else 0


if __name__ == "__main__":
    sys.exit(main())
