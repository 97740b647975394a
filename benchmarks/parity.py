"""Whether verdicts agree with the published harnesses: model-like answers to HumanEval, MBPP and QuixBugs, judged by both.

    python benchmarks/parity.py HumanEval.jsonl.gz [--kind humaneval|mbpp|quixbugs] [--count 164] [--each 12] [--backend auto]

For each problem there are the reference, rewrites of it that people and models make (results as generators, tuples, subclasses,
fractions; arguments changed in place; prints; imports left out; usage after it) and programs that are wrong (one operator,
constant or comparison changed; constant results). Each is run as the publisher does it: answer and tests in one namespace, ``==``
and all, in a sandbox of its own. Differences are printed with both verdicts, and counted.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from mx_sandboxes import Limits, Sandbox, open_sandbox
from mx_tasks.software.errors import SourceError
from mx_tasks.software.grading.calls import Served, judge_calls
from mx_tasks.software.imports.functions import human_eval, mbpp, quix_bugs, records
from mx_tasks.software.imports.importing import SERVED
from mx_tasks.software.made import MadeTask

LIMITS = Limits(wall_s=30, cpu_s=30, memory_bytes=1 << 30, pids=128)
HARNESS_S = 8
"""Seconds for the whole of a problem's tests in the published harness, which has 3 on an idle machine."""

RUN = b"""import os
with open("program") as file:
    text = file.read()
try:
    exec(text, {})
except BaseException:
    os._exit(1)
open("passed", "w").close()
os._exit(0)
"""
"""The publishers' way: whatever is raised is a failure, and so is a process that ends without a result."""


@dataclass(frozen=True)
class Problem:
    """A problem: our task, and what the publisher runs with an answer in it."""

    task: MadeTask
    entry: str
    published: Callable[[str], Mapping[str, bytes]]
    run: tuple[str, ...]


def humaneval_problem(entry: Mapping[str, Any]) -> Problem:
    """``prompt + completion + test + check(entry_point)``, of which the prompt's helpers stand before a whole answer."""

    def published(answer: str) -> Mapping[str, bytes]:
        prompt = str(entry["prompt"])
        before = prompt[: prompt.rindex(f"def {entry['entry_point']}")]
        program = f"{before}{answer}\n{entry['test']}\ncheck({entry['entry_point']})\n"
        return {"run.py": RUN, "program": program.encode()}

    return Problem(human_eval(entry), str(entry["entry_point"]), published, ("python", "run.py"))


def mbpp_problem(entry: Mapping[str, Any]) -> Problem:
    """The answer, the set-up code and all assertions, in one program."""
    task = mbpp(entry)

    def published(answer: str) -> Mapping[str, bytes]:
        tests = [*entry.get("test_list", ()), *entry.get("challenge_test_list", ())]
        setup = "\n".join([str(entry.get("test_setup_code", "")), *entry.get("test_imports", ())])
        return {"run.py": RUN, "program": "\n".join([answer, setup, *tests, ""]).encode()}

    return Problem(task, served(task).entries[0], published, ("python", "run.py"))


def quixbugs_problem(task: MadeTask, source: Path) -> Problem:
    """QuixBugs' own test file under pytest, with the answer in place of the corrected program."""
    name = served(task).module
    tests = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for place in ("python_testcases", "json_testcases", "correct_python_programs")
        for path in sorted((source / place).iterdir())
        if path.is_file() and (path.stem in (f"test_{name}", name, "node", "load_testdata"))
    }
    tests["conftest.py"] = b"import pytest\npytest.use_correct = True\npytest.run_slow = False\n"
    tests["correct_python_programs/__init__.py"] = b""

    def published(answer: str) -> Mapping[str, bytes]:
        return {**tests, f"correct_python_programs/{name}.py": answer.encode()}

    test = f"python_testcases/test_{name}.py"
    return Problem(
        task,
        name,
        published,
        ("python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--rootdir=.", test),
    )


def served(task: MadeTask) -> Served:
    """How a task's functions are called."""
    return Served.read(task.tests[SERVED])


WRAPPERS: Mapping[str, str] = {
    "a generator": "return (x for x in {f}(*a, **k))",
    "an iterator": "return iter({f}(*a, **k))",
    "a list": "return list({f}(*a, **k))",
    "a tuple": "return tuple({f}(*a, **k))",
    "a set": "return set({f}(*a, **k))",
    "a float": "return float({f}(*a, **k))",
    "an int": "return int({f}(*a, **k))",
    "a text": "return str({f}(*a, **k))",
    "a truth": "return bool({f}(*a, **k))",
    "a subclass": "r = {f}(*a, **k)\n    t = type(r)\n    return r if t in (bool, type(None)) else type('S', (t,), {{}})(r)",
    "a fraction": "from fractions import Fraction\n    r = {f}(*a, **k)\n    return Fraction(r) if type(r) in (int, float) else r",
    "a decimal": "from decimal import Decimal\n    r = {f}(*a, **k)\n    return Decimal(r) if type(r) in (int, float) else r",
    "a named tuple": "import collections\n    r = {f}(*a, **k)\n    if type(r) is not tuple: return r\n"
    "    return collections.namedtuple('N', ['f%d' % i for i in range(len(r))])(*r)",
    "an ordered dict": "import collections\n    r = {f}(*a, **k)\n    return collections.OrderedDict(r) if type(r) is dict else r",
    "a deque": "import collections\n    r = {f}(*a, **k)\n    return collections.deque(r) if type(r) is list else r",
    "reversed": "r = {f}(*a, **k)\n    return r[::-1] if isinstance(r, (list, str, tuple)) else r",
    "nearly": "r = {f}(*a, **k)\n    return r + 1e-9 if type(r) is float else r",
    "one off": "r = {f}(*a, **k)\n    return r + 1 if type(r) in (int, float) else r",
    "copies": "import copy\n    return copy.deepcopy({f}(*copy.deepcopy(a), **k))",
    "a print": "print(a)\n    return {f}(*a, **k)",
    "changed arguments": "import copy\n    b = copy.deepcopy(a)\n    r = {f}(*b, **k)\n    for x in a:\n"
    "        if type(x) is list: x.append(None)\n    return r",
    "nothing": "{f}(*a, **k)",
    "none": "return None",
    "the first argument": "return a[0] if a else None",
    "an error": "raise ValueError(a)",
    "a second time something else": "global N\n    N = globals().get('N', 0) + 1\n    return {f}(*a, **k) if N < 3 else None",
    "an exit": "import sys\n    sys.exit(0)",
}


def answers(problem: Problem, count: int, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Model-like answers by what they are: the reference, rewrites, mutants."""
    gold = next(data for data in problem.task.gold.values() if data is not None).decode()
    yield "the reference", gold
    yield "the file as given", next(iter(problem.task.tree.values())).decode()
    yield (
        "without imports",
        "\n".join(line for line in gold.split("\n") if not line.startswith(("import ", "from "))),
    )
    yield "without helpers", without_helpers(gold, problem.entry)
    yield "then its own test", f"{gold}\n\nif __name__ == '__main__':\n    print({problem.entry})\n"
    for name in rng.sample(sorted(WRAPPERS), min(len(WRAPPERS), count)):
        yield name, wrapped(gold, problem.entry, WRAPPERS[name])
    for number, text in enumerate(mutants(gold, count, rng)):
        yield f"mutant {number}", text


def without_helpers(code: str, entry: str) -> str:
    """Imports and the function that is asked for, alone."""
    tree = ast.parse(code)
    kept = (ast.Import, ast.ImportFrom)
    tree.body = [n for n in tree.body if isinstance(n, kept) or getattr(n, "name", "") == entry]
    return ast.unparse(tree)


def wrapped(code: str, entry: str, how: str) -> str:
    """The program with its function behind another of the same name."""
    return f"{code}\n\n_inner = {entry}\ndef {entry}(*a, **k):\n    {how.format(f='_inner')}\n"


def mutants(code: str, count: int, rng: random.Random) -> list[str]:
    """Programs with one small change each."""
    tree = ast.parse(code)
    places = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Compare | ast.BinOp | ast.Constant | ast.If | ast.BoolOp)
    ]
    made: list[str] = []
    for place in rng.sample(range(len(places)), min(count, len(places))):
        changed = copy.deepcopy(tree)
        node = [
            n
            for n in ast.walk(changed)
            if isinstance(n, ast.Compare | ast.BinOp | ast.Constant | ast.If | ast.BoolOp)
        ][place]
        mutate(node, rng)
        made.append(ast.unparse(changed))
    return made


def mutate(node: ast.AST, rng: random.Random) -> None:
    """Change one node in place."""
    match node:
        case ast.Compare():
            node.ops[0] = rng.choice([ast.Lt(), ast.LtE(), ast.Gt(), ast.GtE(), ast.Eq(), ast.NotEq()])
        case ast.BinOp():
            node.op = rng.choice([ast.Add(), ast.Sub(), ast.Mult(), ast.FloorDiv(), ast.Mod()])
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float()):
            node.value += rng.choice([-1, 1])
        case ast.Constant(value=str()):
            node.value = node.value[1:]
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.If():
            node.test = ast.UnaryOp(ast.Not(), node.test)


def ours(problem: Problem, answer: str, box: Sandbox) -> bool:
    """Our verdict: whether every test passes that the reference passes."""
    about = served(problem.task)
    tree = {**problem.task.tree, about.file: answer.encode()}
    said = judge_calls(box, problem.task.tests, tree, about, LIMITS)
    return bool(said.outcomes) and all(outcome != "failed" for outcome in said.outcomes.values())


def theirs(problem: Problem, answer: str, box: Sandbox) -> bool:
    """The published harness's verdict."""
    limits = Limits(wall_s=4 * HARNESS_S, cpu_s=HARNESS_S, memory_bytes=1 << 30, pids=128)
    files = problem.published(answer)
    done = box.run(problem.run, files=files, limits=limits, env={"PYTHONPATH": "."}, collect=["passed"])
    return done.ok and ("run.py" not in files or "passed" in done.files)


def problems(kind: str, source: Path) -> Iterator[Problem]:
    """The problems of a benchmark that make tasks."""
    if kind == "quixbugs":
        makers: list[Callable[[], Problem]] = [
            lambda make=make: quixbugs_problem(make(), source)  # type: ignore[misc]
            for make in quix_bugs(source)
        ]
    else:
        build = humaneval_problem if kind == "humaneval" else mbpp_problem
        makers = [lambda entry=entry: build(entry) for entry in records(source)]  # type: ignore[misc]
    for make in makers:
        try:
            yield make()
        except SourceError as error:
            print(f"refused: {error}", flush=True)


def main() -> int:
    """Judge by both and print what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--kind", choices=("humaneval", "mbpp", "quixbugs"), default="humaneval")
    parser.add_argument("--count", type=int, default=10_000, help="problems")
    parser.add_argument("--each", type=int, default=12, help="rewrites, and mutants, of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backend", default="auto")
    asked = parser.parse_args()
    begin = perf_counter()
    table: Counter[tuple[bool, bool]] = Counter()
    with open_sandbox(asked.backend, slots=2) as box, ThreadPoolExecutor(2) as pool:

        def both(case: tuple[Problem, str, str]) -> tuple[bool, bool]:
            problem, _, answer = case
            return ours(problem, answer, box), theirs(problem, answer, box)

        cases = [
            (problem, name, answer)
            for number, problem in zip(range(asked.count), problems(asked.kind, asked.source), strict=False)
            for name, answer in answers(problem, asked.each, random.Random(f"{asked.seed}/{number}"))
        ]
        for (problem, name, _), verdicts in zip(cases, pool.map(both, cases), strict=True):
            table[verdicts] += 1
            if verdicts[0] != verdicts[1]:
                passed = ["fails", "passes"]
                print(
                    f"{problem.task.title}, {name}: {passed[verdicts[0]]} here, {passed[verdicts[1]]} there",
                    flush=True,
                )
    same = table[True, True] + table[False, False]
    print(
        f"{asked.kind}: {len(cases)} answers; both pass {table[True, True]}, both fail {table[False, False]}, "
        f"only here {table[True, False]}, only there {table[False, True]}; "
        f"agreement {same / max(1, len(cases)):.2%}; {perf_counter() - begin:.0f} s"
    )
    return 0 if same >= 0.995 * len(cases) else 1


if __name__ == "__main__":
    raise SystemExit(main())
