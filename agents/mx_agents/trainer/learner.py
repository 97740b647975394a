"""Learning from calls: supervised fine-tuning and the clipped policy gradient, for one role's parameters."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from mx_agents.models.hugging_face import HuggingFacePolicy, Sample

IGNORED = -100
NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class LearnerConfig:
    """Hyperparameters of one role's updates.

    The learning rate rises over ``warmup_updates`` and falls in a straight line to ``final_learning_rate`` of itself at the end of
    training: Adam steps as far on noise as on signal, and a policy that has little left to learn is spoilt by full steps.
    """

    learning_rate: float = 3e-4
    final_learning_rate: float = 0.1
    warmup_updates: int = 5
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    clip: float = 0.2
    entropy: float = 0.0
    minibatches: int = 2
    max_rows: int = 768
    tokens_per_microbatch: int = 16_384


@dataclass(slots=True)
class Learner:
    """One role's trainable parameters, their optimizer, and the two kinds of update.

    A role that is frozen makes no backward pass and no optimizer step: :meth:`fingerprint` shows it.
    """

    policy: HuggingFacePolicy
    parameters: list[torch.nn.Parameter]
    config: LearnerConfig
    updates: int = 0
    optimizer: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=self.config.learning_rate,
            betas=self.config.betas,
            weight_decay=self.config.weight_decay,
        )

    def fingerprint(self) -> str:
        """Hash of the role's parameters, bit for bit."""
        digest = hashlib.sha256()
        for parameter in self.parameters:
            digest.update(parameter.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def fine_tune(
        self,
        examples: Sequence[tuple[list[int], list[int]]],
        *,
        epochs: int,
        batch: int,
        learning_rate: float,
        rng: random.Random,
    ) -> Iterator[float]:
        """Supervised epochs over (prompt ids, answer ids), cosine learning rate; yields each batch's loss."""
        total = epochs * len(batches_of_similar_length(examples, batch, random.Random(0)))
        done = 0
        optimizer = torch.optim.AdamW(
            self.parameters, lr=learning_rate, betas=self.config.betas, weight_decay=0.01
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, learning_rate, total_steps=max(total, 2), pct_start=0.1
        )
        self.policy.model.train()
        for _ in range(epochs):
            for chosen in batches_of_similar_length(examples, batch, rng):
                ids_BT, mask_BT, target_BT = padded(chosen)
                optimizer.zero_grad(set_to_none=True)
                with self.policy.active_adapter():
                    log_probability_BT, _ = token_log_probabilities(
                        self.policy.model, ids_BT, mask_BT, target_BT
                    )
                    loss = -log_probability_BT.sum() / (target_BT != IGNORED).sum()
                    loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_gradient_norm)
                optimizer.step()
                done += 1
                if done < total:
                    schedule.step()
                yield loss.item()
        self.policy.model.eval()

    def update(
        self, samples: Sequence[Sample], advantages: Sequence[float], rng: random.Random, done: float = 0.0
    ) -> dict[str, float]:
        """One pass of the clipped policy gradient over the calls that carry an advantage; ``done`` is the share of training done.

        The loss is a mean over tokens: ``-min(r A, clip(r, 1 - c, 1 + c) A) - entropy * H`` with ``r`` the ratio of the token's
        probability now to that at the time of sampling (PPO, arXiv 1707.06347, equation 7).
        """
        rows = merge_duplicates(samples, advantages)
        if len(rows) > self.config.max_rows:
            rows = rng.sample(rows, self.config.max_rows)
        rng.shuffle(rows)
        totals = {"loss": 0.0, "entropy": 0.0, "clipped": 0.0, "gradient_norm": 0.0}
        steps = 0
        self.policy.model.train()
        for start in range(self.config.minibatches):
            minibatch = rows[start :: self.config.minibatches]
            if not minibatch:
                continue
            tokens = sum(row.count * len(row.sample.output_ids) for row in minibatch)
            self.optimizer.zero_grad(set_to_none=True)
            with self.policy.active_adapter():
                for microbatch in microbatches(minibatch, self.config.tokens_per_microbatch):
                    for name, value in self._backward(microbatch, tokens).items():
                        totals[name] += value
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_gradient_norm)
            totals["gradient_norm"] += float(norm)
            self._step(done)
            steps += 1
        self.policy.model.eval()
        return {name: value / max(steps, 1) for name, value in totals.items()} | {"rows": float(len(rows))}

    def _backward(self, rows: Sequence[Row], tokens: int) -> dict[str, float]:
        """Backpropagate one microbatch's share of a minibatch's token mean."""
        device = self.parameters[0].device
        ids_BT, mask_BT, target_BT = padded([(row.sample.prompt_ids, row.sample.output_ids) for row in rows])
        now_BT, entropy_BT = token_log_probabilities(
            self.policy.model, ids_BT, mask_BT, target_BT, self.policy.temperature
        )
        then_BT = now_BT.detach().clone()
        for place, row in enumerate(rows):
            start = len(row.sample.prompt_ids) - 1
            then_BT[place, start : start + len(row.sample.output_ids)] = torch.tensor(
                row.sample.log_probabilities
            )
        gain_B1 = torch.tensor([[row.gain] for row in rows], device=device)
        pain_B1 = torch.tensor([[row.pain] for row in rows], device=device)
        count_BT = (target_BT.to(device) != IGNORED) * torch.tensor(
            [[row.count] for row in rows], device=device
        )
        ratio_BT = (now_BT - then_BT).exp()
        at_least_BT = ratio_BT.clamp(min=1 - self.config.clip)
        at_most_BT = ratio_BT.clamp(max=1 + self.config.clip)
        # For one advantage of either sign this is PPO's minimum; a merged row has a share of each sign.
        objective_BT = (gain_B1 * at_most_BT + pain_B1 * at_least_BT) * (count_BT > 0)
        loss = -(objective_BT + self.config.entropy * entropy_BT * count_BT).sum() / tokens
        loss.backward()  # type: ignore[no-untyped-call]
        outside_BT = (ratio_BT.detach() - 1).abs() > self.config.clip
        return {
            "loss": loss.item(),
            "entropy": ((entropy_BT.detach() * count_BT).sum() / tokens).item(),
            "clipped": ((outside_BT * count_BT).sum() / tokens).item(),
        }

    def _step(self, done: float) -> None:
        self.updates += 1
        warm = min(1.0, self.updates / max(self.config.warmup_updates, 1))
        falling = 1.0 - (1.0 - self.config.final_learning_rate) * done
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * min(warm, falling)
        self.optimizer.step()


@dataclass(frozen=True, slots=True)
class Row:
    """A call that occurred ``count`` times: the sums of its positive and of its negative advantages."""

    sample: Sample
    gain: float
    pain: float
    count: int


def merge_duplicates(samples: Sequence[Sample], advantages: Sequence[float]) -> list[Row]:
    """One row for all calls with the same prompt and answer, without those that carry no advantage.

    Equal tokens have equal probabilities, so the merged loss is the same and small action spaces cost far less to learn from.
    """
    rows: dict[tuple[tuple[int, ...], tuple[int, ...]], Row] = {}
    for sample, advantage in zip(samples, advantages, strict=True):
        if abs(advantage) <= NOTHING:
            continue
        key = (tuple(sample.prompt_ids), tuple(sample.output_ids))
        row = rows.get(key, Row(sample, 0.0, 0.0, 0))
        rows[key] = Row(
            row.sample, row.gain + max(advantage, 0.0), row.pain + min(advantage, 0.0), row.count + 1
        )
    return list(rows.values())


def microbatches(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """The rows in batches of similar length whose padded size stays within ``tokens``."""
    batch: list[Row] = []
    for row in sorted(rows, key=_length):
        if batch and (len(batch) + 1) * _length(row) > tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _length(row: Row) -> int:
    return len(row.sample.prompt_ids) + len(row.sample.output_ids)


def batches_of_similar_length(
    examples: Sequence[tuple[list[int], list[int]]], batch: int, rng: random.Random
) -> list[list[tuple[list[int], list[int]]]]:
    """The examples in shuffled batches, each filled from a shuffled stretch sorted by length, so that little is padded."""
    order = rng.sample(list(examples), len(examples))
    stretch = 32 * batch
    sorted_stretches = [
        sorted(order[start : start + stretch], key=lambda pair: len(pair[0]) + len(pair[1]))
        for start in range(0, len(order), stretch)
    ]
    batches = [
        part[start : start + batch] for part in sorted_stretches for start in range(0, len(part), batch)
    ]
    rng.shuffle(batches)
    return batches


def padded(pairs: Sequence[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Right-padded (ids, mask, next-token targets) of (prompt, answer) pairs; only answer tokens are targets."""
    width = max(len(prompt) + len(answer) for prompt, answer in pairs)
    ids_BT = torch.zeros((len(pairs), width), dtype=torch.long)
    mask_BT = torch.zeros((len(pairs), width), dtype=torch.long)
    target_BT = torch.full((len(pairs), width), IGNORED, dtype=torch.long)
    for row, (prompt, answer) in enumerate(pairs):
        whole = torch.tensor([*prompt, *answer], dtype=torch.long)
        ids_BT[row, : len(whole)] = whole
        mask_BT[row, : len(whole)] = 1
        target_BT[row, len(prompt) - 1 : len(whole) - 1] = whole[len(prompt) :]
    return ids_BT, mask_BT, target_BT


def token_log_probabilities(
    model: Any, ids_BT: torch.Tensor, mask_BT: torch.Tensor, target_BT: torch.Tensor, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of each target token and the entropy at its place, (batch, time); 0 where there is no target."""
    device = next(model.parameters()).device
    target_BT = target_BT.to(device)
    logits_BTV = model(input_ids=ids_BT.to(device), attention_mask=mask_BT.to(device), use_cache=False).logits
    at = target_BT != IGNORED
    log_probability_NV = (logits_BTV[at].float() / temperature).log_softmax(dim=-1)
    chosen_BT = torch.zeros_like(target_BT, dtype=torch.float)
    chosen_BT = chosen_BT.masked_scatter(at, log_probability_NV.gather(1, target_BT[at][:, None])[:, 0])
    entropy_N = -(log_probability_NV.exp() * log_probability_NV).sum(dim=-1)
    entropy_BT = torch.zeros_like(target_BT, dtype=torch.float).masked_scatter(at, entropy_N)
    return chosen_BT, entropy_BT
