"""Generated packages: four modules, a bug in a function that is reached through two calls, hidden inputs as the judge.

Seeded and without end. **Split by skeleton**: the shape of every function (its syntax tree without names and numbers) belongs to
one split only, so that no function of a test task has been trained on.
"""

from __future__ import annotations

import ast
import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence

from mx_sandboxes import Sandbox
from mx_tasks.formula import SPLIT_BUCKETS
from mx_tasks.kept import Kept
from mx_tasks.sets import DrawnTasks
from mx_tasks.software.generate.operators import sites
from mx_tasks.software.grading.oracle import CALL_S, CONFIG, FOLDER, oracle_files
from mx_tasks.software.made import MadeTask, as_directory
from mx_tasks.software.sets.directories import DirectoryTasks
from mx_tasks.task import Grade, Split, Submission, Task

VERSION = 1
HIDDEN = 12
KEPT = 64
"""Tasks that are remembered; others are made again when they are asked for."""

Modules = dict[str, str]


class PackageTasks(DrawnTasks):
    """The task set ``software:packages``; ``seed`` chooses the tasks."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._made = Kept(self._make, KEPT)

    @property
    def name(self) -> str:
        """``software:packages``."""
        return "software:packages"

    @property
    def prefix(self) -> str:
        """``package``."""
        return "package"

    def marks(self) -> object:
        """The generator's version and of a sample of its tasks."""
        sample = [self._made(split, index).fingerprint for split in SPLIT_BUCKETS for index in range(2)]
        return (VERSION, self.seed, sample)

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        return self._made(split, index).task(split, 0)

    def outputs(self, task: Task) -> Sequence[str]:
        """The package."""
        return self.owner(task.id).outputs(task)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Call the package on hidden inputs; see :class:`mx_tasks.software.sets.directories.DirectoryTasks`."""
        return self.owner(task.id).grade(task, submission, sandbox)

    def changes(self, task: Task, submission: Submission) -> Mapping[str, bytes | None]:
        """The files that were handed in."""
        return self.owner(task.id).changes(task, submission)

    def gold(self, task: Task) -> Submission:
        """The package without the bug."""
        return self.owner(task.id).gold(task)

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Submissions that attack the grader."""
        return self.owner(task.id).cheats(task)

    def owner(self, task_id: str) -> DirectoryTasks:
        """The set of one that has a task. Raises TaskNotFoundError."""
        return self._made(*self.place(task_id))

    def _make(self, split: Split, index: int) -> DirectoryTasks:
        rng = random.Random(f"mx-packages/{VERSION}/{self.seed}/{split}/{index}")
        while True:
            task = _attempt(rng, split, self.id_of(split, index))
            if task is not None:
                return DirectoryTasks.of([as_directory(task)], self.name)


def skeletons(modules: Mapping[str, str | bytes]) -> set[str]:
    """A hash for each function's syntax tree without names and values."""
    found = set()
    for source in modules.values():
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.FunctionDef) and node.name != "run"
            ):  # the wiring is the same in every package
                found.add(skeleton(node))
    return found


def skeleton(function: ast.FunctionDef) -> str:
    """The hash of one function's shape."""
    node = ast.parse(ast.unparse(function)).body[0]
    for inner in ast.walk(node):
        for name in ("id", "name", "arg", "attr"):
            if hasattr(inner, name):
                setattr(inner, name, "_")
        if isinstance(inner, ast.Constant):
            inner.value = 0
    return hashlib.sha256(ast.dump(node).encode()).hexdigest()[:16]


def _in_split(function: str, split: Split) -> bool:
    node = ast.parse(function).body[0]
    return isinstance(node, ast.FunctionDef) and int(skeleton(node), 16) % 10 in SPLIT_BUCKETS[split]


def _number(rng: random.Random) -> int:
    return rng.randint(2, 9)


def _scalar(rng: random.Random, name: str) -> str:
    """A function of one number and a parameter."""

    def term(depth: int) -> str:
        if depth == 0:
            return rng.choice(["x", "x", "k", str(_number(rng))])
        kind = rng.randrange(4)
        if kind == 0:
            return f"({term(depth - 1)} {rng.choice('+-*')} {term(depth - 1)})"
        if kind == 1:
            return f"{rng.choice(['max', 'min'])}({term(depth - 1)}, {term(0)})"
        if kind == 2:
            return f"({term(depth - 1)} {rng.choice(['//', '%'])} {_number(rng)})"
        return (
            f"({term(depth - 1)} if x {rng.choice(['<', '>', '<=', '=='])} {term(0)} else {term(depth - 1)})"
        )

    return f"def {name}(x, k):\n    y = {term(2)}\n    return {term(1)} + y\n"


def _listwise(rng: random.Random, name: str, helpers: Sequence[str]) -> str:
    """A function of a list that takes two or three steps, one of them through a helper."""
    steps = [
        lambda: f"values = [x {rng.choice('+-*')} {_number(rng)} for x in values]",
        lambda: (
            f"values = [x for x in values if x % {_number(rng)} {rng.choice(['!=', '>', '<', '<='])} {rng.randint(0, 2)}]"
        ),
        lambda: f"values = [x {rng.choice('+-*')} y for x, y in zip(values, values[{rng.randint(1, 2)}:])]",
        lambda: f"values = sorted(values, key=lambda x: (x % {_number(rng)}, {rng.choice(['x', '-x'])}))",
        lambda: f"values = values[{rng.randint(1, 3)}:] + values[:{rng.randint(1, 3)}]",
        lambda: (
            "total = 0\n    sums = []\n    for x in values:\n"
            f"        total = total {rng.choice('+-')} x\n        sums.append(total)\n    values = sums"
        ),
        lambda: (
            f"best = {rng.choice(['max', 'min'])}(values, default=0)\n    values = [best {rng.choice('+-')} x for x in values]"
        ),
    ]
    lines = [rng.choice(steps)() for _ in range(rng.randint(1, 2))]
    lines.insert(rng.randint(0, len(lines)), f"values = [{rng.choice(helpers)}(x, k) for x in values]")
    return f"def {name}(values, k):\n" + "".join(f"    {line}\n" for line in lines) + "    return values\n"


def _package(rng: random.Random, split: Split) -> Modules:
    def drawn(make: Callable[[], str]) -> str:
        while not _in_split(text := make(), split):
            pass
        return text

    helpers = [
        f"{word}_{rng.randint(10, 99)}"
        for word in rng.sample(["scale", "bound", "shift", "weigh", "fold", "trim"], 2)
    ]
    stages = [
        f"{word}_{rng.randint(10, 99)}"
        for word in rng.sample(["gather", "order", "spread", "reduce", "sift"], 2)
    ]
    scalars = [drawn(lambda name=name: _scalar(rng, name)) for name in helpers]  # type: ignore[misc]
    lists = [drawn(lambda name=name: _listwise(rng, name, helpers)) for name in stages]  # type: ignore[misc]
    calls = "".join(
        f"    values = {name}(values, {rng.choice(['FIRST', 'SECOND'])})\n" for name in rng.sample(stages, 2)
    )
    return {
        "pack/__init__.py": "",
        "pack/settings.py": f"FIRST = {_number(rng)}\nSECOND = {_number(rng)}\n",
        "pack/scalars.py": "\n\n".join(scalars),
        "pack/stages.py": f"from pack.scalars import {', '.join(helpers)}\n\n\n" + "\n\n".join(lists),
        "pack/pipeline.py": "from pack.settings import FIRST, SECOND\n"
        f"from pack.stages import {', '.join(stages)}\n\n\ndef run(values):\n{calls}    return values\n",
    }


def _run(modules: Mapping[str, str], values: list[int]) -> object:
    """What the package gives; its text is our own."""
    space: dict[str, object] = {}
    order = ("settings", "scalars", "stages", "pipeline")
    for name in order:
        lines = modules[f"pack/{name}.py"].splitlines()
        exec("\n".join(line for line in lines if not line.startswith("from pack")), space)  # noqa: S102
    run = space["run"]
    assert callable(run)  # noqa: S101  # the generator wrote it
    try:
        return run(list(values))
    except (ArithmeticError, ValueError, TypeError, IndexError) as error:
        return type(error).__name__


def _attempt(rng: random.Random, split: Split, task_id: str) -> MadeTask | None:
    modules = _package(rng, split)
    inputs = [[rng.randint(-20, 40) for _ in range(rng.randint(4, 8))] for _ in range(HIDDEN + 1)]
    wanted = [_run(modules, values) for values in inputs]
    if (
        any(isinstance(value, str) for value in wanted)
        or len({repr(value) for value in wanted}) < HIDDEN // 2
    ):
        return None
    source = modules["pack/scalars.py"].encode()
    places = sites("pack/scalars.py", source)
    if not places:
        return None
    broken = {**modules, "pack/scalars.py": rng.choice(places).plant(source).decode()}
    given = [_run(broken, values) for values in inputs]
    if given[0] == wanted[0] or given[1:] == wanted[1:] or any(isinstance(value, str) for value in given):
        return None
    return _task(task_id, split, modules, broken, inputs, wanted, given)


def _task(
    task_id: str,
    split: Split,
    modules: Modules,
    broken: Modules,
    inputs: Sequence[list[int]],
    wanted: Sequence[object],
    given: Sequence[object],
) -> MadeTask:
    test_file = f"{FOLDER}/test_pipeline.py"
    lines = ["from mx_oracle import function", "run = function('run')"]
    failing: list[str] = []
    passing: list[str] = []
    for number, (values, want) in enumerate(zip(inputs, wanted, strict=True)):
        if number:
            lines += [f"def test_case_{number}():", f"    assert run({values!r}) == {want!r}"]
            (passing if given[number] == want else failing).append(f"{test_file}::test_case_{number}")
    about = {"file": "main.py", "module": "main", "entries": ["run"], "call_s": CALL_S}
    hashes = sorted(skeletons(modules))
    return MadeTask(
        id=task_id,
        kind="packages",
        title="Mend a package of four modules",
        statement="# Mend `pack`\n\nOne line in the package is wrong.\n\n"
        f"- `pack.pipeline.run({inputs[0]!r})`\n  gives {given[0]!r};\n  right: {wanted[0]!r}.\n",
        tree={
            **{name: text.encode() for name, text in broken.items()},
            "main.py": b"from pack.pipeline import run\n",
        },
        tests={
            **oracle_files(),
            f"{FOLDER}/mx_serve.json": json.dumps(about).encode(),
            test_file: ("\n".join(lines) + "\n").encode(),
        },
        gold={name: text.encode() for name, text in modules.items() if broken[name] != text},
        sources=("pack/",),
        fail_to_pass=tuple(failing),
        pass_to_pass=tuple(passing),
        config=CONFIG,
        python="",
        origin="mx-envs generator",
        licence="Apache-2.0",
        shape=hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:16],
        split=split,
        difficulty=2,
        wall_s=30.0,
        about={"skeletons": hashes},
    )
