"""Supervised warm start of designer and executor on imperfect scripted demonstrations."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from mx_agents.errors import UsageError
from mx_agents.micro.demonstrations import demonstrator_of
from mx_agents.micro.model import ModelSize, build_model, train_tokenizer
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.trainer.config import ColdStartConfig
from mx_agents.trainer.learner import Learner, LearnerConfig
from mx_agents.trainer.mapping import Kind
from mx_envs import Observation, designer_chat, guide_text
from mx_tasks import TaskSet

TOKENIZER_TASKS = 300
FIRST_TASK = 1_000_000
"""Demonstrations are of tasks from this place of the train split on; training itself never gets that far."""
WHOLE_TASK_EVERY = 4
"""One demonstration in so many answers a whole task at once instead of one part."""

Example = tuple[list[int], list[int]]
Progress = Callable[[str, float], None]
"""Told the role and the share of its cold start that is done."""


@dataclass(frozen=True, slots=True)
class StartModels:
    """A model of each kind that is needed, and their tokenizer."""

    tokenizer: Any
    models: dict[Kind, Any]


def new_models(
    task_set: TaskSet, seed: int, size: ModelSize, guide: str, kinds: Collection[Kind]
) -> StartModels:
    """Models with random weights and a tokenizer that spells the tasks' language and the guide in few tokens."""
    rng = random.Random(f"tokenizer/{seed}")
    demonstrations, texts = demonstrator_of(task_set.name), [guide_text(guide)] * 2
    for index in range(TOKENIZER_TASKS):
        prompt = designer_chat(task_set.task("train", index), "")[-1]["content"]
        texts += [prompt, demonstrations.answer(prompt, rng), demonstrations.design(rng)]
    tokenizer = train_tokenizer(texts)
    models = {
        kind: build_model(len(tokenizer), 2 * seed + (kind == "executor"), size) for kind in sorted(kinds)
    }
    return StartModels(tokenizer, models)


def warm_start(
    models: StartModels,
    task_set: TaskSet,
    config: ColdStartConfig,
    seed: int,
    progress: Progress,
    guide: str,
) -> None:
    """Fine-tune the models in place. Demonstrations come from the train split, beyond the tasks that training draws."""
    rng = random.Random(f"cold start/{seed}")
    (any_model, *_) = models.models.values()
    reader = HuggingFacePolicy(any_model, models.tokenizer)
    executor = _executor_examples(reader, task_set, config.executor_demonstrations, rng)
    designer = _designer_examples(reader, task_set, config.designer_demonstrations, rng, guide)
    often = max(1, round(config.designer_epochs / max(config.executor_epochs, 1)))
    plans: dict[Kind, tuple[list[Example], int, int]] = {
        "executor": (executor, config.executor_epochs, config.executor_batch),
        "designer": (designer, config.designer_epochs, config.designer_batch),
        "both": (executor + designer * often, config.executor_epochs, config.executor_batch),
    }
    for role, (examples, epochs, batch) in plans.items():
        if role not in models.models:
            continue
        model = models.models[role]
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        learner = Learner(HuggingFacePolicy(model, models.tokenizer), learning, LearnerConfig())
        total = max(1, epochs * len(examples) // batch)
        losses = learner.fine_tune(
            examples, epochs=epochs, batch=batch, learning_rate=config.learning_rate, rng=rng
        )
        for done, _ in enumerate(losses, 1):
            progress(role, min(1.0, done / total))
        model.eval()


def _executor_examples(
    policy: HuggingFacePolicy, task_set: TaskSet, count: int, rng: random.Random
) -> list[Example]:
    demonstrations = demonstrator_of(task_set.name)
    examples: list[Example] = []
    index = FIRST_TASK
    while len(examples) < count:
        task = task_set.task("train", index)
        prompts = [part.prompt for part in task.parts]
        if index % WHOLE_TASK_EVERY == 0:
            prompts.append(task.prompt)
        for prompt in prompts:
            chat = Observation(
                messages=(
                    {"role": "system", "content": demonstrations.ROLE},
                    {"role": "user", "content": prompt},
                )
            )
            examples.append((policy.encode(chat), policy.encode_answer(demonstrations.answer(prompt, rng))))
        index += 1
    return examples[:count]


def _designer_examples(
    policy: HuggingFacePolicy, task_set: TaskSet, count: int, rng: random.Random, guide: str
) -> list[Example]:
    demonstrations = demonstrator_of(task_set.name)
    examples = []
    for index in range(count):
        chat = Observation(messages=designer_chat(task_set.task("train", FIRST_TASK + index), guide))
        examples.append((policy.encode(chat), policy.encode_answer(demonstrations.design(rng))))
    if policy.cut_prompts:
        raise UsageError(
            f"the guide and a task do not fit the {policy.room} tokens that the model reads of a prompt; use guide=short, or a "
            "larger context"
        )
    return examples
