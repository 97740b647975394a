"""Updates: the loss is the clipped policy gradient, frozen means untouched, merged duplicates change nothing."""

from __future__ import annotations

import inspect
import random
from typing import Any

import pytest
import torch

from mx_agents.errors import PolicyError, UsageError
from mx_agents.models.folders import recompute_activations
from mx_agents.models.hugging_face import HuggingFacePolicy, Sample
from mx_agents.models.sampling import cache_argument
from mx_agents.trainer import learner as learner_module
from mx_agents.trainer.forward import token_log_probabilities
from mx_agents.trainer.learner import GapError, Learner, LearnerConfig
from mx_agents.trainer.rows import merge_duplicates, padded
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


def test_what_is_learnt_from_is_what_was_sampled_dropout_or_not(policy: HuggingFacePolicy) -> None:
    """The sampler has no dropout, so the learner has none: their probabilities are the same."""
    for module in policy.model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.5
    policy.model.model.embed_tokens.register_forward_hook(
        lambda module, _, output: torch.nn.functional.dropout(output, 0.5, training=module.training)
    )
    stats = learner_of(policy).update(policy.sample([CHAT] * 8), [1.0, -1.0] * 4, random.Random(0))
    assert stats["gap"] < 1e-5
    assert not policy.model.training


def test_a_sampler_that_is_not_the_learner_stops_the_run(policy: HuggingFacePolicy) -> None:
    samples = policy.sample([CHAT] * 4)
    apart = [
        Sample(s.prompt_ids, s.output_ids, [p - 1.0 for p in s.log_probabilities], s.text) for s in samples
    ]
    config = LearnerConfig(minibatches=1, max_gap=0.5)
    assert learner_of(policy, config).update(samples, [1.0, -1.0, 1.0, -1.0], random.Random(0))["gap"] < 1e-4
    learner = learner_of(policy, config)
    before = learner.fingerprint()
    with pytest.raises(GapError, match=r"1 nats a token.*max_gap"):
        learner.update(apart, [1.0, -1.0, 1.0, -1.0], random.Random(0))
    assert learner.fingerprint() == before, "nothing was learnt from it"


@pytest.mark.filterwarnings("ignore")  # its fast kernels are not installed
def test_a_recurrent_model_is_scored_as_it_was_sampled(tokenizer: Any) -> None:
    """Mamba's state takes padding in: batched with padding, the sampler drew from another distribution than the learner scores."""
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        state_size=4,
        eos_token_id=0,
        pad_token_id=0,
    )
    model = MambaForCausalLM(config).eval()
    for parameter in model.parameters():
        parameter.data.mul_(2.0)
    policy = HuggingFacePolicy(model, tokenizer, max_new_tokens=6)
    chats: list[Observation] = [{"messages": ({"role": "user", "content": "a " * n},)} for n in (1, 9, 9, 30)]
    if not {"cache", "past_key_values"} & set(inspect.signature(model.forward).parameters):
        with pytest.raises(PolicyError, match="newer transformers"):  # before all models took the same cache
            policy.sample(chats)
        return
    samples = policy.sample(chats * 2)
    stats = learner_of(policy).update(samples, [1.0, -1.0] * 4, random.Random(0))
    assert stats["gap"] < 1e-4


class _Renamed(torch.nn.Module):
    """A model as another transformers spells its cache."""

    def __init__(self, forward: Any) -> None:
        super().__init__()
        self.forward = forward


def test_the_cache_goes_by_the_name_that_the_model_gives_it() -> None:
    old = _Renamed(lambda input_ids, past_key_values=None, **more: None)
    new = _Renamed(lambda input_ids, cache=None, **more: None)
    assert (cache_argument(old), cache_argument(new)) == ("past_key_values", "cache")
    with pytest.raises(PolicyError, match="newer transformers"):
        cache_argument(_Renamed(lambda input_ids, cache_params=None, **more: None))


def test_small_steps_move_weights_of_low_precision(policy: HuggingFacePolicy) -> None:
    """At a rate of 1e-6 bf16 weights stand still; their masters move as 32-bit weights do, and carry over."""
    exact = {name: value.clone() for name, value in policy.model.state_dict().items()}
    config = LearnerConfig(minibatches=1, warmup_updates=0, learning_rate=1e-6)
    samples = policy.sample([CHAT] * 4)
    moved = {}
    for dtype in (torch.float32, torch.bfloat16):
        policy.model.load_state_dict(exact)
        policy.model.to(dtype)
        learner = learner_of(policy, config)
        first = [master.detach().clone() for master in learner.masters]
        prints = learner.fingerprint()
        for step in range(10):
            learner.update(samples, [1.0, -1.0, 0.5, -0.5], random.Random(step))
        assert learner.fingerprint() != prints
        assert all(master.dtype == torch.float32 for master in learner.masters)
        changed = [(a != b).sum().item() for a, b in zip(first, learner.masters, strict=True)]
        moved[dtype] = sum(changed) / sum(parameter.numel() for parameter in first)
        for parameter, master in zip(learner.parameters, learner.masters, strict=True):
            assert torch.equal(parameter, master.to(dtype))
    assert moved[torch.bfloat16] > 0.9 * moved[torch.float32] > 0.3


def test_memory_that_runs_out_makes_smaller_batches_of_the_same_update(
    policy: HuggingFacePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, advantages = policy.sample([CHAT] * 12), [1.0, -1.0] * 6
    exact = {name: value.clone() for name, value in policy.model.state_dict().items()}
    learner_of(policy).update(samples, advantages, random.Random(0))
    expected = [parameter.detach().clone() for parameter in policy.model.parameters()]
    policy.model.load_state_dict(exact)
    forward, room = learner_module.token_log_probabilities, 100

    def crowded(model: Any, ids_BT: torch.Tensor, *rest: Any) -> Any:
        if ids_BT.numel() > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 40 GiB.")
        return forward(model, ids_BT, *rest)

    monkeypatch.setattr(learner_module, "token_log_probabilities", crowded)
    learner = learner_of(policy)
    learner.update(samples, advantages, random.Random(0))
    assert learner.tokens_per_microbatch <= room
    for parameter, value in zip(policy.model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.detach(), value, atol=1e-5, rtol=1e-4)
    room = 3
    before = learner.fingerprint()
    with pytest.raises(UsageError, match="memory is out with one call"):
        learner.update(samples, advantages, random.Random(0))
    assert learner.fingerprint() == before


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    policy: HuggingFacePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(learner_module, "token_log_probabilities", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        learner_of(policy).update(policy.sample([CHAT] * 2), [1.0, -1.0], random.Random(0))


def test_a_gradient_that_is_no_number_changes_nothing(policy: HuggingFacePolicy) -> None:
    (good, bad) = policy.sample([CHAT] * 2)
    learner = learner_of(policy)
    before = learner.fingerprint()
    with pytest.raises(UsageError, match="nan"):
        learner.update([good, bad], [float("nan"), -1.0], random.Random(0))
    assert learner.fingerprint() == before


def test_recomputed_activations_give_the_same_gradient(policy: HuggingFacePolicy) -> None:
    samples = policy.sample([CHAT] * 4)
    exact = {name: value.clone() for name, value in policy.model.state_dict().items()}
    found = []
    for recomputed in (False, True):
        policy.model.load_state_dict(exact)
        if recomputed:
            recompute_activations(policy.model)
        learner_of(policy).update(samples, [1.0, -1.0, 0.5, -0.5], random.Random(0))
        found.append([parameter.detach().clone() for parameter in policy.model.parameters()])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
