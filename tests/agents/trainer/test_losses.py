"""Each loss against its formula written out, call by call and token by token, without any of the learner's own code."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import torch

from mx_agents.models.hugging_face import HuggingFacePolicy, Sample
from mx_agents.trainer.config import Loss
from mx_agents.trainer.forward import token_log_probabilities
from mx_agents.trainer.learner import Learner, LearnerConfig
from mx_agents.trainer.rows import padded
from mx_envs import Observation

LOW, HIGH = 0.2, 0.28
SHIFTS = (-0.5, -0.1, 0.0, 0.1, 0.5, 0.3)
ADVANTAGES = (1.0, -1.0, 0.5, 2.0, -0.7, -0.4)


def chat(text: str) -> Observation:
    return {"messages": ({"role": "user", "content": text},)}


def calls(policy: HuggingFacePolicy) -> list[Sample]:
    """Answers of several lengths, off-policy so that ratios lie on both sides of both bounds; the first one twice."""
    samples = policy.sample([chat("1. * + a b c"), chat("2. a"), chat("3. - a b")] * 2)
    stale = [
        Sample(s.prompt_ids, s.output_ids[:length], [p + shift for p in s.log_probabilities[:length]], s.text)
        for s, shift, length in zip(samples, SHIFTS, (2, 3, 4, 5, 6, 7), strict=True)
    ]
    return [*stale, stale[0]]


def by_hand(
    loss: Loss, policy: HuggingFacePolicy, samples: list[Sample], advantages: list[float]
) -> torch.Tensor:
    """The loss of single calls, as published."""
    total = torch.zeros(())
    tokens = sum(len(sample.output_ids) for sample in samples)
    for sample, advantage in zip(samples, advantages, strict=True):
        scored, _ = token_log_probabilities(policy.model, *padded([(sample.prompt_ids, sample.output_ids)]))
        start, length = len(sample.prompt_ids) - 1, len(sample.output_ids)
        now = scored[0, start : start + length]
        then = torch.tensor(sample.log_probabilities)
        ratio = (now - then).exp()
        clipped = torch.minimum(ratio * advantage, ratio.clamp(1 - LOW, 1 + HIGH) * advantage)
        answer_ratio = (now - then).mean().exp()
        answer_clipped = torch.minimum(
            answer_ratio * advantage, answer_ratio.clamp(1 - LOW, 1 + HIGH) * advantage
        )
        total = (
            total
            - {
                "ppo": clipped.sum() / tokens,
                "dapo": clipped.sum() / tokens,
                "grpo": clipped.mean() / len(samples),
                "dr-grpo": clipped.sum() / policy.max_new_tokens / len(samples),
                "rloo": advantage * now.sum() / len(samples),
                "gspo": answer_clipped / len(samples),
                "cispo": (ratio.clamp(1 - LOW, 1 + HIGH).detach() * advantage * now).sum() / tokens,
            }[loss]
        )
    return total


@pytest.mark.parametrize("loss", ["ppo", "grpo", "dr-grpo", "dapo", "rloo", "gspo", "cispo"])
def test_a_loss_is_the_published_one(policy: HuggingFacePolicy, loss: Loss) -> None:
    samples, advantages = calls(policy), [*ADVANTAGES, -0.3]
    policy.model.zero_grad()
    expected = by_hand(loss, policy, samples, advantages)
    expected.backward()
    gradients = [parameter.grad.clone() for parameter in policy.model.parameters()]
    config = LearnerConfig(
        minibatches=1, learning_rate=0.0, max_gradient_norm=1e9, loss=loss, clip=LOW, clip_high=HIGH
    )
    learner = Learner(policy, list(policy.model.parameters()), replace(config, tokens_per_microbatch=40))
    stats = learner.update(samples, advantages, random.Random(0))
    assert stats["loss"] == pytest.approx(expected.item(), abs=1e-5)
    for parameter, gradient in zip(policy.model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-3)


def test_clipped_counts_what_was_clipped(policy: HuggingFacePolicy) -> None:
    """Praise beyond the upper bound and blame beyond the lower one; the other two keep their gradient."""
    (sample,) = policy.sample([chat("1. * + a b c")])
    length = len(sample.output_ids)

    def share(shift: float, advantage: float) -> float:
        stale = replace(sample, log_probabilities=[p + shift for p in sample.log_probabilities])
        config = LearnerConfig(minibatches=1, learning_rate=0.0)
        learner = Learner(policy, list(policy.model.parameters()), config)
        return learner.update([stale], [advantage], random.Random(0))["clipped"]

    assert length > 0
    assert share(-1.0, 1.0) == 1.0
    assert share(-1.0, -1.0) == 0.0
    assert share(1.0, -1.0) == 1.0
    assert share(1.0, 1.0) == 0.0
    assert share(0.0, 1.0) == 0.0


def test_truncated_correction_weighs_by_the_learner_over_the_sampler(policy: HuggingFacePolicy) -> None:
    """On the first pass the ratio is 1, and each token counts with min(learner / sampler, cap)."""
    samples = calls(policy)[:6]
    policy.model.zero_grad()
    tokens, total = sum(len(sample.output_ids) for sample in samples), torch.zeros(())
    for sample, advantage in zip(samples, ADVANTAGES, strict=True):
        scored, _ = token_log_probabilities(policy.model, *padded([(sample.prompt_ids, sample.output_ids)]))
        start = len(sample.prompt_ids) - 1
        now = scored[0, start : start + len(sample.output_ids)]
        weight = (now.detach() - torch.tensor(sample.log_probabilities)).exp().clamp(max=1.2)
        total = total - (weight * advantage * (now - now.detach()).exp()).sum() / tokens
    total.backward()
    gradients = [parameter.grad.clone() for parameter in policy.model.parameters()]
    config = LearnerConfig(minibatches=1, learning_rate=0.0, max_gradient_norm=1e9, importance_cap=1.2)
    learner = Learner(policy, list(policy.model.parameters()), config)
    stats = learner.update(samples, list(ADVANTAGES), random.Random(0))
    assert stats["clipped"] == 0.0
    assert stats["gap"] == pytest.approx(
        sum(abs(shift) * len(s.output_ids) for s, shift in zip(samples, SHIFTS, strict=True)) / tokens,
        abs=1e-4,
    )
    for parameter, gradient in zip(policy.model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-3)
    assert math.isfinite(stats["gradient_norm"])


@pytest.mark.parametrize("bits", [32, 16])
def test_the_distance_from_the_start_is_grpos_estimate(policy: HuggingFacePolicy, bits: int) -> None:
    """Equation 4 written out, after the weights have left the start; they are put back to the bit after each look at it."""
    if bits == 16:
        policy.model.bfloat16()
    samples = policy.sample([chat("1. * + a b c"), chat("2. a"), chat("3. - a b")] * 2)

    def scored() -> list[torch.Tensor]:
        found = []
        for sample in samples:
            all_T, _ = token_log_probabilities(
                policy.model, *padded([(sample.prompt_ids, sample.output_ids)])
            )
            start = len(sample.prompt_ids) - 1
            found.append(all_T[0, start : start + len(sample.output_ids)])
        return found

    config = LearnerConfig(minibatches=1, learning_rate=0.0, max_gradient_norm=1e9, kl=0.7)
    learner = Learner(policy, list(policy.model.parameters()), config)
    began = [now.detach() for now in scored()]
    with torch.no_grad():
        for master in learner.masters:
            master.add_(0.05 * torch.randn_like(master))
    learner.show_masters()
    policy.model.zero_grad()
    plain, tokens = torch.zeros(()), sum(len(sample.output_ids) for sample in samples)
    held = torch.zeros(())
    for now, start, sample, advantage in zip(scored(), began, samples, ADVANTAGES, strict=True):
        ratio = (now - torch.tensor(sample.log_probabilities)).exp()
        plain = plain - torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).sum() / tokens
        held = held + ((start - now).exp() - (start - now) - 1).sum() / tokens
    (plain + 0.7 * held).backward()
    gradients = [parameter.grad.float() for parameter in policy.model.parameters()]
    before = learner.fingerprint()
    weights = [parameter.detach().clone() for parameter in learner.parameters]
    stats = learner.update(samples, list(ADVANTAGES), random.Random(0))
    assert held.item() > 0.001
    assert stats["kl"] == pytest.approx(held.item(), rel=0.05 if bits == 16 else 1e-3)
    assert learner.fingerprint() == before
    assert all(torch.equal(one, other) for one, other in zip(weights, learner.parameters, strict=True))
    if bits == 32:
        for master, gradient in zip(learner.masters, gradients, strict=True):
            torch.testing.assert_close(master.grad, gradient, atol=1e-5, rtol=1e-3)


def test_a_policy_that_has_learnt_nothing_is_at_no_distance(policy: HuggingFacePolicy) -> None:
    samples = policy.sample([chat("1. * + a b c")] * 2)
    config = LearnerConfig(minibatches=1, learning_rate=1e-3, kl=0.5)
    learner = Learner(policy, list(policy.model.parameters()), config)
    assert learner.update(samples, [1.0, -1.0], random.Random(0))["kl"] == pytest.approx(0.0, abs=1e-6)
    assert learner.update(samples, [1.0, -1.0], random.Random(0))["kl"] > 1e-7
