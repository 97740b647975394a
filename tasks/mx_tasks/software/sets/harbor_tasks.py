"""Task directories of Harbor's form as their authors wrote them, judged by their own ``tests/test.sh``.

An imported directory holds what the author's does, and of ours: ``given/`` (the files that agents get, by their absolute names
without the leading slash), ``gold/`` (what ``solution/solve.sh`` makes of them), and under ``[metadata.mx]`` ``form = "harbor"``,
``image`` (that agents work in), ``verifier`` (that judges; empty: a job of the sandbox), ``roots`` (the folders that agents
change), ``outputs`` (what of them is carried over) and ``removed`` (what the solution deletes).

The verifier is always another container than the agents'. It gets the image's own files with the carried files over them, and
``/tests``; packages that agents installed, services that they started and files elsewhere are not there. What it cannot know: a
test that runs submitted code in its own process believes that code, which may write the reward itself. Our own forms plant canaries
against that; a foreign script is taken at its word.
"""

from __future__ import annotations

import json
import math
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from mx_sandboxes import Limits, Reason, Sandbox, SandboxError
from mx_sandboxes.backends.docker.containers import Given, run_once
from mx_tasks.answers.clashes import clashing
from mx_tasks.answers.patches import diff_of, files_in_answer
from mx_tasks.errors import check_split
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, fingerprint, read_directory
from mx_tasks.sets import ListedTasks
from mx_tasks.software.made import UNVALIDATED
from mx_tasks.task import Budget, Grade, GradingError, Part, Submission, Task

FORM = "harbor"
GIVEN = "given"
GOLD = "gold"
LOGS = "/logs/verifier"
REWARDS = ("reward.json", "reward.txt", "ctrf.json")
KEPT = ".keep"
"""An empty file of an empty folder, which is there for that alone."""
LARGEST = 64 << 20
LONGEST_WALL_S = 3600.0
AGENT_WALL_S = 600.0
LOG_LINES = 30
OFFLINE = "tests/.mx-offline"
"""Where the stand-ins for commands that want a network lie in a verifier."""
_STAND_INS = ("uv", "uvx", "pip", "pip3", "curl", "wget", "apt", "apt-get")
_OFFLINE_SOURCE = (
    resources.files("mx_tasks.software.grading").joinpath("inside", "offline_tools.py").read_bytes()
)
WORKSPACE_NOTE = """

---
Your working folder holds {places}. Only what you change there is handed in: {outputs}. Work on the files with your tools, or \
answer with a unified diff in one ```diff block; names in it begin with {first}."""


@dataclass(frozen=True)
class HarborDirectory:
    """An imported directory."""

    directory: TaskDirectory
    path: Path

    @cached_property
    def ours(self) -> Mapping[str, Any]:
        """Our own fields. Raises TaskDirectoryError where one is missing."""
        ours = self.directory.ours
        for name in ("image", "verifier", "roots", "outputs", "removed"):
            if name not in ours:
                raise TaskDirectoryError(
                    f"{self.directory.name}/task.toml lacks {name} under [metadata.mx]; import it again"
                )
        return ours

    @cached_property
    def given(self) -> Mapping[str, Given]:
        """The files that agents get, with their modes; a folder without any is there all the same."""
        given = files_below(self.path / GIVEN)
        names = [str(root).lstrip("/") + "/" for root in self.ours["roots"]]
        empty = [name for name in names if not any(each.startswith(name) for each in given)]
        return {**given, **{name + KEPT: Given(b"") for name in empty}}

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names, or folders with a ``/`` at the end, that are carried over."""
        return tuple(map(str, self.ours["outputs"]))

    @cached_property
    def task(self) -> Task:
        """What agents see."""
        ours, config = self.ours, self.directory.config
        roots = [str(root) for root in ours["roots"]]
        places = ", ".join(f"{root} as `{root.lstrip('/')}/`" for root in roots)
        outputs = ", ".join(f"`{name}`" for name in self.outputs)
        note = WORKSPACE_NOTE.format(places=places, outputs=outputs, first=f"`{roots[0].lstrip('/')}/`")
        prompt = self.directory.instruction.rstrip() + note
        wall_s = float(config.get("agent", {}).get("timeout_sec") or AGENT_WALL_S)
        return Task(
            id=self.directory.name,
            domain=str(ours.get("domain", "software")),
            prompt=prompt,
            parts=(Part("all", prompt),),
            files={name: given.data for name, given in self.given.items()},
            image=str(ours["image"]),
            budget=Budget(calls=int(ours.get("calls", 24)), wall_s=min(wall_s, AGENT_WALL_S)),
            difficulty=int(ours.get("difficulty", 3)),
            split=check_split(str(ours.get("split", "test"))),
            source=str(ours.get("origin", "")),
            licence=str(ours.get("licence", "")),
        )


class HarborTasks(ListedTasks[HarborDirectory]):
    """Imported Harbor task directories."""

    def __init__(self, folders: Sequence[Path], name: str) -> None:
        entries = [HarborDirectory(read_directory(folder), folder) for folder in folders]
        self._entries = {entry.directory.name: entry for entry in entries}
        self._name = name

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self._name

    def marks(self) -> Iterator[bytes]:
        """All files."""
        for entry in self._entries.values():
            yield fingerprint(entry.directory).encode()
            for name, given in sorted(entry.given.items()):
                yield f"{name}\0{len(given.data)}\0".encode() + given.data

    def directory(self, task: Task) -> TaskDirectory:
        """Its author's directory."""
        return self._entry(task.id).directory

    def outputs(self, task: Task) -> Sequence[str]:
        """The artefacts that its ``task.toml`` declares, else its whole working folder."""
        return self._entry(task.id).outputs

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Run ``tests/test.sh`` on the carried files in a container of its own; the reward that it writes is the score."""
        entry = self._entry(task.id)
        changed, removed, refused = carried(entry, submission)
        grade = judge(entry, changed, removed, sandbox)
        why = entry.ours.get(UNVALIDATED)
        notes = [
            *([f"not validated: {why}"] if why else []),
            *([f"refused: {', '.join(refused)}"] if refused else []),
        ]
        log = "\n".join([*notes, grade.log])
        return replace(grade, parts={part.name: grade.score for part in task.parts}, log=log)

    def changes(self, task: Task, submission: Submission) -> Mapping[str, bytes | None]:
        """What is carried over to the verifier; None for files removed."""
        files, removed, _ = carried(self._entry(task.id), submission)
        return {**files, **dict.fromkeys(removed)}

    def gold(self, task: Task) -> Submission:
        """What the author's ``solve.sh`` changed, as a diff where that can say it; nothing where there is none."""
        entry = self._entry(task.id)
        changed = {name: given.data for name, given in files_below(entry.path / GOLD).items()}
        removed = tuple(map(str, entry.ours["removed"]))
        if UNVALIDATED in entry.ours:
            return Submission()
        given = {name: file.data for name, file in entry.given.items()}
        answer = f"```diff\n{diff_of(given, {**changed, **dict.fromkeys(removed)})}```\n"
        if files_in_answer(answer, given, entry.outputs) == {**changed, **dict.fromkeys(removed)}:
            return Submission(answer)
        return Submission(files=changed, removed=removed)

    def judged_by(self, task: Task) -> str:
        """What judges a task, for people."""
        why = self._entry(task.id).ours.get(UNVALIDATED)
        return "its author's tests/test.sh" + (f"; not validated: {why}" if why else "")

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Submissions that hand in what only the verifier may have; each must score 0."""
        own = {"logs/verifier/reward.txt": b"1\n", "logs/verifier/reward.json": b'{"reward": 1}\n'}
        tests = {
            f"tests/{name}": b"#!/bin/sh\necho 1 > /logs/verifier/reward.txt\n"
            for name in ("test.sh", "conftest.py")
        }
        root = str(self._entry(task.id).ours["roots"][0]).lstrip("/")
        above = {f"{root}/../../../{name}": data for name, data in (own | tests).items()}
        return {"a reward is handed in": Submission(files=own), "the tests are handed in": Submission(files=tests),
                "names climb out of the folder": Submission(files=above)}  # fmt: skip


def carried(entry: HarborDirectory, submission: Submission) -> tuple[dict[str, bytes], list[str], list[str]]:
    """Of a submission what the verifier gets: changed files, removed files; and the names that are refused."""
    files = {name: data for name, data in submission.files.items() if not _same(entry, name, data)}
    removed = list(submission.removed)
    if not files and not removed and submission.answer:
        texts = {name: given.data for name, given in entry.given.items()}
        found = files_in_answer(submission.answer, texts, entry.outputs)
        files = {name: data for name, data in found.items() if data is not None}
        removed = [name for name, data in found.items() if data is None]
    allowed = {name: data for name, data in files.items() if is_output(entry.outputs, name)}
    gone = [name for name in removed if is_output(entry.outputs, name) and name in entry.given]
    return allowed, gone, sorted({*files, *removed} - {*allowed, *gone})


def is_output(outputs: Sequence[str], name: str) -> bool:
    """Whether a file is one of those that are carried over."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and str(path) == name and "\0" not in name
    return plain and any(name.startswith(each) if each.endswith("/") else name == each for each in outputs)


def judge(
    entry: HarborDirectory, changed: Mapping[str, bytes], removed: Sequence[str], sandbox: Sandbox
) -> Grade:
    """The verdict of the task's own script. Raises GradingError, SandboxError."""
    files = {f"/{name}": Given(data, _mode(entry, name, data)) for name, data in changed.items()}
    verifier = entry.directory.config.get("verifier", {})
    wall_s = min(float(verifier.get("timeout_sec") or 600.0), LONGEST_WALL_S)
    root = str(entry.ours.get("workdir") or entry.ours["roots"][0])
    env = {str(key): default_of(str(value)) for key, value in dict(verifier.get("env", {})).items()}
    script = verdict_script(root, [f"/{name}" for name in removed])
    if not entry.ours["verifier"]:
        given = {name: file for name, file in entry.given.items() if name not in removed}
        script = f"mkdir -p /work/{LOGS} /work/tests\n{script}"
        tree = {**given, **{name.lstrip("/"): file for name, file in files.items()}}
        for name in set(clashing(tree, changed)) - set(
            given
        ):  # the answer wants a folder where the task has a file
            del tree[name]
        return _in_jail(tree, tests_of(entry), script, sandbox, wall_s, env)
    hidden = stand_ins() if entry.ours.get("bundled") else tests_of(entry)
    files |= {f"/{name}": file for name, file in hidden.items()}
    try:
        done = run_once(
            str(entry.ours["verifier"]), script, files=files, collect=[LOGS], env=env, wall_s=wall_s,
            memory_bytes=_memory(entry), largest=LARGEST,
        )  # fmt: skip
    except SandboxError as error:
        raise GradingError(f"{entry.directory.name}: {error}") from error
    found = {
        PurePosixPath(name).name: file.data for name, file in done.files.items() if name.startswith(LOGS)
    }
    why = "" if done.exit_code is not None else f"the verifier was not done after {wall_s:g} s"
    return _verdict(found, f"{why}\n{_end(done.output)}".strip())


def verdict_script(root: str, removed: Sequence[str]) -> str:
    """What runs in the verifier: the author's script from the working folder, after everything of ours is in place."""
    gone = "".join(f"rm -f -- {shlex.quote(name)}\n" for name in removed)
    home = '"${HOME:-/tmp}/.local/bin'
    return (
        f'export PATH="/{OFFLINE}:$PATH"\n{{ mkdir -p {home}" && : >> {home}/env"; }} 2>/dev/null\n'
        f"{gone}mkdir -p {LOGS} /logs/artifacts /logs/agent\nrm -rf {LOGS}/*\ncd {shlex.quote(root)} || exit 97\n"
        "shell=sh; head -n1 /tests/test.sh | grep -q bash && command -v bash >/dev/null && shell=bash\n"
        'exec "$shell" /tests/test.sh 2>&1\n'
    )


def tests_of(entry: HarborDirectory) -> dict[str, Given]:
    """The hidden files by their names in the verifier, without the leading slash."""
    return {
        **{f"tests/{name}": file for name, file in files_below(entry.path / "tests").items()},
        **stand_ins(),
    }


def stand_ins() -> dict[str, Given]:
    """Commands for a verifier without a network, by their names there: of what they are asked for they take what is installed."""
    line = '#!/bin/sh\nexec python3 "${0%/*}/offline_tools.py" "${0##*/}" "$@"\n'
    found = {f"{OFFLINE}/{name}": Given(line.encode(), 0o755) for name in _STAND_INS}
    return {**found, f"{OFFLINE}/offline_tools.py": Given(_OFFLINE_SOURCE)}


def files_below(folder: Path) -> dict[str, Given]:
    """Every regular file below a folder with its mode; nothing where there is no folder."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
            found[str(path.relative_to(folder))] = Given(path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    return found


def _in_jail(
    tree: Mapping[str, Given],
    tests: Mapping[str, Given],
    script: str,
    sandbox: Sandbox,
    wall_s: float,
    env: Mapping[str, str],
) -> Grade:
    """The verdict where the task needs no image of its own: a job of the sandbox, whose ``/app`` lies in its workspace."""
    files = {**tree, **tests}
    runnable = [name for name, file in files.items() if file.mode & 0o100]
    modes = f"chmod +x -- {' '.join(map(shlex.quote, runnable))}\n" if runnable else ""
    done = sandbox.run(
        ["sh", "-c", modes + script],
        files={name: file.data for name, file in files.items()},
        collect=[f"{LOGS.lstrip('/')}/{name}" for name in REWARDS],
        env=dict(env),
        limits=Limits(
            wall_s=wall_s, cpu_s=wall_s, memory_bytes=1 << 30, workspace_bytes=256 << 20, open_files=512
        ),
    )
    if done.reason is Reason.SANDBOX_DIED:
        raise GradingError("the sandbox died under the hidden tests")
    found = {PurePosixPath(name).name: data for name, data in done.files.items()}
    why = "" if done.reason is Reason.EXITED else done.reason.value
    said = (done.stdout + done.stderr).decode(errors="replace")
    return _verdict(found, f"{why}\n{_end(said)}".strip())


def _verdict(found: Mapping[str, bytes], log: str) -> Grade:
    """The score that a verifier wrote, read as Harbor reads it; none written, or none that is a number, is 0."""
    rewards: dict[str, float] = {}
    try:
        if "reward.json" in found:
            written = json.loads(found["reward.json"])
            rewards = {
                str(k): float(v)
                for k, v in (written if isinstance(written, dict) else {"reward": written}).items()
            }
        elif "reward.txt" in found:
            rewards = {"reward": float(found["reward.txt"].decode())}
        elif "ctrf.json" in found:
            summary = json.loads(found["ctrf.json"])["results"]["summary"]
            rewards = {"reward": float(summary["passed"] == summary["tests"] > 0)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Grade(0.0, passed=False, log=f"the reward cannot be read: {ascii(str(error))[:200]}\n{log}")
    values = list(rewards.values())
    if not values or not all(map(math.isfinite, values)):
        return Grade(0.0, passed=False, log=f"no reward was written\n{log}")
    score = min(1.0, max(0.0, rewards.get("reward", sum(values) / len(values))))
    said = ", ".join(f"{name} {value:g}" for name, value in rewards.items())
    return Grade(score, passed=score >= 1.0, log=f"{said}\n{log}")


def _same(entry: HarborDirectory, name: str, data: bytes) -> bool:
    return name in entry.given and entry.given[name].data == data


def _mode(entry: HarborDirectory, name: str, data: bytes) -> int:
    """A changed file keeps its mode; a new one can be run when it begins as a script does."""
    if name in entry.given:
        return entry.given[name].mode
    return 0o755 if data.startswith(b"#!") else 0o644


def _memory(entry: HarborDirectory) -> int:
    place = entry.directory.config.get("verifier", {}).get("environment") or entry.directory.config.get(
        "environment", {}
    )
    return max(256, min(int(place.get("memory_mb") or 2048), 16384)) << 20


def default_of(value: str) -> str:
    """An environment variable's value; of ``${NAME:-default}`` the default: nothing of this process's environment goes in.

    Raises TaskDirectoryError for ``${NAME}`` alone.
    """
    if not (value.startswith("${") and value.endswith("}")):
        return value
    name, given, default = value[2:-1].partition(":-")
    if not given:
        raise TaskDirectoryError(
            f"its verifier wants {name} of the host's environment, where submitted code would see it"
        )
    return default


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LOG_LINES:])
