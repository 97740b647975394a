"""What a message names as the way to install an extra is something that is there."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from mx_sandboxes.extras import how_to_install

ASKED = [
    "gymnasium>=1.1",
    "torch>=2.4; extra == 'train'",
    'peft>=0.17 ; extra == "train"',
    "torch>=2.4; extra == 'all'",
]


def installed(monkeypatch: pytest.MonkeyPatch, origin: dict[str, object] | None) -> None:
    text = None if origin is None else json.dumps(origin)
    found = SimpleNamespace(read_text=lambda name: text, requires=ASKED)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: found)


def test_a_checkout_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "my own copy"
    place.mkdir()
    installed(monkeypatch, {"url": place.as_uri(), "dir_info": {"editable": True}})
    assert shlex.split(how_to_install("train")) == ["pip", "install", "-e", f"{place}[train]"]


def test_a_wheel_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "mx_envs-0.1.0-py3-none-any.whl"
    wheel.touch()
    installed(monkeypatch, {"url": wheel.as_uri(), "archive_info": {}})
    assert shlex.split(how_to_install("sb3")) == ["pip", "install", f"{wheel}[sb3]"]


@pytest.mark.parametrize(
    "origin", [None, {}, {"url": "file:///no/such.whl"}, {"url": "https://example.org/a.whl"}]
)
def test_where_what_it_came_from_is_gone_the_packages_are_named(
    origin: dict[str, object] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, origin)
    assert shlex.split(how_to_install("train")) == ["pip", "install", "torch>=2.4", "peft>=0.17"]


def test_this_installation_is_there() -> None:
    *_, named = shlex.split(how_to_install("train"))
    assert Path(named.removesuffix("[train]")).exists()


def test_without_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert "'.[train]' in the checkout" in how_to_install("train")
