"""The submission's side of a judgement by calls: loads the submitted module, makes the calls, says what came; holds no test.

stdin: JSON ``{"file", "module", "before", "after", "call_s", "support": [module], "calls": [[function, args, kwargs], ...]}``
with arguments as forms (see ``mx_values.py``). ``before`` is what the publisher's own harness puts before an answer, ``after``
what it puts between the answer and the first call.

stdout: JSON lines ``[number, "gave", form]``, ``[number, "raised", [names of built-in classes], text]``, ``[number, "late"]``,
``["sign", what]`` for what no answer has a reason to do, ``["loaded", error or ""]``, and at last ``["done"]``. Nothing here is out
of the submission's reach, and nothing of it is believed but that these are its answers.
"""

import builtins
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import types
from typing import Any, Callable, Dict, List, Optional, Tuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mx_asleep import LOOK_S, Asleep, AsleepOf  # type: ignore[import-not-found]  # they stand beside this file
from mx_values import Decoder, Encoder, program_line  # type: ignore[import-not-found]

LARGEST = 4 << 20
WATCHED = frozenset(
    {
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.killpg",
        "signal.pthread_kill",
        "gc.get_objects",
        "gc.get_referrers",
        "gc.get_referents",
        "sys.setprofile",
        "sys.settrace",
    }
)
"""Audited events that reach for other processes, other people's objects or frames."""
SETTLE_S = 0.5
SLEEPS = 3
"""So many times the processor time of a call it may sleep."""
LOADS = 2
"""So many calls' time a module has to be loaded."""
Say = Callable[[List[Any]], None]


class LateError(BaseException):
    """A call took too long; no ``except Exception`` of the code under test takes it."""


def late(*_: object) -> None:
    """End the call."""
    raise LateError("it took too long")


class Limit:
    """The time of a call: processor time, and time asleep, which no load of the machine lengthens."""

    def __init__(self) -> None:
        self._timer, self._virtual, self._real = signal.setitimer, signal.ITIMER_VIRTUAL, signal.ITIMER_REAL
        self._clock, self._until = Asleep(), 0.0
        signal.signal(signal.SIGVTALRM, late)
        signal.signal(signal.SIGALRM, self._look)

    def _look(self, *_: object) -> None:
        left = self._until - self._clock.seconds()
        if left <= 0.0:
            late()
        self._timer(self._real, max(left, 0.01))

    def begin(self, call_s: float) -> None:
        """From now on: raises LateError in whatever runs when the time is over."""
        self._until = self._clock.seconds() + SLEEPS * call_s
        self._timer(self._virtual, call_s)
        self._timer(self._real, SLEEPS * call_s)

    def end(self) -> None:
        """No more."""
        self._timer(self._virtual, 0)
        self._timer(self._real, 0)


def channel() -> Say:
    """A way to say something that the module's own prints are kept out of."""
    out = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    write, dumps = os.write, json.dumps

    def say(line: List[Any]) -> None:
        data = dumps(line).encode() + b"\n"
        while data:
            data = data[write(out, data) :]

    return say


def caller() -> str:
    """The file of what made the event; asked without ``sys._getframe``, which would be an event itself."""
    try:
        raise LookupError
    except LookupError as error:
        trace = error.__traceback__
    outer = None if trace is None else trace.tb_frame.f_back
    outer = None if outer is None else outer.f_back
    return "" if outer is None else outer.f_code.co_filename


def watch(say: Say, place: str) -> None:
    """Say it when submitted code does what no answer has a reason to do. Each kind is said once."""
    said = set()

    def hook(event: str, arguments: Any) -> None:
        if event in WATCHED or (event == "sys._getframe" and caller().startswith(place)):
            sign = event
        elif event == "open" and str(arguments[0]).startswith(("/proc/", "/dev/fd")):
            sign = "open of " + str(arguments[0])[:40]
        else:
            return
        if sign not in said:
            said.add(sign)
            say(["sign", sign])

    sys.addaudithook(hook)


def load(about: Dict[str, Any]) -> types.ModuleType:
    """The submitted module, as the publisher's harness would have it."""
    for name in about["support"]:
        importlib.import_module(name)
    module = types.ModuleType(about["module"])
    module.__file__ = os.path.abspath(about["file"])
    sys.modules[about["module"]] = module
    with open(about["file"], "rb") as stream:
        text = stream.read()
    exec(compile(about["before"], "<given>", "exec"), vars(module))
    exec(compile(text, module.__file__, "exec"), vars(module))
    exec(compile(about["after"], "<given>", "exec"), vars(module))
    return module


def talk(
    process: "subprocess.Popen[bytes]", given: "Optional[bytes]", asleep_s: float
) -> "Tuple[bytes, bytes]":
    """What a program writes for what it is given; LateError when it has slept so long."""
    with process:
        slept = AsleepOf(process.pid)
        while True:
            try:
                return process.communicate(given, timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                given = None  # it is on its way
                if slept.look() >= asleep_s:
                    process.kill()
                    late()


def program(about: Dict[str, Any]) -> types.ModuleType:
    """A stand-in for a module whose one function ``run(text)`` runs the submitted file as a program, and gives what it printed."""

    def run(text: str) -> str:
        process = subprocess.Popen(
            program_line(about["file"], about["before"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (int(about["call_s"]) + 1,) * 2),
        )
        output, errors = talk(process, text.encode("utf-8", "replace"), SLEEPS * about["call_s"])
        if process.returncode:
            said = errors.decode("utf-8", "replace").strip().splitlines()
            raise RuntimeError("exit code %d: %s" % (process.returncode, said[-1][:200] if said else ""))
        return output[:LARGEST].decode("utf-8", "replace")

    module = types.ModuleType(about["module"])
    vars(module)["run"] = run
    return module


def lineage(error: BaseException) -> List[str]:
    """Names of the built-in classes of an error, the nearest first."""
    return [kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind]


def told(error: BaseException) -> str:
    """An error's text."""
    try:
        return str(error)[:300]
    except BaseException:
        return ""


def answer(module: types.ModuleType, call: List[Any], support: List[str]) -> "List[Any]":
    """What a call gave, in words of the protocol."""
    name, args, kwargs = call
    decoder = Decoder(support)
    given, named = decoder.decode(args), decoder.decode(kwargs)
    try:
        function = getattr(module, name)
        encoder = Encoder(support, decoder.objects)
        form = encoder.encode(function(*given, **named))
        if encoder.equal_to_all:
            return ["gave", form, "equal to everything"]
        return ["gave", form]
    except LateError:
        return ["late"]
    except BaseException as error:
        return ["raised", lineage(error), told(error)]


def settling() -> Callable[[], None]:
    """A function that gives threads which a module has left a moment, so that what they do is seen; bound before it is loaded."""
    threads, now, pause = os.listdir, time.monotonic, time.sleep

    def settle() -> None:
        end = now() + SETTLE_S
        try:
            while len(threads("/proc/self/task")) > 1 and now() < end:
                pause(0.002)
        except OSError:  # no descriptor is left to look with
            return

    return settle


def main() -> None:
    """Load, answer, end without running anything that the module left behind."""
    finish, settle = os._exit, settling()
    about = json.loads(sys.stdin.buffer.read())
    say = channel()
    sys.dont_write_bytecode = True
    sys.path[0] = os.path.dirname(os.path.abspath(about["file"]))
    limit = Limit()
    alone = not about.get("program")  # a program is no part of this process, and is timed by itself
    if alone:
        watch(say, os.path.dirname(os.path.abspath(about["file"])) + os.sep)
    try:
        limit.begin(LOADS * about["call_s"])
        module = load(about) if alone else program(about)
    except BaseException as error:
        say(["loaded", "%s: %s" % (type(error).__name__, told(error))])
        say(["done"])
        finish(0)
    limit.end()
    say(["loaded", ""])
    for number, call in enumerate(about["calls"]):
        try:
            if alone:
                limit.begin(about["call_s"])
            found = answer(module, call, about["support"])
            limit.end()
        except LateError:
            found = ["late"]
        if len(found) > 2 and found[0] == "gave":
            say(["sign", found.pop()])
        say([number, *found])
        if found[0] == "late":
            break
    settle()
    say(["done"])
    finish(0)


main()
