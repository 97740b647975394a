"""Types reach users: nothing that a script handles is ``Any`` to mypy or ``Unknown`` to pyright, and mistakes are found.

pyright is tried where it is installed (``pip install basedpyright``, or ``MX_PYRIGHT=/path/to/pyright``).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
from collections.abc import Sequence
from pathlib import Path

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.episodes import Job, play
from mx_agents.methods import load_method
from mx_agents.policies import ScriptedPolicy, load_policy
from mx_agents.report import write_report
from mx_envs import DefaultRewards, EpisodeRecord, Observation, Rewards, hardware_v0, market_v0, software_v0, trading_v0
from mx_envs.market.portfolio import PortfolioEnv
from mx_envs.market.portfolio_vector import PortfolioVectorEnv
from mx_sandboxes import Sandboxes, capabilities, open_sandbox
from mx_tasks import Submission, load_task_set, task_set_names

def pay(episode: EpisodeRecord) -> Rewards:
    return DefaultRewards(cost_per_call=0.01)(episode)

class Parrot:
    def act(self, observations: Sequence[Observation]) -> list[str]:
        return [chat["messages"][-1]["content"] for chat in observations]

env = software_v0.env(tasks="micro", rewards=pay)
record = env.unwrapped.episode
assert record is not None
parallel = trading_v0.parallel_env(tasks="micro")
traders = market_v0.parallel_env(traders=3)
turns = market_v0.env()
tasks = load_task_set("software:repair")
task = tasks.task("train", 0)
sandbox = open_sandbox()
many = PortfolioVectorEnv(4, world="regime")
one = PortfolioEnv(world="regime")
config = BenchConfig(
    methods=("single",), tasks="software:micro", split="test", episodes=1, seeds=1, executor="random", budget=None, sandbox="auto"
)
bench = open_bench(config, Path("run"))
jobs = [Job(n, f"micro-0-train-{n}", n, ScriptedPolicy(lambda chat: "x"), Parrot()) for n in range(8)]
played = next(play(iter(jobs), lambda: software_v0.raw_env(tasks="micro"), in_flight=4))
"""
TYPES = {
    "env": "AECEnvironment",
    "env.last()[0]": "Observation",
    "env.last()[0]['messages'][0]['content']": "str",
    "env.last()[1]": "float",
    "env.last()[4]": "dict[str, Any]",
    "env.observation_space('designer_0')": "Dict",
    "env.action_space('designer_0')": "Space[str]",
    "next(iter(env.agent_iter()))": "str",
    "env.unwrapped.timing": "Timing",
    "record": "EpisodeRecord",
    "record.grade": "Grade",
    "record.turns": "tuple[Turn, ...]",
    "record.rewards": "Rewards",
    "record.stop": "StopReason",
    "trading_v0.raw_env(tasks='micro').observe('designer_0')": "Observation",
    "parallel": "ParallelEnvironment",
    "parallel.reset(seed=1)[0]": "dict[str, Observation]",
    "hardware_v0.parallel_env(tasks='micro').step({})[1]": "dict[str, float]",
    "traders": "MarketEnv",
    "traders.reset()[0]": "dict[str, ndarray[",
    "turns": "MarketByTurns",
    "turns.last()[0]": "ndarray[",
    "many": "PortfolioVectorEnv",
    "many.reset(seed=0)[0]": "ndarray[",
    "many.step(many.action_space.sample())[1]": "ndarray[",
    "one.step(0)[0]": "ndarray[",
    "one.step(0)[1]": "float",
    "tasks": "TaskSet",
    "task": "Task",
    "task.parts": "tuple[Part, ...]",
    "tasks.grade(task, Submission('x'), sandbox)": "Grade",
    "task_set_names('software')": "tuple[str, ...]",
    "sandbox": "Sandbox",
    "sandbox.run(['true'])": "Completed",
    "sandbox.run(['true']).reason": "Reason",
    "sandbox.run_batch([])": "Iterator[Completed]",
    "sandbox.session(['true'])": "Session",
    "sandbox.capabilities": "Capabilities",
    "capabilities()": "Capabilities",
    "Sandboxes('auto')('hdl')": "Sandbox",
    "bench": "Bench",
    "next(bench.run(sandbox, 4))": "Outcome",
    "next(bench.run(sandbox, 4)).score": "float",
    "load_policy('random')": "Policy",
    "load_method('single')": "Method | Policy | Searching",
    "played": "Played[int]",
    "played.record": "EpisodeRecord",
    "write_report(Path('run'))": "Path",
}
"""What a user handles, and the name of its type."""
MISTAKES = (
    "env.stepp(None)",
    "env.step(3)",
    "env.unwrapped.episode.grade",
    "software_v0.env(taskz='micro')",
    "software_v0.env(split='tset')",
    "market_v0.env(trader=3)",
    "record.grade.pased",
    "tasks.grade(task, 'x', sandbox)",
    "sandbox.run('true', limit=3)",
    "play(iter(jobs), lambda: 3, in_flight=4)",
    "bench.run(sandbox)",
)
"""Each is an error to a type checker."""
ANYTHING = r"dict\[str, Any\]|tuple\[Any, \.\.\.\]|\bDict\[Any\]"
"""JSON; the shape of an array, which numpy leaves open; what a ``Dict`` space holds, which Gymnasium does."""

Said = dict[int, list[str]]
"""What a checker says of each line: revealed types, and errors with ``error`` before them."""


def mypy(script: Path, folder: Path) -> Said:
    line = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        "",
        "--cache-dir",
        str(folder / "cache"),
    ]
    done = subprocess.run([*line, str(script)], cwd=folder, capture_output=True, text=True, check=False)
    said: Said = {}
    for number, kind, text in re.findall(r"mine\.py:(\d+): (note|error): (.*)", done.stdout):
        revealed = re.match(r'Revealed type is "(.*)"', text)
        if kind == "error" or revealed:
            short = (
                re.sub(r"TypedDict\((?:\w+\.)*(\w+), \{[^{}]*\}\)", r"\1", revealed[1]) if revealed else ""
            )
            while short != (shorter := re.sub(r"TypedDict\((?:\w+\.)*(\w+), \{[^{}]*\}\)", r"\1", short)):
                short = shorter
            said.setdefault(int(number), []).append(
                re.sub(r"(\w+\.)+(?=\w)", "", short) if revealed else f"error {text}"
            )
    assert said, done.stdout + done.stderr
    return said


def pyright(script: Path, folder: Path) -> Said:
    program = os.environ.get("MX_PYRIGHT") or shutil.which("basedpyright") or shutil.which("pyright")
    if program is None:
        if "pyright" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail("MX_REQUIRE lists pyright, and there is none")
        pytest.skip("no pyright: pip install basedpyright")
    settings = {"typeCheckingMode": "strict", "include": [script.name]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    line = [program, "--outputjson", "--pythonpath", sys.executable, "--project", str(folder)]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    said: Said = {}
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        revealed = re.match(r'Type of ".*" is "(.*)"', each["message"], re.DOTALL)
        if each["severity"] == "error" or revealed:
            said.setdefault(each["range"]["start"]["line"] + 1, []).append(
                revealed[1] if revealed and each["severity"] != "error" else f"error {each['message']}"
            )
    return said


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_what_a_user_s_script_handles_has_types_and_mistakes_are_found(checker, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lines = HEAD.splitlines() + [f"reveal_type({expression})" for expression in TYPES] + list(MISTAKES)
    script = tmp_path / "mine.py"
    script.write_text("\n".join(lines) + "\n")
    said = checker(script, tmp_path)

    head = len(HEAD.splitlines())
    assert not [line for number in range(head + 1) for line in said.get(number, ())], (
        "the script has no mistakes"
    )
    for number, (expression, name) in enumerate(TYPES.items(), head + 1):
        assert len(said[number]) == 1, (expression, said[number])
        revealed = said[number][0]
        assert name in revealed, (expression, revealed)
        assert not re.search(r"\b(Any|Unknown)\b", re.sub(ANYTHING, "", revealed)), (expression, revealed)
    for number, mistake in enumerate(MISTAKES, head + len(TYPES) + 1):
        assert [line for line in said.get(number, ()) if line.startswith("error")], f"nobody minds: {mistake}"
