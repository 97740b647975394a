"""Task sets that are made when they are named: ``software:mutation/toolz``, ``software:release-pair/parse-1.20.2``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks.cache import cache_folder
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.making import make_pair, make_planted
from mx_tasks.software.generate.releases import previous_version
from mx_tasks.software.sets.directories import DirectoryTasks

MUTATIONS = 10


def mutation_tasks(rest: str, count: int = MUTATIONS, seed: int = 0) -> DirectoryTasks:
    """``LIBRARY`` or ``LIBRARY==VERSION``: bugs planted in it. Raises SourceError."""
    folder = cache_folder() / "tasks" / "mutation" / _plain(rest) / f"seed{seed}"

    def make(sandbox: Sandbox) -> None:
        for _ in make_planted(rest, folder, sandbox, _say, count=count, seed=seed):
            pass

    return _ready(f"software:mutation/{rest}", folder, count, make)


def release_pair_tasks(rest: str) -> DirectoryTasks:
    """``NAME-NEW`` (the release before it is the old one) or ``NAME-OLD-NEW``. Raises SourceError."""
    words = rest.split("-")
    digits = [word[:1].isdigit() for word in words]
    if len(words) >= 3 and digits[-2:] == [True, True]:
        name, old, new = "-".join(words[:-2]), words[-2], words[-1]
    elif len(words) >= 2 and digits[-1]:
        name, old, new = "-".join(words[:-1]), "", words[-1]
    else:
        raise SourceError(
            f"software:release-pair/{rest} is not NAME-VERSION, such as software:release-pair/parse-1.20.2"
        )
    folder = cache_folder() / "tasks" / "release-pair" / _plain(rest)

    def make(sandbox: Sandbox) -> None:
        for _ in make_pair(name, old or previous_version(name, new), new, folder, sandbox, _say):
            pass

    return _ready(f"software:release-pair/{rest}", folder, 0, make)


def _ready(name: str, folder: Path, count: int, make: Callable[[Sandbox], None]) -> DirectoryTasks:
    """The tasks in a folder; those that are missing of ``count`` (0: nobody knows how many there will be) are made."""
    if not (folder / ".done").exists() and (not count or len(list(folder.glob("*/task.toml"))) < count):
        _say(f"{name} is not there yet; it is made once, into {folder}")
        with open_sandbox() as sandbox:
            make(sandbox)
        (folder / ".done").touch()
        _say("")
    return DirectoryTasks(folder, name)


def _say(line: str) -> None:
    """One line of progress that the next one replaces where stderr is a terminal."""
    live = sys.stderr.isatty()
    sys.stderr.write(f"\r\x1b[K{line[:150]}" if live else f"{line}\n" if line else "")
    sys.stderr.flush()


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text)
