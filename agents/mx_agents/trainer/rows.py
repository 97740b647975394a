"""Calls as rows of a batch: duplicates merged, in micro-batches of a number of tokens, padded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from mx_agents.models.hugging_face import Sample

IGNORED = -100
NOTHING = 1e-9

Example = tuple[list[int], list[int]]
"""Token ids of a prompt and of its answer."""


@dataclass(frozen=True, slots=True)
class Row:
    """A call that occurred ``count`` times, ``praised`` of them with a positive advantage: the sums of its positive and of its
    negative advantages. ``own`` are the learner's log-probabilities of its tokens where they are not taken to be the sampler's,
    ``start`` those under the weights that training starts from.
    """

    sample: Sample
    gain: float
    pain: float
    count: int
    praised: int = 0
    own: tuple[float, ...] = ()
    start: tuple[float, ...] = ()

    @property
    def length(self) -> int:
        """Tokens of prompt and answer."""
        return len(self.sample.prompt_ids) + len(self.sample.output_ids)


def merge_duplicates(samples: Sequence[Sample], advantages: Sequence[float]) -> list[Row]:
    """One row for all calls with the same prompt and answer, without those that carry no advantage.

    Equal tokens have equal probabilities, so the merged loss is the same and small action spaces cost far less to learn from.
    """
    rows: dict[tuple[tuple[int, ...], tuple[int, ...]], Row] = {}
    for sample, advantage in zip(samples, advantages, strict=True):
        if abs(advantage) <= NOTHING or not sample.output_ids:
            continue
        key = (tuple(sample.prompt_ids), tuple(sample.output_ids))
        row = rows.get(key, Row(sample, 0.0, 0.0, 0))
        rows[key] = replace(
            row,
            gain=row.gain + max(advantage, 0.0),
            pain=row.pain + min(advantage, 0.0),
            count=row.count + 1,
            praised=row.praised + (advantage > 0),
        )
    return list(rows.values())


def microbatches(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """The rows in batches of similar length whose padded size stays within ``tokens``."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda each: each.length):
        if batch and (len(batch) + 1) * row.length > tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def batches_of_similar_length(
    examples: Sequence[Example], batch: int, rng: random.Random
) -> list[list[Example]]:
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


def padded(pairs: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
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
