"""What is trained is what is played: the same observations, sampling and grades in training, bench, play and the bare step API."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.cli.play import run as play_in_terminal
from mx_agents.errors import UsageError
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.models.saved import FILE, PolicyFacts
from mx_agents.policies import load_policy
from mx_agents.runs.folder import read_lines
from mx_agents.trainer.arm import Arena, cold_start, train_arm
from mx_agents.trainer.config import TrainConfig, load_config
from mx_agents.trainer.evaluation import evaluate
from mx_agents.trainer.roles import Role, Roles
from mx_envs import GUIDES, designer_chat, software_v0
from mx_sandboxes import Sandbox, Sandboxes
from mx_tasks import load_task_set

TASKS = 6


class Watch:
    """Notes what every policy is shown, and what it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str, str]] = []
        sample = HuggingFacePolicy.sample

        def watched(policy: HuggingFacePolicy, observations: Any) -> Any:
            samples = sample(policy, observations)
            for observation, drawn in zip(observations, samples, strict=True):
                self.seen.append((policy.role, json.dumps(observation), drawn.text))
            return samples

        monkeypatch.setattr(HuggingFacePolicy, "sample", watched)

    def taken(self, role: str) -> list[tuple[str, str]]:
        found = sorted((shown, said) for who, shown, said in self.seen if who == role)
        self.seen = [each for each in self.seen if each[0] != role]
        return found


@pytest.fixture(scope="module", params=["whole", "adapter"])
def trained(
    request: pytest.FixtureRequest, bubblewrap_or_skip: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The policies of a tiny run, made greedy so that what they do can be compared to the letter."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp(request.param)
    config = load_config("smoke", None, ["steps=1", "test_tasks=2", "evaluation_tasks=2"])
    if request.param == "adapter":
        micro = config
        cold_start(micro, folder / "micro", lambda _: None)
        base = folder / "micro" / "models" / "designer"
        model = micro.model.model_copy(update={"base": str(base), "lora_rank": 4})
        config = micro.model_copy(update={"model": model})
    cold_start(config, folder / "cold", lambda _: None)
    train_arm(
        config, "co-evolution", folder / "arm", folder / "cold", bubblewrap_or_skip.backend, lambda _: None
    )
    policies = folder / "arm" / "policies"
    for name in ("designer", "executor"):
        facts = PolicyFacts.read(policies / name)
        assert facts is not None
        replace(facts, temperature=0.0).write(policies / name)
    return policies


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_training_leaves_the_arithmetic_of_whoever_called_it_alone(trained: Path) -> None:
    assert sys.float_info.min / 2 > 0.0, trained


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    torch.set_num_threads(1)
    return Watch(monkeypatch)


def loaded(folder: Path) -> HuggingFacePolicy:
    policy = load_policy(f"hf:{folder}")
    assert isinstance(policy, HuggingFacePolicy)
    return policy


def by_the_trainer(config: TrainConfig, policies: Path, backend: str) -> list[tuple[str, bool]]:
    roles = Roles(*(Role(loaded(policies / name), None) for name in ("designer", "executor")))
    with Sandboxes(backend, slots=4) as sandbox, Sandboxes(backend, slots=1) as grading:
        arena = Arena(config, load_task_set(config.tasks), sandbox, grading)
        found = evaluate(arena.envs("test"), arena.task_set, "test", TASKS, roles, 0)
        arena.close()
    return [(execution.record.task, execution.record.grade.passed) for execution in found]


def by_the_bench(policies: Path, sandbox: Sandbox, folder: Path) -> list[tuple[str, bool]]:
    config = BenchConfig(
        methods=(f"hf:{policies / 'designer'}",),
        tasks="software:micro",
        split="test",
        episodes=TASKS,
        seeds=1,
        executor=f"hf:{policies / 'executor'}",
        budget=None,
        sandbox=sandbox.backend,
    )
    bench = open_bench(config, folder)
    assert bench.notices == [f"hf:{policies / 'designer'} is shown the short guide, as in its training"]
    bench.begin()
    done = list(bench.run(sandbox, 2))
    assert {row["episode"]["guide"] for row in read_lines(folder / "episodes.jsonl")} == {"short"}
    return sorted((outcome.task, bool(outcome.success)) for outcome in done)


def by_the_step_api(policies: Path, sandbox: Sandbox) -> list[tuple[str, bool]]:
    designer, executor = loaded(policies / "designer"), loaded(policies / "executor")
    env = software_v0.env(tasks="micro", split="test", sandbox=sandbox, guide=designer.guide)
    found = []
    for index in range(TASKS):
        env.reset(options={"index": index})
        for agent in env.agent_iter():
            observation, _, terminated, truncated, _ = env.last()
            policy = designer if agent == "designer_0" else executor
            env.step(None if terminated or truncated else policy.act([observation])[0])
        record = env.unwrapped.episode
        found.append((record.task, record.grade.passed))
    env.close()
    return found


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_a_policy_sees_and_does_the_same_wherever_it_is_played(
    trained: Path, watch: Watch, bubblewrap_or_skip: Sandbox, tmp_path: Path
) -> None:
    sandbox, backend = bubblewrap_or_skip, bubblewrap_or_skip.backend
    config = load_config("smoke", None)
    outcome = sorted(by_the_trainer(config, trained, backend))
    designs, answers = watch.taken("designer"), watch.taken("executor")
    assert len(designs) == TASKS
    assert all(GUIDES["short"] in json.loads(shown)["messages"][0]["content"] for shown, _ in designs)

    assert by_the_bench(trained, sandbox, tmp_path / "bench") == outcome
    assert watch.taken("designer") == designs
    assert watch.taken("executor") == answers

    assert sorted(by_the_step_api(trained, sandbox)) == outcome
    assert watch.taken("designer") == designs
    assert watch.taken("executor") == answers

    for index in range(TASKS):
        task = f"micro-0-test-{index}"
        specs = [f"hf:{trained / name}" for name in ("designer", "executor")]
        assert play_in_terminal("software:micro", *specs, task, "test", 0, backend) == 0
    assert watch.taken("designer") == designs
    assert watch.taken("executor") == answers


def test_training_shows_the_designer_what_the_environment_shows(
    watch: Watch, bubblewrap_or_skip: Sandbox, tmp_path: Path
) -> None:
    """The guide is the environment's, a text of one's own included."""
    guide = "Write a script. coder = Agent('coder', 'Write Python.')"
    config = load_config("smoke", None, ["steps=1", "test_tasks=1", "evaluation_tasks=1"])
    config = config.model_copy(update={"guide": guide})
    cold_start(config, tmp_path / "cold", lambda _: None)
    train_arm(
        config,
        "co-evolution",
        tmp_path / "arm",
        tmp_path / "cold",
        bubblewrap_or_skip.backend,
        lambda _: None,
    )
    shown = {said for said, _ in watch.taken("designer")}
    task_set = load_task_set("software:micro")
    places = [("train", 0), ("train", 1), ("validation", 0), ("test", 0)]
    own = {json.dumps({"messages": designer_chat(task_set.task(*place), guide)}) for place in places}  # type: ignore[arg-type]
    assert shown == own
    (tree,) = read_lines(tmp_path / "arm" / "trees.jsonl")
    assert {each["guide"] for design in tree["designs"] for each in design["executions"]} == {guide}
    assert loaded(tmp_path / "arm" / "policies" / "designer").guide == guide
    assert loaded(tmp_path / "arm" / "policies" / "executor").guide is None


def test_a_guide_that_has_changed_since_is_shown_as_it_was(policy: HuggingFacePolicy, tmp_path: Path) -> None:
    policy.guide, policy.role = "short", "designer"
    policy.save(tmp_path)
    assert loaded(tmp_path).guide == "short"
    facts = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(facts | {"guide_text": "An older guide."}))
    assert loaded(tmp_path).guide == "An older guide."


def test_another_guide_than_in_training_is_said(policy: HuggingFacePolicy, tmp_path: Path) -> None:
    policy.guide, policy.role = "short", "designer"
    policy.save(tmp_path / "designer")
    config = BenchConfig(
        (f"hf:{tmp_path / 'designer'}", "single"),
        "software:micro", "test", 1, 1, "scripted", None, "bubblewrap", guide="full",
    )  # fmt: skip
    (notice,) = open_bench(config, tmp_path / "bench").notices
    assert "trained under the short guide and is shown the full guide" in notice


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 99, "guide_text": null}', "[]"])
def test_facts_that_cannot_be_read_are_named(policy: HuggingFacePolicy, tmp_path: Path, text: str) -> None:
    policy.save(tmp_path)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UsageError, match=FILE):
        load_policy(f"hf:{tmp_path}")


def test_an_adapter_without_its_base_is_named(policy: HuggingFacePolicy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "no/such/base"}')
    with pytest.raises(UsageError, match="no/such/base"):
        load_policy(f"hf:{tmp_path}")


def test_a_guide_too_long_for_a_micro_model_is_said(tmp_path: Path) -> None:
    config = load_config("smoke", None, ["guide=full"])
    with pytest.raises(UsageError, match="guide=short"):
        cold_start(config, tmp_path, lambda _: None)
