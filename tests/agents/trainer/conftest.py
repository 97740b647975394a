"""A tiny language model on the spot, the same one each time."""

from __future__ import annotations

import os

import pytest

if "train" in os.environ.get("MX_REQUIRE", "").split(","):
    import torch  # a missing part that is required must fail, not skip
else:
    torch = pytest.importorskip("torch", reason="needs the train extra")
    pytest.importorskip("transformers", reason="needs the train extra")

from mx_agents.micro.model import ModelSize, build_model, train_tokenizer
from mx_agents.models.hugging_face import HuggingFacePolicy

TEXTS = ["Write Python.", "1. * + a b c", "(a + b) * c", "from mas import *\nsubmit(coder(task))"]


@pytest.fixture(scope="session")
def backend(any_backend: str) -> str:
    """Training is tried on the backend that is taken here by default; that a run is the same on each is a test of its own."""
    return any_backend


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> object:
    return train_tokenizer(TEXTS * 20, vocabulary=300)


@pytest.fixture
def policy(tokenizer: object) -> HuggingFacePolicy:
    size = ModelSize(width=16, layers=2, heads=2, feed_forward=32)
    return HuggingFacePolicy(build_model(len(tokenizer), 0, size).eval(), tokenizer, max_new_tokens=12)
