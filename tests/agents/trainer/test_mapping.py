"""Which model plays which role: what should learn does, and everything else stays as it is, bit for bit."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest

from mx_agents.errors import UsageError
from mx_agents.models.hugging_face import HuggingFacePolicy, Sample
from mx_agents.trainer.checkpoint import Progress, load_checkpoint, save_checkpoint
from mx_agents.trainer.config import load_config, parse_config
from mx_agents.trainer.credit import Call
from mx_agents.trainer.evaluation import samplers
from mx_agents.trainer.learning import learn
from mx_agents.trainer.mapping import role_of, targets, weights
from mx_agents.trainer.roles import Roles, Workflow, load_roles
from mx_agents.trainer.rollout import Job, execute
from mx_envs import Observation, software_v0
from mx_sandboxes import Sandbox
from mx_tasks import load_task_set

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

CHAT: Observation = {"messages": ({"role": "user", "content": "1. * + a b c"},)}
AGENTS = {"executor": "coder", "critic*": "critic two", "planner": "planner"}


@pytest.fixture
def base(policy: HuggingFacePolicy, tmp_path: Path) -> Path:
    policy.save(tmp_path / "base")
    return tmp_path / "base"


def made(base: Path, table: dict[str, str], lora_rank: int = 0) -> Roles:
    model = {
        "base": str(base),
        "lora_rank": lora_rank,
        "designer_tokens": 6,
        "executor_tokens": 6,
        "device": "cpu",
    }
    config = parse_config({"model": model, "roles": table, "guide": "short"})
    return load_roles(config, base)


def state(role: Any) -> str:
    """Everything that a role's model is when it acts: its weights, its adapter included and no other."""
    if not isinstance(role.policy, HuggingFacePolicy):
        return "none"
    digest = hashlib.sha256()
    for name, tensor in sorted(role.policy.model.state_dict().items()):
        if "lora_" not in name or role.policy.adapter is None or f".{role.policy.adapter}." in name:
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def calls_of(roles: Roles, name: str) -> list[Call]:
    """Two calls of a role, one better than the other."""
    role = dict(roles.items())[name]
    samples: list[Sample] = role.policy.sample([CHAT] * 2)
    return [
        Call(
            task=0,
            design=place,
            execution=0,
            role="designer" if name == "designer" else "executor",
            unit="",
            sample=sample,
            team_reward=float(place),
            agent=AGENTS.get(name, ""),
        )
        for place, sample in enumerate(samples)
    ]


def learnt(roles: Roles, learning: set[str]) -> set[str]:
    """The roles whose model is another one after an update."""
    before = {name: state(role) for name, role in roles.items()}
    executors = [
        call
        for name, role in roles.items()
        if name != "designer" and isinstance(role.policy, HuggingFacePolicy)
        for call in calls_of(roles, name)
    ]
    designer = calls_of(roles, "designer") if isinstance(roles.designer.policy, HuggingFacePolicy) else []
    learn(roles, designer, executors, credit="question", learning=learning, rng=random.Random(0), done=0.0)
    return {name for name, role in roles.items() if state(role) != before[name]}


BOTH = {"designer", "executor"}
TABLES: dict[str, tuple[dict[str, str], set[str], set[str]]] = {
    "weights each": ({}, BOTH, BOTH),
    "weights each, the executor's stage": ({}, {"executor"}, {"executor"}),
    "weights each, the designer's stage": ({}, {"designer"}, {"designer"}),
    "shared": ({"designer": "one", "executor": "one"}, BOTH, BOTH),
    "shared, the designer's stage": ({"designer": "one", "executor": "one"}, {"designer"}, BOTH),
    "a frozen executor": ({"executor": "frozen"}, BOTH, {"designer"}),
    "a frozen designer": ({"designer": "frozen"}, BOTH, {"executor"}),
    "an executor from elsewhere": ({"executor": "scripted"}, BOTH, {"designer"}),
    "a workflow as the designer": ({"designer": "method:debate"}, BOTH, {"executor"}),
    "critics apart": ({"critic*": "critics"}, BOTH, {"designer", "executor", "critic*"}),
    "critics frozen": ({"critic*": "frozen"}, BOTH, BOTH),
    "critics share the designer's": ({"critic*": "designer"}, {"executor"}, {"designer", "executor", "critic*"}),
    "planners alone": (
        {"designer": "method:plan", "executor": "frozen", "planner": "planners"}, BOTH, {"planner"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("lora_rank", [0, 4])
@pytest.mark.parametrize("name", TABLES)
def test_what_should_learn_does_and_nothing_else(base: Path, name: str, lora_rank: int) -> None:
    table, learning, expected = TABLES[name]
    assert learnt(made(base, table, lora_rank), learning) == expected


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_a_frozen_role_acts_as_the_base_does(base: Path, lora_rank: int) -> None:
    roles = made(base, {"executor": "frozen"}, lora_rank)
    learnt(roles, BOTH)
    alone = HuggingFacePolicy.load(base, device="cpu", max_new_tokens=6, temperature=0.0)
    roles.executor.policy.temperature = 0.0
    assert roles.executor.policy.act([CHAT]) == alone.act([CHAT])


def test_shared_weights_make_one_update_of_both_roles(base: Path) -> None:
    roles = made(base, {"designer": "one", "executor": "one"})
    assert list(roles.learners()) == ["one"]
    assert roles.designer.policy.model is roles.executor.policy.model
    assert (roles.designer.policy.guide, roles.executor.policy.guide) == ("short", None)
    learnt(roles, BOTH)
    assert roles.learners()["one"].updates <= 2, "the minibatches of one update"


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_a_checkpoint_brings_every_mapping_back(base: Path, tmp_path: Path, lora_rank: int) -> None:
    table = {"executor": "one", "designer": "one", "critic*": "critics", "planner": "frozen"}
    roles, again = made(base, table, lora_rank), made(base, table, lora_rank)
    learnt(roles, BOTH)
    path = save_checkpoint(tmp_path / "checkpoints", roles, Progress(1, random.Random(3)))
    assert load_checkpoint(path, again).step == 1
    assert [state(role) for _, role in roles.items()] == [state(role) for _, role in again.items()]
    assert learnt(roles, BOTH) == learnt(again, BOTH)
    assert [state(role) for _, role in roles.items()] == [state(role) for _, role in again.items()]


def test_agents_are_told_apart_by_their_names_in_the_design(base: Path, bubblewrap_or_skip: Sandbox) -> None:
    roles = made(base, {"critic*": "critics", "planner": "frozen"})
    for name, role in roles.executors().items():
        said = [Sample([1], [2], [-1.0], name)]
        role.policy = type("Says", (), {"sample": staticmethod(lambda chats, said=said: said * len(chats))})()
    script = (
        "from mas import *\nasked = [Agent(n)(f'{n}?') for n in ('coder', 'critic', 'critic two', 'planner')]\n"
        "asked += parallel([(Agent('critic 3'), 'a'), (Agent('worker'), 'b')])\nsubmit(', '.join(asked))"
    )
    env = software_v0.parallel_env(tasks="micro", sandbox=bubblewrap_or_skip)
    (found,) = execute([env], [Job(0, 0, 0, script)], roles.executor.policy.sample, samplers(roles))
    env.close()
    assert found.record.submission.answer == "executor, critic*, critic*, planner, critic*, executor"
    assert [sample.text for sample in found.samples] == found.record.submission.answer.split(", ")


def test_a_workflow_designs_for_the_task_itself(base: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def method(task, rng):\n    return f'submit({task.id!r})'\n")
    roles = made(base, {"designer": f"method:{tmp_path / 'mine.py'}:method"})
    assert isinstance(roles.designer.policy, Workflow)
    task = load_task_set("software:micro").task("train", 0)
    assert [each.text for each in roles.designs([CHAT, CHAT], [task, task])] == [f"submit({task.id!r})"] * 2
    with pytest.raises(UsageError, match="search"):
        made(base, {"designer": "method:search"})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"executor": "method:debate"}, "can play the designer"),
        ({"executor": "one two"}, "'one two' cannot play 'executor'"),
        ({"executor": ""}, "cannot play"),
        ({"designer": "frozen", "executor": "frozen"}, "nobody learns"),
        ({"designer": "method:vote", "executor": "openai:m@http://localhost:1/v1"}, "nobody learns"),
    ],
)
def test_a_table_that_cannot_be_played_is_named(table: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_config({"roles": table})


def test_the_table_in_words() -> None:
    assert weights({}) == {"designer": "designer", "executor": "executor"}
    assert weights({"designer": "a", "executor": "a", "critic*": "b"}) == {"a": "both", "b": "executor"}
    assert [target.what for target in targets({"designer": "method:vote", "x": "frozen"}).values()] == [
        "method", "learns", "frozen",
    ]  # fmt: skip
    assert [role_of(name, ["critic*", "c*"]) for name in ("critic 1", "coder", "Critic", "d")] == [
        "critic*", "c*", "executor", "executor",
    ]  # fmt: skip
    assert load_config("smoke", None, ["roles.executor=frozen"]).roles == {
        "designer": "designer",
        "executor": "frozen",
    }


def adapted(roles: Roles) -> set[str]:
    """The kinds of layers that have an adapter."""
    names = [name for name, _ in roles.designer.policy.model.named_parameters() if "lora_A" in name]
    return {name.partition(".lora_A")[0].rpartition(".")[2] for name in names}


def test_adapters_are_on_all_linear_layers_or_on_those_that_are_named(base: Path) -> None:
    everywhere = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert adapted(made(base, {}, lora_rank=2)) == everywhere
    model = {
        "base": str(base),
        "lora_rank": 2,
        "lora_targets": "q_proj, v_proj",
        "lora_alpha": 7,
        "device": "cpu",
    }
    roles = load_roles(parse_config({"model": model}), base)
    assert adapted(roles) == {"q_proj", "v_proj"}
    assert roles.designer.policy.model.peft_config["designer"].lora_alpha == 7
    with pytest.raises(UsageError, match="lora_targets 'nothing'"):
        load_roles(parse_config({"model": model | {"lora_targets": "nothing"}}), base)
