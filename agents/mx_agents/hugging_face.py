"""A policy that is a Hugging Face causal language model, with named LoRA adapters and batched sampling.

The sampling loop is written out rather than left to ``generate()`` because a trainer needs, for every sampled token, its
log-probability under exactly the distribution that it was drawn from: the full softmax at the temperature, nothing cut off.
"""

from __future__ import annotations

import inspect
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from mx_envs import Observation

PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
"""For base models, whose tokenizers have no chat template."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sampled action: its tokens and the log-probability of each at the time of sampling."""

    prompt_ids: list[int]
    output_ids: list[int]
    log_probabilities: list[float]
    text: str


@dataclass(slots=True)
class HuggingFacePolicy:
    """A causal language model as a policy.

    ``adapter`` names the LoRA adapter that is active while this policy acts: several policies may share one model, each with an
    adapter of its own. ``temperature`` 0 is greedy. ``max_prompt_tokens`` keeps the end of a longer chat.
    """

    model: Any
    tokenizer: Any
    adapter: str | None = None
    temperature: float = 1.0
    max_new_tokens: int = 256
    max_prompt_tokens: int = 4096
    max_batch: int = 512
    seed: int = 0
    generator: torch.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.generator = torch.Generator(device="cpu").manual_seed(self.seed)

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> HuggingFacePolicy:
        """A policy from a folder (or hub name) in Hugging Face's format. Raises OSError when there is none."""
        model: Any = AutoModelForCausalLM.from_pretrained(path)
        return cls(model.eval(), AutoTokenizer.from_pretrained(path), **options)

    def save(self, path: Path) -> None:
        """Write the model and its tokenizer in Hugging Face's format."""
        self.model.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    def act(self, observations: Sequence[Observation]) -> list[str]:
        """One sampled text per observation."""
        return [sample.text for sample in self.sample(observations)]

    def sample(self, observations: Sequence[Observation]) -> list[Sample]:
        """Sample one action per observation, in batches of chats of similar length."""
        prompts = [self.encode(observation) for observation in observations]
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        samples: dict[int, Sample] = {}
        with self.active_adapter():
            for start in range(0, len(order), self.max_batch):
                places = order[start : start + self.max_batch]
                sampled = sample_tokens(
                    self.model,
                    [prompts[place] for place in places],
                    end_id=self.tokenizer.eos_token_id,
                    max_new_tokens=self.max_new_tokens,
                    temperature=self.temperature,
                    generator=self.generator,
                )
                for place, (output_ids, log_probabilities) in zip(places, sampled, strict=True):
                    text = self.tokenizer.decode(output_ids, skip_special_tokens=True)
                    samples[place] = Sample(prompts[place], output_ids, log_probabilities, text)
        return [samples[place] for place in range(len(prompts))]

    def encode(self, observation: Observation) -> list[int]:
        """Token ids of a chat, ready to be answered.

        Special tokens come from the chat template alone: where a message's text spells one (``<|assistant|>``), it is read as those
        letters, so that no text can pose as another speaker.
        """
        mark = secrets.token_hex(16)  # no text can hold it
        spelt = self._special_spellings()
        messages = [
            {**message, "content": spelt.sub(rf"{mark}\g<0>{mark}", message["content"])}
            for message in observation["messages"]
        ]
        text = self.tokenizer.apply_chat_template(
            messages,
            chat_template=self.tokenizer.chat_template or PLAIN_TEMPLATE,
            add_generation_prompt=True,
            tokenize=False,
        )
        ids: list[int] = []
        for place, piece in enumerate(text.split(mark)):
            ids += self._ids(piece, letters_only=place % 2 == 1)
        return ids[-self.max_prompt_tokens :]

    def _special_spellings(self) -> re.Pattern[str]:
        """Matches every special token's spelling, the longest first; nothing when there is none."""
        added = self.tokenizer.added_tokens_decoder.values()  # some families name a few of them only here
        special = {token.content for token in added if token.special} | set(self.tokenizer.all_special_tokens)
        spellings = sorted(special, key=lambda token: (-len(token), token))
        return re.compile("|".join(map(re.escape, spellings)) or r"(?!)")

    def _ids(self, text: str, *, letters_only: bool = False) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=letters_only)[
            "input_ids"
        ]
        return ids

    def encode_answer(self, text: str) -> list[int]:
        """Token ids of an action with its end, as a target of supervised learning."""
        return [*self._ids(text, letters_only=True), self.tokenizer.eos_token_id]

    @contextmanager
    def active_adapter(self) -> Iterator[None]:
        """Make this policy's adapter the model's active one, without touching what is trainable."""
        if self.adapter is None:
            yield
            return
        trainable = [parameter.requires_grad for parameter in self.model.parameters()]
        before = self.model.active_adapter
        self.model.set_adapter(self.adapter)
        try:
            yield
        finally:
            self.model.set_adapter(before)
            for parameter, requires_grad in zip(self.model.parameters(), trainable, strict=True):
                parameter.requires_grad_(requires_grad)


@torch.no_grad()
def sample_tokens(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    end_id: int,
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator,
) -> list[tuple[list[int], list[float]]]:
    """Sample a continuation of each prompt with a shared key-value cache.

    Returns, for each prompt, the new tokens (the end token included when it was drawn) and their log-probabilities. Rows that are
    done leave the batch when at least half of it is.
    """
    device = next(model.parameters()).device
    width = max(len(prompt) for prompt in prompts)
    ids_BT = torch.full((len(prompts), width), end_id, dtype=torch.long)
    mask_BT = torch.zeros((len(prompts), width), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids_BT[row, width - len(prompt) :] = torch.tensor(prompt, dtype=torch.long)
        mask_BT[row, width - len(prompt) :] = 1
    ids_BT, mask_BT = ids_BT.to(device), mask_BT.to(device)
    position_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)
    outputs: list[tuple[list[int], list[float]]] = [([], []) for _ in prompts]
    rows = list(range(len(prompts)))
    cache = DynamicCache(config=model.config)
    cached = {cache_argument(model): cache}
    for _ in range(max_new_tokens):
        logits_BV = model(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            position_ids=position_BT,
            **cached,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        token_B, log_probability_B = draw(logits_BV, temperature, generator)
        tokens, log_probabilities = token_B.tolist(), log_probability_B.tolist()
        live = []
        for place, row in enumerate(rows):
            if outputs[row][0] and outputs[row][0][-1] == end_id:
                continue
            outputs[row][0].append(tokens[place])
            outputs[row][1].append(log_probabilities[place])
            if tokens[place] != end_id:
                live.append(place)
        if not live:
            break
        ids_BT, position_BT = token_B[:, None], position_BT[:, -1:] + 1
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(rows), 1)], dim=1)
        if 2 * len(live) <= len(rows):
            kept = torch.tensor(live, device=device)
            cache.batch_select_indices(kept)
            ids_BT, position_BT, mask_BT = ids_BT[kept], position_BT[kept], mask_BT[kept]
            rows = [rows[place] for place in live]
    return outputs


def cache_argument(model: Any) -> str:
    """What the model's ``forward`` calls its key-value cache: ``cache``, or ``past_key_values`` before transformers renamed it.

    An adapter's wrapper takes any keyword, so the model inside it is asked.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "cache" if "cache" in inspect.signature(inner.forward).parameters else "past_key_values"


def draw(
    logits_BV: torch.Tensor, temperature: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token per row and its log-probability; temperature 0 takes the likeliest."""
    scaled_BV = logits_BV.float() / (temperature or 1.0)
    log_probability_BV = scaled_BV.log_softmax(dim=-1)
    if temperature == 0:
        token_B = log_probability_BV.argmax(dim=-1)
    else:
        probability_BV = log_probability_BV.exp().cpu()
        token_B = torch.multinomial(probability_BV, 1, generator=generator)[:, 0].to(logits_BV.device)
    return token_B, log_probability_BV.gather(1, token_B[:, None])[:, 0]
