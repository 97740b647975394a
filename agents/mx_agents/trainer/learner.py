"""Learning from calls: supervised fine-tuning and the policy gradient, for one role's parameters."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch

from mx_agents.errors import UsageError
from mx_agents.models.hugging_face import HuggingFacePolicy, Sample
from mx_agents.trainer.config import Loss
from mx_agents.trainer.forward import is_out_of_memory, learning_mode, token_log_probabilities
from mx_agents.trainer.losses import Size, Terms, clipped_tokens, objective
from mx_agents.trainer.rows import (
    IGNORED,
    Example,
    Row,
    batches_of_similar_length,
    merge_duplicates,
    microbatches,
    padded,
)


class GapError(UsageError):
    """Sampler and learner disagree about the probabilities of the same tokens: what is learnt would not be what was sampled."""


@dataclass(frozen=True, slots=True)
class LearnerConfig:
    """Hyperparameters of one role's updates.

    The learning rate rises over ``warmup_updates`` and falls in a straight line to ``final_learning_rate`` of itself at the end of
    training: Adam steps as far on noise as on signal, and a policy that has little left to learn is spoilt by full steps.

    ``clip_high`` (None: as ``clip``) bounds ratios from above. ``max_gap`` is how far (nats a token, mean) the learner's
    log-probabilities of a step's calls may be from the sampler's before anything has been learnt from them. ``importance_cap``
    (0: off) weighs each token by the learner's probability over the sampler's, at most that much (truncated importance sampling).
    ``kl`` (0: off) holds the policy to the one that training starts from: so much of the distance from it is added to the loss, a
    mean over tokens, estimated as in GRPO (arXiv 2402.03300, equation 4).
    """

    learning_rate: float = 3e-4
    final_learning_rate: float = 0.1
    warmup_updates: int = 5
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    loss: Loss = "ppo"
    clip: float = 0.2
    clip_high: float | None = None
    entropy: float = 0.0
    minibatches: int = 2
    max_rows: int = 768
    tokens_per_microbatch: int = 16_384
    max_gap: float = math.inf
    importance_cap: float = 0.0
    kl: float = 0.0


@dataclass(slots=True)
class Learner:
    """One role's trainable parameters, their optimizer, and the two kinds of update.

    A role that is frozen makes no backward pass and no optimizer step: :meth:`fingerprint` shows it. Weights of less than 32 bits
    have a copy in full precision, the ``masters``, which the optimizer moves: at 8 bits of mantissa a small step is no step.
    """

    policy: HuggingFacePolicy
    parameters: list[torch.nn.Parameter]
    config: LearnerConfig
    updates: int = 0
    masters: list[torch.nn.Parameter] = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)
    tokens_per_microbatch: int = field(init=False)
    """As configured, or what memory was found to have room for."""
    start: list[torch.Tensor] = field(init=False, repr=False)
    """The weights that training starts from, where the policy is held to them."""

    def __post_init__(self) -> None:
        self.start = [parameter.detach().clone() for parameter in self.parameters] if self.config.kl else []
        self.masters = [_master(parameter) for parameter in self.parameters]
        self.tokens_per_microbatch = self.config.tokens_per_microbatch
        self.optimizer = torch.optim.AdamW(
            self.masters,
            lr=self.config.learning_rate,
            betas=self.config.betas,
            weight_decay=self.config.weight_decay,
        )

    def fingerprint(self) -> str:
        """Hash of the role's parameters, bit for bit, whatever their precision."""
        digest = hashlib.sha256()
        for parameter in self.masters:
            data = parameter.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(data.numpy().tobytes())
        return digest.hexdigest()

    def fine_tune(
        self,
        examples: Sequence[Example],
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
            self.masters, lr=learning_rate, betas=self.config.betas, weight_decay=0.01
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, learning_rate, total_steps=max(total, 2), pct_start=0.1
        )
        for _ in range(epochs):
            for chosen in batches_of_similar_length(examples, batch, rng):
                ids_BT, mask_BT, target_BT = padded(chosen)
                self._forget_gradients()
                with self.policy.active_adapter(), learning_mode(self.policy.model):
                    log_probability_BT, _ = token_log_probabilities(
                        self.policy.model, ids_BT, mask_BT, target_BT
                    )
                    loss = -log_probability_BT.sum() / (target_BT != IGNORED).sum()
                    loss.backward()  # type: ignore[no-untyped-call]
                self._collect_gradients()
                torch.nn.utils.clip_grad_norm_(self.masters, self.config.max_gradient_norm)
                optimizer.step()
                self.show_masters()
                done += 1
                if done < total:
                    schedule.step()
                yield loss.item()

    def update(
        self, samples: Sequence[Sample], advantages: Sequence[float], rng: random.Random, done: float = 0.0
    ) -> dict[str, float]:
        """One pass of the policy gradient over the calls that carry an advantage; ``done`` is the share of training done.

        The objective is that of ``config.loss`` (see :mod:`mx_agents.trainer.losses`) and an entropy bonus, a mean over tokens.
        ``gap`` among the figures is the mean distance of the learner's log-probabilities from the sampler's, in nats, before the
        first step. Raises GapError when it is above ``config.max_gap``, UsageError when one call alone is too much for the memory.
        """
        rows = merge_duplicates(samples, advantages)
        if len(rows) > self.config.max_rows:
            rows = rng.sample(rows, self.config.max_rows)
        rng.shuffle(rows)
        if self.config.importance_cap:
            rows = [replace(row, own=own) for row, own in self._scored(rows)]
        if self.config.kl:
            with self._as_it_began():
                rows = [replace(row, start=start) for row, start in self._scored(rows)]
        totals = {"loss": 0.0, "entropy": 0.0, "clipped": 0.0, "gradient_norm": 0.0, "kl": 0.0}
        gaps: list[float] = []
        for start in range(self.config.minibatches):
            minibatch = rows[start :: self.config.minibatches]
            if not minibatch:
                continue
            found = self._minibatch(minibatch)
            gaps.append(found.pop("gap"))
            if len(gaps) == 1:
                self._check_gap(gaps[0])
            found["gradient_norm"] = float(
                torch.nn.utils.clip_grad_norm_(self.masters, self.config.max_gradient_norm)
            )
            self._step(done, found["gradient_norm"])
            totals = {name: value + found[name] for name, value in totals.items()}
        figures = {name: value / max(len(gaps), 1) for name, value in totals.items()}
        return figures | {"rows": float(len(rows)), "gap": gaps[0] if gaps else 0.0}

    def _minibatch(self, rows: Sequence[Row]) -> dict[str, float]:
        """Gradients and figures of a minibatch, in smaller micro-batches from the beginning where memory runs out."""
        while True:
            try:
                return self._gradients(rows)
            except (RuntimeError, MemoryError) as error:
                longest = max(row.length for row in rows)
                if not is_out_of_memory(error):
                    raise
                if self.tokens_per_microbatch <= longest:
                    raise UsageError(
                        f"memory is out with one call of {longest} tokens: use gradient_checkpointing, LoRA, a smaller model or "
                        "shorter answers; the last checkpoint is whole"
                    ) from None
            self.tokens_per_microbatch = max(longest, self.tokens_per_microbatch // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _gradients(self, rows: Sequence[Row]) -> dict[str, float]:
        tokens = sum(row.count * len(row.sample.output_ids) for row in rows)
        size = Size(sum(row.count for row in rows), tokens, self.policy.max_new_tokens)
        totals = {"loss": 0.0, "entropy": 0.0, "clipped": 0.0, "gap": 0.0, "kl": 0.0}
        self._forget_gradients()
        with self.policy.active_adapter(), learning_mode(self.policy.model):
            for microbatch in microbatches(rows, self.tokens_per_microbatch):
                for name, value in self._backward(microbatch, size).items():
                    totals[name] += value
                self._collect_gradients()
        return totals

    def _backward(self, rows: Sequence[Row], size: Size) -> dict[str, float]:
        """Backpropagate one micro-batch's share of a minibatch."""
        config = self.config
        ids_BT, mask_BT, target_BT = padded([(row.sample.prompt_ids, row.sample.output_ids) for row in rows])
        now_BT, entropy_BT = token_log_probabilities(
            self.policy.model, ids_BT, mask_BT, target_BT, self.policy.temperature
        )
        terms = _terms(rows, now_BT, target_BT)
        high = config.clip if config.clip_high is None else config.clip_high
        sampled_BT = _placed(now_BT, rows, [row.sample.log_probabilities for row in rows])
        gap_BT = (now_BT.detach() - sampled_BT).abs() * terms.at * terms.count
        if config.importance_cap:
            terms = _corrected(terms, sampled_BT, config.importance_cap, whole=config.loss == "gspo")
        counted_BT = terms.at * terms.count
        bonus = config.entropy * (entropy_BT * counted_BT).sum() / size.tokens
        held = _distance(now_BT, rows, counted_BT) / size.tokens if config.kl else torch.zeros(())
        loss = -objective(config.loss, terms, size, config.clip, high) - bonus + config.kl * held.to(now_BT)
        loss.backward()  # type: ignore[no-untyped-call]
        return {
            "loss": loss.item(),
            "entropy": ((entropy_BT.detach() * counted_BT).sum() / size.tokens).item(),
            "clipped": (clipped_tokens(config.loss, terms, config.clip, high) / size.tokens).item(),
            "gap": (gap_BT.sum() / size.tokens).item(),
            "kl": held.item(),
        }

    @contextmanager
    def _as_it_began(self) -> Iterator[None]:
        """With the weights that training starts from; those that it has come to are put back to the bit."""
        now = [parameter.detach().clone() for parameter in self.parameters]
        _put(self.start, self.parameters)
        try:
            yield
        finally:
            _put(now, self.parameters)

    @torch.no_grad()
    def _scored(self, rows: Sequence[Row]) -> list[tuple[Row, tuple[float, ...]]]:
        """The rows, each with the log-probabilities of its tokens under the weights as they are."""
        own = []
        with self.policy.active_adapter(), learning_mode(self.policy.model):
            for batch in microbatches(rows, self.tokens_per_microbatch):
                pairs = [(row.sample.prompt_ids, row.sample.output_ids) for row in batch]
                found_BT, _ = token_log_probabilities(
                    self.policy.model, *padded(pairs), self.policy.temperature
                )
                for row, found_T in zip(batch, found_BT, strict=True):
                    start = len(row.sample.prompt_ids) - 1
                    found = found_T[start : start + len(row.sample.output_ids)].tolist()
                    own.append((row, tuple(found)))
        return own

    def _check_gap(self, gap: float) -> None:
        if gap <= self.config.max_gap:  # not for NaN
            return
        raise GapError(
            f"the learner's log-probabilities are {gap:.3g} nats a token from the sampler's (at most {self.config.max_gap:g}): the "
            "model computes something else with its cache than without; raise max_gap only if you know why"
        )

    def _forget_gradients(self) -> None:
        for parameter in (*self.parameters, *self.masters):
            parameter.grad = None

    def _collect_gradients(self) -> None:
        """Add the gradients of weights in low precision to their masters', in full precision."""
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if master is parameter or parameter.grad is None:
                continue
            gradient = parameter.grad.to(master.dtype)
            master.grad = gradient if master.grad is None else master.grad + gradient
            parameter.grad = None

    @torch.no_grad()
    def show_masters(self) -> None:
        """Bring weights in low precision up to date with their masters."""
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if master is not parameter:
                parameter.copy_(master)

    def _step(self, done: float, gradient_norm: float) -> None:
        if not math.isfinite(gradient_norm):
            raise UsageError(
                f"the gradient is {gradient_norm}: lower the learning rate or use model.dtype=float32; the last checkpoint is whole"
            )
        self.updates += 1
        warm = min(1.0, self.updates / max(self.config.warmup_updates, 1))
        falling = 1.0 - (1.0 - self.config.final_learning_rate) * done
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * min(warm, falling)
        self.optimizer.step()
        self.show_masters()


@torch.no_grad()
def _put(values: Sequence[torch.Tensor], parameters: Sequence[torch.nn.Parameter]) -> None:
    for value, parameter in zip(values, parameters, strict=True):
        parameter.copy_(value)


def _distance(now_BT: torch.Tensor, rows: Sequence[Row], counted_BT: torch.Tensor) -> torch.Tensor:
    """The sum over calls' tokens of GRPO's estimate of the distance from the start: ``r - log r - 1`` with ``r = p_start / p``."""
    difference_BT = _placed(now_BT, rows, [row.start for row in rows]) - now_BT
    return ((difference_BT.exp() - difference_BT - 1.0) * counted_BT).sum()


def _master(parameter: torch.nn.Parameter) -> torch.nn.Parameter:
    if parameter.dtype in (torch.float32, torch.float64):
        return parameter
    return torch.nn.Parameter(parameter.detach().float().clone())


def _terms(rows: Sequence[Row], now_BT: torch.Tensor, target_BT: torch.Tensor) -> Terms:
    device = now_BT.device

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, device=device)[:, None]

    return Terms(
        now=now_BT,
        then=_placed(now_BT, rows, [row.own or row.sample.log_probabilities for row in rows]),
        at=(target_BT.to(device) != IGNORED).float(),
        gain=column([row.gain for row in rows]),
        pain=column([row.pain for row in rows]),
        count=column([float(row.count) for row in rows]),
        praised=column([float(row.praised) for row in rows]),
    )


def _placed(
    now_BT: torch.Tensor, rows: Sequence[Row], log_probabilities: Sequence[Sequence[float]]
) -> torch.Tensor:
    """Log-probabilities of the answers' tokens where these are in the batch; elsewhere what is there now."""
    placed_BT = now_BT.detach().clone()
    for place, (row, own) in enumerate(zip(rows, log_probabilities, strict=True)):
        start = len(row.sample.prompt_ids) - 1
        placed_BT[place, start : start + len(own)] = torch.tensor(own, device=now_BT.device)
    return placed_BT


def _corrected(terms: Terms, sampled_BT: torch.Tensor, cap: float, *, whole: bool) -> Terms:
    """Advantages weighed by the learner's probability over the sampler's, ``cap`` at most (IMPALA, arXiv 1802.01561).

    ``whole``: one weight for an answer, the geometric mean of its tokens'.
    """
    difference_BT = (terms.then - sampled_BT) * terms.at
    if whole:
        difference_BT = difference_BT.sum(dim=1, keepdim=True) / terms.lengths
    weight = difference_BT.exp().clamp(max=cap)
    return replace(terms, gain=terms.gain * weight, pain=terms.pain * weight)
