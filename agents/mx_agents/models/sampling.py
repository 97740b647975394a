"""Batched sampling from a causal language model.

The loop is written out rather than left to ``generate()`` because a trainer needs, for every sampled token, its log-probability
under exactly the distribution that it was drawn from: the full softmax at the temperature, nothing cut off.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from transformers import DynamicCache

from mx_agents.errors import PolicyError

SHORTEST_PREFIX = 32
"""Tokens; a shorter beginning that all prompts share is not worth a pass of its own."""


@dataclass(slots=True)
class _Batch:
    """Rows in generation: the next tokens' logits, what attention sees, and the key-value cache."""

    logits: torch.Tensor
    mask: torch.Tensor | None
    """None where nothing is padded: a recurrent model may misread a mask that is longer than what it is given to read."""
    position: torch.Tensor
    cache: Any

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows, in this order; one may be taken several times."""
        kept = torch.tensor(list(places), device=self.logits.device)
        self.cache.batch_select_indices(kept)
        self.logits = self.logits[kept]
        self.mask = None if self.mask is None else self.mask[kept]
        self.position = self.position[kept]


@torch.no_grad()
def sample_tokens(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    end_ids: Collection[int],
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator,
) -> list[tuple[list[int], list[float]]]:
    """Sample a continuation of each prompt with a shared key-value cache.

    Returns, for each prompt, the new tokens (the end token included when it was drawn) and their log-probabilities. Equal prompts
    are read once, and so is a long beginning that all have in common. Rows that are done leave the batch when at least half of
    it is.
    """
    if not _can_select(model):
        return _by_length(
            model,
            prompts,
            end_ids=end_ids,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            generator=generator,
        )
    batch = _read(model, prompts)
    return _continue(model, batch, len(prompts), end_ids, max_new_tokens, temperature, generator, select=True)


def _by_length(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    end_ids: Collection[int],
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator,
) -> list[tuple[list[int], list[float]]]:
    """Sample for models with a recurrent state, which would take padding in: prompts of one length together, no row leaves."""
    outputs: dict[int, tuple[list[int], list[float]]] = {}
    for length in sorted({len(prompt) for prompt in prompts}):
        places = [place for place, prompt in enumerate(prompts) if len(prompt) == length]
        ids_BT = torch.tensor(
            [list(prompts[place]) for place in places], device=next(model.parameters()).device
        )
        cache = DynamicCache(config=model.config)
        position_BT = torch.arange(length, device=ids_BT.device).expand_as(ids_BT)
        logits_BV = _forward(model, ids_BT, None, position_BT, cache)
        batch = _Batch(logits_BV, None, position_BT[:, -1:], cache)
        found = _continue(
            model, batch, len(places), end_ids, max_new_tokens, temperature, generator, select=False
        )
        outputs.update(zip(places, found, strict=True))
    return [outputs[place] for place in range(len(prompts))]


def _can_select(model: Any) -> bool:
    """Whether rows of the model's cache can be chosen and repeated: not those of a recurrent state."""
    return all(hasattr(layer, "batch_select_indices") for layer in DynamicCache(config=model.config).layers)


def _continue(
    model: Any,
    batch: _Batch,
    count: int,
    end_ids: Collection[int],
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator,
    *,
    select: bool,
) -> list[tuple[list[int], list[float]]]:
    """Draw token after token; with ``select``, rows that are done leave the batch."""
    outputs: list[tuple[list[int], list[float]]] = [([], []) for _ in range(count)]
    rows = list(range(count))
    for step in range(max_new_tokens):
        token_B, log_probability_B = draw(batch.logits, temperature, generator)
        tokens, log_probabilities = token_B.tolist(), log_probability_B.tolist()
        live = []
        for place, row in enumerate(rows):
            if outputs[row][0] and outputs[row][0][-1] in end_ids:
                continue
            outputs[row][0].append(tokens[place])
            outputs[row][1].append(log_probabilities[place])
            if tokens[place] not in end_ids:
                live.append(place)
        if not live or step + 1 == max_new_tokens:
            break
        if select and 2 * len(live) <= len(rows):
            batch.keep(live)
            token_B = token_B[torch.tensor(live, device=token_B.device)]
            rows = [rows[place] for place in live]
        _advance(model, batch, token_B)
    return outputs


def _advance(model: Any, batch: _Batch, token_B: torch.Tensor) -> None:
    """Read one more token of each row."""
    if batch.mask is not None:
        batch.mask = torch.cat([batch.mask, batch.mask.new_ones(len(token_B), 1)], dim=1)
    batch.position = batch.position + 1
    batch.logits = _forward(model, token_B[:, None], batch.mask, batch.position, batch.cache)


def _read(model: Any, prompts: Sequence[Sequence[int]]) -> _Batch:
    """Read the prompts, each distinct one once, and what all begin with before everything else."""
    device = next(model.parameters()).device
    distinct = list(dict.fromkeys(tuple(prompt) for prompt in prompts))
    shared = _shared_length(distinct)
    cache = DynamicCache(config=model.config)
    if shared:
        ids_1T = torch.tensor([distinct[0][:shared]], dtype=torch.long, device=device)
        position_1T = torch.arange(shared, device=device)[None]
        _forward(model, ids_1T, torch.ones_like(ids_1T), position_1T, cache)
        cache.batch_select_indices(torch.zeros(len(distinct), dtype=torch.long, device=device))
    rests = [prompt[shared:] for prompt in distinct]
    width = max(len(rest) for rest in rests)
    ids_BT = torch.zeros((len(rests), width), dtype=torch.long)
    mask_BT = torch.zeros((len(rests), shared + width), dtype=torch.long)
    mask_BT[:, :shared] = 1
    for row, rest in enumerate(rests):
        ids_BT[row, width - len(rest) :] = torch.tensor(rest, dtype=torch.long)
        mask_BT[row, shared + width - len(rest) :] = 1
    ids_BT, mask_BT = ids_BT.to(device), mask_BT.to(device)
    position_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)[:, shared:]
    logits_BV = _forward(model, ids_BT, mask_BT, position_BT, cache)
    batch = _Batch(logits_BV, mask_BT, position_BT[:, -1:], cache)
    if len(distinct) < len(prompts):
        place_of = {prompt: place for place, prompt in enumerate(distinct)}
        batch.keep([place_of[tuple(prompt)] for prompt in prompts])
    return batch


def _shared_length(prompts: Sequence[tuple[int, ...]]) -> int:
    """Tokens that all prompts begin with, the last token of each left out; 0 where that is too few to matter."""
    if len(prompts) < 2:
        return 0
    first, last = min(prompts), max(prompts)  # what these two share, all that lie between them do
    shared = 0
    for ours, theirs in zip(first[:-1], last[:-1], strict=False):
        if ours != theirs:
            break
        shared += 1
    return shared if shared >= SHORTEST_PREFIX else 0


def _forward(
    model: Any, ids_BT: torch.Tensor, mask_BT: torch.Tensor | None, position_BT: torch.Tensor, cache: Any
) -> torch.Tensor:
    """The logits after the last token of each row; the cache grows by what was read."""
    masked = {} if mask_BT is None else {"attention_mask": mask_BT}
    logits_BV: torch.Tensor = model(
        input_ids=ids_BT,
        **masked,
        position_ids=position_BT,
        **{cache_argument(model): cache},
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]
    return logits_BV


def cache_argument(model: Any) -> str:
    """What the model's ``forward`` calls its key-value cache: ``cache``, or ``past_key_values`` before transformers renamed it.

    An adapter's wrapper takes any keyword, so the model inside it is asked. Raises PolicyError for a model that has neither, as
    recurrent ones had none before transformers gave all models the same: what it was not handed it would do without in silence.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    named = inspect.signature(inner.forward).parameters
    for name in ("cache", "past_key_values"):
        if name in named:
            return name
    raise PolicyError(
        f"{type(inner).__name__} takes no cache that transformers {transformers.__version__} shares among models, so it "
        "cannot be sampled token by token here; install a newer transformers (5.24 is known to do)"
    )


def draw(
    logits_BV: torch.Tensor, temperature: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token per row and its log-probability; temperature 0 takes the likeliest."""
    scaled_BV = logits_BV.float() / (temperature or 1.0)
    log_probability_BV = scaled_BV.log_softmax(dim=-1)
    if temperature == 0:
        token_B = log_probability_BV.argmax(dim=-1)
    else:
        token_B = torch.multinomial(log_probability_BV.exp(), 1, generator=generator)[:, 0]
    return token_B, log_probability_BV.gather(1, token_B[:, None])[:, 0]
