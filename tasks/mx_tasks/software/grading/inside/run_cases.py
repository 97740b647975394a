"""Runs inside the grading sandbox: call the submitted module as the cases say and report what it gave; holds no expected value.

stdin: JSON ``{"module": str, "case_s": float, "cases": [{"do": str, "give": str}, ...]}``.
stdout: one JSON line per case, ``{"report": str | null, "end": str}``; the report is the text that the case's process wrote.

Each case runs in a forked process of its own that imports the module anew; this process never imports it. After three
cases that never come back the others are left out, so that a module that loops everywhere costs seconds. A report is
``{"gave": value}`` or ``{"phase": "import" | "do" | "give" | "report", "raised": [str, ...], "message": str}``. A value
is a JSON scalar or a tagged list: ``["list", ...]``, ``["tuple", ...]``, ``["dict", [key, value], ...]``, ``["bytes", hex]``.
Only exact built-in types have a form, so that no subclass with its own idea of equality can stand for a value.
"""

import builtins
import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
from typing import Any, Dict, List, Tuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "_mx"))

from mx_asleep import LOOK_S, AsleepOf  # type: ignore[import-not-found]  # it is put there

del sys.path[0]

LARGEST_REPORT = 32 << 10
DEEPEST = 40
CPU_S = 2
SLOW_S = 1.0
SLOW_CASES = 3


def encode(value: Any, depth: int = 0) -> Any:
    """The value's form; TypeError for what has none."""
    kind = type(value)
    if depth > DEEPEST:
        raise TypeError("nested too deeply")
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is bytes:
        return ["bytes", value.hex()]
    if kind in (list, tuple):
        return [kind.__name__] + [encode(item, depth + 1) for item in value]
    if kind is dict:
        return ["dict"] + [[encode(key, depth + 1), encode(item, depth + 1)] for key, item in value.items()]
    raise TypeError("a value of type " + kind.__name__ + " cannot be compared")


def lineage(error: BaseException, module: str) -> List[str]:
    """Names of the error's classes: ``ValueError`` for a real built-in, ``module.Name`` for the submitted module's own."""
    names = []
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            names.append(kind.__name__)
        elif kind.__module__ == module:
            names.append(module + "." + kind.__name__)
    return names


def report(case: Dict[str, str], module: str) -> str:
    """What the case's expression gave, or what was raised and where."""
    phase = "import"
    try:
        submitted = importlib.import_module(module)
        names = {name: item for name, item in vars(submitted).items() if not name.startswith("_")}
        names[module] = submitted
        phase = "do"
        exec(case["do"], names)
        phase = "give"
        value = eval(case["give"], names)
        phase = "report"
        return json.dumps({"gave": encode(value)})
    except BaseException as error:
        try:
            message = str(error)[:300]
        except BaseException:
            message = ""
        return json.dumps({"phase": phase, "raised": lineage(error, module), "message": str(message)})


def child(case: Dict[str, str], module: str, writing: int) -> None:
    """Be the case's process: report, then end without running anything that the module left behind."""
    finish = os._exit
    write = os.write
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        text = report(case, module).encode() + b"\n"
        while text:
            text = text[write(writing, text) :]
    finally:
        finish(0)


def collect(reading: int, pid: int, case_s: float) -> "Tuple[bytes, bool]":
    """The line that the case's process wrote, and whether it slept too long; its processor time is limited by the kernel."""
    written = b""
    slept = AsleepOf(pid)
    while len(written) <= LARGEST_REPORT and not written.endswith(b"\n"):
        if not select.select([reading], [], [], LOOK_S)[0]:
            if slept.look() >= case_s:
                return written, True
            continue
        piece = os.read(reading, 4096)
        if not piece:
            break
        written += piece
    return written, False


def run(case: Dict[str, str], module: str, case_s: float) -> Dict[str, Any]:
    """Run one case in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child(case, module, writing)
    os.close(writing)
    written, late = collect(reading, pid, case_s)
    os.close(reading)
    for target in (-pid, pid):
        with contextlib.suppress(OSError):
            os.kill(target, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    slow = late or used.ru_utime + used.ru_stime > SLOW_S
    if late:
        return {"report": None, "end": "ran out of time", "slow": slow}
    if not written.endswith(b"\n") or len(written) > LARGEST_REPORT:
        ended = (
            "signal %d" % os.WTERMSIG(status)
            if os.WIFSIGNALED(status)
            else "exit code %d" % os.WEXITSTATUS(status)
        )
        why = "ended the process (%s) without a report of moderate size" % ended
        return {"report": None, "end": why, "slow": slow}
    return {"report": written.decode("utf-8", "replace"), "end": "", "slow": False}


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    sys.dont_write_bytecode = True
    slow = 0
    for case in request["cases"]:
        if slow < SLOW_CASES:
            entry = run(case, request["module"], request["case_s"])
            slow += entry.pop("slow")
        else:
            entry = {"report": None, "end": "left out: too many cases before it never came back"}
        print(json.dumps(entry), flush=True)


main()
