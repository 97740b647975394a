"""The submission's side of an out-of-process oracle: runs the submitted module and answers calls; holds no test.

Reads JSON lines ``[function, args, kwargs]`` and writes ``["gave", value]`` or ``["raised", text]``.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import types
from typing import Any, Dict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from mx_values import Decoder, Encoder, program_line  # type: ignore[import-not-found]  # noqa: E402  # it stands beside this file


class LateError(BaseException):
    """A call took too much processor time; no ``except Exception`` of the code under test takes it."""


def late(*_: object) -> None:
    """End the call."""
    raise LateError("it took too long")


def load(about: Dict[str, Any]) -> Any:
    """The submitted module, with what the publisher's harness puts before and after it."""
    place = os.path.join(os.path.dirname(HERE), about["file"])
    sys.path[0] = os.path.dirname(place)
    spec = importlib.util.spec_from_file_location(about["module"], place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[about["module"]] = module
    exec(compile(about.get("before", ""), "<given>", "exec"), vars(module))
    spec.loader.exec_module(module)
    exec(compile(about.get("after", ""), "<given>", "exec"), vars(module))
    return module


def program(about: Dict[str, Any]) -> Any:
    """A stand-in for a module, whose ``run(text)`` runs the submitted file as a program and gives what it printed."""
    place = os.path.join(os.path.dirname(HERE), about["file"])

    def run(text: str) -> str:
        done = subprocess.run(
            program_line(place, about.get("before", "")),
            input=text.encode(),
            stdout=subprocess.PIPE,
            timeout=3 * about["call_s"],
            check=True,
        )
        return done.stdout.decode("utf-8", "replace")

    return types.SimpleNamespace(run=run)


def main() -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module: Any = None
    failure = ""
    with open(os.path.join(HERE, "mx_serve.json")) as stream:
        about = json.load(stream)
    signal.signal(signal.SIGVTALRM, late)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 2 * about["call_s"])
        module = program(about) if about.get("program") else load(about)
    except BaseException as error:
        failure = "%s while it was loaded: %s" % (type(error).__name__, str(error)[:200])
    for line in sys.stdin:
        name, args, kwargs = json.loads(line)
        try:
            if module is None:
                raise ImportError(failure)
            signal.setitimer(signal.ITIMER_VIRTUAL, about["call_s"])
            decoder = Decoder(about.get("support", ()))
            given, named = decoder.decode(args), decoder.decode(kwargs)
            encoder = Encoder(about.get("support", ()), decoder.objects)
            answer = ["gave", encoder.encode(getattr(module, name)(*given, **named))]
        except LateError as error:
            answer = ["late", str(error)]
        except BaseException as error:
            answer = ["raised", "%s: %s" % (type(error).__name__, str(error)[:200])]
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    os._exit(0)


main()
