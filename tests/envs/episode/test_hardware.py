"""Hardware episodes: the oracle passes, silence does not, and the tools are there for executors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mx_envs import hardware_v0
from mx_sandboxes import SandboxError, open_sandbox
from mx_tasks import load_task_set

pytestmark = pytest.mark.eda
SINGLE = "from mas import *\nsubmit(Agent('coder', 'Write Verilog.')(task))"
TOOLS = "from mas import *\nsubmit(Agent('coder', 'Write Verilog.', tools=('simulate', 'synthesise'))(task.prompt))"


@pytest.fixture(scope="module")
def hdl() -> Any:
    import os

    try:
        sandbox = open_sandbox("bubblewrap", image="hdl", slots=3)
        sandbox.run(["python", "-c", "pass"])
    except SandboxError as error:
        if "eda" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail(f"MX_REQUIRE lists eda: {error}")
        pytest.skip(str(error))
    with sandbox:
        yield sandbox


@pytest.mark.parametrize("kind", ["combinational", "repair", "optimise", "testbench", "multi-file"])
def test_the_reference_solution_passes_and_silence_does_not(
    kind: str, hdl: Any, play: Callable[..., Any]
) -> None:
    tasks = load_task_set(f"hardware:{kind}")
    gold = tasks.gold(tasks.task("test", 2)).answer  # type: ignore[attr-defined]
    env = hardware_v0.env(tasks=tasks, split="test", sandbox=hdl, turn_rewards=True)
    played = play(env, SINGLE, lambda _: gold, options={"index": 2}).episode
    assert (played.grade.score, played.grade.passed) == (1.0, True), played.grade.log
    silent = play(env, SINGLE, lambda _: "", options={"index": 2}).episode
    assert (silent.grade.score, silent.grade.passed) == (0.0, False)
    env.close()


def test_an_executor_simulates_before_it_answers(hdl: Any, play: Callable[..., Any]) -> None:
    tasks = load_task_set("hardware:fsm")
    gold = tasks.gold(tasks.task("test", 1)).answer  # type: ignore[attr-defined]
    heard = []

    def answer(observation: Any) -> str:
        last = observation["messages"][-1]["content"]
        heard.append(last)
        if len(heard) == 1:
            design = (
                gold.partition("```verilog\n")[2]
                .partition("```")[0]
                .replace("\\", "\\\\")
                .replace("\n", "\\n")
            )
            return f'```tool\n{{"name": "simulate", "arguments": {{"design": "{design}"}}}}\n```'
        return gold

    env = hardware_v0.env(tasks=tasks, split="test", sandbox=hdl)
    played = play(env, TOOLS, answer, options={"index": 1}).episode
    assert "all 8 public examples agree" in heard[1]
    assert played.grade.score == 1.0
    env.close()


TEAM = """from mas import *
reader = Agent("spec reader", "Say in a few sentences what the design must do.")
coder = Agent("coder", "Write Verilog.", tools=("simulate",))
verifier = Agent("verifier", "Find a difference, or say EQUAL.", tools=("simulate", "lint"))
optimiser = Agent("optimiser", "Make it smaller without changing what it does.", tools=("synthesise",))
draft = coder(reader(task.prompt) + task.prompt)
if "EQUAL" not in verifier(draft):
    draft = coder(draft)
submit(optimiser(draft))
"""


def test_a_designer_staffs_reader_coder_verifier_and_optimiser(hdl: Any, play: Callable[..., Any]) -> None:
    tasks = load_task_set("hardware:optimise")
    task = tasks.task("test", 0)
    gold = tasks.gold(task).answer  # type: ignore[attr-defined]
    roles = []

    def answer(observation: Any) -> str:
        system = observation["messages"][0]["content"]
        role = next(name for name in ("sentences", "Write", "difference", "smaller") if name in system)
        roles.append(role)
        measured = any("target: " in each["content"] for each in observation["messages"])
        if role == "smaller" and not measured:
            return '```tool\n{"name": "synthesise", "arguments": {}}\n```'
        said = {"sentences": "It counts.", "difference": "EQUAL", "Write": task.files["design.v"].decode()}
        return said.get(role, gold)

    env = hardware_v0.env(tasks=tasks, split="test", sandbox=hdl)
    played = play(env, TEAM, answer, options={"index": 0}).episode
    assert roles == ["sentences", "Write", "difference", "smaller", "smaller"]
    assert (played.grade.score, played.grade.passed) == (1.0, True), played.grade.log
    env.close()
