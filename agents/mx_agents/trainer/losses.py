"""What is made larger: published policy-gradient objectives, as functions of log-probabilities and advantages.

=========  ====================================  =======================  ======================================================
loss       ratio                                 mean over                from
=========  ====================================  =======================  ======================================================
ppo        per token, clipped                    tokens                   PPO, arXiv 1707.06347, equation 7
grpo       per token, clipped                    tokens of an answer,     DeepSeekMath, arXiv 2402.03300, equation 3 (without KL)
                                                 then answers
dr-grpo    per token, clipped                    answers, over the        arXiv 2503.20783, section 3.2
                                                 longest length allowed
dapo       per token, clipped more above         tokens                   arXiv 2503.14476, equation 8
rloo       none: REINFORCE                       answers                  arXiv 2402.14740, equation 8
gspo       per answer, geometric mean, clipped   answers                  arXiv 2507.18071, equations 5 and 7
cispo      per token, clipped, no gradient       tokens                   arXiv 2506.13585, equations 4 and 5
=========  ====================================  =======================  ======================================================

How rewards become advantages (whose mean is taken off, and by what they are divided) is :mod:`mx_agents.trainer.credit`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mx_agents.trainer.config import Loss


@dataclass(frozen=True, slots=True)
class Terms:
    """A micro-batch: log-probabilities now and at the time of sampling, where answers are (1.0, else 0.0), and per row the sums of
    praise and blame and how many calls it stands for.
    """

    now: torch.Tensor
    then: torch.Tensor
    at: torch.Tensor
    gain: torch.Tensor
    pain: torch.Tensor
    count: torch.Tensor
    praised: torch.Tensor

    @property
    def lengths(self) -> torch.Tensor:
        """Answer tokens of each row, (batch, 1)."""
        return self.at.sum(dim=1, keepdim=True).clamp(min=1.0)


@dataclass(frozen=True, slots=True)
class Size:
    """A minibatch: its answers, their tokens, and the longest answer allowed."""

    answers: int
    tokens: int
    longest: int


def objective(loss: Loss, terms: Terms, size: Size, low: float, high: float) -> torch.Tensor:
    """This micro-batch's share of the minibatch's objective, to be made larger; a ratio is clipped to [1 - low, 1 + high]."""
    if loss == "rloo":
        return ((terms.gain + terms.pain) * terms.now * terms.at).sum() / size.answers
    if loss == "cispo":
        weight = _ratio(terms).clamp(1.0 - low, 1.0 + high).detach()
        return ((terms.gain + terms.pain) * weight * terms.now * terms.at).sum() / size.tokens
    if loss == "gspo":
        return _clipped(terms, _answer_ratio(terms), low, high).sum() / size.answers
    per_token = _clipped(terms, _ratio(terms), low, high) * terms.at
    if loss == "grpo":
        return (per_token / terms.lengths).sum() / size.answers
    if loss == "dr-grpo":
        return per_token.sum() / (size.answers * size.longest)
    return per_token.sum() / size.tokens


def clipped_tokens(loss: Loss, terms: Terms, low: float, high: float) -> torch.Tensor:
    """How many calls' tokens the clip has taken out of the gradient.

    Praise beyond the upper bound, blame beyond the lower one; CISPO, whose weights alone are clipped, counts those.
    """
    if loss == "rloo":
        return torch.zeros(())
    ratio = (_answer_ratio(terms) if loss == "gspo" else _ratio(terms)).detach()
    above, below = (ratio > 1.0 + high).float(), (ratio < 1.0 - low).float()
    if loss == "cispo":
        return ((above + below) * terms.at * terms.count).sum()
    blamed = terms.count - terms.praised
    return ((above * terms.praised + below * blamed) * terms.at).sum()


def _clipped(terms: Terms, ratio: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """``min(r A, clip(r) A)`` for either sign of A: a merged row has a share of each."""
    return terms.gain * ratio.clamp(max=1.0 + high) + terms.pain * ratio.clamp(min=1.0 - low)


def _ratio(terms: Terms) -> torch.Tensor:
    return (terms.now - terms.then).exp()


def _answer_ratio(terms: Terms) -> torch.Tensor:
    difference = ((terms.now - terms.then) * terms.at).sum(dim=1, keepdim=True)
    return (difference / terms.lengths).exp()
