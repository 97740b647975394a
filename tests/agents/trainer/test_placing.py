"""The device and the precision are chosen, and said; a place that is not there is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mx_agents.errors import UsageError
from mx_agents.models.device import choose_device, choose_dtype
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.trainer.config import load_config, parse_config
from mx_agents.trainer.placing import place_in_words
from mx_agents.trainer.roles import load_roles


def test_the_place_is_said() -> None:
    assert place_in_words(load_config("micro", None)) == "models on cpu, weights in float32"
    words = place_in_words(parse_config({"model": {"base": "x", "device": "cpu", "dtype": "bfloat16"}}))
    assert words == "models on cpu, weights in bfloat16, those that learn with copies in float32"


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "processor"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name!r}.*use auto"):
        choose_device(name)


def test_the_best_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert choose_device().type == "cuda"
    assert choose_dtype("auto", torch.device("cuda")) == torch.bfloat16
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    with pytest.raises(UsageError, match=r"'bfloat'.*did you mean 'bfloat16'"):
        choose_dtype("bfloat", torch.device("cpu"))


def test_roles_of_low_precision_learn_in_full(policy: HuggingFacePolicy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    config = parse_config({"model": {"base": str(tmp_path), "device": "cpu", "dtype": "bfloat16"}})
    roles = load_roles(config, tmp_path)
    assert {parameter.dtype for parameter in roles.designer.policy.model.parameters()} == {torch.bfloat16}
    assert {master.dtype for master in roles.learners()["designer"].masters} == {torch.float32}
