"""Where a new thing goes: one of each kind is written into a copy of the packages, works through the public commands, and has
touched no more files than CONTRIBUTING's table says, one or two.

A thing is a new file and, at most, one file beside it that has to be told: ``told`` puts a line behind one that stands there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import mx_agents
import mx_envs
import mx_sandboxes
import mx_tasks

TESTS = Path(__file__).parent
MX = "import sys; from mx_agents.cli import main; sys.argv[0] = 'mx'; main()"


@dataclass(frozen=True)
class Thing:
    """A new thing: its files, what the one file that is told of it is told, a program that uses it and what that says."""

    files: Mapping[str, str]
    told: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """A file and pairs of a text that stands there, and what is to stand behind it (before it with ``^`` in front)."""
    uses: tuple[tuple[str, ...], ...] = ()
    """Lines of ``mx``; the first word ``python`` for a script instead, ``pytest`` for tests of ours."""
    says: tuple[str, ...] = ()


TASK_SET = Thing(
    {
        "mx_tasks/software/sets/spelling.py": '''
"""Words to be written backwards."""
from mx_tasks.sets import DrawnTasks
from mx_tasks.task import Budget, Grade, Submission, Task

class SpellingTasks(DrawnTasks):
    """The task set ``software:spelling``."""
    name, prefix, seed = "software:spelling", "spelling", 0
    about_set = "Words to be written backwards."

    def marks(self):
        return 1

    def made(self, split, index):
        word = f"{split}{index}"
        return Task(id=self.id_of(split, index), domain="software", prompt=f"Backwards: {word}", parts=(),
                    budget=Budget(calls=4, wall_s=10.0), split=split, source="here", licence="Apache-2.0")

    def gold(self, task):
        return Submission(task.prompt.split()[-1][::-1])

    def cheats(self, task):
        return {"the word itself": Submission(task.prompt.split()[-1])}

    def grade(self, task, submission, sandbox):
        right = submission.answer.strip() == self.gold(task).answer
        return Grade(score=float(right), passed=right)
''',
        "solver.py": "def act(observation):\n    return observation['messages'][-1]['content'].split()[-1][::-1]\n",
    },
    {
        "mx_tasks/registry.py": (
            (
                "_factories: dict[str, Factory | str] = {\n",
                '    "software:spelling": "mx_tasks.software.sets.spelling:SpellingTasks",\n',
            ),
        )
    },
    (
        ("tasks", "list"),
        ("tasks", "validate", "software:spelling", "--count", "2"),
        (
            "play",
            "software:spelling",
            "--designer",
            "single",
            "--executor",
            "solver.py",
            "--sandbox",
            "bubblewrap",
        ),
    ),
    ("software:spelling", "every cheat 0", "score 1"),
)
WORLD = Thing(
    {
        "mx_tasks/trading/market/sure.py": '''
"""A world in which the asset rises."""
import numpy as np
from mx_tasks.trading.market.finite import World, remade
from mx_tasks.trading.market.rules import Costs, Rules

@remade
def sure() -> World:
    """It rises by 1 % nine times in ten."""
    chance, growth = np.array([[0.9, 0.1]]), np.array([[0.01, -0.01]])
    def outcomes(states):
        rows = states.astype(int)
        return chance[rows], growth[rows], np.zeros((1, 2))[rows]
    return World(name="sure", level=1, about="It rises.", states=np.zeros(1), start=(0.0,), outcomes=outcomes,
                 costs=Costs(half_spread=0.001), rules=Rules())
'''
    },
    {
        "mx_tasks/trading/market/worlds.py": (
            (
                "from mx_tasks.trading.market.rules import Costs, Rules\n",
                "from mx_tasks.trading.market.sure import sure\n",
            ),
            ("WORLDS: dict[str, Callable[[], Playable]] = {\n", '    "sure": sure,\n'),
        )
    },
    (
        (
            "python",
            "import gymnasium, mx_envs\n"
            "try: gymnasium.make('mx/Portfolio-v0', world='?')\n"
            "except Exception as error: print(error)\n"
            "env = gymnasium.make('mx/Portfolio-v0', world='sure', bars=50); env.reset(seed=0)\n"
            "print('earned more than nothing', sum(env.step([1.0])[1] for _ in range(50)) > 0)\n"
            "many = gymnasium.make_vec('mx/Portfolio-v0', num_envs=3, world='sure'); print(many.reset(seed=0)[0].shape)",
        ),
    ),
    ("there are: sure", "earned more than nothing True", "(3, "),
)
BACKEND = Thing(
    {
        "mx_sandboxes/backends/metered/__init__.py": '"""Jails whose memory is metered only."""\n',
        "mx_sandboxes/backends/metered/door.py": '''
"""The backend as opening sees it."""
from mx_sandboxes.backends.bubblewrap import door
from mx_sandboxes.backends.bubblewrap.jail import birth
from mx_sandboxes.limits.capabilities import of_bubblewrap
from mx_sandboxes.slots.pooled import PooledSandbox

check = door.check

def opened(asked):
    return PooledSandbox("metered", lambda _: birth(), slots=asked.slots, limits=asked.limits, finish=lambda: None,
                         kind=lambda _: None, capabilities=of_bubblewrap(asked.image, None), first=birth())

def capabilities(asked):
    return of_bubblewrap(asked.image, None)
''',
    },
    {
        "mx_sandboxes/opening.py": (
            (
                "from mx_sandboxes.backends.door import Asked, Door\n",
                "from mx_sandboxes.backends.metered import door as metered\n",
            ),
            ('"docker": docker, "bubblewrap": bubblewrap', ', "metered": metered'),
        )
    },
    (
        (
            "python",
            "from mx_sandboxes import open_sandbox\n"
            "with open_sandbox('metered') as sandbox: print(sandbox.backend, sandbox.run(['echo', 'hi']).stdout)\n"
            "try: open_sandbox('?')\n"
            "except ValueError as error: print(error)",
        ),
        ("play", "software:micro", "--sandbox", "metered", "--executor", "random"),
        ("doctor", "--quick"),
        (
            "pytest",
            "tests/sandboxes/slots/test_run.py",
            "-k",
            "metered and (files or collect or output or stdin)",
        ),
    ),
    ("metered b'hi", "docker, bubblewrap, metered", " passed"),
)
RULE = Thing(
    {
        "mx_tasks/software/grading/shouting.py": '''
"""Modules that shout are worth nothing."""

def shouts(files) -> bool:
    """Whether a file is all capitals somewhere."""
    return any(b"LOOK AT ME" in data for data in files.values())
'''
    },
    {
        "mx_tasks/software/grading/cases.py": (
            (
                "from mx_sandboxes import Completed, Limits, Sandbox\n",
                "from mx_tasks.software.grading.shouting import shouts\n",
            ),
            (
                "^    canary = _canary()\n",
                '    if shouts(files):\n        return CaseReport((False,) * len(cases), ("it shouts",), False)\n',
            ),
        )
    },
    (
        (
            "python",
            "from dataclasses import replace\n"
            "from mx_sandboxes import open_sandbox\n"
            "from mx_tasks import load_task_set\n"
            "repair = load_task_set('software:repair'); task = repair.task('train', 0); gold = repair.gold(task)\n"
            "loud = replace(gold, answer=gold.answer.replace('```python', '```python\\n# LOOK AT ME'))\n"
            "with open_sandbox('bubblewrap') as sandbox:\n"
            "    print('scores', repair.grade(task, gold, sandbox).score, repair.grade(task, loud, sandbox).score)",
        ),
    ),
    ("scores 1.0 0.0",),
)
METHOD = Thing(
    {},
    {
        "mx_agents/methods/fixed.py": (
            (
                "_ALL = (\n",
                '    FixedMethod("twice", "asks twice, hands in the second", f"{HEAD}coder(task)\\nsubmit(coder(task))"),\n',
            ),
        )
    },
    (
        (
            "bench", "--methods", "single,twice", "--tasks", "software:micro", "--episodes", "2", "--executor", "scripted",
            "--sandbox", "bubblewrap", "--run", "run",
        ),
        ("bench", "--methods", "?"),
    ),
    ("there are: twice", " twice  "),
)  # fmt: skip
LOSS = Thing(
    {},
    {
        "mx_agents/trainer/config.py": (('Loss = Literal["ppo"', ', "sum"'),),
        "mx_agents/trainer/losses.py": (
            (
                '^    if loss == "rloo":\n        return ((',
                '    if loss == "sum":\n        return ((terms.gain + terms.pain) * terms.now * terms.at).sum()\n',
            ),
        ),
    },
    (
        (
            "train", "--preset", "smoke", "--run", "run", "roles.designer=method:split", "executor.loss=sum", "steps=1",
            "test_tasks=2", "evaluation_tasks=2", "cold_start.executor_demonstrations=40", "cold_start.designer_demonstrations=0",
        ),
        ("python", "print(open('run/config.yaml').read(), len(open('run/metrics.jsonl').readlines()), 'rows')"),
    ),
    ("loss: sum", "1 rows"),
)  # fmt: skip
PANEL = Thing(
    {
        "mx_agents/report/longest.py": '''
"""The longest answer of a benchmark."""
from mx_agents.report.page import section

def longest_section(rows) -> str:
    """The section's HTML."""
    return section("The longest answer", lead=f"{max((len(str(row)) for row in rows), default=0)} characters")
'''
    },
    {
        "mx_agents/report/bench_page.py": (
            (
                "from mx_agents.report.hardware_section import hardware_section\n",
                "from mx_agents.report.longest import longest_section\n",
            ),
            ("    body.append(hardware_section(rows))\n", "    body.append(longest_section(rows))\n"),
        )
    },
    (
        (
            "bench", "--methods", "single", "--tasks", "software:micro", "--episodes", "1", "--executor", "scripted",
            "--sandbox", "bubblewrap", "--run", "run",
        ),
        ("python", "page = open('run/report.html').read(); print('shown', '<h2>The longest answer</h2>' in page)"),
    ),
    ("shown True",),
)  # fmt: skip
KINDS = {
    "task set": TASK_SET, "market world": WORLD, "backend": BACKEND, "rule of a grader": RULE, "method": METHOD, "loss": LOSS,
    "panel of the report": PANEL,
}  # fmt: skip


@pytest.mark.bubblewrap
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("bubblewrap_or_skip")
@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(thing, id=kind, marks=[pytest.mark.train] * (thing is LOSS))
        for kind, thing in KINDS.items()
    ],
)
def test_a_new_thing_is_one_file_and_its_name_in_another(thing: Thing, tmp_path: Path) -> None:
    if thing is LOSS:
        pytest.importorskip("torch")
    for package in (mx_envs, mx_agents, mx_tasks, mx_sandboxes):
        assert package.__file__ is not None
        home = Path(package.__file__).parent
        shutil.copytree(home, tmp_path / home.name)  # compiled files and times, too
    for name, text in thing.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(text.lstrip("\n"))
    for name, lines in thing.told.items():
        _tell(tmp_path / name, lines)
    assert len(_places(thing)) <= 2

    said = "".join(_use(words, tmp_path) for words in thing.uses)
    for word in thing.says:
        assert word in said, said


def _places(thing: Thing) -> set[str]:
    """The files of the packages that it touches; of a backend, whose folder is one thing, the folder."""
    names = [name for name in (*thing.files, *thing.told) if name.startswith("mx_")]
    return {name.rpartition("/")[0] if "/backends/" in name else name for name in names}


def _tell(path: Path, lines: tuple[tuple[str, str], ...]) -> None:
    text = path.read_text()
    for standing, new in lines:
        anchor = standing.removeprefix("^")
        assert text.count(anchor) == 1, f"{path.name} has {anchor!r} {text.count(anchor)} times"
        text = text.replace(anchor, new + anchor if standing.startswith("^") else anchor + new)
    path.write_text(text)


def _use(words: tuple[str, ...], folder: Path) -> str:
    """What a command says, in an environment in which the copy is the package."""
    kinds = {"python": ["-c", *words[1:]], "pytest": ["-m", "pytest", "-q", "-p", "no:randomly", *words[1:]]}
    line = kinds.get(words[0], ["-c", MX, *words])
    where = TESTS.parent if words[0] == "pytest" else folder
    told = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", "MX_REQUIRE": ""}
    done = subprocess.run(
        [sys.executable, *line], cwd=where, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or "?" in words, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_table_of_contributing_says_the_same() -> None:
    """Its first rows are these kinds with these counts, and every file that it names is there."""
    text = (TESTS.parent / "CONTRIBUTING.md").read_text("utf-8")
    table = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    rows = [row for row in table if len(row) == 4 and row[3] != "files"]
    told = {
        row[0].removesuffix(" of the sandbox"): sum(map(int, re.findall(r"\d+", row[3])))
        + ("folder" in row[3])
        for row in rows
    }
    for kind, thing in KINDS.items():
        assert told[kind] == len(_places(thing)), kind
    assert list(told)[: len(KINDS)] == [kind for kind in told if kind in KINDS]
    for row in rows:
        for name in re.findall(r"`((?:tasks|sandboxes|agents|mx_envs|docs)/[\w./<>]+)`", " ".join(row)):
            home = name.replace("<domain>", "software").partition("NAME")[0].rstrip("/")
            assert (TESTS.parent / home).exists(), name
