"""A policy that is a Hugging Face causal language model, with named LoRA adapters and batched sampling.

Sampling is :mod:`mx_agents.models.sampling`.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch

from mx_agents.models.chat_template import FALLBACKS, ChatTemplate
from mx_agents.models.folders import load_model, save_model
from mx_agents.models.sampling import sample_tokens
from mx_agents.models.saved import PolicyFacts
from mx_envs import Message, Observation

logger = logging.getLogger(__name__)


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
    adapter of its own. ``temperature`` 0 is greedy. ``max_prompt_tokens`` keeps the end of a longer chat (None: what the model's
    context has room for); ``cut_prompts`` counts the chats that this shortened. ``guide`` is the one that it was trained under
    (see :mod:`mx_envs.guide`), None where it does not say. ``template_options`` are passed to the chat template.
    """

    tells_samples: ClassVar[bool] = True
    model: Any
    tokenizer: Any
    adapter: str | None = None
    temperature: float = 1.0
    max_new_tokens: int = 256
    max_prompt_tokens: int | None = None
    max_batch: int = 512
    seed: int = 0
    guide: str | None = None
    role: str = ""
    tasks: str = ""
    template_options: dict[str, Any] = field(default_factory=dict)
    cut_prompts: int = field(init=False, default=0)
    generator: torch.Generator = field(init=False, repr=False)
    template: ChatTemplate = field(init=False, repr=False)
    end_ids: frozenset[int] = field(init=False, repr=False)
    """Every token that ends an answer: those of tokenizer, model and generation config, and the template's end of turn."""

    def __post_init__(self) -> None:
        self.generator = torch.Generator(device=self.device).manual_seed(self.seed)
        self.template = ChatTemplate(self.tokenizer, self.template_options)
        for fallback in self.template.fallbacks:
            _say(FALLBACKS[fallback])
        self.end_ids = frozenset(_end_ids(self.model, self.tokenizer) | set(self._end_of_turn()))

    @classmethod
    def load(
        cls, path: str | Path, *, device: str = "auto", dtype: str = "auto", **options: Any
    ) -> HuggingFacePolicy:
        """A policy from a folder (or hub name) in Hugging Face's format, or from a LoRA adapter's folder.

        What training left beside the weights (guide, lengths, temperature) holds unless ``options`` say otherwise.
        Raises UsageError.
        """
        model, tokenizer = load_model(path, device=device, dtype=dtype)
        facts = PolicyFacts.read(Path(path)) or PolicyFacts()
        known = {
            "guide": facts.guide,
            "role": facts.role,
            "tasks": facts.tasks,
            "max_new_tokens": facts.max_new_tokens,
            "max_prompt_tokens": facts.max_prompt_tokens,
            "temperature": facts.temperature,
            "template_options": facts.template_options or {},
        }
        return cls(model, tokenizer, **known | options)

    def save(self, path: Path) -> None:
        """Write the model (or this policy's adapter), its tokenizer, and how it is to be played."""
        save_model(self.model, path, self.adapter)
        self.tokenizer.save_pretrained(path)
        PolicyFacts(
            role=self.role,
            tasks=self.tasks,
            guide=self.guide,
            max_new_tokens=self.max_new_tokens,
            max_prompt_tokens=self.max_prompt_tokens,
            temperature=self.temperature,
            template_options=self.template_options,
        ).write(path)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def room(self) -> int | None:
        """Tokens of the longest prompt that is read whole; None for no limit."""
        context = getattr(self.model.config, "max_position_embeddings", None)
        fits = None if context is None else max(1, context - self.max_new_tokens)
        return self.max_prompt_tokens if self.max_prompt_tokens is not None else fits

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
                    end_ids=self.end_ids,
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
        messages: list[Message] = [
            {"role": message["role"], "content": spelt.sub(rf"{mark}\g<0>{mark}", message["content"])}
            for message in observation["messages"]
        ]
        text = self.template.render(messages)
        ids: list[int] = []
        for place, piece in enumerate(text.split(mark)):
            ids += self._ids(piece, letters_only=place % 2 == 1)
        room = self.room
        if room is None or len(ids) <= room:
            return ids
        self.cut_prompts += 1
        return ids[-room:]

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
        end = self._end_of_turn() or [self.tokenizer.eos_token_id]
        return [*self._ids(text, letters_only=True), *end]

    def _end_of_turn(self) -> list[int]:
        """The special token that the chat template ends an answer with; none where it ends with letters or nothing."""
        ids = self._ids(self.template.end_of_turn())[:1]
        return ids if set(ids) <= set(self.tokenizer.all_special_ids) | self._added_special_ids() else []

    def _added_special_ids(self) -> set[int]:
        return {place for place, token in self.tokenizer.added_tokens_decoder.items() if token.special}

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


@lru_cache(maxsize=16)
def _say(fallback: str) -> None:
    """Tell once what a template cannot spell, and what is done instead."""
    logger.warning("%s", fallback)


def _end_ids(model: Any, tokenizer: Any) -> set[int]:
    """The ends that a tokenizer, a model's configuration and its generation configuration name."""
    named = [
        tokenizer.eos_token_id,
        getattr(model.config, "eos_token_id", None),
        getattr(getattr(model, "generation_config", None), "eos_token_id", None),
    ]
    ids: set[int] = set()
    for each in named:
        ids |= set(each) if isinstance(each, list | tuple) else set() if each is None else {each}
    return ids
