"""SWE-bench records (Verified, Lite, your own) as tasks that our grader judges: original tree, allowed sources, canaries.

The tree comes out of the instance's image, where the engine has or can pull it, or of a checkout on this machine. Agents get it
without version control: the future is not in it. The record's own lists of tests are run once before and after its patch; a test to
be mended that is not mended here refuses the record, one to be kept that does not hold here is left out and counted.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mx_sandboxes import Limits, Sandbox, SandboxError, open_sandbox
from mx_sandboxes.backends.docker.containers import adopt, fetched, files_of
from mx_tasks.answers.patches import PatchError, apply_diff
from mx_tasks.harbor.directory import TaskDirectory
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import Tree
from mx_tasks.software.generate.making import Output
from mx_tasks.software.generate.preparing import python_version
from mx_tasks.software.generate.trees import Library, is_test, pytest_settings
from mx_tasks.software.grading.runs import Outcome, run_tests
from mx_tasks.software.imports.functions import records
from mx_tasks.software.made import MadeTask, as_directory, shape_of

Report = Callable[[str], None]
IMAGES = "swebench/sweb.eval.x86_64.{id}:latest"
"""The official images; ``{id}`` is the instance's id with ``_1776_`` for ``__``, ``{instance_id}`` the id itself."""
PLACE = "/testbed"
PYTHON = "/opt/miniconda3/envs/testbed/bin/python"
LARGEST_TREE = 64 << 20
WALL_S = 600.0
NEEDED = (
    "instance_id",
    "repo",
    "base_commit",
    "patch",
    "test_patch",
    "problem_statement",
    "FAIL_TO_PASS",
    "PASS_TO_PASS",
)
_V5 = {"patch": "gold.patch", "test_patch": "test.patch", "problem_statement": "problem_statement.md"}
_TEST_CLASS = re.compile(r"^[A-Za-z_]\w*$")


@dataclass(frozen=True, slots=True)
class Where:
    """Where trees come from: a pattern of image names, or a checkout (or a folder of them) instead."""

    images: str = IMAGES
    checkout: Path | None = None
    network: str | None = None


def import_swe_bench(
    source: Path,
    folder: Path,
    sandbox: Sandbox,
    report: Report,
    *,
    where: Where | None = None,
    split: str = "test",
) -> Iterator[str]:
    """Import each record of a ``.jsonl``, ``.json`` or a repository of task directories, giving the id of each that holds.

    The others are reported with the reason. Raises SourceError when the source cannot be read at all.
    """
    entries = list(instances(source))
    if not entries:
        raise SourceError(f"{source} holds no record")
    for entry in entries:
        name = str(entry.get("instance_id") or "a record without instance_id")
        report(f"{name}: reading")
        try:
            task, image = made_of(entry, sandbox, where or Where(), report)
            with _sandbox_of(sandbox, image) as grading:
                directory = _directory(replace(judged(task, grading, report), split=split), image)  # type: ignore[arg-type]
                kept = Output(folder, grading, report).keep_directory(directory)
        except (SourceError, SandboxError, PatchError) as error:
            report(f"{name}: refused: {' '.join(str(error).split())}")
            continue
        if kept:
            yield task.id


def instances(source: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, or of task directories in SWE-bench 5's layout. Raises SourceError."""
    if not source.is_dir():
        yield from records(source)
        return
    for path in sorted(
        {*source.glob("task.yaml"), *source.glob("*/task.yaml"), *source.glob("tasks/*/task.yaml")}
    ):
        entry = yaml.safe_load(path.read_text("utf-8")) or {}
        entry.setdefault("instance_id", path.parent.name)
        try:
            entry |= {key: path.with_name(name).read_bytes().decode() for key, name in _V5.items()}
            entry |= json.loads(path.with_name("tests.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SourceError(f"{path.parent.name}: {error}") from error
        yield entry


def made_of(entry: Mapping[str, Any], sandbox: Sandbox, where: Where, report: Report) -> tuple[MadeTask, str]:
    """A record's task and the image that it runs in (``python`` where its tree is a checkout). Raises SourceError, PatchError."""
    lacking = [field for field in NEEDED if not entry.get(field) and field != "PASS_TO_PASS"]
    if lacking:
        raise SourceError(f"it lacks {', '.join(lacking)}")
    name = str(entry["instance_id"])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise SourceError("its instance_id cannot be a file's name")
    tree, image = _tree(entry, sandbox, where, report)
    hidden = _patched(tree, str(entry["test_patch"]), "test_patch")
    gold = _patched(tree, str(entry["patch"]), "patch")
    if set(gold) & set(hidden):
        raise SourceError(f"its patch and its tests both change {', '.join(sorted(set(gold) & set(hidden)))}")
    wanted = {
        key: [_test_id(each, hidden) for each in _list(entry, key)]
        for key in ("FAIL_TO_PASS", "PASS_TO_PASS")
    }
    if not wanted["FAIL_TO_PASS"]:
        raise SourceError("it lacks FAIL_TO_PASS")
    files = {test.partition("::")[0] for tests in wanted.values() for test in tests}
    after = {**tree, **{path: data for path, data in hidden.items() if data is not None}}
    missing = sorted(path for path in files if path not in after)
    if missing:
        raise SourceError(f"its tests lie in {missing[0]}, which is not there")
    tests = {path: after[path] for path in after if path in files or hidden.get(path) is not None}
    public = {path: data for path, data in tree.items() if path not in hidden or hidden[path] is not None}
    task = MadeTask(
        id=name,
        kind="swe-bench",
        title=f"{entry['repo']} {entry.get('version') or ''}".strip(),
        statement=str(entry["problem_statement"]).strip() + "\n",
        tree=public,
        tests=tests,
        gold=gold,
        sources=_sources(public, tests, gold),
        fail_to_pass=tuple(wanted["FAIL_TO_PASS"]),
        pass_to_pass=tuple(wanted["PASS_TO_PASS"]),
        config=_config(public),
        python="",
        origin=f"{entry['repo']}@{entry['base_commit']}",
        licence=str(entry.get("licence") or entry.get("license") or ""),
        shape=shape_of(str(entry["repo"])),
        difficulty=5,
        wall_s=WALL_S,
        calls=60,
        about={"image": image},
    )
    return task, image


def judged(task: MadeTask, sandbox: Sandbox, report: Report) -> MadeTask:
    """The task with the tests that hold here. Raises SourceError where its patch mends not all that it should."""
    limits = Limits(wall_s=WALL_S, cpu_s=WALL_S, memory_bytes=2 << 30, workspace_bytes=256 << 20, file_bytes=64 << 20,
                    output_bytes=4 << 20, open_files=256)  # fmt: skip
    bases = sorted({test.partition("[")[0] for test in (*task.fail_to_pass, *task.pass_to_pass)})
    mended = {name: data for name, data in {**task.tree, **task.gold}.items() if data is not None}
    before, after = (
        run_tests(sandbox, {**tree, **task.tests}, bases, config=task.config, limits=limits)
        for tree in (task.tree, mended)
    )
    good = {test for test, outcome in after.outcomes.items() if outcome is Outcome.PASSED}
    passed = {test for test, outcome in before.outcomes.items() if outcome is Outcome.PASSED}
    for test in task.fail_to_pass:
        if test not in good:
            said = (
                after.messages.get(test)
                or after.error
                or next(iter(after.messages.values()), "it was not run")
            )
            raise SourceError(f"its patch does not mend {ascii(test)[1:-1]} here ({ascii(said)[1:-1][:140]})")
        if test in passed:
            raise SourceError(f"{ascii(test)[1:-1]} passes without its patch")
    kept = tuple(test for test in task.pass_to_pass if test in good)
    lost = len(task.pass_to_pass) - len(kept)
    if lost:
        report(
            f"{task.id}: left out {lost} of {len(task.pass_to_pass)} tests to be kept, which do not pass here"
        )
    about = {**task.about, **({"tests_left_out": lost} if lost else {})}
    return replace(task, pass_to_pass=kept, python=python_version(sandbox), about=about)


def _tree(entry: Mapping[str, Any], sandbox: Sandbox, where: Where, report: Report) -> tuple[Tree, str]:
    if where.checkout is not None:
        return _checked_out(entry, where.checkout), "python"
    name = str(entry["instance_id"])
    image = str(entry.get("image_name") or entry.get("docker_image") or "") or where.images.format(
        id=name.replace("__", "_1776_").lower(), instance_id=name
    )
    if sandbox.backend != "docker":
        raise SourceError(
            f"it runs in the image {image}: use --sandbox docker, or --checkout for a repository on this machine"
        )
    report(f"{name}: its image {image}")
    found = files_of(fetched(image), [PLACE], largest=LARGEST_TREE + (64 << 20))
    tree = {path.removeprefix(f"{PLACE}/"): file.data for path, file in found.items()}
    tree = {
        path: data
        for path, data in tree.items()
        if not {".git", "__pycache__"} & set(PurePosixPath(path).parts)
    }
    if not tree:
        raise SourceError(f"the image {image} has nothing in {PLACE}")
    return tree, adopt(image, workspace=PLACE, pythons=[PYTHON], network=where.network)


def _checked_out(entry: Mapping[str, Any], checkout: Path) -> Tree:
    """The tree of the base commit, without its history. Raises SourceError."""
    repo = str(entry["repo"])
    places = [
        checkout,
        checkout / repo.replace("/", "__"),
        checkout / repo,
        checkout / repo.rpartition("/")[2],
    ]
    found = next((place for place in places if (place / ".git").exists() or (place / "HEAD").is_file()), None)
    if found is None:
        raise SourceError(f"{checkout} holds no git repository of {repo}")
    commit = str(entry["base_commit"])
    if not re.fullmatch(r"[0-9a-fA-F]{4,64}", commit):
        raise SourceError(f"its base_commit {commit[:60]!r} is no commit")
    done = subprocess.run(
        ["git", "-c", f"safe.directory={found.resolve()}", "-C", str(found), "archive", "--format=tar", commit],  # noqa: S607
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SourceError(
            f"{found} has no commit {commit[:12]} ({done.stderr.decode(errors='replace').strip()[:120]})"
        )
    tree: Tree = {}
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                tree[member.name] = file.read()
    return tree


def _patched(tree: Mapping[str, bytes], patch: str, what: str) -> dict[str, bytes | None]:
    if "GIT binary patch" in patch or re.search(r"^Binary files ", patch, re.MULTILINE):
        raise SourceError(f"its {what} changes binary files")
    try:
        return apply_diff(
            tree, patch.replace("\r\n", "\n") if b"\r" not in b"".join(tree.values())[: 1 << 20] else patch
        )
    except PatchError as error:
        raise SourceError(f"its {what} does not fit its tree: {error}") from None


def _list(entry: Mapping[str, Any], key: str) -> list[str]:
    value = entry.get(key) or []
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise SourceError(f"its {key} is no list") from None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise SourceError(f"its {key} is no list of names")
    return found


def _test_id(test: str, hidden: Mapping[str, bytes | None]) -> str:
    """A test's pytest id; a bare function's name is looked for in the files that the test patch changes. Raises SourceError."""
    path, colons, inner = test.partition("::")
    if colons and path.endswith(".py") and inner:
        return test
    if _TEST_CLASS.match(test):
        for name, data in hidden.items():
            if name.endswith(".py") and data is not None and test in _functions(data):
                return f"{name}::{test}"
    raise SourceError(f"its test {ascii(test)[1:-1][:80]} is named as another runner than pytest names it")


def _functions(source: bytes) -> set[str]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return set()
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def _config(tree: Tree) -> str:
    """A pytest.ini with the repository's own settings on what is a test, and its folders to import from."""
    settings = pytest_settings(Library("", "", tree, {}, (), (), {}))
    folders = [".", *(top for top in ("src", "lib") if any(name.startswith(f"{top}/") for name in tree))]
    paths = " ".join(dict.fromkeys([*settings.get("pythonpath", "").split(), *folders]))
    lines = [f"{key} = {value}" for key, value in settings.items() if key.startswith("python_")]
    return "\n".join(["[pytest]", f"pythonpath = {paths}", *lines, ""])


def _sources(
    tree: Mapping[str, bytes], tests: Mapping[str, bytes], gold: Mapping[str, bytes | None]
) -> tuple[str, ...]:
    """Top folders and modules that are no tests, and whatever the reference patch touches."""
    found = {str(name) for name in gold if not any(name.startswith(f"{top}/") for top in _tops(tree, tests))}
    found |= {f"{top}/" for top in _tops(tree, tests)}
    found |= {
        name
        for name in tree
        if "/" not in name and name.endswith(".py") and not is_test(name) and name not in tests
    }
    return tuple(sorted(found))


def _tops(tree: Mapping[str, bytes], tests: Mapping[str, bytes]) -> set[str]:
    """Top folders with Python files that are not all tests."""
    return {
        name.partition("/")[0]
        for name in tree
        if name.endswith(".py") and "/" in name and not is_test(name) and name not in tests
    }


def _sandbox_of(sandbox: Sandbox, image: str) -> Sandbox:
    return open_sandbox(sandbox.backend, image=image, slots=4)


def _directory(task: MadeTask, image: str) -> TaskDirectory:
    """The task's directory, whose environment is the instance's image where it has one."""
    directory = as_directory(task)
    if image == "python":
        return directory
    dockerfile = (
        f"FROM {image}\nCOPY workspace /app\nCOPY workspace /opt/original\nWORKDIR /app\nENTRYPOINT []\n"
    )
    return replace(directory, environment={**directory.environment, "Dockerfile": dockerfile.encode()})
