"""Updates: the loss is the clipped policy gradient, frozen means untouched, merged duplicates change nothing."""

from __future__ import annotations

import random

import pytest
import torch

from mx_agents.models.hugging_face import HuggingFacePolicy, Sample
from mx_agents.trainer.learner import (
    Learner,
    LearnerConfig,
    merge_duplicates,
    padded,
    token_log_probabilities,
)
from mx_envs import Observation

CHAT: Observation = {"messages": ({"role": "user", "content": "1. * + a b c"},)}
ONE_BATCH = LearnerConfig(minibatches=1, warmup_updates=0, learning_rate=1e-3)


def learner_of(policy: HuggingFacePolicy, config: LearnerConfig = ONE_BATCH) -> Learner:
    return Learner(policy, list(policy.model.parameters()), config)


def score(policy: HuggingFacePolicy, sample: Sample) -> float:
    with torch.no_grad():
        scored, _ = token_log_probabilities(policy.model, *padded([(sample.prompt_ids, sample.output_ids)]))
    return scored.sum().item()


def test_praised_answers_become_likelier_and_blamed_ones_less_so(policy: HuggingFacePolicy) -> None:
    good, bad = policy.sample([CHAT] * 2)
    assert good.output_ids != bad.output_ids
    before = score(policy, good), score(policy, bad)
    learner_of(policy).update([good, bad], [1.0, -1.0], random.Random(0))
    assert score(policy, good) > before[0]
    assert score(policy, bad) < before[1]


def test_the_gradient_is_that_of_the_clipped_objective(policy: HuggingFacePolicy) -> None:
    """Against PPO's equation 7 written out token by token, off-policy so that some ratios are clipped."""
    samples = policy.sample([CHAT] * 6)
    stale = [
        Sample(s.prompt_ids, s.output_ids, [p + shift for p in s.log_probabilities], s.text)
        for s, shift in zip(samples, [-0.5, -0.1, 0.0, 0.1, 0.5, 0.3], strict=True)
    ]
    advantages = [1.0, -1.0, 0.5, 2.0, -0.7, 0.0]
    policy.model.zero_grad()
    total = torch.zeros(())
    for sample, advantage in zip(stale, advantages, strict=True):
        if advantage == 0:
            continue
        now, _ = token_log_probabilities(policy.model, *padded([(sample.prompt_ids, sample.output_ids)]))
        ratio = (now[0, len(sample.prompt_ids) - 1 : -1] - torch.tensor(sample.log_probabilities)).exp()
        total = total - torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).sum()
    (total / sum(len(s.output_ids) for s in stale[:5])).backward()
    expected = [parameter.grad.clone() for parameter in policy.model.parameters()]
    policy.model.zero_grad()
    learner = learner_of(policy, LearnerConfig(minibatches=1, learning_rate=0.0, max_gradient_norm=1e9))
    stats = learner.update(stale, advantages, random.Random(0))
    for parameter, gradient in zip(policy.model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-3)
    assert stats["clipped"] > 0
    assert stats["rows"] == 5


def test_merging_duplicates_keeps_praise_and_blame_apart(policy: HuggingFacePolicy) -> None:
    (sample,) = policy.sample([CHAT])
    (row,) = merge_duplicates([sample] * 4, [1.0, -0.5, 2.0, 0.0])
    assert (row.gain, row.pain, row.count) == (3.0, -0.5, 3)


def test_a_frozen_role_is_bitwise_unchanged_while_the_other_learns(
    policy: HuggingFacePolicy, tokenizer: object
) -> None:
    from mx_agents.micro.model import ModelSize, build_model

    other = HuggingFacePolicy(build_model(len(tokenizer), 1, ModelSize(16, 2, 2, 32)).eval(), tokenizer)
    learning, frozen = learner_of(policy), learner_of(other)
    before = learning.fingerprint(), frozen.fingerprint()
    learning.update(policy.sample([CHAT] * 4), [1.0, -1.0, 0.5, -0.5], random.Random(0))
    assert learning.fingerprint() != before[0]
    assert frozen.fingerprint() == before[1]


def test_nothing_to_learn_from_changes_nothing(policy: HuggingFacePolicy) -> None:
    learner = learner_of(policy)
    before = learner.fingerprint()
    assert learner.update(policy.sample([CHAT] * 2), [0.0, 0.0], random.Random(0))["rows"] == 0
    assert learner.fingerprint() == before


def test_fine_tuning_teaches_an_answer(policy: HuggingFacePolicy) -> None:
    pair = policy.encode(CHAT), policy.encode_answer("(a + b) * c")
    losses = list(
        learner_of(policy).fine_tune(
            [pair] * 32, epochs=25, batch=8, learning_rate=1e-2, rng=random.Random(0)
        )
    )
    assert losses[-1] < 0.1 * losses[0]
    policy.temperature = 0.0
    assert policy.act([CHAT]) == ["(a + b) * c"]


@pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)  # peft, not ours
@pytest.mark.parametrize("frozen", ["designer", "executor"])
def test_adapters_of_one_model_learn_apart(policy: HuggingFacePolicy, tokenizer: object, frozen: str) -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(policy.model, LoraConfig(r=4, task_type="CAUSAL_LM"), adapter_name="designer")
    model.add_adapter("executor", LoraConfig(r=4, task_type="CAUSAL_LM"))
    learners = {}
    for name in ("designer", "executor"):
        own = [parameter for path, parameter in model.named_parameters() if f".{name}." in path]
        learners[name] = Learner(
            HuggingFacePolicy(model, tokenizer, adapter=name, max_new_tokens=8), own, ONE_BATCH
        )
    learning = next(name for name in learners if name != frozen)
    before = {name: learner.fingerprint() for name, learner in learners.items()}
    samples = learners[learning].policy.sample([CHAT] * 4)
    learners[learning].update(samples, [1.0, -1.0, 1.0, -1.0], random.Random(0))
    assert learners[learning].fingerprint() != before[learning]
    assert learners[frozen].fingerprint() == before[frozen]
