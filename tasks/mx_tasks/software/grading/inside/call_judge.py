"""The tests' side of a judgement by calls: runs the hidden tests on answers that were given before; no submitted code is here.

stdin: JSON ``{"mode", "test", "module", "entries", "support", "seed", "answers": {test: [[call, answer], ...]}}``. ``test`` is
the name of the test file. In the mode ``judge`` every call of a submitted function is looked up among the answers; a test that
makes one which is not there ends as ``pending``, with the calls that it made so far. In the mode ``study`` every test is run on
placeholders, to learn what it calls and compares, and then on guesses of those who know nothing (see ``mx_guesses.py``).

stdout: one JSON line for each test, ``{"test", "outcome", "message", "calls", "guesses"}``. In a study the outcome is ``easy`` for
what no partial credit may come of, and ``guesses`` are the numbers of the guesses that pass the test.
"""

import ast
import contextlib
import functools
import importlib
import importlib.util
import json
import os
import random
import signal
import sys
import time
import traceback
import types
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import mx_pytest  # type: ignore[import-not-found]  # noqa: E402  # they stand beside this file
import mx_rules  # type: ignore[import-not-found]  # noqa: E402
from mx_guesses import BLIND, guesses  # type: ignore[import-not-found]  # noqa: E402
from mx_values import Decoder, Encoder, NoFormError  # type: ignore[import-not-found]  # noqa: E402

TEST_S = 10
STUDY_S = 2
GUESSES_S = 20
"""Seconds of processor time for all guesses on all tests."""
MOST_CALLS = 2_000
Call = List[Any]


class PendingError(BaseException):
    """A test made a call whose answer is not known yet."""


class NoAnswerError(BaseException):
    """A call that nobody answered, in time or at all; no test may take it for an error that it expects."""


class UnknowableError(Exception):
    """Something was asked of a value that nobody knows yet."""


class TooLongError(BaseException):
    """A test ran on and on."""


class Unknown:
    """A placeholder for an answer: whatever is done with it fails. What it is held against is noted in ``compared``."""

    def __init__(self, compared: "List[Any]") -> None:
        object.__setattr__(self, "_compared", compared)

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise UnknowableError("not known yet")

    def __eq__(self, other: Any) -> bool:
        object.__getattribute__(self, "_compared").append(other)
        return bool(self._fail())

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __iter__ = __len__ = __call__ = _fail
    __getattr__ = __getitem__ = __contains__ = __str__ = __repr__ = __hash__ = __float__ = __int__ = _fail
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __abs__ = __neg__ = __round__ = _fail


class Asked:
    """Answers the calls of one test, by whatever rule."""

    def __init__(self, support: List[str], known: "List[Tuple[Call, Any]]") -> None:
        self._support = support
        self._known: Dict[str, List[Any]] = {}
        for call, answer in known:
            self._known.setdefault(json.dumps(call), []).append(answer)
        self.calls: List[Call] = []

    def put(self, name: str, args: Any, kwargs: Any) -> Any:
        """What the submission gave; raises what it raised."""
        encoder = Encoder(self._support)
        call = [name, encoder.encode(list(args)), encoder.encode(kwargs)]
        if len(self.calls) >= MOST_CALLS:
            raise NoAnswerError("too many calls")
        self.calls.append(call)
        answers = self._known.get(json.dumps(call))
        if not answers:
            raise PendingError
        return self._read(answers.pop(0), encoder.instances())

    def _read(self, answer: Any, objects: Dict[int, Any]) -> Any:
        kind = answer[0] if answer else "none"
        if kind == "gave":
            try:
                return Decoder(self._support, objects).decode(answer[1])
            except Exception as error:
                raise NoAnswerError("an answer that is none (%s)" % type(error).__name__) from None
        if kind == "raised":
            raise _error(answer[1], answer[2])
        raise NoAnswerError("it took too long" if kind == "late" else "no answer")


class Studied(Asked):
    """Notes calls, answers with placeholders, and notes in ``compared`` what those are held against."""

    def __init__(self, support: List[str], compared: "List[Any]") -> None:
        super().__init__(support, [])
        self._compared = compared

    def put(self, name: str, args: Any, kwargs: Any) -> Any:
        """A placeholder."""
        encoder = Encoder(self._support)
        with contextlib.suppress(NoFormError, UnknowableError):
            if len(self.calls) < MOST_CALLS:
                self.calls.append([name, encoder.encode(list(args)), encoder.encode(kwargs)])
        return Unknown(self._compared)


class Guessed(Asked):
    """Answers every call in one way, as who knows nothing would."""

    def __init__(self, guess: Callable[[Any], Any]) -> None:
        super().__init__([], [])
        self._guess = guess

    def put(self, name: str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002  as every one of its kind
        """The same whatever is asked."""
        return self._guess(args)


def _error(names: Any, text: Any) -> BaseException:
    """The nearest built-in error to one that was raised on the other side."""
    import builtins

    for name in names if isinstance(names, list) else ():
        kind = getattr(builtins, str(name), None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            with contextlib.suppress(TypeError):
                return kind(str(text))
    return NoAnswerError("it ended with an error that is none: " + str(text)[:200])


class Bench:
    """The test file with stand-ins for the submitted functions."""

    def __init__(self, about: Dict[str, Any]) -> None:
        self.about = about
        self.asked: Optional[Asked] = None
        for name in about["support"]:
            importlib.import_module(name)
        oracle = types.ModuleType("mx_oracle")
        vars(oracle).update({**vars(mx_rules), "__name__": "mx_oracle", "function": self.function})
        submitted = types.ModuleType(about["module"])
        vars(submitted).update({name: self.function(name) for name in about["entries"]})
        submitted.__getattr__ = self.function  # type: ignore[method-assign]
        sys.modules.update({"mx_oracle": oracle, about["module"]: submitted, "pytest": mx_pytest})

    def function(self, name: str) -> Callable[..., Any]:
        """A stand-in for a submitted function."""
        if name.startswith("__"):
            raise AttributeError(name)

        def stand_in(*args: Any, **kwargs: Any) -> Any:
            if self.asked is None:
                raise AssertionError("called outside of a test")
            return self.asked.put(name, args, kwargs)

        stand_in.__name__ = stand_in.__qualname__ = name
        return stand_in

    def load(self, soft: bool) -> types.ModuleType:
        """The test file as a module; ``soft``: nothing that fails in a test ends it."""
        place = self.about["test"]
        module = types.ModuleType("mx_test")
        module.__file__ = os.path.abspath(place)
        sys.modules["mx_test"] = module
        with open(place) as stream:
            tree = ast.parse(stream.read())
        if soft:
            tree = ast.fix_missing_locations(_Soft().visit(tree))
        exec(compile(tree, place, "exec"), vars(module))
        return module

    def tests(self, module: types.ModuleType) -> "Iterator[Tuple[str, Callable[[], Any]]]":
        """The tests of a module by id, each case of a parametrized one by its number."""
        for name, function in list(vars(module).items()):
            own = isinstance(function, types.FunctionType) and function.__module__ == "mx_test"
            if own and name.startswith("test"):  # what is asked for may be called so, too
                for mark, arguments in mx_pytest.cases(function):
                    yield self.about["test"] + "::" + name + mark, functools.partial(function, **arguments)

    def run(self, test: Callable[[], Any], asked: Asked, seconds: float) -> "Tuple[str, str]":
        """The outcome of one test, and why."""
        self.asked = asked
        random.seed(self.about["seed"])
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            test()
            return "passed", ""
        except PendingError:
            return "pending", ""
        except mx_pytest.Skipped as error:
            return "skipped", str(error)
        except BaseException as error:
            return "failed", _why(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.asked = None


def _why(error: BaseException) -> str:
    """What failed, with the line of the test."""
    lines = [
        frame.line for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".py")
    ]
    try:
        text = str(error)
    except Exception:
        text = ""
    return ("%s %s: %s" % (lines[-1] if lines else "", type(error).__name__, text)).strip()[:500]


class _Soft(ast.NodeTransformer):
    """Puts each statement of a function into a ``try`` of its own."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.name.startswith(("test", "check")):
            node.body = self.soft(node.body)
        return node

    def soft(self, body: "List[ast.stmt]") -> "List[ast.stmt]":
        return [self.wrapped(statement) for statement in body]

    def wrapped(self, statement: ast.stmt) -> ast.stmt:
        if isinstance(
            statement, (ast.Return, ast.Break, ast.Continue, ast.Global, ast.Nonlocal, ast.FunctionDef)
        ):
            return statement
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(statement, name, None)
            if isinstance(inner, list) and inner:
                setattr(statement, name, self.soft(inner))
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [ast.Pass()])
        made = ast.Try([statement], [handler], [], [])
        return ast.copy_location(made, statement)


def too_long(*_: object) -> None:
    """End a test."""
    raise TooLongError("the test took too long")


def study(bench: Bench, say: Callable[[Any], None]) -> None:
    """What the tests call, and which of them someone passes who knows nothing."""
    calls: Dict[str, List[Call]] = {}
    compared: List[Any] = []
    for name, test in bench.tests(bench.load(soft=True)):
        studied = Studied(bench.about["support"], compared)
        bench.run(test, studied, STUDY_S)
        calls[name] = studied.calls
    passed = passed_by_guesses(bench, compared)
    for name, made in calls.items():
        mine = [number for number, tests in passed.items() if name in tests]
        easy = any(number < len(BLIND) or len(passed[number]) > 1 for number in mine)
        say({"test": name, "outcome": "easy" if easy else "", "message": "", "calls": made, "guesses": mine})


def passed_by_guesses(bench: Bench, compared: "List[Any]") -> "Dict[int, List[str]]":
    """The tests that each guess passes, by its number; once their time is over, all tests are taken for easy ones."""
    module = bench.load(soft=False)
    tests = list(bench.tests(module))
    with open(bench.about["test"]) as stream:
        every = guesses(stream.read(), compared)
    passed: Dict[int, List[str]] = {}
    end = time.process_time() + GUESSES_S
    for number, guess in enumerate(every):
        if time.process_time() > end:
            passed[-1] = [name for name, _ in tests]
            break
        found = [name for name, test in tests if bench.run(test, Guessed(guess), STUDY_S)[0] == "passed"]
        if found:
            passed[number] = found
    return passed


def judge(bench: Bench, say: Callable[[Any], None]) -> None:
    """The tests' verdicts on what was answered."""
    module = bench.load(soft=False)
    for name, test in bench.tests(module):
        asked = Asked(bench.about["support"], bench.about["answers"].get(name, []))
        outcome, message = bench.run(test, asked, TEST_S)
        say({"test": name, "outcome": outcome, "message": message, "calls": asked.calls, "guesses": []})


def main() -> None:
    """Do what stdin asks for."""
    about = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    sys.dont_write_bytecode = True
    sys.path[:0] = [os.getcwd(), os.path.dirname(os.path.abspath(about["test"]))]
    signal.signal(signal.SIGALRM, too_long)

    def say(entry: Any) -> None:
        out.write(json.dumps(entry) + "\n")
        out.flush()

    try:
        bench = Bench(about)
        (study if about["mode"] == "study" else judge)(bench, say)
    except BaseException as error:
        say({"test": "", "outcome": "failed", "message": _why(error), "calls": [], "guesses": []})
    os._exit(0)


main()
