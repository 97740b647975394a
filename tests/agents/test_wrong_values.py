"""Every command with wrong values for every option and argument: one line, exit code 2, a way out, nothing written.

The commands and their options are read off the program, so that a new one cannot be forgotten: it has to be given its wrong values
here, or be said to take anything.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mx_agents.cli import main
from mx_agents.cli.app import app

WAYS_OUT = re.compile(
    r"did you mean|there (are|is)|(see|use) mx|such as|--|choose|try|name|write|mend|install|must|need|fix|give"
    r"|is not|cannot be|has no|look like|holds|lists|or more|is no |, not '",
    re.IGNORECASE,
)

NEEDED: dict[str, list[str]] = {
    "play": ["software:micro", "--sandbox", "bubblewrap"],
    "bench": ["--episodes", "1", "--methods", "single", "--sandbox", "bubblewrap", "--run", "new"],
    "serve": ["--sandbox", "bubblewrap", "--port", "0", "--run", "new"],
    "trial": ["single", "--sandbox", "bubblewrap", "--run", "new"],
    "train": ["--preset", "smoke", "--sandbox", "bubblewrap", "--run", "new"],
    "compare": ["run", "run"],
    "replay": ["run/episodes.jsonl:1"],
    "export": ["run"],
    "report": ["run"],
    "view": ["run"],
    "examples": ["my_policy.py"],
    "tasks show": ["software:micro"],
    "tasks validate": ["software:micro", "--sandbox", "bubblewrap"],
    "tasks make release-pair": [
        "old",
        "./nowhere-1.0.tar.gz",
        "./nowhere-1.1.tar.gz",
        "--sandbox",
        "bubblewrap",
    ],
    "tasks make mutation": ["./nowhere-1.0.tar.gz", "--sandbox", "bubblewrap"],
    "tasks import": ["humaneval", "nothing.jsonl", "--out", "new", "--sandbox", "bubblewrap"],
    "tasks export": ["software:micro", "--out", "new"],
    "sandbox shell": ["--sandbox", "bubblewrap"],
    "trading ppo": ["--steps", "4096"],
    "trading baselines": ["--limit", "1"],
    "trading data": ["bars.csv"],
    "trading walk-forward": ["bars.csv"],
}
"""Right words that a command is given beside the wrong one, so that this alone is wrong."""

POLICIES = [
    "",
    "scriptd",
    "openai:x",
    "openai:m@nowhere",
    "hf:./nowhere",
    "replay:nowhere.jsonl",
    "nofile.py",
    "no_module:x",
]
TASKS = ["", "software:mirco", "software:", "nothing", "hardware:verilog-eval", "./no/such/folder"]
FOLDERS = ["/proc/nowhere", "a-file"]
RUNS = ["nowhere", "a-file", "empty", "broken"]
TEXTS: dict[str, list[str]] = {
    "sandbox": ["", "dokcer", "none"],
    "backend": ["", "dokcer"],
    "split": ["", "tests"],
    "tasks": [*TASKS, ",", "software:micro,software:micro"],
    "task_set": TASKS,
    "task": ["", "micro-9-x-1"],
    "methods": [
        "",
        ",",
        "singel",
        "single,single",
        "nofile.py:x",
        "search:nobody",
        "external",
        "hf:./nowhere",
    ],
    "designer": ["", "sinlge", "nofile.py:x", "search", "program:true", "openai:m@nowhere"],
    "executor": POLICIES,
    "candidate": ["", "singel", "nowhere.py", "nofile.py:x", "search", "optimiser", "a-folder"],
    "approve": ["", "nowhere.yaml", "broken.yaml", "list.yaml"],
    "prices": ["nowhere.yaml", "broken.yaml", "list.yaml", "a-folder"],
    "pin": ["", "=1", "temperature=9", "max_tokens=none"],
    "preset": ["", "mirco"],
    "config": ["nowhere.yaml", "broken.yaml", "list.yaml", "a-folder"],
    "overrides": [
        "steps",
        "stepps=3",
        "steps=many",
        "steps=-1",
        "tree.dezigns=1",
        "tasks=software:mirco",
        "=",
    ],
    "episode": [
        "nowhere",
        "nowhere.jsonl:1",
        "run/episodes.jsonl:0",
        "run/episodes.jsonl:99",
        "broken/episodes.jsonl",
        "a-folder",
    ],
    "first": RUNS,
    "second": RUNS,
    "output": ["/proc/nowhere/x"],
    "out": FOLDERS,
    "save": FOLDERS,
    "folder": FOLDERS,
    "host": ["", "no-such-host.invalid", "203.0.113.7"],
    "key": ["", "two words", "new\nline"],
    "names": ["my_polcy.py"],
    "image": ["", "pyhton"],
    "base": ["no such image"],
    "network": [""],
    "family": ["", "leeks"],
    "worlds": ["", ",", "regme"],
    "ppo": ["nowhere", "empty"],
    "source": ["nowhere.csv", "broken.yaml", "bokhe", "a-folder"],
    "actions": ["nowhere.csv", "broken.yaml"],
    "calendar": ["XNOWHERE"],
    "kind": ["", "humanevil"],
    "images": ["no-place-for-the-id"],
    "checkout": ["nowhere"],
    "library": ["./nowhere-1.0.tar.gz"],
    "old": ["./nowhere-1.0.tar.gz"],
    "new": ["./nowhere-1.1.tar.gz"],
    "name": [""],
    "guide": ["lnog"],
    "layout": ["", "lnog"],
    "dates": ["", "yesterday"],
    "timezone": ["Nowhere/City"],
    "price": ["nowhere"],
    "gaps": ["", "fill"],
    "decimal": ["x"],
    "role": ["", "mehtod"],
    "form": ["", "atfi"],
    "models": ["", "gpt", "=scripted", "gpt-4o*=", "a*=nobody", "a=scripted,a=random", "a=openai:x"],
    "match": ["", "promt"],
}
"""Wrong texts for a parameter of this name, whatever the command."""
OWN: dict[tuple[str, str], list[str]] = {
    ("report", "run"): RUNS[:2] + RUNS[3:],
    ("view", "run"): RUNS[:2] + RUNS[3:],
    ("export", "run"): RUNS[:3],
    ("bench", "run"): [*FOLDERS, "a-folder"],
    ("trial", "run"): [*FOLDERS, "a-folder", "broken"],
    ("trial", "tasks"): [*TASKS, ",", "software:micro,hardware:micro"],
    ("serve", "run"): [*FOLDERS, "a-folder"],
    ("train", "run"): [*FOLDERS, "a-folder"],
    ("tasks import", "source"): ["nowhere.jsonl", "a-folder"],
    ("report", "second"): RUNS,
    ("trading data", "prices"): ["", "rwa"],
}
ENGINE = {"base", "network", "images", "checkout", "symbol"}
"""Only read by a build of images, which needs an engine and minutes, or beside another kind of import or of file."""
NUMBERS = {"int": ["many", "1.5", ""], "float": ["many", ""]}


def commands(command: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    command = command if command is not None else typer.main.get_command(app)
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
    for name, each in (inner or {}).items():
        yield from commands(each, f"{path} {name}".strip())


def kind_of(param: Any) -> str:
    """Of what kind a parameter is, in the words of this typer or of an older one."""
    if getattr(param, "is_flag", False):
        return "flag"
    told = getattr(param, "type_descriptor", None)
    name = told.annotation.__name__.lower() if told is not None else type(param.type).__name__.lower()
    return next((kind for kind in NUMBERS if name.startswith(kind)), "text")


def bound(param: Any, name: str) -> int | None:
    """The lowest or highest number that an option takes, where it has one."""
    own = getattr(param, name, None)
    found = own if own is not None else getattr(getattr(param, "type", None), name, None)
    return None if found is None else int(found)


def wrong_values(path: str, param: Any) -> list[str]:
    kind = kind_of(param)
    if kind in NUMBERS:
        low, high = bound(param, "min"), bound(param, "max")
        beyond = [str(low - 1)] if low is not None else ["-1", "0"]
        return [*NUMBERS[kind], *beyond, *([str(high + 1)] if high is not None else [])]
    return OWN.get((path, param.name)) or TEXTS[param.name]


def cases() -> Iterator[Any]:
    for path, command in commands():
        for param in command.params:
            if param.name == "help" or param.name in ENGINE:
                continue
            if kind_of(param) == "flag":
                yield pytest.param(path, param, None, id=f"{path} {param.name}")
                continue
            for value in wrong_values(path, param):
                yield pytest.param(path, param, value, id=f"{path} {param.name}={value!r}")


def words_of(path: str, param: Any, value: str | None, command: Any) -> list[str]:
    """The command line: what the command needs, with the wrong value in its place."""
    needed = list(NEEDED.get(path, []))
    option = max(param.opts, key=len)
    if value is None:
        return [*path.split(), *needed, f"{option}=yes"]
    if param.param_type_name == "option":
        kept = [word for place, word in enumerate(needed) if word != option and needed[place - 1] != option]
        return [*path.split(), *kept, f"{option}={value}"]
    arguments = [each.name for each in command.params if each.param_type_name == "argument"]
    place = arguments.index(param.name)
    own = needed[: next((n for n, word in enumerate(needed) if word.startswith("--")), len(needed))]
    rest = needed[len(own) :]
    own[place : place + 1] = [value]
    return [*path.split(), *rest, "--", *own]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench_run: Any) -> Path:
    """A folder with right and broken files of every kind."""
    (tmp_path / "a-file").write_text("years of work")
    for name in ("a-folder", "empty", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "a-folder" / "thesis.txt").write_text("years of work")
    (tmp_path / "broken" / "config.yaml").write_text("{a: [")
    (tmp_path / "broken" / "episodes.jsonl").write_text('{"half a li\n{}\n')
    (tmp_path / "broken.yaml").write_text("{a: [")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    (tmp_path / "nothing.jsonl").write_text("")
    rows = (f"2020-01-{day:02d},{100 + day},{90 + day % 3}" for day in range(1, 29))
    (tmp_path / "bars.csv").write_text("\n".join(["date,A,B", *rows]) + "\n")
    bench_run(tasks=1, seeds=1).rename(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return tmp_path


@pytest.mark.parametrize(("path", "param", "value"), list(cases()))
def test_a_wrong_value_is_one_line_with_a_way_out(
    place: Path,
    capfd: pytest.CaptureFixture[str],
    bubblewrap_or_skip: object,
    path: str,
    param: Any,
    value: str | None,
) -> None:
    command = dict(commands())[path]
    before = sorted(found for found in place.rglob("*") if ".cache" not in found.parts)
    with pytest.raises(SystemExit) as end:
        main(words_of(path, param, value, command))
    said = capfd.readouterr()
    assert end.value.code == 2, said
    err = re.sub(r"(?m)^ *\d+ s  .*\n", "", said.err)  # how far it is, where a machine is slow
    assert err.startswith("mx: "), said
    assert err.count("\n") == 1, said
    assert "Traceback" not in said.out + said.err
    assert WAYS_OUT.search(err), said
    assert sorted(found for found in place.rglob("*") if ".cache" not in found.parts) == before


@pytest.mark.parametrize("words", [[], ["tasks"], ["sandbox"], ["tasks", "make"], ["trading"]])
def test_a_group_alone_shows_its_help(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capfd.readouterr()
    assert (end.value.code, said.err) == (2, "")
    assert "Usage" in said.out
    assert "Commands" in said.out


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_unknown_option_and_a_word_too_many_are_named(
    path: str, command: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    for extra in ("--no-such-option", *(["word"] * 9,)):
        words = [*path.split(), *([extra] if isinstance(extra, str) else extra)]
        takes_any = any(param.nargs == -1 for param in command.params)
        if takes_any and not isinstance(extra, str):
            continue
        with pytest.raises(SystemExit) as end:
            main(words)
        said = capfd.readouterr()
        assert end.value.code == 2, said
        assert said.err.count("\n") == 1, said
        assert f"see mx {path} --help" in said.err


def test_the_environment_of_these_tests_has_no_leftover(place: Path) -> None:
    assert os.environ["HOME"] == str(place)
