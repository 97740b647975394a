"""``mx settings``: every environment variable and configuration key that counts, in one table."""

from __future__ import annotations

import json
import sys
from dataclasses import MISSING, asdict, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from mx_agents.bench.config import BenchConfig
from mx_agents.cli.console import console
from mx_agents.trainer.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set: where, what it is called, its default and what it is for."""

    where: str
    name: str
    default: str
    about: str


READ, GIVEN, TESTS = "environment", "given to programs", "tests"

VARIABLES = (
    Setting(
        READ,
        "MX_SALT",
        "a secret file of this user",
        "the secret that markets are made from; hosts that share it make the same",
    ),
    Setting(
        READ, "MX_CACHE", "~/.cache/mx-envs", "where downloads and tasks that are made on demand are kept"
    ),
    Setting(READ, "MX_VERILOG_EVAL", "", "your copy of VerilogEval: the repository's folder or a table"),
    Setting(READ, "MX_RTLLM", "", "your copy of RTLLM"),
    Setting(READ, "MX_CVDP", "", "your copy of CVDP"),
    Setting(READ, "OPENAI_API_KEY", "", "the key of openai:MODEL@URL"),
    Setting(READ, "DOCKER_HOST", "unix:///var/run/docker.sock", "the engine of the Docker sandbox"),
    Setting(READ, "COLUMNS", "the terminal's, else 120", "how wide tables are"),
    Setting(READ, "NO_COLOR", "", "no colours, whatever it holds"),
    Setting(
        READ,
        "XDG_CACHE_HOME, XDG_CONFIG_HOME, XDG_STATE_HOME",
        "~/.cache, ~/.config, ~/.local/state",
        "where caches, the secret of markets and notes of trials go",
    ),
    Setting(
        READ,
        "HTTP_PROXY, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE",
        "",
        "the way to endpoints and package registries",
    ),
    Setting(
        GIVEN, "MX_TASK_PROMPT", "", "the task, for program:COMMAND and for designs that use a framework"
    ),
    Setting(GIVEN, "MX_URL", "", "where /mx/task, /mx/submit, /mx/tools and the MCP server are"),
    Setting(
        GIVEN, "OPENAI_BASE_URL, OPENAI_API_KEY", "", "the endpoint whose completions are executors' steps"
    ),
    Setting(
        GIVEN,
        "OPENAI_DEFAULT_MODEL",
        "executor",
        "the model that frameworks ask for where a program names none; one that is set is kept",
    ),
    Setting(GIVEN, "MX_CHANNEL", "", "the descriptor of a session's channel inside the sandbox"),
    Setting(GIVEN, "MX_TERMINAL", "", "inside mx sandbox shell: the shell may open a terminal"),
    Setting(
        TESTS,
        "MX_REQUIRE",
        "",
        "parts that must be here, such as docker,bubblewrap: without them tests fail",
    ),
    Setting(TESTS, "MX_PROGRAM_PYTHONS", "", "interpreters with agent frameworks, for the tests of examples"),
    Setting(TESTS, "MX_HARBOR_PYTHON", "", "an interpreter with harbor"),
    Setting(TESTS, "MX_INSPECT_PYTHON", "", "an interpreter with inspect_ai"),
)


def settings() -> list[Setting]:
    """All of them; the keys are read off the classes that check them."""
    return [*VARIABLES, *_train_keys(TrainConfig()), *_bench_keys()]


def run(*, as_json: bool) -> int:
    """Print the table; the exit code."""
    if as_json:
        sys.stdout.write(json.dumps([asdict(setting) for setting in settings()], indent=1) + "\n")
        return 0
    table = Table(title="Environment variables and configuration keys", title_justify="left")
    for heading in ("Where", "Name", "Default", "What it is"):
        table.add_column(heading, overflow="fold")
    for setting in settings():
        table.add_row(*(Text(cell) for cell in (setting.where, setting.name, setting.default, setting.about)))
    console().print(table)
    return 0


def _train_keys(values: BaseModel, prefix: str = "") -> list[Setting]:
    found = []
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            found += _train_keys(value, f"{prefix}{name}.")
            continue
        limits = " and ".join(filter(None, map(_limit, field.metadata)))
        about = f"{_kind(field.annotation)} {limits}".strip()
        found.append(Setting("mx train KEY=VALUE, --config", f"{prefix}{name}", _plain(value), about))
    return found


KINDS: dict[Any, str] = {int: "a whole number", float: "a number", str: "a text"}
LIMITS = {
    "ge": "of at least",
    "gt": "above",
    "le": "of at most",
    "lt": "below",
    "multiple_of": "a multiple of",
}


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(get_args(annotation))}"
    inner = [each for each in get_args(annotation) if each not in (Ellipsis, NoneType)]
    if get_origin(annotation) is dict:
        return "a table of names of your own"
    if isinstance(annotation, UnionType):
        return " or ".join([*map(_kind, inner), "nothing"])
    return (
        f"some of {_kind(inner[0]).removeprefix('one of ')}"
        if inner
        else KINDS.get(annotation, str(annotation))
    )


def _limit(limit: Any) -> str:
    found = [f"{word} {getattr(limit, name)}" for name, word in LIMITS.items() if hasattr(limit, name)]
    return found[0] if found else ""


def _bench_keys() -> list[Setting]:
    """What a benchmark's config.yaml holds; each is an option of ``mx bench``."""
    found = []
    for field in fields(BenchConfig):
        if field.name != "fingerprint":
            default = "" if field.default is MISSING else _plain(field.default)
            option = f"--{field.name.replace('_', '-')} of mx bench"
            found.append(Setting("config.yaml of mx bench", field.name, default, option))
    return found


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {each}" for name, each in value.items()) + "}"
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
