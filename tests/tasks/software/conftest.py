"""A small library with tests, as it would be released."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mx_sandboxes import Limits, Sandbox, open_sandbox
from mx_tasks import Task
from mx_tasks.software.sets.directories import DirectoryTasks

OLD = """'''Words and lists.'''


def shorten(text, length):
    '''The first letters of a text.'''
    if len(text) < length:
        return text
    return text[:length - 1] + "~"


def chunks(items, size):
    '''Lists of that many items each.'''
    result = []
    for start in range(0, len(items), size + 1):
        result.append(items[start:start + size])
    return result


def total(numbers, start=0):
    for number in numbers:
        start += number
    return start
"""
NEW = OLD.replace("len(text) < length", "len(text) <= length").replace("size + 1", "size")
TESTS = """
import pytest
from wordlib import chunks, shorten, total


@pytest.mark.parametrize("text", ["abc", "a[b", "line\\nbreak"])
def test_what_fits_is_kept(text):
    assert shorten(text, len(text)) == text


def test_long_texts_are_cut():
    assert shorten("abcdef", 4) == "abc~"


def test_chunks():
    assert chunks([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]


def test_one_chunk():
    assert chunks([1], 3) == [[1]]


def test_total():
    assert total([1, 2, 3]) == 6
    assert total([]) == 0


def test_total_from_a_start():
    assert total([1], start=4) == 5
"""


def library(code: str, version: str, tests: str | None = TESTS) -> dict[str, bytes]:
    """A source distribution's files."""
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: wordlib\nVersion: {version}\nLicense: MIT\n",
        "CHANGES.md": f"# Changes\n\n## {version}\n\n- Keeps what fits.\n\n## 0.1\n\n- Begins.\n",
        "src/wordlib/__init__.py": code,
        "setup.py": "raise SystemExit('nobody may run this')\n",
    }
    if tests is not None:
        files["tests/test_wordlib.py"] = tests
    return {name: text.encode() for name, text in files.items()}


def write_sdist(folder: Path, version: str, files: Mapping[str, bytes]) -> str:
    """Write a ``.tar.gz`` with the files below one folder; returns its path."""
    path = folder / f"wordlib-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"wordlib-{version}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A sandbox that has pytest."""
    with open_sandbox(slots=2) as opened:
        if not opened.run(["python", "-c", "import pytest"], limits=Limits(wall_s=60)).ok:
            pytest.skip("the sandbox has no pytest: apt-get install python3-pytest")
        yield opened


@pytest.fixture
def judged_by_harbor(box: Sandbox) -> Callable[[DirectoryTasks, Task], None]:
    """Holds the grader that a task's directory has for Harbor to ours: all for the reference, nothing for nothing."""

    def judge(task_set: DirectoryTasks, task: Task) -> None:
        directory = task_set.directory(task)
        files = directory.solution.items()
        gold = {name[len("files/") :]: data for name, data in files if name.startswith("files/")}
        for submitted, reward in ((gold, b"1\n"), ({}, b"0\n")):
            done = box.run(
                ["python", "tests/harbor_grade.py", "original", "app", "tests", "reward.txt"],
                files={
                    **{f"original/{name}": data for name, data in task.files.items()},
                    **{f"app/{name}": data for name, data in {**task.files, **submitted}.items()},
                    **{f"tests/{name}": data for name, data in directory.tests.items()},
                },
                collect=["reward.txt"],
                limits=Limits(wall_s=60, cpu_s=60, memory_bytes=1 << 30),
            )
            assert done.files.get("reward.txt") == reward, done.stdout[-1500:] + done.stderr[-1500:]

    return judge
